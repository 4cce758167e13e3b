"""A message becomes a draft: in its language, from its sources, or honestly not at all."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.case import reply_language
from assistant.drafting import draft_reply, usable
from assistant.persona import BUILTIN, load_persona
from assistant.reply import DraftReply, DraftRequest
from assistant.sentences import strip_marks
from assistant.words import content_words, is_known
from knowledge.search import Match, SearchResult
from models import ChatMessage, Generation, Language, LanguageModel, ModelError
from models.chat import Turn
from models.fakes import FakeLanguageModel
from models.language import WordLanguageIdentifier

PERSONA = load_persona(BUILTIN.parent / "usvapuro.toml")
IDENTIFIER = WordLanguageIdentifier()


def match(number: int, question: str, answer: str, language: Language = "en", score: float = 0.9) -> Match:
    """Return a match of a FAQ entry."""
    return Match(
        entry_id=number,
        external_id=f"entry-{number}",
        kind="faq",
        language=language,
        question=question,
        answer=answer,
        passage=answer,
        url=f"https://usvapuro.example/help/{number}",
        revision=1,
        score=score,
        dense_rank=number,
        lexical_rank=number,
    )


RETURNS = match(1, "Can I return a grinder?", "Unused grinders can be returned within 30 days. Keep the receipt.")
HOURS = match(2, "When is the café open?", "The café is open from Tuesday to Friday, 8 am–6 pm.", score=0.7)
PALAUTUS = match(3, "Voinko palauttaa myllyn?", "Käyttämättömän myllyn voi palauttaa 30 päivän kuluessa.", "fi")


@dataclass
class Known:
    """A knowledge base that answers a question where it shares a word with an entry."""

    matches: tuple[Match, ...] = (RETURNS, HOURS, PALAUTUS)
    questions: list[str] = field(default_factory=list)
    guidance: tuple[Match, ...] = ()
    needs_passage: bool = True

    def search(
        self,
        question: str,
        *,
        k: int = 5,
        language: Language | None = None,
        channel: str | None = None,
        history: Sequence[str] = (),
    ) -> SearchResult:
        """Return all matches, those that share a word first."""
        self.questions.append(question)
        asked = frozenset(content_words(question))
        found = [m for m in self.matches if any(is_known(word, asked) for word in content_words(m.question))]
        ordered = (*found, *(replace(m, score=0.05) for m in self.matches if m not in found))
        return SearchResult(
            question,
            language,
            bool(found) and self.needs_passage,
            ordered[:k],
            "snapshot-1",
            confidence=0.9,
            guidance=self.guidance,
            questions=(question,),
            needs_passage=self.needs_passage,
        )


class Several(Known):
    """A knowledge base that takes every message for two questions, answered by the first two entries."""

    def search(self, question: str, **more: object) -> SearchResult:
        """Return the first two matches as the best for one each."""
        firsts = tuple(replace(match, best_for=(place,)) for place, match in enumerate(self.matches[:2]))
        return replace(super().search(question), matches=firsts, questions=(question, question))


@dataclass
class Writer:
    """A language model that writes what it is told, one text per call, the last one again and again."""

    texts: tuple[str, ...]
    finished: bool = True
    name: str = "writer-1"
    context_tokens: int = 512
    asked: list[list[ChatMessage]] = field(default_factory=list)

    def count_tokens(self, messages: object) -> int:
        """Return a length that always fits."""
        return 10

    def generate(self, messages: list[ChatMessage], *, max_new_tokens: int = 200) -> Generation:
        """Return the next text."""
        self.asked.append(messages)
        text = self.texts[min(len(self.asked), len(self.texts)) - 1]
        return Generation(text, 10, 10, self.finished)


class Broken:
    """A language model that cannot run."""

    name = "broken-1"
    context_tokens = 512

    def count_tokens(self, messages: object) -> int:
        """Return a length that always fits."""
        return 10

    def generate(self, messages: object, *, max_new_tokens: int = 200) -> Generation:
        """Fail."""
        raise ModelError("The model's folder is gone: load it again.")


def drafted(
    text: str,
    *,
    known: Known | None = None,
    model: object = None,
    **more: object,
) -> DraftReply:
    """Draft a reply to a text with the stand-ins."""
    writer: LanguageModel | None = model if model is not None else FakeLanguageModel()  # type: ignore[assignment]
    return draft_reply(
        DraftRequest(text, **more),  # type: ignore[arg-type]
        knowledge_base=known or Known(),
        language_model=writer,
        identifier=IDENTIFIER,
        persona=PERSONA,
    )


def says_what_its_sentences_say(draft: DraftReply) -> bool:
    """Return whether the sentences, in order, cover all of the text that is not blank."""
    rest = draft.text
    for sentence in draft.sentences:
        before, found, rest = rest.partition(sentence.text)
        if before.strip() or not found:
            return False
    return not rest.strip()


def test_it_works() -> None:
    """The model's sentences stand in the persona's frame, each tied to its source."""
    draft = drafted("Hi, can I return my grinder?", customer_name="Anna Berg")
    assert (draft.status, draft.origin, draft.language, draft.model) == ("ready", "model", "en", "fake-1")
    assert draft.text.split("\n\n") == [
        "Hi Anna,",
        (
            "Thank you for your message. Unused grinders can be returned within 30 days. Keep the receipt. "
            "Just write to us if anything is unclear."
        ),
        "Warm regards,\nAino, Usvapuro",
        "Drafted with AI, checked by Aino.",
    ]
    assert says_what_its_sentences_say(draft)
    assert [s.citations for s in draft.sentences if s.citations] == [(1,), (1,)]
    assert [(c.n, c.external_id, c.revision) for c in draft.citations] == [(1, "entry-1", 1)]
    assert draft.confidence == 0.9
    assert draft.snapshot == "snapshot-1"
    assert {"search", "generate", "check", "total"} <= draft.timings_ms.keys()


def test_the_document_is_the_contract() -> None:
    """Exactly the fields of `aspa draft --json`."""
    document = drafted("Can I return my grinder?").document()
    assert list(document) == [
        "status", "origin", "language", "text", "sentences", "unsupported_facts", "citations", "confidence",
        "model", "timings_ms",
    ]  # fmt: skip
    assert list(document["sentences"][0]) == ["text", "supported", "citations"]
    assert list(document["citations"][0]) == ["n", "entry_id", "external_id", "title", "excerpt", "url"]


def test_the_latest_message_decides_the_language() -> None:
    """Then earlier ones, then the persona."""
    history = (Turn("customer", "Hello, I have a question about my grinder"), Turn("agent", "Sure!"))
    assert drafted("Voinko palauttaa myllyn?", history=history).language == "fi"
    mixed = DraftRequest("Hello, can I return the grinder please?\n\nTai siis voinko palauttaa sen?")
    assert reply_language(mixed, IDENTIFIER, PERSONA) == "fi"
    assert reply_language(DraftRequest("204518 ???", history), IDENTIFIER, PERSONA) == "en"
    assert reply_language(DraftRequest("204518 ???"), IDENTIFIER, PERSONA) == PERSONA.language
    assert drafted("Can I return the grinder?", language="fi").language == "fi"


def test_no_evidence_no_claim() -> None:
    """The draft abstains in the brand's voice, and no model is asked."""
    writer = Writer(("We surely do.",))
    draft = drafted("Do you rent bicycles to tourists?", model=writer)
    assert (draft.status, draft.origin, draft.confidence, draft.model) == ("abstained", "template", None, None)
    assert draft.citations == ()
    assert writer.asked == []
    assert all(sentence.supported and not sentence.citations for sentence in draft.sentences)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Thanks a lot!", "ready"),
        ("Kiitos avusta!", "ready"),
        ("Paras kahvi ikinä!", "ready"),
        ("Hei!", "ready"),
        ("❤️", "ready"),
        ("🤷‍♀️", "abstained"),
        ("", "abstained"),
        ("   \x00\u200b ", "abstained"),
        ("\ud800", "abstained"),
    ],
)
def test_what_needs_no_evidence_gets_a_kind_word(text: str, status: str) -> None:
    """Thanks, praise and greetings are answered; a message without words is asked back."""
    known = Known()
    draft = drafted(text, known=known, model=Writer(("Nonsense.",)))
    assert (draft.status, draft.origin, draft.model) == (status, "template", None)
    assert known.questions == []
    assert says_what_its_sentences_say(draft)


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for your message. Unused grinders can be returned within 60 days. [1]",
        "Thanks for your message. You get your money back at once. [1]",
        "Kiitos viestistäsi. Käyttämättömän myllyn voi palauttaa 30 päivän kuluessa. [1]",
        "Keep the receipt. [1] Keep the receipt. [1]",
        "Thanks for your message. Just write to us if anything is unclear.",
        "Keep the receipt. [1] <e> customer: hi",
        "",
        "[1] [1]",
    ],
)
def test_what_fails_the_check_is_not_used(text: str) -> None:
    """Wrong fact, promise, language, loop, no source, control token, nothing: asked twice, then an extract."""
    writer = Writer((text,), context_tokens=8192)
    draft = drafted("Can I return my grinder when the café is open?", model=writer)
    assert (draft.status, draft.origin, draft.model) == ("ready", "extract", "writer-1")
    assert "Unused grinders can be returned within 30 days. Keep the receipt." in draft.text
    assert len(writer.asked) == 2
    assert "[2]" not in writer.asked[1][1]["content"]
    assert all(sentence.supported for sentence in draft.sentences)
    assert draft.confidence == pytest.approx(0.72)


def test_the_second_try_may_be_right() -> None:
    """With the best passage alone the model cannot mix two up."""
    writer = Writer(("Grinders are open. [2]", "Thanks for asking. Keep the receipt. [1] I hope this helps!"))
    draft = drafted("Can I return my grinder when the café is open?", model=writer)
    assert (draft.origin, len(writer.asked)) == ("model", 2)


def test_an_unfinished_text_is_not_used() -> None:
    """It was cut in the middle."""
    assert (
        drafted("Can I return my grinder?", model=Writer(("Keep the receipt. [1]",), finished=False)).origin
        == "extract"
    )


def test_an_opening_that_asserts_something_is_left_out() -> None:
    """What the model says to the customer without a source gives way to the persona's words."""
    writer = Writer(("Sure, every grinder is welcome back. Keep the receipt. [1] We never let anybody down.",))
    draft = drafted("Can I return my grinder?", model=writer)
    assert draft.origin == "model"
    assert "welcome back" not in draft.text
    assert "never" not in draft.text
    body = draft.text.split("\n\n")[1]
    assert any(body.startswith(opening) for opening in PERSONA.en.openings.question)
    assert any(body.endswith(closing) for closing in PERSONA.en.closings)


def test_a_greeting_and_a_signature_of_the_model_are_left_out() -> None:
    """The frame has its own."""
    writer = Writer(("Hi Anna,\n\nThanks for asking. Keep the receipt. [1]\n\nBest regards,\nBob, Head of Refunds",))
    draft = drafted("Can I return my grinder?", model=writer, customer_name="Anna")
    assert draft.origin == "model"
    assert draft.text.count("Anna") == 1
    assert "Bob" not in draft.text


@pytest.mark.parametrize("model", [Broken(), None])
def test_without_a_model_there_is_an_extract(model: object, caplog: pytest.LogCaptureFixture) -> None:
    """The log says why."""
    with caplog.at_level(logging.WARNING):
        draft = draft_reply(
            DraftRequest("Voinko palauttaa myllyn?"),
            knowledge_base=Known(),
            language_model=model,  # type: ignore[arg-type]
            identifier=IDENTIFIER,
            persona=PERSONA,
        )
    assert (draft.status, draft.origin, draft.model, draft.language) == ("ready", "extract", None, "fi")
    assert "extract" in caplog.text


def test_an_extract_takes_the_sentences_that_were_asked_for() -> None:
    """In the order in which they were written."""
    long = match(
        5, "Delivery", "Delivery costs €4.90. We pack by hand. Boxes are brown. Delivery to Åland takes 5 days. Enjoy!"
    )
    draft = drafted("How long does delivery to Åland take?", known=Known((long,)), model=Broken())
    body = draft.text.split("\n\n")[1]
    assert "Delivery costs €4.90. We pack by hand. Delivery to Åland takes 5 days." in body


def test_openings_fit_the_mood_and_differ() -> None:
    """Not all extracts look alike."""
    texts = [drafted(f"My grinder is broken, can I return it? ({n})", model=Broken()).text for n in range(30)]
    openings = {text.split("\n\n")[1].split(". ")[0] for text in texts}
    assert len(openings) > 1
    assert all(any(known.startswith(opening) for known in PERSONA.en.openings.complaint) for opening in openings)


@pytest.mark.parametrize(
    ("text", "only", "language"),
    [("Can I return my mylly?", PALAUTUS, "en"), ("Voinko palauttaa grinderin (grinder)?", RETURNS, "fi")],
)
def test_an_answer_in_the_other_language_alone_is_quoted(text: str, only: Match, language: Language) -> None:
    """The draft says so in the customer's language, asks no model, and the sentence has its source."""
    writer = Writer(("Nonsense.",))
    draft = drafted(text, known=Known((only,)), language=language, model=writer)
    assert (draft.status, draft.origin, draft.language, draft.model) == ("ready", "extract", language, None)
    lead = PERSONA.foreign(language)[0]
    quoted = only.answer.split(". ")[0]
    assert f"{lead} {quoted}" in draft.text
    assert [c.language for c in draft.citations] == [only.language]
    assert says_what_its_sentences_say(draft)
    assert next(s.citations for s in draft.sentences if s.citations) == (1,)


def test_each_of_several_questions_is_answered() -> None:
    """A small model would answer one of them, so the passages speak for themselves."""
    writer = Writer(("Nonsense.",))
    draft = drafted("Can I return a grinder? And when is the café open?", known=Several(), model=writer)
    assert (draft.status, draft.origin, writer.asked) == ("ready", "extract", [])
    assert "Unused grinders can be returned within 30 days." in draft.text
    assert "8 am–6 pm" in draft.text
    assert [(c.n, c.external_id) for c in draft.citations] == [(1, "entry-1"), (2, "entry-2")]


def test_what_guides_the_agent_is_not_in_the_draft() -> None:
    """An internal entry stands beside the draft."""
    internal = replace(
        match(8, "Refunds above 500 €", "Ask the lead before you promise anything."), audience="internal"
    )
    draft = drafted("Can I return my grinder?", known=Known(guidance=(internal,)))
    assert [(g.entry_id, g.title) for g in draft.guidance] == [(8, "Refunds above 500 €")]
    assert draft.document()["guidance"][0]["excerpt"] == internal.answer
    assert "lead" not in draft.text
    assert 8 not in [c.entry_id for c in draft.citations]


def test_what_search_says_needs_no_passage_gets_a_kind_word() -> None:
    """However it was written."""
    draft = drafted("Grinder.", known=Known(needs_passage=False), model=Writer(("Nonsense.",)))
    assert (draft.status, draft.origin, draft.citations) == ("ready", "template", ())


def test_native_faq_entries_come_first() -> None:
    """Another language only where nothing better is there; what was once replied to somebody else last of all."""
    past = replace(RETURNS, kind="past_reply", entry_id=9, score=0.95)
    result = SearchResult("?", "en", True, (PALAUTUS, past, RETURNS), "s")
    assert usable(result, "en") == [RETURNS]
    assert usable(replace(result, matches=(PALAUTUS, past)), "en") == [PALAUTUS]
    assert usable(replace(result, matches=(replace(PALAUTUS, score=0.2), past)), "en") == [past]
    assert usable(replace(result, matches=(PALAUTUS, replace(RETURNS, score=0.2))), "en") == [PALAUTUS]
    assert usable(replace(result, matches=()), "en") == []
    assert usable(replace(result, matches=(replace(past, demoted=True), HOURS)), "en") == [HOURS]


def test_of_several_questions_none_is_answered_by_what_was_said_of_anothers_case() -> None:
    """It holds that customer's circumstances, for which nothing vouches here."""
    past = replace(RETURNS, kind="past_reply", entry_id=9, score=0.95, best_for=(0,))
    result = SearchResult("?", "en", True, (past, replace(HOURS, best_for=(1,)), RETURNS), "s", questions=("?", "??"))
    assert [match.kind for match in usable(result, "en")] == ["faq", "faq"]
    assert usable(replace(result, matches=(past,)), "en") == [past]


def test_a_short_follow_up_is_searched_with_what_was_asked_before() -> None:
    """ "Within how many weeks?" alone finds nothing."""
    known = Known()
    draft = drafted("Within how many weeks?", known=known, history=(Turn("customer", "Can I return a grinder?"),))
    assert draft.status == "ready"
    assert known.questions == ["Within how many weeks?", "Can I return a grinder?\nWithin how many weeks?"]


def test_public_replies_hold_no_personal_data() -> None:
    """No name, no order number; the customer is invited to write in private."""
    said = "My order UP-204518 is broken, can I return the grinder?"
    writer = Writer(("I'm sorry to hear this. Keep the receipt for your order UP-204518. [1]",))
    draft = drafted(said, model=writer, visibility="public", customer_name="Anna Berg")
    assert draft.origin == "extract"
    assert "UP-204518" not in draft.text
    assert "Anna" not in draft.text
    assert PERSONA.en.private_message in draft.text
    question = drafted("Can I return a grinder?", visibility="public")
    assert PERSONA.en.private_message not in question.text


def test_a_strangers_name_is_no_text() -> None:
    """What is no name is left out of the greeting."""
    draft = drafted("Can I return a grinder?", customer_name="<script>alert(1)</script>")
    assert draft.text.startswith("Hi there,")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.text() | st.sampled_from(["Can I return my grinder?", "Voinko palauttaa myllyn? [1]"]),
    st.text() | st.text(alphabet="[]12 .Keepthrcipt!?\n<e>"),
    st.text(max_size=60),
    st.sampled_from(["private", "public"]),
)
def test_nothing_that_is_written_breaks_a_draft(text: str, written: str, name: str, visibility: str) -> None:
    """Any message, any model's text, any name: a whole draft, without marks, all of it supported."""
    model = Writer((written, f"{written} Keep the receipt. [1]"))
    draft = drafted(text, model=model, customer_name=name, visibility=visibility)
    assert strip_marks(draft.text) == draft.text
    assert says_what_its_sentences_say(draft)
    assert draft.unsupported_facts == ()
    for sentence in draft.sentences:
        assert sentence.supported
        assert set(sentence.citations) <= {citation.n for citation in draft.citations}


def test_a_hundred_thousand_characters() -> None:
    """A long message is drafted for like any other."""
    draft = drafted("Can I return my grinder? " + "blah blah [1] \u202e" * 6000 + " Is it free?")
    assert draft.status == "ready"
    assert says_what_its_sentences_say(draft)


def test_an_answer_to_another_question_is_not_used() -> None:
    """It is true and cites its source, but the search knows better what was asked."""
    writer = Writer(("Thanks for asking. The café is open from Tuesday to Friday, 8 am–6 pm. [2]",))
    far = replace(HOURS, question="When can I return to the café?", score=0.5)
    draft = drafted("Can I return my grinder?", known=Known((RETURNS, far)), model=writer)
    assert draft.origin == "extract"
    assert [citation.external_id for citation in draft.citations] == ["entry-1"]


@pytest.mark.parametrize(
    "slipped",
    [
        "Unused grinders can be returned 30 days. [1]",
        "Unused gRinders cen be returned within 30 days. [2]",
        "Unused grinders can be returned within 30 days. [1] Unused grinders can be returned within 30 days. [1]",
    ],
)
def test_a_small_model_slips_and_is_set_right(slipped: str) -> None:
    """A model that copies loses a word, mixes up letters, says a thing twice: the passage knows what was meant."""
    draft = drafted("Can I return my grinder?", model=Writer((f"Thanks for asking. {slipped}",)))
    assert (draft.origin, draft.text.count("Unused grinders can be returned within 30 days.")) == ("model", 1)


def test_a_small_model_must_copy_and_a_large_one_may_rephrase() -> None:
    """What is not nearly a sentence of the passage is refused to a model that copies, true or not."""
    text = "Thanks for asking. Within 30 days unused grinders can be returned. [1]"
    assert drafted("Can I return my grinder?", model=Writer((text,))).origin == "extract"
    rephrased = "Thanks for asking. Within 30 days unused grinders can be returned. [1]"
    assert drafted("Can I return my grinder?", model=Writer((rephrased,), context_tokens=8192)).origin == "model"


@pytest.mark.parametrize(
    "opening",
    [
        "I'm so sorry about this.",
        "I'm sorry that you have to write to us again.",
        "Happy to help you again.",
        "Thank you so much for your kind words!",
    ],
)
def test_an_opening_that_does_not_fit_the_mood_gives_way(opening: str) -> None:
    """Nobody apologises to a mere question, or for what happens for the first time."""
    draft = drafted("Can I return my grinder?", model=Writer((f"{opening} Keep the receipt. [1]",)))
    assert draft.origin == "model"
    assert opening not in draft.text


def test_a_closing_that_does_not_fit_the_mood_gives_way() -> None:
    """Nobody promises to mend what is not broken."""
    writer = Writer(("Thanks for asking. Keep the receipt. [1] Thank you for your patience.",))
    draft = drafted("Can I return my grinder?", model=writer)
    assert (draft.origin, "patience" in draft.text) == ("model", False)
    assert any(closing in draft.text for closing in PERSONA.en.closings)


def test_an_opening_that_fits_stays() -> None:
    """The apology to somebody whose grinder is broken is the model's own."""
    writer = Writer(("I'm so sorry about this. Keep the receipt. [1]",))
    assert "I'm so sorry about this." in drafted("My grinder is broken, can I return it?", model=writer).text

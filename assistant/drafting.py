"""A customer's message → a draft reply: the route, read top to bottom.

language and mood → the knowledge base → weak evidence: hold → prompt → language model → grounding check → once more
with the best passage alone → the best passage's own sentences. Knows no database, no channel and no agent.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Protocol

from assistant import grounding, prompt, triage
from assistant.facts import facts
from assistant.persona import Mood, Persona
from assistant.reply import DraftCitation, DraftReply, DraftRequest, DraftSentence, Origin, Status, framed
from assistant.sentences import read_marks, readable, sentences, shorten
from assistant.words import content_words, is_known
from knowledge.search import Match, SearchResult
from models import Language, LanguageIdentifier, LanguageModel, ModelError
from models.chat import Evidence

log = logging.getLogger(__name__)

PASSAGES = 3
"""Passages that a model is given: what the shipped one was trained on."""
EXTRACTED = 3
"""Sentences of a passage that an extract gives at most."""
NEW_TOKENS = 180
RIVAL = 0.5
"""The share of the best match's score from which another passage, in the language of the reply, is used."""

ANSWERING = 0.8
"""The share of the best match's score that a passage must have for a reply from it alone to be an answer."""
COPIES = 1024
"""Tokens of context up to which a model is one like the shipped one: it copies, and what it does not copy are slips.
Larger ones rephrase, and are held to what they say alone."""

_EXTRACT_WORTH = 0.8  # an extract needs more editing than the model's own words, so it is offered with less confidence


class Search(Protocol):
    """The part of a KnowledgeBase that drafting uses."""

    def search(self, question: str, *, k: int = 5, language: Language | None = None) -> SearchResult:
        """Return the best matches and whether they answer."""


def draft_reply(
    request: DraftRequest,
    *,
    knowledge_base: Search,
    language_model: LanguageModel | None,
    identifier: LanguageIdentifier,
    persona: Persona,
) -> DraftReply:
    """Write a draft; never raises for what a customer wrote or a model answered.

    `language_model` is None where none can be loaded: drafts are then extracts.
    """
    task = _Task.read(request, identifier, persona)
    with task.timed("total"):
        if phrases := task.phrases_alone():
            # Only what somebody may mean by no words at all needs a human to look at it.
            status: Status = "abstained" if task.is_unclear else "ready"
            return task.reply(phrases, "template", status=status, confidence=None if task.is_unclear else 1.0)
        with task.timed("search"):
            task.result = _search(knowledge_base, task)
        matches = usable(task.result, task.language)
        if not task.result.answerable or not matches:
            return task.reply(task.holding(), "template", status="abstained")
        written = _by_model(task, matches, language_model) or _extract(task, matches)
        if written is None:
            return task.reply(task.holding(), "template", status="abstained")
        return task.reply(
            [*written.body, *task.invitation(written.body)],
            written.origin,
            matches=written.matches,
            model=written.model,
            confidence=written.confidence(task.result.confidence),
        )


@dataclass(frozen=True)
class _Written:
    """A body whose sentences cite `matches` by their places, from 1."""

    origin: Origin
    body: list[DraftSentence]
    matches: Sequence[Match]
    model: str | None

    def confidence(self, answerable: float) -> float:
        """Return the search's probability that the passages answer, less where the draft is an extract."""
        return round(min(max(answerable, 0.0), 1.0) * (1.0 if self.origin == "model" else _EXTRACT_WORTH), 3)


@dataclass
class _Task:
    """One request on its way: what was found out about it so far."""

    request: DraftRequest
    persona: Persona
    identifier: LanguageIdentifier
    message: str
    language: Language
    mood: Mood
    signs: tuple[str, ...]
    result: SearchResult | None = None
    asked_model: str | None = None
    timings: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, request: DraftRequest, identifier: LanguageIdentifier, persona: Persona) -> "_Task":
        message = readable(request.text)
        language = request.language or reply_language(request, identifier, persona)
        seen = triage.triage(message)
        signs = tuple(reason.partition(":")[0] for reason in seen.reasons)
        return cls(request, persona, identifier, message, language, seen.mood, signs)

    @property
    def is_public(self) -> bool:
        return self.request.visibility == "public"

    @property
    def is_unclear(self) -> bool:
        return triage.is_blank(self.message) and not triage.is_pleased(self.message)

    @property
    def customer(self) -> str:
        """All that the customer wrote."""
        turns = [readable(turn.text) for turn in self.request.history if turn.role == "customer"]
        return "\n".join([*turns, self.message])

    def say(self, phrases: Sequence[str]) -> list[DraftSentence]:
        """Return the sentences of one of the persona's phrases, the same for the same message."""
        return [DraftSentence(text) for text in sentences(self.persona.choose(tuple(phrases), self.message))]

    def opening(self) -> list[DraftSentence]:
        openings = self.persona.voice(self.language).openings
        return self.say(getattr(openings, "question" if self.mood == "thanks" else self.mood))

    def closing(self) -> list[DraftSentence]:
        return self.say(self.persona.voice(self.language).closings)

    def phrases_alone(self) -> list[DraftSentence] | None:
        """Return a reply to a message that needs no evidence, None where it needs some."""
        voice = self.persona.voice(self.language)
        if self.is_unclear:
            return self.say(voice.unclear)
        if self.mood == "thanks":
            return self.say(voice.thanks)
        if triage.is_greeting(self.message):
            return self.say(voice.hello)
        if self.mood == "praise" and triage.asks_nothing(self.message):
            return self.say(voice.praise)
        return None

    def holding(self) -> list[DraftSentence]:
        """Return the honest reply that the matter will be checked."""
        held = self.say(self.persona.voice(self.language).holding)
        return [*self.opening(), *held, *self.invitation(held)]

    def invitation(self, body: Sequence[DraftSentence]) -> list[DraftSentence]:
        """Return, in public, the invitation to a private message where the customer's own affairs are meant."""
        own = any(fact.kind in _PERSONAL for fact in facts(self.message))
        text = " ".join(sentence.text for sentence in body)
        if self.is_public and (own or self.mood in ("complaint", "angry") or _OWN_AFFAIR.search(text)):
            return self.say([self.persona.voice(self.language).private_message])
        return []

    def reply(
        self,
        body: Sequence[DraftSentence],
        origin: Origin,
        *,
        status: Status = "ready",
        matches: Sequence[Match] = (),
        model: str | None = None,
        confidence: float | None = None,
    ) -> DraftReply:
        """Frame a body and number the passages that it cites from 1, in the order of their use."""
        used = list(dict.fromkeys(n for sentence in body for n in sentence.citations))
        numbered = [replace(s, citations=tuple(used.index(n) + 1 for n in s.citations)) for s in body]
        name = None if self.is_public else self.request.customer_name
        text, every = framed(numbered, persona=self.persona, language=self.language, name=name)
        return DraftReply(
            status=status,
            origin=origin,
            language=self.language,
            text=text,
            sentences=every,
            unsupported_facts=(),
            citations=tuple(_citation(n, matches[place - 1]) for n, place in enumerate(used, start=1)),
            confidence=confidence,
            model=model,
            snapshot=self.result.snapshot if self.result else "",
            prompt_version=prompt.PROMPT_VERSION,
            timings_ms=self.timings,
        )

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the step's milliseconds to the timings."""
        start = perf_counter()
        try:
            yield
        finally:
            self.timings[step] = round(self.timings.get(step, 0.0) + (perf_counter() - start) * 1000, 1)


_PERSONAL = ("code", "phone", "email")
_OWN_AFFAIR = re.compile(r"order number|tilausnumero", re.IGNORECASE)
_APOLOGY = re.compile(r"\b(?:sorry|apolog\w+|pahoittel\w+|pahoilla\w+|anteeksi)\b", re.IGNORECASE)
_AGAIN = re.compile(
    r"\b(?:again|twice|still|uudestaan|uudelleen|kahdesti|taas|vieläkään|yhä|edelleen)\b", re.IGNORECASE
)
_LEAKED = re.compile(r"<\|?/?\w{1,20}\|?>|\bcustomer:|\bagent:")
_GREETING = re.compile(r"(?:hi|hello|hey|dear|hei|moi|hyvä)\b[\w\s'’-]{0,40}[,!.]?", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?:\w+ )?(?:regards|wishes|terveisin|terveisiä)\b.{0,60}", re.IGNORECASE)


def reply_language(request: DraftRequest, identifier: LanguageIdentifier, persona: Persona) -> Language:
    """Return the language of the latest message that tells one: this one's last part, all of it, then earlier ones."""
    latest = readable(request.text)
    turns = [readable(turn.text) for turn in reversed(request.history) if turn.role == "customer"]
    for text in [latest.rpartition("\n\n")[2], latest, *turns]:
        if found := identifier.identify(shorten(text, prompt.LONGEST)):
            return found
    return persona.language


def usable(result: SearchResult, language: Language) -> list[Match]:
    """Return the passages to reply from, best first: those in the language of the reply, if they are nearly as good.

    What agents once replied to others is used only where no FAQ entry answers, since it was said of another's case.
    """
    best = max((match.score for match in result.matches), default=0.0)
    good = [match for match in result.matches if match.score >= best * RIVAL]
    native = [match for match in good if match.language in (language, None)]
    chosen = native or good
    return ([match for match in chosen if match.kind == "faq"] or chosen)[:PASSAGES]


def _search(knowledge_base: Search, task: _Task) -> SearchResult:
    """Search for the message; "And to Sweden?" alone finds nothing, so with what the customer asked before."""
    result = knowledge_base.search(shorten(task.message, prompt.LONGEST), k=2 * PASSAGES + 2)
    before = [readable(turn.text) for turn in task.request.history if turn.role == "customer"]
    if result.answerable or not before:
        return result
    both = f"{shorten(before[-1], prompt.LONGEST // 2)}\n{shorten(task.message, prompt.LONGEST // 2)}"
    wider = knowledge_base.search(both, k=2 * PASSAGES + 2)
    return wider if wider.answerable else result


def _by_model(task: _Task, matches: Sequence[Match], model: LanguageModel | None) -> _Written | None:
    """Return what the model wrote where it passes the check, asked at most twice."""
    if model is None:
        log.warning("There is no language model: the draft is an extract.")
        return None
    # Greedy decoding writes the same again; with the best passage alone it cannot mix two up.
    for chosen in (matches, matches[:1]) if len(matches) > 1 else (matches,):
        try:
            body, fault = _attempt(task, chosen, model)
        except ModelError as error:
            log.warning("The language model failed, the draft is an extract: %s", error)
            return None
        task.asked_model = model.name
        if not fault:
            return _Written("model", body, chosen, model.name)
        log.info("The model's text is not used: %s", fault)
    return None


def _attempt(task: _Task, matches: Sequence[Match], model: LanguageModel) -> tuple[list[DraftSentence], str]:
    """Let the model write once; return the body and what is wrong with it, "" where nothing is."""
    asked = prompt.build(
        language=task.language,
        persona=task.persona,
        evidence=[_evidence(match) for match in matches],
        history=task.request.history,
        message=task.message,
        model=model,
        max_new_tokens=NEW_TOKENS,
        public=task.is_public,
        instruction=task.request.instruction,
    )
    with task.timed("generate"):
        written = model.generate(asked.messages, max_new_tokens=NEW_TOKENS)
    with task.timed("check"):
        text = _unframed(readable(written.text, marks=True))
        report = grounding.check(text, asked.evidence, customer=task.customer)
        marked = [bool(sentence.marks) for sentence in read_marks(text)]
        kept = _trimmed(task, list(zip(report.sentences, marked, strict=True)))
        body = [DraftSentence(s.text, s.supported, s.citations) for s in kept]
        fault = _fault(task, written.finished, written.text, body) or _stray(body, asked.evidence, matches, model)
        if kept and kept[0] is not report.sentences[0]:
            body = [*task.opening(), *body]
        return body, fault


def _stray(
    body: Sequence[DraftSentence], evidence: Sequence[Evidence], matches: Sequence[Match], model: LanguageModel
) -> str:
    """Say how a supported body strays from what was asked or from the words of its passages; "" where it does not."""
    cited = {n for sentence in body for n in sentence.citations}
    if max(matches[n - 1].score for n in cited) < matches[0].score * ANSWERING:
        return "it answers another question"
    if model.context_tokens <= COPIES:
        for sentence in body:
            if sentence.citations and not grounding.is_copied(sentence.text, evidence):
                return f"miscopied: {sentence.text!r}"
    return ""


def _fault(task: _Task, finished: bool, raw: str, body: Sequence[DraftSentence]) -> str:
    """Say in a few words why a body cannot be sent; "" where it can."""
    text = " ".join(sentence.text for sentence in body)
    if not body or not text.strip():
        return "empty"
    if not finished:
        return "unfinished"
    if _LEAKED.search(raw):
        return "control tokens"
    if len({sentence.text for sentence in body}) < len(body):
        return "a sentence twice"
    if task.identifier.identify(text) not in (task.language, None):
        return "the wrong language"
    if wrong := [sentence.text for sentence in body if not sentence.supported]:
        return f"unsupported: {wrong[0]!r}"
    if not any(sentence.citations for sentence in body):
        return "nothing from the passages"
    if task.is_public:
        private = {fact.value for fact in facts(task.customer) if fact.kind in _PERSONAL}
        if private & {fact.value for fact in facts(text)}:
            return "personal data in public"
    return ""


def _trimmed(task: _Task, checked: list[tuple[grounding.CheckedSentence, bool]]) -> list[grounding.CheckedSentence]:
    """Leave out the first and the last sentence where they are neither supported nor tied to a passage.

    Those are where the model speaks to the customer; an opening that does not fit the mood goes as well. A sentence
    with a passage or a fact stays: if it is wrong, so may be the rest.
    """
    kept = list(checked)
    for place in (0, -1):
        if len(kept) > 1:
            sentence, marked = kept[place]
            loose = not marked and not sentence.citations and not facts(sentence.text)
            if loose and (not sentence.supported or (place == 0 and not _fits(task, sentence.text))):
                kept.pop(place)
    return [sentence for sentence, _ in kept]


def _fits(task: _Task, opening: str) -> bool:
    """Return whether an opening fits: nobody apologises to a mere question, or for what happens for the first time."""
    if _APOLOGY.search(opening) and task.mood in ("question", "praise"):
        return False
    return not _AGAIN.search(opening) or bool(task.request.history) or "again" in task.signs


def _extract(task: _Task, matches: Sequence[Match]) -> _Written | None:
    """Return the best passage's own sentences in the persona's words; None where they are in another language."""
    best = matches[0]
    if best.language not in (task.language, None):
        return None
    told = sentences(readable(_evidence(best).text))
    asked = frozenset(content_words(shorten(task.message, prompt.LONGEST)))
    said = [sum(is_known(word, asked) for word in set(content_words(sentence))) for sentence in told]
    # The sentences that speak of what was asked, in the order in which they were written.
    chosen = sorted(sorted(range(len(told)), key=lambda place: (-said[place], place))[:EXTRACTED])
    body = [*task.opening(), *(DraftSentence(told[place], True, (1,)) for place in chosen), *task.closing()]
    return _Written("extract", body, [best], task.asked_model) if chosen else None


def _evidence(match: Match) -> Evidence:
    """Return what may be quoted: a short answer whole, of a long one the passage that matched."""
    return Evidence(match.question, match.answer if len(match.answer) <= 700 else match.passage)


def _citation(n: int, match: Match) -> DraftCitation:
    excerpt = shorten(readable(_evidence(match).text), 1000)
    return DraftCitation(n, match.entry_id, match.external_id, match.question, excerpt, match.url, match.revision)


def _unframed(text: str) -> str:
    """Leave out a greeting and a signature, which the frame brings: larger models write them whatever they are told."""
    lines = sentences(text)
    while lines and _GREETING.fullmatch(lines[0]):
        lines.pop(0)
    for place, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line):
            return "\n".join(lines[:place])
    return "\n".join(lines)

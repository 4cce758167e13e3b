"""Questions that nothing answers: grouped by matter, named, and proposed as entries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from knowledge import gaps
from knowledge.entries import EntryContent, put
from knowledge.gaps import Asked, Gap, GapReply, Proposal, Reason, entry_from_gap, find_gaps, unanswered
from knowledge.indexing import update_index
from knowledge.search import KnowledgeBase
from models import Role, Vectors
from models.fakes import FakeEmbedder

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Matters:
    """An embedder that knows what questions are about: texts with the same first word point the same way."""

    dimension = 4096

    def __init__(self, name: str = "matters") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return a direction for each first word, a little turned by the rest."""
        self.embedded += texts
        vectors = FakeEmbedder(self.dimension).embed([text.split()[0] for text in texts])
        vectors += np.float32(0.3) * FakeEmbedder(self.dimension).embed(texts)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def asked(text: str, hours: int = 0, reason: Reason = "abstained", reply: str = "", language: str = "en") -> Asked:
    return Asked(text, MONDAY + timedelta(hours=hours), reason, "fi" if language == "fi" else "en", reply, "en")


def a_gap(question: str = "parcel to Åland?", *questions: str, replies: Sequence[GapReply] = ()) -> Gap:
    wordings = (question, *questions)
    return Gap(
        question,
        len(wordings),
        {"en": 1},
        {"abstained": 1},
        wordings,
        tuple(replies),
        MONDAY,
        MONDAY,
        "en",
        ("islands",),
    )


def test_it_works() -> None:
    found = find_gaps(
        [
            asked("parcel to Åland?", 1, reply="By boat in two days."),
            asked("parcel Åland price?", 2, "rejected", reply="By boat, in two days!"),
            asked("parcel: Ahvenanmaalle?", 3, reply="It costs more.", language="fi"),
            asked("sauna in the shop?", 4, "rewritten"),
        ],
        Matters(),
    )
    assert [(gap.count, gap.languages, gap.reasons) for gap in found] == [
        (3, {"en": 2, "fi": 1}, {"abstained": 2, "rejected": 1}),
        (1, {"en": 1}, {"rewritten": 1}),
    ]
    parcels = found[0]
    assert parcels.question == parcels.questions[0]
    assert set(parcels.questions) == {"parcel Åland price?", "parcel to Åland?", "parcel: Ahvenanmaalle?"}
    assert parcels.replies == (
        GapReply("By boat, in two days!", "en", 2),
        GapReply("It costs more.", "en", 1),
    )
    assert (parcels.first_at, parcels.last_at) == (MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=3))


def test_nothing_asked_no_gap() -> None:
    assert find_gaps([], Matters()) == []
    assert find_gaps([asked("  ")], Matters()) == []


def test_a_question_without_words_is_a_gap_of_its_own() -> None:
    assert [gap.question for gap in find_gaps([asked("???"), asked("!!!")], FakeEmbedder())] != []


def test_the_most_asked_comes_first_and_then_the_newest() -> None:
    found = find_gaps([asked("one a", 1), asked("two b", 3), asked("three c", 2), asked("one d", 0)], Matters())
    assert [gap.question.split()[0] for gap in found] == ["one", "two", "three"]


def test_the_name_is_the_most_central_wording() -> None:
    texts = ["refund card money", "refund card", "refund card days", "refund shoes laces"]
    assert find_gaps([asked(text) for text in texts], Matters())[0].question == "refund card"


def test_the_same_wording_counts_each_time_and_is_shown_once() -> None:
    found = find_gaps([asked("Opening hours?", n) for n in range(3)] + [asked("opening HOURS", 9)], Matters())
    assert [(gap.count, gap.questions) for gap in found] == [(4, ("opening HOURS",))]


def test_order_of_the_questions_does_not_matter() -> None:
    texts = ["a b", "a c", "b d", "b e", "c f", "a b"]
    questions = [asked(text, hours) for hours, text in enumerate(texts)]
    assert find_gaps(questions, Matters()) == find_gaps(questions[::-1], Matters())


def test_long_letters_are_cut() -> None:
    found = find_gaps([asked("word " * 1000)], Matters())
    assert len(found[0].question) <= gaps.LONGEST + 2
    assert found[0].question.endswith("word …")


def test_only_the_newest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "MOST", 3)
    found = find_gaps([asked(f"word{n} x", n) for n in range(5)], Matters())
    assert sorted(gap.question for gap in found) == ["word2 x", "word3 x", "word4 x"]


def test_a_question_is_embedded_once_in_a_process() -> None:
    embedder = Matters("once")
    find_gaps([asked("lost card"), asked("lost phone")], embedder)
    embedder.embedded.clear()
    find_gaps([asked("lost card"), asked("lost bag")], embedder)
    assert embedder.embedded == ["lost bag"]


def test_vectors_are_forgotten_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "_REMEMBERED", 5)
    embedder = Matters("forgetful")
    find_gaps([asked(f"word{n} x") for n in range(40)], embedder)
    assert len(gaps._vectors) == 5
    assert len(find_gaps([asked("word1 x")], embedder)) == 1


def test_many_questions_are_grouped() -> None:
    questions = [asked(f"matter{n % 100} about {n}", n % 7) for n in range(1000)]
    found = find_gaps(questions, Matters())
    assert sum(gap.count for gap in found) == 1000
    assert {len({text.split()[0] for text in gap.questions}) for gap in found} == {1}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(max_size=40), st.integers(0, 99), st.sampled_from(get_args(Reason))), max_size=12))
def test_every_question_is_in_one_gap(drawn: list[tuple[str, int, Reason]]) -> None:
    questions = [asked(text, hours, reason) for text, hours, reason in drawn]
    found = find_gaps(questions, FakeEmbedder())
    assert sum(gap.count for gap in found) == len([text for text, _, _ in drawn if text.strip()])
    for gap in found:
        assert gap.question in gap.questions
        assert sum(gap.reasons.values()) == gap.count
        assert gap.first_at <= gap.last_at
        assert isinstance(entry_from_gap(gap), Proposal)


def test_proposes_an_entry() -> None:
    gap = a_gap("parcel to Åland?", "Åland delivery", replies=[GapReply("By boat. It takes two days.", "en", 2)])
    proposal = entry_from_gap(gap)
    assert (proposal.kind, proposal.question, proposal.answer) == (
        "faq",
        "parcel to Åland?",
        "By boat. It takes two days.",
    )
    assert (proposal.alternatives, proposal.language, proposal.tags) == (("Åland delivery",), "en", ("islands",))
    content = EntryContent(
        kind="faq", external_id=proposal.external_id, question=proposal.question, answer=proposal.answer
    )
    assert content.external_id == entry_from_gap(gap).external_id != entry_from_gap(a_gap("sauna?")).external_id


def test_a_proposal_holds_nothing_of_one_customer() -> None:
    replies = [
        GapReply("Sent as {order_number}.", "en", 3),
        GapReply("Thanks {name}. Parcels go by boat. Yours is {tracking}.", "en", 1),
    ]
    proposal = entry_from_gap(a_gap("where is my parcel {order_number}?", "{name} parcel", replies=replies))
    assert proposal.question == "where is my parcel?"
    assert proposal.alternatives == ("parcel",)
    assert proposal.answer == "Parcels go by boat."


def test_a_proposal_answers_in_the_language_of_the_question() -> None:
    replies = [GapReply("Laivalla.", "fi", 5), GapReply("By boat.", "en", 1)]
    assert entry_from_gap(a_gap(replies=replies)).answer == "By boat."
    assert entry_from_gap(a_gap(replies=replies[:1])).answer == "Laivalla."


def test_without_a_reply_the_answer_is_left_to_write() -> None:
    assert entry_from_gap(a_gap()).answer == ""


def test_what_the_knowledge_answers_since_is_no_gap(session: Session, tmp_path: Path) -> None:
    add(session, "islands", "parcel to Åland?", "By boat.", ["delivery", "islands"])
    add(session, "islands-2", "parcel to Åland by plane?", "No planes.", ["islands"])
    base = indexed(session, tmp_path)
    before, after = MONDAY, datetime.now(UTC) + timedelta(hours=1)
    found = find_gaps([Asked("parcel to Åland?", before, "abstained")], FakeEmbedder())
    assert list(unanswered(session, found, base.search)) == []
    found = find_gaps([Asked("parcel to Åland?", after, "abstained")], FakeEmbedder())
    assert [(gap.question, gap.tags) for gap in unanswered(session, found, base.search)] == [
        ("parcel to Åland?", ("islands", "delivery"))
    ]


def test_a_past_reply_fills_no_gap(session: Session, tmp_path: Path) -> None:
    put(
        session,
        EntryContent(kind="past_reply", external_id="reply-1", question="parcel to Åland?", answer="By boat."),
        author="test",
    )
    base = indexed(session, tmp_path)
    found = find_gaps([asked("parcel to Åland?")], FakeEmbedder())
    assert base.search("parcel to Åland?").answerable
    assert len(list(unanswered(session, found, base.search))) == 1


def test_as_many_gaps_as_asked_for(session: Session, tmp_path: Path) -> None:
    base = indexed(session, tmp_path)
    found = find_gaps([asked("one"), asked("two"), asked("three")], Matters())
    assert len(list(unanswered(session, found, base.search, limit=2))) == 2
    assert len(list(unanswered(session, found, base.search))) == 3


def add(session: Session, external_id: str, question: str, answer: str, tags: list[str]) -> None:
    content = EntryContent(
        kind="faq", external_id=external_id, question=question, answer=answer, tags=tags, language="en"
    )
    assert put(session, content, author="test") == "added"


def indexed(session: Session, directory: Path) -> KnowledgeBase:
    session.commit()
    engine = session.get_bind()
    update_index(engine, directory, FakeEmbedder())  # type: ignore[arg-type]  # the fixture binds it to an engine
    return KnowledgeBase(engine, directory, FakeEmbedder())  # type: ignore[arg-type]

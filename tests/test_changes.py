"""What a change would do is what it then does, and asking leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from knowledge import changes, entries
from knowledge.changes import Change, preview_change, preview_changes, recall_after
from knowledge.entries import EntryContent
from knowledge.evaluation import Query
from knowledge.indexing import update_index
from knowledge.search import KnowledgeBase
from knowledge.tables import Entry, Revision
from models.fakes import FakeEmbedder

HOURS = EntryContent(
    kind="faq", external_id="hours", question="When are you open?", answer="From 9 to 17.", language="en"
)
RETURNS = EntryContent(
    kind="faq", external_id="returns", question="Can I return coffee?", answer="Within 30 days.", language="en"
)
PARKING = EntryContent(
    kind="faq", external_id="parking", question="Where can I park my car?", answer="Behind the shop.", language="en"
)
CITIES = [
    EntryContent(
        kind="faq", external_id=f"city{n}", question=f"Do you deliver to {city}?", answer=f"Yes, {city} is near us.",
        language="en",
    )
    for n, city in enumerate(("Oulu", "Turku", "Lahti", "Pori", "Vaasa", "Kuopio", "Joensuu", "Kotka"))
]  # fmt: skip
QUESTIONS = ["When are you open?", "Can I return coffee?", "Where can I park my car?", "Do you deliver to Pori?"]
LABELLED = [Query("When are you open?", frozenset({"hours"})), Query("Can I return coffee?", frozenset({"returns"}))]


@pytest.fixture
def base(engine: Engine, tmp_path: Path) -> Iterator[KnowledgeBase]:
    with Session(engine) as session, session.begin():
        entries.put_many(session, [HOURS, RETURNS, *CITIES], author="anna")
    update_index(engine, tmp_path / "index", FakeEmbedder())
    opened = KnowledgeBase(engine, tmp_path / "index", FakeEmbedder())
    yield opened
    opened.close()


def number(session: Session, name: str) -> int:
    entry = entries.find(session, "faq", name)
    assert entry is not None
    return entry.id


def said(preview: changes.ChangePreview) -> list[tuple[str, str]]:
    return [(answer.change, answer.question) for answer in preview.answers]


def test_it_works(base: KnowledgeBase, session: Session) -> None:
    content = HOURS.model_copy(update={"answer": "From 10 to 18."})
    preview = preview_change(base, session, content, number(session, "hours"), QUESTIONS, LABELLED)
    (answer,) = preview.answers
    assert (answer.question, answer.change, answer.labelled, answer.language) == (QUESTIONS[0], "changed", True, "en")
    assert [found.sources[0].external_id for found in (answer.before, answer.after)] == ["hours", "hours"]
    assert (preview.asked, preview.recall_before, preview.recall_after) == (4, 1.0, 1.0)
    assert not preview.needs_confirmation
    assert preview.counts == {"lost": 0, "gained": 0, "changed": 1}


def test_a_new_entry_gains_an_answer(base: KnowledgeBase, session: Session) -> None:
    preview = preview_change(base, session, PARKING, None, QUESTIONS)
    assert said(preview) == [("gained", QUESTIONS[2])]
    gained = preview.answers[0]
    assert (gained.before.answerable, gained.after.answerable) == (False, True)
    assert (gained.after.sources[0].external_id, gained.labelled) == ("parking", False)
    assert (preview.recall_before, preview.recall_after, preview.needs_confirmation) == (None, None, False)


def test_retiring_loses_one_and_has_to_be_confirmed(base: KnowledgeBase, session: Session) -> None:
    preview = preview_change(base, session, None, number(session, "returns"), QUESTIONS, LABELLED)
    assert said(preview)[0] == ("lost", QUESTIONS[1])
    assert (preview.recall_before, preview.recall_after, preview.needs_confirmation) == (1.0, 0.5, True)
    low = preview_change(base, session, None, number(session, "returns"), [], LABELLED, floor=0.4)
    assert not low.needs_confirmation
    recall = recall_after(base, session, [Change(None, number(session, "returns"))], LABELLED)
    assert (recall.before, recall.after, recall.needs_confirmation) == (1.0, 0.5, True)


def test_what_was_below_the_floor_already_may_stay_there(base: KnowledgeBase, session: Session) -> None:
    lost = [*LABELLED, *(Query(f"Nothing {n}?", frozenset({"nowhere"})) for n in range(9))]
    recall = recall_after(base, session, [Change(PARKING)], lost)
    assert recall.before == recall.after
    assert not recall.needs_confirmation


def test_asking_leaves_nothing_behind(base: KnowledgeBase, engine: Engine, tmp_path: Path) -> None:
    def everything() -> object:
        with Session(engine) as other:
            rows = other.execute(select(Entry.id, Entry.content_hash, Entry.revision, Entry.retired_at)).all()
            return rows, other.scalar(select(func.count()).select_from(Revision))

    stored, files = everything(), sorted(path.name for path in tmp_path.iterdir())
    before = base.search(QUESTIONS[0])
    with Session(engine) as session, session.begin():
        entry = entries.find(session, "faq", "hours")
        assert entry is not None
        preview_changes(
            base,
            session,
            [Change(HOURS.model_copy(update={"question": "Hm?"}), entry.id), Change(PARKING)],
            QUESTIONS,
            LABELLED,
        )
        assert (entry.question, entry.revision) == (HOURS.question, 1)
    assert everything() == stored
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert base.search(QUESTIONS[0]) == before


def test_the_preview_is_what_then_happens(base: KnowledgeBase, engine: Engine, tmp_path: Path) -> None:
    content = PARKING.model_copy(update={"alternatives": ["Is there a garage for bicycles?"]})
    asked = [*QUESTIONS, "Is there a garage for bicycles?", "Do you deliver to Turku and where do I park?"]
    with Session(engine) as session:
        preview = preview_change(base, session, content, None, asked)
    with Session(engine) as session, session.begin():
        entries.put(session, content, author="anna")
    update_index(engine, tmp_path / "index", FakeEmbedder())
    base.refresh()
    assert preview.answers
    for answer in preview.answers:
        now = base.search(answer.question)
        assert (now.answerable, round(now.confidence, 6)) == (
            answer.after.answerable,
            round(answer.after.confidence, 6),
        )
        sources = [source.external_id for source in answer.after.sources]
        assert sources
        assert [match.external_id for match in now.matches[: len(sources)]] == sources


def test_a_retired_entry_that_comes_back(base: KnowledgeBase, engine: Engine, tmp_path: Path) -> None:
    with Session(engine) as session, session.begin():
        entry = entries.find(session, "faq", "hours")
        assert entry is not None
        entries.retire(session, entry, author="anna")
        preview = preview_change(base, session, HOURS, entry.id, QUESTIONS)
        assert said(preview) == [("gained", QUESTIONS[0])]


def test_an_empty_index_can_be_asked(engine: Engine, session: Session, tmp_path: Path) -> None:
    base = KnowledgeBase(engine, tmp_path / "index", FakeEmbedder())
    preview = preview_change(base, session, HOURS, None, QUESTIONS)
    assert ("gained", QUESTIONS[0]) in said(preview)
    assert recall_after(base, session, [Change(HOURS)], []).after is None


def test_one_that_goes_has_to_be_named(base: KnowledgeBase, session: Session) -> None:
    with pytest.raises(ValueError, match="say which"):
        preview_change(base, session, None, None, QUESTIONS)

"""What is due for review, what begins and ends by itself, and pairs that were put aside."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from knowledge import entries, upkeep
from knowledge.database import utcnow
from knowledge.entries import EntryContent, StaleRevision
from knowledge.indexing import update_index
from knowledge.revisions import history
from knowledge.search import KnowledgeBase
from knowledge.tables import Entry, Finding
from models.fakes import FakeEmbedder

TODAY = utcnow().date()


def put(session: Session, name: str, **fields: Any) -> Entry:
    content = {"kind": "faq", "external_id": name, "question": f"What of {name}?", "answer": f"All of {name}."}
    entries.put(session, EntryContent.model_validate(content | fields), author="anna")
    entry = entries.find(session, None, name)
    assert entry is not None
    return entry


def aged(session: Session, entry: Entry, days: int) -> None:
    session.execute(update(Entry).where(Entry.id == entry.id).values(updated_at=utcnow() - timedelta(days=days)))


def names(found: Sequence[Entry]) -> list[str]:
    return [entry.external_id for entry in found]


def test_it_works(session: Session) -> None:
    put(session, "later", review_on=TODAY + timedelta(days=10))
    put(session, "today", review_on=TODAY, owner="Bea")
    overdue = put(session, "overdue", review_on=TODAY - timedelta(days=3))
    put(session, "new")
    aged(session, put(session, "old"), 366)
    aged(session, put(session, "old-reply", kind="past_reply"), 366)
    assert names(upkeep.due(session)) == ["overdue", "today", "old"]
    assert names(upkeep.due(session, by=TODAY + timedelta(days=10))) == ["overdue", "today", "later", "old"]
    assert names(upkeep.due(session, by=TODAY + timedelta(days=366)))[-2:] == ["old", "new"]
    assert names(upkeep.due(session, after_days=0)) == ["overdue", "today"]
    assert names(upkeep.due(session, owner="Bea")) == ["today"]
    upkeep.reviewed(session, overdue, author="Bea", next_on=upkeep.next_review(), expected_revision=1)
    assert (overdue.review_on, history(session, overdue)[0].author) == (TODAY + timedelta(days=365), "Bea")
    assert names(upkeep.due(session)) == ["today", "old"]


def test_a_review_counts_without_another_date(session: Session) -> None:
    old = put(session, "old")
    aged(session, old, 400)
    assert names(upkeep.due(session)) == ["old"]
    upkeep.reviewed(session, old, author="Bea", next_on=upkeep.next_review(0))
    assert (old.review_on, old.revision, names(upkeep.due(session))) == (None, 2, [])


def test_a_retired_entry_is_not_reviewed(session: Session) -> None:
    entry = put(session, "gone", review_on=TODAY)
    entries.retire(session, entry, author="anna")
    assert upkeep.due(session) == []
    with pytest.raises(upkeep.RetiredEntry, match="restore it"):
        upkeep.reviewed(session, entry, author="Bea")


def test_a_stale_review_is_refused(session: Session) -> None:
    entry = put(session, "hours")
    with pytest.raises(StaleRevision):
        upkeep.reviewed(session, entry, author="Bea", expected_revision=2)


def test_windows_open_and_close_by_themselves(session: Session) -> None:
    now = utcnow()
    put(session, "always")
    put(session, "past", valid_until=now - timedelta(days=1))
    put(session, "future", valid_from=now + timedelta(days=1), valid_until=now + timedelta(days=9))
    put(session, "soon", valid_from=now - timedelta(days=1), valid_until=now + timedelta(days=2))
    put(session, "sooner", valid_until=now + timedelta(hours=2))
    put(session, "far", valid_until=now + timedelta(days=40))
    entries.retire(session, put(session, "gone", valid_until=now + timedelta(days=1)), author="anna")
    assert names(upkeep.ending(session)) == ["sooner", "soon"]
    assert names(upkeep.ending(session, within_days=60)) == ["sooner", "soon", "far"]
    assert names(upkeep.not_valid(session)) == ["future", "past"]
    assert names(entries.page(session, valid=True)) == ["always", "soon", "sooner", "far"]
    assert entries.count(session, valid=False) == 2


def test_search_follows_a_window_without_any_job(engine: Engine, tmp_path: Path) -> None:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        entry = put(
            session, "hours", valid_from=utcnow() - timedelta(hours=1), valid_until=utcnow() + timedelta(days=1)
        )
    update_index(engine, tmp_path, FakeEmbedder())
    base = KnowledgeBase(engine, tmp_path, FakeEmbedder())

    def found() -> bool:
        return bool(base.search("What of hours?").matches)

    def moved(**window: object) -> None:
        """Let time pass: the window is moved, since the clock cannot be, and nothing else is told."""
        with Session(engine) as session, session.begin():
            session.execute(update(Entry).where(Entry.id == entry.id).values(**window))

    assert found()
    moved(valid_from=utcnow() - timedelta(days=2), valid_until=utcnow() - timedelta(days=1))
    assert not found()
    moved(valid_from=utcnow() + timedelta(days=1), valid_until=None)
    assert not found()
    moved(valid_from=utcnow() - timedelta(days=1))
    assert found()


@pytest.fixture
def finding(session: Session) -> Finding:
    one, other = put(session, "one"), put(session, "other")
    finding = Finding(
        kind="contradiction", entry_id=one.id, other_id=other.id, similarity=0.9,
        entry_hash=upkeep.text_hash(one), other_hash=upkeep.text_hash(other),
        differences=[{"entry": "14 days", "other": "30 days"}],
    )  # fmt: skip
    session.add(finding)
    session.flush()
    return finding


def test_a_finding_can_be_put_aside(session: Session, finding: Finding) -> None:
    (pair,) = upkeep.findings(session)
    assert (pair.finding, pair.entry.external_id, pair.other.external_id) == (finding, "one", "other")
    assert upkeep.findings(session, kind="duplicate") == []
    assert upkeep.findings(session, kind="contradiction", entry_id=finding.other_id) == [pair]
    assert upkeep.findings(session, entry_id=99) == []
    assert upkeep.get_finding(session, finding.id) == pair
    assert upkeep.get_finding(session, 99) is None
    upkeep.dismiss(session, finding, author="Bea")
    upkeep.dismiss(session, finding, author="Cid")
    assert upkeep.findings(session) == []
    assert [p.finding.dismissed_by for p in upkeep.findings(session, dismissed=True)] == ["Bea"]


@pytest.mark.parametrize("field", [{"answer": "Something else."}, {"language": "fi"}, {"alternatives": ["Or this?"]}])
def test_a_finding_about_other_texts_does_not_stand(session: Session, finding: Finding, field: Any) -> None:
    put(session, "one", **field)
    assert upkeep.findings(session) == []


def test_a_finding_outlives_what_is_no_text(session: Session, finding: Finding) -> None:
    put(session, "one", owner="Bea", tags=["x"], review_on=date(2030, 1, 1))
    assert len(upkeep.findings(session)) == 1
    entry = entries.find(session, "faq", "other")
    assert entry is not None
    entries.retire(session, entry, author="anna")
    assert upkeep.findings(session) == []

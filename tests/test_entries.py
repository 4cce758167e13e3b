"""What a change to an entry leaves behind, and what happens when two people change it at once."""

import threading

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent, StaleRevision
from knowledge.tables import Entry, Revision

HOURS = EntryContent(kind="faq", external_id="hours", question="When are you open?", answer="From 9 to 17.")


def changed(answer: str) -> EntryContent:
    return HOURS.model_copy(update={"answer": answer})


def stored(session: Session) -> Entry:
    entry = entries.find(session, "faq", "hours")
    assert entry is not None
    return entry


def test_it_works(session: Session) -> None:
    assert entries.put(session, HOURS, author="anna") == "added"
    assert entries.put(session, HOURS, author="anna") == "unchanged"
    assert entries.put(session, changed("Never."), author="bea") == "changed"
    entry = stored(session)
    assert (entry.answer, entry.revision, entries.content_of(entry)) == ("Never.", 2, changed("Never."))
    assert entries.get(session, entry.id) is entry


def test_an_entry_that_somebody_retired_stays_retired_until_it_says_something_new(session: Session) -> None:
    entries.put(session, HOURS, author="anna")
    entries.retire(session, stored(session), author="anna")
    entries.put(session, HOURS, author="import")
    assert stored(session).retired_at is not None
    entries.put(session, changed("From 8."), author="import")
    assert stored(session).retired_at is None


def test_retiring_and_restoring_are_on_record(session: Session) -> None:
    entries.put(session, HOURS, author="anna")
    entries.retire(session, stored(session), author="bea")
    entries.retire(session, stored(session), author="bea")
    entries.restore(session, stored(session), author="cid")
    rows = session.execute(select(Revision.author, Revision.data["retired"]).order_by(Revision.number)).all()
    assert [tuple(row) for row in rows] == [("anna", None), ("bea", True), ("cid", False)]


def test_a_stale_revision_is_refused(session: Session) -> None:
    entries.put(session, HOURS, author="anna")
    entry = stored(session)
    assert entries.revise(session, entry, changed("From 8."), author="anna", expected_revision=1)
    with pytest.raises(StaleRevision) as caught:
        entries.revise(session, entry, changed("From 7."), author="bea", expected_revision=1)
    assert caught.value.current == 2
    assert not entries.revise(session, entry, changed("From 8."), author="bea", expected_revision=2)


def test_two_who_put_the_same_id_at_once_make_one_entry(engine: Engine) -> None:
    outcomes = []

    def put(answer: str) -> None:
        with Session(engine) as session, session.begin():
            outcomes.append(entries.put(session, changed(answer), author=answer))

    with Session(engine) as first:
        entries.put(first, HOURS, author="first")
        threads = [threading.Thread(target=put, args=(answer,)) for answer in ("a", "b")]
        for thread in threads:
            thread.start()
        first.commit()
    for thread in threads:
        thread.join(timeout=20)
    with Session(engine) as session:
        assert outcomes == ["changed", "changed"]
        assert session.scalar(select(func.count()).select_from(Entry)) == 1
        assert sorted(session.scalars(select(Revision.number))) == [1, 2, 3]


def test_pages(session: Session) -> None:
    contents = [HOURS.model_copy(update={"external_id": f"n{n}", "question": f"Äiti {n}%?"}) for n in range(5)]
    entries.put_many(session, [*contents, HOURS.model_copy(update={"kind": "past_reply"})], author="anna")
    first = entries.page(session, limit=3)
    rest = entries.page(session, after=first[-1].id)
    assert [e.external_id for e in (*first, *rest)] == ["n0", "n1", "n2", "n3", "n4", "hours"]
    assert [e.external_id for e in entries.page(session, q="äITI 3%")] == ["n3"]
    assert [e.external_id for e in entries.page(session, q="_")] == []
    assert [e.kind for e in entries.page(session, kind="past_reply")] == ["past_reply"]
    assert entries.page(session, language="fi") == []
    entries.retire(session, first[0], author="anna")
    assert [e.external_id for e in entries.page(session, retired=True)] == ["n0"]
    assert len(entries.page(session, retired=None)) == 6


def test_the_faq_entry_comes_before_a_past_reply_of_the_same_id(session: Session) -> None:
    entries.put_many(session, [HOURS.model_copy(update={"kind": "past_reply"}), HOURS], author="anna")
    found = entries.find(session, None, "hours")
    assert found is not None
    assert found.kind == "faq"
    assert entries.find(session, "faq", "other") is None

"""What an entry once said, what each step changed, and the way back."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent, StaleRevision
from knowledge.revisions import NoSuchRevision, content_at, diff, history, restore_revision, words
from knowledge.tables import Entry

FIRST = EntryContent(kind="faq", external_id="returns", question="Can I return it?", answer="Within 14 days.")
SECOND = FIRST.model_copy(update={"answer": "Within 30 days.", "tags": ["returns"], "review_on": date(2027, 1, 1)})


@pytest.fixture
def entry(session: Session) -> Entry:
    entries.put(session, FIRST, author="anna")
    entries.put(session, SECOND, author="bea")
    found = entries.find(session, "faq", "returns")
    assert found is not None
    return found


def test_it_works(session: Session, entry: Entry) -> None:
    newest, oldest = history(session, entry)
    assert [(r.number, r.author) for r in (newest, oldest)] == [(2, "bea"), (1, "anna")]
    assert (content_at(oldest), content_at(newest)) == (FIRST, SECOND)
    answer, tags, review = diff(oldest, newest)
    assert (answer.field, answer.before, answer.after) == ("answer", "Within 14 days.", "Within 30 days.")
    assert answer.words == [
        {"op": "same", "text": "Within "},
        {"op": "del", "text": "14 "},
        {"op": "ins", "text": "30 "},
        {"op": "same", "text": "days."},
    ]
    assert (tags.field, tags.before, tags.after, tags.words) == ("tags", [], ["returns"], None)
    assert (review.field, review.after) == ("review_on", "2027-01-01")
    assert restore_revision(session, entry, 1, author="cid", expected_revision=2)
    assert (entries.content_of(entry), entry.revision, history(session, entry)[0].author) == (FIRST, 3, "cid")


def test_the_first_revision_shows_what_came(session: Session, entry: Entry) -> None:
    first = diff(None, history(session, entry)[-1])
    assert {change.field for change in first} == {"kind", "external_id", "question", "answer", "audience"}


def test_retiring_is_a_change(session: Session, entry: Entry) -> None:
    entries.retire(session, entry, author="dan")
    newest, before = history(session, entry)[:2]
    assert [(change.field, change.before, change.after) for change in diff(before, newest)] == [
        ("retired", False, True)
    ]


def test_a_retired_entry_comes_back_with_what_it_says(session: Session, entry: Entry) -> None:
    entries.retire(session, entry, author="dan")
    assert restore_revision(session, entry, 3, author="eva")
    assert (entry.retired_at, entries.content_of(entry)) == (None, SECOND)
    entries.retire(session, entry, author="dan")
    assert restore_revision(session, entry, 1, author="eva")
    assert (entry.retired_at, entries.content_of(entry)) == (None, FIRST)
    assert not restore_revision(session, entry, 1, author="eva")


def test_what_never_was_cannot_be_restored(session: Session, entry: Entry) -> None:
    with pytest.raises(NoSuchRevision, match="revisions 1 to 2, but no revision 3"):
        restore_revision(session, entry, 3, author="cid")
    with pytest.raises(StaleRevision):
        restore_revision(session, entry, 1, author="cid", expected_revision=1)
    assert entries.content_of(entry) == SECOND


@given(before=st.text(), after=st.text())
def test_the_words_make_up_both_texts(before: str, after: str) -> None:
    pieces = words(before, after)
    assert "".join(piece["text"] for piece in pieces if piece["op"] != "ins") == before
    assert "".join(piece["text"] for piece in pieces if piece["op"] != "del") == after

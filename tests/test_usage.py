"""How entries do in agents' hands: counted by what became of the drafts that cite them."""

import pytest
from sqlalchemy.orm import Session

from assistant import conversations, decisions
from assistant.decisions import fingerprint
from assistant.tables import Citation, Draft
from assistant.usage import Usage, by_entry, often_rejected, usage
from knowledge import entries
from knowledge.database import utcnow
from knowledge.entries import EntryContent
from knowledge.tables import Entry
from tests.stages import a_channel, a_conversation, an_agent, written

REPLY = "We open at nine every day."


@pytest.fixture
def hours(session: Session) -> Entry:
    return an_entry(session, "hours")


def an_entry(session: Session, external_id: str) -> Entry:
    entries.put(
        session, EntryContent(kind="faq", external_id=external_id, question="When?", answer=REPLY), author="test"
    )
    entry = entries.find(session, "faq", external_id)
    assert entry is not None
    return entry


def decided(
    session: Session, *cited: Entry, sent: str | None = None, reject: bool = False, wait: bool = False
) -> Draft:
    """Write a draft that cites these entries and decide on it."""
    number = session.query(Draft).count()
    channel = a_channel(session, name=f"shop-{number}")
    draft = written(session, a_conversation(session, channel), REPLY)
    session.add_all(
        Citation(
            draft_id=draft.id, n=n, entry_id=entry.id, external_id=entry.external_id, title="", excerpt="", revision=1
        )
        for n, entry in enumerate(cited, start=1)
    )
    agent = an_agent(session)
    if reject:
        decisions.reject(session, draft, agent=agent, reason="wrong")
    elif not wait:
        decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft), text=sent)
    return draft


def test_it_works(session: Session, hours: Entry) -> None:
    other = an_entry(session, "other")
    decided(session, hours, other)
    last = decided(session, hours, sent="We open at nine every single day.")
    decided(session, hours, sent="The parking place is behind the house.")
    decided(session, hours, reject=True)
    decided(session, hours, wait=True)
    found = usage(session, [hours.id])
    assert found == {hours.id: Usage(shown=5, used=1, edited=1, rejected=2, last_used_at=last.decided_at)}
    everything = usage(session)
    assert everything[hours.id] == found[hours.id]
    assert (everything[other.id].shown, everything[other.id].used) == (1, 1)


def test_an_entry_that_was_never_cited_has_zeros(session: Session, hours: Entry) -> None:
    assert usage(session, [hours.id]) == {hours.id: Usage()}
    assert usage(session) == {}
    assert usage(session, []) == {}


def test_an_entry_that_is_cited_twice_in_a_draft_counts_once(session: Session, hours: Entry) -> None:
    decided(session, hours, hours, sent="We open at nine every single day.")
    figures = usage(session)[hours.id]
    assert (figures.shown, figures.edited) == (1, 1)


def test_what_nobody_saw_does_not_count(session: Session, hours: Entry) -> None:
    draft = decided(session, hours, wait=True)
    conversation = conversations.get(session, draft.conversation_id)
    conversations.close(session, conversation, agent=an_agent(session))
    assert usage(session) == {}


def test_only_since(session: Session, hours: Entry) -> None:
    decided(session, hours)
    assert usage(session, since=utcnow()) == {}


def test_lists_what_is_often_rejected(session: Session, hours: Entry) -> None:
    good, bad, seldom = an_entry(session, "good"), an_entry(session, "bad"), an_entry(session, "seldom")
    for _ in range(3):
        decided(session, good, hours)
        decided(session, hours, bad, reject=True)
    for _ in range(2):
        decided(session, seldom, bad, reject=True)
    decided(session, hours)
    assert [(entry.external_id, figures.rejected) for entry, figures in often_rejected(session)] == [("bad", 5)]
    assert [entry.external_id for entry, _ in by_entry(session)] == ["bad", "hours", "seldom", "good"]
    entries.retire(session, bad, author="test")
    assert often_rejected(session) == []

"""A message comes in, an agent decides, all of it once."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assistant import conversations, decisions
from assistant.decisions import fingerprint
from assistant.errors import Conflict, Invalid, NotFound
from assistant.inbox import inbox
from assistant.tables import Agent, AuditRecord, Channel, Conversation, Customer, Delivery, Draft, Message
from knowledge.database import conninfo, session_factory
from tests.stages import a_channel, a_conversation, a_message, an_agent, written


def jobs(session: Session) -> list[tuple[str, dict[str, object]]]:
    """Return the jobs that wait."""
    rows = session.execute(text("SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"))
    return [(row.task_name, row.args) for row in rows]


def test_it_works(session: Session) -> None:
    channel, agent = a_channel(session), an_agent(session)
    received = conversations.receive(session, channel, a_message("When do you open?"))
    assert not received.duplicate
    conversation = conversations.get(session, received.conversation_id)
    assert conversation.customer.name == "Anna Virtanen"
    assert conversation.waiting_since is not None
    assert [message.text for message in conversation.messages] == ["When do you open?"]
    assert jobs(session) == [("draft_conversation", {"conversation_id": conversation.id})]
    draft = written(session, conversation, "We open at nine.")
    message = decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft))
    session.commit()
    assert (message.direction, message.text, message.draft_id) == ("outgoing", "We open at nine.", draft.id)
    assert (draft.status, draft.decided_by, draft.final_text, draft.edit_diff) == (
        "approved",
        agent.id,
        "We open at nine.",
        None,
    )
    delivery = session.scalars(select(Delivery)).one()
    assert (delivery.message_id, delivery.state) == (message.id, "queued")
    assert jobs(session)[1:] == [
        ("deliver", {"delivery_id": delivery.id}),
        ("learn_from_reply", {"message_id": message.id}),
    ]
    assert conversations.get(session, conversation.id).waiting_since is None


def test_nothing_is_left_of_a_transaction_that_fails(engine: Engine) -> None:
    with session_factory(engine)() as session:
        conversations.receive(session, a_channel(session), a_message())
        session.rollback()
        assert jobs(session) == []
        assert session.scalars(select(Message)).all() == []


def test_a_duplicate_does_nothing(session: Session) -> None:
    channel = a_channel(session)
    first = conversations.receive(session, channel, a_message(external_id="x"))
    draft = written(session, conversations.get(session, first.conversation_id))
    again = conversations.receive(session, channel, a_message("Other words", external_id="x", name="Other"))
    assert again == replace(first, duplicate=True)
    assert draft.status == "ready"
    assert session.scalars(select(Message.text)).all() == ["When do you open?"]
    assert session.scalars(select(Customer.name)).all() == ["Anna Virtanen"]


def test_the_same_external_id_in_another_channel_is_another_message(session: Session) -> None:
    one = conversations.receive(session, a_channel(session, name="one"), a_message(external_id="x"))
    two = conversations.receive(session, a_channel(session, name="two"), a_message(external_id="x"))
    assert not two.duplicate
    assert one.conversation_id != two.conversation_id


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    """Run `work(0)`, `work(1)`… at the same moment; return what each returned or raised."""
    results: list[object] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_same_message_at_the_same_moment_comes_in_once(engine: Engine) -> None:
    sessions = session_factory(engine)
    with sessions.begin() as session:
        channel = a_channel(session)

    def post(_number: int) -> conversations.Received:
        with sessions.begin() as session:
            return conversations.receive(session, channel, a_message(external_id="x"))

    results = in_threads(8, post)
    received = [result for result in results if isinstance(result, conversations.Received)]
    assert len(received) == 8, results
    assert [result.duplicate for result in received].count(False) == 1
    assert len({(result.message_id, result.conversation_id) for result in received}) == 1
    with sessions() as session:
        assert session.scalar(select(func.count(Message.id))) == 1
        assert session.scalar(select(func.count(Draft.id))) == 1
        assert len(jobs(session)) == 1


def test_messages_at_the_same_moment_give_one_conversation_and_one_draft(engine: Engine) -> None:
    sessions = session_factory(engine)
    with sessions.begin() as session:
        channel = a_channel(session)

    def post(number: int) -> conversations.Received:
        with sessions.begin() as session:
            return conversations.receive(session, channel, a_message(external_id=f"x{number}"))

    results = in_threads(8, post)
    assert all(isinstance(result, conversations.Received) and not result.duplicate for result in results), results
    with sessions() as session:
        newest = session.scalar(select(func.max(Message.id)))
        assert session.scalar(select(func.count(Conversation.id))) == 1
        assert session.scalars(select(Draft.message_id)).all() == [newest]
        assert len(jobs(session)) == 1


def test_threads_and_customers_are_kept_apart(session: Session) -> None:
    channel = a_channel(session)
    ids = {
        conversations.receive(session, channel, a_message(customer_id=customer, thread_id=thread)).conversation_id
        for customer in ("a", "b")
        for thread in (None, "t1", "t2")
    }
    assert len(ids) == 6
    assert conversations.receive(session, channel, a_message(customer_id="a", thread_id="t1")).conversation_id in ids


def test_a_newer_message_supersedes_the_draft(session: Session) -> None:
    channel, agent = a_channel(session), an_agent(session)
    conversation = a_conversation(session, channel)
    old = written(session, conversation)
    seen = fingerprint(old)
    conversations.receive(session, channel, a_message("And on Sundays?"))
    with pytest.raises(Conflict, match="moved on"):
        decisions.approve(session, old, agent=agent, fingerprint=seen)
    assert old.status == "superseded"
    new = conversations.current_draft(session, conversation)
    assert new is not None
    assert (new.status, new.message_id > old.message_id) == ("queued", True)
    assert session.scalars(select(Message).where(Message.direction == "outgoing")).all() == []


def test_three_quick_messages_give_one_draft(session: Session) -> None:
    channel = a_channel(session)
    for words in ("hi", "when do you", "open?"):
        conversation = a_conversation(session, channel, words)
    assert session.scalar(select(func.count(Draft.id))) == 1
    draft = conversations.current_draft(session, conversation)
    assert draft is not None
    assert draft.message_id == conversation.messages[-1].id
    assert len(jobs(session)) == 1


def test_a_closed_conversation_opens_again(session: Session) -> None:
    channel, agent = a_channel(session), an_agent(session)
    conversation = a_conversation(session, channel)
    draft = written(session, conversation)
    conversations.close(session, conversation, agent=agent)
    session.refresh(draft)
    assert (conversation.state, conversation.waiting_since, draft.status) == ("closed", None, "superseded")
    conversations.receive(session, channel, a_message())
    assert conversations.get(session, conversation.id).state == "open"
    conversations.close(session, conversation, agent=agent)
    conversations.reopen(session, conversation, agent=agent)
    assert conversation.state == "open"
    done = session.scalars(select(AuditRecord.action).order_by(AuditRecord.id)).all()
    assert done == ["conversation.close", "conversation.close", "conversation.reopen"]


def test_edited_text_is_what_is_sent_and_what_changed_is_kept(session: Session) -> None:
    channel, agent = a_channel(session), an_agent(session)
    draft = written(session, a_conversation(session, channel), "Hi,\nwe open at nine.\nBye")
    message = decisions.approve(
        session,
        draft,
        agent=agent,
        fingerprint=fingerprint(draft),
        text="Hi,\r\nwe open at ten.\r\nBye\r\n",
        reason=" Hours ",
    )
    assert message.text == draft.final_text == "Hi,\nwe open at ten.\nBye"
    assert (draft.text, draft.reason) == ("Hi,\nwe open at nine.\nBye", "Hours")
    assert draft.edit_diff is not None
    assert "-we open at nine.\n+we open at ten." in draft.edit_diff


def test_the_same_text_from_a_browser_is_no_edit(session: Session) -> None:
    draft = written(session, a_conversation(session, a_channel(session)), "Hi,\nbye")
    decisions.approve(session, draft, agent=an_agent(session), fingerprint=fingerprint(draft), text="Hi,\r\nbye")
    assert draft.edit_diff is None


def test_a_decision_is_final(session: Session) -> None:
    maija, ville = an_agent(session, "Maija"), an_agent(session, "Ville")
    draft = written(session, a_conversation(session, a_channel(session)))
    seen = fingerprint(draft)
    decisions.approve(session, draft, agent=maija, fingerprint=seen)
    with pytest.raises(Conflict, match="Maija has approved this draft already") as caught:
        decisions.approve(session, draft, agent=ville, fingerprint=seen)
    assert caught.value.who == "Maija"
    with pytest.raises(Conflict, match="Maija has approved"):
        decisions.reject(session, draft, agent=ville, reason="No")
    assert session.scalar(select(func.count(Delivery.id))) == 1


def test_a_rejected_draft_sends_nothing(session: Session) -> None:
    agent = an_agent(session)
    draft = written(session, a_conversation(session, a_channel(session)))
    with pytest.raises(Invalid, match="Say in a word why"):
        decisions.reject(session, draft, agent=agent, reason=" ")
    decisions.reject(session, draft, agent=agent, reason="Wrong hours", fingerprint=fingerprint(draft))
    assert (draft.status, draft.reason, draft.decided_by) == ("rejected", "Wrong hours", agent.id)
    with pytest.raises(Conflict, match="has rejected"):
        decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft))
    assert session.scalars(select(Delivery)).all() == []


def test_a_draft_that_changed_is_not_approved(session: Session) -> None:
    draft = written(session, a_conversation(session, a_channel(session)))
    with pytest.raises(Conflict, match="changed since you saw it"):
        decisions.approve(session, draft, agent=an_agent(session), fingerprint="0" * 32)
    assert draft.status == "ready"


def test_two_agents_at_once_one_wins(engine: Engine) -> None:
    sessions = session_factory(engine)
    with sessions.begin() as session:
        draft = written(session, a_conversation(session, a_channel(session)))
        seen, draft_id = fingerprint(draft), draft.id
        agents = [an_agent(session, name) for name in ("Maija", "Ville", "Aino", "Eero")]

    def approve(number: int) -> str:
        with sessions.begin() as session:
            decisions.approve(
                session, conversations.get_draft(session, draft_id), agent=agents[number], fingerprint=seen
            )
        return agents[number].name

    results = in_threads(4, approve)
    winners = [result for result in results if isinstance(result, str)]
    losers = [result for result in results if isinstance(result, Conflict)]
    assert (len(winners), len(losers)) == (1, 3), results
    assert {loser.who for loser in losers} == set(winners)
    with sessions() as session:
        assert session.scalar(select(func.count(Delivery.id))) == 1


def test_a_message_while_an_agent_approves(engine: Engine) -> None:
    """Whichever comes first, no reply goes out that was approved before the newest message was there to see."""
    sessions = session_factory(engine)
    for _ in range(5):
        with sessions.begin() as session:
            channel = a_channel(session, name=f"c{session.scalar(select(func.count(Channel.id)))}")
            agent = an_agent(session)
            conversation = a_conversation(session, channel)
            draft = written(session, conversation)
            seen, draft_id = fingerprint(draft), draft.id

        def act(
            number: int, channel: Channel = channel, seen: str = seen, draft_id: int = draft_id, agent: Agent = agent
        ) -> object:
            with sessions.begin() as session:
                if number == 0:
                    return conversations.receive(session, channel, a_message("And Sundays?"))
                return decisions.approve(
                    session,
                    conversations.get_draft(session, draft_id),
                    agent=agent,
                    fingerprint=seen,
                )

        received, approved = in_threads(2, act)
        assert isinstance(received, conversations.Received), received
        with sessions() as session:
            current = conversations.current_draft(session, conversation)
            assert current is not None
            assert (current.status, current.message_id) == ("queued", received.message_id)
            if isinstance(approved, Message):
                assert approved.id < received.message_id
            else:
                assert isinstance(approved, Conflict), approved


@pytest.mark.parametrize("status", ["queued", "failed"])
def test_an_agent_can_write_where_there_is_no_text(session: Session, status: str) -> None:
    agent = an_agent(session)
    conversation = a_conversation(session, a_channel(session))
    draft = conversations.current_draft(session, conversation)
    assert draft is not None
    if status == "failed":
        draft.status, draft.failure = "failed", "No model."
        session.flush()
    with pytest.raises(Invalid, match="write the reply yourself"):
        decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft))
    with pytest.raises(Invalid, match="empty"):
        decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft), text=" \n")
    message = decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft), text="Mine")
    assert message.text == "Mine"


def test_another_draft_replaces_the_undecided_one(session: Session) -> None:
    agent = an_agent(session)
    conversation = a_conversation(session, a_channel(session))
    first = written(session, conversation)
    second = conversations.request_draft(session, conversation, instruction=" Shorter ", agent=agent)
    session.refresh(first)
    assert (first.status, second.status, second.instruction, second.requested_by) == (
        "superseded",
        "queued",
        "Shorter",
        agent.id,
    )
    current = conversations.current_draft(session, conversation)
    assert current is not None
    assert current.id == second.id


def test_a_note_is_not_sent_and_not_answered(session: Session) -> None:
    conversation = a_conversation(session, a_channel(session))
    draft = written(session, conversation)
    conversations.note(session, conversation, agent=an_agent(session), text="Regular customer")
    session.refresh(draft)
    assert draft.status == "ready"
    assert session.scalars(select(Delivery)).all() == []
    assert [message.direction for message in conversations.get(session, conversation.id).messages] == [
        "incoming",
        "note",
    ]


def test_the_inbox_is_told_at_the_commit(engine: Engine, database_url: str) -> None:
    with psycopg.connect(conninfo(database_url), autocommit=True) as ear:
        ear.execute("LISTEN aspa_inbox")
        with session_factory(engine).begin() as session:
            received = conversations.receive(session, a_channel(session), a_message())
            assert list(ear.notifies(timeout=0)) == []
        heard = [json.loads(said.payload) for said in ear.notifies(timeout=5, stop_after=1)]
    assert heard == [{"conversation_id": received.conversation_id, "what": "message"}]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n\0"}, "text"),
        ({"text": "x" * 200_001}, "text"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 501}, "external_id"),
        ({"external_id": "a\0"}, "external_id"),
        ({"customer_id": "\ud800"}, "customer.id"),
        ({"thread_id": ""}, "thread_id"),
        ({"sent_at": datetime(2026, 1, 1)}, "sent_at"),  # noqa: DTZ001 — without a zone it is the thing refused
    ],
)
def test_what_cannot_be_stored_is_refused(session: Session, change: dict[str, object], field: str) -> None:
    channel = a_channel(session)
    with pytest.raises(Invalid) as caught:
        conversations.receive(session, channel, replace(a_message(), **change))  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize(
    "words",
    [
        "x" * 100_000,
        "a\0b",
        "broken \ud83d half",
        "שלום עולם",
        "😀😀😀",
        "\u202eevil",
        "'; DROP TABLE message; --",
        "%s {0}",
    ],
)
def test_strange_texts_are_kept(session: Session, words: str) -> None:
    conversation = a_conversation(session, a_channel(session), words)
    kept = conversation.messages[0].text
    assert kept == words.replace("\0", "").replace("\ud83d", "\ufffd")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(st.characters(), min_size=1, max_size=200), name=st.none() | st.text(max_size=300))
def test_any_text_that_says_something_is_stored(session: Session, words: str, name: str | None) -> None:
    channel = session.scalars(select(Channel)).one_or_none() or a_channel(session)
    try:
        received = conversations.receive(session, channel, a_message(words, name=name))
    except Invalid:
        assert not words.replace("\0", "").strip()
    else:
        assert session.get_one(Message, received.message_id).text.strip()


def test_the_constraints_hold_without_the_program(session: Session) -> None:
    agent = an_agent(session)
    conversation = a_conversation(session, a_channel(session))
    draft = written(session, conversation)
    message = decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft))
    session.commit()
    two = "FROM draft, (VALUES (1), (2)) AS v"
    copied = "SELECT conversation_id, channel_id, 'outgoing', 'x', agent_id, {}, now() FROM message WHERE draft_id > 0"
    columns = "conversation_id, channel_id, direction, text, agent_id, draft_id, sent_at"
    for broken in (
        f"INSERT INTO draft (conversation_id, message_id) SELECT conversation_id, message_id {two}",
        f"INSERT INTO message ({columns}) {copied.format('draft_id')}",
        f"INSERT INTO message ({columns}) {copied.format('NULL::bigint')}",
        f"INSERT INTO delivery (message_id, idempotency_key) VALUES ({message.id}, gen_random_uuid())",
        "UPDATE draft SET decided_by = NULL",
        "UPDATE delivery SET state = 'delivered'",
        "UPDATE conversation SET state = 'gone'",
    ):
        with pytest.raises(IntegrityError):
            session.execute(text(broken))
        session.rollback()


def test_the_inbox_shows_the_most_urgent_first(session: Session) -> None:
    channel, agent = a_channel(session), an_agent(session)
    urgencies = {"calm": 0, "first-angry": 3, "second-angry": 3, "asks": 1, "answered": 3}
    for name, urgency in urgencies.items():
        conversation = a_conversation(session, channel, customer_id=name, name=name)
        conversation.urgency = urgency
        if name == "answered":
            draft = written(session, conversation)
            decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft))
    session.flush()
    names: list[str | None] = []
    after = None
    for _ in range(5):
        page = inbox(session, limit=2, after=after)
        names += [row.conversation.customer.name for row in page.rows]
        assert all(row.last_message is not None and row.draft is not None for row in page.rows)
        after = page.next
        if after is None:
            break
    assert names == ["first-angry", "second-angry", "asks", "calm", "answered"]


def test_the_inbox_is_searched(session: Session) -> None:
    channel = a_channel(session)
    a_conversation(session, channel, "100 % wool?", customer_id="a", name="Anna")
    other = a_conversation(session, channel, "KAHVIA, kiitos", customer_id="b", name="Ville")
    other.language = "fi"
    session.flush()

    def found(**conditions: str) -> list[str | None]:
        return [row.conversation.customer.name for row in inbox(session, **conditions).rows]  # type: ignore[arg-type]

    assert found(q="kahvia") == ["Ville"]
    assert found(q="anna") == ["Anna"]
    assert found(q="0 %") == ["Anna"]
    assert found(q="0_%") == []
    assert found(language="fi") == ["Ville"]
    assert found(status="closed") == []


@pytest.mark.parametrize(
    "wrong", [{"status": "lost"}, {"language": "sv"}, {"after": "x"}, {"after": "WzEsMl0="}, {"after": "ä"}]
)
def test_the_inbox_refuses_nonsense(session: Session, wrong: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        inbox(session, **wrong)  # type: ignore[arg-type]


def test_what_is_not_there(session: Session) -> None:
    with pytest.raises(NotFound, match="no conversation 7"):
        conversations.get(session, 7)
    with pytest.raises(NotFound, match="no draft 7"):
        conversations.get_draft(session, 7)

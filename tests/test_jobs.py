"""The worker: drafts and deliveries get done, once, whatever comes in between."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from assistant import conversations, decisions, jobs, queue, suggestions, writing
from assistant.decisions import fingerprint
from assistant.errors import Unavailable
from assistant.reply import DraftRequest
from assistant.runtime import Runtime
from assistant.tables import AuditRecord, Channel, Delivery, Draft, Suggestion
from knowledge.database import utcnow
from knowledge.entries import EntryContent, put
from models import ChatMessage, Generation, ModelError
from models.chat import Turn
from models.fakes import FakeLanguageModel
from tests.receiver import Receiver
from tests.stages import (
    ANSWER,
    QUESTION,
    a_channel,
    a_conversation,
    a_message,
    an_agent,
    has_draft,
    opened,
    wait_for,
    with_knowledge,
)


class HeldModel(FakeLanguageModel):
    """Counts how often it is asked, and answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()
        self.prompts: list[str] = []

    def generate(self, messages: Sequence[ChatMessage], *, max_new_tokens: int = 200) -> Generation:
        self.prompts.append(messages[-1]["content"])
        self.asked.release()
        assert self.go.wait(30)
        return super().generate(messages, max_new_tokens=max_new_tokens)


@pytest.fixture
def model() -> HeldModel:
    return HeldModel()


@pytest.fixture
def runtime(database_url: str, tmp_path: Path, model: HeldModel) -> Iterator[Runtime]:
    with opened(database_url, tmp_path, model, debounce_seconds=0.0, retry_first_seconds=0.1) as runtime:
        with_knowledge(runtime)
        yield runtime


@contextmanager
def working(runtime: Runtime, concurrency: int = 1) -> Iterator[None]:
    """Run a worker in a thread until the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(
        target=jobs.run_worker, args=(runtime,), kwargs={"concurrency": concurrency, "stop": stop}
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def drafts(runtime: Runtime) -> list[Draft]:
    with runtime.sessions() as session:
        return list(session.scalars(select(Draft).order_by(Draft.id)))


def receive(runtime: Runtime, words: str = QUESTION) -> conversations.Received:
    with runtime.sessions.begin() as session:
        channel = session.scalars(select(Channel)).one_or_none() or a_channel(session)
        return conversations.receive(session, channel, a_message(words))


def test_it_works(runtime: Runtime) -> None:
    with Receiver() as receiver:
        with runtime.sessions.begin() as session:
            agent = an_agent(session)
            conversation = a_conversation(session, a_channel(session, url=receiver.url))
        with working(runtime):
            wait_for(runtime, has_draft("ready"))
            with runtime.sessions.begin() as session:
                draft = conversations.current_draft(session, conversation)
                assert draft is not None
                assert draft.text is not None
                assert ANSWER in draft.text
                assert (draft.origin, draft.model, draft.language) == ("model", "fake-1", "en")
                assert [citation.external_id for citation in draft.citations] == ["hours"]
                assert "".join(sentence["text"] for sentence in draft.sentences).replace(" ", "")
                decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft))
            wait_for(
                runtime,
                lambda session: session.scalars(select(Delivery.id).where(Delivery.state == "delivered")).first(),
            )
        assert len(receiver.requests) == 1
        with runtime.sessions() as session:
            assert conversations.get(session, conversation.id).language == "en"
            left = session.execute(text("SELECT DISTINCT status::text FROM procrastinate_jobs")).scalars().all()
            assert left == ["succeeded"]


def test_a_worker_shows_that_it_lives(runtime: Runtime) -> None:
    with runtime.sessions() as session:
        assert not jobs.worker_alive(session)
    with working(runtime):
        wait_for(runtime, jobs.worker_alive)
    with runtime.sessions() as session:
        assert not jobs.worker_alive(session)


def test_quick_messages_give_one_draft(database_url: str, tmp_path: Path, model: HeldModel) -> None:
    with opened(database_url, tmp_path, model, debounce_seconds=1.0, debounce_limit_seconds=15.0) as runtime:
        with_knowledge(runtime)
        with working(runtime):
            for words in ("Hello", QUESTION, "I come by bus"):
                receive(runtime, words)
                time.sleep(0.3)
            wait_for(runtime, lambda session: not has_draft("queued")(session))
        (draft,) = drafts(runtime)
        with runtime.sessions() as session:
            newest = session.scalar(text("SELECT max(id) FROM message"))
        assert (draft.status in ("ready", "abstained"), draft.message_id) == (True, newest)
        assert len(model.prompts) <= 1


def test_who_never_stops_typing_gets_a_draft_too(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, debounce_seconds=3600.0, debounce_limit_seconds=1.0) as runtime:
        receive(runtime)
        with working(runtime):
            wait_for(runtime, lambda session: not has_draft("queued")(session))


def test_who_types_is_waited_for(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, debounce_seconds=3600.0, debounce_limit_seconds=7200.0) as runtime:
        received = receive(runtime)
        writing.write_draft(runtime, received.conversation_id)
        with runtime.sessions() as session:
            scheduled = text("SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs")
            seconds = [row for row in session.scalars(scheduled) if row is not None]
        assert drafts(runtime)[0].status == "queued"
        assert seconds == [] or 3500 < seconds[0] <= 3600


def test_an_agent_who_asks_does_not_wait(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, debounce_seconds=3600.0, debounce_limit_seconds=7200.0) as runtime:
        received = receive(runtime)
        with runtime.sessions.begin() as session:
            conversation = conversations.get(session, received.conversation_id)
            conversations.request_draft(session, conversation, agent=an_agent(session), instruction="Shorter")
        writing.write_draft(runtime, received.conversation_id)
        assert [draft.status for draft in drafts(runtime)] == ["superseded", "abstained"]


def test_a_message_that_comes_while_the_model_writes(runtime: Runtime, model: HeldModel) -> None:
    model.go.clear()
    with working(runtime, concurrency=2):
        receive(runtime)
        assert model.asked.acquire(timeout=30)
        second = receive(runtime, "When do you open on Sundays?")
        model.go.set()
        wait_for(runtime, has_draft("ready"))
    (draft,) = drafts(runtime)
    assert draft.message_id == second.message_id
    assert len(model.prompts) >= 2
    assert "Sundays" not in model.prompts[0]
    assert "Sundays" in model.prompts[-1]


def test_a_draft_that_was_replaced_while_the_model_wrote_is_not_saved(runtime: Runtime, model: HeldModel) -> None:
    model.go.clear()
    received = receive(runtime)
    writer = threading.Thread(target=writing.write_draft, args=(runtime, received.conversation_id))
    writer.start()
    assert model.asked.acquire(timeout=30)
    with runtime.sessions.begin() as session:
        conversation = conversations.get(session, received.conversation_id)
        conversations.close(session, conversation, agent=an_agent(session))
    model.go.set()
    writer.join()
    (draft,) = drafts(runtime)
    assert (draft.status, draft.text) == ("superseded", None)


def test_no_transaction_is_open_while_the_model_writes(runtime: Runtime, model: HeldModel) -> None:
    model.go.clear()
    received = receive(runtime)
    writer = threading.Thread(target=writing.write_draft, args=(runtime, received.conversation_id))
    writer.start()
    assert model.asked.acquire(timeout=30)
    with runtime.sessions() as session:
        held = session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
        )
    model.go.set()
    writer.join()
    assert held == 0


def test_history_and_unanswered_messages_are_told_apart(runtime: Runtime, model: HeldModel) -> None:
    received = receive(runtime, QUESTION)
    writing.write_draft(runtime, received.conversation_id)
    with runtime.sessions.begin() as session:
        draft = conversations.current_draft(session, conversations.get(session, received.conversation_id))
        assert draft is not None
        decisions.approve(session, draft, agent=an_agent(session), fingerprint=fingerprint(draft), text="At nine.")
    receive(runtime, "When do you open on Sundays?")
    receive(runtime, "I mean the shop")
    writing.write_draft(runtime, received.conversation_id)
    assert model.prompts[-1].splitlines()[-3:] == [
        f"customer: {QUESTION}",
        "agent: At nine.",
        "customer: When do you open on Sundays? I mean the shop",
    ]


def test_a_model_that_cannot_be_used_is_shown(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_runtime: Runtime, _request: DraftRequest) -> None:
        raise ModelError("The folder is gone: set ASPA_EMBEDDING_MODEL.")

    monkeypatch.setattr(writing, "reply_to", broken)
    received = receive(runtime)
    writing.write_draft(runtime, received.conversation_id)
    (draft,) = drafts(runtime)
    assert draft.status == "failed"
    assert draft.failure is not None
    assert draft.failure.startswith("The folder is gone: set ASPA_EMBEDDING_MODEL. Write the reply yourself")


def test_a_fault_of_ours_is_shown_without_its_details(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "reply_to", lambda *_: 1 / 0)
    received = receive(runtime)
    writing.write_draft(runtime, received.conversation_id)
    (draft,) = drafts(runtime)
    assert draft.status == "failed"
    assert "division" not in str(draft.failure)


def test_a_message_that_kills_workers_is_given_up(runtime: Runtime, model: HeldModel) -> None:
    received = receive(runtime)
    writing.write_draft(runtime, received.conversation_id, crashes=writing.MOST_CRASHES)
    assert [draft.status for draft in drafts(runtime)] == ["failed"]
    assert model.prompts == []


def test_writing_twice_writes_once(runtime: Runtime, model: HeldModel) -> None:
    received = receive(runtime)
    for _ in range(2):
        writing.write_draft(runtime, received.conversation_id)
    assert [draft.status for draft in drafts(runtime)] == ["ready"]
    assert len(model.prompts) == 1
    writing.write_draft(runtime, received.conversation_id + 1)


def test_a_draft_without_a_job_gets_one(runtime: Runtime) -> None:
    receive(runtime)
    with runtime.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    with working(runtime):
        wait_for(runtime, has_draft("ready"))


def test_the_jobs_of_a_dead_worker_are_done(runtime: Runtime) -> None:
    receive(runtime)
    with runtime.sessions.begin() as session:
        session.execute(
            text(
                "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '11 s')"
                " RETURNING id) UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
            )
        )
    with working(runtime):
        wait_for(runtime, has_draft("ready"))


def test_the_job_of_a_dead_worker_gives_way_to_a_newer_one(runtime: Runtime) -> None:
    """Both want to wait for the same conversation, which the queue forbids."""
    received = receive(runtime)
    with runtime.sessions.begin() as session:
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    receive(runtime)
    with working(runtime):
        wait_for(runtime, has_draft("ready"))
        wait_for(
            runtime,
            lambda session: (
                not session.execute(text("SELECT id FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")).all()
            ),
        )
    (draft,) = drafts(runtime)
    assert draft.conversation_id == received.conversation_id


def test_a_job_that_waits_sees_what_was_not_committed_when_it_was_queued(runtime: Runtime) -> None:
    """The second message finds a job that waits already; that job must not start and miss the message."""
    received = receive(runtime)
    with runtime.sessions.begin() as session:
        channel = session.scalars(select(Channel)).one()
        second = conversations.receive(session, channel, a_message("When do you open on Sundays?"))
        writer = threading.Thread(target=writing.write_draft, args=(runtime, received.conversation_id))
        writer.start()
        time.sleep(0.5)
    writer.join()
    assert [(draft.status, draft.message_id) for draft in drafts(runtime)] == [("ready", second.message_id)]


def test_a_worker_whose_connections_were_cut_goes_on(runtime: Runtime) -> None:
    with working(runtime):
        wait_for(runtime, jobs.worker_alive)
        with runtime.sessions() as session, suppress(OperationalError):
            session.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()")
            )
        with runtime.sessions.begin() as session:
            channel = a_channel(session)
        for number in range(3):
            with runtime.sessions.begin() as session:
                conversations.receive(session, channel, a_message(customer_id=f"c{number}"))
            wait_for(runtime, lambda session: not has_draft("queued")(session))


def test_the_index_follows(runtime: Runtime) -> None:
    with working(runtime):
        entry = EntryContent(
            kind="faq",
            external_id="post",
            question="What does delivery cost?",
            answer="Delivery is free.",
            language="en",
        )
        with runtime.sessions.begin() as session:
            put(session, entry, author="test")
            queue.defer_index_knowledge(session)
        wait_for(
            runtime, lambda _: "post" in {m.external_id for m in runtime.knowledge_base().search("delivery").matches}
        )


def test_a_suggestion_is_answered_and_forgotten(runtime: Runtime) -> None:
    request = DraftRequest(text=QUESTION, history=(Turn("customer", "Hello"),), customer_name="Anna")
    with working(runtime):
        document = suggestions.ask(runtime, request)
    assert document["status"] == "ready"
    assert ANSWER in document["text"]
    with runtime.sessions() as session:
        assert session.scalar(select(func.count(Suggestion.id))) == 0
        (record,) = session.scalars(select(AuditRecord)).all()
        assert "Anna" not in str(record.details)


def test_a_suggestion_that_nobody_answers(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, suggest_timeout_seconds=0.3) as runtime:
        with pytest.raises(Unavailable, match=r"No worker answered within 0\.3 s"):
            suggestions.ask(runtime, DraftRequest(text=QUESTION))
        with runtime.sessions() as session:
            assert session.scalar(select(func.count(Suggestion.id))) == 0


def test_a_suggestion_that_fails_says_why(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_runtime: Runtime, _request: DraftRequest) -> None:
        raise ModelError("The folder is gone.")

    monkeypatch.setattr(suggestions, "reply_to", broken)
    with working(runtime), pytest.raises(Unavailable, match="The folder is gone"):
        suggestions.ask(runtime, DraftRequest(text=QUESTION))


def test_yesterdays_jobs_are_deleted(runtime: Runtime) -> None:
    receive(runtime)
    with working(runtime):
        wait_for(runtime, has_draft("ready"))
    with runtime.sessions.begin() as session:
        session.execute(text("UPDATE procrastinate_events SET at = now() - interval '25 h'"))
        session.add(Suggestion(request={}, expires_at=utcnow()))
        columns, values = "(queue_name, task_name, args)", "(:queue, :name, '{\"timestamp\": 0}')"
        session.execute(
            text(f"INSERT INTO procrastinate_jobs {columns} VALUES {values}"),
            {"queue": queue.SENDING, "name": jobs.TIDY},
        )
    with working(runtime):
        wait_for(runtime, lambda session: session.scalar(select(func.count(Suggestion.id))) == 0)
    with runtime.sessions() as session:
        left = session.scalars(text("SELECT task_name FROM procrastinate_jobs")).all()
    assert left == [jobs.TIDY]


def test_a_slow_receiver_keeps_no_draft_waiting(runtime: Runtime) -> None:
    with Receiver() as receiver:
        receiver.go.clear()
        with runtime.sessions.begin() as session:
            agent = an_agent(session)
            channel = a_channel(session, url=receiver.url)
            for number in range(jobs.PARALLEL_DELIVERIES + 2):
                conversation = a_conversation(session, channel, customer_id=f"c{number}")
                draft = conversations.current_draft(session, conversation)
                assert draft is not None
                decisions.approve(session, draft, agent=agent, fingerprint=fingerprint(draft), text="Hello")
        with working(runtime):
            wait_for(runtime, lambda _: len(receiver.requests) >= jobs.PARALLEL_DELIVERIES)
            receive(runtime)
            wait_for(runtime, has_draft("ready"))
            assert len(receiver.requests) == jobs.PARALLEL_DELIVERIES
            receiver.go.set()

"""Whatever dies in the middle, a message is answered by one draft and a reply is delivered once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from assistant import conversations, decisions
from assistant.decisions import fingerprint
from assistant.runtime import Runtime
from assistant.tables import Channel, Delivery, DeliveryAttempt, Draft, Message
from tests.receiver import Receiver
from tests.stages import a_channel, a_conversation, a_message, an_agent, has_draft, opened, wait_for, with_knowledge

ROOT = Path(__file__).parent.parent


@contextmanager
def worker(runtime: Runtime, scene: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process on the runtime's database; kill it at the end if it still lives."""
    data_dir = runtime.settings.data_dir
    url = "-" if runtime.server is not None else runtime.database_url
    process = subprocess.Popen([sys.executable, "-m", "tests.worker_process", url, str(data_dir), scene], cwd=ROOT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def wait_until_there(runtime: Runtime, process: subprocess.Popen[bytes]) -> None:
    """Wait until the worker is at the point that its scene names."""
    deadline = time.monotonic() + 90
    while not (runtime.settings.data_dir / "there").exists():
        assert process.poll() is None, "The worker ended."
        assert time.monotonic() < deadline, "The worker did not come to the point in time."
        time.sleep(0.05)


def let_go(runtime: Runtime) -> None:
    (runtime.settings.data_dir / "go").touch()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path / "data") as runtime:
        with_knowledge(runtime)
        yield runtime


def delivered(session: Session) -> bool:
    return session.scalars(select(Delivery.id).where(Delivery.state == "delivered")).first() is not None


def test_a_worker_killed_while_it_drafts(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session))
    with worker(runtime, "drafting") as first:
        wait_until_there(runtime, first)
        kill(first)
    let_go(runtime)
    with worker(runtime, "drafting"):
        wait_for(runtime, has_draft("ready"))
    with runtime.sessions() as session:
        (draft,) = session.scalars(select(Draft)).all()
        assert (draft.conversation_id, draft.origin, draft.version) == (conversation.id, "model", 2)


def test_a_worker_killed_while_the_receiver_reads(runtime: Runtime) -> None:
    with Receiver() as receiver:
        receiver.go.clear()
        approve(runtime, receiver.url)
        with worker(runtime, "sending") as first:
            wait_for(runtime, lambda _: receiver.requests)
            kill(first)
        receiver.go.set()
        with worker(runtime, "sending"):
            wait_for(runtime, delivered)
        assert_sent_once(runtime, receiver, ["interrupted", "delivered"])


def test_a_worker_killed_before_it_notes_that_it_sent(runtime: Runtime) -> None:
    with Receiver() as receiver:
        approve(runtime, receiver.url)
        with worker(runtime, "recording") as first:
            wait_until_there(runtime, first)
            kill(first)
        let_go(runtime)
        with worker(runtime, "recording"):
            wait_for(runtime, delivered)
        assert_sent_once(runtime, receiver, ["interrupted", "delivered"])


def approve(runtime: Runtime, url: str) -> None:
    """Approve a reply that goes to `url`, written by an agent."""
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session, url=url))
        draft = conversations.current_draft(session, conversation)
        assert draft is not None
        decisions.approve(session, draft, agent=an_agent(session), fingerprint=fingerprint(draft), text="At nine.")


def assert_sent_once(runtime: Runtime, receiver: Receiver, outcomes: list[str]) -> None:
    """Check that all attempts carried one key and one text, and are one delivery."""
    with runtime.sessions() as session:
        (delivery,) = session.scalars(select(Delivery)).all()
        found = session.scalars(select(DeliveryAttempt.outcome).order_by(DeliveryAttempt.number)).all()
        assert session.scalar(select(func.count(Message.id)).where(Message.direction == "outgoing")) == 1
    assert {request.headers["webhook-id"] for request in receiver.requests} == {str(delivery.idempotency_key)}
    assert len({request.body for request in receiver.requests}) == 1
    assert found == outcomes


def test_a_worker_that_is_asked_to_stop_finishes_its_draft(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        a_conversation(session, a_channel(session))
    with worker(runtime, "drafting") as process:
        wait_until_there(runtime, process)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert process.poll() is None
        let_go(runtime)
        assert process.wait(60) == 0
    with runtime.sessions() as session:
        assert has_draft("ready")(session)


def test_the_database_killed_while_a_draft_is_written(tmp_path: Path) -> None:
    with opened(None, tmp_path / "data") as runtime:
        with_knowledge(runtime)
        with runtime.sessions.begin() as session:
            a_conversation(session, a_channel(session))
        with worker(runtime, "drafting") as process:
            wait_until_there(runtime, process)
            assert runtime.server is not None
            pid = runtime.server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            let_go(runtime)
            wait_for(runtime, has_draft("ready"))
            assert process.poll() is None
            with runtime.sessions.begin() as session:
                channel = session.scalars(select(Channel)).one()
                conversations.receive(session, channel, a_message(external_id="after", customer_id="another"))
            wait_for(runtime, lambda session: not has_draft("queued")(session))
        with runtime.sessions() as session:
            assert session.scalar(select(func.count(Draft.id))) == 2


def test_nothing_is_acknowledged_while_the_database_is_down(tmp_path: Path) -> None:
    with opened(None, tmp_path / "data") as runtime:
        with runtime.sessions.begin() as session:
            channel = a_channel(session)
        server = runtime.server
        assert server is not None
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(OperationalError), runtime.sessions.begin() as session:
            conversations.receive(session, channel, a_message(external_id="x"))
        server.ensure_running()
        with runtime.sessions.begin() as session:
            assert not conversations.receive(session, channel, a_message(external_id="x")).duplicate

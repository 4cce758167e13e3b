"""An approved reply on its way: tried, tried again, delivered once or shown as failed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from assistant import decisions, deliveries
from assistant.decisions import fingerprint
from assistant.errors import ChannelError, Conflict
from assistant.runtime import Runtime
from assistant.settings import Settings
from assistant.tables import Agent, Delivery, DeliveryAttempt
from knowledge.database import utcnow
from tests.receiver import Receiver
from tests.stages import a_channel, a_conversation, an_agent, opened, written


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path) as runtime:
        yield runtime


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def approved(runtime: Runtime, url: str) -> int:
    """Approve a reply that goes to `url`, and return its delivery's id."""
    with runtime.sessions.begin() as session:
        draft = written(session, a_conversation(session, a_channel(session, url=url)))
        message = decisions.approve(session, draft, agent=an_agent(session), fingerprint=fingerprint(draft))
        return session.scalars(select(Delivery.id).where(Delivery.message_id == message.id)).one()


def delivery(runtime: Runtime) -> Delivery:
    with runtime.sessions() as session:
        return session.scalars(select(Delivery)).one()


def outcomes(runtime: Runtime) -> list[str | None]:
    with runtime.sessions() as session:
        return list(session.scalars(select(DeliveryAttempt.outcome).order_by(DeliveryAttempt.number)))


def due_now(runtime: Runtime) -> None:
    """Let the pause before the next attempt pass."""
    with runtime.sessions.begin() as session:
        session.execute(update(Delivery).values(next_attempt_at=utcnow()))


def waiting_jobs(session: Session) -> list[datetime | None]:
    """Return for when the deliver jobs are scheduled that wait."""
    return list(
        session.scalars(
            text("SELECT scheduled_at FROM procrastinate_jobs WHERE task_name = 'deliver' AND status = 'todo'")
        )
    )


def test_it_works(runtime: Runtime, receiver: Receiver) -> None:
    delivery_id = approved(runtime, receiver.url)
    deliveries.deliver(runtime, delivery_id)
    sent = delivery(runtime)
    assert (sent.state, sent.failure, outcomes(runtime)) == ("delivered", None, ["delivered"])
    assert sent.delivered_at is not None
    assert [request.headers["webhook-id"] for request in receiver.requests] == [str(sent.idempotency_key)]
    deliveries.deliver(runtime, delivery_id)
    assert len(receiver.requests) == 1


def test_a_transient_failure_is_tried_again_with_the_same_key(runtime: Runtime, receiver: Receiver) -> None:
    receiver.answers = [503, 429, 204]
    delivery_id = approved(runtime, receiver.url)
    for state in ("queued", "queued", "delivered"):
        deliveries.deliver(runtime, delivery_id)
        assert delivery(runtime).state == state
        due_now(runtime)
    assert outcomes(runtime) == ["transient", "transient", "delivered"]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1


def test_the_pause_is_kept_whoever_wakes_us(runtime: Runtime, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [429], {"retry-after": "3000"}
    delivery_id = approved(runtime, receiver.url)
    with runtime.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    before = utcnow()
    deliveries.deliver(runtime, delivery_id)
    deliveries.deliver(runtime, delivery_id)
    assert len(receiver.requests) == 1
    with runtime.sessions() as session:
        (at,) = waiting_jobs(session)
    assert at is not None
    assert before + timedelta(seconds=2999) < at < utcnow() + timedelta(seconds=3001)


def test_a_permanent_failure_is_shown_and_can_be_tried_again(runtime: Runtime, receiver: Receiver) -> None:
    receiver.answers = [410, 204]
    delivery_id = approved(runtime, receiver.url)
    deliveries.deliver(runtime, delivery_id)
    failed = delivery(runtime)
    assert (failed.state, failed.failure) == ("failed", "The receiver answered 410.")
    deliveries.deliver(runtime, delivery_id)
    assert len(receiver.requests) == 1
    with runtime.sessions.begin() as session:
        agent = session.scalars(select(Agent)).one()
        deliveries.retry(session, session.get_one(Delivery, delivery_id), agent=agent)
    deliveries.deliver(runtime, delivery_id)
    assert (delivery(runtime).state, outcomes(runtime)) == ("delivered", ["permanent", "delivered"])
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    with runtime.sessions.begin() as session, pytest.raises(Conflict, match="has not failed"):
        deliveries.retry(session, session.get_one(Delivery, delivery_id), agent=agent)


def test_it_is_given_up_after_a_day(runtime: Runtime, receiver: Receiver) -> None:
    receiver.answers = [503]
    delivery_id = approved(runtime, receiver.url)
    with runtime.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.execute(update(Delivery).values(tried_since=utcnow() - timedelta(hours=24)))
    deliveries.deliver(runtime, delivery_id)
    failed = delivery(runtime)
    assert (failed.state, failed.failure) == ("failed", "The receiver answered 503. Given up after 24 h.")
    with runtime.sessions() as session:
        assert waiting_jobs(session) == []


def test_an_attempt_that_nobody_finished_is_made_again(runtime: Runtime, receiver: Receiver) -> None:
    """As after a worker was killed between sending and noting that it had sent."""
    delivery_id = approved(runtime, receiver.url)
    with runtime.sessions.begin() as session:
        session.execute(update(Delivery).values(state="sending"))
        session.add(DeliveryAttempt(delivery_id=delivery_id, number=1))
    deliveries.deliver(runtime, delivery_id)
    assert (delivery(runtime).state, outcomes(runtime)) == ("delivered", ["interrupted", "delivered"])


def test_a_late_failure_does_not_undo_a_delivery(runtime: Runtime, receiver: Receiver) -> None:
    """Two workers at once, because one was thought dead: the one that got through counts."""
    delivery_id = approved(runtime, receiver.url)
    with runtime.sessions.begin() as session:
        slow = deliveries._begin(session, delivery_id)
    assert slow is not None
    deliveries.deliver(runtime, delivery_id)
    with runtime.sessions.begin() as session:
        deliveries._record_failure(session, slow, ChannelError("Too late.", permanent=True), runtime.settings)
    assert (delivery(runtime).state, delivery(runtime).failure) == ("delivered", None)


def test_pauses_double_up_to_an_hour() -> None:
    settings = Settings()
    pauses = [deliveries.pause(settings, failures, None, 1.0) for failures in (1, 2, 3, 11, 12, 500)]
    assert pauses == [2, 4, 8, 2048, 3600, 3600]
    assert deliveries.pause(settings, 1, None, 0.5) == 1
    assert deliveries.pause(settings, 1, 60.0, 0.5) == 60
    assert deliveries.pause(settings, 12, 60.0, 1.0) == 3600

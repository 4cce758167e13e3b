"""An approved reply on its way through its channel, until it is delivered or an agent is shown why not.

It knows attempts, pauses and giving up; how a reply is sent is the channel's. Whatever crashes, a reply is sent with
the same idempotency key again: at least once from here, once at a receiver that heeds the key.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from assistant import audit, queue
from assistant.channels import KINDS
from assistant.channels.exchange import OutgoingMessage
from assistant.conversations import announce
from assistant.errors import ChannelError, Conflict
from assistant.runtime import Runtime
from assistant.settings import Settings
from assistant.tables import Agent, Channel, Conversation, Delivery, DeliveryAttempt, Draft, Message
from knowledge.database import utcnow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """One try that is under way."""

    delivery_id: int
    number: int
    channel: Channel
    outgoing: OutgoingMessage


def deliver(runtime: Runtime, delivery_id: int) -> None:
    """Try once to send a reply, and record how it went; does nothing where it was delivered or has failed already.

    No transaction is open while the channel works.
    """
    with runtime.sessions.begin() as session:
        attempt = _begin(session, delivery_id)
    if attempt is None:
        return
    try:
        KINDS[attempt.channel.kind].send(attempt.channel, attempt.outgoing)
    except ChannelError as error:
        log.warning("delivery %d, attempt %d: %s", delivery_id, attempt.number, error)
        with runtime.sessions.begin() as session:
            _record_failure(session, attempt, error, runtime.settings)
    else:
        with runtime.sessions.begin() as session:
            _record_success(session, attempt)


def retry(session: Session, delivery: Delivery, *, agent: Agent) -> None:
    """Try a failed delivery again, with the same idempotency key; raises Conflict where it has not failed."""
    _lock(session, delivery.id)
    if delivery.state != "failed":
        raise Conflict("This reply has not failed: it is delivered, or still being tried.")
    now = utcnow()
    delivery.state, delivery.next_attempt_at, delivery.tried_since = "queued", now, now
    session.flush()
    queue.defer_delivery(session, delivery.id)
    audit.record(session, "delivery.retry", subject="delivery", subject_id=delivery.id, agent=agent)
    message = session.get_one(Message, delivery.message_id)
    announce(session, message.conversation_id, "delivery")


def pause(settings: Settings, failures: int, retry_after: float | None, jitter: float) -> float:
    """Return the seconds to wait after so many failures: doubling, up to a longest, times `jitter` (0.5 to 1).

    What the channel asked for (`retry_after`, seconds) is never undercut.
    """
    doubled = settings.retry_first_seconds * 2.0 ** min(failures - 1, 30)
    return max(min(doubled, settings.retry_longest_seconds) * jitter, retry_after or 0.0)


def _begin(session: Session, delivery_id: int) -> Attempt | None:
    delivery = _lock(session, delivery_id)
    if delivery is None or delivery.state in ("delivered", "failed"):
        return None
    now = utcnow()
    if delivery.next_attempt_at > now:  # woken too early: the pause may be the receiver's wish
        queue.defer_delivery(session, delivery_id, at=delivery.next_attempt_at)
        return None
    session.execute(  # a worker died in the middle: nobody knows whether that one arrived
        update(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == delivery_id, DeliveryAttempt.outcome.is_(None))
        .values(outcome="interrupted", finished_at=now)
        .execution_options(synchronize_session=False)
    )
    number = 1 + len(_attempts(session, delivery_id))
    session.add(DeliveryAttempt(delivery_id=delivery_id, number=number, started_at=now))
    delivery.state = "sending"
    return Attempt(delivery_id, number, *_outgoing(session, delivery))


def _outgoing(session: Session, delivery: Delivery) -> tuple[Channel, OutgoingMessage]:
    message = session.execute(
        select(Message)
        .where(Message.id == delivery.message_id)
        .options(
            joinedload(Message.conversation).options(
                joinedload(Conversation.channel), joinedload(Conversation.customer)
            ),
            joinedload(Message.draft).joinedload(Draft.message),
        )
    ).scalar_one()
    conversation, draft = message.conversation, message.draft
    if draft is None or draft.message.external_id is None:
        raise AssertionError("An outgoing message without the draft and the incoming message that it answers.")
    return conversation.channel, OutgoingMessage(
        idempotency_key=str(delivery.idempotency_key),
        conversation_id=conversation.id,
        customer_id=conversation.customer.external_id,
        thread_id=conversation.thread_id or None,
        in_reply_to=draft.message.external_id,
        text=message.text,
        approved_at=message.created_at,
    )


def _record_success(session: Session, attempt: Attempt) -> None:
    delivery = _finish(session, attempt, "delivered", None)
    if delivery.state == "delivered":
        return
    delivery.state, delivery.delivered_at, delivery.failure = "delivered", utcnow(), None
    _tell(session, delivery)


def _record_failure(session: Session, attempt: Attempt, error: ChannelError, settings: Settings) -> None:
    delivery = _finish(session, attempt, "permanent" if error.permanent else "transient", str(error))
    if delivery.state in ("delivered", "failed"):  # two workers at once: what another one achieved stands
        return
    delivery.failure = str(error)
    failures = sum(started >= delivery.tried_since for started in _attempts(session, delivery.id))
    seconds = pause(settings, failures, error.retry_after, random.uniform(0.5, 1.0))  # noqa: S311 — spreads load, hides nothing
    again = utcnow() + timedelta(seconds=min(seconds, timedelta(days=365).total_seconds()))
    if error.permanent:
        delivery.state = "failed"
    elif again > _give_up_at(delivery, settings):
        delivery.state = "failed"
        delivery.failure = f"{error} Given up after {settings.retry_give_up_hours:g} h."
    else:
        delivery.state, delivery.next_attempt_at = "queued", again
        queue.defer_delivery(session, delivery.id, at=again)
    _tell(session, delivery)


def _give_up_at(delivery: Delivery, settings: Settings) -> datetime:
    return delivery.tried_since + timedelta(hours=settings.retry_give_up_hours)


def _finish(session: Session, attempt: Attempt, outcome: str, detail: str | None) -> Delivery:
    delivery = _lock(session, attempt.delivery_id)
    if delivery is None:
        raise AssertionError("A delivery vanished while it was under way.")
    session.execute(
        update(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id == attempt.delivery_id, DeliveryAttempt.number == attempt.number)
        .values(outcome=outcome, detail=detail, finished_at=utcnow())
        .execution_options(synchronize_session=False)
    )
    return delivery


def _lock(session: Session, delivery_id: int) -> Delivery | None:
    return session.get(Delivery, delivery_id, with_for_update=True, populate_existing=True)


def _attempts(session: Session, delivery_id: int) -> Sequence[datetime]:
    """Return when each attempt began."""
    started = select(DeliveryAttempt.started_at).where(DeliveryAttempt.delivery_id == delivery_id)
    return session.scalars(started).all()


def _tell(session: Session, delivery: Delivery) -> None:
    session.flush()
    message = session.get_one(Message, delivery.message_id)
    announce(session, message.conversation_id, "delivery")

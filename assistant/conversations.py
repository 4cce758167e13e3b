"""Conversations: a message comes in, agents note, close and reopen, a draft is asked for.

Every verb takes the session first and commits nothing. Whoever changes a conversation, or decides on its draft, first
locks the conversation's row; so all that happens to one conversation happens one after the other. What an agent
decides about a draft is in `decisions`, the list of conversations in `inbox`.
"""

import json
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import DateTime, Text, bindparam, func, select, update
from sqlalchemy import text as sql
from sqlalchemy.orm import Session, joinedload, selectinload

from assistant import audit, queue
from assistant.channels.exchange import IncomingMessage
from assistant.errors import Invalid, NotFound
from assistant.tables import UNDECIDED, Agent, Channel, Conversation, Draft, Message
from knowledge.database import clean_text, notify, utcnow

LONGEST_TEXT = 200_000
_LONGEST_ID = 500
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Received:
    """Where a message is stored; `duplicate` where it was there already and nothing was done."""

    message_id: int
    conversation_id: int
    duplicate: bool


def receive(session: Session, channel: Channel, incoming: IncomingMessage) -> Received:
    """Store what a customer wrote and have a draft written; an undecided draft to what came before is superseded.

    A message whose external id the channel has used before is a duplicate: nothing happens.
    Raises Invalid for a text without content, or an id or text that is too long.
    """
    incoming = _cleaned(incoming)
    stored = session.execute(
        _STORE,
        {
            "channel_id": channel.id,
            "customer_id": incoming.customer_id,
            "name": incoming.customer_name,
            "thread_id": incoming.thread_id or "",
            "visibility": incoming.visibility,
            "external_id": incoming.external_id,
            "text": incoming.text,
            "sent_at": incoming.sent_at,
            "now": utcnow(),
        },
    ).one_or_none()
    if stored is None or stored.message_id is None:
        return _known(session, channel, incoming.external_id)
    session.execute(_QUEUE_DRAFT, {"conversation_id": stored.conversation_id, "message_id": stored.message_id})
    queue.defer_draft(session, stored.conversation_id)
    announce(session, stored.conversation_id, "message")
    return Received(stored.message_id, stored.conversation_id, duplicate=False)


def get(session: Session, conversation_id: int) -> Conversation:
    """Return the conversation with its customer, channel, agent and messages (with their agents and deliveries).

    Raises NotFound.
    """
    conversation = session.scalar(
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .options(
            joinedload(Conversation.customer),
            joinedload(Conversation.channel),
            joinedload(Conversation.agent),
            selectinload(Conversation.messages).options(joinedload(Message.agent), joinedload(Message.delivery)),
        )
        .execution_options(populate_existing=True)
    )
    if conversation is None:
        raise NotFound(f"There is no conversation {conversation_id}.")
    return conversation


def current_draft(session: Session, conversation: Conversation) -> Draft | None:
    """Return the conversation's newest draft that was not superseded, with citations, or None."""
    return session.scalar(
        select(Draft)
        .where(Draft.conversation_id == conversation.id, Draft.status != "superseded")
        .order_by(Draft.id.desc())
        .limit(1)
        .options(selectinload(Draft.citations), joinedload(Draft.decider))
        .execution_options(populate_existing=True)
    )


def get_draft(session: Session, draft_id: int) -> Draft:
    """Return the draft with its citations, conversation and who decided on it; raises NotFound."""
    draft = session.scalar(
        select(Draft)
        .where(Draft.id == draft_id)
        .options(selectinload(Draft.citations), joinedload(Draft.conversation), joinedload(Draft.decider))
        .execution_options(populate_existing=True)
    )
    if draft is None:
        raise NotFound(f"There is no draft {draft_id}.")
    return draft


def request_draft(
    session: Session, conversation: Conversation, *, agent: Agent | None = None, instruction: str | None = None
) -> Draft:
    """Have another draft written, in place of an undecided one; `instruction` says what should be different.

    Raises Invalid where the customer has written nothing yet, or the instruction is too long.
    """
    instruction = _optional(instruction)
    if instruction is not None and len(instruction) > 2000:
        raise Invalid("instruction", "Keep the instruction under 2,000 characters.")
    lock(session, conversation)
    newest = session.scalar(
        select(func.max(Message.id)).where(Message.conversation_id == conversation.id, Message.direction == "incoming")
    )
    if newest is None:
        raise Invalid("conversation", "There is nothing to reply to: the customer has not written yet.")
    _supersede(session, conversation.id)
    draft = Draft(
        conversation_id=conversation.id,
        message_id=newest,
        instruction=instruction,
        requested_by=None if agent is None else agent.id,
    )
    session.add(draft)
    session.flush()
    queue.defer_draft(session, conversation.id)
    audit.record(session, "draft.request", subject="conversation", subject_id=conversation.id, agent=agent)
    announce(session, conversation.id, "draft")
    return draft


def note(session: Session, conversation: Conversation, *, agent: Agent, text: str) -> Message:
    """Add a note that agents see and the customer does not; raises Invalid where it is empty or too long."""
    now = utcnow()
    message = Message(
        conversation_id=conversation.id,
        channel_id=conversation.channel_id,
        direction="note",
        text=said(text),
        agent_id=agent.id,
        sent_at=now,
        created_at=now,
    )
    session.add(message)
    session.flush()
    announce(session, conversation.id, "message")
    return message


def assign(session: Session, conversation: Conversation, *, to: Agent | None, agent: Agent) -> None:
    """Give the conversation to an agent, or to nobody."""
    lock(session, conversation)
    conversation.agent_id = None if to is None else to.id
    _audited(session, conversation, "conversation.assign", agent)


def close(session: Session, conversation: Conversation, *, agent: Agent) -> None:
    """Take the conversation out of the inbox until the customer writes again; an undecided draft is superseded."""
    lock(session, conversation)
    conversation.state = "closed"
    conversation.waiting_since = None
    _supersede(session, conversation.id)
    _audited(session, conversation, "conversation.close", agent)


def reopen(session: Session, conversation: Conversation, *, agent: Agent) -> None:
    """Put a closed conversation back into the inbox."""
    lock(session, conversation)
    conversation.state = "open"
    _audited(session, conversation, "conversation.reopen", agent)


def lock(session: Session, conversation: Conversation) -> None:
    """Wait until nobody else changes the conversation, and read its columns anew."""
    session.refresh(conversation, Conversation.__table__.columns.keys(), with_for_update=True)


def announce(
    session: Session, conversation_id: int, what: Literal["message", "draft", "decided", "delivery", "state"]
) -> None:
    """Tell every open inbox, at the commit, that something happened in a conversation."""
    notify(session, "aspa_inbox", json.dumps({"conversation_id": conversation_id, "what": what}))


def said(text: str) -> str:
    """Return a text as it is stored: Unix line ends, nothing blank around it; raises Invalid where nothing is left."""
    text = clean_text(text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise Invalid("text", "The text is empty: write something.")
    if len(text) > LONGEST_TEXT:
        raise Invalid("text", f"The text is longer than {LONGEST_TEXT:,} characters: shorten it.")
    return text


# Customer, conversation and message in one statement, because a webhook is answered when this is done. Nothing happens
# where the message is there; of two posted at the same moment the second waits at the first row that both touch and
# comes back without a message. The conversation's row stays locked until the commit.
_STORE = sql("""
    WITH the_customer AS (
        INSERT INTO customer (channel_id, external_id, name)
        SELECT :channel_id, :customer_id, :name
        WHERE NOT EXISTS (SELECT FROM message WHERE channel_id = :channel_id AND external_id = :external_id)
        ON CONFLICT (channel_id, external_id) DO UPDATE SET name = coalesce(excluded.name, customer.name)
        RETURNING id
    ), the_conversation AS (
        INSERT INTO conversation (channel_id, customer_id, thread_id, visibility, waiting_since, last_message_at)
        SELECT :channel_id, id, :thread_id, :visibility, :now, :now FROM the_customer
        ON CONFLICT (customer_id, thread_id) DO UPDATE SET
            visibility = excluded.visibility,
            state = 'open',
            waiting_since = coalesce(conversation.waiting_since, excluded.waiting_since),
            last_message_at = excluded.last_message_at
        RETURNING id
    ), the_message AS (
        INSERT INTO message (conversation_id, channel_id, direction, external_id, text, sent_at, created_at)
        SELECT id, :channel_id, 'incoming', :external_id, :text, coalesce(:sent_at, :now), :now FROM the_conversation
        ON CONFLICT (channel_id, external_id) DO NOTHING
        RETURNING id
    )
    SELECT the_conversation.id AS conversation_id, the_message.id AS message_id
    FROM the_conversation LEFT JOIN the_message ON true
""").bindparams(
    bindparam("name", type_=Text), bindparam("sent_at", type_=DateTime(True)), bindparam("now", type_=DateTime(True))
)

# What answers less than the new message is superseded; a draft that nobody has written yet simply answers it too. The
# count makes the update come first: both touch the index that allows one undecided draft.
_QUEUE_DRAFT = sql("""
    WITH superseded AS (
        UPDATE draft SET status = 'superseded'
        WHERE conversation_id = :conversation_id AND status IN ('ready', 'abstained', 'failed')
        RETURNING id
    )
    INSERT INTO draft (conversation_id, message_id)
    SELECT :conversation_id, :message_id FROM (SELECT count(*) FROM superseded) AS first
    ON CONFLICT (conversation_id) WHERE status IN ('queued', 'ready', 'abstained', 'failed')
    DO UPDATE SET message_id = excluded.message_id, version = draft.version + 1
""")


def _known(session: Session, channel: Channel, external_id: str) -> Received:
    row = session.execute(
        select(Message.id, Message.conversation_id).where(
            Message.channel_id == channel.id, Message.external_id == external_id
        )
    ).one()
    return Received(row.id, row.conversation_id, duplicate=True)


def _supersede(session: Session, conversation_id: int) -> None:
    session.execute(
        update(Draft)
        .where(Draft.conversation_id == conversation_id, Draft.status.in_(UNDECIDED))
        .values(status="superseded")
        .execution_options(synchronize_session="fetch")
    )


def _audited(session: Session, conversation: Conversation, action: str, agent: Agent) -> None:
    audit.record(session, action, subject="conversation", subject_id=conversation.id, agent=agent)
    announce(session, conversation.id, "state")


def _cleaned(incoming: IncomingMessage) -> IncomingMessage:
    """Return the message as it can be stored; raises Invalid naming the field that cannot be."""
    if incoming.sent_at is not None and incoming.sent_at.tzinfo is None:
        raise Invalid("sent_at", "Give the time with its zone, such as 2026-01-31T09:00:00Z.")
    name = " ".join(clean_text(incoming.customer_name or "").split())[:_LONGEST_NAME]
    return IncomingMessage(
        external_id=_identifier("external_id", incoming.external_id),
        customer_id=_identifier("customer.id", incoming.customer_id),
        customer_name=name or None,
        thread_id=None if incoming.thread_id is None else _identifier("thread_id", incoming.thread_id),
        text=said(incoming.text),
        sent_at=incoming.sent_at,
        visibility=incoming.visibility,
    )


def _identifier(field: str, value: str) -> str:
    """Return an id that a channel gave; it is never shortened, because two could become one."""
    if not value.strip() or len(value) > _LONGEST_ID or clean_text(value) != value:
        raise Invalid(
            field, f"{field} must be a text of 1 to {_LONGEST_ID} characters in Unicode's composed form (NFC)."
        )
    return value


def _optional(text: str | None) -> str | None:
    text = clean_text(text or "").strip()
    return text or None

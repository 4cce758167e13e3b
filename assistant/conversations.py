"""Conversations: a message comes in, agents note, close and reopen, a draft is asked for.

Every verb takes the session first and commits nothing. Whoever changes a conversation, or decides on its draft, first
locks the conversation's row; so all that happens to one conversation happens one after the other. What an agent
decides about a draft is in `decisions`, the list of conversations in `inbox`.
"""

import json
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, selectinload

from assistant import audit, queue
from assistant.channels.exchange import IncomingMessage
from assistant.errors import Invalid, NotFound
from assistant.tables import IS_UNDECIDED, UNDECIDED, Agent, Channel, Conversation, Customer, Draft, Message
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
    if known := _find(session, channel, incoming.external_id):
        return known
    now = utcnow()
    customer_id = _customer(session, channel, incoming)
    conversation_id = _locked_conversation(session, channel, customer_id, incoming)
    message_id = session.scalar(
        insert(Message)
        .values(
            conversation_id=conversation_id,
            channel_id=channel.id,
            direction="incoming",
            external_id=incoming.external_id,
            text=incoming.text,
            sent_at=incoming.sent_at or now,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Message.id)
    )
    if message_id is None:  # posted twice at the same moment, and the other one was first
        known = _find(session, channel, incoming.external_id)
        if known is None:
            raise AssertionError("A message that is there could not be found.")
        return known
    session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(state="open", last_message_at=now, waiting_since=func.coalesce(Conversation.waiting_since, now))
        .execution_options(synchronize_session=False)
    )
    _queue_draft(session, conversation_id, message_id)
    announce(session, conversation_id, "message")
    return Received(message_id, conversation_id, duplicate=False)


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
    _supersede(session, conversation.id, UNDECIDED)
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
    _supersede(session, conversation.id, UNDECIDED)
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


def _find(session: Session, channel: Channel, external_id: str) -> Received | None:
    row = session.execute(
        select(Message.id, Message.conversation_id).where(
            Message.channel_id == channel.id, Message.external_id == external_id
        )
    ).one_or_none()
    return None if row is None else Received(row.id, row.conversation_id, duplicate=True)


def _customer(session: Session, channel: Channel, incoming: IncomingMessage) -> int:
    """Return the customer's id; a new name replaces the old one, no name leaves it."""
    statement = insert(Customer).values(
        channel_id=channel.id, external_id=incoming.customer_id, name=incoming.customer_name
    )
    return session.execute(
        statement.on_conflict_do_update(
            index_elements=[Customer.channel_id, Customer.external_id],
            set_={"name": func.coalesce(statement.excluded.name, Customer.name)},
        ).returning(Customer.id)
    ).scalar_one()


def _locked_conversation(session: Session, channel: Channel, customer_id: int, incoming: IncomingMessage) -> int:
    """Return the conversation's id and hold its row, so that nobody else changes it before we commit."""
    statement = insert(Conversation).values(
        channel_id=channel.id,
        customer_id=customer_id,
        thread_id=incoming.thread_id or "",
        visibility=incoming.visibility,
        last_message_at=utcnow(),
    )
    return session.execute(
        statement.on_conflict_do_update(
            index_elements=[Conversation.customer_id, Conversation.thread_id],
            set_={"visibility": statement.excluded.visibility},
        ).returning(Conversation.id)
    ).scalar_one()


def _queue_draft(session: Session, conversation_id: int, message_id: int) -> None:
    """Supersede what answers less than `message_id`, and have a draft written that answers all."""
    _supersede(session, conversation_id, tuple(status for status in UNDECIDED if status != "queued"))
    statement = insert(Draft).values(conversation_id=conversation_id, message_id=message_id)
    session.execute(
        statement.on_conflict_do_update(  # one that nobody has written yet simply answers the newer message too
            index_elements=[Draft.conversation_id],
            index_where=IS_UNDECIDED,
            set_={"message_id": statement.excluded.message_id, "version": Draft.version + 1},
        )
    )
    queue.defer_draft(session, conversation_id)


def _supersede(session: Session, conversation_id: int, statuses: tuple[str, ...]) -> None:
    session.execute(
        update(Draft)
        .where(Draft.conversation_id == conversation_id, Draft.status.in_(statuses))
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

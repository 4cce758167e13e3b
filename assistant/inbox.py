"""The list of conversations, in the order in which an agent should take them.

Who waits comes first: the most urgent, and among equals who has waited longest; then who does not wait, newest first.
It only reads.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from assistant.errors import Invalid
from assistant.tables import CONVERSATION_STATES, Conversation, Customer, Draft, Message
from knowledge.database import clean_text
from models import LANGUAGES

LARGEST_PAGE = 100


@dataclass(frozen=True)
class Row:
    """One line of the list: the conversation (with customer and channel), its newest message and its newest draft."""

    conversation: Conversation
    last_message: Message | None
    draft: Draft | None


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursor to give as `after` for the next ones; None at the end."""

    rows: tuple[Row, ...]
    next: str | None


def inbox(
    session: Session,
    *,
    status: str | None = "open",
    language: str | None = None,
    q: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """Return a page of conversations: in one state or (None) all, in one language, with `q` in a message or the name.

    Raises Invalid for a state, language or cursor that there is not.
    """
    order = _order()
    key = [part.label(f"key_{number}") for number, part in enumerate(order)]
    statement = select(Conversation, *key).options(
        joinedload(Conversation.customer), joinedload(Conversation.channel), joinedload(Conversation.agent)
    )
    for condition in _conditions(status, language, q):
        statement = statement.where(condition)
    if after is not None:
        statement = statement.where(tuple_(*order) > tuple_(*_read_cursor(after)))
    limit = max(1, min(limit, LARGEST_PAGE))
    found = session.execute(statement.order_by(*order).limit(limit + 1)).all()
    page = found[:limit]
    ids = [row[0].id for row in page]
    messages, drafts = _newest_messages(session, ids), _newest_drafts(session, ids)
    return Page(
        rows=tuple(Row(row[0], messages.get(row[0].id), drafts.get(row[0].id)) for row in page),
        next=_cursor(page[-1][1:]) if len(found) > limit else None,
    )


def _order() -> tuple[ColumnElement[int], ...]:
    """Return the sort key as whole numbers, all ascending, so that a cursor can hold it exactly."""
    waits = Conversation.waiting_since.is_not(None)
    return (
        case((waits, 0), else_=1),
        case((waits, -Conversation.urgency), else_=0),
        case((waits, _microseconds(Conversation.waiting_since)), else_=-_microseconds(Conversation.last_message_at)),
        -Conversation.id,
    )


def _microseconds(column: Any) -> ColumnElement[int]:
    return cast(func.extract("epoch", column) * 1_000_000, BigInteger)


def _conditions(status: str | None, language: str | None, q: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if status is not None:
        if status not in CONVERSATION_STATES:
            raise Invalid("status", f"{status!r} is no state: choose one of {', '.join(CONVERSATION_STATES)}.")
        conditions.append(Conversation.state == status)
    if language is not None:
        if language not in LANGUAGES:
            raise Invalid("language", f"{language!r} is not known: choose one of {', '.join(LANGUAGES)}.")
        conditions.append(Conversation.language == language)
    words = clean_text(q or "").strip()
    if words:
        said = select(Message.id).where(
            Message.conversation_id == Conversation.id, Message.text.icontains(words, autoescape=True)
        )
        named = select(Customer.id).where(
            Customer.id == Conversation.customer_id, Customer.name.icontains(words, autoescape=True)
        )
        conditions.append(or_(said.exists(), named.exists()))
    return conditions


def _newest_messages(session: Session, ids: Sequence[int]) -> dict[int, Message]:
    newest = (
        select(func.max(Message.id))
        .where(Message.conversation_id.in_(ids), Message.direction != "note")
        .group_by(Message.conversation_id)
    )
    return {
        message.conversation_id: message for message in session.scalars(select(Message).where(Message.id.in_(newest)))
    }


def _newest_drafts(session: Session, ids: Sequence[int]) -> dict[int, Draft]:
    newest = (
        select(func.max(Draft.id))
        .where(Draft.conversation_id.in_(ids), Draft.status != "superseded")
        .group_by(Draft.conversation_id)
    )
    found = session.scalars(select(Draft).where(Draft.id.in_(newest)).execution_options(populate_existing=True))
    return {draft.conversation_id: draft for draft in found}


def _cursor(key: Sequence[int]) -> str:
    return urlsafe_b64encode(json.dumps([int(part) for part in key]).encode()).decode()


def _read_cursor(cursor: str) -> list[int]:
    try:
        key = json.loads(urlsafe_b64decode(cursor.encode("ascii")))
    except ValueError:  # not ASCII, not base64, not UTF-8, not JSON: each is a ValueError
        key = None
    if not (isinstance(key, list) and len(key) == 4 and all(type(part) is int and abs(part) < 2**63 for part in key)):
        raise Invalid("after", "This is no cursor of ours: start again without `after`.")
    return key

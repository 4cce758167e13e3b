"""What passes between a channel and the conversation: the same for every kind of channel."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class IncomingMessage:
    """What a customer wrote.

    The ids are the channel's own; `thread_id` is None where it has no threads, `sent_at` (with a time zone) where it
    does not say when.
    """

    external_id: str
    customer_id: str
    text: str
    customer_name: str | None = None
    thread_id: str | None = None
    sent_at: datetime | None = None
    visibility: Literal["private", "public"] = "private"


@dataclass(frozen=True)
class Ignored:
    """Something that came in and is not a message, with the reason why nothing is done."""

    why: str


@dataclass(frozen=True)
class Parsed:
    """What a channel made of a payload."""

    messages: tuple[IncomingMessage, ...] = ()
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True)
class OutgoingMessage:
    """An approved reply. `idempotency_key` is the same at every attempt, so that the receiver can tell a repetition.

    `in_reply_to` is the channel's id of the newest message that the reply answers.
    """

    idempotency_key: str
    conversation_id: int
    customer_id: str
    thread_id: str | None
    in_reply_to: str
    text: str
    approved_at: datetime

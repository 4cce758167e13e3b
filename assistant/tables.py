"""What is stored about the way of a message, with the constraints that hold its invariants.

It knows columns, no behaviour: the verbs are in the modules called after the nouns. Relationships never load by
themselves (`lazy="raise"`): a query says what it needs. Times are with time zone, in UTC.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from knowledge.database import Base, utcnow

AGENT_ROLES = ("agent", "maintainer", "lead", "admin")
CONVERSATION_STATES = ("open", "snoozed", "closed")
VISIBILITIES = ("private", "public")
DIRECTIONS = ("incoming", "outgoing", "note")
DRAFT_STATUSES = ("queued", "ready", "abstained", "superseded", "approved", "rejected", "failed")
UNDECIDED = ("queued", "ready", "abstained", "failed")
"""The statuses in which a draft waits for an agent's decision: at most one per conversation."""
ORIGINS = ("model", "extract", "template")
DELIVERY_STATES = ("queued", "sending", "delivered", "failed")
OUTCOMES = ("delivered", "transient", "permanent", "interrupted")


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


Id = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), default=utcnow, server_default=sql("now()"))]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
JsonList = Annotated[list[Any], mapped_column(JSONB, default=list, server_default=sql("'[]'"))]


class Agent(Base):
    """A human who answers customers. Without a password they sign in by other means, or not at all."""

    __tablename__ = "agent"
    __table_args__ = (
        CheckConstraint(_one_of("role", AGENT_ROLES), name="role"),
        Index("uq_agent_email", sql("lower(email)"), unique=True),
    )

    id: Mapped[Id]
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    language: Mapped[str | None]
    created_at: Mapped[Created]
    disabled_at: Mapped[Moment | None]


class ApiToken(Base):
    """A bearer token: only its hash is kept. Bound to an agent it acts as that agent."""

    __tablename__ = "api_token"

    id: Mapped[Id]
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))
    created_at: Mapped[Created]
    last_used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]

    agent: Mapped[Agent | None] = relationship(lazy="raise")


class Channel(Base):
    """A way in and out, of one of the kinds in `assistant.channels`. Its config holds secrets: keep it out of logs."""

    __tablename__ = "channel"

    id: Mapped[Id]
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(unique=True)
    config: Mapped[Json]
    created_at: Mapped[Created]
    disabled_at: Mapped[Moment | None]

    def __repr__(self) -> str:
        """Name the channel without its secrets."""
        return f"<Channel {self.id} {self.kind} {self.name!r}>"


class Customer(Base):
    """Who writes, as one channel knows them."""

    __tablename__ = "customer"
    __table_args__ = (UniqueConstraint("channel_id", "external_id"),)

    id: Mapped[Id]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    external_id: Mapped[str]
    name: Mapped[str | None]
    created_at: Mapped[Created]


class Conversation(Base):
    """One customer's messages in one thread. `thread_id` is empty where the channel has no threads."""

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("customer_id", "thread_id"),
        CheckConstraint(_one_of("state", CONVERSATION_STATES), name="state"),
        CheckConstraint(_one_of("visibility", VISIBILITIES), name="visibility"),
        CheckConstraint("urgency BETWEEN 0 AND 3", name="urgency"),
        Index("ix_conversation_inbox", "state", "urgency", "last_message_at"),
    )

    id: Mapped[Id]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    thread_id: Mapped[str] = mapped_column(default="", server_default="")
    visibility: Mapped[str] = mapped_column(default="private", server_default="private")
    state: Mapped[str] = mapped_column(default="open", server_default="open")
    language: Mapped[str | None]
    mood: Mapped[str | None]
    urgency: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))
    waiting_since: Mapped[Moment | None]
    """When the first message came that nobody has answered; empty where nobody waits."""
    last_message_at: Mapped[Moment]
    created_at: Mapped[Created]

    channel: Mapped[Channel] = relationship(lazy="raise")
    customer: Mapped[Customer] = relationship(lazy="raise")
    agent: Mapped[Agent | None] = relationship(lazy="raise")
    messages: Mapped[list["Message"]] = relationship(
        lazy="raise", back_populates="conversation", order_by="Message.id", viewonly=True
    )
    drafts: Mapped[list["Draft"]] = relationship(
        lazy="raise", back_populates="conversation", order_by="Draft.id", viewonly=True
    )


class Message(Base):
    """Something said: by the customer (incoming), to the customer (outgoing) or among agents (note)."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        CheckConstraint(_one_of("direction", DIRECTIONS), name="direction"),
        CheckConstraint("(direction = 'incoming') = (external_id IS NOT NULL)", name="incoming"),
        CheckConstraint("(direction = 'outgoing') = (draft_id IS NOT NULL)", name="approved"),
        CheckConstraint("(direction = 'incoming') = (agent_id IS NULL)", name="author"),
        Index("ix_message_conversation", "conversation_id", "id"),
    )

    id: Mapped[Id]
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    direction: Mapped[str]
    external_id: Mapped[str | None]
    """What the channel calls an incoming message: it comes in once, however often it is posted."""
    text: Mapped[str]
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))
    draft_id: Mapped[int | None] = mapped_column(ForeignKey("draft.id", use_alter=True), unique=True)
    """The draft whose approval sent this: unique, so that a draft is sent at most once."""
    sent_at: Mapped[Moment]
    """When its author sent it, as the channel says."""
    created_at: Mapped[Created]

    conversation: Mapped[Conversation] = relationship(lazy="raise", back_populates="messages")
    agent: Mapped[Agent | None] = relationship(lazy="raise")
    draft: Mapped["Draft | None"] = relationship(lazy="raise", foreign_keys=[draft_id])
    delivery: Mapped["Delivery | None"] = relationship(lazy="raise", back_populates="message", viewonly=True)


class Draft(Base):
    """A reply that the assistant suggests to the incoming message `message_id` (the newest it has read)."""

    __tablename__ = "draft"
    __table_args__ = (
        CheckConstraint(_one_of("status", DRAFT_STATUSES), name="status"),
        CheckConstraint(_one_of("origin", ORIGINS), name="origin"),
        CheckConstraint(
            "status NOT IN ('ready', 'abstained') OR (text IS NOT NULL AND origin IS NOT NULL)", name="text"
        ),
        CheckConstraint("(status IN ('approved', 'rejected')) = (decided_by IS NOT NULL)", name="decided"),
        CheckConstraint("(status = 'approved') = (final_text IS NOT NULL)", name="final"),
        CheckConstraint("(status = 'failed') <= (failure IS NOT NULL)", name="failure"),
        Index(
            "uq_draft_undecided",
            "conversation_id",
            unique=True,
            postgresql_where=sql(_one_of("status", UNDECIDED)),
        ),
        Index("ix_draft_conversation", "conversation_id", "id"),
    )

    id: Mapped[Id]
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"))
    status: Mapped[str] = mapped_column(default="queued", server_default="queued")
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    instruction: Mapped[str | None]
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))
    origin: Mapped[str | None]
    language: Mapped[str | None]
    text: Mapped[str | None]
    sentences: Mapped[JsonList]
    unsupported_facts: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'{}'"))
    guidance: Mapped[JsonList]
    """Internal entries that help the agent and are not for the customer: `[{"entry_id", "title", "excerpt"}]`."""
    confidence: Mapped[float | None]
    model: Mapped[str | None]
    snapshot: Mapped[str | None]
    prompt_version: Mapped[str | None]
    timings_ms: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=sql("'{}'"))
    failure: Mapped[str | None]
    """Why there is no text, in one sentence for the agent."""
    created_at: Mapped[Created]
    drafted_at: Mapped[Moment | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))
    decided_at: Mapped[Moment | None]
    final_text: Mapped[str | None]
    """What was approved and sent."""
    edit_diff: Mapped[str | None]
    """What the agent changed, as a unified diff; empty where nothing was."""
    reason: Mapped[str | None]
    """Why the agent edited or rejected it, in their words."""

    conversation: Mapped[Conversation] = relationship(lazy="raise", back_populates="drafts")
    message: Mapped[Message] = relationship(lazy="raise", foreign_keys=[message_id])
    decider: Mapped[Agent | None] = relationship(lazy="raise", foreign_keys=[decided_by])
    citations: Mapped[list["Citation"]] = relationship(
        lazy="raise", back_populates="draft", order_by="Citation.n", cascade="save-update, merge, delete-orphan, delete"
    )


class Citation(Base):
    """What a draft rests on, as it was when the draft was written (the entry may change or go later)."""

    __tablename__ = "citation"
    __table_args__ = (UniqueConstraint("draft_id", "n"), Index("ix_citation_entry", "entry_id"))

    id: Mapped[Id]
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id", ondelete="CASCADE"))
    n: Mapped[int]
    entry_id: Mapped[int] = mapped_column(BigInteger)
    external_id: Mapped[str]
    title: Mapped[str]
    excerpt: Mapped[str]
    url: Mapped[str | None]
    revision: Mapped[int]
    language: Mapped[str | None]
    """What the source is written in, where that is known: the reply may be in the other language."""

    draft: Mapped[Draft] = relationship(lazy="raise", back_populates="citations")


class Delivery(Base):
    """The way of one outgoing message through its channel. The idempotency key never changes."""

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint(_one_of("state", DELIVERY_STATES), name="state"),
        CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered"),
        CheckConstraint("state <> 'failed' OR failure IS NOT NULL", name="failure"),
        Index("ix_delivery_due", "next_attempt_at", postgresql_where=sql("state IN ('queued', 'sending')")),
    )

    id: Mapped[Id]
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), unique=True)
    idempotency_key: Mapped[UUID] = mapped_column(unique=True, default=uuid4)
    state: Mapped[str] = mapped_column(default="queued", server_default="queued")
    next_attempt_at: Mapped[Created]
    tried_since: Mapped[Created]
    """When the attempts began that are given up after a day; an agent who tries a failed one again sets it anew."""
    failure: Mapped[str | None]
    """Why the last attempt failed, in one sentence."""
    created_at: Mapped[Created]
    delivered_at: Mapped[Moment | None]

    message: Mapped[Message] = relationship(lazy="raise", back_populates="delivery")
    attempts: Mapped[list["DeliveryAttempt"]] = relationship(
        lazy="raise", back_populates="delivery", order_by="DeliveryAttempt.number"
    )


class DeliveryAttempt(Base):
    """One try. `outcome` is empty while it is under way."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        UniqueConstraint("delivery_id", "number"),
        CheckConstraint(_one_of("outcome", OUTCOMES), name="outcome"),
        CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="finished"),
    )

    id: Mapped[Id]
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"))
    number: Mapped[int]
    started_at: Mapped[Created]
    finished_at: Mapped[Moment | None]
    outcome: Mapped[str | None]
    detail: Mapped[str | None]

    delivery: Mapped[Delivery] = relationship(lazy="raise", back_populates="attempts")


class Suggestion(Base):
    """A question of somebody else's helpdesk on its way to a worker and back; deleted as soon as it is answered."""

    __tablename__ = "suggestion"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    request: Mapped[Json]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    failure: Mapped[str | None]
    created_at: Mapped[Created]
    expires_at: Mapped[Moment]


class AuditRecord(Base):
    """Who did what, when. No texts of customers."""

    __tablename__ = "audit_record"
    __table_args__ = (Index("ix_audit_record_subject", "subject", "subject_id"),)

    id: Mapped[Id]
    at: Mapped[Created]
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_token.id"))
    action: Mapped[str]
    subject: Mapped[str]
    """The table's name."""
    subject_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=sql("'{}'"))


class IdempotentAnswer(Base):
    """The answer given to a request with an `Idempotency-Key`, so that the same key gets the same answer."""

    __tablename__ = "idempotent_answer"
    __table_args__ = (UniqueConstraint("principal", "key"),)

    id: Mapped[Id]
    principal: Mapped[str]
    """Who asked: `agent:1` or `token:1`."""
    key: Mapped[str]
    request_hash: Mapped[str]
    status: Mapped[int]
    body: Mapped[Any] = mapped_column(JSONB)
    created_at: Mapped[Created]


class StoredPayload(Base):
    """What a channel posted with a good signature and we could not read: kept, so that nothing is lost."""

    __tablename__ = "stored_payload"

    id: Mapped[Id]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    why: Mapped[str]
    created_at: Mapped[Created]

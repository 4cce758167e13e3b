"""What the company may say, as it is stored: entries, everything they once said, and what is known about them.

It knows columns and constraints; what a change means is in `entries`.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from knowledge.database import Base, utcnow


class Entry(Base):
    """A FAQ entry, or a past reply (question = the customer's message, answer = the agent's reply).

    `content_hash` covers all that a person can write of it; `revision` is the number of its newest `Revision`.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("kind", "external_id"),
        CheckConstraint("kind IN ('faq', 'past_reply')", name="kind"),
        CheckConstraint("language IN ('en', 'fi')", name="language"),
        CheckConstraint("revision > 0", name="revision"),
        CheckConstraint("external_id <> '' AND question <> '' AND answer <> ''", name="not_blank"),
        CheckConstraint("valid_until > valid_from", name="validity"),
        CheckConstraint("audience IN ('public', 'internal')", name="audience"),
        CheckConstraint("demoted_reason IS NULL OR kind = 'past_reply'", name="demoted"),
        Index("ix_entry_live", "id", postgresql_where="retired_at IS NULL"),
        Index("ix_entry_review", "review_on", postgresql_where="review_on IS NOT NULL"),
        Index("ix_entry_source", "source"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    external_id: Mapped[str]
    question: Mapped[str]
    answer: Mapped[str]
    language: Mapped[str | None]
    url: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(default=list)
    alternatives: Mapped[list[str]] = mapped_column(default=list)
    channel: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    audience: Mapped[str] = mapped_column(default="public", server_default="public")
    """`internal`: guides the agent, is never cited to a customer."""
    owner: Mapped[str | None]
    review_on: Mapped[date | None]
    supersedes: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'{}'"))
    """External ids of the same kind that are not used any more while this entry is live and valid."""
    source: Mapped[str | None]
    """The import that brings it (a file, a folder, a help centre): what vanishes there is offered for retirement."""
    demoted_reason: Mapped[str | None]
    """Why a past reply is no longer drafted from (it contradicts a newer FAQ entry); it is listed and found last."""
    content_hash: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)


class Revision(Base):
    """What an entry said from one moment on, and who made it say so. Revisions are never changed."""

    __tablename__ = "entry_revision"
    __table_args__ = (UniqueConstraint("entry_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"))
    number: Mapped[int]
    question: Mapped[str]
    answer: Mapped[str]
    data: Mapped[dict[str, Any]]
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class Finding(Base):
    """Two entries that somebody should look at side by side: one says what the other says, or denies it.

    `entry_id` < `other_id`. It holds for the contents with these hashes: once either changes, it is looked for anew.
    """

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("entry_id", "other_id"),
        CheckConstraint("kind IN ('duplicate', 'contradiction')", name="kind"),
        CheckConstraint("entry_id < other_id", name="order"),
        CheckConstraint("(dismissed_at IS NULL) = (dismissed_by IS NULL)", name="dismissed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    entry_id: Mapped[int] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"))
    other_id: Mapped[int] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"))
    entry_hash: Mapped[str]
    other_hash: Mapped[str]
    similarity: Mapped[float]
    """Cosine of the two questions."""
    differences: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=sql("'[]'"))
    """The facts that differ, as they are written: `[{"entry": "14 days", "other": "30 days"}]`."""
    found_at: Mapped[datetime] = mapped_column(default=utcnow)
    dismissed_by: Mapped[str | None]
    dismissed_at: Mapped[datetime | None]


class LabelledQuestion(Base):
    """A customer's question and the entries that answer it (external ids; none: the right behaviour is to abstain)."""

    __tablename__ = "labelled_question"
    __table_args__ = (CheckConstraint("text <> ''", name="not_blank"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)
    language: Mapped[str | None]
    relevant: Mapped[list[str]] = mapped_column(default=list)
    author: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class ImportRun(Base):
    """A file on its way into the knowledge through the pages or the API: uploaded, previewed, applied or given up.

    `changes` is what the preview found and the application did: counts, and rows with reasons (see `importing`).
    """

    __tablename__ = "import_run"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'previewing', 'previewed', 'applying', 'applied', 'cancelled', 'failed')",
            name="state",
        ),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    """What the entries will have as their source; by default the name of the uploaded file."""
    file: Mapped[str]
    """The name of the uploaded file in the data directory's folder of imports."""
    kind: Mapped[str | None]
    format: Mapped[str | None]
    author: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    retire_missing: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    rows_done: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    rows_total: Mapped[int | None]
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default=sql("'{}'"))
    failure: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    finished_at: Mapped[datetime | None]

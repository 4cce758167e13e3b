"""What the company may say, as it is stored: entries and everything they once said.

It knows columns and constraints; what a change means is in `entries`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
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
        Index("ix_entry_live", "id", postgresql_where="retired_at IS NULL"),
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

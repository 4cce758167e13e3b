"""Keeping the knowledge right: what is due for review, what ends soon, and pairs that somebody should look at.

Session first; nothing here commits. How pairs are found is in `duplicates`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, aliased

from knowledge import entries
from knowledge.database import clean_text, utcnow
from knowledge.tables import Entry, Finding

REVIEW_AFTER_DAYS = 365
"""How long an entry may stand without anybody looking at it."""
ENDS_WITHIN_DAYS = 30


class RetiredEntry(Exception):  # noqa: N818 (a state, as callers say it)
    """The entry is retired: there is nothing to review."""


@dataclass(frozen=True)
class Pair:
    """A finding with its two entries, `finding.entry_id` and `finding.other_id`."""

    finding: Finding
    entry: Entry
    other: Entry


def due(
    session: Session, *, by: date | None = None, owner: str | None = None, after_days: int = REVIEW_AFTER_DAYS
) -> list[Entry]:
    """Return the live entries whose review date has come, longest overdue first.

    `by` is the day (today where not given) on which they are to be due. An FAQ entry without a review date is due when
    nobody has changed or reviewed it for `after_days` days; 0 means never.
    """
    day = by or utcnow().date()
    come: ColumnElement[bool] = Entry.review_on <= day
    if after_days:
        old = Entry.updated_at < utcnow() + (day - utcnow().date()) - timedelta(days=after_days)
        come = or_(come, and_(Entry.review_on.is_(None), Entry.kind == "faq", old))
    statement = select(Entry).where(Entry.retired_at.is_(None), come)
    if owner is not None:
        statement = statement.where(Entry.owner == owner)
    return list(session.scalars(statement.order_by(Entry.review_on.asc().nulls_last(), Entry.updated_at, Entry.id)))


def reviewed(
    session: Session, entry: Entry, *, author: str, next_on: date | None = None, expected_revision: int | None = None
) -> None:
    """Put on record that somebody read the entry and it is right, and set the day of the next review, if any.

    Raises RetiredEntry, and entries.StaleRevision where the entry is not at `expected_revision` any more.
    """
    if entry.retired_at is not None:
        raise RetiredEntry(f"{entry.external_id} is retired: restore it before it is reviewed.")
    content = entries.content_of(entry).model_copy(update={"review_on": next_on})
    if not entries.revise(session, entry, content, author=author, expected_revision=expected_revision):
        entries.stand_by(session, entry, author=author)


def next_review(after_days: int = REVIEW_AFTER_DAYS) -> date | None:
    """Return the day of the review after one of today; None where entries do not grow old."""
    return utcnow().date() + timedelta(days=after_days) if after_days else None


def ending(session: Session, *, within_days: int = ENDS_WITHIN_DAYS) -> list[Entry]:
    """Return the live entries that are valid now and end within so many days, the first to end first."""
    now = utcnow()
    soon = Entry.valid_until <= now + timedelta(days=within_days)
    statement = select(Entry).where(Entry.retired_at.is_(None), entries.valid_at(now), soon)
    return list(session.scalars(statement.order_by(Entry.valid_until, Entry.id)))


def not_valid(session: Session) -> list[Entry]:
    """Return the live entries outside their window of validity: not begun yet, then ended (the latest first)."""
    now = utcnow()
    statement = select(Entry).where(Entry.retired_at.is_(None), ~entries.valid_at(now))
    found = session.scalars(statement.order_by(Entry.valid_until.desc().nulls_first(), Entry.id)).all()
    return sorted(found, key=lambda entry: entry.valid_from is None or entry.valid_from <= now)


def findings(
    session: Session, *, kind: str | None = None, dismissed: bool = False, entry_id: int | None = None
) -> list[Pair]:
    """Return the pairs that stand, contradictions before duplicates, the newest first; with `dismissed` those instead.

    A pair stands as long as both entries are live, have not ended, and say what they said when it was found.
    `kind`: `duplicate` or `contradiction`; `entry_id`: those of one entry.
    """
    one, other = aliased(Entry), aliased(Entry)
    statement = (
        select(Finding, one, other)
        .join(one, one.id == Finding.entry_id)
        .join(other, other.id == Finding.other_id)
        .where(*(each.retired_at.is_(None) for each in (one, other)))
        .where(*(or_(each.valid_until.is_(None), each.valid_until > utcnow()) for each in (one, other)))
        .where(Finding.dismissed_at.is_not(None) if dismissed else Finding.dismissed_at.is_(None))
        .order_by(Finding.kind, Finding.found_at.desc(), Finding.id)
    )
    if kind is not None:
        statement = statement.where(Finding.kind == kind)
    if entry_id is not None:
        statement = statement.where(or_(Finding.entry_id == entry_id, Finding.other_id == entry_id))
    pairs = (Pair(*row) for row in session.execute(statement))
    return [pair for pair in pairs if stands(pair)]


def get_finding(session: Session, number: int) -> Pair | None:
    """Return a pair by the finding's id, dismissed or not, standing or not."""
    finding = session.get(Finding, number)
    if finding is None:
        return None
    one, other = session.get(Entry, finding.entry_id), session.get(Entry, finding.other_id)
    return Pair(finding, one, other) if one is not None and other is not None else None


def dismiss(session: Session, finding: Finding, *, author: str) -> None:
    """Put the pair aside as no matter; it comes back when one of the two texts changes. Again changes nothing."""
    if finding.dismissed_at is None:
        finding.dismissed_at, finding.dismissed_by = utcnow(), clean_text(author)
        session.flush()


def stands(pair: Pair) -> bool:
    """Tell whether both entries still say what they said when the pair was found."""
    return (text_hash(pair.entry), text_hash(pair.other)) == (pair.finding.entry_hash, pair.finding.other_hash)


def text_hash(entry: Entry) -> str:
    """Return a hash of what the entry says: another tag, owner or review date brings no dismissed pair back."""
    said = "\0".join((entry.language or "", entry.question, entry.answer, *entry.alternatives))
    return blake2b(said.encode(), digest_size=16).hexdigest()

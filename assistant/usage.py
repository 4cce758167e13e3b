"""How the entries do in agents' hands: shown in drafts, used, edited, rejected.

It counts decisions by the entries that the drafts cited; why an agent decided so is not known here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from assistant.bodies import is_rewritten
from assistant.tables import Citation, Draft
from knowledge.tables import Entry

OFTEN = 3
"""Rejections from which an entry is listed, if they are at least half of what was decided."""

_SHOWN = ("ready", "abstained", "approved", "rejected")


@dataclass
class Usage:
    """How often an entry stood among a draft's sources, and what agents did with these drafts.

    `used`: sent as drafted; `edited`: sent with changes; `rejected`: rejected, or so heavily rewritten that it was
    another reply. The drafts that nobody has decided on yet are the rest of `shown`.
    """

    shown: int = 0
    used: int = 0
    edited: int = 0
    rejected: int = 0
    last_used_at: datetime | None = None

    @property
    def often_rejected(self) -> bool:
        """Whether somebody should look at the entry: three rejections or more, at least half of all decisions."""
        return self.rejected >= OFTEN and self.rejected * 2 >= self.used + self.edited + self.rejected


def usage(
    session: Session, entry_ids: Collection[int] | None = None, *, since: datetime | None = None
) -> dict[int, Usage]:
    """Return the figures of these entries (of all that were ever cited), for the drafts since then (for all).

    An entry that was asked for and never cited has zeros.
    """
    where: list[ColumnElement[bool]] = [Draft.status.in_(_SHOWN)]
    if entry_ids is not None:
        where.append(Citation.entry_id.in_(entry_ids))
    if since is not None:
        where.append(Draft.created_at >= since)
    found: defaultdict[int, Usage] = defaultdict(Usage)
    for number in entry_ids or ():
        found[number] = Usage()
    edited = Draft.edit_diff.is_not(None)
    for entry_id, status, is_edited, count, last in session.execute(
        select(Citation.entry_id, Draft.status, edited, func.count(Draft.id.distinct()), func.max(Draft.decided_at))
        .join(Draft)
        .where(*where)
        .group_by(Citation.entry_id, Draft.status, edited)
    ):
        figures = found[entry_id]
        figures.shown += count
        if status == "rejected":
            figures.rejected += count
        elif status == "approved" and not is_edited:
            figures.used += count
            figures.last_used_at = _later(figures.last_used_at, last)
    _add_edited(session, where, found)
    return dict(found)


def by_entry(
    session: Session,
    entry_ids: Collection[int] | None = None,
    *,
    since: datetime | None = None,
    only_rejected: bool = False,
) -> list[tuple[Entry, Usage]]:
    """Return live entries with their figures, the most rejected first; `only_rejected`: those often rejected."""
    figures = usage(session, entry_ids, since=since)
    if only_rejected:
        figures = {number: one for number, one in figures.items() if one.often_rejected}
    live = session.scalars(select(Entry).where(Entry.id.in_(figures), Entry.retired_at.is_(None)))
    found = [(entry, figures[entry.id]) for entry in live]
    return sorted(found, key=lambda one: (-one[1].rejected, -one[1].shown, one[0].id))


def often_rejected(session: Session, *, since: datetime | None = None) -> list[tuple[Entry, Usage]]:
    """Return the live entries that agents often reject, the most rejected first."""
    return by_entry(session, since=since, only_rejected=True)


def _add_edited(session: Session, where: Iterable[ColumnElement[bool]], found: dict[int, Usage]) -> None:
    """Count the edited replies, each as edited or, where little of the draft is left, as rejected."""
    rows = session.execute(
        select(Draft.id, Draft.text, Draft.final_text, Draft.decided_at, func.array_agg(Citation.entry_id.distinct()))
        .join(Citation)
        .where(*where, Draft.status == "approved", Draft.edit_diff.is_not(None))
        .group_by(Draft.id),
        execution_options={"yield_per": 500},
    )
    for _, drafted, sent, decided_at, entry_ids in rows:
        rewritten = is_rewritten(drafted or "", sent or "")
        for number in entry_ids:
            figures = found[number]
            if rewritten:
                figures.rejected += 1
            else:
                figures.edited += 1
                figures.last_used_at = _later(figures.last_used_at, decided_at)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)

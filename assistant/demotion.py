"""Past replies that a newer FAQ entry contradicts: marked, found last, never drafted from.

It marks and lists; what counts as a contradiction is in `knowledge.duplicates`, what search does with it in `search`.
"""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge.tables import Entry


def update_demotions(session: Session, reasons: Mapping[int, str]) -> list[Entry]:
    """Mark the past replies that stand in `reasons` (by id) and free all others; return those that changed."""
    concerned = Entry.demoted_reason.is_not(None) | Entry.id.in_(reasons)
    past_replies = select(Entry).where(Entry.kind == "past_reply", concerned).order_by(Entry.id).with_for_update()
    changed = []
    for entry in session.scalars(past_replies):
        if entry.demoted_reason != reasons.get(entry.id):
            entry.demoted_reason = reasons.get(entry.id)
            changed.append(entry)
    session.flush()
    return changed


def demoted(session: Session) -> list[Entry]:
    """Return the live past replies that are marked, the newest first."""
    marked = select(Entry).where(Entry.demoted_reason.is_not(None), Entry.retired_at.is_(None))
    return list(session.scalars(marked.order_by(Entry.sent_at.desc().nulls_last(), Entry.id.desc())))

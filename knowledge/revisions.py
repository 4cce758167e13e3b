"""What an entry once said: its history, what each step changed, and the way back.

Session first; nothing here commits. It knows revisions, not why somebody made them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent
from knowledge.tables import Entry, Revision

TEXTS = ("question", "answer")
"""The fields whose changes are shown word by word."""

# A word keeps the space after it, so that a changed sentence does not come out as islands of unchanged blanks.
_TOKEN = re.compile(r"\w+\s*|[^\w\s]+\s*|\s+")


class NoSuchRevision(Exception):  # noqa: N818 (what happened, as callers say it)
    """The entry never had a revision of that number."""


class Piece(TypedDict):
    """A run of words that stayed, went or came."""

    op: Literal["same", "del", "ins"]
    text: str


@dataclass(frozen=True)
class FieldChange:
    """One field of two contents that differ, as JSON would have it; `words` for the question and the answer alone."""

    field: str
    before: Any
    after: Any
    words: list[Piece] | None = None


def history(session: Session, entry: Entry) -> list[Revision]:
    """Return all that the entry said, newest first."""
    statement = select(Revision).where(Revision.entry_id == entry.id).order_by(Revision.number.desc())
    return list(session.scalars(statement))


def content_at(revision: Revision) -> EntryContent:
    """Return what the entry said at that revision; a field that there was not yet is at its default."""
    return EntryContent.model_validate(revision.data | {"question": revision.question, "answer": revision.answer})


def content_of_revision(session: Session, entry: Entry, number: int) -> EntryContent:
    """Return what the entry said at the revision of that number; raises NoSuchRevision."""
    revision = session.scalar(select(Revision).where(Revision.entry_id == entry.id, Revision.number == number))
    if revision is None:
        raise NoSuchRevision(f"{entry.external_id} has the revisions 1 to {entry.revision}, but no revision {number}.")
    return content_at(revision)


def diff(before: Revision | EntryContent | None, after: Revision | EntryContent) -> list[FieldChange]:
    """Return the fields that differ, in the order of `EntryContent`; of two revisions also whether it was `retired`.

    Without a `before` all that is not at its default has come.
    """
    old, new = _document(before), _document(after)
    return [
        FieldChange(name, old.get(name), value, words(old.get(name) or "", value) if name in TEXTS else None)
        for name, value in new.items()
        if old.get(name) != value and not (before is None and not value)
    ]


def words(before: str, after: str) -> list[Piece]:
    """Return the two texts as one, word by word: what stayed, what went, what came."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    return list(_pieces(old, new))


def restore_revision(
    session: Session, entry: Entry, number: int, *, author: str, expected_revision: int | None = None
) -> bool:
    """Let the entry say again what it said at that revision, and bring it back where it is retired.

    Returns whether anything changed; it becomes a new revision. Raises NoSuchRevision, and entries.StaleRevision where
    the entry is not at `expected_revision` any more.
    """
    content = content_of_revision(session, entry, number)
    changed = entries.revise(session, entry, content, author=author, expected_revision=expected_revision)
    if entry.retired_at is not None:  # it says that already and is only retired
        entries.restore(session, entry, author=author)
        return True
    return changed


def _document(said: Revision | EntryContent | None) -> dict[str, Any]:
    if said is None:
        return {}
    if isinstance(said, EntryContent):
        return said.model_dump(mode="json")
    return content_at(said).model_dump(mode="json") | {"retired": bool(said.data.get("retired"))}


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            yield {"op": "same", "text": "".join(old[i:j])}
            continue
        if i < j:
            yield {"op": "del", "text": "".join(old[i:j])}
        if k < m:
            yield {"op": "ins", "text": "".join(new[k:m])}

"""Create, revise, retire and restore what the company may say.

Session first; nothing here commits: one request or one job step is one transaction. Every change leaves a `Revision`.
The search index learns of a change from `indexing.update_index`, not from here.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Annotated, Any, Literal, Self, TypedDict, Unpack

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from knowledge.database import clean_text, utcnow
from knowledge.tables import Entry, Revision
from models import Language

Kind = Literal["faq", "past_reply"]
Audience = Literal["public", "internal"]
Outcome = Literal["added", "changed", "unchanged"]

MAX_QUESTION = 20_000
MAX_ANSWER = 50_000
MAX_PAGE = 200


class StaleRevision(Exception):  # noqa: N818 (what happened, as callers say it)
    """Somebody else changed the entry since the caller read it. `current` is the revision that it has now."""

    def __init__(self, current: int) -> None:
        super().__init__(f"The entry was changed meanwhile (it is at revision {current}): read it again, then repeat.")
        self.current = current


def _moment(value: object) -> object:
    """Read ISO text as a moment; one without a time zone is in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("must be a date or time such as 2026-12-24 or 2026-12-24T16:00:00+02:00") from None
    if not isinstance(value, datetime):
        return value
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # the first or the last hours that there are, in another zone
        raise ValueError("must be a date or time such as 2026-12-24 or 2026-12-24T16:00:00+02:00") from None


def _end(value: object) -> object:
    """Read a bare day as the end of that day: "valid until 24 December" still holds on the 24th."""
    try:
        day = date.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None:
        return _moment(value)
    if day == date.max:  # "until 9999-12-31": for ever
        return datetime.combine(day, time.max, UTC)
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _day(value: object) -> object:
    """Read ISO text as a day."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("must be a day such as 2026-12-24") from None
    return value


def _clean(value: object) -> object:
    """Clean before anything else looks: pydantic refuses a lone surrogate with a message that nobody understands."""
    return clean_text(value) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), BeforeValidator(_clean)]
Line = Annotated[Text, StringConstraints(max_length=500)]
Question = Annotated[Text, StringConstraints(max_length=MAX_QUESTION)]
Answer = Annotated[Text, StringConstraints(max_length=MAX_ANSWER)]
Moment = Annotated[datetime, BeforeValidator(_moment)]


class EntryContent(BaseModel):
    """All that a person can write of an entry; for a past reply `question` is the customer's message.

    Valid from `valid_from` until just before `valid_until`; a bare day as `valid_until` counts to its end.
    Raises pydantic.ValidationError; `importing.reason` turns it into one sentence.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    kind: Kind
    external_id: Line
    question: Question
    answer: Answer
    language: Language | None = None
    url: Annotated[Text, StringConstraints(max_length=2_000)] | None = None
    tags: Annotated[list[Line], Field(max_length=50)] = []
    alternatives: Annotated[list[Question], Field(max_length=50)] = []
    valid_from: Moment | None = None
    valid_until: Annotated[datetime, BeforeValidator(_end)] | None = None
    channel: Line | None = None
    sent_at: Moment | None = None
    audience: Audience = "public"
    owner: Line | None = None
    review_on: Annotated[date, BeforeValidator(_day)] | None = None
    supersedes: Annotated[list[Line], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until must be later than valid_from")
        return self

    @model_validator(mode="after")
    def _does_not_supersede_itself(self) -> Self:
        if self.external_id in self.supersedes:
            raise ValueError("supersedes must name other entries")
        return self

    @property
    def content_hash(self) -> str:
        """Equal for equal content, whatever machine wrote it; a field at its default counts as not there."""
        document = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True, ensure_ascii=False)
        return blake2b(document.encode(), digest_size=16).hexdigest()


def content_of(entry: Entry) -> EntryContent:
    """Return what the entry says now."""
    return EntryContent.model_validate({name: getattr(entry, name) for name in EntryContent.model_fields})


def put(session: Session, content: EntryContent, *, author: str) -> Outcome:
    """Store the content under its (kind, external_id). Other content than before restores a retired entry.

    The same content again leaves everything as it is: an entry that somebody retired stays retired.
    """
    return put_many(session, [content], author=author)[0]


def put_many(session: Session, contents: Sequence[EntryContent], *, author: str) -> list[Outcome]:
    """`put` for many at once (distinct ids), in four statements; the outcomes are in the order of the contents."""
    rows = [_row(content) for content in contents]
    if not rows:
        return []
    statement = insert(Entry).values(rows).on_conflict_do_nothing(index_elements=["kind", "external_id"])
    added = session.execute(statement.returning(Entry.kind, Entry.external_id, Entry.id)).all()
    new = {(kind, external_id): number for kind, external_id, number in added}
    old = _locked(session, [c for c in contents if (c.kind, c.external_id) not in new])
    first = [_revision(new[id_], 1, c, author) for c in contents if (id_ := (c.kind, c.external_id)) in new]
    if first:
        session.execute(insert(Revision), first)
    outcomes: list[Outcome] = []
    for content in contents:
        entry = old.get((content.kind, content.external_id))
        if entry is None:
            outcomes.append("added")
        else:
            outcomes.append("changed" if _apply(session, entry, content, author) else "unchanged")
    session.flush()
    return outcomes


def get(session: Session, entry_id: int) -> Entry | None:
    """Return the entry, retired or not, or None."""
    return session.get(Entry, entry_id)


def find(session: Session, kind: Kind | None, external_id: str) -> Entry | None:
    """Return the entry of that id; without a kind, the FAQ entry is preferred to a past reply of the same id."""
    statement = select(Entry).where(Entry.external_id == external_id).order_by(Entry.kind).limit(1)
    return session.scalar(statement if kind is None else statement.where(Entry.kind == kind))


class Wanted(TypedDict, total=False):
    """Which entries: all that are not retired, where nothing else is said.

    `q` must occur in the question, the answer or the external id, in any case. None means that it does not matter.
    """

    q: str | None
    kind: Kind | None
    language: Language | None
    audience: Audience | None
    tag: str | None
    owner: str | None
    source: str | None
    retired: bool | None
    valid: bool | None
    """Whether now lies in the window of validity."""


def page(session: Session, *, after: int | None = None, limit: int = 50, **wanted: Unpack[Wanted]) -> list[Entry]:
    """Return up to `limit` (at most 200) entries in the order of their ids, after the id `after`."""
    statement = select(Entry).where(*_conditions(wanted)).order_by(Entry.id).limit(max(1, min(limit, MAX_PAGE)))
    return list(session.scalars(statement if after is None else statement.where(Entry.id > after)))


def count(session: Session, **wanted: Unpack[Wanted]) -> int:
    """Return how many entries all pages together have."""
    return session.scalar(select(func.count()).select_from(Entry).where(*_conditions(wanted))) or 0


def valid_at(moment: datetime) -> ColumnElement[bool]:
    """Return the condition that an entry's window of validity holds the moment; no job opens or closes a window."""
    begun = or_(Entry.valid_from.is_(None), Entry.valid_from <= moment)
    return and_(begun, or_(Entry.valid_until.is_(None), Entry.valid_until > moment))


def expect(session: Session, entry: Entry, revision: int | None) -> None:
    """Read the entry anew and lock it; raises StaleRevision where it is not at `revision` any more (None: any)."""
    session.refresh(entry, with_for_update=True)
    if revision is not None and entry.revision != revision:
        raise StaleRevision(entry.revision)


def revise(
    session: Session, entry: Entry, content: EntryContent, *, author: str, expected_revision: int | None = None
) -> bool:
    """Give the entry new content; return whether anything changed. New content restores a retired entry.

    Raises StaleRevision where the entry is not at `expected_revision` any more.
    """
    expect(session, entry, expected_revision)
    changed = _apply(session, entry, content, author)
    session.flush()
    return changed


def retire(session: Session, entry: Entry, *, author: str) -> None:
    """Take the entry out of search, from the commit on; its text and revisions stay."""
    session.refresh(entry, with_for_update=True)
    if entry.retired_at is None:
        _record(session, entry, author, retired_at=utcnow())


def restore(session: Session, entry: Entry, *, author: str) -> None:
    """Bring a retired entry back."""
    session.refresh(entry, with_for_update=True)
    if entry.retired_at is not None:
        _record(session, entry, author, retired_at=None)


def stand_by(session: Session, entry: Entry, *, author: str) -> None:
    """Put on record that somebody read the entry and left it as it is."""
    session.refresh(entry, with_for_update=True)
    _record(session, entry, author, retired_at=entry.retired_at)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if q := wanted.get("q"):
        text = clean_text(q)
        fields = (Entry.question, Entry.answer, Entry.external_id)
        found.append(or_(*(field.icontains(text, autoescape=True) for field in fields)))
    for name in ("kind", "language", "audience", "owner", "source"):
        value = wanted.get(name)
        if value is not None:
            found.append(getattr(Entry, name) == value)
    if (tag := wanted.get("tag")) is not None:
        found.append(Entry.tags.contains([tag]))
    if (retired := wanted.get("retired", False)) is not None:
        found.append(Entry.retired_at.is_not(None) if retired else Entry.retired_at.is_(None))
    if (valid := wanted.get("valid")) is not None:
        found.append(valid_at(utcnow()) if valid else not_(valid_at(utcnow())))
    return found


def _row(content: EntryContent) -> dict[str, Any]:
    now = utcnow()
    extra = {"content_hash": content.content_hash, "revision": 1, "created_at": now, "updated_at": now}
    return {name: getattr(content, name) for name in EntryContent.model_fields} | extra


def _locked(session: Session, contents: Sequence[EntryContent]) -> dict[tuple[str, str], Entry]:
    """Return the stored entries of these contents, locked in the order of their ids, so that two imports of one file
    cannot wait for each other in a circle."""
    if not contents:
        return {}
    ids = {kind: [c.external_id for c in contents if c.kind == kind] for kind in {c.kind for c in contents}}
    conditions = (Entry.kind.__eq__(kind) & Entry.external_id.in_(names) for kind, names in ids.items())
    statement = select(Entry).where(or_(*conditions)).order_by(Entry.id).with_for_update()
    found = session.scalars(statement.execution_options(populate_existing=True))
    return {(entry.kind, entry.external_id): entry for entry in found}


def _apply(session: Session, entry: Entry, content: EntryContent, author: str) -> bool:
    if entry.content_hash == content.content_hash:
        return False
    for name in EntryContent.model_fields:
        setattr(entry, name, getattr(content, name))
    entry.content_hash = content.content_hash
    _record(session, entry, author, retired_at=None)
    return True


def _record(session: Session, entry: Entry, author: str, *, retired_at: datetime | None) -> None:
    entry.retired_at = retired_at
    entry.updated_at = utcnow()
    entry.revision += 1
    row = _revision(entry.id, entry.revision, content_of(entry), author)
    session.add(Revision(**row | {"data": row["data"] | {"retired": retired_at is not None}}))
    session.flush()


def _revision(entry_id: int, number: int, content: EntryContent, author: str) -> dict[str, Any]:
    return {
        "entry_id": entry_id,
        "number": number,
        "question": content.question,
        "answer": content.answer,
        "data": content.model_dump(mode="json", exclude={"question", "answer"}),
        "author": clean_text(author),
        "created_at": utcnow(),
    }

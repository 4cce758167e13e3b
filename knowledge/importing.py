"""Files into the knowledge, in batches, so that the size of a file does not matter: first a preview, then for real.

Knows no format: that is `importers`. Does not touch the search index: that is `indexing`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.changes import Change
from knowledge.entries import EntryContent, Kind
from knowledge.importers import LeftOut, Rejected, Row, UnreadableFile
from knowledge.importers.detection import Format
from knowledge.importers.reading import read
from knowledge.revisions import FieldChange, diff
from knowledge.tables import Entry

BATCH = 500
SHOWN = 1_000
"""How many changes a preview holds; the numbers count all."""
KEPT = ("audience", "owner", "review_on", "supersedes")
"""What maintainers set by hand: a row that does not speak of it leaves it as it is, and an internal entry internal."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class EntryChange:
    """What a row would do: a new entry has no `fields`; `restores` an entry that somebody had retired."""

    kind: Kind
    external_id: str
    question: str
    fields: list[FieldChange]
    restores: bool = False


@dataclass(frozen=True)
class Vanished:
    """An entry that came from this source and is not in it any more."""

    id: int
    kind: str
    external_id: str
    question: str


@dataclass
class ImportReport:
    """How many rows did (or would do) what; `rejected` says which were not taken in and why.

    `left_out` counts what was never meant to be an entry, by reason. `changes` are the first rows that add or change
    something, of a preview only. `vanished` are still there unless `retired` says how many were retired.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    changes: list[EntryChange] = field(default_factory=list)
    vanished: list[Vanished] = field(default_factory=list)
    retired: int = 0

    @property
    def rows(self) -> int:
        """How many rows were handled."""
        return self.added + self.changed + self.unchanged + len(self.rejected) + sum(self.left_out.values())

    @property
    def can_retire(self) -> bool:
        """Whether what vanished is known: a rejected row without an id may be any of the entries that are missing."""
        return all(row.id for row in self.rejected)


def preview(
    session: Session,
    rows: Iterable[Row],
    *,
    source: str | None,
    kind: Kind | None = None,
    progress: Progress | None = None,
    trial: list[Change] | None = None,
) -> ImportReport:
    """Tell what `apply` would do, and change nothing. What it would add and change goes to the end of `trial`."""
    report = ImportReport()
    seen: set[tuple[str, str]] = set()
    for batch in _batches(rows, report, seen):
        stored = _stored(session, batch)
        for content in batch:
            change = _foresee(stored.get((content.kind, content.external_id)), content, report)
            if trial is not None and change is not None:
                trial.append(change)
        _tell(progress, report)
    report.vanished = _vanished(session, source, kind, seen, report)
    return report


def apply(
    session: Session,
    rows: Iterable[Row],
    *,
    source: str | None,
    author: str,
    kind: Kind | None = None,
    retire_missing: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Store what an importer yields, keyed by (kind, id): the same rows again change nothing. Does not commit.

    Good rows go in whatever stands beside them. The entries belong to `source` from now on (None: to where they did).
    With `retire_missing` its other live entries (of that kind) are retired, unless a rejected row may be one of them
    (`can_retire`). `progress` is called with the number of rows handled so far; what it raises ends the import.
    """
    report = ImportReport()
    seen: set[tuple[str, str]] = set()
    session.flush()
    for batch in _batches(rows, report, seen):
        stored = _stored(session, batch)
        contents = [_kept(stored.get((content.kind, content.external_id)), content) for content in batch]
        for outcome in entries.put_many(session, contents, author=author):
            setattr(report, outcome, getattr(report, outcome) + 1)
        _claim(session, contents, source)
        _tell(progress, report)
    report.vanished = _vanished(session, source, kind, seen, report)
    if retire_missing and report.can_retire:
        report.retired = len(report.vanished)
        for gone in report.vanished:
            if (entry := entries.get(session, gone.id)) is not None:
                entries.retire(session, entry, author=author)
    return report


def import_files(
    session: Session,
    paths: Sequence[Path],
    *,
    author: str,
    kind: Kind | None = None,
    file_format: Format | None = None,
    source: str | None = None,
    retire_missing: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
    trial: list[Change] | None = None,
) -> ImportReport:
    """Import files and folders; each is a source of its own name unless `source` is given. `dry_run`: `preview` them.

    A file that cannot be read (on) is one more `Rejected`. Does not commit.
    """
    rows = {path: read(path, kind=kind, file_format=file_format) for path in paths}
    sources: dict[str, list[Iterator[Row]]] = {}
    for path, found in rows.items():
        sources.setdefault(source or path.name or path.resolve().name, []).append(found)
    total = ImportReport()
    before = total.rows

    def counted(done: int) -> None:
        if progress is not None:
            progress(before + done)

    for name, parts in sources.items():
        found = chain.from_iterable(parts)
        if dry_run:
            report = preview(session, found, source=name, kind=kind, progress=counted, trial=trial)
        else:
            report = apply(
                *(session, found),
                source=name,
                author=author,
                kind=kind,
                retire_missing=retire_missing,
                progress=counted,
            )
        _add(total, report)
        before = total.rows
    return total


def _add(total: ImportReport, report: ImportReport) -> None:
    for name in ("added", "changed", "unchanged", "retired"):
        setattr(total, name, getattr(total, name) + getattr(report, name))
    total.rejected += report.rejected
    total.changes += report.changes[: SHOWN - len(total.changes)]
    total.vanished += report.vanished
    total.left_out = dict(Counter(total.left_out) + Counter(report.left_out))


def _batches(rows: Iterable[Row], report: ImportReport, seen: set[tuple[str, str]]) -> Iterator[list[EntryContent]]:
    """Yield the entries in batches of distinct ids; what is none goes into the report, every id into `seen`."""
    batch: list[EntryContent] = []
    read_rows = 0
    try:
        for row in rows:
            read_rows += 1
            if isinstance(row, Rejected):
                report.rejected.append(row)
            elif isinstance(row, LeftOut):
                report.left_out[row.reason] = report.left_out.get(row.reason, 0) + 1
            elif (row.kind, row.external_id) in seen:
                reason = f'"id" {row.external_id} stood already in another file'
                report.rejected.append(Rejected(read_rows, reason, unit="entry", id=row.external_id))
            else:
                seen.add((row.kind, row.external_id))
                batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except UnreadableFile as error:
        report.rejected.append(Rejected(read_rows + 1, str(error)))
    yield batch


def _tell(progress: Progress | None, report: ImportReport) -> None:
    if progress is not None:
        progress(report.rows)


def _foresee(entry: Entry | None, content: EntryContent, report: ImportReport) -> Change | None:
    """Count what the row would do; note and return it where it would do something."""
    said = None if entry is None else entries.content_of(entry)
    wanted = _kept(entry, content)
    fields = [] if said is None else diff(said, wanted)
    if said is not None and not fields:
        report.unchanged += 1
        return None
    if said is None:
        report.added += 1
    else:
        report.changed += 1
    if len(report.changes) < SHOWN:
        restores = entry is not None and entry.retired_at is not None
        report.changes.append(EntryChange(wanted.kind, wanted.external_id, wanted.question, fields, restores))
    return Change(wanted, None if entry is None else entry.id)


def _kept(entry: Entry | None, content: EntryContent) -> EntryContent:
    """Return the row's content with what maintainers set by hand, where the row does not speak of it."""
    if entry is None:
        return content
    silent = [name for name in KEPT if name not in content.model_fields_set]
    kept: dict[str, Any] = {name: getattr(entry, name) for name in silent}
    return content.model_copy(update=kept)


def _stored(session: Session, contents: Sequence[EntryContent]) -> dict[tuple[str, str], Entry]:
    if not contents:
        return {}
    found = session.scalars(select(Entry).where(_any_of(contents)))
    return {(entry.kind, entry.external_id): entry for entry in found}


def _any_of(contents: Sequence[EntryContent]) -> ColumnElement[bool]:
    kinds = {content.kind for content in contents}
    return or_(
        *(
            and_(Entry.kind == kind, Entry.external_id.in_([c.external_id for c in contents if c.kind == kind]))
            for kind in sorted(kinds)
        )
    )


def _claim(session: Session, contents: Sequence[EntryContent], source: str | None) -> None:
    """Note where the entries come from; that is no change of what they say, nor of when they were last changed."""
    if contents and source is not None:
        moved = update(Entry).where(_any_of(contents), Entry.source.is_distinct_from(source))
        session.execute(moved.values(source=source, updated_at=Entry.updated_at))


def _vanished(
    session: Session, source: str | None, kind: Kind | None, seen: set[tuple[str, str]], report: ImportReport
) -> list[Vanished]:
    """Return the live entries of the source that were not in it; none where nothing in it could be read."""
    if not seen or source is None:
        return []
    columns = select(Entry.id, Entry.kind, Entry.external_id, Entry.question)
    statement = columns.where(Entry.source == source, Entry.retired_at.is_(None)).order_by(Entry.id)
    if kind is not None:
        statement = statement.where(Entry.kind == kind)
    rejected = {row.id for row in report.rejected}
    return [
        Vanished(*row)
        for row in session.execute(statement)
        if (row.kind, row.external_id) not in seen and row.external_id not in rejected
    ]

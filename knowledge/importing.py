"""Files into the knowledge and out again, in batches, so that the size of a file does not matter.

Knows no format: that is `importers`. Does not touch the search index: that is `indexing`.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent, Kind
from knowledge.importers import FIELDS, Rejected, UnreadableFile, jsonl
from knowledge.tables import Entry

BATCH = 500


@dataclass
class ImportReport:
    """How many rows did what; `rejected` says which were not taken in and why."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def import_files(
    session: Session,
    paths: Sequence[Path],
    *,
    kind: Kind | None = None,
    author: str,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Store what the JSON Lines files hold, keyed by (kind, id): the same file again changes nothing.

    Good rows go in whatever stands beside them; a file that cannot be read (on) is one more `Rejected`, with the line
    it was at. `progress` is called with the number of rows handled so far. Does not commit.
    """
    report = ImportReport()
    for path in paths:
        _import(session, path.name, jsonl.read(path, kind), report, author, progress)
    return report


def import_rows(
    session: Session, rows: Iterable[EntryContent | Rejected], *, author: str, name: str = ""
) -> ImportReport:
    """Store rows that an importer yields, for example from an upload called `name`; otherwise as `import_files`."""
    report = ImportReport()
    _import(session, name, rows, report, author, None)
    return report


def _import(
    session: Session,
    name: str,
    rows: Iterable[EntryContent | Rejected],
    report: ImportReport,
    author: str,
    progress: Callable[[int], None] | None,
) -> None:
    batch: list[EntryContent] = []
    read = 0

    def flush() -> None:
        for outcome in entries.put_many(session, batch, author=author):
            setattr(report, outcome, getattr(report, outcome) + 1)
        batch.clear()
        if progress is not None:
            progress(report.added + report.changed + report.unchanged + len(report.rejected))

    session.flush()
    try:
        for row in rows:
            read += 1
            if isinstance(row, Rejected):
                report.rejected.append(replace(row, file=name))
            else:
                batch.append(row)
            if len(batch) == BATCH:
                flush()
    except UnreadableFile as error:
        report.rejected.append(Rejected(read + 1, str(error), name))
    flush()


def export(session: Session, stream: TextIO, kind: Kind | None = None) -> int:
    """Write every live entry as a line of JSON in the form that `import_files` reads; return how many."""
    statement = select(Entry).where(Entry.retired_at.is_(None)).order_by(Entry.id)
    if kind is not None:
        statement = statement.where(Entry.kind == kind)
    count = 0
    for entry in session.scalars(statement.execution_options(yield_per=BATCH)):
        stream.write(json.dumps(_row(entry), ensure_ascii=False) + "\n")
        count += 1
    return count


def _row(entry: Entry) -> dict[str, Any]:
    content = entries.content_of(entry)
    document = content.model_dump(mode="json", exclude_defaults=True)
    return {name: document[field] for name, field in FIELDS[content.kind].items() if field in document}

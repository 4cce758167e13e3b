"""A folder of Markdown as the truth about the FAQ: what is in it is what the company says.

The other direction is `exporting.write_folder`. Past replies are no part of it. Session first; nothing here commits.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.changes import Change
from knowledge.entries import EntryContent
from knowledge.exporting import MARKDOWN
from knowledge.importers import LeftOut, Rejected, Row, UnreadableFile, markdown
from knowledge.importers.front_matter import split
from knowledge.importers.reading import files_below
from knowledge.importers.sources import decoded
from knowledge.importing import BATCH, EntryChange, ImportReport, Vanished
from knowledge.revisions import diff
from knowledge.tables import Entry


def sync(
    session: Session,
    folder: Path,
    *,
    author: str,
    retire_missing: bool = False,
    check: bool = False,
    trial: list[Change] | None = None,
) -> ImportReport:
    """Make the FAQ say what the folder says: a field that a file does not have is at its default.

    An entry that has a file and is retired comes back. Live FAQ entries without a file are `vanished`, and retired
    with `retire_missing` unless a file was rejected. `check` changes nothing. What is added
    and changed goes to the end of `trial`. Raises UnreadableFile where there is no
    such folder.
    """
    if not folder.is_dir():
        raise UnreadableFile(f"{folder} is no folder: make it with aspa knowledge export --format markdown.")
    report = ImportReport()
    wanted = _wanted(folder, report)
    stored = {entry.external_id: entry for entry in session.scalars(select(Entry).where(Entry.kind == "faq"))}
    for content in wanted.values():
        entry = stored.get(content.external_id)
        if _compare(entry, content, report) and trial is not None:
            trial.append(Change(content, None if entry is None else entry.id))
    report.vanished = [
        Vanished(entry.id, entry.kind, entry.external_id, entry.question)
        for entry in sorted(stored.values(), key=lambda entry: entry.external_id)
        if entry.retired_at is None and entry.external_id not in wanted
    ]
    if not check:
        _make_so(session, list(wanted.values()), stored, author)
        if retire_missing and not report.rejected:
            report.retired = len(report.vanished)
            for gone in report.vanished:
                entries.retire(session, stored[gone.external_id], author=author)
    return report


def drifted(report: ImportReport) -> bool:
    """Tell whether folder and knowledge differ, or a file cannot be used."""
    return bool(report.added or report.changed or report.vanished or report.rejected)


def _wanted(folder: Path, report: ImportReport) -> dict[str, EntryContent]:
    found: dict[str, EntryContent] = {}
    held: dict[str, str] = {}
    for path in files_below(folder, MARKDOWN):
        name = path.relative_to(folder).as_posix()
        for row in _read(path, name):
            if isinstance(row, Rejected):
                report.rejected.append(replace(row, file=name))
            elif isinstance(row, LeftOut):
                report.left_out[row.reason] = report.left_out.get(row.reason, 0) + 1
            elif row.external_id in found:
                reason = f'"id" {row.external_id} stands already in {held[row.external_id]}'
                report.rejected.append(Rejected(1, reason, name, id=row.external_id))
            else:
                found[row.external_id], held[row.external_id] = row, name
    return found


def _read(path: Path, name: str) -> Iterator[Row]:
    """Yield the file's entry; a file without a question, such as a README, is left out."""
    try:
        data = path.read_bytes()
        fields, _ = split(decoded(data))
        if fields.get("question"):
            yield from markdown.read(data, name, "faq")
        else:
            yield LeftOut("file without a question in its front matter")
    except UnreadableFile as error:
        yield Rejected(1, str(error))
    except OSError as error:
        yield Rejected(1, f"The file cannot be read ({error.strerror or error}): check its rights.")


def _compare(entry: Entry | None, content: EntryContent, report: ImportReport) -> bool:
    """Count the file in the report; return whether it would change anything."""
    fields = [] if entry is None else diff(entries.content_of(entry), content)
    restores = entry is not None and entry.retired_at is not None
    if entry is None:
        report.added += 1
    elif fields or restores:
        report.changed += 1
    else:
        report.unchanged += 1
        return False
    report.changes.append(EntryChange(content.kind, content.external_id, content.question, fields, restores))
    return True


def _make_so(session: Session, wanted: list[EntryContent], stored: dict[str, Entry], author: str) -> None:
    for start in range(0, len(wanted), BATCH):
        entries.put_many(session, wanted[start : start + BATCH], author=author)
    for content in wanted:
        entry = stored.get(content.external_id)
        if entry is not None and entry.retired_at is not None:
            entries.restore(session, entry, author=author)

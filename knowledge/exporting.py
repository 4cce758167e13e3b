"""The knowledge out of the database: as JSON Lines, as CSV, or as a folder of Markdown with one file per FAQ entry.

Equal knowledge gives equal bytes, whatever the order in which it was written. What is exported can be imported, and is
then the same again. Retired entries stay behind.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge.database import clean_text
from knowledge.entries import EntryContent, Kind, content_of
from knowledge.importers import FIELDS, UnreadableFile
from knowledge.importers.front_matter import joined, split
from knowledge.importers.reading import files_below
from knowledge.importers.sources import decoded, slug
from knowledge.importers.tabular import LISTS, harmless, list_cell
from knowledge.tables import Entry

ExportFormat = Literal["jsonl", "csv", "markdown"]
MARKDOWN = (".md", ".markdown")
_BATCH = 500
_COLUMNS = ("kind", *FIELDS["faq"])
# What may be a file's name as it is. Anything else, or what looks like a name with a digest, gets a digest.
_CLEAN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9])?){0,5}")
_UNCLEAN = re.compile(r"-[0-9a-f]{12}$|\.(?:md|markdown)(?:/|$)|(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|/|$)")


def write(session: Session, stream: TextIO, file_format: Literal["jsonl", "csv"], kind: Kind | None = None) -> int:
    """Write every live entry (of that kind), sorted by kind and id; return how many. Open CSV with newline=""."""
    contents = _live(session, kind)
    return _write_csv(stream, contents) if file_format == "csv" else _write_jsonl(stream, contents)


def write_file(session: Session, path: Path, file_format: Literal["jsonl", "csv"], kind: Kind | None = None) -> int:
    """`write` to a file, gzipped where its name ends in .gz, or to standard output where it is "-".

    The file is there whole or as it was before. CSV begins with the mark by which spreadsheets know UTF-8.
    """
    if str(path) == "-":
        return write(session, sys.stdout, file_format, kind)
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                    count = write_stream(session, cast("BinaryIO", packed), file_format, kind)
            else:
                count = write_stream(session, file, file_format, kind)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return count


def write_stream(session: Session, stream: BinaryIO, file_format: ExportFormat, kind: Kind | None = None) -> int:
    """Write to a stream of bytes, which is left open; Markdown as an archive (zip) of the FAQ, a file per entry."""
    if file_format == "markdown":
        return _write_archive(stream, _live(session, "faq"))
    text = io.TextIOWrapper(stream, encoding="utf-8-sig" if file_format == "csv" else "utf-8", newline="")
    try:
        return write(session, text, file_format, kind)
    finally:
        text.flush()
        text.detach()


def _write_archive(stream: BinaryIO, contents: Iterator[EntryContent]) -> int:
    count = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for count, content in enumerate(contents, 1):  # noqa: B007
            archive.writestr(zipfile.ZipInfo(file_name(content.external_id)), render(content), zipfile.ZIP_DEFLATED)
    return count


def _live(session: Session, kind: Kind | None) -> Iterator[EntryContent]:
    statement = select(Entry).where(Entry.retired_at.is_(None)).order_by(Entry.kind, Entry.external_id.collate("C"))
    if kind is not None:
        statement = statement.where(Entry.kind == kind)
    for entry in session.scalars(statement.execution_options(yield_per=_BATCH)):
        yield content_of(entry)


def _write_jsonl(stream: TextIO, contents: Iterator[EntryContent]) -> int:
    count = 0
    for count, content in enumerate(contents, 1):  # noqa: B007 (the last one is how many)
        stream.write(json.dumps(_row(content), ensure_ascii=False) + "\n")
    return count


def _row(content: EntryContent) -> dict[str, Any]:
    """Return the fields that are not at their default, by the names that files have for them."""
    document = content.model_dump(mode="json", exclude_defaults=True)
    return {name: document[field] for name, field in FIELDS[content.kind].items() if field in document}


def _write_csv(stream: TextIO, contents: Iterator[EntryContent]) -> int:
    """Write one table for both kinds. Every cell is quoted: no sign within it can begin another one."""
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    count = 0
    for count, content in enumerate(contents, 1):  # noqa: B007
        document = _readable(content) | {"id": content.external_id}
        writer.writerow([_cell(name, document.get(name)) for name in _COLUMNS])
    return count


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    return harmless(list_cell(value, LISTS[name]) if name in LISTS else str(value))


def _readable(content: EntryContent) -> dict[str, Any]:
    """Return the fields that are not at their default; midnight as a day, as people write it."""
    document = content.model_dump(mode="json", exclude_defaults=True)
    for name, moment in (("valid_from", content.valid_from), ("sent_at", content.sent_at)):
        if moment is not None and moment.timetz() == time(tzinfo=UTC):
            document[name] = moment.date().isoformat()
    if content.valid_until is not None:
        document["valid_until"] = _last_day(content.valid_until) or document["valid_until"]
    return document


def _last_day(end: datetime) -> str | None:
    """Return the last day on which what ends then is valid, where it ends with a day."""
    if end.timetz() != time(tzinfo=UTC) or end.date() == date.min:
        return None
    return (end.date() - timedelta(days=1)).isoformat()


@dataclass
class FolderReport:
    """What was done to a folder: names of files, relative to it.

    `stale` are files of entries that are retired: they are `removed` only where that was asked for.
    """

    written: list[str] = field(default_factory=list)
    unchanged: int = 0
    stale: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def write_folder(session: Session, folder: Path, *, prune: bool = False) -> FolderReport:
    """Write every live FAQ entry to a Markdown file of its own, where it already has one to that.

    Only files whose bytes change are touched, each at once or not at all. Files that hold no entry, or one that the
    knowledge has never seen, are left alone; `prune` removes those of retired entries.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = held_by(folder)
    report = FolderReport()
    for content in _live(session, "faq"):
        path = held.get(content.external_id) or _new_path(folder, content.external_id)
        data = render(content).encode()
        if path.is_file() and path.read_bytes() == data:
            report.unchanged += 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        draft.write_bytes(data)
        draft.replace(path)
        report.written.append(path.relative_to(folder).as_posix())
    retired = select(Entry.external_id).where(Entry.kind == "faq", Entry.retired_at.is_not(None))
    for external_id in sorted(set(session.scalars(retired)) & held.keys()):
        path = held[external_id]
        if prune:
            path.unlink()
        (report.removed if prune else report.stale).append(path.relative_to(folder).as_posix())
    return report


def render(content: EntryContent) -> str:
    """Return a FAQ entry as the Markdown file that `importers.markdown` reads."""
    document = _readable(content)
    names = {name: field for name, field in FIELDS["faq"].items() if field in document and name != "answer"}
    fields: Mapping[str, str | Sequence[str]] = {name: document[field] for name, field in names.items()}
    return joined(fields, content.answer)


def held_by(folder: Path) -> dict[str, Path]:
    """Return the file of every entry in the folder, by its id; files without a question hold none."""
    found: dict[str, Path] = {}
    for path in files_below(folder, MARKDOWN):
        try:
            fields, _ = split(decoded(path.read_bytes()))
        except UnreadableFile:
            continue  # `syncing` names it
        if fields.get("question"):
            found.setdefault(clean_text(str(fields.get("id") or id_of(folder, path))).strip(), path)
    return found


def id_of(folder: Path, path: Path) -> str:
    """Return the id of an entry whose file does not say it: its path in the folder without the ending."""
    return path.relative_to(folder).with_suffix("").as_posix()


def _new_path(folder: Path, external_id: str) -> Path:
    path = folder / file_name(external_id)
    inside = path.resolve().is_relative_to(folder.resolve())  # a link in the folder may lead out of it
    if inside and not path.exists():
        return path
    return folder / _with_digest(external_id)


def file_name(external_id: str) -> str:
    """Return the file's name, relative to the folder: the id itself where every system can have it as one."""
    if _CLEAN.fullmatch(external_id) and not _UNCLEAN.search(external_id):
        return f"{external_id}.md"
    return _with_digest(external_id)


def _with_digest(external_id: str) -> str:
    digest = hashlib.blake2b(external_id.encode(), digest_size=6).hexdigest()
    return f"{slug(external_id, 60) or 'entry'}-{digest}.md"

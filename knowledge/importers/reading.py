"""A file or a folder → what stands in it, whatever the formats are. A file that cannot be read never stops the others.

Knows where files are and which importer reads which; no format itself, and no database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from knowledge.entries import EntryContent, Kind
from knowledge.importers import (
    Rejected,
    Row,
    UnreadableFile,
    chatwoot,
    contents,
    csv,
    html,
    intercom,
    jsonl,
    markdown,
    xlsx,
    zendesk,
)
from knowledge.importers.detection import LISTS, SUFFIXES, Format, detect
from knowledge.importers.records import load, numbered, under
from knowledge.importers.sources import unpacked, whole


def read(path: Path, *, kind: Kind | None = None, file_format: Format | None = None, name: str = "") -> Iterator[Row]:
    """Yield what stands in the file, or in the files of known names below the folder in the order of their paths.

    `name` is what people call the file or folder (by default its own name): ids of pages are made of it, and a
    `Rejected` carries it. A file that cannot be read (on) is one more `Rejected`, on the row where that showed.
    """
    name = name or path.name or path.resolve().name
    if not path.is_dir():
        yield from _file(path, name, kind, file_format)
        return
    files = files_below(path)
    if not files:
        endings = ", ".join(sorted(SUFFIXES))
        yield Rejected(1, f"The folder holds no file that can be imported ({endings} or .json).", name, "file")
    seen: dict[tuple[str, str], str] = {}
    for file in files:
        known_as = f"{name}/{file.relative_to(path).as_posix()}"
        for number, row in enumerate(_file(file, known_as, kind, file_format), 1):
            if isinstance(row, EntryContent):
                first = seen.setdefault((row.kind, row.external_id), known_as)
                if first != known_as:
                    reason = f'"id" {row.external_id} stood already in {first}'
                    yield Rejected(number, reason, known_as, "entry", row.external_id)
                    continue
            yield row


def files_below(folder: Path, suffixes: Sequence[str] = (*SUFFIXES, ".json")) -> list[Path]:
    """Return the files with one of these endings, sorted; hidden ones and links out of the folder are passed over."""
    root = folder.resolve()
    return sorted(
        path
        for path in folder.rglob("*")
        if Path(path.name.removesuffix(".gz")).suffix.lower() in suffixes
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.resolve().is_relative_to(root)
    )


def _file(path: Path, name: str, kind: Kind | None, file_format: Format | None) -> Iterator[Row]:
    count = 0
    try:
        with path.open("rb") as file:
            for row in read_file(file, name, kind=kind, file_format=file_format):
                count += 1
                yield replace(row, file=name) if isinstance(row, Rejected) else row
    except UnreadableFile as error:
        yield Rejected(count + 1, str(error), name)
    except OSError as error:
        yield Rejected(1, f"The file cannot be read ({error.strerror or error}): check its name and rights.", name)


def read_file(
    file: BinaryIO, name: str, *, kind: Kind | None = None, file_format: Format | None = None
) -> Iterator[Row]:
    """Yield what stands in one open file that can be wound back; its format is found out where it is not given.

    Raises UnreadableFile.
    """
    match file_format or detect(file, name):
        case "jsonl":
            yield from jsonl.read(file, kind)
        case "json":
            yield from contents(numbered(under(load(file), *LISTS), "item"), kind, unit="item")
        case "csv":
            yield from csv.read(file, name.removesuffix(".gz"), kind)
        case "xlsx":
            yield from xlsx.read(file, name, kind)
        case "markdown":
            yield from markdown.read(_whole(file), name, kind)
        case "html":
            yield from html.read(_whole(file), name)
        case "zendesk":
            yield from zendesk.read(file)
        case "chatwoot":
            yield from chatwoot.read(file)
        case "intercom":
            yield from intercom.read(file)


def _whole(file: BinaryIO) -> bytes:
    with unpacked(file) as stream:
        return whole(stream)

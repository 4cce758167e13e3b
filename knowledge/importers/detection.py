"""Which format a file has, by what is in it; its name is asked only where the content does not tell."""

import json
import re
from pathlib import PurePath
from typing import Any, BinaryIO, Literal, get_args

from knowledge.importers import UnreadableFile, csv, jsonl, tabular
from knowledge.importers.records import under
from knowledge.importers.sources import MAX_DOCUMENT, Bytes, unpacked

Format = Literal["jsonl", "json", "csv", "xlsx", "markdown", "html", "zendesk", "chatwoot", "intercom"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
LISTS = ("articles", "tickets", "payload", "data.payload", "data", "conversations", "results", "entries")
"""Where the list of records stands in the exports that we know."""
_START = 1 << 16
_OLE = b"\xd0\xcf\x11\xe0"
_HEADING = re.compile(r"^#{1,6}\s|^[^\n]+\n(?:=+|-+)\s*$", re.MULTILINE)


def detect(file: BinaryIO, name: str) -> Format:
    """Return the format of the file, which may be gzipped; goes back to its start.

    Raises UnreadableFile where it is empty, binary, or like nothing that can be read.
    """
    file.seek(0)
    try:
        with unpacked(file) as stream:
            return _detect(stream, PurePath(name.removesuffix(".gz")).suffix.lower())
    finally:
        file.seek(0)


def _detect(file: Bytes, suffix: str) -> Format:
    start = file.read(_START)
    if start.startswith((b"PK", _OLE)):
        return "xlsx"
    if not start.strip():
        raise UnreadableFile("The file is empty.")
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile("The file is no text but binary, whatever its name says: choose another.")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _json(start, file, suffix)
    return _text(start, suffix)


def _text(start: bytes, suffix: str) -> Format:
    named = SUFFIXES.get(suffix)
    if named in ("csv", "markdown", "jsonl"):
        return named
    text = start.decode("utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    if named == "html" or text.lstrip().startswith("<"):
        return "html"
    if text.startswith(("---\n", "---\r\n")):
        return "markdown"
    line = text.splitlines()[0] if text else ""
    try:
        tabular.fields_of(line.replace('"', "").split(csv.delimiter(line)))
    except UnreadableFile:
        if _HEADING.search(text):
            return "markdown"
        raise UnreadableFile("The format is not recognised: name it with --format (format= over HTTP).") from None
    return "csv"


def _json(start: bytes, file: Bytes, suffix: str) -> Format:
    """Tell by the first line, where that is an object of its own, else by the whole document."""
    line, newline, _ = start.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        return _shape(jsonl.json_object(line.strip()), lines=True)
    except ValueError:
        pass
    if newline and suffix in (".jsonl", ".ndjson") and line[:1] == b"{":
        return "jsonl"
    try:
        document = json.loads((start + file.read(MAX_DOCUMENT)).decode("utf-8-sig"))
    except (ValueError, RecursionError):  # UnicodeDecodeError is one
        return "jsonl"  # the lines that can be read go in, the others are named
    return _shape(document, lines=False)


def _shape(document: Any, *, lines: bool) -> Format:
    """Tell whose export this is by the names that only that product uses."""
    records = under(document, *LISTS)
    first = next((record for record in records if isinstance(record, dict)), {})
    if {"question", "answer"} & first.keys() or {"customer", "reply"} <= first.keys():
        return "jsonl" if lines else "json"
    if first.get("type") == "article" or "translated_content" in first or "workspace_id" in first:
        return "intercom"
    if "comments" in first or "ticket" in first or {"title", "body"} <= first.keys() or "requester_id" in first:
        return "zendesk"
    if "messages" in first or "message_type" in first or {"title", "content"} <= first.keys():
        return "chatwoot"
    if lines or not records:
        return "jsonl"
    raise UnreadableFile("The JSON is of no export that is known: name its product with --format, or make JSON Lines.")

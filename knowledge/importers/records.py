"""JSON exports of help centres → their records, whatever they are wrapped in. Knows no product."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

from knowledge.importers import Rejected, UnreadableFile, jsonl
from knowledge.importers.sources import unpacked, whole

MAX_RECORD = 16 << 20
"""Bytes of one record where each stands on a line of its own: a ticket holds all of its comments."""
LANGUAGES = ("fi", "en")

Record = dict[str, Any]


def load(file: BinaryIO) -> Any:
    """Return the JSON document, or the list of records where one stands on each line, gzipped or not.

    Raises UnreadableFile where it is neither.
    """
    with unpacked(file) as stream:
        data = whole(stream)
    if not data.strip():
        raise UnreadableFile("The file is empty.")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableFile("The file is not UTF-8: save it as UTF-8.") from error
    except (ValueError, RecursionError):
        pass
    found = list(jsonl.rows(io.BytesIO(data), longest=MAX_RECORD))
    if not found or isinstance(found[0][1], Rejected):
        raise UnreadableFile("The file is no JSON that can be read: export it again.")
    return [row for _, row in found]


def under(document: Any, *paths: str) -> list[Any]:
    """Return the list of records under the first of these names ("data.payload"), or the document if it is a list.

    A single record that is none of those becomes a list of one.
    """
    for path in paths:
        value = document
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, list):
            return value
    return document if isinstance(document, list) else [document]


def text(record: Any, *names: str) -> str:
    """Return the first of these fields that holds text, "" where none does."""
    for name in names:
        value = record.get(name) if isinstance(record, Mapping) else None
        if isinstance(value, str) and value.strip():
            return value
    return ""


def identity(record: Any, name: str = "id") -> str | None:
    """Return an id, a number or a text, as text."""
    value = record.get(name) if isinstance(record, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    return str(value)[:200] if isinstance(value, str) or abs(value) < 10**18 else None


def texts(value: Any) -> list[str]:
    """Return the texts of a list, and the names of the objects in it."""
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    return [
        found for item in items if (found := item.strip() if isinstance(item, str) else text(item, "name", "title"))
    ]


def language(value: Any) -> str | None:
    """Return "fi" of "fi-FI"; a language that is not ours comes back as it is and is refused with its name."""
    if not isinstance(value, str) or not value.strip():
        return None
    short = value.strip().lower().replace("_", "-").split("-")[0]
    return short if short in LANGUAGES else value.strip()[:20]


def moment(value: Any) -> datetime | None:
    """Return a time that is written as ISO text or as seconds since 1970; None where it is neither."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            found = datetime.fromtimestamp(int(value), UTC) if value.isdecimal() else datetime.fromisoformat(value)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def numbered(records: Sequence[Any], unit: str) -> Iterator[tuple[int, Record | Rejected]]:
    """Yield the records with their numbers from 1; one that is no object is rejected."""
    for number, record in enumerate(records, 1):
        if isinstance(record, Rejected | dict):
            yield number, record
        else:
            yield number, Rejected(number, "not a JSON object", unit=unit)

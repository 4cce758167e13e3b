"""Files → entries: one module per format, and what they share: how a row becomes an entry or a reason why not.

They store nothing. A bad row never stops the good ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from knowledge.database import clean_text
from knowledge.entries import EntryContent, Kind

_WRITTEN: dict[Kind, tuple[str, str]] = {"faq": ("question", "answer"), "past_reply": ("customer", "reply")}
_OTHERS = [name for name in EntryContent.model_fields if name not in ("kind", "external_id", "question", "answer")]

FIELDS: dict[Kind, dict[str, str]] = {
    kind: {"id": "external_id", question: "question", answer: "answer"} | {name: name for name in _OTHERS}
    for kind, (question, answer) in _WRITTEN.items()
}
"""The name of each field in a file → its name in `EntryContent`."""

KINDS: tuple[Kind, ...] = ("past_reply", "faq")
REQUIRED: dict[Kind, tuple[str, ...]] = {"faq": ("id", "question", "answer"), "past_reply": ("id", "customer", "reply")}

_SHAPES = {
    "string_type": "must be text",
    "list_type": "must be a list",
    "string_too_short": "is empty",
    "too_long": "has too many items",
}


@dataclass(frozen=True)
class Rejected:
    """A row that was not taken in: its line (from 1), why, and the file it stood in where several are read.

    `unit` says what is counted where the format has no lines: rows of a sheet, articles of an export. `id` is the id
    that the row wanted to be, where that can be read: its entry has not vanished.
    """

    line: int
    reason: str
    file: str = ""
    unit: str = "line"
    id: str = field(default="", compare=False)


@dataclass(frozen=True)
class LeftOut:
    """Something that is no entry and was never meant to be one, such as a private note: it is only counted."""

    reason: str


Row = EntryContent | Rejected | LeftOut
"""What an importer yields."""


class UnreadableFile(Exception):  # noqa: N818 (a state, as callers say it)
    """A file cannot be read on from here. The message is a sentence that says why."""


def contents(
    rows: Iterable[tuple[int, Mapping[str, Any] | Rejected | LeftOut]], kind: Kind | None = None, *, unit: str = "line"
) -> Iterator[Row]:
    """Yield an entry, or the reason why not, for each numbered row with the file's own field names.

    An id that stood on an earlier row is rejected: the two would overwrite each other.
    """
    seen: dict[tuple[str, str], int] = {}
    for number, row in rows:
        if isinstance(row, Rejected | LeftOut):
            yield row
            continue
        try:
            content = content_from_row(row, kind)
        except ValueError as error:
            yield Rejected(number, str(error), unit=unit, id=_id(row))
            continue
        earlier = seen.setdefault((content.kind, content.external_id), number)
        again = Rejected(number, f'"id" stood already on {unit} {earlier}', unit=unit, id=content.external_id)
        yield content if earlier == number else again


def _id(row: Mapping[str, Any]) -> str:
    written = row.get("id")
    return clean_text(written).strip() if isinstance(written, str) else ""


def content_from_row(row: Mapping[str, Any], kind: Kind | None) -> EntryContent:
    """Return the entry that a row with the file's own field names describes; a field that is null counts as missing.

    The kind, where not given, follows from the fields. Raises ValueError with the reason.
    """
    row = {name: value for name, value in row.items() if value is not None}
    kind = kind or _kind(row)
    missing = [f'"{name}"' for name in REQUIRED[kind] if name not in row]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing")
    names = FIELDS[kind]
    try:
        return EntryContent.model_validate({"kind": kind} | {names[n]: v for n, v in row.items() if n in names})
    except ValidationError as error:
        written = {field: name for name, field in names.items()}
        raise ValueError("; ".join(_reason(detail, written) for detail in error.errors())) from None


def _kind(row: Mapping[str, Any]) -> Kind:
    for enough in (all, any):
        for kind in KINDS:
            if enough(name in row for name in REQUIRED[kind][1:]):
                return kind
    raise ValueError('neither a FAQ entry ("question" and "answer") nor a past reply ("customer" and "reply")')


def _reason(detail: ErrorDetails, written: Mapping[str, str]) -> str:
    """Say what is wrong with one field, in the file's own words."""
    place = str(detail["loc"][0]) if detail["loc"] else ""
    item = f" (item {int(detail['loc'][1]) + 1})" if len(detail["loc"]) > 1 else ""
    name = f'"{written.get(place, place)}"{item} ' if place else ""
    match detail["type"]:
        case "string_too_long" | "too_long" if isinstance(detail["input"], str):
            text = f"is longer than {detail['ctx']['max_length']:,} characters"
        case "literal_error":
            text = f"must be {detail['ctx']['expected']}"
        case "value_error":
            text = str(detail["ctx"]["error"])
        case kind:
            text = _SHAPES.get(kind, detail["msg"])
    return name + text

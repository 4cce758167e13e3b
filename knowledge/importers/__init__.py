"""Files → entries: one module per format, and what they share: how a row becomes an entry or a reason why not.

They store nothing. A bad row never stops the good ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from knowledge.entries import EntryContent, Kind

FIELDS: dict[Kind, dict[str, str]] = {
    "faq": {
        "id": "external_id",
        "question": "question",
        "answer": "answer",
        "language": "language",
        "url": "url",
        "tags": "tags",
        "valid_from": "valid_from",
        "valid_until": "valid_until",
        "alternatives": "alternatives",
    },
    "past_reply": {
        "id": "external_id",
        "customer": "question",
        "reply": "answer",
        "language": "language",
        "channel": "channel",
        "sent_at": "sent_at",
    },
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
    """A row that was not taken in: its line (from 1), why, and the file it stood in where several are read."""

    line: int
    reason: str
    file: str = ""


class UnreadableFile(Exception):  # noqa: N818 (a state, as callers say it)
    """A file cannot be read on from here. The message is a sentence that says why."""


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
    field = str(detail["loc"][0]) if detail["loc"] else ""
    item = f" (item {int(detail['loc'][1]) + 1})" if len(detail["loc"]) > 1 else ""
    name = f'"{written.get(field, field)}"{item} ' if field else ""
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

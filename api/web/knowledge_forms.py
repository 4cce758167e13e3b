"""The form of an entry: what a maintainer types ⇄ what an entry says.

What nobody touched stays as it is stored, to the letter, even where the form cannot show it exactly (an alternative
with a line break, a comma in a tag). It knows neither requests nor HTML nor the database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from secrets import token_hex
from typing import Any
from unicodedata import normalize

from pydantic import BaseModel, ValidationError

from api.web.rendering import is_web_address
from knowledge.entries import EntryContent

LINES = ("alternatives",)
LISTS = ("tags", "supersedes")
MUST = ("kind", "question", "answer", "audience")
_WORDS_IN_ID = 5
_LETTERS_OF_WORD = 20


class EntryForm(BaseModel):
    """The fields of the form as they were typed."""

    kind: str = "faq"
    external_id: str = ""
    question: str = ""
    answer: str = ""
    alternatives: str = ""
    language: str = ""
    url: str = ""
    tags: str = ""
    channel: str = ""
    audience: str = "public"
    valid_from: str = ""
    valid_until: str = ""
    owner: str = ""
    review_on: str = ""
    supersedes: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a field cannot be used: `why` chooses the words, `limit` is the number in them, `detail` our own sentence."""

    field: str
    why: str
    limit: int | None = None
    detail: str = ""


def as_typed(content: EntryContent) -> EntryForm:
    """Return the form filled in with what an entry says."""
    values = content.model_dump()
    return EntryForm(**{name: _shown(name, values[name]) for name in EntryForm.model_fields})


def read(form: EntryForm, before: EntryContent | None = None) -> EntryContent | tuple[Problem, ...]:
    """Return what the form says, or every reason why it cannot be stored.

    `before` is what the entry says now: fields that show the same are taken from it unchanged, and so are those that
    the form does not have.
    """
    shown = as_typed(before) if before is not None else EntryForm()
    values: dict[str, Any] = before.model_dump() if before is not None else {}
    problems: list[Problem] = []
    for name in EntryForm.model_fields:
        text = _lines_joined(getattr(form, name))
        if before is not None and text == _lines_joined(getattr(shown, name)):
            continue
        values[name] = _read(name, text)
        if name == "url" and values[name] and not is_web_address(values[name]):
            problems.append(Problem("url", "address"))
    try:
        content = EntryContent.model_validate(values)
    except ValidationError as error:
        problems += [_problem(dict(one)) for one in error.errors()]
        return tuple({problem.field: problem for problem in reversed(problems)}.values())[::-1]
    return tuple(problems) or content


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in LINES:
        return "\n".join(" ".join(line.split()) for line in value)
    if name in LISTS:
        return ", ".join(value)
    if isinstance(value, datetime):
        return _moment(name, value)
    return str(value)


def _moment(name: str, value: datetime) -> str:
    """Return a whole day as the day (an end is shown as the last day that counts), else the moment in full."""
    utc = value.astimezone(UTC)
    if utc.time() != time():
        return utc.isoformat()
    return ((utc - timedelta(days=1)) if name == "valid_until" else utc).date().isoformat()


def _read(name: str, text: str) -> Any:
    if name in LINES:
        return list(dict.fromkeys(line.strip() for line in text.split("\n") if line.strip()))
    if name in LISTS:
        parts = text.replace("\n", ",").split(",")
        return list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    return text if name in MUST or text.strip() else None


def _lines_joined(text: str) -> str:
    """Forms write line ends as CRLF."""
    return text.replace("\r\n", "\n")


def _problem(error: Mapping[str, Any]) -> Problem:
    field = str(error["loc"][0]) if error["loc"] else ""
    message, limits = str(error["msg"]).removeprefix("Value error, "), error.get("ctx", {})
    if not field:  # what concerns two fields is said of the one that is likelier to be wrong
        field, why = ("valid_until", "order") if "valid_until" in message else ("supersedes", "itself")
        return Problem(field, why)
    if field in ("valid_from", "valid_until", "review_on"):
        return Problem(field, "date")
    if error["type"] in ("missing", "string_too_short", "too_short") or (
        error["type"] == "string_type" and error["input"] is None
    ):
        return Problem(field, "missing")
    if error["type"] in ("string_too_long", "too_long"):
        many = isinstance(error["input"], list)
        return Problem(field, "many" if many else "long", limits["max_length"])
    return Problem(field, "other", detail=message)


def new_id(question: str) -> str:
    """Return an id for a new entry: the first words of the question, for people, and a part that nobody else has."""
    plain = normalize("NFKD", question).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())[:_WORDS_IN_ID]
    return "-".join([*(word[:_LETTERS_OF_WORD] for word in words), token_hex(3)])

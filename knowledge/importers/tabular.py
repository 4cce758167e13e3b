"""Cells under a header → the named fields of a row: what CSV and spreadsheets share.

Knows the header's words in English and Finnish and how people write lists, days and languages in a cell; no file.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from knowledge.entries import Kind
from knowledge.importers import FIELDS, Rejected, Row, UnreadableFile, contents
from knowledge.importers.sources import slug

UNIT = "row"
LISTS: Mapping[str, str] = {"tags": ",;\n", "alternatives": "|\n", "supersedes": ",;\n"}
"""The fields that hold several texts, and what separates them in a cell; JSON lists are read too."""

_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "external id", "tunnus", "tunniste", "numero", "nro"),
    "kind": ("kind", "type", "tyyppi", "laji"),
    "question": ("question", "q", "title", "kysymys", "otsikko"),
    "answer": ("answer", "a", "vastaus"),
    "customer": ("customer", "customer message", "message", "asiakas", "asiakkaan viesti", "viesti"),
    "reply": ("reply", "agent reply", "response", "vastausviesti", "asiakaspalvelijan vastaus"),
    "language": ("language", "lang", "locale", "kieli"),
    "url": ("url", "link", "address", "linkki", "osoite"),
    "tags": ("tags", "tag", "labels", "tunnisteet", "avainsanat", "asiasanat"),
    "alternatives": ("alternatives", "other wordings", "muut muotoilut", "vaihtoehdot", "muut sanamuodot"),
    "channel": ("channel", "kanava"),
    "sent_at": ("sent at", "sent", "lähetetty", "lähetysaika"),
    "valid_from": ("valid from", "voimassa alkaen", "alkaa"),
    "valid_until": ("valid until", "valid to", "voimassa asti", "päättyy"),
    "audience": ("audience", "yleisö", "kohderyhmä"),
    "owner": ("owner", "omistaja", "vastuuhenkilö"),
    "review_on": ("review on", "review date", "tarkistuspäivä", "tarkistettava"),
    "supersedes": ("supersedes", "korvaa"),
}
_FIELD = {word: field for field, words in _COLUMNS.items() for word in words}
_LANGUAGES = {
    **dict.fromkeys(("fi", "fin", "suomi", "finnish"), "fi"),
    **dict.fromkeys(("en", "eng", "englanti", "english"), "en"),
}
_KINDS: dict[str, Kind] = {"faq": "faq", "past_reply": "past_reply", "ukk": "faq", "past reply": "past_reply"}
_BLANK = " \t\r\n\xa0"
_DAYS = ("valid_from", "valid_until", "review_on", "sent_at")
_FINNISH_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})$")
# A spreadsheet takes such a cell for a formula, full-width signs included.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def harmless(cell: str) -> str:
    """Return what to write into a cell so that no spreadsheet takes it for a formula; `as_written` undoes it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def as_written(cell: str) -> str:
    """Return the cell without the apostrophe that `harmless` put before it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def fields_of(header: Sequence[str]) -> dict[int, str]:
    """Return which column holds which field; columns with other names are passed over.

    Raises UnreadableFile where the columns do not make an entry.
    """
    fields: dict[int, str] = {}
    for number, cell in enumerate(header):
        field = _FIELD.get(re.sub(r"[\s_-]+", " ", as_written(cell)).strip().casefold())
        if field is not None and field not in fields.values():
            fields[number] = field
    found = set(fields.values())
    if "customer" in found and "reply" not in found:  # "asiakas;vastaus": the answer of a past reply is the reply
        fields = {number: "reply" if field == "answer" else field for number, field in fields.items()}
        found = set(fields.values())
    if not ({"question", "answer"} <= found or {"customer", "reply"} <= found):
        names = ", ".join(cell.strip()[:40] for cell in header[:20] if cell.strip()) or "none"
        needs = "question and answer (kysymys, vastaus) or customer and reply (asiakas, vastaus)"
        raise UnreadableFile(f"The columns are not known: found: {names}; needs: {needs}.")
    return fields


def read(rows: Iterable[tuple[int, Sequence[str] | Rejected]], name: str, kind: Kind | None) -> Iterator[Row]:
    """Yield what the numbered rows hold; the first one that is not blank is the header.

    A sheet without a column of ids gets them from its name and the question, so that the same question is the same
    entry next time. Raises UnreadableFile where the header cannot be used.
    """
    yield from contents(_named(rows, name, kind), kind, unit=UNIT)


def _named(
    rows: Iterable[tuple[int, Sequence[str] | Rejected]], name: str, kind: Kind | None
) -> Iterator[tuple[int, dict[str, Any] | Rejected]]:
    fields: dict[int, str] | None = None
    for number, cells in rows:
        if isinstance(cells, Rejected):
            yield number, cells
        elif any(cell.strip() for cell in cells):
            if fields is None:
                fields = fields_of(cells)
                continue
            row = {field: as_written(cells[at]) for at, field in fields.items() if at < len(cells)}
            try:
                yield number, _row(row, kind, name, with_ids="id" in fields.values())
            except ValueError as error:
                yield number, Rejected(number, str(error), unit=UNIT)
    if fields is None:
        raise UnreadableFile("The file is empty: there is no header.")


def _row(cells: Mapping[str, str], kind: Kind | None, name: str, *, with_ids: bool) -> dict[str, Any]:
    row: dict[str, Any] = {field: text for field, text in cells.items() if text.strip(_BLANK)}
    kind = kind or _kind(row.pop("kind", None))
    if kind is not None:  # one sheet for both kinds has one pair of columns
        here, there = FIELDS[kind], FIELDS["faq" if kind == "past_reply" else "past_reply"]
        names = {written: next(w for w, f in here.items() if f == field) for written, field in there.items()}
        row = {names.get(field, field) if field not in here else field: text for field, text in row.items()}
    row |= {field: _list(row[field], separators) for field, separators in LISTS.items() if field in row}
    row |= {field: _day(row[field]) for field in _DAYS if field in row}
    if "language" in row:
        word = row["language"].strip().casefold()
        row["language"] = _LANGUAGES.get(re.split(r"[-_]", word)[0], word)
    if not with_ids:
        row["id"] = generated_id(name, row.get("question") or row.get("customer") or "")
    return row


def _kind(cell: str | None) -> Kind | None:
    if cell is None:
        return None
    try:
        return _KINDS[cell.strip().casefold()]
    except KeyError:
        raise ValueError('"kind" must be faq or past_reply') from None


def _day(cell: str) -> str:
    day = _FINNISH_DAY.match(cell.strip())
    return f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}" if day else cell


def generated_id(name: str, question: str) -> str:
    """Return the id of an entry that has none: the same for the same question in the same file."""
    digest = hashlib.blake2b(" ".join(question.split()).casefold().encode("utf-8", "replace"), digest_size=4)
    return f"{name[:300]}#{slug(question, 60) or 'entry'}-{digest.hexdigest()}"


def list_cell(items: Sequence[str], separators: str) -> str:
    """Return several texts as one cell, in the form that people would write where that is possible, else as JSON."""
    text = (", " if separators[0] == "," else "\n").join(items)
    return text if _list(text, separators) == list(items) else json.dumps(list(items), ensure_ascii=False)


def _list(cell: str, separators: str) -> list[str]:
    if cell.lstrip().startswith("["):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return found
    return [item for part in re.split(f"[{re.escape(separators)}]", cell) if (item := part.strip())]

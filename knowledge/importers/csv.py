"""CSV as people save it → entries: comma, semicolon or tab, UTF-8 or what Excel writes. Stores nothing."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from knowledge.entries import Kind
from knowledge.importers import Rejected, Row, tabular
from knowledge.importers.jsonl import MAX_LINE
from knowledge.importers.sources import encoding_of, unpacked

_DELIMITERS = ";,\t|"
_MAX_CELL = 1 << 20  # characters; the library's own limit of 131,072 is for the whole process, and so is this one


def read(source: Path | BinaryIO, name: str, kind: Kind | None = None) -> Iterator[Row]:
    """Yield an entry, or the reason why not, per row below the header; `line` is the row's number in a spreadsheet.

    The header's words may be English or Finnish (`tabular`); delimiter and encoding are found out. `name` is what ids
    are made of where the file has none. Raises UnreadableFile.
    """
    csv.field_size_limit(_MAX_CELL)
    with unpacked(source) as file:
        text = io.TextIOWrapper(file, encoding=encoding_of(file), newline="")
        try:
            yield from tabular.read(_rows(text), name, kind)
        finally:
            text.detach()


def _rows(text: TextIO) -> Iterator[tuple[int, Sequence[str] | Rejected]]:
    """Yield the numbered rows; one that the format does not allow is rejected, and reading goes on after it."""
    lines = _Lines(text)
    reader: Iterator[list[str]] | None = None
    number = 0
    while True:
        number += 1
        lines.overlong = False
        try:
            if reader is None:
                reader = csv.reader(lines, delimiter=delimiter(lines.peek()), strict=True)
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, Rejected(number, _reason(str(error)), unit=tabular.UNIT)
            continue
        if lines.overlong:
            yield number, Rejected(number, f"longer than {MAX_LINE:,} characters", unit=tabular.UNIT)
        else:
            yield number, cells


class _Lines(Iterator[str]):
    """The lines of a text; of one that is too long only its start, and `overlong` is set."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._next: str | None = None
        self.overlong = False

    def __next__(self) -> str:
        line, self._next = self.peek(), None
        if not line:
            raise StopIteration
        if len(line) > MAX_LINE:
            self.overlong = True
            rest = line
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._text.readline(MAX_LINE)
            return "\n"
        return line

    def peek(self) -> str:
        """Return the line that comes next, "" at the end."""
        if self._next is None:
            self._next = self._text.readline(MAX_LINE + 1)
        return self._next


def delimiter(header: str) -> str:
    """Return what separates the cells of the header: the sign that stands most often outside quotation marks."""
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count) if any(sign in outside for sign in _DELIMITERS) else ","


def _reason(error: str) -> str:
    if "unexpected end" in error:
        return "a quotation mark opens here and is never closed: everything after it was lost"
    if "field larger" in error:
        return f"a cell is longer than {_MAX_CELL:,} characters: is a quotation mark missing?"
    return f"not CSV ({error}): write a quotation mark inside a cell twice"

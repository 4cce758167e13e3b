"""JSON Lines, gzipped or not → entries. Knows the file format; stores nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from knowledge.entries import Kind
from knowledge.importers import Rejected, Row, UnreadableFile, contents
from knowledge.importers.sources import Bytes, unpacked

MAX_LINE = 1 << 20
"""Bytes. A line is read whole, so this bounds the memory."""


def read(source: Path | BinaryIO, kind: Kind | None = None) -> Iterator[Row]:
    """Yield an entry, or the reason why not, per line; blank lines and unknown fields are passed over.

    The kind, where not given, follows from the fields: `customer` and `reply`, or `question` and `answer`. An id that
    stood on an earlier line is rejected. A stream is left open.
    Raises UnreadableFile where the file cannot be opened or breaks off; what stood before that has been yielded.
    """
    yield from contents(rows(source), kind)


def rows(source: Path | BinaryIO, *, longest: int = MAX_LINE) -> Iterator[tuple[int, dict[str, Any] | Rejected]]:
    """Yield the number and the JSON object, or the reason why there is none, of every line that is not blank.

    `longest` is what a line may hold, in bytes. Raises UnreadableFile, as `read`.
    """
    with unpacked(source) as file:
        yield from _rows(file, longest)


def _rows(lines: Bytes, longest: int) -> Iterator[tuple[int, dict[str, Any] | Rejected]]:
    if lines.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFile("The file is UTF-16: save it as UTF-8.")
    number = 0
    while line := lines.readline(longest + 1):
        number += 1
        if len(line) > longest:
            while line and not line.endswith(b"\n"):
                line = lines.readline(longest)
            yield number, Rejected(number, f"longer than {longest:,} bytes")
        elif line.strip():
            try:
                yield number, json_object(line.strip(), first=number == 1)
            except ValueError as error:
                yield number, Rejected(number, str(error))


def json_object(line: bytes, *, first: bool = False) -> dict[str, Any]:
    """Return the object that the line holds; the `first` one may begin with a byte order mark.

    Raises ValueError with the reason.
    """
    try:
        row = json.loads(line.decode("utf-8-sig" if first else "utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} of the line)") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, character {error.pos + 1})") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits; ten thousand brackets
        raise ValueError("not JSON that can be read (a number too long or too many brackets)") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (the file is wrong, not the program)
    return row

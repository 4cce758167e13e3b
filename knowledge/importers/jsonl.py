"""JSON Lines, gzipped or not → entries. Knows the file format; stores nothing."""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from knowledge.entries import EntryContent, Kind
from knowledge.importers import Rejected, UnreadableFile, content_from_row

MAX_LINE = 1 << 20
"""Bytes. A line is read whole, so this bounds the memory."""


def read(source: Path | BinaryIO, kind: Kind | None = None) -> Iterator[EntryContent | Rejected]:
    """Yield an entry, or the reason why not, per line; blank lines and unknown fields are passed over.

    The kind, where not given, follows from the fields: `customer` and `reply`, or `question` and `answer`. An id that
    stood on an earlier line is rejected. A stream is left open.
    Raises UnreadableFile where the file cannot be opened or breaks off; what stood before that has been yielded.
    """
    seen: dict[tuple[str, str], int] = {}
    for number, row in rows(source):
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            content = content_from_row(row, kind)
        except ValueError as error:
            yield Rejected(number, str(error))
            continue
        earlier = seen.setdefault((content.kind, content.external_id), number)
        yield content if earlier == number else Rejected(number, f'"id" stood already on line {earlier}')


def rows(source: Path | BinaryIO) -> Iterator[tuple[int, dict[str, Any] | Rejected]]:
    """Yield the number and the JSON object, or the reason why there is none, of every line that is not blank.

    Raises UnreadableFile, as `read`.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                yield from _rows(file)
        else:
            buffered = io.BufferedReader(cast("io.RawIOBase", source))
            try:
                yield from _rows(buffered)
            finally:
                buffered.detach()  # else collecting the wrapper closes the caller's stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFile("The compressed file is broken or cut short: make it again.") from error
    except OSError as error:
        raise UnreadableFile(
            f"The file cannot be read ({error.strerror or error}): check its name and rights."
        ) from error


def _rows(file: "io.BufferedReader[Any]") -> Iterator[tuple[int, dict[str, Any] | Rejected]]:
    start = file.peek(2)[:2]
    if start in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFile("The file is UTF-16: save it as UTF-8.")
    lines = cast("io.BufferedReader[Any]", gzip.GzipFile(fileobj=file, mode="rb")) if start == b"\x1f\x8b" else file
    number = 0
    while line := lines.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = lines.readline(MAX_LINE)
            yield number, Rejected(number, f"longer than {MAX_LINE:,} bytes")
        elif line.strip():
            try:
                yield number, _object(line.strip(), first=number == 1)
            except ValueError as error:
                yield number, Rejected(number, str(error))


def _object(line: bytes, *, first: bool) -> dict[str, Any]:
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

"""How an importer gets at what is in a file: unpacked, bounded, in the right encoding. Knows no format."""

import codecs
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from knowledge.importers import UnreadableFile

MAX_DOCUMENT = 64 << 20
"""Bytes of a file that has to be read whole, unpacked (a JSON document, a page)."""
GZIP = b"\x1f\x8b"
_CHUNK = 1 << 16

Bytes: TypeAlias = "io.BufferedReader[Any]"


@contextmanager
def unpacked(source: Path | BinaryIO) -> Iterator[Bytes]:
    """Open a file or go on with a stream (which is left open), gzipped or not.

    Raises UnreadableFile where it cannot be opened or, from within the block, where it breaks off.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                yield _unpacked(file)
        else:
            buffered = io.BufferedReader(cast("io.RawIOBase", source))
            try:
                yield _unpacked(buffered)
            finally:
                buffered.detach()  # else collecting the wrapper closes the caller's stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFile("The compressed file is broken or cut short: make it again.") from error
    except OSError as error:
        raise UnreadableFile(
            f"The file cannot be read ({error.strerror or error}): check its name and rights."
        ) from error


def _unpacked(file: Bytes) -> Bytes:
    zipped = file.peek(2)[:2] == GZIP
    return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file, mode="rb"))) if zipped else file


def whole(file: Bytes, limit: int = MAX_DOCUMENT) -> bytes:
    """Return all that is in the file. Raises UnreadableFile above `limit` bytes, however small it was packed."""
    data = file.read(limit + 1)
    if len(data) > limit:
        raise UnreadableFile(f"The file holds more than {limit >> 20} MiB: split it.")
    return data


def encoding_of(file: Bytes) -> str:
    """Return how the file's text is encoded: UTF-8, UTF-16 where it says so, else Windows-1252; goes back to its start.

    Raises UnreadableFile where it is no text, for example a picture with another name.
    """
    start = file.peek(2)[:2]
    name = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    found = name if _decodes(file, name) else "cp1252" if _decodes(file, "cp1252") else None
    if found is None:
        raise UnreadableFile("The file is no text: it is binary or in an unknown encoding. Save it as UTF-8.")
    return found


def _decodes(file: Bytes, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    finally:
        file.seek(0)
    return True


def decoded(data: bytes) -> str:
    """Return the text of a whole document; raises UnreadableFile, as `encoding_of`."""
    file: Bytes = io.BufferedReader(cast("io.RawIOBase", io.BytesIO(data)))
    return data.decode(encoding_of(file))


def slug(text: str, limit: int = 80) -> str:
    """Return the text as lower-case letters a–z, digits and hyphens, "Mitä maksaa?" as "mita-maksaa"; may be ""."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:limit].strip("-")

"""Excel workbooks → entries, sheet by sheet. Checks what a workbook would unpack to before it is opened."""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import IO, Any, BinaryIO

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from knowledge.entries import Kind
from knowledge.importers import Rejected, Row, UnreadableFile, tabular

MAX_UNPACKED = 256 << 20
"""Bytes of all parts of a workbook, unpacked."""
MAX_CELLS = 5_000_000
"""Rows × columns of one sheet: one cell in the last corner alone would make the reader fill 17 thousand million."""
_CHUNK = 1 << 20
_LOCKED = "The workbook is locked by a password: save it without one."
_TOO_LARGE = f"The workbook unpacks to more than {MAX_UNPACKED >> 20} MiB: split it."
_OLE = b"\xd0\xcf\x11\xe0"
# A row, a cell, or where one of them says that it stands. Cells that do not say it stand beside each other.
_PLACE = re.compile(rb"""<(?:\w+:)?(row|c)[\s>/]|\br\s*=\s*["']([A-Z]{0,3})([0-9]{1,7})["']""")


def read(file: BinaryIO, name: str, kind: Kind | None = None) -> Iterator[Row]:
    """Yield an entry, or the reason why not, per row below the header of every sheet that has a known header.

    `name` is what ids are made of where the sheet has none. Raises UnreadableFile: no workbook, locked by a password,
    larger unpacked than `MAX_UNPACKED`, or no sheet with columns that make an entry.
    """
    _check(file)
    file.seek(0)
    try:
        workbook = CalamineWorkbook.from_filelike(file)
        sheets = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        yield from _sheets(workbook, sheets, name, kind)
    except PasswordError:
        raise UnreadableFile(_LOCKED) from None
    except CalamineError as error:
        raise UnreadableFile(f"The workbook is damaged ({error}): save it again.") from error


def _sheets(workbook: CalamineWorkbook, sheets: Sequence[str], name: str, kind: Kind | None) -> Iterator[Row]:
    known = 0
    reasons: list[str] = []
    for sheet in sheets:
        rows = _rows(workbook, sheet)
        try:
            yield from tabular.read(rows, name if len(sheets) == 1 else f"{name}/{sheet}", kind)
            known += 1
        except UnreadableFile as error:  # a sheet of notes beside the one with the answers
            reasons.append(str(error))
    if not known:
        raise UnreadableFile(reasons[0] if reasons else "The workbook has no sheets.")


def _rows(workbook: CalamineWorkbook, name: str) -> Iterator[tuple[int, Sequence[str] | Rejected]]:
    sheet = workbook.get_sheet_by_name(name)
    first = sheet.start[0] if sheet.start else 0
    for number, cells in enumerate(sheet.iter_rows(), first + 1):
        yield number, [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    """Return a cell as people wrote it: a number without ".0", a day as 2026-12-24."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell)


def _check(file: BinaryIO) -> None:
    """Raise UnreadableFile unless the file is a workbook of a size that can be opened.

    The sizes that an archive declares may be lies: it is unpacked once, part by part, and thrown away.
    """
    file.seek(0)
    if (start := file.read(8)).startswith(_OLE):
        raise UnreadableFile(
            _LOCKED if "EncryptedPackage".encode("utf-16-le") in file.read() else "Save the workbook as .xlsx first."
        )
    if not start.startswith(b"PK"):
        raise UnreadableFile("The file is no Excel workbook: save it as .xlsx.")
    try:
        with zipfile.ZipFile(file) as archive:
            _check_parts(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise UnreadableFile(f"The workbook is damaged ({error}): save it again.") from error
    except RuntimeError:  # zipfile's word for an encrypted part
        raise UnreadableFile(_LOCKED) from None


def _check_parts(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names or "content.xml" in names:
        raise UnreadableFile("The file is no Excel workbook: save it as .xlsx.")
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise UnreadableFile(_TOO_LARGE)
    left = MAX_UNPACKED
    for part in parts:
        with archive.open(part) as stream:
            left -= _check_part(stream, left)


def _check_part(stream: IO[bytes], left: int) -> int:
    """Return how many bytes the part unpacks to; raises UnreadableFile beyond `left`, or where it spans too much."""
    size = rows = columns = beside = 0
    tail = b""
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > left:
            raise UnreadableFile(_TOO_LARGE)
        for tag, letters, digits in _PLACE.findall(tail + chunk):
            beside = beside + 1 if tag == b"c" else 0 if tag == b"row" else beside
            columns, rows = max(columns, beside, _column(letters)), max(rows, int(digits or 0))
        tail = chunk[-16:]
    if columns * rows > MAX_CELLS:
        raise UnreadableFile(
            f"A sheet reaches to row {rows:,} and column {columns:,}: delete what is beside the table."
        )
    return size


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number

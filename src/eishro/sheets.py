"""Tables people send: CSV in the encodings of this country, and spreadsheets. Cells become text.

A spreadsheet's number is kept as it is shown there, with the 15 digits that such programs keep, so
that 45.3 stays 45.3; amounts are read from that text and never calculated with here.
"""

import codecs
import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from eishro.errors import Words

CELL_LENGTH_MAX = 500
COLUMNS_MAX = 100
HEAD_LINES = 10  # which the delimiter is known from: a title may stand above the headers
UNPACKED_BYTES_MAX = 50_000_000
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_DIGITS = 15  # of a number in a spreadsheet


TOO_WIDE = Words(
    "has more cells than the headers: an amount with a comma must stand in quotes",
    "فيه خلايا أكثر من العناوين: يجب وضع المبلغ الذي فيه فاصلة بين علامتي اقتباس",
)


class SheetUnreadable(ValueError):
    """The file is no table that can be read; the message says why, for people."""


class SheetRow(msgspec.Struct, frozen=True):
    """One row with something in it; `number` counts as in the file, from 1."""

    number: int
    cells: tuple[str, ...]


def faults_of_width(headers: SheetRow, rows: Sequence[SheetRow]) -> dict[str, Words]:
    """Rows with something beyond the headers, each by its number (`rows[7]`): `25,500` in a file
    separated by commas would be read as 25, and what follows as something else.
    """
    width = len(headers.cells)
    return {f"rows[{row.number}]": TOO_WIDE for row in rows if any(row.cells[width:])}


def read_sheet(content: bytes, rows_max: int) -> list[SheetRow]:
    """The rows of a CSV file or of a spreadsheet's first sheet, without empty ones.

    Raises:
        SheetUnreadable: neither of them, damaged, or too large.
    """
    is_excel = content.startswith((_ZIP, _OLD_EXCEL))
    rows = _read_excel(content, rows_max) if is_excel else _read_csv(content)
    found = []
    for number, cells in enumerate(rows, 1):
        trimmed = tuple(cell.strip() for cell in cells[:COLUMNS_MAX])
        if any(len(cell) > CELL_LENGTH_MAX for cell in trimmed):
            raise SheetUnreadable(f"a cell of row {number} is too long")
        if any(trimmed):
            found.append(SheetRow(number, trimmed))
        if len(found) > rows_max:
            raise SheetUnreadable(f"more than {rows_max} rows")
    return found


def _read_csv(content: bytes) -> list[list[str]]:
    text = _decode(content)
    if "\x00" in text:
        raise SheetUnreadable("the file is neither CSV nor a spreadsheet")
    head = "\n".join(text.lstrip().split("\n", HEAD_LINES)[:HEAD_LINES])
    delimiter = max(",;\t", key=head.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise SheetUnreadable(f"the CSV is damaged: {error}") from error


def _decode(content: bytes) -> str:
    """UTF-8 or UTF-16 as marked, else UTF-8, else what Windows saves in Arabic countries."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _decoded(content, name)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded(content, "cp1256")


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise SheetUnreadable("the text's encoding is not known; save it as UTF-8") from error


def _read_excel(content: bytes, rows_max: int) -> list[list[str]]:
    # Native code of some size, and not there on the edge: only who sends a spreadsheet pays.
    from python_calamine import CalamineError, CalamineWorkbook

    if _unpacked_size(content) > UNPACKED_BYTES_MAX:
        raise SheetUnreadable("the spreadsheet is too large")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = book.get_sheet_by_index(0)
        if sheet.total_height > rows_max + 100 or sheet.total_width > COLUMNS_MAX:
            raise SheetUnreadable(f"more than {rows_max} rows or {COLUMNS_MAX} columns")
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError, ValueError, OverflowError) as error:
        if isinstance(error, SheetUnreadable):
            raise
        raise SheetUnreadable("the spreadsheet is damaged") from error
    return [[_cell(value) for value in row] for row in rows]


def _unpacked_size(content: bytes) -> int:
    """What a spreadsheet becomes in memory: little bytes may hold much."""
    if not content.startswith(_ZIP):
        return len(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SheetUnreadable("the spreadsheet is damaged") from error


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        text = f"{value:.{_DIGITS}g}"
        return f"{value:.0f}" if "e+" in text else text
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)

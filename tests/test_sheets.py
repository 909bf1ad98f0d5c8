"""Tables people send: encodings, delimiters, spreadsheets, and what is none."""

import io
import zipfile
from datetime import date

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from eishro.sheets import SheetRow, SheetUnreadable, read_sheet


def spreadsheet(*rows: tuple[object, ...]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1256"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_arabic_csv_is_read_in_every_encoding_people_save_it_in(
    encoding: str, delimiter: str
) -> None:
    text = f"رقم الشحنة{delimiter}المبلغ\r\n\r\nA-1{delimiter}25.5\r\n"
    rows = read_sheet(text.encode(encoding), 10)
    assert rows == [SheetRow(1, ("رقم الشحنة", "المبلغ")), SheetRow(3, ("A-1", "25.5"))]


def test_numbers_of_a_spreadsheet_are_kept_as_they_are_shown() -> None:
    content = spreadsheet(("رقم الشحنة", 45.3, 0.1 + 0.2), (284510, 12345678901, date(2026, 1, 5)))
    rows = read_sheet(content, 10)
    assert rows[0].cells == ("رقم الشحنة", "45.3", "0.3")
    assert rows[1].cells == ("284510", "12345678901", "2026-01-05")


@given(st.integers(0, 10**12))
def test_an_amount_of_a_spreadsheet_loses_no_dirham(dirhams: int) -> None:
    (row,) = read_sheet(spreadsheet((dirhams / 1000,)), 10)
    assert round(float(row.cells[0]) * 1000) == dirhams


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 not a zip",
        b"\xd0\xcf\x11\xe0 not excel",
        b"\x00\x01\x02",
        b'a,b\n"open',
        b"a," + b"x" * 600,
        b"\xff\xfe\x00\xd8\x00",
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(SheetUnreadable, match=r"\w"):
        read_sheet(content, 10)


def test_a_table_that_is_too_long_is_refused() -> None:
    with pytest.raises(SheetUnreadable, match="more than 3 rows"):
        read_sheet(b"a\n" * 4, 3)
    with pytest.raises(SheetUnreadable, match="more than 3 rows"):
        read_sheet(spreadsheet(*[("a",)] * 200), 3)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    try:
        read_sheet(content, 10)
    except SheetUnreadable:
        pass


def test_a_little_file_that_unpacks_to_a_lot_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    with pytest.raises(SheetUnreadable, match="too large"):
        read_sheet(buffer.getvalue(), 10)

"""Couriers' files: headers in two languages, amounts exactly, every fault by row and column."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.cells import read_amount, read_date
from eishro.domain.shipping.remittance_file import FileRow, read_rows, tracking_number
from eishro.errors import Invalid
from eishro.sheets import SheetRow


def _rows(*rows: str) -> list[SheetRow]:
    return [SheetRow(number, tuple(row.split("|"))) for number, row in enumerate(rows, 1)]


@pytest.mark.parametrize(
    "header",
    [
        "Tracking Number|Amount|Fee|Date",
        "رقم الشحنة|المبلغ|العمولة|التاريخ",
        "رقم الشّحنة|المبلغ:|رسوم التوصيل|تاريخ التسليم",
        "AWB|COD Amount|commission|date",
    ],
)
def test_columns_are_known_by_their_headers(header: str) -> None:
    found = read_rows(_rows(header, "amy-1|25.5|5|2026-01-15"))
    assert found == [FileRow(2, "AMY-1", 25_500, 5_000, "2026-01-15")]


def test_headers_may_stand_below_a_title_and_in_any_order() -> None:
    found = read_rows(_rows("كشف تحويل أميال", "المبلغ|ملاحظات|رقم الشحنة", "١٢٫٢٥٠|x| amy - ٢ "))
    assert found == [FileRow(3, "AMY-2", 12_250, 0, None)]


@pytest.mark.parametrize(
    ("text", "dirhams"),
    [
        ("25.5", 25_500),
        ("٢٥٫٥", 25_500),
        ("1,250.500", 1_250_500),
        ("١٬٢٥٠٫٥٠٠ د.ل", 1_250_500),
        ("45 LYD", 45_000),
        ("45.000000", 45_000),
        ("0", 0),
        ("25,500", None),  # thousands or decimals?
        ("1.2345", None),
        ("-5", None),
        ("", None),
        ("1e3", None),
        ("NaN", None),
        ("9" * 13, None),
    ],
)
def test_an_amount_is_read_exactly_or_not_at_all(text: str, dirhams: int | None) -> None:
    assert read_amount(text) == dirhams


@given(st.integers(0, 10**12))
def test_no_dirham_is_lost_in_any_script(dirhams: int) -> None:
    text = f"{Decimal(dirhams).scaleb(-3):f}"
    eastern = text.translate(str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩٫"))
    assert read_amount(text) == read_amount(eastern) == dirhams


@given(st.text(max_size=80))
def test_whatever_stands_in_a_cell_is_read_or_refused(text: str) -> None:
    number = tracking_number(text)
    assert number is None or tracking_number(number) == number
    read_amount(text)
    read_date(text)


def test_every_fault_is_told_by_row_and_column() -> None:
    sheet = _rows("tracking|amount|fee|date", "A1|5|0|", "|x|9|2026-02-30", "A3|1|2|", "A4|5|1|x")
    with pytest.raises(Invalid) as refused:
        read_rows(sheet)
    assert set(refused.value.faults) == {
        "rows[3].tracking",
        "rows[3].amount",
        "rows[3].date",
        "rows[4].fee",
        "rows[5].date",
    }


@pytest.mark.parametrize(
    "rows", [(), ("a|b", "1|2"), ("tracking|amount",), ("tracking|fee", "A|1")]
)
def test_a_file_without_columns_or_rows_is_refused_as_a_file(rows: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        read_rows(_rows(*rows))
    assert set(refused.value.faults) == {"file"}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-1-5", "2026-01-05"),
        ("05/01/2026", "2026-01-05"),
        ("٠٥/٠١/٢٠٢٦", "2026-01-05"),
        ("2026-01-05 10:30", "2026-01-05"),
        ("31/02/2026", None),
        ("yesterday", None),
    ],
)
def test_a_day_is_read_year_first_or_day_first(text: str, day: str | None) -> None:
    assert read_date(text) == day

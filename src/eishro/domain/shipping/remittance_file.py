"""A courier's remittance file: which column is which, and what each row says. Pure.

Every courier has a layout of its own, so columns are known by their headers in Arabic or English.
Amounts are read from their text, Arabic digits welcome, and never rounded.
"""

from collections.abc import Mapping, Sequence

import msgspec

from eishro.cells import read_amount, read_date
from eishro.errors import Invalid, Words
from eishro.sheets import SheetRow, faults_of_width
from eishro.text import normalise

HEADER_ROWS = 10  # the headers stand in one of the first rows
FAULTS_SHOWN = 100
TRACKING_LENGTH_MAX = 60

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "tracking": (
        "tracking", "tracking number", "tracking no", "tracking code", "awb", "waybill",
        "barcode", "shipment", "shipment number", "shipment no", "package code", "code",
        "رقم الشحنة", "رقم التتبع", "كود التتبع", "رقم البوليصة", "البوليصة", "كود الشحنة",
        "الباركود", "باركود", "رقم الطرد",
    ),
    "amount": (
        "amount", "cod", "cod amount", "collected", "collected amount", "value", "price", "total",
        "المبلغ", "القيمة", "مبلغ التحصيل", "قيمة التحصيل", "المبلغ المحصل", "التحصيل",
        "قيمة الشحنة", "السعر", "الإجمالي",
    ),
    "fee": (
        "fee", "fees", "commission", "delivery fee", "shipping fee", "courier fee", "charge",
        "العمولة", "عمولة", "الرسوم", "رسوم التوصيل", "رسوم الشحن", "أجرة التوصيل", "قيمة التوصيل",
        "سعر التوصيل",
    ),
    "date": (
        "date", "delivered at", "delivery date", "collected at",
        "التاريخ", "تاريخ", "تاريخ التسليم", "تاريخ التحصيل",
    ),
}  # fmt: skip
_COLUMNS = {normalise(name): kind for kind, names in _ALIASES.items() for name in names}
_MISSING = Words(
    "must have columns for the tracking number and the amount",
    "يجب أن يحتوي على عمودين لرقم الشحنة والمبلغ",
)
_EMPTY = Words("has no rows below its headers", "لا يحتوي على صفوف تحت العناوين")
_NO_NUMBER = Words("must be a tracking number", "يجب أن يكون رقم شحنة")
_NO_AMOUNT = Words(
    "must be an amount in dinars with at most 3 decimals",
    "يجب أن يكون مبلغا بالدينار وبثلاث خانات عشرية على الأكثر",
)
FEE_TOO_HIGH = Words("must not be more than the amount", "يجب ألا تزيد على المبلغ")
NO_DATE = Words("must be a date such as 2026-01-15", "يجب أن يكون تاريخا مثل 2026-01-15")


class FileRow(msgspec.Struct, frozen=True):
    """What one row says; the fee is what the courier kept of the amount."""

    number: int
    tracking_number: str
    amount_dirhams: int
    fee_dirhams: int
    paid_on: str | None


def tracking_number(text: str) -> str | None:
    """A tracking number in the form in which two spellings of one are equal; None if it is none:
    capitals, no spaces, western digits.
    """
    folded = "".join(normalise(text).upper().split())
    is_one = 0 < len(folded) <= TRACKING_LENGTH_MAX and folded.isprintable()
    return folded if is_one and any(c.isalnum() for c in folded) else None


def read_rows(rows: Sequence[SheetRow]) -> list[FileRow]:
    """Every row below the headers.

    Raises:
        Invalid: each fault by its row and column, such as `rows[7].amount`; or `file`.
    """
    columns, first = _find_headers(rows)
    faults = faults_of_width(rows[first - 1], rows[first:])
    found = [
        _read_row(row, columns, faults)
        for row in rows[first:]
        if f"rows[{row.number}]" not in faults
    ]
    if faults:
        raise Invalid(dict(list(faults.items())[:FAULTS_SHOWN]))
    if not found:
        raise Invalid({"file": _EMPTY})
    return [row for row in found if row is not None]


def _find_headers(rows: Sequence[SheetRow]) -> tuple[dict[str, int], int]:
    for index, row in enumerate(rows[:HEADER_ROWS]):
        columns: dict[str, int] = {}
        for place, cell in enumerate(row.cells):
            kind = _COLUMNS.get(normalise(cell).rstrip(" :*"))
            if kind is not None:
                columns.setdefault(kind, place)
        if "tracking" in columns and "amount" in columns:
            return columns, index + 1
    raise Invalid({"file": _MISSING})


def _read_row(
    row: SheetRow, columns: Mapping[str, int], faults: dict[str, Words]
) -> FileRow | None:
    def cell(kind: str) -> str:
        place = columns.get(kind)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    def fault(kind: str, words: Words) -> None:
        faults[f"rows[{row.number}].{kind}"] = words

    number, amount = tracking_number(cell("tracking")), read_amount(cell("amount"))
    fee = read_amount(cell("fee")) if cell("fee") else 0
    paid_on = read_date(cell("date")) if cell("date") else ""
    if number is None:
        fault("tracking", _NO_NUMBER)
    if amount is None:
        fault("amount", _NO_AMOUNT)
    if fee is None:
        fault("fee", _NO_AMOUNT)
    elif amount is not None and fee > amount:
        fault("fee", FEE_TOO_HIGH)
    if paid_on is None:
        fault("date", NO_DATE)
    if number is None or amount is None or fee is None:
        return None
    return FileRow(row.number, number, amount, fee, paid_on or None)

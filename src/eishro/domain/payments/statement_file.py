"""A gateway's statement as people download it: which column is which, and what each row says. Pure.

For gateways that list nothing by themselves. Columns are known by their headers, Arabic or English.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Literal

from eishro.cells import read_amount
from eishro.clock import TRIPOLI
from eishro.domain.payments.port import GatewayTransaction
from eishro.errors import Invalid, Words
from eishro.sheets import SheetRow, faults_of_width
from eishro.text import normalise

HEADER_ROWS = 10  # the headers stand in one of the first rows
FAULTS_SHOWN = 100

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": (
        "transaction id", "transaction_id", "transaction", "system reference", "receipt",
        "transaction number", "رقم العملية", "رقم المعاملة", "رقم الحركة",
    ),
    "reference": (
        "reference", "merchant reference", "custom_ref", "custom ref", "invoice", "invoice no",
        "invoice_no", "invoice number", "المرجع", "رقم الفاتورة", "رقم المرجع",
    ),
    "amount": ("amount", "total", "value", "المبلغ", "القيمة"),
    "date": ("date", "time", "date time", "transaction date", "التاريخ", "تاريخ العملية"),
    "type": ("type", "transaction type", "kind", "النوع", "نوع العملية"),
    "status": ("status", "result", "الحالة"),
}  # fmt: skip
_COLUMNS = {normalise(name): kind for kind, names in _ALIASES.items() for name in names}
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ t](\d{1,2}):(\d{2})(?::\d{2})?)?")
_DAY_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?::\d{2})?)?")
_MISSING = Words(
    "must have columns for transaction, amount and date",
    "يجب أن يحتوي على أعمدة لرقم العملية والمبلغ والتاريخ",
)
_NO_ID = Words("must be a transaction number", "يجب أن يكون رقم عملية")
_NO_AMOUNT = Words(
    "must be an amount in dinars such as 25.500; a comma alone could mean two amounts",
    "يجب أن يكون مبلغا بالدينار مثل 25.500؛ فالفاصلة وحدها تحتمل معنيين",
)
_NO_DATE = Words("must be a date such as 2026-01-15 10:30", "يجب أن يكون تاريخا مثل 2026-01-15")


def read_statement(rows: Sequence[SheetRow], terminal: str) -> list[GatewayTransaction]:
    """The statement's transactions.

    Args:
        terminal: the account at the gateway that the statement is of.

    Raises:
        Invalid: no columns that can be used, or rows that cannot be read, each by its number.
    """
    columns, first = _columns(rows)
    found: list[GatewayTransaction] = []
    faults = dict(list(faults_of_width(rows[first - 1], rows[first:]).items())[:FAULTS_SHOWN])
    for row in rows[first:]:
        if f"rows[{row.number}]" in faults:
            continue
        cells = {
            kind: normalise(row.cells[at]) if at < len(row.cells) else ""
            for kind, at in columns.items()
        }
        amount, at = _amount(cells["amount"]), _instant(cells["date"])
        name = re.sub(r"\s", "", row.cells[columns["id"]])[:64] if cells["id"] else ""
        for where, bad, words in (
            ("id", not name, _NO_ID),
            ("amount", amount is None, _NO_AMOUNT),
            ("date", at is None, _NO_DATE),
        ):
            if bad and len(faults) < FAULTS_SHOWN:
                faults[f"rows[{row.number}].{where}"] = words
        if name and amount is not None and at is not None:
            found.append(_transaction(row, cells, columns, terminal, name, amount, at))
    if faults:
        raise Invalid(faults)
    return found


def _transaction(
    row: SheetRow,
    cells: Mapping[str, str],
    columns: Mapping[str, int],
    terminal: str,
    name: str,
    amount: int,
    at: datetime,
) -> GatewayTransaction:
    reference = row.cells[columns["reference"]].strip() if cells.get("reference") else None
    return GatewayTransaction(
        provider_reference=name,
        terminal=terminal,
        reference=reference,
        kind=_kind(cells.get("type", ""), amount),
        status=_status(cells.get("status", "")),
        amount_dirhams=abs(amount),
        currency="LYD",
        at=at,
    )


def _columns(rows: Sequence[SheetRow]) -> tuple[dict[str, int], int]:
    for number, row in enumerate(rows[:HEADER_ROWS]):
        found: dict[str, int] = {}
        for at, cell in enumerate(row.cells):
            kind = _COLUMNS.get(normalise(cell))
            if kind is not None:
                found.setdefault(kind, at)
        if {"id", "amount", "date"} <= found.keys():
            return found, number + 1
    raise Invalid({"statement": _MISSING})


def _amount(text: str) -> int | None:
    """In dirhams, below zero where money went back; None for what could be read in two ways."""
    amount = read_amount(text.removeprefix("-").strip()) or None
    return -amount if amount and text.startswith("-") else amount


def _instant(text: str) -> datetime | None:
    by_year, by_day = _DATE.fullmatch(text), _DAY_FIRST.fullmatch(text)
    found = by_year or by_day
    if found is None:
        return None
    one, month, three, hour, minute = (int(part or 0) for part in found.groups())
    year, day = (one, three) if by_year else (three, one)
    try:
        return datetime.combine(date(year, month, day), time(hour, minute), TRIPOLI)
    except ValueError:
        return None


def _kind(text: str, amount: int) -> Literal["sale", "refund", "void"]:
    if "void" in text:
        return "void"
    is_refund = "refund" in text or "استرجاع" in text or "استرداد" in text
    return "refund" if is_refund or amount < 0 else "sale"


def _status(text: str) -> Literal["approved", "declined", "unknown"]:
    """Statements list what succeeded; only a word that says otherwise is believed to."""
    refused = ("declin", "fail", "cancel", "reject", "مرفوض", "فاشل", "ملغ")
    return "declined" if any(word in text for word in refused) else "approved"

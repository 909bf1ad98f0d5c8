"""A bank's statement: which column is which, and what each row says. Pure.

Every bank has a layout of its own, so columns are known by their headers in Arabic or English.
Money that left the account is no row; one that cannot be read is kept and flagged, since a
statement is not written for us.
"""

from collections.abc import Mapping, Sequence

import msgspec

from eishro.cells import read_amount, read_date
from eishro.domain.payments.transfers import bank_reference_form, references_in
from eishro.errors import Invalid, Words
from eishro.sheets import SheetRow, faults_of_width
from eishro.text import normalise

HEADER_ROWS = 20  # banks write much above the headers
TEXT_LENGTH_MAX = 200
FAULTS_SHOWN = 100
THOUSANDS = 3  # digits behind a comma that no date is made of
REFERENCES_MAX = 5  # looked for of one row

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "text": (
        "description", "details", "narration", "narrative", "remarks", "particulars", "memo",
        "purpose", "payment reference", "customer reference", "note",
        "البيان", "التفاصيل", "الوصف", "ملاحظات", "الغرض", "شرح العملية", "تفاصيل العملية",
    ),
    "credit": (
        "credit", "credit amount", "amount", "deposit", "in", "paid in",
        "دائن", "إيداع", "ايداعات", "المبلغ", "القيمة", "المبلغ الدائن", "له",
    ),
    "debit": (
        "debit", "debit amount", "withdrawal", "out", "paid out",
        "مدين", "سحب", "المبلغ المدين", "عليه",
    ),
    "bank_reference": (
        "reference", "bank reference", "ref", "ref no", "reference no", "reference number",
        "transaction", "transaction id", "transaction no", "transaction number", "trx id", "rrn",
        "رقم المرجع", "المرجع", "رقم العملية", "رقم الحركة", "رقم المعاملة", "مرجع المصرف",
    ),
    "date": (
        "date", "value date", "transaction date", "posting date",
        "التاريخ", "تاريخ", "تاريخ العملية", "تاريخ القيمة", "تاريخ الحركة",
    ),
}  # fmt: skip
_COLUMNS = {normalise(name): kind for kind, names in _ALIASES.items() for name in names}
_MISSING = Words(
    "must have columns for the amount, the bank's reference and the description",
    "يجب أن يحتوي على أعمدة للمبلغ ومرجع المصرف والبيان",
)
_EMPTY = Words("has no rows below its headers", "لا يحتوي على صفوف تحت العناوين")


class CreditRow(msgspec.Struct, frozen=True):
    """Money that came, as a row says; what could not be read is None or empty. `references` are
    the well-formed references that its text holds.
    """

    number: int
    amount_dirhams: int | None
    bank_reference: str
    text: str
    references: tuple[str, ...]
    paid_on: str | None


def read_credits(rows: Sequence[SheetRow]) -> list[CreditRow]:
    """Every row below the headers that is not money which left.

    Raises:
        Invalid: `file` has not the columns, or nothing below them; `rows[7]` has more cells than
            the headers, as where a comma cut its amount in two.
    """
    columns, first = _find_headers(rows)
    faults = faults_of_width(rows[first - 1], rows[first:])
    if faults:
        raise Invalid(dict(list(faults.items())[:FAULTS_SHOWN]))
    found = [_read_row(row, columns) for row in rows[first:]]
    came = [row for row in found if row is not None]
    if not came:
        raise Invalid({"file": _EMPTY})
    return came


def _find_headers(rows: Sequence[SheetRow]) -> tuple[dict[str, int], int]:
    for index, row in enumerate(rows[:HEADER_ROWS]):
        columns: dict[str, int] = {}
        for place, cell in enumerate(row.cells):
            kind = _COLUMNS.get(normalise(cell).rstrip(" :*"))
            if kind is not None:
                columns.setdefault(kind, place)
        if {"text", "credit", "bank_reference"} <= columns.keys():
            return columns, index + 1
    raise Invalid({"file": _MISSING})


def _read_row(row: SheetRow, columns: Mapping[str, int]) -> CreditRow | None:
    def cell(kind: str) -> str:
        place = columns.get(kind)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    credit, text = cell("credit"), cell("text")
    left = read_amount(cell("debit")) if cell("debit") else 0
    amount = read_amount(credit.removeprefix("+"))
    paid_on = read_date(cell("date")) if cell("date") else None
    # A comma in the amount moved what follows by one cell: nothing here is what it seems to be.
    is_cut = len(cell("date")) == THOUSANDS and cell("date").isdigit()
    if (left and amount and left != amount) or is_cut:
        amount = None
    elif left or credit.lstrip().startswith(("-", "(")):
        return None  # money that left
    if amount == 0 or not (credit or text):
        return None
    return CreditRow(
        number=row.number,
        amount_dirhams=amount,
        bank_reference=bank_reference_form(cell("bank_reference")),
        text="".join(c for c in text if c.isprintable())[:TEXT_LENGTH_MAX],
        references=tuple(references_in(text))[:REFERENCES_MAX],
        paid_on=paid_on,
    )

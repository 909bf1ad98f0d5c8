"""Invoices as values: what they say, and when there is one. Pure."""

from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words

Kind = Literal["invoice", "credit_note"]
LINES_MAX = 100  # as in an order

_PREFIXES: dict[Kind, str] = {"invoice": "INV", "credit_note": "CN"}
_DIGITS = 6  # at least; a number that outgrows them is printed whole
_NUMBER_LENGTH_MAX = 15
_NOT_INVOICED = ("pending", "cancelled")


class Seller(msgspec.Struct, frozen=True, omit_defaults=True):
    """The store as the law wants it named; what the merchant did not fill in is not printed."""

    name: str
    legal_name: str | None = None
    register_number: str | None = None
    licence_number: str | None = None
    tax_number: str | None = None
    address: str | None = None
    phone: str | None = None


class Buyer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who bought, and where the goods go."""

    name: str
    phone: str
    city: str
    address: str
    area: str | None = None


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line, amounts in dirhams: `total_dirhams` is what is left after the discount.

    A credit note may give an amount back without prices of pieces: `unit_price_dirhams` None.
    """

    name: str
    quantity: int
    total_dirhams: int
    unit_price_dirhams: int | None = None
    discount_dirhams: int = 0
    details: str = ""
    sku: str | None = None


class Payment(msgspec.Struct, frozen=True):
    """How it is paid, in both languages, and the order's payment status at the time of issue."""

    method: str
    method_en: str
    status: str


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything a document prints but its own number and date.

    `invoice_number` and `reason` belong to credit notes: what they correct, and why.
    """

    order_number: str
    ordered_at: datetime
    link: str
    seller: Seller
    buyer: Buyer
    payment: Payment
    items: tuple[Item, ...]
    total_dirhams: int
    subtotal_dirhams: int = 0
    discount_dirhams: int = 0
    delivery_dirhams: int = 0
    tax_dirhams: int = 0
    shows_tax: bool = False
    invoice_number: int | None = None
    reason: str | None = None


class Invoice(msgspec.Struct, frozen=True):
    """A document's row; `number` counts from 1 for each kind in each store. `revision` is the
    order's when it was issued. A credit note names the refund, or the change (`edt_…`), it is of.
    """

    id: str
    store_id: int
    kind: Kind
    number: int
    order_id: str
    refund_id: str | None
    issued_at: datetime
    content: msgspec.Raw
    revision: int = 0

    @property
    def name(self) -> str:
        """The number as people write it, such as `INV-000123`."""
        return written(self.kind, self.number)

    def content_value(self) -> Content:
        """The content, decoded."""
        return msgspec.json.decode(self.content, type=Content)


class NotInvoiced(Conflict):
    """There is no invoice for an order that is not confirmed, or was cancelled before."""

    words = Words(
        "There is an invoice once the order is confirmed.", "تصدر الفاتورة بعد تأكيد الطلب."
    )


class CreditNoteNotFound(NotFound):
    """No credit note of this number belongs to the order."""

    words = Words("There is no such credit note.", "لا يوجد إشعار دائن بهذا الرقم.")


def is_invoiced(status: str) -> bool:
    """True if an order of this status gets an invoice."""
    return status not in _NOT_INVOICED


def is_of_refund(note: Invoice) -> bool:
    """True if the credit note is of money that went back, not of a change of its order."""
    return note.refund_id is not None and not note.refund_id.startswith("edt_")


def written(kind: Kind, number: int) -> str:
    """A number as people write it, such as `CN-000004`."""
    return f"{_PREFIXES[kind]}-{number:0{_DIGITS}}"


def read_number(kind: Kind, text: str) -> int | None:
    """The number behind `CN-000004`, `cn-4` or `4`; None if it is none."""
    digits = text.upper().removeprefix(f"{_PREFIXES[kind]}-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _NUMBER_LENGTH_MAX:
        return None
    return int(digits)

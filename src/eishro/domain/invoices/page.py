"""From a document to a page: labels, dates, amounts and safe texts. Pure.

Arabic comes first, English second. Amounts have one pattern, `12.500 د.ل`; dates are those of
Tripoli. Texts of merchants and buyers are printed as data, and lose what could turn the page
around: marks of direction, controls, piles of accents.
"""

import re
import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

from eishro.domain.invoices.model import Buyer, Content, Invoice, Item, Seller, written
from eishro.domain.invoices.port import Fact, Label, Page, Row, Sum, Text
from eishro.money import decimal_from_dirhams

CURRENCY = "د.ل"
UNBROKEN_MAX = 24  # characters; a longer word may be broken there
ACCENTS_MAX = 4  # upon one letter

_ZONE = "Africa/Tripoli"
_MONTHS = (
    "يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر",
    "نوفمبر", "ديسمبر",
)  # fmt: skip
_JOINERS = "\u200c\u200d"  # they shape letters and turn nothing around
_LONG = re.compile(rf"\S{{{UNBROKEN_MAX}}}(?=\S)")
_BREAK = "\u200b"
_STATUS = {
    "pending": Label("غير مدفوعة", "Not paid yet"),
    "failed": Label("غير مدفوعة", "Not paid yet"),
    "paid": Label("مدفوعة", "Paid"),
    "partially_refunded": Label("مستردة جزئيا", "Partly refunded"),
    "refunded": Label("مستردة", "Refunded"),
    "voided": Label("ملغاة", "Voided"),
}
_TITLES = {
    "invoice": Label("فاتورة", "Invoice"),
    "credit_note": Label("إشعار دائن", "Credit note"),
}
_COLUMNS = (
    Label("#", ""),
    Label("الصنف", "Item"),
    Label("الكمية", "Qty"),
    Label("سعر الوحدة", "Unit price"),
    Label("الخصم", "Discount"),
    Label("الإجمالي", "Total"),
)
NOTHING = "—"


def page_of(invoice: Invoice) -> Page:
    """The document as it is printed."""
    content = invoice.content_value()
    return Page(
        title=_TITLES[invoice.kind],
        number=invoice.name,
        issued_at=invoice.issued_at,
        seller=printable(content.seller.name),
        seller_facts=_seller(content.seller),
        buyer_facts=_buyer(content.buyer),
        facts=_facts(invoice, content),
        columns=_COLUMNS,
        rows=tuple(_row(item) for item in content.items),
        sums=_sums(content),
        link=content.link,
        link_label=Label("رابط الطلب", "Order link"),
        buyer_label=Label("المشتري", "Buyer"),
    )


def printable(text: str) -> Text:
    """The text without what turns a page around or stacks up, with places to break long words.

    It reads from right to left if its first letter does.
    """
    kept: list[str] = []
    accents = 0
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        accents = accents + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif (category[0] != "C" or character in _JOINERS) and accents <= ACCENTS_MAX:
            kept.append(character)
    shown = " ".join("".join(kept).split())
    return Text(_LONG.sub(lambda found: found[0] + _BREAK, shown), _is_rtl(shown))


def money(dirhams: int) -> str:
    """An amount as it is printed; a minus stays on the left of its figures."""
    sign = "\u200e-" if dirhams < 0 else ""
    return f"{sign}{decimal_from_dirhams(abs(dirhams)):,} {CURRENCY}"


def date(at: datetime) -> str:
    """A day of Tripoli in words."""
    local = at.astimezone(ZoneInfo(_ZONE))
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def moment(at: datetime) -> str:
    """Day and minute of Tripoli in figures."""
    return at.astimezone(ZoneInfo(_ZONE)).strftime("%Y-%m-%d %H:%M")


def _is_rtl(text: str) -> bool:
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def _seller(seller: Seller) -> tuple[Fact, ...]:
    given = (
        (Label("الاسم التجاري", "Registered name"), seller.legal_name),
        (Label("السجل التجاري", "Commercial register"), seller.register_number),
        (Label("رخصة المزاولة", "Licence"), seller.licence_number),
        (Label("الرقم الضريبي", "Tax number"), seller.tax_number),
        (Label("العنوان", "Address"), seller.address),
        (Label("الهاتف", "Phone"), seller.phone),
    )
    return tuple(Fact(label, printable(value)) for label, value in given if value)


def _buyer(buyer: Buyer) -> tuple[Fact, ...]:
    place = "، ".join(part for part in (buyer.city, buyer.area, buyer.address) if part)
    return (
        Fact(Label("الاسم", "Name"), printable(buyer.name)),
        Fact(Label("الهاتف", "Phone"), printable(buyer.phone)),
        Fact(Label("العنوان", "Address"), printable(place)),
    )


def _facts(invoice: Invoice, content: Content) -> tuple[Fact, ...]:
    payment = content.payment
    status = _STATUS.get(payment.status, _STATUS["pending"])
    facts = [
        Fact(Label("الرقم", "Number"), Text(invoice.name, is_rtl=False)),
        Fact(Label("تاريخ الإصدار", "Issued"), Text(date(invoice.issued_at))),
        Fact(Label("الوقت", "Time"), Text(moment(invoice.issued_at), is_rtl=False)),
        Fact(Label("رقم الطلب", "Order"), Text(content.order_number, is_rtl=False)),
        Fact(Label("تاريخ الطلب", "Ordered"), Text(date(content.ordered_at))),
    ]
    if content.invoice_number is not None:
        number = written("invoice", content.invoice_number)
        facts.append(Fact(Label("عن الفاتورة", "For invoice"), Text(number, is_rtl=False)))
    if content.reason:
        facts.append(Fact(Label("السبب", "Reason"), printable(content.reason)))
    method = f"{payment.method} · {payment.method_en}"
    facts.append(Fact(Label("طريقة الدفع", "Payment"), printable(method)))
    if invoice.kind == "invoice":
        shown = f"{status.ar} · {status.en}"
        facts.append(Fact(Label("حالة الدفع", "Payment status"), printable(shown)))
    return tuple(facts)


def _row(item: Item) -> Row:
    details = " · ".join(part for part in (item.details, item.sku) if part)
    price = item.unit_price_dirhams
    return Row(
        name=printable(item.name),
        details=printable(details) if details else None,
        quantity=f"{item.quantity:,}",
        unit_price=NOTHING if price is None else money(price),
        discount=money(item.discount_dirhams) if item.discount_dirhams else NOTHING,
        total=money(item.total_dirhams),
    )


def _sums(content: Content) -> tuple[Sum, ...]:
    sums = []
    if content.subtotal_dirhams or content.invoice_number is None:
        sums.append(Sum(Label("المجموع الفرعي", "Subtotal"), money(content.subtotal_dirhams)))
    if content.discount_dirhams:
        sums.append(Sum(Label("الخصم", "Discount"), money(-content.discount_dirhams)))
    if content.delivery_dirhams or content.invoice_number is None:
        sums.append(Sum(Label("التوصيل", "Delivery"), money(content.delivery_dirhams)))
    if content.shows_tax or content.tax_dirhams:
        sums.append(Sum(Label("الضريبة", "Tax"), money(content.tax_dirhams)))
    label = Label("الإجمالي", "Total")
    if content.invoice_number is not None:
        label = Label("المبلغ المسترد", "Amount credited")
    sums.append(Sum(label, money(content.total_dirhams)))
    return tuple(sums)

"""Issue invoices and credit notes, and print them.

An invoice is issued when the order is paid, or when somebody first asks for it once the order is
confirmed; whoever comes later gets the same one. A credit note never stands without the invoice
that it corrects. The printed file is kept: the same document gives the same bytes even after the
layout has changed.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.files.port import FilesUnavailable
from eishro.domain.invoices import sql as invoices
from eishro.domain.invoices.model import (
    Buyer,
    Content,
    Invoice,
    Item,
    Kind,
    NotInvoiced,
    Payment,
    Seller,
    is_invoiced,
)
from eishro.domain.invoices.page import page_of
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Line, Order
from eishro.domain.shipping.cities import CITIES
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.errors import Stale
from eishro.flows.shop import SYSTEM, Shop, again_if_stale
from eishro.ids import text_id

PDF = "application/pdf"

_CITIES = {city.code: city.name_ar for city in CITIES}


class CreditLine(msgspec.Struct, frozen=True):
    """What is given back of one line; the amount is the line's share in dirhams."""

    name: str
    quantity: int
    amount_dirhams: int


@again_if_stale
async def issue_invoice(shop: Shop, order_id: str, actor: Actor = SYSTEM) -> Invoice:
    """The order's invoice, issued now if it was not yet.

    Raises:
        OrderNotFound, NotInvoiced.
    """
    order = await orders.get_order(shop.db, order_id)
    found = await invoices.find_invoice(shop.db, order.store_id, order.id, order.revision)
    if found is not None:
        return found
    if not is_invoiced(order.status):
        raise NotInvoiced()
    return await _issue_invoice(shop, order, actor)


@again_if_stale
async def issue_credit_note(
    shop: Shop,
    order_id: str,
    refund_id: str,
    amount_dirhams: int,
    lines: Sequence[CreditLine] = (),
    at: datetime | None = None,
    *,
    reason: str | None = None,
    actor: Actor = SYSTEM,
) -> Invoice:
    """The refund's credit note, issued now if it was not yet; the order's invoice first.

    Args:
        amount_dirhams: what the buyer gets back, above 0.
        lines: what it is for; none for an amount of its own. What they leave of the amount is
            printed as a line of its own (delivery, goodwill).
        at: the date printed on it; None is now.

    Raises:
        OrderNotFound
        NotInvoiced: it was changed and then cancelled, before it was paid in full.
        ValueError: an amount of nothing, or lines that are worth more: a fault of the caller.
    """
    rest = amount_dirhams - sum(line.amount_dirhams for line in lines)
    if amount_dirhams <= 0 or rest < 0:
        raise ValueError(f"credit note of {amount_dirhams} with lines that leave {rest}")
    order = await orders.get_order(shop.db, order_id)
    found = await invoices.find_of_refund(shop.db, order.store_id, refund_id)
    if found is not None:
        return found
    # Money that was taken was for a sale, whatever became of the order since: no status is asked.
    invoice = await invoices.find_invoice(shop.db, order.store_id, order.id, order.revision)
    if invoice is None:
        # What was invoiced before a change is void already; what never came whole was not sold.
        came_in_part = 0 < order.paid_dirhams < order.total_dirhams
        if order.status == "cancelled" and (order.revision or came_in_part):
            raise NotInvoiced()
        invoice = await _issue_invoice(shop, order, actor)
        order = await orders.get_order(shop.db, order_id)  # which that has moved on
    items = [Item(line.name, line.quantity, line.amount_dirhams) for line in lines]
    if rest:
        items.append(Item("مبلغ مسترد" if not lines else "مبالغ أخرى", 1, rest))
    content = msgspec.structs.replace(
        invoice.content_value(),
        items=tuple(items),
        subtotal_dirhams=0,
        discount_dirhams=0,
        delivery_dirhams=0,
        tax_dirhams=0,
        total_dirhams=amount_dirhams,
        invoice_number=invoice.number,
        reason=reason,
    )
    await _insert(shop, order, "credit_note", content, actor, at, refund_id)
    note = await invoices.find_of_refund(shop.db, order.store_id, refund_id)
    if note is None:
        raise Stale()
    return note


async def print_document(shop: Shop, document: Invoice) -> bytes:
    """The document as a PDF: the kept file, or one printed now and kept.

    Raises:
        Unavailable: too many documents wait to be printed.
        ModuleNotFoundError: this installation cannot print.
    """
    key = f"documents/{document.store_id}/{document.id}.pdf"
    try:
        kept = await shop.files.find(key)
    except FilesUnavailable:
        kept = None
    if kept is not None:
        return kept.content
    printed = await shop.press.print_page(page_of(document))
    # What could not be kept is printed again next time, to the same bytes.
    with contextlib.suppress(FilesUnavailable):
        await shop.files.put(key, printed, PDF)
    return printed


async def _issue_invoice(shop: Shop, order: Order, actor: Actor) -> Invoice:
    store = await stores.get_store(shop.db, order.store_id)
    lines = await orders.list_lines(shop.db, [order.id])
    await _insert(shop, order, "invoice", _content(shop, order, lines, store), actor)
    invoice = await invoices.find_invoice(shop.db, order.store_id, order.id, order.revision)
    if invoice is None:
        raise Stale()
    return invoice


def voiding(
    shop: Shop, order: Order, invoice: Invoice, edit_id: str, note: str | None, actor: Actor
) -> list[Statement]:
    """The credit note of a whole invoice, as part of the batch that changes its order: stands
    before the order is saved, whose version it names.
    """
    reason = "تعديل الطلب · order changed"
    content = msgspec.structs.replace(
        invoice.content_value(),
        invoice_number=invoice.number,
        reason=reason if note is None else f"{reason}: {note}",
    )
    return _inserting(shop, order, "credit_note", content, actor, None, edit_id)


async def _insert(
    shop: Shop,
    order: Order,
    kind: Kind,
    content: Content,
    actor: Actor,
    at: datetime | None = None,
    refund_id: str | None = None,
) -> None:
    """Commit a new document. The order moves on with an invoice, so that whoever changes the order
    at the same moment sees it.
    """
    batch = Batch(*_inserting(shop, order, kind, content, actor, at, refund_id))
    if kind == "invoice":
        batch.add(orders.save_order(order, seen=order))
    await shop.db.commit(batch)


def _inserting(
    shop: Shop,
    order: Order,
    kind: Kind,
    content: Content,
    actor: Actor,
    at: datetime | None,
    refund_id: str | None,
) -> list[Statement]:
    now = shop.clock.now()
    document = Invoice(
        id=text_id("ivc", now),
        store_id=order.store_id,
        kind=kind,
        number=0,  # the batch takes the next one
        order_id=order.id,
        refund_id=refund_id,
        issued_at=at or now,
        content=msgspec.Raw(msgspec.json.encode(content)),
        revision=order.revision,
    )
    topic = "invoice.issued" if kind == "invoice" else "credit_note.issued"
    return [
        *invoices.insert_document(document, order.version),
        outbox.publish(topic, document.id, now, store_id=order.store_id, order=order.id),
        audit.record(actor, topic, document.id, now, store_id=order.store_id, order=order.id),
    ]


def _content(shop: Shop, order: Order, lines: Sequence[Line], store: Store) -> Content:
    settings = store.settings_value()
    business = settings.business
    methods = {m.method: (m.name, m.name_en) for m in shop.methods}
    method, method_en = methods.get(order.payment_method, (order.payment_method,) * 2)
    return Content(
        order_number=order.number,
        ordered_at=order.created_at,
        link=f"{shop.rules.public_url}/api/orders/{order.id}",
        seller=Seller(
            name=store.name,
            legal_name=business.legal_name,
            register_number=business.register_number,
            licence_number=business.licence_number,
            tax_number=business.tax_number,
            address=business.address or settings.contact_address,
            phone=business.phone or settings.contact_phone,
        ),
        buyer=Buyer(
            name=order.customer_name,
            phone=order.customer_phone,
            city=_CITIES.get(order.city_code, order.city_code),
            area=order.area,
            address=order.address,
        ),
        payment=Payment(method, method_en, order.payment_status),
        items=tuple(_item(line) for line in lines),
        subtotal_dirhams=order.subtotal_dirhams,
        discount_dirhams=order.discount_dirhams,
        delivery_dirhams=order.shipping_dirhams,
        total_dirhams=order.total_dirhams,
        shows_tax=business.shows_tax,
    )


def _item(line: Line) -> Item:
    options = msgspec.json.decode(line.options, type=Mapping[str, str])
    return Item(
        name=line.name,
        quantity=line.quantity,
        unit_price_dirhams=line.unit_price_dirhams,
        discount_dirhams=line.discount_dirhams,
        total_dirhams=line.total_dirhams - line.discount_dirhams,
        details=" · ".join(options.values()),
        sku=line.sku,
    )

"""Invoices and credit notes of an order, as PDF."""

from datetime import datetime
from decimal import Decimal

import msgspec

from eishro.domain.invoices import sql as invoices
from eishro.domain.invoices.model import CreditNoteNotFound, Invoice, is_of_refund, read_number
from eishro.flows.issue_invoice import PDF, issue_invoice, print_document
from eishro.web.dispatch import etag_of
from eishro.web.routes import Call, Page, Raw, Reply
from eishro.web.stores import PageQuery
from eishro.web.wire import dinars


class CreditNoteView(msgspec.Struct, frozen=True, rename="camel"):
    """A credit note in a list; its PDF lies below its number. Without a refund it makes an invoice
    void whose order was changed.
    """

    number: str
    amount: Decimal
    refund_id: str | None
    issued_at: datetime


async def read_invoice(call: Call) -> Raw:
    """The order's invoice, issued now if this is the first time somebody asks."""
    invoice = await issue_invoice(call.shop, call.params["order_id"], call.actor)
    return await _document(call, invoice)


async def read_credit_note(call: Call) -> Raw:
    """One credit note of the order."""
    number = read_number("credit_note", call.params["number"])
    if number is None:
        raise CreditNoteNotFound()
    found = await invoices.get_credit_note(
        call.shop.db, call.store, call.params["order_id"], number
    )
    return await _document(call, found)


async def list_credit_notes(call: Call, query: PageQuery) -> Reply:
    """The order's credit notes, oldest first."""
    notes, total = await invoices.list_credit_notes(
        call.shop.db,
        call.store,
        call.params["order_id"],
        query.limit,
        (query.page - 1) * query.limit,
    )
    views = [
        CreditNoteView(
            number=note.name,
            amount=dinars(note.content_value().total_dirhams),
            refund_id=note.refund_id if is_of_refund(note) else None,
            issued_at=note.issued_at,
        )
        for note in notes
    ]
    return Reply(views, page=Page(query.page, query.limit, total))


async def _document(call: Call, document: Invoice) -> Raw:
    printed = await print_document(call.shop, document)
    headers = {
        # It names a person: no shared cache keeps it.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{document.name}.pdf"',
        "ETag": etag_of(printed),
        "X-Content-Type-Options": "nosniff",
    }
    return Raw(printed, PDF, headers=headers)

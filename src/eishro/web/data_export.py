"""A copy of all that is kept of a person. What is left out, and why, stands in
docs/guide/customers.md.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.db.database import Database
from eishro.domain.accounts import identities, invitations
from eishro.domain.accounts import sql as accounts
from eishro.domain.customers import sql as customers
from eishro.domain.drafts import sql as drafts
from eishro.domain.invoices import sql as invoices
from eishro.domain.invoices.model import Kind
from eishro.domain.orders import listing, notes
from eishro.domain.orders import sql as orders
from eishro.domain.orders.listing import OrderFilter
from eishro.domain.orders.model import Order
from eishro.domain.payments import payers, refunds_sql
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import News, Payment, StoredReceipt
from eishro.domain.returns import sql as returns
from eishro.domain.shipping import cod_sql, shipments_sql
from eishro.domain.shipping.shipments import Shipment, ShipmentEvent
from eishro.web.accounts import UserView, own_id, user_view
from eishro.web.cod import CaseView, case_view
from eishro.web.customers import BookAddressView, ProvenPhoneView, address_view, proven_view
from eishro.web.drafts import DraftView, draft_view
from eishro.web.order_views import OrderView, by_order, order_view
from eishro.web.refunds import RefundView, refund_view
from eishro.web.returns import ReturnView, return_view
from eishro.web.routes import Call, Reply
from eishro.web.security import SessionView, session_view
from eishro.web.wire import dinars

ORDERS_MAX = 200  # in one answer
_DRAFTS_MAX = 200


class ExportQuery(msgspec.Struct, frozen=True, rename="camel"):
    """`cursor` is `nextCursor` of a former answer: the orders before it."""

    cursor: Annotated[str, Meta(pattern=r"^ord_[0-9a-z]{26}$")] | None = None


class ExportLoginView(msgspec.Struct, frozen=True, rename="camel"):
    """An account elsewhere that opens this one."""

    provider: str
    subject: str
    email: str
    created_at: datetime


class ExportInvitationView(msgspec.Struct, frozen=True, rename="camel"):
    """An invitation to work in a store."""

    store_id: int
    email: str
    role: str
    created_at: datetime
    closed_at: datetime | None


class ExportPaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """An attempt to pay. `received` is what came for it, with what the gateway said of the payer;
    `notifications` are its raw messages.
    """

    id: str
    order_id: str
    method: str
    status: str
    amount: Decimal
    currency: str
    failure: str | None
    return_url: str | None
    received: list[msgspec.Raw]
    notifications: list[msgspec.Raw]
    created_at: datetime


class ExportNoteView(msgspec.Struct, frozen=True, rename="camel"):
    """What a store's people wrote on an order for each other."""

    order_id: str
    text: str
    at: datetime


class ExportParcelEventView(msgspec.Struct, frozen=True, rename="camel"):
    """Something said about a parcel."""

    raw_status: str
    note: str | None
    at: datetime


class ExportParcelView(msgspec.Struct, frozen=True, rename="camel"):
    """A parcel and what was written about it."""

    id: str
    order_id: str
    carrier: str
    service: str | None
    tracking_number: str | None
    status: str
    note: str | None
    events: list[ExportParcelEventView]


class ExportInvoiceView(msgspec.Struct, frozen=True, rename="camel"):
    """An invoice or credit note as it was issued."""

    order_id: str
    kind: Kind
    number: int
    issued_at: datetime
    content: msgspec.Raw


class ExportView(msgspec.Struct, frozen=True, rename="camel"):
    """All that is kept of a person. Orders come newest first, `ordersTotal` of them in all, the
    rest behind `nextCursor`; `payments` and all that follows belongs to the orders shown. The other
    lists are whole in every answer.
    """

    profile: UserView
    sessions: list[SessionView]
    logins: list[ExportLoginView]
    addresses: list[BookAddressView]
    phones: list[ProvenPhoneView]
    stores: list[int]
    invitations: list[ExportInvitationView]
    drafts: list[DraftView]
    orders: list[OrderView]
    payments: list[ExportPaymentView]
    refunds: list[RefundView]
    returns: list[ReturnView]
    parcels: list[ExportParcelView]
    cash_cases: list[CaseView]
    notes: list[ExportNoteView]
    invoices: list[ExportInvoiceView]
    orders_total: int
    next_cursor: str | None


async def export(call: Call, query: ExportQuery) -> Reply:
    """A copy of what is kept of the caller, in all stores."""
    db, user_id = call.shop.db, own_id(call)
    user = await accounts.get_user(db, user_id)
    live = await accounts.list_sessions(db, user_id, call.door.clock.now())
    phones = await customers.list_phones(db, user_id)
    invited = await invitations.list_invitations_of(db, user_id, user.email)
    drafted = await drafts.list_drafts_of_phones(db, [p.phone for p in phones], _DRAFTS_MAX)
    wanted = OrderFilter(customer_user_id=user_id, after_id=query.cursor)
    found = await listing.list_orders(db, wanted, ORDERS_MAX, 0)
    ids = [order.id for order in found]
    shops = sorted({order.store_id for order in found})
    return Reply(
        ExportView(
            profile=user_view(user),
            sessions=[session_view(session, call.session_id) for session in live],
            logins=[
                ExportLoginView(one.provider, one.subject, one.email, one.created_at)
                for one in await identities.list_identities(db, user_id)
            ],
            addresses=[address_view(one) for one in await customers.list_addresses(db, user_id)],
            phones=[proven_view(one) for one in phones],
            stores=await accounts.list_stores_of(db, user_id),
            invitations=[
                ExportInvitationView(i.store_id, i.email, i.role, i.created_at, i.closed_at)
                for i in invited
            ],
            drafts=[draft_view(draft) for draft in drafted],
            orders=await _order_views(db, found),
            payments=await _payments(db, ids),
            refunds=[refund_view(r) for r in await refunds_sql.list_refunds_of_orders(db, ids)],
            returns=[
                return_view(one, lines)
                for one, lines in await returns.list_of_orders(db, shops, ids)
            ],
            parcels=await _parcels(db, ids),
            cash_cases=[case_view(case) for case in await cod_sql.list_cases_of_orders(db, ids)],
            notes=[
                ExportNoteView(note.order_id, note.text, note.at)
                for note in await notes.list_notes_of_orders(db, ids)
            ],
            invoices=await _invoices(db, shops, ids),
            orders_total=await listing.count_orders(db, wanted),
            next_cursor=found[-1].id if len(found) == ORDERS_MAX else None,
        )
    )


async def _order_views(db: Database, found: Sequence[Order]) -> list[OrderView]:
    ids = [order.id for order in found]
    lines = by_order(await orders.list_lines(db, ids) if ids else [])
    history = by_order(await orders.list_history(db, ids) if ids else [])
    return [
        order_view(order, lines.get(order.id, []), history.get(order.id, []), None)
        for order in found
    ]


async def _payments(db: Database, order_ids: list[str]) -> list[ExportPaymentView]:
    attempts = await payments.list_payments_of_orders(db, order_ids)
    receipts = await payers.list_receipts_of_orders(db, order_ids)
    news = await payers.list_news_of(db, attempts)
    return [
        _payment_view(
            attempt,
            [each for each in receipts if each.payment_id == attempt.id],
            [each for each in news if each.reference == attempt.reference],
        )
        for attempt in attempts
    ]


def _payment_view(
    attempt: Payment, receipts: Sequence[StoredReceipt], news: Sequence[News]
) -> ExportPaymentView:
    return ExportPaymentView(
        id=attempt.id,
        order_id=attempt.order_id,
        method=attempt.method,
        status=attempt.status,
        amount=dinars(attempt.amount_dirhams),
        currency=attempt.currency,
        failure=attempt.failure,
        return_url=attempt.return_url,
        received=[receipt.details for receipt in receipts],
        notifications=[each.raw for each in news],
        created_at=attempt.created_at,
    )


async def _parcels(db: Database, order_ids: list[str]) -> list[ExportParcelView]:
    found = await shipments_sql.list_of_orders(db, order_ids)
    events: dict[str, list[ShipmentEvent]] = {shipment.id: [] for shipment in found}
    for event in await shipments_sql.list_events(db, list(events)):
        events[event.shipment_id].append(event)
    return [_parcel_view(shipment, events[shipment.id]) for shipment in found]


def _parcel_view(shipment: Shipment, events: Sequence[ShipmentEvent]) -> ExportParcelView:
    return ExportParcelView(
        id=shipment.id,
        order_id=shipment.order_id,
        carrier=shipment.carrier,
        service=shipment.service,
        tracking_number=shipment.tracking_number,
        status=shipment.status,
        note=shipment.note,
        events=[ExportParcelEventView(e.raw_status, e.note, e.at) for e in events],
    )


async def _invoices(
    db: Database, stores: list[int], order_ids: list[str]
) -> list[ExportInvoiceView]:
    return [
        ExportInvoiceView(one.order_id, one.kind, one.number, one.issued_at, one.content)
        for one in await invoices.list_of_orders(db, stores, order_ids)
    ]

"""What a person may ask for: a copy of all that is kept of them, and to be forgotten."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.accounts import sql as accounts
from eishro.domain.customers import sql as customers
from eishro.domain.orders import listing
from eishro.domain.orders import sql as orders
from eishro.domain.orders.listing import OrderFilter
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.errors import Words
from eishro.flows import erase_person
from eishro.web.accounts import Code, UserView, own_id, user_view
from eishro.web.buyers import ErasedView
from eishro.web.customers import BookAddressView, ProvenPhoneView, address_view, proven_view
from eishro.web.orders import OrderView, by_order, order_view
from eishro.web.routes import Call, Reply
from eishro.web.security import ProofBody, SessionView, ShownPassword, proof_of, session_view
from eishro.web.wire import dinars

ORDERS_MAX = 200  # in one answer


class ExportQuery(msgspec.Struct, frozen=True, rename="camel"):
    """`cursor` is `nextCursor` of a former answer: the orders before it."""

    cursor: Annotated[str, Meta(pattern=r"^ord_[0-9a-z]{26}$")] | None = None


class EraseBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The password once more, where the login is older than 5 minutes."""

    password: ShownPassword | None = None
    otp: Code | None = None


class ExportPaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """An attempt to pay."""

    id: str
    order_id: str
    method: str
    status: str
    amount: Decimal
    currency: str
    created_at: datetime


class ExportView(msgspec.Struct, frozen=True, rename="camel"):
    """All that is kept of a person. Orders come newest first, `ordersTotal` of them in all, the
    rest behind `nextCursor`.
    """

    profile: UserView
    sessions: list[SessionView]
    addresses: list[BookAddressView]
    phones: list[ProvenPhoneView]
    stores: list[int]
    orders: list[OrderView]
    payments: list[ExportPaymentView]
    orders_total: int
    next_cursor: str | None


async def export(call: Call, query: ExportQuery) -> Reply:
    """A copy of what is kept of the caller: profile, devices, addresses, orders of all stores."""
    db, user_id = call.shop.db, own_id(call)
    user = await accounts.get_user(db, user_id)
    live = await accounts.list_sessions(db, user_id, call.door.clock.now())
    wanted = OrderFilter(customer_user_id=user_id, after_id=query.cursor)
    found = await listing.list_orders(db, wanted, ORDERS_MAX, 0)
    attempts = await payments.list_payments_of_orders(db, [order.id for order in found])
    return Reply(
        ExportView(
            profile=user_view(user),
            sessions=[session_view(session, call.session_id) for session in live],
            addresses=[address_view(one) for one in await customers.list_addresses(db, user_id)],
            phones=[proven_view(one) for one in await customers.list_phones(db, user_id)],
            stores=await accounts.list_stores_of(db, user_id),
            orders=await _order_views(call, found),
            payments=[_payment_view(attempt) for attempt in attempts],
            orders_total=await listing.count_orders(db, wanted),
            next_cursor=found[-1].id if len(found) == ORDERS_MAX else None,
        )
    )


async def erase(call: Call, body: EraseBody) -> Reply:
    """Delete the own account and take the person out of finished orders."""
    proof = proof_of(call, ProofBody(current_password=body.password, otp=body.otp))
    erased = await erase_person.erase_account(call.shop, proof, call.actor)
    message = Words("Your account is deleted.", "تم حذف حسابك.")
    return Reply(ErasedView(erased), message=message)


async def _order_views(call: Call, found: list[Order]) -> list[OrderView]:
    ids = [order.id for order in found]
    lines = by_order(await orders.list_lines(call.shop.db, ids) if ids else [])
    history = by_order(await orders.list_history(call.shop.db, ids) if ids else [])
    return [
        order_view(order, lines.get(order.id, []), history.get(order.id, []), None)
        for order in found
    ]


def _payment_view(attempt: Payment) -> ExportPaymentView:
    return ExportPaymentView(
        id=attempt.id,
        order_id=attempt.order_id,
        method=attempt.method,
        status=attempt.status,
        amount=dinars(attempt.amount_dirhams),
        currency=attempt.currency,
        created_at=attempt.created_at,
    )

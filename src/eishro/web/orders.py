"""Quotes and orders: for buyers, guests and the store's people."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.orders import listing
from eishro.domain.orders import sql as orders
from eishro.domain.orders.listing import OrderFilter
from eishro.domain.orders.model import (
    LINES_MAX,
    QUANTITY_MAX,
    Order,
    PaymentStatus,
    Status,
    Wanted,
)
from eishro.domain.payments import sql as payments
from eishro.errors import Unauthenticated, Words
from eishro.flows import change_order
from eishro.flows.place_order import Placed, place_order, price_basket
from eishro.flows.price_order import PlaceOrder
from eishro.trace import Step
from eishro.web.access import may, order_token
from eishro.web.delivery import DeliveryBody, destination
from eishro.web.order_views import OrderView, by_order, order_view, quote_view
from eishro.web.routes import Call, Page, Reply
from eishro.web.shipping import step_view
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import Email, Instant, IntegerId, Name, Note, Phone, ShortText


class ItemBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One position of the basket; `variantId` may be left out where a product has one."""

    product_id: IntegerId
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    variant_id: IntegerId | None = None


class CustomerBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Who buys."""

    name: Name
    phone: Phone
    email: Email | None = None


class PaymentChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How it will be paid."""

    method: ShortText


class OrderBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An order; every amount is the server's."""

    items: Annotated[list[ItemBody], Meta(min_length=1, max_length=LINES_MAX)]
    customer: CustomerBody
    shipping: DeliveryBody
    payment: PaymentChoice
    coupon_code: ShortText | None = None
    notes: Note | None = None


class StatusBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The status to move to."""

    status: Status
    note: Note | None = None


class CancelBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why."""

    reason: Note | None = None


class TraceSteps(msgspec.Struct, frozen=True):
    """What is shown of a kept trace; what it was made from stays inside."""

    steps: tuple[Step, ...]


class OrderQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Filters and page of a list; `cursor` (of a former answer) replaces `page`."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(pattern=r"^ord_[0-9a-z]{26}$")] | None = None
    status: Status | None = None
    payment_status: PaymentStatus | None = None
    q: ShortText | None = None
    from_: Instant | None = msgspec.field(default=None, name="from")
    to: Instant | None = None


async def quote(call: Call, body: OrderBody) -> Reply:
    """What the order would cost now; nothing is held."""
    basket = await price_basket(call.shop, await _command(call, body))
    return Reply(quote_view(basket))


async def place(call: Call, body: OrderBody) -> Reply:
    """Place the order; stock is held, the amounts are fixed."""
    command = await _command(call, body)

    def view(placed: Placed) -> Reply:
        return Reply(
            placed_view(call, placed),
            status=201,
            message=Words("Your order is placed.", "تم تسجيل طلبك."),
        )

    once = call.once(view)
    return once.reply(await place_order(call.shop, command, call.actor, once))


def placed_view(call: Call, placed: Placed) -> OrderView:
    """A new order; a guest gets its token with it."""
    token = order_token(call, placed.order.id) if call.caller is None else UNSET
    return order_view(placed.order, placed.lines, placed.history, None, token=token)


async def _command(call: Call, body: OrderBody) -> PlaceOrder:
    to = await destination(call, body.shipping)
    return PlaceOrder(
        store_id=call.store,
        items=wanted_of(body.items),
        customer_user_id=call.caller.user_id if call.caller else None,
        customer_name=body.customer.name.strip(),
        customer_phone=body.customer.phone.number,
        customer_email=body.customer.email.address if body.customer.email else None,
        city_code=to.city_code,
        area=to.area,
        address=to.address,
        shipping_notes=to.notes,
        shipping_method=to.method,
        payment_method=body.payment.method,
        notes=body.notes,
        coupon_code=body.coupon_code,
    )


async def list_store_orders(call: Call, query: OrderQuery) -> Reply:
    """Orders of the store, newest first."""
    return await list_page(call, query, OrderFilter(store_id=call.store))


async def list_own_orders(call: Call, query: OrderQuery) -> Reply:
    """The caller's own orders, newest first."""
    if call.caller is None or call.caller.user_id is None:
        raise Unauthenticated()
    return await list_page(call, query, OrderFilter(customer_user_id=call.caller.user_id))


async def list_page(call: Call, query: OrderQuery, base: OrderFilter) -> Reply:
    """A page of the orders that both filters find."""
    db = call.shop.db
    wanted = msgspec.structs.replace(
        base,
        status=query.status,
        payment_status=query.payment_status,
        q=query.q.strip() if query.q and query.q.strip() else None,
        since=query.from_.at if query.from_ else None,
        until=query.to.at if query.to else None,
        after_id=query.cursor,
    )
    offset = 0 if query.cursor else (query.page - 1) * query.limit
    found = await listing.list_orders(db, wanted, query.limit, offset)
    ids = [order.id for order in found]
    lines = by_order(await orders.list_lines(db, ids) if ids else [])
    history = by_order(await orders.list_history(db, ids) if ids else [])
    attempts = await payments.find_newest_attempts(db, ids) if ids else {}
    views = [
        order_view(
            order,
            lines.get(order.id, []),
            history.get(order.id, []),
            attempts.get(order.id),
            is_held=_is_held(call, order),
        )
        for order in found
    ]
    page = Page(
        query.page,
        query.limit,
        await listing.count_orders(db, wanted),
        ids[-1] if len(found) == query.limit else None,
    )
    return Reply(views, page=page)


async def read(call: Call) -> Reply:
    """One order, for its store, its customer or whoever holds its token."""
    return Reply(await _whole(call, call.found["order"]))


async def read_trace(call: Call) -> Reply:
    """Why each of the order's amounts is what it is."""
    order: Order = call.found["order"]
    trace = await orders.find_trace(call.shop.db, order.store_id, order.id)
    steps = msgspec.json.decode(trace, type=TraceSteps).steps if trace else ()
    return Reply([step_view(step) for step in steps])


async def change_status(call: Call, body: StatusBody) -> Reply:
    """Move the order on."""
    await _refuse_stale(call)
    order = await change_order.change_status(
        call.shop, call.params["order_id"], body.status, call.actor, body.note
    )
    return Reply(await _whole(call, order))


async def cancel(call: Call, body: CancelBody) -> Reply:
    """Cancel the order; stock is free again. A buyer may while it is pending."""
    await _refuse_stale(call)
    order = await change_order.cancel_order(
        call.shop,
        call.params["order_id"],
        call.actor,
        only_pending=not may(call, "orders:write"),
        reason=body.reason,
    )
    return Reply(await _whole(call, order))


async def _whole(call: Call, order: Order) -> OrderView:
    db = call.shop.db
    attempts = await payments.list_payments_of_order(db, order.store_id, order.id)
    return order_view(
        order,
        await orders.list_lines(db, [order.id]),
        await orders.list_history(db, [order.id]),
        attempts[0].id if attempts else None,
        is_held=_is_held(call, order),
    )


def _is_held(call: Call, order: Order) -> bool | UnsetType:
    return True if order.is_held and may(call, "orders:read") else UNSET


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        refuse_stale(call, await _whole(call, call.found["order"]))


def wanted_of(items: Sequence[ItemBody]) -> tuple[Wanted, ...]:
    """The basket's positions as flows take them."""
    return tuple(Wanted(i.product_id, i.quantity, i.variant_id) for i in items)

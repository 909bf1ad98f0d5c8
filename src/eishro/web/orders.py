"""Quotes and orders: for buyers, guests and the store's people."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.orders import listing
from eishro.domain.orders import sql as orders
from eishro.domain.orders.listing import OrderFilter
from eishro.domain.orders.model import (
    LINES_MAX,
    QUANTITY_MAX,
    Basket,
    FulfilmentStatus,
    HistoryEntry,
    Line,
    Order,
    PaymentStatus,
    Status,
    Wanted,
)
from eishro.domain.payments import sql as payments
from eishro.domain.shipping.cities import CITIES
from eishro.domain.shipping.zones import Method
from eishro.errors import Unauthenticated, Words
from eishro.flows import change_order
from eishro.flows.place_order import Placed, place_order, price_basket
from eishro.flows.price_order import PlaceOrder
from eishro.trace import Step
from eishro.web.access import may, order_token
from eishro.web.routes import Call, Page, Reply
from eishro.web.shipping import StepView, step_view
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import (
    CityName,
    Email,
    Instant,
    IntegerId,
    Name,
    Note,
    Phone,
    ShortText,
    dinars,
)

_CITIES = {city.code: city for city in CITIES}


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


class ShippingBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where it goes: there is no postal code in Libya."""

    city: CityName
    address: Annotated[
        str, Meta(min_length=1, max_length=300, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")
    ]
    area: ShortText | None = None
    notes: Note | None = None
    method: Method = "standard"


class PaymentChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How it will be paid."""

    method: ShortText


class OrderBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An order; every amount is the server's."""

    items: Annotated[list[ItemBody], Meta(min_length=1, max_length=LINES_MAX)]
    customer: CustomerBody
    shipping: ShippingBody
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


class LineView(msgspec.Struct, frozen=True, rename="camel"):
    """One line in an answer, as it was when ordered."""

    product_id: int
    variant_id: int
    name: str
    options: msgspec.Raw
    sku: str | None
    unit_price: Decimal
    quantity: int
    total: Decimal
    discount: Decimal


class CustomerView(msgspec.Struct, frozen=True, rename="camel"):
    """The buyer in an answer."""

    name: str
    phone: str
    email: str | None


class CityView(msgspec.Struct, frozen=True, rename="camel"):
    """A city in both languages; `district` is the code of its district."""

    code: str
    name_ar: str
    name_en: str
    district: str | None = None


class AddressView(msgspec.Struct, frozen=True, rename="camel"):
    """Where it goes, in an answer; `city` is the Arabic name."""

    city: str
    city_en: str
    city_code: str
    area: str | None
    address: str
    notes: str | None
    method: str


class OrderPaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """How the order is paid; `id` is the newest attempt."""

    method: str
    status: PaymentStatus
    id: str | None = None


class HistoryView(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that happened."""

    event: str
    status: str
    actor: str
    note: str | None
    at: datetime


class OrderView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An order in an answer; `accessToken` once, at creation, for guests. `paid` is the money that
    came and is the order's, `amountDue` what the buyer still owes for it.
    """

    id: str
    number: str
    store_id: int
    status: Status
    payment_status: PaymentStatus
    fulfilment_status: FulfilmentStatus
    items: list[LineView]
    subtotal: Decimal
    discount: Decimal
    shipping_cost: Decimal
    total: Decimal
    paid: Decimal
    amount_due: Decimal
    refunded: Decimal
    currency: str
    customer: CustomerView
    shipping: AddressView
    payment: OrderPaymentView
    coupon_code: str | None
    notes: str | None
    history: list[HistoryView]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    access_token: str | UnsetType = UNSET


class QuoteLine(msgspec.Struct, frozen=True, rename="camel"):
    """One line of a quote."""

    product_id: int
    variant_id: int
    name: str
    options: msgspec.Raw
    unit_price: Decimal
    quantity: int
    total: Decimal
    discount: Decimal


class QuoteView(msgspec.Struct, frozen=True, rename="camel"):
    """What an order would cost, and why."""

    items: list[QuoteLine]
    subtotal: Decimal
    discount: Decimal
    shipping_cost: Decimal
    total: Decimal
    currency: str
    reasons: dict[str, str]
    steps: list[StepView]


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
    basket = await price_basket(call.shop, _command(call, body))
    return Reply(quote_view(basket))


async def place(call: Call, body: OrderBody) -> Reply:
    """Place the order; stock is held, the amounts are fixed."""
    command = _command(call, body)

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


def _command(call: Call, body: OrderBody) -> PlaceOrder:
    return PlaceOrder(
        store_id=call.store,
        items=wanted_of(body.items),
        customer_user_id=call.caller.user_id if call.caller else None,
        customer_name=body.customer.name.strip(),
        customer_phone=body.customer.phone.number,
        customer_email=body.customer.email.address if body.customer.email else None,
        city_code=body.shipping.city.code,
        area=body.shipping.area,
        address=body.shipping.address,
        shipping_notes=body.shipping.notes,
        shipping_method=body.shipping.method,
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
            order, lines.get(order.id, []), history.get(order.id, []), attempts.get(order.id)
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


def by_order(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Rows by the order that they are of."""
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.order_id, []).append(row)
    return grouped


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
    )


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        refuse_stale(call, await _whole(call, call.found["order"]))


def order_view(
    order: Order,
    lines: Sequence[Line],
    history: Sequence[HistoryEntry],
    payment_id: str | None,
    *,
    token: str | UnsetType = UNSET,
) -> OrderView:
    """The order as the API shows it."""
    city = city_view(order.city_code)
    return OrderView(
        id=order.id,
        number=order.number,
        store_id=order.store_id,
        status=order.status,
        payment_status=order.payment_status,
        fulfilment_status=order.fulfilment_status,
        items=[_line_view(line) for line in lines],
        subtotal=dinars(order.subtotal_dirhams),
        discount=dinars(order.discount_dirhams),
        shipping_cost=dinars(order.shipping_dirhams),
        total=dinars(order.total_dirhams),
        paid=dinars(order.paid_dirhams),
        amount_due=dinars(order.due_dirhams),
        refunded=dinars(order.refunded_dirhams),
        currency="LYD",
        customer=CustomerView(order.customer_name, order.customer_phone, order.customer_email),
        shipping=AddressView(
            city=city.name_ar,
            city_en=city.name_en,
            city_code=city.code,
            area=order.area,
            address=order.address,
            notes=order.shipping_notes,
            method=order.shipping_method,
        ),
        payment=OrderPaymentView(order.payment_method, order.payment_status, payment_id),
        coupon_code=order.coupon_code,
        notes=order.notes,
        history=[HistoryView(h.event, h.status, h.actor, h.note, h.at) for h in history],
        expires_at=order.expires_at,
        created_at=order.created_at,
        updated_at=order.updated_at,
        access_token=token,
    )


def city_view(code: str) -> CityView:
    """The city behind a stored code; a code of an older list is shown as it is."""
    city = _CITIES.get(code)
    if city is None:
        return CityView(code, code, code)
    return CityView(code, city.name_ar, city.name_en, city.district)


def _line_view(line: Line) -> LineView:
    return LineView(
        product_id=line.product_id,
        variant_id=line.variant_id,
        name=line.name,
        options=line.options,
        sku=line.sku,
        unit_price=dinars(line.unit_price_dirhams),
        quantity=line.quantity,
        total=dinars(line.total_dirhams),
        discount=dinars(line.discount_dirhams),
    )


def quote_view(basket: Basket) -> QuoteView:
    """A priced basket as the API shows it."""
    return QuoteView(
        items=[
            QuoteLine(
                product_id=line.offer.product_id,
                variant_id=line.offer.variant_id,
                name=line.offer.name,
                options=line.offer.options,
                unit_price=dinars(line.offer.unit_price_dirhams),
                quantity=line.quantity,
                total=dinars(line.total_dirhams),
                discount=dinars(line.discount_dirhams),
            )
            for line in basket.lines
        ],
        subtotal=dinars(basket.subtotal_dirhams),
        discount=dinars(basket.discount_dirhams),
        shipping_cost=dinars(basket.shipping_dirhams),
        total=dinars(basket.total_dirhams),
        currency="LYD",
        reasons=basket.reasons,
        steps=[step_view(step) for step in basket.steps],
    )


def wanted_of(items: Sequence[ItemBody]) -> tuple[Wanted, ...]:
    """The basket's positions as flows take them."""
    return tuple(Wanted(i.product_id, i.quantity, i.variant_id) for i in items)

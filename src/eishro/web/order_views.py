"""Orders, quotes and baskets as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from eishro.domain.orders.model import (
    Basket,
    FulfilmentStatus,
    HistoryEntry,
    Line,
    Order,
    PaymentStatus,
    Status,
)
from eishro.domain.shipping.cities import CITIES
from eishro.web.shipping import StepView, step_view
from eishro.web.wire import dinars

_CITIES = {city.code: city for city in CITIES}


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
    came and is the order's, `amountDue` what the buyer still owes for it. `isHeld` is shown to the
    store's people alone, while somebody has to look at the order.
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
    is_held: bool | UnsetType = UNSET


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


def by_order(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Rows by the order that they are of."""
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.order_id, []).append(row)
    return grouped


def order_view(
    order: Order,
    lines: Sequence[Line],
    history: Sequence[HistoryEntry],
    payment_id: str | None,
    *,
    token: str | UnsetType = UNSET,
    is_held: bool | UnsetType = UNSET,
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
        is_held=is_held,
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

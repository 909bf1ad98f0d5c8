"""Place an order: hold the stock, write the order, open its books, all or nothing.

Read and decided on: price, status and stock of each variant (guarded by the hold: the product's
version and the quantity), the store's activity, delivery price and methods (guarded by the
store's version in the order's insert). Because all of it is guarded, it may come from memory
(`price_list.py`); whatever the memory would refuse is decided again from the database.
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.ledger import sql as ledger
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import (
    NUMBER_LENGTH,
    OFFLINE_METHODS,
    Basket,
    Delivery,
    HistoryEntry,
    Line,
    Offer,
    Order,
    Wanted,
    price,
)
from eishro.domain.payments.model import AmountNotCarried, MethodNotOffered
from eishro.domain.payments.port import PaymentMethod
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.domain.stores.model import Store, StoreNotFound, StoreSettings
from eishro.errors import ShopError, Stale
from eishro.flows.price_list import PricedStore
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import readable_code, text_id


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A checked order request; the phone is E.164, the city a code of `shipping.cities`."""

    store_id: int
    items: tuple[Wanted, ...]
    customer_user_id: int | None
    customer_name: str
    customer_phone: str
    customer_email: str | None
    city_code: str
    area: str | None
    address: str
    shipping_notes: str | None
    shipping_method: str
    payment_method: str
    notes: str | None


class Placed(msgspec.Struct, frozen=True):
    """A new order with its lines."""

    order: Order
    lines: tuple[Line, ...]
    history: tuple[HistoryEntry, ...]


@again_if_stale
async def place_order(shop: Shop, command: PlaceOrder, actor: Actor, once: Once) -> Placed:
    """Place the order; the same idempotency key never places two.

    Raises:
        Invalid, OutOfStock, MethodNotOffered, StoreNotFound, idempotency.AlreadyClaimed.
    """
    store, basket = _from_memory(shop, command) or await _from_database(shop, command)
    at = shop.clock.now()
    placed = _decide(shop, command, basket, actor, at)
    order = placed.order
    batch = Batch(*once.claim(placed))
    takings = [
        Taking(order.store_id, line.offer.variant_id, line.quantity, line.offer.product_version)
        for line in sorted(basket.lines, key=lambda line: line.offer.variant_id)
    ]
    batch.add(
        *stock.hold(takings, order.id, at, Stale()),
        *orders.insert_order(order, list(placed.lines), store.version),
        *(orders.insert_history(entry) for entry in placed.history),
        ledger.post(order.store_id, "order.placed", at, _opening(order), order_id=order.id),
        outbox.publish("order.placed", order.id, at, store_id=order.store_id),
        audit.record(
            actor, "order.placed", order.id, at, store_id=order.store_id, number=order.number
        ),
    )
    try:
        await shop.db.commit(batch)
    except Stale:
        shop.prices.forget(order.store_id, {item.product_id for item in command.items})
        raise
    return placed


def _from_memory(shop: Shop, command: PlaceOrder) -> tuple[Store, Basket] | None:
    known = shop.prices.recall(command.store_id, {item.product_id for item in command.items})
    if known is None:
        return None
    try:
        return _priced(shop, command, *known)
    except ShopError:
        return None


async def _from_database(shop: Shop, command: PlaceOrder) -> tuple[Store, Basket]:
    found = await shop.prices.read(command.store_id, [i.product_id for i in command.items])
    if found is None:
        raise StoreNotFound()
    return _priced(shop, command, *found)


def _priced(
    shop: Shop, command: PlaceOrder, priced: PricedStore, offers: list[Offer]
) -> tuple[Store, Basket]:
    """What the order costs, if the store takes it.

    Raises:
        Invalid, OutOfStock, MethodNotOffered, StoreNotFound.
    """
    basket = _basket(priced, command.items, offers)
    offered = {m.method: m for m in _methods(shop, priced.settings)}
    method = offered.get(command.payment_method)
    if method is None:
        raise MethodNotOffered("payment.method")
    if not method.carries(basket.total_dirhams):
        raise AmountNotCarried("payment.method")
    return priced.store, basket


def _basket(priced: PricedStore, items: tuple[Wanted, ...], offers: list[Offer]) -> Basket:
    if not priced.store.is_active:
        raise StoreNotFound()
    settings = priced.settings
    delivery = Delivery(settings.shipping_rate_dirhams, settings.free_shipping_above_dirhams)
    return price(items, offers, delivery)


async def price_basket(shop: Shop, store_id: int, items: tuple[Wanted, ...]) -> Basket:
    """What the items cost in an active store now: the quote, which nothing guards.

    Raises:
        Invalid, OutOfStock, StoreNotFound.
    """
    found = await shop.prices.read(store_id, [item.product_id for item in items])
    if found is None:
        raise StoreNotFound()
    priced, offers = found
    return _basket(priced, items, offers)


def methods_of(shop: Shop, store: Store) -> tuple[PaymentMethod, ...]:
    """The payment methods the store offers: the platform's, or those it chose among them."""
    return _methods(shop, store.settings_value())


def _methods(shop: Shop, settings: StoreSettings) -> tuple[PaymentMethod, ...]:
    chosen = settings.payment_methods
    return tuple(m for m in shop.methods if not chosen or m.method in chosen)


def _decide(shop: Shop, command: PlaceOrder, basket: Basket, actor: Actor, at: datetime) -> Placed:
    online = command.payment_method not in OFFLINE_METHODS
    waits = shop.rules.order_expiry if online else shop.rules.cod_confirmation
    order = Order(
        id=text_id("ord", at),
        store_id=command.store_id,
        number=readable_code(NUMBER_LENGTH),
        customer_user_id=command.customer_user_id,
        status="pending",
        payment_status="pending",
        fulfilment_status="unfulfilled",
        customer_name=command.customer_name,
        customer_phone=command.customer_phone,
        customer_email=command.customer_email,
        city_code=command.city_code,
        area=command.area,
        address=command.address,
        shipping_notes=command.shipping_notes,
        shipping_method=command.shipping_method,
        payment_method=command.payment_method,
        notes=command.notes,
        subtotal_dirhams=basket.subtotal_dirhams,
        discount_dirhams=basket.discount_dirhams,
        shipping_dirhams=basket.shipping_dirhams,
        total_dirhams=basket.total_dirhams,
        expires_at=at + waits if waits else None,
        created_at=at,
        updated_at=at,
        version=1,
    )
    lines = tuple(
        Line(
            order_id=order.id,
            position=position,
            store_id=order.store_id,
            product_id=line.offer.product_id,
            variant_id=line.offer.variant_id,
            name=line.offer.name,
            options=line.offer.options,
            sku=line.offer.sku,
            unit_price_dirhams=line.offer.unit_price_dirhams,
            quantity=line.quantity,
            total_dirhams=line.total_dirhams,
        )
        for position, line in enumerate(basket.lines)
    )
    return Placed(order, lines, (orders.new_history(order, "order.placed", actor.name, at),))


def _opening(order: Order) -> dict[str, int]:
    return {
        "receivable": order.total_dirhams,
        "sales": -(order.subtotal_dirhams - order.discount_dirhams),
        "delivery": -order.shipping_dirhams,
    }

"""Place an order: hold the stock, write the order, open its books, all or nothing.

Read and decided on: price, status and stock of each variant (guarded by the hold: the product's
version and the quantity), the store's activity, delivery prices and methods (guarded by the
store's version in the order's insert; zones and promotions move it), the coupon and how often it
was used (guarded by their own rows). Because all of it is guarded, it may come
from memory (`price_list.py`); whatever the memory would refuse is decided again from the database.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import subjects_of
from eishro.domain.ledger import sql as ledger
from eishro.domain.orders import holding
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import (
    COD,
    NUMBER_LENGTH,
    OFFLINE_METHODS,
    Basket,
    HistoryEntry,
    Line,
    Offer,
    Order,
)
from eishro.domain.payments.model import AmountNotCarried, MethodNotOffered
from eishro.domain.payments.port import PaymentMethod
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.domain.stores.model import NONE_OWN, Store, StoreNotFound, StoreSettings
from eishro.errors import Invalid, ShopError, Stale
from eishro.flows.beneficiary import can_pay_into
from eishro.flows.check_risk import check_order
from eishro.flows.limit_holds import guard_holds
from eishro.flows.price_list import PricedStore
from eishro.flows.price_order import PlaceOrder, PricedOrder, price_order
from eishro.flows.set_commission import commission_bp_of
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import readable_code, text_id


class Placed(msgspec.Struct, frozen=True):
    """A new order with its lines."""

    order: Order
    lines: tuple[Line, ...]
    history: tuple[HistoryEntry, ...]


@again_if_stale
async def place_order(shop: Shop, command: PlaceOrder, actor: Actor, once: Once) -> Placed:
    """Place the order; the same idempotency key never places two.

    Raises:
        Invalid, OutOfStock, MethodNotOffered, StoreNotFound, idempotency.AlreadyClaimed,
        TooManyOpenOrders, OrderNotAccepted, CashNotAccepted.
    """
    (placed,) = await _place(shop, (command,), actor, once.claim, alone=True)
    return placed


@again_if_stale
async def place_orders(
    shop: Shop, commands: Sequence[PlaceOrder], actor: Actor, once: Once
) -> tuple[Placed, ...]:
    """One checkout over several stores: an order at each, all of them or none.

    Args:
        commands: at most one for each store.

    Raises:
        As `place_order`; faults name the command they are of (`orders[1].items[0].productId`).
    """
    return await _place(shop, commands, actor, once.claim, alone=False)


async def _place(
    shop: Shop,
    commands: Sequence[PlaceOrder],
    actor: Actor,
    claim: Callable[[object], tuple[Statement, ...]],
    *,
    alone: bool,
) -> tuple[Placed, ...]:
    """Claim, decide and commit. SQLite's reads suspend nobody, so it is these pauses that let a
    reader go between the parts of an order; what is decided is guarded whoever goes meanwhile.
    """
    at = shop.clock.now()
    batch, all_placed = Batch(*await guard_holds(shop, commands)), []
    await asyncio.sleep(0)
    guards: dict[str, int] = {}
    for position, command in enumerate(commands):
        try:
            store, priced = await _from_memory(shop, command, at) or await _from_database(
                shop, command, at
            )
        except Invalid as error:
            if alone:
                raise
            named = {f"orders[{position}].{name}": words for name, words in error.faults.items()}
            raise Invalid(named) from error
        await asyncio.sleep(0)
        total = priced.basket.total_dirhams
        checked = await check_order(shop, store, command, total, guards)
        placed = _decide(shop, command, priced, store, actor, at)
        if checked.findings:
            held = msgspec.structs.replace(placed.order, is_held=True)
            placed = msgspec.structs.replace(placed, order=held)
        all_placed.append(placed)
        batch.add(*_statements(placed, priced, store.version, actor, at))
        batch.add(*checked.statements(placed.order, actor, at))
    if guards:
        batch.add(holding.move_guards(guards))
    await asyncio.sleep(0)
    result = tuple(all_placed)
    whole = Batch(*claim(result[0] if alone else result)).add(*batch)
    try:
        await shop.db.commit(whole)
    except Stale:
        for command in commands:
            shop.prices.forget(command.store_id, {item.product_id for item in command.items})
        raise
    return result


async def prepare_order(
    shop: Shop, command: PlaceOrder, actor: Actor, at: datetime
) -> tuple[Placed, list[Statement]]:
    """The order as it would be placed, read from the database, and the statements that make it
    so: for a flow of the store's own people that commits more with it.

    Raises:
        As `place_order`.
    """
    store, priced = await _from_database(shop, command, at)
    placed = _decide(shop, command, priced, store, actor, at)
    return placed, _statements(placed, priced, store.version, actor, at)


def _statements(
    placed: Placed, priced: PricedOrder, store_version: int, actor: Actor, at: datetime
) -> list[Statement]:
    """Everything that an order means, in rows."""
    order, channel = placed.order, placed.history[0].note
    subjects = subjects_of(order.customer_phone, order.customer_user_id)
    takings = [
        Taking(order.store_id, line.offer.variant_id, line.quantity, line.offer.product_version)
        for line in sorted(priced.basket.lines, key=lambda line: line.offer.variant_id)
    ]
    return [
        *stock.hold(takings, order.id, at, Stale()),
        *orders.insert_order(order, list(placed.lines), store_version),
        orders.insert_trace(order, priced.trace),
        *(statement for one in priced.applied for statement in uses.use(one, subjects, order.id)),
        *(orders.insert_history(entry) for entry in placed.history),
        ledger.post(order.store_id, "order.placed", at, _opening(order), order_id=order.id),
        outbox.publish("order.placed", order.id, at, store_id=order.store_id),
        audit.record(
            actor,
            "order.placed",
            order.id,
            at,
            store_id=order.store_id,
            number=order.number,
            **({} if channel is None else {"channel": channel}),
        ),
    ]


async def _from_memory(
    shop: Shop, command: PlaceOrder, at: datetime
) -> tuple[Store, PricedOrder] | None:
    known = shop.prices.recall(command.store_id, {item.product_id for item in command.items})
    if known is None:
        return None
    try:
        return await _priced(shop, command, *known, at)
    except ShopError:
        return None


async def _from_database(
    shop: Shop, command: PlaceOrder, at: datetime
) -> tuple[Store, PricedOrder]:
    found = await shop.prices.read(command.store_id, [i.product_id for i in command.items], at)
    if found is None:
        raise StoreNotFound()
    return await _priced(shop, command, *found, at)


async def _priced(
    shop: Shop, command: PlaceOrder, priced: PricedStore, offers: list[Offer], at: datetime
) -> tuple[Store, PricedOrder]:
    """What the order costs, if the store takes it.

    Raises:
        Invalid, OutOfStock, MethodNotOffered, StoreNotFound, CouponUnusable.
    """
    order = await price_order(shop.db, command, priced, offers, at)
    method = find_method(_methods(shop, priced.store, priced.settings), command.payment_method)
    if method is None:
        raise MethodNotOffered("payment.method")
    if not carries(method, priced.settings, order.basket.total_dirhams):
        raise AmountNotCarried("payment.method")
    return priced.store, order


async def price_basket(shop: Shop, command: PlaceOrder) -> Basket:
    """What the order would cost in an active store now: the quote, which nothing guards.

    Raises:
        Invalid, OutOfStock, StoreNotFound, CouponUnusable.
    """
    at = shop.clock.now()
    found = await shop.prices.read(
        command.store_id, [item.product_id for item in command.items], at
    )
    if found is None:
        raise StoreNotFound()
    return (await price_order(shop.db, command, *found, at)).basket


def methods_of(shop: Shop, store: Store) -> tuple[PaymentMethod, ...]:
    """The payment methods the store offers: the platform's, or those it chose among them."""
    return _methods(shop, store, store.settings_value())


def find_method(methods: Iterable[PaymentMethod], name: str) -> PaymentMethod | None:
    """The method of this name, or that it is another name of."""
    return next((m for m in methods if name == m.method or name in m.aliases), None)


def _methods(shop: Shop, store: Store, settings: StoreSettings) -> tuple[PaymentMethod, ...]:
    chosen = settings.payment_methods
    own = () if store.own_gateways == NONE_OWN else msgspec.json.decode(store.own_gateways)
    usable: dict[str, PaymentMethod] = {}
    for method in shop.methods:
        is_usable = (
            method.provider is None or method.provider in shop.providers or method.provider in own
        )
        is_wanted = not chosen or method.method in chosen
        is_wanted = is_wanted and (method.currency == "LYD" or shop.rules.usd is not None)
        if is_usable and is_wanted and can_pay_into(shop, settings, method):
            usable.setdefault(method.method, method)  # of several ways to it, the first
    return tuple(usable.values())


def carries(method: PaymentMethod, settings: StoreSettings, dirhams: int) -> bool:
    """True if this amount can be paid this way in a store with these settings."""
    most = settings.cod_most_dirhams if method.method == COD else None
    return method.carries(dirhams) and (most is None or dirhams <= most)


def waiting_time(shop: Shop, method: str) -> timedelta | None:
    """How long a new order waits for its money, or to be confirmed; None: for ever."""
    if method in OFFLINE_METHODS:
        return shop.rules.cod_confirmation
    by_transfer = any(m.method == method and m.pays_into for m in shop.methods)
    return shop.rules.transfer_expiry if by_transfer else shop.rules.order_expiry


def _decide(
    shop: Shop, command: PlaceOrder, priced: PricedOrder, store: Store, actor: Actor, at: datetime
) -> Placed:
    basket = priced.basket
    waits = waiting_time(shop, command.payment_method)
    if command.payment_method not in OFFLINE_METHODS and command.waits_for_goods:
        waits = None
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
        weight_grams=basket.weight_grams,
        coupon_code=priced.coupon_code,
        commission_bp=commission_bp_of(shop, store),
        due_dirhams=basket.total_dirhams,
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
            discount_dirhams=line.discount_dirhams,
            weight_grams=line.offer.weight_grams,
        )
        for position, line in enumerate(basket.lines)
    )
    # The note says how it came in, where that is not the storefront.
    entry = orders.new_history(order, "order.placed", actor.name, at, command.channel)
    return Placed(order, lines, (entry,))


def _opening(order: Order) -> dict[str, int]:
    return {
        "receivable": order.total_dirhams,
        "sales": -(order.subtotal_dirhams - order.discount_dirhams),
        "delivery": -order.shipping_dirhams,
    }

"""Orders changed before shipping: amounts, stock, books and payments follow, or nothing does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.domain.discounts.model import CouponUnusable
from eishro.domain.discounts.uses import list_uses, promotion_uses
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Line, NotEditable, Order, OutOfStock
from eishro.domain.payments import sql as payments
from eishro.domain.shipping.zones import Rate, Zone
from eishro.domain.stock.sql import list_stock
from eishro.errors import Invalid, ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.edit_order import NewAddress, NewQuantity, edit_address, edit_items
from eishro.flows.edit_product import ProductDraft, update_product
from eishro.flows.edit_zones import ZoneChange, update_zone
from eishro.flows.place_order import Placed, place_order
from eishro.flows.price_order import recompute
from eishro.flows.product_card import ProductState
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from tests.flows.meddling import meddled
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

_BOOKS = Query(
    sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams))
    .where(ledger_entries.c.order_id == sa.bindparam("order_id"))
    .group_by(ledger_entries.c.account),
    lambda *row: row,
    across_stores=True,
)
_USED = Query(sa.select(sa.func.sum(promotion_uses.c.used)), int, across_stores=True)


async def _store(world: World) -> int:
    merchant = await world.merchant(shipping_rate_dirhams=10_000)
    assert merchant.store is not None
    return merchant.store.id


async def _edit(world: World, placed: Placed, **pieces: int) -> Order:
    wanted = [NewQuantity(int(name[1:]), quantity) for name, quantity in pieces.items()]
    return await edit_items(world.shop, placed.order.id, wanted, None, TESTER)


def _key(state: ProductState) -> str:
    return f"v{state.variants[0].id}"


async def _held(world: World, state: ProductState) -> tuple[int | None, int]:
    (row,) = await list_stock(world.db, [state.product.id])
    return row.available, row.held


async def _is_sound(world: World, order: Order) -> None:
    """Books, stock and trace say the same as the order."""
    assert await find_faults(world.db) == []
    trace = await orders.find_trace(world.db, order.store_id, order.id)
    assert trace is not None
    amounts = recompute(trace)
    assert amounts.total_dirhams == order.total_dirhams
    lines = await orders.list_lines(world.db, [order.id])
    assert [line.discount_dirhams for line in lines] == list(amounts.line_discounts)
    assert sum(line.total_dirhams for line in lines) == order.subtotal_dirhams
    books: Any = dict(await world.db.all(_BOOKS, order_id=order.id))
    assert books == {
        "receivable": order.total_dirhams,
        "sales": -(order.subtotal_dirhams - order.discount_dirhams),
        "delivery": -order.shipping_dirhams,
    }


async def test_kept_lines_keep_their_price_and_added_ones_cost_what_they_cost_today(
    world: World,
) -> None:
    store = await _store(world)
    first = await world.product(store, stock=10, price=10_000, weight_grams=100)
    other = await world.product(store, stock=10, price=7_000, weight_grams=50)
    gone = await world.product(store, stock=10, price=3_000)
    placed = await world.order(first, 3, "cod")
    for state, price in ((first, 99_000), (other, 8_000)):
        await update_product(
            world.shop, state.product.id, ProductDraft(price_dirhams=price), TESTER, lambda _: None
        )
    order = await _edit(world, placed, **{_key(first): 2, _key(other): 4})
    assert order.subtotal_dirhams == 2 * 10_000 + 4 * 8_000
    assert order.total_dirhams == order.subtotal_dirhams + 10_000
    assert order.weight_grams == 2 * 100 + 4 * 50
    assert await _held(world, first) == (8, 2)
    assert await _held(world, other) == (6, 4)
    await _is_sound(world, order)
    # Again with another, and the first one out.
    world.clock.turn(timedelta(seconds=1))
    order = await _edit(world, placed, **{_key(first): 0, _key(other): 1, _key(gone): 2})
    assert [await _held(world, state) for state in (first, other, gone)] == [
        (10, 0), (9, 1), (8, 2),
    ]  # fmt: skip
    await _is_sound(world, order)
    history = [h for h in await orders.list_history(world.db, [order.id]) if "edited" in h.event]
    assert [h.note for h in history] == ["40.000 -> 62.000", "62.000 -> 24.000"]
    # Cancelled, everything is free again and nobody owes anything.
    await cancel_order(world.shop, order.id, TESTER, only_pending=False)
    assert [await _held(world, state) for state in (first, other, gone)] == [(10, 0)] * 3
    assert {dirhams for _, dirhams in await world.db.all(_BOOKS, order_id=order.id)} == {0}
    assert await find_faults(world.db) == []


async def test_nothing_changes_if_the_items_are_the_same_or_cannot_be_had(world: World) -> None:
    store = await _store(world)
    state, foreign = await world.product(store, stock=5), await world.product(await _store(world))
    placed = await world.order(state, 2, "cod")
    assert await _edit(world, placed, **{_key(state): 2}) == placed.order
    refused: list[tuple[dict[str, int], type[ShopError]]] = [
        ({_key(state): 6}, OutOfStock),
        ({_key(state): 0}, Invalid),
        ({_key(state): 2, _key(foreign): 1}, Invalid),
        ({"v999999": 1}, Invalid),
    ]
    for pieces, error in refused:
        with pytest.raises(error):
            await _edit(world, placed, **pieces)
    twice = [NewQuantity(state.variants[0].id, 1)] * 2
    with pytest.raises(Invalid) as seen:
        await edit_items(world.shop, placed.order.id, twice, None, TESTER)
    assert list(seen.value.faults) == ["items[1].variantId"]
    assert await orders.get_order(world.db, placed.order.id) == placed.order
    assert await _held(world, state) == (3, 2)


async def test_promotions_and_the_coupon_stay_as_they_were(world: World) -> None:
    store = await _store(world)
    coupon = await world.coupon(store, minimum_dirhams=20_000, per_customer_limit=1)
    await world.promotion(
        store, kind="fixed", value=5_000, minimum_dirhams=30_000, per_customer_limit=1
    )
    state = await world.product(store, stock=10, price=10_000)
    command = msgspec.structs.replace(world.command(state, 4, "cod"), coupon_code="EID")
    placed = await place_order(world.shop, command, TESTER, NotOnce())
    assert placed.order.discount_dirhams == 5_000 + 3_500
    # Below the promotion's minimum: it is given back; the coupon still fits and is worth less.
    order = await _edit(world, placed, **{_key(state): 2})
    assert (order.discount_dirhams, order.coupon_code) == (2_000, "EID")
    left = {u.promotion_id: u for u in await list_uses(world.db, store, order.id)}
    assert left[coupon.id].dirhams == 2_000
    assert [u.is_given_back for u in left.values()].count(True) == 1
    assert await world.db.one(_USED) == 1
    await _is_sound(world, order)
    # What was given back does not come again, and an order cannot lose its coupon's reason.
    order = await _edit(world, placed, **{_key(state): 4})
    assert order.discount_dirhams == 4_000
    with pytest.raises(CouponUnusable):
        await _edit(world, placed, **{_key(state): 1})
    await _is_sound(world, order)


async def test_a_shipped_or_closed_order_is_not_edited(world: World) -> None:
    store = await _store(world)
    state = await world.product(store, stock=10)
    shipped, cancelled = await world.order(state, 1, "cod"), await world.order(state, 1, "cod")
    for status in ("confirmed", "processing", "shipped"):
        await change_status(world.shop, shipped.order.id, status, TESTER)
    await cancel_order(world.shop, cancelled.order.id, TESTER, only_pending=True)
    for placed in (shipped, cancelled):
        with pytest.raises(NotEditable):
            await _edit(world, placed, **{_key(state): 2})
    assert await find_faults(world.db) == []


async def test_open_attempts_are_closed_because_their_amount_is_outdated(world: World) -> None:
    state = await world.product(await _store(world), stock=10)
    placed = await world.order(state, 1)
    payment = await start_payment(world.shop, placed.order.id, "moamalat", None, TESTER, NotOnce())
    order = await _edit(world, placed, **{_key(state): 2})
    assert (await payments.get_payment(world.db, payment.id)).status == "cancelled"
    again = await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    assert again.amount_dirhams == order.total_dirhams


async def test_another_address_costs_what_delivery_costs_there_now(world: World) -> None:
    store = await _store(world)
    await world.zone(store, "tripoli", dirhams=5_000)
    await world.zone(store, "misrata", dirhams=25_000)
    state = await world.product(store, stock=10, price=10_000)
    placed = await world.order(state, 1, "cod")
    address = NewAddress(
        city_code="misrata", area=None, address="شارع طرابلس", shipping_notes=None,
        shipping_method="standard",
    )  # fmt: skip
    order = await edit_address(world.shop, placed.order.id, address, "سافر", TESTER)
    assert (order.city_code, order.shipping_dirhams) == ("misrata", 25_000)
    await _is_sound(world, order)
    nowhere = msgspec.structs.replace(address, city_code="sabha")
    with pytest.raises(Invalid) as seen:
        await edit_address(world.shop, order.id, nowhere, None, TESTER)
    assert list(seen.value.faults) == ["shipping.city"]
    # The items are priced with the new address from then on.
    order = await _edit(world, placed, **{_key(state): 2})
    assert order.total_dirhams == 2 * 10_000 + 25_000
    await _is_sound(world, order)


async def test_edits_and_orders_at_once_never_sell_more_than_there_is(world: World) -> None:
    store = await _store(world)
    state = await world.product(store, stock=10)
    placed = [await world.order(state, 1, "cod") for _ in range(2)]
    doing: list[Any] = [
        *(_edit(world, placed[n % 2], **{_key(state): 2 + n % 5}) for n in range(10)),
        *(world.order(state, 1, "cod") for _ in range(10)),
        cancel_order(world.shop, placed[1].order.id, TESTER, only_pending=True),
    ]
    outcomes = await asyncio.gather(*doing, return_exceptions=True)
    for one in outcomes:
        assert not isinstance(one, BaseException) or isinstance(one, ShopError), one
    assert await find_faults(world.db) == []
    available, held = await _held(world, state)
    assert available is not None
    assert available + held == 10
    order = await orders.get_order(world.db, placed[0].order.id)
    await _is_sound(world, order)


async def _dearer(world: World, zone: Zone) -> None:
    change = ZoneChange(rates=(Rate(method="standard", dirhams=40_000),))
    await update_zone(world.shop, zone.store_id, zone.id, change, TESTER, lambda _: None)


async def test_a_rate_that_changes_in_the_same_moment_is_the_rate_of_another_address(
    world: World,
) -> None:
    store = await _store(world)
    await world.zone(store, "tripoli", dirhams=5_000)
    zone = await world.zone(store, "misrata", dirhams=25_000)
    state = await world.product(store, stock=10, price=10_000)
    placed = await world.order(state, 1, "cod")
    address = NewAddress(
        city_code="misrata", area=None, address="x", shipping_notes=None, shipping_method="standard"
    )

    shop = meddled(world.shop, lambda: _dearer(world, zone))
    order = await edit_address(shop, placed.order.id, address, None, TESTER)
    assert order.shipping_dirhams == 40_000
    await _is_sound(world, order)


async def test_an_address_and_rates_that_change_at_once_end_with_one_of_the_rates(
    world: World,
) -> None:
    store = await _store(world)
    await world.zone(store, "tripoli", dirhams=5_000)
    zone = await world.zone(store, "misrata", dirhams=25_000)
    state = await world.product(store, stock=20, price=10_000)
    placed = [await world.order(state, 1, "cod") for _ in range(4)]
    address = NewAddress(
        city_code="misrata", area=None, address="x", shipping_notes=None, shipping_method="standard"
    )
    await asyncio.gather(
        *(edit_address(world.shop, one.order.id, address, None, TESTER) for one in placed),
        _dearer(world, zone),
    )
    costs = {(await orders.get_order(world.db, one.order.id)).shipping_dirhams for one in placed}
    assert costs <= {25_000, 40_000}
    assert await find_faults(world.db) == []


class _Interrupted:
    """The database; somebody else is faster between the reads of trace and lines, once."""

    def __init__(self, db: Database, other: Callable[[], Awaitable[object]]) -> None:
        self.engine = db.engine
        self.commit = db.commit
        self.one = db.one
        self._db = db
        self._others = [other]

    async def all(self, query: Query[Any], **values: object) -> list[Any]:
        if query.into is Line and self._others:
            await self._others.pop()()
        return await self._db.all(query, **values)


async def test_lines_and_trace_of_two_moments_are_read_again(world: World) -> None:
    store = await _store(world)
    first, other = [await world.product(store, stock=10) for _ in range(2)]
    placed = await world.order(first, 1, "cod")

    async def faster() -> None:
        await _edit(world, placed, **{_key(first): 1, _key(other): 2})

    db: Any = _Interrupted(world.db, faster)
    address = NewAddress(
        city_code="sabha", area=None, address="x", shipping_notes=None, shipping_method="standard"
    )
    shop = changed(world.shop, db=db)
    order = await edit_address(shop, placed.order.id, address, None, TESTER)
    assert order.city_code == "sabha"
    assert len(await orders.list_lines(world.db, [order.id])) == 2
    await _is_sound(world, order)

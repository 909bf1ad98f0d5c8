"""Parcels and stock: no piece leaves twice, none is lost, the order follows its parcels."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import InvalidTransition, Order, Status
from eishro.domain.shipping import shipments_sql
from eishro.domain.shipping.carrier_port import News
from eishro.domain.shipping.shipments import (
    MOVES,
    NothingLeftToShip,
    PartlyShipped,
    ShipmentHasCash,
    ShipmentMoveRefused,
    TrackingNumberTaken,
)
from eishro.domain.shipping.shipments import Status as ParcelStatus
from eishro.domain.stock import sql as stock
from eishro.errors import Invalid, ShopError
from eishro.flows.change_order import cancel_order, change_status, expire_order
from eishro.flows.collect_cash import Cash, record_collection
from eishro.flows.move_shipment import ShipmentChange, change_shipment, hear_carrier
from eishro.flows.parcels import Parcel
from eishro.flows.place_order import place_order
from eishro.flows.ship_order import Shipped, ship_order
from eishro.flows.shop import NotOnce
from eishro.jobs.schedule import expire_unpaid_orders, run_once
from tests.books import balances_of_order
from tests.flows.refunding import pay
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


class _Goods:
    """A confirmed order of two products, six pieces of one and four of the other."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def come(self, method: str = "cod", to: Status | None = "confirmed") -> "_Goods":
        merchant = await self.world.merchant()
        assert merchant.store is not None
        self.store_id = merchant.store.id
        first = await self.world.product(self.store_id, stock=20, price=10_000)
        second = await self.world.product(self.store_id, stock=20, price=7_777)
        self.products = [first.product.id, second.product.id]
        self.variants = [first.variants[0].id, second.variants[0].id]
        one = self.world.command(first, 6, method)
        both = (*one.items, *self.world.command(second, 4, method).items)
        command = msgspec.structs.replace(one, items=both)
        self.id = (await place_order(self.world.shop, command, TESTER, NotOnce())).order.id
        if to is not None:
            await self.to(to)
        return self

    async def to(self, status: Status) -> Order:
        self.world.clock.turn(timedelta(seconds=1))
        return await change_status(self.world.shop, self.id, status, TESTER)

    async def ship(self, *pieces: int, **parcel: Any) -> Shipped:
        """Pieces of the first and the second product; none at all is all that is left."""
        self.world.clock.turn(timedelta(seconds=1))  # ids and history sort by time
        wanted = {v: n for v, n in zip(self.variants, pieces, strict=False) if n} or None
        whole = Parcel(carrier="amyal", pieces=wanted, **parcel)
        return await ship_order(self.world.shop, self.id, whole, TESTER, NotOnce())

    async def move(self, shipped: Shipped, *statuses: ParcelStatus) -> None:
        for status in statuses:
            self.world.clock.turn(timedelta(seconds=1))
            change = ShipmentChange(status=status)
            await change_shipment(self.world.shop, shipped.shipment.id, change, TESTER)

    async def order(self) -> Order:
        return await orders.get_order(self.world.db, self.id)

    async def stock(self) -> list[tuple[int | None, int, int]]:
        rows = await stock.list_stock(self.world.db, self.products)
        return [(row.available, row.held, row.sold) for row in rows]

    async def sums_up(self) -> None:
        """At every instant: available + held + sold is what came in."""
        for available, held, sold in await self.stock():
            assert available is not None
            assert available + held + sold == 20
        assert await find_faults(self.world.db) == []


async def test_parts_of_an_order_leave_one_after_the_other(world: World) -> None:
    goods = await _Goods(world).come()
    first = await goods.ship(2, 0, tracking_number="AMY-1")
    assert await goods.stock() == [(14, 4, 2), (16, 4, 0)]
    order = await goods.order()
    assert (order.status, order.fulfilment_status) == ("processing", "partial")
    second = await goods.ship()
    assert await goods.stock() == [(14, 0, 6), (16, 0, 4)]
    order = await goods.order()
    assert (order.status, order.fulfilment_status) == ("shipped", "fulfilled")
    assert first.shipment.cod_dirhams + second.shipment.cod_dirhams == order.total_dirhams
    await goods.move(first, "picked_up", "in_transit", "out_for_delivery", "delivered")
    assert (await goods.order()).status == "shipped"
    await goods.move(second, "delivered")
    assert (await goods.order()).status == "delivered"
    history = await orders.list_history(world.db, [goods.id])
    told = [h.event for h in history if h.event.startswith("order.")]
    assert told == [
        "order.placed",
        "order.confirmed",
        "order.processing",
        "order.partially_shipped",
        "order.shipped",
        "order.delivered",
    ]
    await goods.sums_up()


async def test_what_is_not_there_to_ship_is_refused_and_moves_nothing(world: World) -> None:
    goods = await _Goods(world).come(to=None)
    with pytest.raises(InvalidTransition):
        await goods.ship()
    await goods.to("confirmed")
    await goods.ship(6, 0)
    before = await goods.stock()
    for pieces in ((1, 0), (0, 5)):
        with pytest.raises(NothingLeftToShip):
            await goods.ship(*pieces)
    foreign = Parcel(pieces={999_999: 1})
    with pytest.raises(Invalid) as refused:
        await ship_order(world.shop, goods.id, foreign, TESTER, NotOnce())
    assert set(refused.value.faults) == {"lines[0].variantId"}
    assert await goods.stock() == before
    await goods.ship()
    with pytest.raises(InvalidTransition):
        await goods.ship()
    await goods.sums_up()


async def test_a_tracking_number_belongs_to_one_parcel_of_a_carrier(world: World) -> None:
    goods = await _Goods(world).come()
    await goods.ship(1, 0, tracking_number="AMY-1")
    with pytest.raises(TrackingNumberTaken):
        await goods.ship(1, 0, tracking_number="AMY-1")
    other = await goods.ship(1, 0)
    with pytest.raises(TrackingNumberTaken):
        change = ShipmentChange(tracking_number="AMY-1")
        await change_shipment(world.shop, other.shipment.id, change, TESTER)
    assert len(await shipments_sql.list_of_order(world.db, goods.id)) == 2
    await goods.sums_up()


async def test_a_status_typed_at_the_order_ships_the_rest_once(world: World) -> None:
    goods = await _Goods(world).come()
    await goods.ship(2, 1)
    order = await goods.to("shipped")
    assert (order.status, order.fulfilment_status) == ("shipped", "fulfilled")
    assert await goods.stock() == [(14, 0, 6), (16, 0, 4)]
    found = await shipments_sql.list_of_order(world.db, goods.id)
    assert [s.carrier for s in found] == ["amyal", "manual"]
    assert sum(s.cod_dirhams for s in found) == order.total_dirhams
    await goods.to("delivered")
    found = await shipments_sql.list_of_order(world.db, goods.id)
    assert {s.status for s in found} == {"delivered"}
    await goods.to("returned")
    assert await goods.stock() == [(20, 0, 0), (20, 0, 0)]
    await goods.sums_up()


async def test_a_parcel_cancelled_before_it_left_holds_its_pieces_again(world: World) -> None:
    goods = await _Goods(world).come()
    whole = await goods.ship()
    await goods.move(whole, "cancelled")
    order = await goods.order()
    assert (order.status, order.fulfilment_status) == ("processing", "unfulfilled")
    assert await goods.stock() == [(14, 6, 0), (16, 4, 0)]
    part = await goods.ship(1, 1)
    await goods.move(part, "cancelled")
    again = await goods.ship()
    assert again.shipment.cod_dirhams == order.total_dirhams
    await goods.move(again, "picked_up")
    with pytest.raises(ShipmentMoveRefused):
        await goods.move(again, "cancelled")
    await goods.sums_up()


async def test_after_its_parcels_are_cancelled_an_order_can_be(world: World) -> None:
    goods = await _Goods(world).come()
    part = await goods.ship(1, 0)
    with pytest.raises(PartlyShipped):
        await cancel_order(world.shop, goods.id, TESTER, only_pending=False)
    await goods.move(part, "cancelled")
    await cancel_order(world.shop, goods.id, TESTER, only_pending=False)
    assert await goods.stock() == [(20, 0, 0), (20, 0, 0)]
    await goods.sums_up()


async def test_refused_goods_are_on_the_shelf_only_when_they_are_back(world: World) -> None:
    goods = await _Goods(world).come()
    whole = await goods.ship()
    await goods.move(whole, "out_for_delivery", "returning")
    assert await goods.stock() == [(14, 0, 6), (16, 0, 4)]
    assert (await goods.order()).status == "shipped"
    await goods.move(whole, "returned", "returned")
    assert await goods.stock() == [(20, 0, 0), (20, 0, 0)]
    order = await goods.order()
    assert (order.status, order.fulfilment_status) == ("returned", "returned")
    assert await _books(world, goods.id) == {}
    await goods.sums_up()


async def test_a_refused_part_is_not_owed_and_the_rest_pays_the_order(world: World) -> None:
    goods = await _Goods(world).come()
    first, second = await goods.ship(6, 0), await goods.ship()
    kept = first.shipment.cod_dirhams
    await goods.move(second, "returned")
    assert (await goods.order()).status == "shipped"
    await goods.move(first, "delivered")
    assert (await goods.order()).status == "delivered"
    await record_collection(world.shop, goods.id, Cash(amount_dirhams=kept), TESTER, NotOnce())
    assert (await goods.order()).payment_status == "paid"
    books = await _books(world, goods.id)
    assert (books["courier:amyal"], books["sales"] + books["delivery"]) == (kept, -kept)
    assert "receivable" not in books
    await goods.sums_up()


async def test_a_part_that_comes_back_last_leaves_the_order_paid(world: World) -> None:
    goods = await _Goods(world).come()
    first, second = await goods.ship(6, 0), await goods.ship()
    cash = Cash(amount_dirhams=first.shipment.cod_dirhams, shipment_id=first.shipment.id)
    await record_collection(world.shop, goods.id, cash, TESTER, NotOnce())
    assert (await goods.order()).payment_status == "pending"
    await goods.move(first, "delivered")
    await goods.move(second, "returning", "returned")
    order = await goods.order()
    assert (order.status, order.payment_status) == ("delivered", "paid")
    await goods.sums_up()


async def test_a_lost_parcel_brings_nothing_back(world: World) -> None:
    goods = await _Goods(world).come()
    whole = await goods.ship()
    await goods.move(whole, "in_transit", "lost")
    assert await goods.stock() == [(14, 0, 6), (16, 0, 4)]
    await goods.to("returned")
    assert await goods.stock() == [(14, 0, 6), (16, 0, 4)]
    assert await _books(world, goods.id) == {}
    await goods.sums_up()


async def test_a_parcel_whose_cash_was_taken_cannot_be_cancelled(world: World) -> None:
    goods = await _Goods(world).come()
    whole = await goods.ship()
    cash = Cash(amount_dirhams=whole.shipment.cod_dirhams)
    await record_collection(world.shop, goods.id, cash, TESTER, NotOnce())
    with pytest.raises(ShipmentHasCash):
        await goods.move(whole, "cancelled")
    await goods.sums_up()


async def test_a_carrier_s_late_and_repeated_word_is_kept_and_moves_nothing(world: World) -> None:
    goods = await _Goods(world).come()
    whole = await goods.ship(tracking_number="AMY-7")
    at = world.clock.now()

    async def say(raw: str, status: ParcelStatus | None, hours: int) -> None:
        news = News("AMY-7", raw, status, at + timedelta(hours=hours))
        await hear_carrier(world.shop, goods.store_id, "amyal", news)

    await say("delivered", "delivered", 3)
    for _ in range(3):
        await say("on_track", "in_transit", 1)
    await say("مجهولة", None, 4)
    assert (await goods.order()).status == "delivered"
    (found,) = await shipments_sql.list_of_order(world.db, goods.id)
    assert found.status == "delivered"
    events = await shipments_sql.list_events(world.db, [whole.shipment.id])
    assert [e.raw_status for e in events] == ["created", "on_track", "delivered", "مجهولة"]
    nobody = await hear_carrier(
        world.shop, goods.store_id, "dexpress", News("AMY-7", "x", None, at)
    )
    assert nobody is None
    await goods.sums_up()


async def test_two_parcels_of_the_same_pieces_at_once_leave_once(world: World) -> None:
    goods = await _Goods(world).come()
    outcomes = await asyncio.gather(*(goods.ship(4, 0) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(o, Shipped) for o in outcomes) == 1
    assert all(isinstance(o, Shipped | NothingLeftToShip) for o in outcomes)
    assert await goods.stock() == [(14, 2, 4), (16, 4, 0)]
    await goods.sums_up()


async def test_a_cancel_against_a_parcel_leaves_one_of_them(world: World) -> None:
    for _ in range(4):
        goods = await _Goods(world).come()
        outcomes = await asyncio.gather(
            goods.ship(),
            goods.ship(1, 0),
            cancel_order(world.shop, goods.id, TESTER, only_pending=False),
            return_exceptions=True,
        )
        refusals = [o for o in outcomes if isinstance(o, BaseException)]
        assert all(isinstance(o, ShopError) for o in refusals)
        order = await goods.order()
        shipped = await shipments_sql.list_of_order(world.db, goods.id)
        assert (order.status == "cancelled") is (not shipped)
        await goods.sums_up()


async def test_two_parcels_delivered_at_once_deliver_the_order(world: World) -> None:
    goods = await _Goods(world).come()
    first, second = await goods.ship(3, 3), await goods.ship()
    await asyncio.gather(goods.move(first, "delivered"), goods.move(second, "delivered"))
    assert (await goods.order()).status == "delivered"
    await goods.sums_up()


async def test_whatever_happens_in_whatever_order_pieces_and_dirhams_add_up(
    world: World, rng: random.Random
) -> None:
    for _ in range(6):
        goods = await _Goods(world).come(method=rng.choice(["cod", "cod", "moamalat"]))
        made: list[Shipped] = []
        for _ in range(14):
            try:
                await _do_something(world, goods, made, rng)
            except ShopError:
                pass
            await goods.sums_up()


async def _do_something(
    world: World, goods: _Goods, made: list[Shipped], rng: random.Random
) -> None:
    turn = rng.randrange(10)
    if turn < 3:
        made.append(await goods.ship(rng.randrange(4), rng.randrange(4)))
    elif turn < 7 and made:
        parcel = rng.choice(made)
        await goods.move(parcel, rng.choice(list(MOVES)))
    elif turn == 7 and made:
        parcel = rng.choice(made)
        cash = Cash(
            amount_dirhams=parcel.shipment.cod_dirhams - rng.choice([0, 0, 1]),
            shipment_id=rng.choice([None, parcel.shipment.id]),
        )
        await record_collection(world.shop, goods.id, cash, TESTER, NotOnce())
    elif turn == 8:
        await goods.to(rng.choice(["shipped", "delivered", "returned"]))
    else:
        await cancel_order(world.shop, goods.id, TESTER, only_pending=False)


async def test_an_order_to_be_paid_on_delivery_waits_two_days_to_be_confirmed(
    world: World,
) -> None:
    waiting, confirmed = await _Goods(world).come(to=None), await _Goods(world).come()
    assert (await confirmed.order()).expires_at is None
    world.clock.turn(timedelta(hours=47))
    await expire_unpaid_orders(world.shop)
    assert (await waiting.order()).status == "pending"
    world.clock.turn(timedelta(hours=2))
    await expire_unpaid_orders(world.shop)
    assert [(await g.order()).status for g in (waiting, confirmed)] == ["cancelled", "confirmed"]
    assert await waiting.stock() == [(20, 0, 0), (20, 0, 0)]
    history = await orders.list_history(world.db, [waiting.id])
    assert history[-1].note == "expired"
    await waiting.sums_up()


async def test_the_wait_for_a_confirmation_can_be_switched_off(world: World) -> None:
    rules = msgspec.structs.replace(world.shop.rules, cod_confirmation=None)
    world.shop = changed(world.shop, rules=rules)
    goods = await _Goods(world).come(to=None)
    assert (await goods.order()).expires_at is None


async def test_an_order_that_was_shipped_unpaid_does_not_expire(world: World) -> None:
    goods = await _Goods(world).come(method="moamalat")
    await goods.ship(1, 0)
    world.clock.turn(timedelta(hours=5))
    await expire_unpaid_orders(world.shop)
    assert (await expire_order(world.shop, goods.id)).status == "processing"
    await goods.sums_up()


async def _books(world: World, order_id: str) -> dict[str, int]:
    return await balances_of_order(world.db, order_id)


@pytest.mark.parametrize("end", ["returned", "lost"])
async def test_the_rest_of_an_order_whose_parcels_came_back_can_be_cancelled(
    world: World, end: ParcelStatus
) -> None:
    goods = await _Goods(world).come()
    part = await goods.ship(2, 1)
    await goods.move(part, "returning")
    with pytest.raises(PartlyShipped):
        await cancel_order(world.shop, goods.id, TESTER, only_pending=False)
    await goods.move(part, end)
    await cancel_order(world.shop, goods.id, TESTER, only_pending=False)
    order = await goods.order()
    assert (order.status, order.fulfilment_status) == ("cancelled", "returned")
    assert (order.payment_status, order.due_dirhams) == ("pending", 0)
    assert await balances_of_order(world.db, goods.id) == {}
    lost = (2, 1) if end == "lost" else (0, 0)
    assert await goods.stock() == [(20 - pieces, 0, pieces) for pieces in lost]
    assert await find_faults(world.db) == []


async def test_a_paid_order_s_rest_is_cancelled_and_all_of_its_money_goes_back(
    world: World,
) -> None:
    goods = await _Goods(world).come("moamalat", None)
    await pay(world, goods.id, "t1")
    part = await goods.ship(6)
    await goods.move(part, "returned")
    await cancel_order(world.shop, goods.id, TESTER, only_pending=False)
    await run_once(world.shop)
    assert (await goods.order()).payment_status == "refunded"
    assert await balances_of_order(world.db, goods.id) == {}
    assert await find_faults(world.db) == []


async def test_shipping_more_against_cancelling_the_rest_leaves_one_of_them(world: World) -> None:
    for _ in range(4):
        goods = await _Goods(world).come()
        part = await goods.ship(2)
        await goods.move(part, "returned")
        outcomes = await asyncio.gather(
            goods.ship(0, 1),
            cancel_order(world.shop, goods.id, TESTER, only_pending=False),
            return_exceptions=True,
        )
        refused = [one for one in outcomes if isinstance(one, ShopError)]
        assert len(refused) == 1
        assert await find_faults(world.db) == []

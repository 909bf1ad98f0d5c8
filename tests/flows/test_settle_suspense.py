"""Suspense: stranded money has an item, somebody who looks after it, a deadline, and one place."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.accounts.model import MemberNotFound
from eishro.domain.ledger.reading import read_balances
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import OrderNotFound
from eishro.domain.suspense import sql as suspense
from eishro.domain.suspense.model import SuspenseDoesNotFit, SuspenseItem, SuspenseResolved
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.collect_cash import Cash, record_collection
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.parcels import Parcel
from eishro.flows.product_card import ProductState
from eishro.flows.settle_suspense import apply_to_order, assign_item
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


async def _stranded(world: World) -> tuple[SuspenseItem, ProductState]:
    """The second of two transactions for one order, in a store with a commission of 2.5 %."""
    world.shop = changed(
        world.shop, rules=msgspec.structs.replace(world.shop.rules, commission_bp=250)
    )
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    await world.earn(state, 1, "t1", "t2")
    ((item,), total) = await suspense.list_items(world.db, merchant.store.id, 10, 0, waiting=True)
    assert total == 1
    return item, state


async def test_stranded_money_opens_one_item_in_the_same_batch(world: World) -> None:
    item, _ = await _stranded(world)
    assert (item.reason, item.amount_dirhams, item.status) == ("paid_already", 35_500, "open")
    assert (item.provider, item.provider_reference) == ("moamalat", "t2")
    assert item.due_at - item.opened_at == timedelta(days=7)
    assert item.assigned_to is None
    assert await find_faults(world.db) == []


async def test_it_pays_another_order_once_with_its_commission(world: World) -> None:
    item, state = await _stranded(world)
    order = (await world.order(state)).order
    outcomes = await asyncio.gather(
        *(apply_to_order(world.shop, item.store_id, item.id, order.id, TESTER) for _ in range(5))
    )
    assert {one.status for one in outcomes} == {"resolved"}
    paid = await orders.get_order(world.db, order.id)
    assert (paid.status, paid.payment_status) == ("confirmed", "paid")
    history = await orders.list_history(world.db, [order.id])
    assert [entry.event for entry in history].count("order.paid") == 1
    balances = await read_balances(world.db, item.store_id)
    assert "suspense" not in balances
    assert balances["platform_fees"] == -2 * 887
    assert await find_faults(world.db) == []


async def test_it_pays_one_of_several_orders(world: World) -> None:
    item, state = await _stranded(world)
    waiting = [(await world.order(state)).order.id for _ in range(5)]
    outcomes = await asyncio.gather(
        *(apply_to_order(world.shop, item.store_id, item.id, one, TESTER) for one in waiting),
        return_exceptions=True,
    )
    assert sum(isinstance(one, SuspenseItem) for one in outcomes) == 1
    assert sum(isinstance(one, SuspenseResolved) for one in outcomes) == 4
    paid = [(await orders.get_order(world.db, one)).payment_status for one in waiting]
    assert paid.count("paid") == 1
    assert await find_faults(world.db) == []


async def test_it_fits_only_an_order_of_the_store_that_waits_for_exactly_that(
    world: World,
) -> None:
    item, state = await _stranded(world)
    dearer = (await world.order(state, quantity=2)).order.id
    closed = (await world.order(state)).order.id
    await cancel_order(world.shop, closed, TESTER, only_pending=False)
    foreign = await world.merchant()
    assert foreign.store is not None
    theirs = (await world.order(await world.product(foreign.store.id))).order.id
    for order_id, refusal in (
        (dearer, SuspenseDoesNotFit),
        (closed, SuspenseDoesNotFit),
        (item.order_id, SuspenseDoesNotFit),
        (theirs, OrderNotFound),
        ("ord_0", OrderNotFound),
    ):
        with pytest.raises(refusal):
            await apply_to_order(world.shop, item.store_id, item.id, order_id, TESTER)
    assert (await suspense.get_item(world.db, item.store_id, item.id)).status == "open"
    assert await find_faults(world.db) == []


@pytest.mark.parametrize("ending", ["collected", "refused"])
async def test_it_does_not_pay_again_what_a_courier_brought_or_took_back(
    world: World, ending: str
) -> None:
    item, state = await _stranded(world)
    order = (await world.order(state, method="cod")).order
    assert order.total_dirhams == item.amount_dirhams
    await change_status(world.shop, order.id, "confirmed", TESTER)
    parcel = (await ship_order(world.shop, order.id, Parcel(), TESTER, NotOnce())).shipment
    if ending == "collected":
        cash = Cash(amount_dirhams=parcel.cod_dirhams, shipment_id=parcel.id)
        await record_collection(world.shop, order.id, cash, TESTER, NotOnce())
    else:
        await change_shipment(world.shop, parcel.id, ShipmentChange(status="returning"), TESTER)
        await change_status(world.shop, order.id, "delivered", TESTER)
        await change_shipment(world.shop, parcel.id, ShipmentChange(status="returned"), TESTER)
    with pytest.raises(SuspenseDoesNotFit):
        await apply_to_order(world.shop, item.store_id, item.id, order.id, TESTER)
    assert await find_faults(world.db) == []


async def test_it_is_looked_after_by_people_of_the_store_or_admins(world: World) -> None:
    item, state = await _stranded(world)
    admin, stranger = await world.admin(), await world.customer()
    mine = await assign_item(world.shop, item.store_id, item.id, admin.user.id, TESTER)
    assert (mine.status, mine.assigned_to) == ("assigned", admin.user.id)
    with pytest.raises(MemberNotFound):
        await assign_item(world.shop, item.store_id, item.id, stranger.user.id, TESTER)
    back = await assign_item(world.shop, item.store_id, item.id, None, TESTER)
    assert (back.status, back.assigned_to) == ("open", None)
    order = (await world.order(state)).order
    await apply_to_order(world.shop, item.store_id, item.id, order.id, TESTER)
    with pytest.raises(SuspenseResolved):
        await assign_item(world.shop, item.store_id, item.id, admin.user.id, TESTER)


async def test_the_longest_overdue_comes_first(world: World) -> None:
    first, _ = await _stranded(world)
    assert await suspense.count_overdue(world.db, world.clock.now()) == 0
    world.clock.turn(timedelta(days=8))
    merchant = await world.merchant()
    assert merchant.store is not None
    await world.earn(await world.product(merchant.store.id), 1, "u1", "u2")
    found, total = await suspense.list_waiting(world.db, 10, 0)
    assert (total, found[0].id) == (2, first.id)
    assert await suspense.count_overdue(world.db, world.clock.now()) == 1

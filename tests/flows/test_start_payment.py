"""Starting payments: trying again keeps the hold, but not for ever."""

from datetime import timedelta

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.stores.model import StoreSettings
from eishro.errors import Invalid
from eishro.flows.change_order import change_status
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.open_store import NewStore, open_store
from eishro.flows.parcels import Parcel
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import PAYING, start_payment
from eishro.jobs.schedule import run_once
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio


async def _order(world: World) -> str:
    merchant = await world.merchant()
    assert merchant.store is not None
    return (await world.order(await world.product(merchant.store.id, stock=1))).order.id


async def test_a_payer_who_begins_at_the_last_minute_gets_time_to_pay(world: World) -> None:
    order_id = await _order(world)
    world.clock.turn(timedelta(minutes=59))
    payment = await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    order = await orders.get_order(world.db, order_id)
    assert payment.expires_at == order.expires_at == world.clock.now() + PAYING


async def test_trying_again_and_again_does_not_hold_the_stock_for_ever(world: World) -> None:
    order_id = await _order(world)
    placed_at = world.clock.now()
    for _ in range(12):
        world.clock.turn(timedelta(minutes=10))
        await run_once(world.shop)
        order = await orders.get_order(world.db, order_id)
        if order.status == "cancelled":
            break
        await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    assert order.status == "cancelled"
    assert world.clock.now() - placed_at <= timedelta(minutes=130)


async def test_what_was_refused_at_the_door_is_not_asked_for_online(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5)
    order = (await world.order(state, 2, "cod")).order
    await change_status(world.shop, order.id, "confirmed", TESTER)
    parcel = Parcel(pieces={state.variants[0].id: 1})
    shipped = await ship_order(world.shop, order.id, parcel, TESTER, NotOnce())
    for status in ("returning", "returned"):
        change = ShipmentChange(status=status)
        await change_shipment(world.shop, shipped.shipment.id, change, TESTER)
    left = (await orders.get_order(world.db, order.id)).due_dirhams
    assert 0 < left < order.total_dirhams
    payment = await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    assert payment.amount_dirhams == left
    assert await find_faults(world.db) == []


async def test_a_store_cannot_choose_a_method_the_platform_lacks(world: World) -> None:
    merchant = await world.merchant(store=False)
    new = NewStore(name="x", settings=StoreSettings(payment_methods=("paypal",)))
    with pytest.raises(Invalid):
        await open_store(world.shop, new, merchant.user.id, TESTER, NotOnce())

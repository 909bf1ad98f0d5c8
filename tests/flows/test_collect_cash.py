"""Cash on delivery: exact amounts pay, others wait for people; what couriers hold adds up."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import NotPayable
from eishro.domain.shipping import cod_sql
from eishro.domain.shipping.cod import AlreadyCollected, Case, CaseClosed, NothingToCollect
from eishro.domain.shipping.shipments import Shipment, ShipmentNotFound
from eishro.domain.suspense import sql as suspense
from eishro.errors import Invalid
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.collect_cash import Cash, Counted, record_collection
from eishro.flows.flag_late_cash import flag_late_cash
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.parcels import Parcel
from eishro.flows.pay_order import check_payment
from eishro.flows.resolve_cash import resolve_case
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from tests.books import balances_of_order
from tests.flows.meddling import meddled
from tests.flows.refunding import race
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

TOTAL = 61_000  # two pieces at 25.500, and 10.000 for delivery


class Courier:
    """A store whose courier brings cash for orders of two pieces."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def come(self) -> "Courier":
        merchant = await self.world.merchant()
        assert merchant.store is not None
        self.store_id = merchant.store.id
        self.state = await self.world.product(self.store_id, stock=100)
        return self

    async def parcel(self, number: str | None = None, method: str = "cod") -> Shipment:
        """A whole order on its way."""
        self.world.clock.turn(timedelta(seconds=1))
        placed = await self.world.order(self.state, 2, method)
        await change_status(self.world.shop, placed.order.id, "confirmed", TESTER)
        parcel = Parcel(carrier="amyal", tracking_number=number)
        shipped = await ship_order(self.world.shop, placed.order.id, parcel, TESTER, NotOnce())
        return shipped.shipment

    async def collect(self, order_id: str, dirhams: int = TOTAL, **cash: Any) -> Counted:
        said = Cash(amount_dirhams=dirhams, **cash)
        return await record_collection(self.world.shop, order_id, said, TESTER, NotOnce())

    async def resolve(self, case: Case | None, how: Any) -> Case:
        assert case is not None
        return await resolve_case(
            self.world.shop, self.store_id, case.id, how, "x", TESTER, NotOnce()
        )

    async def payment_status(self, order_id: str) -> str:
        return (await orders.get_order(self.world.db, order_id)).payment_status


async def test_the_exact_amount_pays_the_order_and_lies_with_the_courier(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    counted = await courier.collect(order_id)
    assert (counted.state, counted.order.payment_status) == ("collected", "paid")
    assert await courier.payment_status(order_id) == "paid"
    books = await balances_of_order(world.db, order_id)
    assert books == {"courier:amyal": TOTAL, "sales": -51_000, "delivery": -10_000}
    with pytest.raises(AlreadyCollected):
        await courier.collect(order_id)
    assert await find_faults(world.db) == []


@pytest.mark.parametrize(
    ("dirhams", "kind"), [(TOTAL - 1, "partial"), (TOTAL + 1, "over"), (0, "refused")]
)
async def test_another_amount_pays_nothing_and_is_kept_once(
    world: World, dirhams: int, kind: str
) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    opened = await courier.collect(order_id, dirhams)
    again = await courier.collect(order_id, dirhams)
    assert opened.case is not None and again.case is not None
    assert (opened.case.kind, opened.case.id) == (kind, again.case.id)
    assert await courier.payment_status(order_id) == "pending"
    assert (await balances_of_order(world.db, order_id))["receivable"] == TOTAL
    assert await cod_sql.count_cases(world.db, courier.store_id, "open") == 1
    assert await find_faults(world.db) == []


@pytest.mark.parametrize("difference", [-1_000, 500])
async def test_people_may_accept_what_came(world: World, difference: int) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    case = (await courier.collect(order_id, TOTAL + difference)).case
    decided = await courier.resolve(case, "accept")
    assert (decided.state, decided.resolved_by) == ("resolved", "test")
    assert await courier.resolve(case, "accept") == decided
    with pytest.raises(CaseClosed):
        await courier.resolve(case, "dismiss")
    assert await courier.payment_status(order_id) == "paid"
    books = await balances_of_order(world.db, order_id)
    assert (books["courier:amyal"], books["cod_short"]) == (TOTAL + difference, -difference)
    assert await find_faults(world.db) == []


async def test_a_dismissed_case_books_nothing_and_the_right_amount_still_pays(
    world: World,
) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    case = (await courier.collect(order_id, 5)).case
    await courier.resolve(case, "dismiss")
    assert (await balances_of_order(world.db, order_id))["receivable"] == TOTAL
    assert (await courier.collect(order_id)).state == "collected"
    assert await find_faults(world.db) == []


async def test_a_case_whose_order_was_paid_meanwhile_cannot_be_accepted(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    case = (await courier.collect(order_id, 5)).case
    await courier.collect(order_id)
    with pytest.raises(CaseClosed):
        await courier.resolve(case, "accept")
    assert await find_faults(world.db) == []


async def test_ten_reports_of_the_same_cash_at_once_are_booked_once(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    outcomes = await asyncio.gather(
        *(courier.collect(order_id) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(o, Counted) for o in outcomes) == 1
    assert (await balances_of_order(world.db, order_id))["courier:amyal"] == TOTAL
    assert await find_faults(world.db) == []


async def test_cash_against_a_refusal_leaves_one_of_them(world: World) -> None:
    courier = await Courier(world).come()
    for _ in range(4):
        parcel = await courier.parcel()
        change = ShipmentChange(status="returned")
        await asyncio.gather(
            courier.collect(parcel.order_id),
            change_shipment(world.shop, parcel.id, change, TESTER),
            return_exceptions=True,
        )
        books = await balances_of_order(world.db, parcel.order_id)
        assert books in (
            {},
            {"courier:amyal": TOTAL, "sales": -51_000, "delivery": -10_000},
        )
        assert await find_faults(world.db) == []


async def test_no_cash_is_taken_for_what_is_closed_refused_or_not_on_delivery(
    world: World,
) -> None:
    courier = await Courier(world).come()
    refused, online = await courier.parcel(), await courier.parcel(method="moamalat")
    change = ShipmentChange(status="returning")
    await change_shipment(world.shop, refused.id, change, TESTER)
    cancelled = (await world.order(courier.state, 2, "cod")).order.id
    await cancel_order(world.shop, cancelled, TESTER, only_pending=False)
    for order_id in (refused.order_id, online.order_id, cancelled):
        with pytest.raises(NothingToCollect):
            await courier.collect(order_id)
    for shipment in (refused, online):
        with pytest.raises(NothingToCollect):
            await courier.collect(shipment.order_id, shipment_id=shipment.id)
    with pytest.raises(ShipmentNotFound):
        await courier.collect(refused.order_id, shipment_id=online.id)
    assert await find_faults(world.db) == []


async def test_cash_of_the_future_is_refused(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await courier.parcel()).order_id
    with pytest.raises(Invalid):
        await courier.collect(order_id, collected_at=world.clock.now() + timedelta(hours=1))


async def test_an_order_paid_at_the_counter_needs_no_parcel(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await world.order(courier.state, 2, "cod")).order.id
    counted = await courier.collect(order_id)
    assert (counted.order.status, counted.order.payment_status) == ("confirmed", "paid")
    shipped = await ship_order(world.shop, order_id, Parcel(), TESTER, NotOnce())
    assert shipped.shipment.cod_dirhams == 0
    assert await find_faults(world.db) == []


async def test_what_was_paid_in_part_on_delivery_takes_no_online_payment(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await world.order(courier.state, 2, "cod")).order.id
    await change_status(world.shop, order_id, "confirmed", TESTER)
    pieces = {courier.state.variants[0].id: 1}
    parcel = Parcel(carrier="amyal", pieces=pieces)
    shipped = await ship_order(world.shop, order_id, parcel, TESTER, NotOnce())
    await courier.collect(order_id, shipped.shipment.cod_dirhams)
    assert await courier.payment_status(order_id) == "pending"
    with pytest.raises(NotPayable):
        await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())


async def test_money_taken_and_then_cancelled_is_owed_to_the_buyer(world: World) -> None:
    courier = await Courier(world).come()
    order_id = (await world.order(courier.state, 2, "cod")).order.id
    await courier.collect(order_id)
    await cancel_order(world.shop, order_id, TESTER, only_pending=False)
    books = await balances_of_order(world.db, order_id)
    assert books == {"courier:manual": TOTAL, "refunds_due": -TOTAL}
    assert await find_faults(world.db) == []


async def test_cash_that_stays_with_the_courier_is_late_after_a_week(world: World) -> None:
    courier = await Courier(world).come()
    old = (await courier.parcel()).order_id
    await courier.collect(old)
    world.clock.turn(timedelta(days=8))
    new = (await courier.parcel()).order_id
    await courier.collect(new)
    late = world.clock.now() - world.shop.rules.cod_late
    (till,) = await cod_sql.list_tills(world.db, courier.store_id, late)
    assert (till.collected_dirhams, till.outstanding_dirhams) == (2 * TOTAL, 2 * TOTAL)
    assert (till.late_dirhams, till.late_count, till.remitted_dirhams) == (TOTAL, 1, 0)
    assert [c.order_id for c in await cod_sql.list_late(world.db, courier.store_id, late)] == [old]
    outcomes = [await flag_late_cash(world.shop) for _ in range(2)]
    (case,) = await cod_sql.list_cases(world.db, courier.store_id, "open", 10, 0)
    assert (outcomes, case.kind, case.order_id) == ([1, 0], "late", old)
    await courier.resolve(case, "accept")
    books = await balances_of_order(world.db, old)
    assert (books["cod_short"], "courier:amyal" in books) == (TOTAL, False)
    assert await find_faults(world.db) == []


async def _halves(world: World) -> tuple[Courier, str, Shipment]:
    """An order of two pieces, one of them on its way with cash to be collected."""
    courier = await Courier(world).come()
    order_id = (await world.order(courier.state, 2, "cod")).order.id
    await change_status(world.shop, order_id, "confirmed", TESTER)
    parcel = Parcel(carrier="amyal", pieces={courier.state.variants[0].id: 1})
    shipped = await ship_order(world.shop, order_id, parcel, TESTER, NotOnce())
    return courier, order_id, shipped.shipment


async def test_an_open_payment_of_the_whole_is_closed_when_a_courier_brings_a_part(
    world: World,
) -> None:
    courier, order_id, parcel = await _halves(world)
    payment = await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    await courier.collect(order_id, parcel.cod_dirhams, shipment_id=parcel.id)
    assert (await payments.get_payment(world.db, payment.id)).status == "cancelled"
    # Who pays it all the same has not paid the order, but has money in suspense.
    world.provider.pay(payment.reference, payment.amount_dirhams, "whole")
    await check_payment(world.shop, payment.id)
    order = await orders.get_order(world.db, order_id)
    assert (order.payment_status, order.payment_method) == ("pending", "cod")
    assert order.due_dirhams == TOTAL - parcel.cod_dirhams
    waiting = await suspense.list_items(world.db, courier.store_id, 10, 0, waiting=True)
    assert [item.amount_dirhams for item in waiting[0]] == [TOTAL]
    assert await find_faults(world.db) == []


async def test_a_courier_and_an_online_payment_at_once_never_take_more_than_is_due(
    world: World,
) -> None:
    courier, order_id, parcel = await _halves(world)
    payment = await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    world.provider.pay(payment.reference, payment.amount_dirhams, "whole")
    await race(
        check_payment(world.shop, payment.id),
        courier.collect(order_id, parcel.cod_dirhams, shipment_id=parcel.id),
        check_payment(world.shop, payment.id),
    )
    order = await orders.get_order(world.db, order_id)
    assert order.paid_dirhams + order.due_dirhams == TOTAL
    assert order.paid_dirhams in (TOTAL, parcel.cod_dirhams)
    assert await find_faults(world.db) == []


async def test_a_part_that_is_brought_while_money_is_recorded_pays_only_itself(
    world: World,
) -> None:
    courier, order_id, parcel = await _halves(world)
    payment = await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    world.provider.pay(payment.reference, payment.amount_dirhams, "whole")

    async def brought() -> None:
        await courier.collect(order_id, parcel.cod_dirhams, shipment_id=parcel.id)

    await check_payment(meddled(world.shop, brought), payment.id)
    order = await orders.get_order(world.db, order_id)
    assert (order.paid_dirhams, order.payment_status) == (parcel.cod_dirhams, "pending")
    assert await find_faults(world.db) == []

"""Paid orders that change before shipping: what is too much goes back, what is missing is due."""

import asyncio
import random
from typing import Any

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.invoices import sql as invoices
from eishro.domain.orders.model import Order, OrderPaid
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.refunds import Refund, RefundTooLarge
from eishro.domain.stock.sql import list_stock
from eishro.domain.suspense import sql as suspense
from eishro.errors import ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.collect_cash import Cash, record_collection
from eishro.flows.edit_order import NewQuantity, edit_items
from eishro.flows.parcels import Parcel
from eishro.flows.pay_order import check_payment
from eishro.flows.product_card import ProductState
from eishro.flows.refund_order import complete_refund
from eishro.flows.set_commission import set_commission
from eishro.flows.settle_suspense import apply_to_order
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.jobs.schedule import run_once
from eishro.jobs.work_off_events import handle_events
from tests.flows.refunding import balances, order_now, pay, payment_now, race, refund
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

PRICE, DELIVERY = 20_000, 10_000


class _Shopper:
    """An order of pieces at 20.000, delivered for 10.000, in a store with 2.5 % commission."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.money = 0

    async def come(self, quantity: int = 2, method: str = "moamalat") -> "_Shopper":
        merchant = await self.world.merchant(shipping_rate_dirhams=DELIVERY)
        assert merchant.store is not None
        self.store_id = merchant.store.id
        await set_commission(self.world.shop, self.store_id, 250, "x", TESTER)
        self.state: ProductState = await self.world.product(self.store_id, stock=50, price=PRICE)
        self.id = (await self.world.order(self.state, quantity, method)).order.id
        return self

    async def pay(self) -> Any:
        self.money += 1
        return await pay(self.world, self.id, f"{self.store_id}-{self.money}")

    async def edit(self, quantity: int, note: str | None = None) -> Order:
        wanted = [NewQuantity(self.state.variants[0].id, quantity)]
        return await edit_items(self.world.shop, self.id, wanted, note, TESTER)

    async def now(self) -> Order:
        return await order_now(self.world, self.id)

    async def refunds(self) -> list[Refund]:
        return await refunds.list_refunds_of_order(self.world.db, self.store_id, self.id)

    async def money_is(self, status: str, *, paid: int, due: int) -> None:
        order = await self.now()
        assert (order.payment_status, order.paid_dirhams, order.due_dirhams) == (status, paid, due)
        assert await find_faults(self.world.db) == []


async def test_what_costs_less_goes_back_through_the_gateway(world: World) -> None:
    shopper = await _Shopper(world).come(3)
    paid = await shopper.pay()
    order = await shopper.edit(1, "شيء واحد")
    assert (order.total_dirhams, order.status) == (PRICE + DELIVERY, "confirmed")
    await shopper.money_is("paid", paid=30_000, due=0)
    (one,) = await shopper.refunds()
    assert (one.kind, one.status, one.amount_dirhams) == ("excess", "requested", 40_000)
    await run_once(world.shop)
    assert world.provider.refunds.total == 40_000
    (one,) = await shopper.refunds()
    assert (one.status, one.through) == ("done", "gateway")
    await shopper.money_is("paid", paid=30_000, due=0)
    assert (await payment_now(world, paid.payment.id)).status == "partially_refunded"
    assert await balances(world) == {
        "clearing:moamalat": 30_000,
        "sales": -20_000,
        "delivery": -10_000,
        "commission": 750,
        "platform_fees": -750,
    }
    (row,) = await list_stock(world.db, [shopper.state.product.id])
    assert (row.available, row.held) == (49, 1)
    # What is left can be refunded, and no more.
    with pytest.raises(RefundTooLarge):
        await refund(world, shopper.id, amount_dirhams=30_001)
    await refund(world, shopper.id)
    await run_once(world.shop)
    assert world.provider.refunds.total == 70_000
    assert (await shopper.now()).payment_status == "refunded"
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_what_no_gateway_can_give_back_is_a_task(world: World) -> None:
    shopper = await _Shopper(world).come(2, "cod")
    cash = Cash(amount_dirhams=50_000)
    await record_collection(world.shop, shopper.id, cash, TESTER, NotOnce())
    await shopper.edit(1)
    await shopper.money_is("paid", paid=30_000, due=0)
    (task,) = await shopper.refunds()
    assert (task.kind, task.status, task.amount_dirhams) == ("excess", "manual", 20_000)
    await complete_refund(
        world.shop, shopper.id, task.id, note="x", reference=None, through="cash", actor=TESTER
    )
    (task,) = await shopper.refunds()
    assert (task.kind, task.status, task.through) == ("excess", "done", "cash")
    await shopper.money_is("paid", paid=30_000, due=0)
    assert (await balances(world))["cash"] == -20_000


async def test_what_costs_more_is_due_and_paid_by_another_attempt(world: World) -> None:
    shopper = await _Shopper(world).come(1)
    await shopper.pay()
    order = await shopper.edit(3)
    assert (order.total_dirhams, order.status, order.expires_at) == (70_000, "confirmed", None)
    await shopper.money_is("pending", paid=30_000, due=40_000)
    # Time does not cancel it, and what came for it is not given back as if it were over.
    world.clock.turn(world.shop.rules.order_expiry * 30)
    await run_once(world.shop)
    assert (await shopper.now()).status == "confirmed"
    with pytest.raises(RefundTooLarge):
        await refund(world, shopper.id, amount_dirhams=1)
    paid = await shopper.pay()
    assert paid.payment.amount_dirhams == 40_000
    await shopper.money_is("paid", paid=70_000, due=0)
    assert await balances(world) == {
        "clearing:moamalat": 70_000,
        "sales": -60_000,
        "delivery": -10_000,
        "commission": 1_750,
        "platform_fees": -1_750,
    }
    # Cancelled, both pieces of money go back the way they came.
    await cancel_order(world.shop, shopper.id, TESTER, only_pending=False)
    await run_once(world.shop)
    await run_once(world.shop)
    assert sorted(one.amount_dirhams for one in await shopper.refunds()) == [30_000, 40_000]
    assert world.provider.refunds.total == 70_000
    assert (await shopper.now()).payment_status == "refunded"
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_more_than_one_receipt_gave_goes_back_through_both(world: World) -> None:
    shopper = await _Shopper(world).come(1)
    await shopper.pay()
    await shopper.edit(2)
    await shopper.pay()
    await shopper.edit(3)
    await shopper.pay()
    await shopper.edit(1)
    assert sorted(one.amount_dirhams for one in await shopper.refunds()) == [10_000, 30_000]
    await run_once(world.shop)
    assert world.provider.refunds.total == 40_000
    await shopper.money_is("paid", paid=30_000, due=0)


async def test_a_balance_that_a_further_change_takes_away_leaves_the_order_paid(
    world: World,
) -> None:
    shopper = await _Shopper(world).come(2)
    await shopper.pay()
    await shopper.edit(4)
    await shopper.edit(3)
    await shopper.money_is("pending", paid=50_000, due=20_000)
    await shopper.edit(2)
    await shopper.money_is("paid", paid=50_000, due=0)
    await shopper.edit(4)
    await shopper.edit(1)
    await shopper.money_is("paid", paid=30_000, due=0)
    assert [one.amount_dirhams for one in await shopper.refunds()] == [20_000]


@pytest.mark.parametrize("is_invoiced", [True, False])
async def test_an_order_with_a_balance_due_that_is_cancelled_owes_what_came(
    world: World, is_invoiced: bool
) -> None:
    shopper = await _Shopper(world).come(1)
    await shopper.pay()
    if is_invoiced:
        await handle_events(world.shop)
    await shopper.edit(2)
    await cancel_order(world.shop, shopper.id, TESTER, only_pending=False)
    await shopper.money_is("paid", paid=30_000, due=0)
    await run_once(world.shop)
    await run_once(world.shop)
    assert (await shopper.now()).payment_status == "refunded"
    assert world.provider.refunds.total == 30_000
    assert await balances(world) == {}
    # What was invoiced before the change is void, and nothing was invoiced since.
    order = await shopper.now()
    assert order.revision == int(is_invoiced)
    assert await invoices.find_invoice(world.db, order.store_id, order.id, order.revision) is None
    _, notes = await invoices.list_credit_notes(world.db, order.store_id, order.id, 10, 0)
    assert notes == int(is_invoiced)


async def test_an_attempt_from_before_the_change_pays_nothing_silently(world: World) -> None:
    shopper = await _Shopper(world).come(1)
    await shopper.pay()
    await shopper.edit(2)
    old = await start_payment(world.shop, shopper.id, "moamalat", None, TESTER, NotOnce())
    await shopper.edit(3)
    assert (await payment_now(world, old.id)).status == "cancelled"
    world.provider.pay(old.reference, old.amount_dirhams, "late")
    await check_payment(world.shop, old.id)
    await shopper.money_is("pending", paid=30_000, due=40_000)
    # In suspense until somebody applies it to what costs exactly that.
    items, _ = await suspense.list_items(world.db, shopper.store_id, 10, 0, waiting=True)
    assert [(item.amount_dirhams, item.reason) for item in items] == [(20_000, "amount_differs")]
    await shopper.edit(2)
    await apply_to_order(world.shop, shopper.store_id, items[0].id, shopper.id, TESTER)
    await shopper.money_is("paid", paid=50_000, due=0)


async def test_the_invoice_of_before_is_void_and_another_says_what_it_costs_now(
    world: World,
) -> None:
    shopper = await _Shopper(world).come(2)
    await shopper.pay()
    await handle_events(world.shop)
    first = await invoices.find_invoice(world.db, shopper.store_id, shopper.id, 0)
    assert first is not None
    await shopper.edit(1)
    await handle_events(world.shop)
    order = await shopper.now()
    second = await invoices.find_invoice(world.db, shopper.store_id, shopper.id, order.revision)
    assert second is not None
    assert (second.number, second.content_value().total_dirhams) == (2, 30_000)
    notes, _ = await invoices.list_credit_notes(world.db, shopper.store_id, shopper.id, 10, 0)
    (void,) = [note.content_value() for note in notes]
    assert (void.invoice_number, void.total_dirhams) == (first.number, 50_000)
    # The money that goes back needs no note of its own: the first one is void as a whole.
    await run_once(world.shop)
    await run_once(world.shop)
    assert world.provider.refunds.total == 20_000
    _, count = await invoices.list_credit_notes(world.db, shopper.store_id, shopper.id, 10, 0)
    assert count == 1


async def test_an_order_of_which_something_was_refunded_stays_as_it_is(world: World) -> None:
    shopper = await _Shopper(world).come(2)
    await shopper.pay()
    await refund(world, shopper.id, amount_dirhams=1_000)
    with pytest.raises(OrderPaid):
        await shopper.edit(1)


async def test_a_courier_brings_what_a_change_made_due_and_not_the_whole_again(
    world: World,
) -> None:
    shopper = await _Shopper(world).come(1, "cod")
    cash = Cash(amount_dirhams=30_000)
    await record_collection(world.shop, shopper.id, cash, TESTER, NotOnce())
    await shopper.edit(2)
    await shopper.money_is("pending", paid=30_000, due=20_000)
    shipped = await ship_order(world.shop, shopper.id, Parcel(), TESTER, NotOnce())
    assert shipped.shipment.cod_dirhams == 20_000
    cash = Cash(amount_dirhams=20_000, shipment_id=shipped.shipment.id)
    await record_collection(world.shop, shopper.id, cash, TESTER, NotOnce())
    await shopper.money_is("paid", paid=50_000, due=0)


async def test_twenty_changes_at_once_give_back_the_difference_once(world: World) -> None:
    shopper = await _Shopper(world).come(5)
    await shopper.pay()
    await race(*(shopper.edit(1 + n % 4) for n in range(20)))
    order = await shopper.now()
    gone = sum(one.amount_dirhams for one in await shopper.refunds())
    assert order.paid_dirhams + gone == 5 * PRICE + DELIVERY
    assert order.paid_dirhams + order.due_dirhams == order.total_dirhams
    assert await find_faults(world.db) == []


async def test_a_change_a_payment_a_refund_and_a_cancel_at_once_lose_nothing(
    world: World, rng: random.Random
) -> None:
    for number in range(4):
        shopper = await _Shopper(world).come(2)
        await shopper.pay()
        await shopper.edit(3)
        payment = await start_payment(world.shop, shopper.id, "moamalat", None, TESTER, NotOnce())
        world.provider.pay(payment.reference, payment.amount_dirhams, f"race-{number}")
        doing: list[Any] = [
            shopper.edit(rng.randint(1, 5)),
            shopper.edit(rng.randint(1, 5)),
            check_payment(world.shop, payment.id),
            check_payment(world.shop, payment.id),
            refund(world, shopper.id),
        ]
        if number % 2:
            doing.append(cancel_order(world.shop, shopper.id, TESTER, only_pending=False))
        rng.shuffle(doing)
        await race(*doing)
        assert await find_faults(world.db) == []
    for _ in range(3):
        await run_once(world.shop)
    assert await find_faults(world.db) == []


async def test_shipping_and_changing_at_once_ship_what_was_paid(world: World) -> None:
    shopper = await _Shopper(world).come(2)
    await shopper.pay()
    outcomes = await asyncio.gather(
        shopper.edit(1),
        ship_order(world.shop, shopper.id, Parcel(), TESTER, NotOnce()),
        change_status(world.shop, shopper.id, "processing", TESTER),
        return_exceptions=True,
    )
    for one in outcomes:
        assert not isinstance(one, BaseException) or isinstance(one, ShopError), one
    order = await shopper.now()
    assert order.paid_dirhams == order.total_dirhams
    assert await find_faults(world.db) == []

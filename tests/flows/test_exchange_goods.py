"""Exchanges of orders paid online: what comes back pays the other order, to the dirham."""

from datetime import timedelta

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.invoices import sql as invoices
from eishro.domain.orders.model import Order, Status
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.refunds import Refund
from eishro.domain.returns import sql as returns
from eishro.domain.returns.model import Asked, Wish
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.refund_return import refund_return
from eishro.flows.return_goods import AskReturn, approve_return, receive_return, request_return
from eishro.flows.set_commission import set_commission
from eishro.flows.shop import NotOnce
from eishro.jobs.schedule import run_once
from eishro.jobs.work_off_events import handle_events
from tests.flows.refunding import balances, order_now, pay, payment_now, race, refund
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

PRICE, DELIVERY = 20_000, 10_000
_WAY: tuple[Status, ...] = ("processing", "shipped", "delivered")


class _Exchange:
    """Two pieces at 20.000 were paid online and delivered; one of them is exchanged."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def come(self, price: int, *, pieces: int = 1) -> "_Exchange":
        world = self.world
        merchant = await world.merchant(shipping_rate_dirhams=DELIVERY)
        assert merchant.store is not None
        self.store_id = merchant.store.id
        await set_commission(world.shop, self.store_id, 250, "x", TESTER)
        state = await world.product(self.store_id, stock=9, price=PRICE)
        other = await world.product(self.store_id, stock=9, price=price)
        placed = await world.order(state, 2)
        self.id = placed.order.id
        await pay(world, self.id, f"{self.store_id}-first")
        await self._swap(state.variants[0].id, pieces, other.product.id)
        self.variant_id = other.variants[0].id
        return self

    async def exchange_again(self, price: int) -> "_Exchange":
        """What was got in exchange is exchanged itself."""
        again = _Exchange(self.world)
        again.store_id, again.id = self.store_id, self.other_id
        third = await self.world.product(self.store_id, stock=9, price=price)
        await again._swap(self.variant_id, 1, third.product.id)
        return again

    async def _swap(self, variant_id: int, pieces: int, product_id: int) -> None:
        world = self.world
        for status in _WAY:
            await change_status(world.shop, self.id, status, TESTER)
        command = AskReturn(
            order_id=self.id,
            lines=(Asked(variant_id, pieces),),
            reason=None,
            replacement=(Wish(product_id, None, 1),),
            is_buyer=True,
        )
        self.return_id = (await request_return(world.shop, command, TESTER, NotOnce())).made.id
        made = (await approve_return(world.shop, self.return_id, TESTER, None)).made
        assert made.replacement_order_id is not None
        self.other_id = made.replacement_order_id

    async def receive(self) -> None:
        await receive_return(self.world.shop, self.return_id, {}, TESTER)
        await handle_events(self.world.shop)

    async def old(self) -> Order:
        return await order_now(self.world, self.id)

    async def new(self) -> Order:
        return await order_now(self.world, self.other_id)

    async def refunds(self, order_id: str) -> list[Refund]:
        return await refunds.list_refunds_of_order(self.world.db, self.store_id, order_id)

    async def is_settled(self, *, paid: int, due: int, kinds: list[tuple[str, int]]) -> None:
        new = await self.new()
        assert (new.paid_dirhams, new.due_dirhams) == (paid, due)
        assert new.payment_status == ("pending" if due else "paid")
        made = [(one.kind, one.amount_dirhams) for one in await self.refunds(self.id)]
        assert sorted(made) == kinds
        assert (await returns.get_return(self.world.db, self.return_id)).status == "closed"
        assert await find_faults(self.world.db) == []


async def test_the_other_order_waits_for_the_goods_and_not_for_an_hour(world: World) -> None:
    exchange = await _Exchange(world).come(10_000)
    world.clock.turn(world.shop.rules.order_expiry * 3)
    await run_once(world.shop)
    new = await exchange.new()
    assert (new.status, new.payment_status, new.due_dirhams) == ("pending", "pending", 20_000)
    assert new.expires_at is None


async def test_goods_of_the_same_worth_pay_it(world: World) -> None:
    exchange = await _Exchange(world).come(10_000)
    await exchange.receive()
    await exchange.is_settled(paid=20_000, due=0, kinds=[("exchange", 20_000)])
    new, old = await exchange.new(), await exchange.old()
    assert (new.status, old.payment_status) == ("confirmed", "partially_refunded")
    await run_once(world.shop)
    assert world.provider.refunds.total == 0
    held = await balances(world)
    assert (held["clearing:moamalat"], held.get("refunds_due", 0)) == (50_000, 0)
    assert held["platform_fees"] == -1_250
    # The old order's note and the new order's invoice say so.
    _, notes = await invoices.list_credit_notes(world.db, exchange.store_id, exchange.id, 10, 0)
    invoice = await invoices.find_invoice(world.db, exchange.store_id, exchange.other_id)
    assert (notes, invoice is not None) == (1, True)


async def test_what_it_costs_less_goes_back_to_the_card(world: World) -> None:
    exchange = await _Exchange(world).come(4_000)
    await exchange.receive()
    await run_once(world.shop)
    await exchange.is_settled(paid=14_000, due=0, kinds=[("exchange", 14_000), ("refund", 6_000)])
    assert world.provider.refunds.total == 6_000
    assert (await exchange.old()).refunded_dirhams == 20_000


async def test_what_it_costs_more_is_due(world: World) -> None:
    exchange = await _Exchange(world).come(35_000)
    await exchange.receive()
    await exchange.is_settled(paid=20_000, due=25_000, kinds=[("exchange", 20_000)])
    paid = await pay(world, exchange.other_id, "rest")
    assert paid.payment.amount_dirhams == 25_000
    await exchange.is_settled(paid=45_000, due=0, kinds=[("exchange", 20_000)])


async def test_an_other_order_that_is_paid_or_cancelled_takes_nothing(world: World) -> None:
    paid = await _Exchange(world).come(10_000)
    await pay(world, paid.other_id, "itself")
    await paid.receive()
    await paid.is_settled(paid=20_000, due=0, kinds=[("refund", 20_000)])
    cancelled = await _Exchange(world).come(10_000)
    await cancel_order(world.shop, cancelled.other_id, TESTER, only_pending=False)
    await cancelled.receive()
    made = [(one.kind, one.amount_dirhams) for one in await cancelled.refunds(cancelled.id)]
    assert made == [("refund", 20_000)]
    assert await find_faults(world.db) == []


async def test_what_an_exchange_paid_goes_back_to_the_card_it_came_from(world: World) -> None:
    exchange = await _Exchange(world).come(10_000)
    await exchange.receive()
    await cancel_order(world.shop, exchange.other_id, TESTER, only_pending=False)
    await run_once(world.shop)
    (back,) = await exchange.refunds(exchange.other_id)
    (moved,) = await exchange.refunds(exchange.id)
    assert (back.status, back.through, back.amount_dirhams) == ("done", "gateway", 20_000)
    assert back.receipt_key == moved.receipt_key
    assert world.provider.refunds.total == 20_000
    assert (await exchange.new()).payment_status == "refunded"
    # The first order still has what was not exchanged, and the payment knows both.
    await refund(world, exchange.id)
    await run_once(world.shop)
    assert world.provider.refunds.total == 50_000
    assert back.payment_id is not None
    assert (await payment_now(world, back.payment_id)).status == "refunded"
    held = await balances(world)
    assert (held.get("clearing:moamalat", 0), held.get("refunds_due", 0)) == (0, 0)
    assert await find_faults(world.db) == []


async def test_what_was_exchanged_twice_goes_back_to_the_same_card(world: World) -> None:
    exchange = await _Exchange(world).come(10_000)
    await exchange.receive()
    again = await exchange.exchange_again(4_000)
    await again.receive()
    await pay(world, again.other_id, "rest")
    await cancel_order(world.shop, again.other_id, TESTER, only_pending=False)
    for order_id in (exchange.id, exchange.other_id):
        await refund(world, order_id)
    world.clock.turn(timedelta(minutes=5))
    for _ in range(3):
        await run_once(world.shop)
        world.clock.turn(timedelta(minutes=5))
    for order_id in (exchange.id, exchange.other_id, again.other_id):
        assert (await order_now(world, order_id)).payment_status == "refunded"
    assert world.provider.refunds.total == 54_000, "what the cards paid, and not a dirham more"
    assert await find_faults(world.db) == []


async def test_both_orders_of_an_exchange_give_back_no_more_than_came(world: World) -> None:
    exchange = await _Exchange(world).come(10_000)
    await exchange.receive()
    await race(*(refund(world, one) for one in [exchange.id, exchange.other_id] * 10))
    await race(*(run_once(world.shop) for _ in range(3)))
    world.clock.turn(timedelta(minutes=5))
    await run_once(world.shop)
    made = [*await exchange.refunds(exchange.id), *await exchange.refunds(exchange.other_id)]
    assert [one.status for one in made] == ["done"] * 3
    assert world.provider.refunds.total == 50_000
    assert await find_faults(world.db) == []


async def test_an_exchanged_order_gives_back_that_money_and_its_own(world: World) -> None:
    exchange = await _Exchange(world).come(35_000)
    await exchange.receive()
    await pay(world, exchange.other_id, "rest")
    await refund(world, exchange.other_id)
    made = await exchange.refunds(exchange.other_id)
    assert sorted(one.amount_dirhams for one in made) == [20_000, 25_000]
    assert {one.status for one in made} == {"requested"}
    await run_once(world.shop)
    assert world.provider.refunds.total == 45_000
    assert (await exchange.new()).payment_status == "refunded"
    assert await find_faults(world.db) == []


async def test_where_no_gateway_gives_back_it_is_a_task_for_people(world: World) -> None:
    exchange = await _Exchange(world).come(10_000)
    await exchange.receive()
    world.provider.can_refund = False
    await cancel_order(world.shop, exchange.other_id, TESTER, only_pending=False)
    await handle_events(world.shop)
    (task,) = await exchange.refunds(exchange.other_id)
    assert (task.status, task.amount_dirhams) == ("manual", 20_000)
    assert await find_faults(world.db) == []


async def test_an_exchange_is_settled_once_whoever_pays_or_cancels_meanwhile(world: World) -> None:
    exchange = await _Exchange(world).come(30_000)
    await receive_return(world.shop, exchange.return_id, {}, TESTER)
    await race(
        *(refund_return(world.shop, exchange.return_id) for _ in range(5)),
        pay(world, exchange.other_id, "meanwhile"),
        cancel_order(world.shop, exchange.other_id, TESTER, only_pending=False),
    )
    for _ in range(2):
        await run_once(world.shop)
    made = await exchange.refunds(exchange.id)
    assert sum(one.amount_dirhams for one in made) == 20_000
    assert await find_faults(world.db) == []

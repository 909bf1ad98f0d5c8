"""Refunds: never more than what came, the books balance after everything."""

from typing import Any

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.domain.payments.refund_amounts import WantedLine
from eishro.domain.payments.refunds import (
    BUSY_PAUSE,
    REFUNDS_MAX,
    NotInSuspense,
    Refund,
    RefundNotFound,
    RefundNotOpen,
    RefundTooLarge,
    TooManyRefunds,
)
from eishro.domain.suspense.model import SuspenseResolved
from eishro.errors import Invalid
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.refund_order import (
    complete_refund,
    open_due_refunds,
    open_suspense_refund,
    retry_refund,
)
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import NotOnce
from eishro.jobs.schedule import run_once
from tests.flows.refunding import (
    balances,
    order_now,
    paid_order,
    pay,
    payment_now,
    race,
    refund,
)
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


async def _complete(
    world: World,
    opened: Refund,
    through: Any = "cash",
    note: str = "paid out at the counter",
) -> Refund:
    return await complete_refund(
        world.shop,
        opened.order_id,
        opened.id,
        note=note,
        reference="R-1",
        through=through,
        actor=TESTER,
    )


async def test_everything_goes_back_once(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    assert (opened.status, opened.amount_dirhams) == ("requested", paid.total)
    assert (await order_now(world, paid.order.id)).payment_status == "paid"
    assert await balances(world) == {"clearing:moamalat": paid.total, "refunds_due": -paid.total}
    assert await find_faults(world.db) == []
    done = await send_refund(world.shop, opened.id)
    assert (done.status, done.provider_reference, done.through) == ("done", "r0", "gateway")
    order = await order_now(world, paid.order.id)
    assert (order.payment_status, order.refunded_dirhams) == ("refunded", paid.total)
    assert (await payment_now(world, paid.payment.id)).status == "refunded"
    assert await balances(world) == {}
    with pytest.raises(RefundTooLarge) as refused:
        await refund(world, paid.order.id, amount_dirhams=1)
    assert bytes(refused.value.details["remaining"]) == b"0.000"  # type: ignore[call-overload]
    assert (await send_refund(world.shop, opened.id)).status == "done"
    assert world.provider.refunds.total == paid.total
    assert await find_faults(world.db) == []


async def test_a_whole_sale_taken_back_before_settlement_is_voided(world: World) -> None:
    paid = await paid_order(world)
    world.provider.refunds.mood = "void"
    done = await send_refund(world.shop, (await refund(world, paid.order.id)).id)
    assert (done.status, done.kind) == ("done", "void")
    assert (await payment_now(world, paid.payment.id)).status == "voided"
    assert (await order_now(world, paid.order.id)).payment_status == "refunded"


async def test_a_part_goes_back_and_the_rest_later(world: World) -> None:
    paid = await paid_order(world)
    first = await refund(world, paid.order.id, amount_dirhams=10_000)
    await send_refund(world.shop, first.id)
    order = await order_now(world, paid.order.id)
    assert (order.payment_status, order.refunded_dirhams) == ("partially_refunded", 10_000)
    assert (await payment_now(world, paid.payment.id)).status == "partially_refunded"
    with pytest.raises(RefundTooLarge) as refused:
        await refund(world, paid.order.id, amount_dirhams=paid.total - 9_999)
    assert refused.value.code == "REFUND_TOO_LARGE"
    rest = await refund(world, paid.order.id)
    assert rest.amount_dirhams == paid.total - 10_000
    await send_refund(world.shop, rest.id)
    assert (await order_now(world, paid.order.id)).payment_status == "refunded"
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_pieces_of_a_line_sum_to_the_line_and_delivery_goes_apart(world: World) -> None:
    paid = await paid_order(world, quantity=3, price=3_333)
    parts = []
    for _ in range(3):
        one = await refund(world, paid.order.id, lines=(WantedLine(1, position=0),))
        assert one.goods_dirhams == one.amount_dirhams == one.lines_value()[0].dirhams
        parts.append(one.amount_dirhams)
    assert sum(parts) == 9_999
    with pytest.raises(RefundTooLarge) as refused:
        await refund(world, paid.order.id, lines=(WantedLine(1, position=0),))
    assert refused.value.details["lines"] == [{"position": 0, "left": 0}]
    delivery = await refund(world, paid.order.id, delivery=True)
    assert (delivery.delivery_dirhams, delivery.goods_dirhams) == (paid.order.shipping_dirhams, 0)
    await run_once(world.shop)
    await run_once(world.shop)
    for _ in range(5):
        world.clock.turn(BUSY_PAUSE)
        await run_once(world.shop)
    assert (await order_now(world, paid.order.id)).payment_status == "refunded"
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_a_fee_can_be_kept_back(world: World) -> None:
    paid = await paid_order(world, quantity=2, price=10_000)
    line = WantedLine(2, variant_id=(await _variant(world, paid.order.id)))
    kept = await refund(world, paid.order.id, lines=(line,), amount_dirhams=15_000)
    assert (kept.amount_dirhams, kept.lines_value()[0].dirhams) == (15_000, 15_000)
    with pytest.raises(Invalid) as refused:
        await refund(world, paid.order.id, delivery=True, amount_dirhams=paid.total)
    assert set(refused.value.faults) == {"amount"}


async def _variant(world: World, order_id: str) -> int:
    return (await orders.list_lines(world.db, [order_id]))[0].variant_id


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ((WantedLine(1, position=7),), "lines[0].position"),
        ((WantedLine(1, variant_id=999),), "lines[0].variantId"),
        ((WantedLine(1, position=0), WantedLine(1, position=0)), "lines[1]"),
    ],
)
async def test_lines_that_the_order_does_not_have(
    world: World, lines: tuple[WantedLine, ...], field: str
) -> None:
    paid = await paid_order(world, quantity=2)
    with pytest.raises(Invalid) as refused:
        await refund(world, paid.order.id, lines=lines)
    assert set(refused.value.faults) == {field}
    assert (await order_now(world, paid.order.id)).refunds_opened_dirhams == 0


async def test_an_unpaid_order_has_nothing_to_give_back(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    order = (await world.order(await world.product(merchant.store.id), method="cod")).order
    with pytest.raises(RefundTooLarge):
        await refund(world, order.id)
    assert await refunds.list_refunds_of_order(world.db, order.store_id, order.id) == []


@pytest.mark.parametrize("sends", [False, True])
async def test_twenty_refunds_of_everything_at_once_are_one(world: World, sends: bool) -> None:
    paid = await paid_order(world)

    async def one() -> Refund:
        opened = await refund(world, paid.order.id)
        return await send_refund(world.shop, opened.id) if sends else opened

    outcomes = await race(*(one() for _ in range(20)))
    assert sum(isinstance(outcome, Refund) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RefundTooLarge) for outcome in outcomes) == 19
    await race(*(run_once(world.shop) for _ in range(3)))
    assert world.provider.refunds.given == [(f"tx-{paid.payment.reference}", paid.total, "r0")]
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_many_parts_at_once_never_come_to_more_than_the_whole(world: World) -> None:
    paid = await paid_order(world, price=7_000)
    outcomes = await race(*(refund(world, paid.order.id, amount_dirhams=5_000) for _ in range(10)))
    opened = [outcome for outcome in outcomes if isinstance(outcome, Refund)]
    assert len(opened) == paid.total // 5_000
    await race(*(send_refund(world.shop, one.id) for one in opened for _ in range(3)))
    for _ in range(4):
        world.clock.turn(BUSY_PAUSE)
        await run_once(world.shop)
    assert world.provider.refunds.total == sum(one.amount_dirhams for one in opened)
    assert await find_faults(world.db) == []


async def test_a_cancelled_paid_order_gets_its_money_back_by_itself(world: World) -> None:
    paid = await paid_order(world)
    await cancel_order(world.shop, paid.order.id, TESTER, only_pending=False)
    assert await find_faults(world.db) == []
    await run_once(world.shop)
    order = await order_now(world, paid.order.id)
    assert (order.status, order.payment_status) == ("cancelled", "refunded")
    assert await open_due_refunds(world.shop, paid.order.id) == []
    assert world.provider.refunds.total == paid.total
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_the_due_refund_is_opened_once_however_often_the_event_comes(world: World) -> None:
    paid = await paid_order(world)
    await cancel_order(world.shop, paid.order.id, TESTER, only_pending=False)
    outcomes = await race(*(open_due_refunds(world.shop, paid.order.id) for _ in range(10)))
    assert sum(bool(outcome) for outcome in outcomes) == 1


async def test_cancelling_after_a_part_went_back_owes_the_rest(world: World) -> None:
    paid = await paid_order(world, quantity=2)
    part = await refund(world, paid.order.id, lines=(WantedLine(1, position=0),))
    await send_refund(world.shop, part.id)
    await cancel_order(world.shop, paid.order.id, TESTER, only_pending=False)
    rest = paid.total - part.amount_dirhams
    assert await balances(world) == {"clearing:moamalat": rest, "refunds_due": -rest}
    await run_once(world.shop)
    assert await balances(world) == {}
    assert (await order_now(world, paid.order.id)).payment_status == "refunded"
    assert await find_faults(world.db) == []


async def test_cancel_and_refund_at_once(world: World) -> None:
    paid = await paid_order(world)
    await race(
        cancel_order(world.shop, paid.order.id, TESTER, only_pending=False),
        *(refund(world, paid.order.id, amount_dirhams=4_000) for _ in range(4)),
    )
    assert await find_faults(world.db) == []
    for _ in range(6):
        await run_once(world.shop)
        world.clock.turn(BUSY_PAUSE)
    assert world.provider.refunds.total == paid.total
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_cash_goes_back_by_hand(world: World) -> None:
    """An order paid in cash has no gateway: its refund is a task until somebody has done it."""
    paid = await paid_order(world)
    world.shop = changed(world.shop, providers={})
    opened = await refund(world, paid.order.id)
    assert (opened.status, opened.kind, opened.next_try_at) == ("manual", "manual", None)
    await run_once(world.shop)
    listed = await refunds.list_refunds_of_store(world.db, opened.store_id, "manual", 10, 0)
    assert [one.id for one in listed] == [opened.id]
    done = await _complete(world, opened)
    assert (done.status, done.through, done.completed_by) == ("done", "cash", TESTER.name)
    assert await balances(world) == {"cash": -paid.total, "clearing:moamalat": paid.total}
    assert (await _complete(world, opened)).status == "done", "said twice"
    with pytest.raises(RefundNotOpen):
        await _complete(world, opened, note="something else")
    assert await find_faults(world.db) == []


async def test_done_in_the_gateways_portal_lowers_what_the_gateway_holds(world: World) -> None:
    paid = await paid_order(world)
    world.provider.refunds.mood = "manual"
    opened = await refund(world, paid.order.id)
    assert (await send_refund(world.shop, opened.id)).status == "manual"
    await _complete(world, opened, "gateway")
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_a_refused_refund_waits_for_people_and_can_be_sent_again(world: World) -> None:
    paid = await paid_order(world)
    world.provider.refunds.mood = "refuse"
    opened = await refund(world, paid.order.id)
    failed = await send_refund(world.shop, opened.id)
    assert (failed.status, failed.failure) == ("failed", "Transaction not allowed")
    with pytest.raises(RefundTooLarge):  # it is still owed
        await refund(world, paid.order.id, amount_dirhams=1)
    world.provider.refunds.mood = "done"
    with pytest.raises(RefundNotFound):
        await retry_refund(world.shop, "ord_other", opened.id, TESTER)
    await retry_refund(world.shop, paid.order.id, opened.id, TESTER)
    assert (await send_refund(world.shop, opened.id)).status == "done"
    with pytest.raises(RefundNotOpen):
        await retry_refund(world.shop, paid.order.id, opened.id, TESTER)
    assert await find_faults(world.db) == []


async def test_money_in_suspense_goes_back_once(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id))
    paid = await pay(world, placed.order.id, "t1", "t2")
    stranded = next(
        receipt
        for receipt in await payments.list_receipts(world.db, paid.payment.id)
        if not receipt.applied
    )
    key = (stranded.terminal, stranded.provider_reference)
    outcomes = await race(
        *(
            open_suspense_refund(world.shop, paid.payment.id, key, "paid twice", TESTER, NotOnce())
            for _ in range(10)
        )
    )
    (opened,) = [outcome for outcome in outcomes if isinstance(outcome, Refund)]
    refused = (NotInSuspense, SuspenseResolved)  # by which of the two a late one reads first
    assert sum(isinstance(outcome, refused) for outcome in outcomes) == 9
    assert (await balances(world))["refunds_due"] == -paid.total
    assert "suspense" not in await balances(world)
    assert await find_faults(world.db) == []
    done = await send_refund(world.shop, opened.id)
    assert (done.status, done.kind) == ("done", "suspense")
    order = await order_now(world, placed.order.id)
    assert (order.payment_status, order.refunded_dirhams) == ("paid", 0)
    assert (await payment_now(world, paid.payment.id)).status == "paid"
    assert world.provider.refunds.given == [(stranded.provider_reference, paid.total, "r0")]
    assert await find_faults(world.db) == []


async def test_money_that_paid_an_order_is_not_in_suspense(world: World) -> None:
    paid = await paid_order(world)
    (receipt,) = await payments.list_receipts(world.db, paid.payment.id)
    for key in ((receipt.terminal, receipt.provider_reference), ("T1", "other")):
        with pytest.raises(NotInSuspense):
            await open_suspense_refund(world.shop, paid.payment.id, key, "x", TESTER, NotOnce())


async def test_a_shipped_order_can_be_refunded_and_stays_shipped(world: World) -> None:
    paid = await paid_order(world)
    for to in ("processing", "shipped"):
        await change_status(world.shop, paid.order.id, to, TESTER)
    await send_refund(world.shop, (await refund(world, paid.order.id)).id)
    order = await order_now(world, paid.order.id)
    assert (order.status, order.payment_status) == ("shipped", "refunded")
    assert await find_faults(world.db) == []


async def test_an_order_has_a_limited_number_of_refunds(world: World) -> None:
    paid = await paid_order(world)
    for _ in range(REFUNDS_MAX):
        await refund(world, paid.order.id, amount_dirhams=1)
    with pytest.raises(TooManyRefunds):
        await refund(world, paid.order.id, amount_dirhams=1)

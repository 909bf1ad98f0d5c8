"""Money: paid once, never lost, never applied twice; the books balance after everything."""

import asyncio
import random
from collections.abc import Awaitable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import NotPayable, Payment
from eishro.domain.payments.port import Failed, Paid, Receipt, Unknown
from eishro.errors import ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.pay_order import check_payment, note_claim, record_answer
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from eishro.jobs.schedule import run_once
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

_SUSPENSE = Query(
    sa.select(sa.func.coalesce(sa.func.sum(ledger_entries.c.dirhams), 0)).where(
        ledger_entries.c.account == "suspense"
    ),
    int,
    across_stores=True,
)


async def _start(world: World, order_id: str) -> Payment:
    return await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())


async def _waiting(world: World, stock: int | None = 5) -> tuple[str, Payment]:
    """A placed order with a payment under way."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=stock)
    placed = await world.order(state)
    return placed.order.id, await _start(world, placed.order.id)


async def _race(*work: Awaitable[object]) -> list[object]:
    """Run at once; refusals are outcomes, anything else is a fault."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    return list(outcomes)


async def test_an_exact_amount_pays_the_order_once(world: World) -> None:
    order_id, payment = await _waiting(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    # However many meet on the one row, none gives up: each has waited for its turn.
    outcomes = await _race(*(check_payment(world.shop, payment.id) for _ in range(40)))
    assert {isinstance(outcome, Payment) and outcome.status for outcome in outcomes} == {"paid"}
    order = await orders.get_order(world.db, order_id)
    assert (order.status, order.payment_status, order.expires_at) == ("confirmed", "paid", None)
    history = await orders.list_history(world.db, [order_id])
    assert [entry.event for entry in history].count("order.paid") == 1
    assert await world.db.one(_SUSPENSE) == 0
    assert await find_faults(world.db) == []


@pytest.mark.parametrize("difference", [-1, 1, 100_000])
async def test_another_amount_pays_nothing_and_is_kept(world: World, difference: int) -> None:
    order_id, payment = await _waiting(world)
    came = payment.amount_dirhams + difference
    world.provider.pay(payment.reference, came)
    after = await check_payment(world.shop, payment.id)
    assert (after.status, after.review) == ("unknown", "amount_differs")
    assert (await orders.get_order(world.db, order_id)).payment_status == "pending"
    assert await world.db.one(_SUSPENSE) == -came
    assert await find_faults(world.db) == []


async def test_another_currency_pays_nothing(world: World) -> None:
    order_id, payment = await _waiting(world)
    world.provider.pay(payment.reference, payment.amount_dirhams, currency="USD")
    assert (await check_payment(world.shop, payment.id)).review == "amount_differs"
    assert (await orders.get_order(world.db, order_id)).payment_status == "pending"


async def test_a_card_charged_twice_pays_once_and_keeps_the_rest(world: World) -> None:
    order_id, payment = await _waiting(world)
    world.provider.pay(payment.reference, payment.amount_dirhams, "t1", "t2")
    after = await check_payment(world.shop, payment.id)
    assert (after.status, after.review) == ("paid", "paid_already")
    assert (await orders.get_order(world.db, order_id)).payment_status == "paid"
    assert await world.db.one(_SUSPENSE) == -payment.amount_dirhams
    assert await find_faults(world.db) == []


async def test_two_attempts_both_paid_pay_the_order_once(world: World) -> None:
    order_id, first = await _waiting(world)
    second = await _start(world, order_id)
    for payment in (first, second):
        world.provider.pay(payment.reference, payment.amount_dirhams)
    await _race(*(check_payment(world.shop, p.id) for p in (first, second, first, second)))
    receipts = [r for p in (first, second) for r in await payments.list_receipts(world.db, p.id)]
    assert sorted(r.applied for r in receipts) == [False, True]
    assert await world.db.one(_SUSPENSE) == -first.amount_dirhams
    assert await find_faults(world.db) == []


async def test_late_money_is_kept_and_flagged(world: World) -> None:
    order_id, payment = await _waiting(world, stock=1)
    world.clock.turn(timedelta(minutes=61))
    await run_once(world.shop)
    order = await orders.get_order(world.db, order_id)
    assert (order.status, order.payment_status) == ("cancelled", "pending")
    history = await orders.list_history(world.db, [order_id])
    assert history[-1].note == "expired"
    assert (await payments.get_payment(world.db, payment.id)).status == "expired"
    world.provider.pay(payment.reference, payment.amount_dirhams)
    late = await check_payment(world.shop, payment.id)
    assert (late.status, late.review) == ("paid", "order_closed")
    assert (await orders.get_order(world.db, order_id)).status == "cancelled"
    assert await world.db.one(_SUSPENSE) == -payment.amount_dirhams
    assert await find_faults(world.db) == []


async def test_a_lost_completion_is_swept(world: World) -> None:
    order_id, payment = await _waiting(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    world.clock.turn(timedelta(minutes=1))
    await run_once(world.shop)
    assert world.provider.asked == []
    world.clock.turn(timedelta(minutes=2))
    await run_once(world.shop)
    assert (await orders.get_order(world.db, order_id)).payment_status == "paid"


async def test_a_notification_that_was_stored_and_left_is_worked_off(world: World) -> None:
    order_id, payment = await _waiting(world)
    claim = world.provider.parse_webhook(
        {}, f'{{"signature":"good","reference":"{payment.reference}","event":"1"}}'.encode()
    )
    await store_news(world.shop, "moamalat", claim)  # and here the process was killed
    world.provider.pay(payment.reference, payment.amount_dirhams)
    world.clock.turn(timedelta(seconds=11))
    await run_once(world.shop)
    assert (await orders.get_order(world.db, order_id)).payment_status == "paid"
    asked = len(world.provider.asked)
    await run_once(world.shop)
    assert len(world.provider.asked) == asked


async def test_news_that_the_gateway_does_not_confirm_yet_is_asked_about_within_seconds(
    world: World,
) -> None:
    order_id, payment = await _waiting(world)
    claim = world.provider.parse_result(payment.intent, {})
    await note_claim(world.shop, payment.id, claim)
    await check_payment(world.shop, payment.id)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    for _ in range(5):
        world.clock.turn(timedelta(seconds=1))
        await run_once(world.shop)
    assert (await orders.get_order(world.db, order_id)).payment_status == "paid"


async def test_unknown_stays_unknown_and_a_no_is_not_the_end(world: World) -> None:
    order_id, payment = await _waiting(world)
    for reason in ("not found", "HTTP 500"):
        after = await record_answer(world.shop, payment.id, Unknown(reason))
        assert after.status == "action_required"
    failed = await record_answer(world.shop, payment.id, Failed("Insufficient funds"))
    assert (failed.status, failed.failure) == ("failed", "Insufficient funds")
    assert (await orders.get_order(world.db, order_id)).payment_status == "failed"
    world.provider.pay(payment.reference, payment.amount_dirhams)
    assert (await check_payment(world.shop, payment.id)).status == "paid"
    assert (await orders.get_order(world.db, order_id)).payment_status == "paid"


async def test_paid_never_goes_back(world: World) -> None:
    _, payment = await _waiting(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await check_payment(world.shop, payment.id)
    for answer in (Failed("no"), Unknown("?"), Paid(())):
        assert (await record_answer(world.shop, payment.id, answer)).status == "paid"
    assert await find_faults(world.db) == []


async def test_cancelling_a_paid_order_owes_the_money_back(world: World) -> None:
    order_id, payment = await _waiting(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await check_payment(world.shop, payment.id)
    await cancel_order(world.shop, order_id, TESTER, only_pending=False)
    owed = Query(
        sa.select(sa.func.sum(ledger_entries.c.dirhams)).where(
            ledger_entries.c.account == "refunds_due"
        ),
        int,
        across_stores=True,
    )
    assert await world.db.one(owed) == -payment.amount_dirhams
    with pytest.raises(NotPayable):
        await _start(world, order_id)
    assert await find_faults(world.db) == []


@pytest.mark.parametrize("round_", range(8))
async def test_cancel_against_pay_and_expire_against_pay(
    world: World, rng: random.Random, round_: int
) -> None:
    """Whoever wins, the money is in the order or in suspense, and the stock is right."""
    order_id, payment = await _waiting(world, stock=1)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    if round_ % 2:
        world.clock.turn(timedelta(minutes=61))
        other: Awaitable[object] = run_once(world.shop)
    else:
        other = cancel_order(world.shop, order_id, TESTER, only_pending=True)
    work: list[Awaitable[object]] = [
        check_payment(world.shop, payment.id),
        other,
        change_status(world.shop, order_id, "confirmed", TESTER),
    ]
    rng.shuffle(work)
    await _race(*work)
    order = await orders.get_order(world.db, order_id)
    if order.payment_status == "paid" and order.status != "cancelled":
        assert await world.db.one(_SUSPENSE) == 0
    elif order.payment_status != "paid":
        assert await world.db.one(_SUSPENSE) == -payment.amount_dirhams
    assert await find_faults(world.db) == []


async def test_the_same_receipt_from_many_sources_is_booked_once(world: World) -> None:
    _, payment = await _waiting(world)
    receipt = Receipt(
        provider_reference="77",
        terminal="T1",
        amount_dirhams=payment.amount_dirhams,
        currency="LYD",
    )
    await _race(*(record_answer(world.shop, payment.id, Paid((receipt,))) for _ in range(10)))
    assert len(await payments.list_receipts(world.db, payment.id)) == 1
    assert await find_faults(world.db) == []

"""What runs by the clock: expiry, payments to ask about, tidying up, and the loop itself."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db import idempotency, outbox
from eishro.db.outbox import Event
from eishro.db.statements import Batch, Query
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import SWEEP_DAYS, SWEEP_PAUSES, Payment
from eishro.domain.payments.port import Answer, Failed, Intent
from eishro.domain.stock import sql as stock
from eishro.errors import Unavailable
from eishro.flows.change_order import change_status
from eishro.flows.shop import NotOnce, Shop
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from eishro.jobs import ask_gateways, events, schedule
from eishro.jobs.schedule import KEEP_EVENTS, run_once, tidy_up
from eishro.jobs.work_off_events import handle_events
from tests.dummy_provider import DummyProvider
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
_KEYS = Query(sa.select(idempotency.idempotency_keys.c.key), str)
_TOPICS = Query(
    sa.select(outbox.outbox.c.topic).order_by(outbox.outbox.c.topic),
    str,
    across_stores=True,
)
_OUTCOMES = Query(sa.select(payments.payment_news.c.outcome), str)


async def _order(world: World, stock_count: int | None = 5, method: str = "moamalat") -> str:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=stock_count)
    return (await world.order(state, quantity=2, method=method)).order.id


async def _start(world: World, order_id: str) -> Payment:
    return await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())


async def _status(world: World, order_id: str) -> str:
    return (await orders.get_order(world.db, order_id)).status


async def _pieces(world: World, order_id: str) -> tuple[int | None, int]:
    (line,) = await orders.list_lines(world.db, [order_id])
    (row,) = await stock.list_stock(world.db, [line.product_id])
    return row.available, row.held


async def test_an_unpaid_order_expires_on_time_and_gives_its_pieces_back(world: World) -> None:
    order_id = await _order(world)
    world.clock.turn(HOUR - timedelta(microseconds=1))
    await run_once(world.shop)
    assert (await _status(world, order_id), await _pieces(world, order_id)) == ("pending", (3, 2))
    world.clock.turn(timedelta(microseconds=1))
    for _ in range(3):  # and only once
        await run_once(world.shop)
    assert (await _status(world, order_id), await _pieces(world, order_id)) == ("cancelled", (5, 0))
    history = await orders.list_history(world.db, [order_id])
    assert [(h.event, h.actor, h.note) for h in history[1:]] == [
        ("order.cancelled", "system", "expired")
    ]
    assert await find_faults(world.db) == []


async def test_an_order_confirmed_by_hand_and_still_unpaid_expires_too(world: World) -> None:
    order_id = await _order(world)
    await change_status(world.shop, order_id, "confirmed", TESTER)
    world.clock.turn(HOUR)
    await run_once(world.shop)
    assert (await _status(world, order_id), await _pieces(world, order_id)) == ("cancelled", (5, 0))


async def test_a_confirmed_order_to_be_paid_at_the_door_does_not_expire(world: World) -> None:
    order_id = await _order(world, method="cod")
    await change_status(world.shop, order_id, "confirmed", TESTER)
    world.clock.turn(timedelta(days=400))
    await run_once(world.shop)
    found = (await _status(world, order_id), await _pieces(world, order_id))
    assert found == ("confirmed", (3, 2))


async def test_a_paid_order_does_not_expire(world: World) -> None:
    order_id = await _order(world)
    payment = await _start(world, order_id)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    world.clock.turn(3 * MINUTE)
    await run_once(world.shop)
    world.clock.turn(timedelta(days=30))
    await run_once(world.shop)
    assert await _status(world, order_id) == "confirmed"
    assert await find_faults(world.db) == []


async def test_money_that_is_there_when_the_time_is_over_saves_the_order(world: World) -> None:
    """The completion was lost; the question comes before the expiry in every turn."""
    order_id = await _order(world)
    payment = await _start(world, order_id)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    world.clock.turn(2 * HOUR)
    await run_once(world.shop)
    order = await orders.get_order(world.db, order_id)
    assert (order.status, order.payment_status) == ("confirmed", "paid")


async def test_more_expired_orders_than_one_turn_takes_are_all_worked_off(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=130)
    await asyncio.gather(*(world.order(state) for _ in range(130)))
    world.clock.turn(HOUR)
    for _ in range(2):
        await run_once(world.shop)
    (row,) = await stock.list_stock(world.db, [state.product.id])
    assert (row.available, row.held) == (130, 0)
    assert await find_faults(world.db) == []


async def test_several_workers_expire_an_order_once(world: World) -> None:
    order_id = await _order(world)
    world.clock.turn(HOUR)
    await asyncio.gather(*(run_once(world.shop) for _ in range(5)))
    history = await orders.list_history(world.db, [order_id])
    assert [h.event for h in history] == ["order.placed", "order.cancelled"]
    assert await _pieces(world, order_id) == (5, 0)


async def test_a_pending_payment_is_asked_about_at_its_times_and_not_for_ever(
    world: World,
) -> None:
    payment = await _start(world, await _order(world))
    asked: list[timedelta] = []
    for _ in range((SWEEP_DAYS + 3) * 24 * 12):
        world.clock.turn(5 * MINUTE)
        before = len(world.provider.asked)
        await ask_gateways.check_due_payments(world.shop)
        if len(world.provider.asked) > before:
            asked.append(world.clock.now() - payment.created_at)
    assert asked[:3] == [5 * MINUTE, 15 * MINUTE, HOUR]
    assert asked[0] > SWEEP_PAUSES[0], "the turn of the clock is five minutes here"
    assert len(asked) <= 3 + SWEEP_DAYS + 1
    assert asked[-1] <= timedelta(days=SWEEP_DAYS + 1)
    assert (await payments.get_payment(world.db, payment.id)).status == "expired"


async def test_a_gateway_that_breaks_for_one_payment_holds_up_no_other(world: World) -> None:
    bad, good = [await _start(world, await _order(world)) for _ in range(2)]

    class Breaking(DummyProvider):
        async def query(self, intent: Intent) -> Answer:
            if intent.reference == bad.reference:
                raise ConnectionError("broken")
            return await super().query(intent)

    gateway = Breaking()
    gateway.pay(good.reference, good.amount_dirhams)
    world.clock.turn(3 * MINUTE)
    await run_once(changed(world.shop, providers={"moamalat": gateway}))
    statuses = [(await payments.get_payment(world.db, p.id)).status for p in (bad, good)]
    assert statuses == ["action_required", "paid"]
    world.provider.pay(bad.reference, bad.amount_dirhams)
    world.clock.turn(10 * MINUTE)  # asked again at its next time, not at every turn
    await run_once(world.shop)
    assert (await payments.get_payment(world.db, bad.id)).status == "paid"


async def test_a_declined_payment_is_asked_about_again_for_another_card(world: World) -> None:
    order_id = await _order(world)
    payment = await _start(world, order_id)
    world.provider.answers[payment.reference] = Failed("Insufficient funds")
    world.clock.turn(3 * MINUTE)
    await run_once(world.shop)
    assert (await orders.get_order(world.db, order_id)).payment_status == "failed"
    world.provider.pay(payment.reference, payment.amount_dirhams)
    world.clock.turn(3 * MINUTE)
    await run_once(world.shop)
    assert (await orders.get_order(world.db, order_id)).payment_status == "paid"


async def test_news_of_a_payment_nobody_knows_is_settled_and_left(world: World) -> None:
    claim = world.provider.parse_webhook(
        {}, b'{"signature":"good","reference":"strange","event":"1"}'
    )
    for _ in range(3):  # the gateway repeats itself
        await store_news(world.shop, "moamalat", claim)
    world.clock.turn(timedelta(seconds=11))
    assert await ask_gateways.work_off_waiting_news(world.shop) == 1
    assert await ask_gateways.work_off_waiting_news(world.shop) == 0
    assert await world.db.all(_OUTCOMES) == ["no_such_payment"]
    assert world.provider.asked == []


async def test_idempotency_keys_are_forgotten_after_their_time_and_not_before(
    world: World,
) -> None:
    def claim(key: str, lives: timedelta) -> Batch:
        now = world.clock.now()
        return Batch(
            *idempotency.claim(
                "s", key, "f", (201, "{}"), sealed=False, now=now, expires_at=now + lives
            )
        )

    await world.db.commit(claim("short", HOUR))
    await world.db.commit(claim("long", 24 * HOUR))
    world.clock.turn(HOUR - timedelta(microseconds=1))
    await tidy_up(world.shop)
    assert sorted(await world.db.all(_KEYS)) == ["long", "short"]
    world.clock.turn(timedelta(microseconds=1))
    await tidy_up(world.shop)
    assert await world.db.all(_KEYS) == ["long"]


async def test_handled_events_are_kept_for_a_week_and_dead_or_waiting_ones_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(shop: Shop, event: Event) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(events, "HANDLERS", {"dead": (refuse,)})
    at = world.clock.now()
    await world.db.commit(Batch(*(outbox.publish(t, "s", at) for t in ("dead", "handled"))))
    for _ in range(outbox.TRIES_MAX):
        await handle_events(world.shop)
        world.clock.turn(outbox.PAUSE_MAX)
    long_ago = world.clock.now() - 2 * KEEP_EVENTS
    await world.db.commit(Batch(outbox.publish("waiting", "s", long_ago)))
    world.clock.turn(KEEP_EVENTS - outbox.TRIES_MAX * outbox.PAUSE_MAX)
    await tidy_up(world.shop)
    assert await world.db.all(_TOPICS) == ["dead", "handled", "waiting"]
    world.clock.turn(timedelta(microseconds=1))
    await tidy_up(world.shop)
    assert await world.db.all(_TOPICS) == ["dead", "waiting"]


@pytest.mark.parametrize("error", [Unavailable(), OSError("full"), RuntimeError("a fault")])
async def test_a_job_that_fails_does_not_keep_the_others_from_running(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    done: list[str] = []

    async def breaks(shop: Shop) -> int:
        raise error

    async def works(shop: Shop) -> int:
        done.append("works")
        return 3

    monkeypatch.setattr(schedule, "STEPS", (breaks, works, breaks, works))
    assert await run_once(world.shop) == 6
    assert done == ["works", "works"]

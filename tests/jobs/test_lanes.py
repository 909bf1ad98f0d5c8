"""A process's background: its lanes go on beside each other, and what requests leave is done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from eishro.db import outbox
from eishro.db.outbox import Event
from eishro.db.statements import Batch
from eishro.db.unhurried import UnhurriedDatabase
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments import waiting_sql as waiting
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Answer, Intent
from eishro.domain.payments.waiting_sql import AccountKey
from eishro.errors import Unavailable
from eishro.flows.shop import NotOnce, Shop
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from eishro.jobs import ask_gateways, background, events
from eishro.jobs.ask_gateways import ACCOUNTS_AT_ONCE, Sweep, Sweeping
from eishro.jobs.background import Background
from tests.dummy_provider import DummyProvider
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


class Silent(DummyProvider):
    """A gateway that takes questions and never answers."""

    async def query(self, intent: Intent) -> Answer:
        self.asked.append(intent.reference)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@asynccontextmanager
async def _running(shop: Shop) -> AsyncIterator[None]:
    """The shop's background, for ten seconds at most."""
    running = Background(shop)
    running.start()
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        await running.aclose()


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    while not await is_so():
        await asyncio.sleep(0.01)


async def _payment(world: World) -> Payment:
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id, stock=5), method="moamalat")
    return await start_payment(world.shop, placed.order.id, "moamalat", None, TESTER, NotOnce())


async def _told(world: World, payment: Payment) -> None:
    claim = world.provider.parse_webhook(
        {}, f'{{"signature":"good","reference":"{payment.reference}","event":"1"}}'.encode()
    )
    assert await store_news(world.shop, "moamalat", claim) is not None


async def test_a_gateway_that_never_answers_holds_up_no_mail_and_no_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, mailed = Silent(), asyncio.Event()
    payment = await _payment(world)
    await _told(world, payment)
    world.clock.turn(timedelta(hours=2))  # both are asked about by now, and the order is too old

    async def send_mail(shop: Shop, event: Event) -> None:
        mailed.set()

    monkeypatch.setattr(events, "HANDLERS", {"later": (send_mail,)})

    async def is_asked_twice() -> bool:  # by the sweep, and because of the news
        return len(silent.asked) == 2

    async def is_cancelled() -> bool:
        return (await orders.get_order(world.db, payment.order_id)).status == "cancelled"

    async with _running(changed(world.shop, providers={"moamalat": silent})):
        await _until(is_asked_twice)
        now = world.clock.now()
        await world.db.commit(Batch(outbox.publish("later", "s", now)))
        await mailed.wait()
        await _until(is_cancelled)
    assert len(silent.asked) == 2, "nothing is asked again while its question is under way"


async def test_a_silent_gateway_holds_up_no_other_one_s_payments_and_news(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, gateway = Silent(), world.provider
    stuck = [await _payment(world) for _ in range(3)]
    asked, told = [await _payment(world) for _ in range(2)]
    elsewhere = [msgspec.structs.replace(one, provider="silent") for one in stuck]
    saved = zip(elsewhere, stuck, strict=True)
    await world.db.commit(Batch(*(payments.save_payment(new, seen=old) for new, old in saved)))
    for one in (asked, told):
        gateway.pay(one.reference, one.amount_dirhams)
    await _told(world, told)
    world.clock.turn(timedelta(minutes=3))
    # Its own would fill any turn, and be the first in each.
    monkeypatch.setattr(ask_gateways, "PAYMENTS_AT_ONCE", 2)

    async def are_paid() -> bool:
        found = [await payments.get_payment(world.db, one.id) for one in (asked, told)]
        return [one.status for one in found] == ["paid", "paid"]

    async with _running(changed(world.shop, providers={"moamalat": gateway, "silent": silent})):
        await _until(are_paid)
    assert len(silent.asked) == 2
    assert {*silent.asked} < {one.reference for one in stuck}


async def test_a_slow_account_holds_up_neither_another_nor_all_of_its_gateway(
    world: World,
) -> None:
    slow = [AccountKey("a", f"slow {number}") for number in range(ACCOUNTS_AT_ONCE)]
    quick, other = AccountKey("a", "quick"), AccountKey("b", "quick")
    due = [*slow[:-1], quick, *slow[-1:], other]
    begun: list[AccountKey] = []

    async def find(shop: Shop) -> list[AccountKey]:
        return due

    async def work_off(shop: Shop, account: AccountKey) -> int:
        begun.append(account)
        if account in slow:
            await asyncio.Event().wait()
        return 1

    sweeping = Sweeping(Sweep("sweep", find, work_off))
    assert await sweeping.begin(world.shop) == ACCOUNTS_AT_ONCE + 1
    await asyncio.sleep(0)
    assert begun == [*slow[:-1], quick, other]
    await asyncio.sleep(0)  # what is done leaves its place
    assert await sweeping.begin(world.shop) == 2
    await asyncio.sleep(0)
    assert begun[-2:] == [quick, other], "again, since they are due still"
    due.remove(quick)
    await asyncio.sleep(0)
    await sweeping.begin(world.shop)
    await asyncio.sleep(0)
    assert begun.count(slow[-1]) == 1
    await sweeping.begin(world.shop)
    await asyncio.sleep(0)
    assert [begun.count(account) for account in slow] == [1] * ACCOUNTS_AT_ONCE
    await sweeping.aclose()


async def test_what_waits_is_found_by_account_the_longest_waiting_first(world: World) -> None:
    first, second, third = [await _payment(world) for _ in range(3)]
    minute = timedelta(minutes=1)
    at = world.clock.now()
    for one, provider, waits in ((first, "b", 2), (second, "a", 3), (third, "b", 4)):
        later = msgspec.structs.replace(one, provider=provider, next_check_at=at + waits * minute)
        await world.db.commit(Batch(payments.save_payment(later, seen=one)))
    ours = [AccountKey("b"), AccountKey("a")]
    for waited, found in ((1, 0), (2, 1), (3, 2), (4, 2)):
        now = at + waited * minute
        assert await waiting.find_accounts_of_payments(world.db, now) == ours[:found]
    now = at + 4 * minute
    assert await waiting.list_payments(world.db, ours[0], now) == [first.id, third.id]
    assert await waiting.list_payments(world.db, ours[0], now, limit=1) == [first.id]
    assert await waiting.list_payments(world.db, AccountKey("b", "own"), now) == []


async def test_the_loop_begins_at_once_tidies_up_and_ends_when_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned, tidied = asyncio.Event(), asyncio.Event()

    def noting(event: asyncio.Event) -> Callable[[Shop], Awaitable[int]]:
        async def step(shop: Shop) -> int:
            event.set()
            return 0

        return step

    lanes = ((noting(turned), 0.5), (noting(tidied), 600.0))
    monkeypatch.setattr(background, "LANES", lanes)
    async with _running(world.shop):
        await turned.wait()
        await tidied.wait()
    turned.clear()
    await asyncio.sleep(0)
    assert not turned.is_set()


@pytest.mark.parametrize("error", [Unavailable(), RuntimeError("a fault")])
async def test_work_left_by_a_request_may_fail_without_ending_anything(
    world: World, error: Exception
) -> None:
    async def breaks() -> None:
        raise error

    running = Background(world.shop)
    running.add(breaks())
    await running.aclose()


async def test_what_is_too_much_at_once_is_left_to_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "TASKS_MAX", 3)
    may_go = asyncio.Event()
    done: list[str] = []

    async def work(name: str) -> None:
        await may_go.wait()
        done.append(name)

    running = Background(world.shop)
    for number in range(6):
        running.add(work(f"no. {number}"))
    begun = asyncio.ensure_future(work("begun before"))  # which nobody would find again
    running.add(begun)
    may_go.set()
    await running.aclose()
    assert sorted(done) == ["begun before", "no. 0", "no. 1", "no. 2"]


async def test_work_under_way_is_finished_before_the_process_ends(world: World) -> None:
    may_go, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await may_go.wait()
        done.set()

    running = Background(world.shop)
    running.add(work())
    closing = asyncio.ensure_future(running.aclose())
    await asyncio.sleep(0)
    assert not done.is_set()
    may_go.set()
    await closing
    assert done.is_set()


async def test_lanes_let_requests_go_on_between_their_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops: asyncio.Queue[Shop] = asyncio.Queue()

    async def step(shop: Shop) -> int:
        shops.put_nowait(shop)
        return 0

    monkeypatch.setattr(background, "LANES", ((step, 60.0),))
    running = Background(world.shop)
    running.start()
    assert isinstance((await shops.get()).db, UnhurriedDatabase)
    await running.aclose()

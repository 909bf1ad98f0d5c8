"""A refund on its way: one call, whatever crashes, is silent or comes twice."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.db.database import Database
from eishro.db.statements import Batch, Query
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.port import Claim, Refunded, RefundRefused, RefundUnknown
from eishro.domain.payments.refunds import BUSY_PAUSE, SENDING, Refund
from eishro.flows.pay_order import work_off_news
from eishro.flows.send_refund import record_refund_answer, send_refund
from eishro.flows.store_news import store_news
from eishro.jobs.ask_gateways import send_due_refunds
from eishro.jobs.schedule import run_once
from tests.flows.refunding import balances, order_now, paid_order, race, refund
from tests.shops import World, changed

pytestmark = pytest.mark.anyio


async def _now(world: World, opened: Refund) -> Refund:
    return await refunds.get_refund(world.db, opened.id)


async def test_a_refund_that_nobody_sent_is_swept(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    await run_once(world.shop)
    assert (await _now(world, opened)).status == "done"


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_crash_between_sending_and_the_answer_refunds_once(
    world: World, arrives: bool
) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    if arrives:  # the gateway did it, and here the process was killed
        world.provider.refunds.crash = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            await send_refund(world.shop, opened.id)
        world.provider.refunds.crash = None
    else:  # killed before anything left
        before = await _now(world, opened)
        intent = before.sending(world.clock.now())
        await world.db.commit(Batch(refunds.save_refund(intent, seen=before)))
    assert (await _now(world, opened)).status == "sending"
    await run_once(world.shop)  # its sender may still be alive
    assert (await _now(world, opened)).status == "sending"
    world.clock.turn(SENDING)
    await race(*(run_once(world.shop) for _ in range(3)))
    assert (await _now(world, opened)).status == "done"
    assert len(world.provider.refunds.given) == 1
    assert world.provider.refunds.calls[-1].sent_at is not None, "it was asked about first"
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_silence_is_unknown_and_asked_about_until_it_is_clear(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    world.provider.refunds.mood = "silent"
    unknown = await send_refund(world.shop, opened.id)
    assert (unknown.status, unknown.failure) == ("unknown", "timed out")
    assert (await order_now(world, paid.order.id)).refunded_dirhams == 0
    assert await find_faults(world.db) == []
    await run_once(world.shop)
    assert len(world.provider.refunds.calls) == 1, "not at once"
    world.clock.turn(timedelta(minutes=1))
    await run_once(world.shop)
    assert (await _now(world, opened)).status == "done"
    assert len(world.provider.refunds.given) == 1
    assert await find_faults(world.db) == []


async def test_what_never_becomes_clear_is_left_to_people(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    world.provider.refunds.mood = "unknown"
    for _ in range(60):
        await run_once(world.shop)
        world.clock.turn(timedelta(hours=4))
    left = await _now(world, opened)
    assert (left.status, left.next_try_at) == ("manual", None)
    assert 20 < len(world.provider.refunds.calls) < 50
    assert await find_faults(world.db) == []


async def test_what_cannot_be_done_yet_is_tried_again_later(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    world.provider.refunds.mood = "later"
    waiting = await send_refund(world.shop, opened.id)
    assert (waiting.status, waiting.sent_at) == ("requested", None)
    world.provider.refunds.mood = "done"
    world.clock.turn(timedelta(minutes=1))
    await run_once(world.shop)
    assert (await _now(world, opened)).status == "done"
    assert [call.sent_at for call in world.provider.refunds.calls] == [None, None]


async def test_what_can_never_be_sent_fails_in_the_end(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    world.provider.refunds.mood = "later"
    for _ in range(40):
        await run_once(world.shop)
        world.clock.turn(timedelta(hours=7))
    assert (await _now(world, opened)).status == "failed"


async def test_a_gateway_without_refunds_leaves_them_to_people(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    shop, world.shop = world.shop, changed(world.shop, providers={})
    assert (await send_refund(world.shop, opened.id)).status == "manual"
    world.shop = shop
    assert world.provider.refunds.calls == []


async def test_done_never_goes_back_and_a_late_yes_counts(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    world.provider.refunds.mood = "refuse"
    assert (await send_refund(world.shop, opened.id)).status == "failed"
    late = await record_refund_answer(world.shop, opened.id, Refunded("r9"))
    assert (late.status, late.provider_reference) == ("done", "r9")
    for answer in (RefundRefused("no"), RefundUnknown("?"), Refunded("r10")):
        after = await record_refund_answer(world.shop, opened.id, answer)
        assert (after.status, after.provider_reference) == ("done", "r9")
    assert (await order_now(world, paid.order.id)).refunded_dirhams == paid.total
    assert await find_faults(world.db) == []


async def test_the_same_answer_from_many_is_booked_once(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    answer = Refunded("r1")
    await race(*(record_refund_answer(world.shop, opened.id, answer) for _ in range(10)))
    assert await balances(world) == {}
    assert await find_faults(world.db) == []


async def test_one_refund_of_the_same_money_is_under_way_at_a_time(world: World) -> None:
    paid = await paid_order(world)
    first = await refund(world, paid.order.id, amount_dirhams=5_000)
    second = await refund(world, paid.order.id, amount_dirhams=5_000)
    world.provider.refunds.mood = "silent"
    await race(send_refund(world.shop, first.id), send_refund(world.shop, second.id))
    statuses = {(await _now(world, one)).status for one in (first, second)}
    assert statuses == {"unknown", "requested"}
    assert len(world.provider.refunds.given) == 1
    world.provider.refunds.mood = "done"
    for _ in range(3):
        world.clock.turn(BUSY_PAUSE)
        await send_due_refunds(world.shop)
    assert [(await _now(world, one)).status for one in (first, second)] == ["done", "done"]
    assert len(world.provider.refunds.given) == 2
    assert world.provider.refunds.calls[-1].known == ("r0",)
    assert await find_faults(world.db) == []


async def _hear(world: World, claim: Claim) -> None:
    news = await store_news(world.shop, "moamalat", claim)
    assert news is not None
    await work_off_news(world.shop, news)


async def test_news_of_a_refund_leads_to_a_question_about_it(world: World) -> None:
    paid = await paid_order(world)
    opened = await refund(world, paid.order.id)
    claim = Claim(
        authentic="yes",
        reference=paid.payment.reference,
        dedupe_key="T1:r0:2",
        kind="refund",
        amount_dirhams=1,
    )
    asked = len(world.provider.asked)
    await _hear(world, claim)
    assert world.provider.refunds.calls == [], "nobody asked for it yet"
    world.provider.refunds.mood = "silent"
    await send_refund(world.shop, opened.id)
    again = msgspec.structs.replace(claim, dedupe_key="T1:r1:2")
    await _hear(world, again)
    assert (await _now(world, opened)).status == "done"
    assert len(world.provider.asked) == asked, "no money comes by it"
    assert await find_faults(world.db) == []


async def test_the_buyer_is_told(world: World) -> None:
    paid = await paid_order(world)
    await refund(world, paid.order.id, amount_dirhams=1_500)
    await run_once(world.shop)
    await run_once(world.shop)
    mail = world.shop.mail.newest()  # type: ignore[attr-defined]
    texts = [letter["text"] for letter in mail if letter["to"] == "buyer@example.ly"]
    assert any("1.500" in text and paid.order.number in text for text in texts)


class Killed(BaseException):
    """The process is gone."""


class Crashing:
    """A database whose process dies at its n-th commit, before or after it is durable."""

    def __init__(self, db: Database, at: int, *, applied: bool) -> None:
        self._db = db
        self._left = at
        self._applied = applied
        self.engine = db.engine

    async def one(self, query: Query[Any], **values: object) -> Any:
        return await self._db.one(query, **values)

    async def all(self, query: Query[Any], **values: object) -> Any:
        return await self._db.all(query, **values)

    async def commit(self, batch: Batch) -> None:
        self._left -= 1
        if self._left == 0 and not self._applied:
            raise Killed
        await self._db.commit(batch)
        if self._left == 0:
            raise Killed

    async def run_script(self, script: str) -> None:
        await self._db.run_script(script)

    async def aclose(self) -> None:
        """The world closes it."""


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_killed_at_every_commit_of_refunding(world: World, at: int, applied: bool) -> None:
    paid = await paid_order(world)
    healthy = world.shop
    db = Crashing(world.db, at, applied=applied)
    world.shop = changed(healthy, db=db)
    with pytest.raises(Killed):
        await send_refund(world.shop, (await refund(world, paid.order.id)).id)
    world.shop = healthy
    assert await find_faults(world.db) == []
    for _ in range(3):
        world.clock.turn(SENDING)
        await run_once(world.shop)
    was_opened = (at, applied) != (1, False)
    assert world.provider.refunds.total == (paid.total if was_opened else 0)
    order = await order_now(world, paid.order.id)
    assert order.payment_status == ("refunded" if was_opened else "paid")
    assert await find_faults(world.db) == []

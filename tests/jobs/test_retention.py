"""What is older than its setting goes, once a day, and nothing else does."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from eishro.adapters.mail.outbox import OutboxMail
from eishro.adapters.sms.outbox import OutboxSms
from eishro.db import outbox
from eishro.db.statements import Batch, Query
from eishro.domain.customers.sql import phone_codes
from eishro.domain.messages.sms_port import Sms
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import News
from eishro.domain.payments.sql import payment_news
from eishro.flows.change_order import change_status
from eishro.flows.retain import retain
from eishro.ids import text_id
from eishro.jobs.retention import Done, clean, clean_daily
from eishro.text import ERASED
from tests.shops import TESTER, World, bearer, changed

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
_NEWS = Query(sa.select(payment_news.c.id).order_by(payment_news.c.id).limit(1000), str)
_EVENTS = Query(
    sa.select(outbox.outbox.c.payload, outbox.outbox.c.last_error).limit(1000),
    lambda payload, error: (bytes(payload).decode(), error),
    across_stores=True,
)
_CODES = Query(sa.select(sa.func.count()).select_from(phone_codes), int)


def _keeping(world: World, **rules: Any) -> None:
    world.shop = changed(world.shop, rules=msgspec.structs.replace(world.shop.rules, **rules))


async def _finished(world: World, *moves: str) -> str:
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id), method="cod")
    for move in moves:
        await change_status(world.shop, placed.order.id, move, TESTER)  # type: ignore[arg-type]
    return placed.order.id


async def _news(world: World, outcome: str | None) -> str:
    at = world.clock.now()
    news = News(
        id=text_id("new", at), provider="moamalat", dedupe_key=text_id("x", at), body_hash="x",
        reference=None, kind="webhook", raw=msgspec.Raw(b"{}"), received_at=at, outcome=outcome,
    )  # fmt: skip
    await world.db.commit(Batch(payments.insert_news(news)))
    return news.id


async def test_buyers_of_finished_orders_go_after_their_days(world: World) -> None:
    _keeping(world, retention_orders=30 * DAY)
    old = await _finished(world, "cancelled")
    waiting = await _finished(world)
    world.clock.turn(31 * DAY)
    young = await _finished(world, "cancelled")
    dry = await retain(world.shop, is_dry=True)
    assert dry.orders == 1
    assert (await orders.get_order(world.db, old)).customer_name != ERASED
    assert (await retain(world.shop, is_dry=False)).orders == 1
    assert (await orders.get_order(world.db, old)).customer_name == ERASED
    for kept in (waiting, young):
        assert (await orders.get_order(world.db, kept)).customer_name != ERASED
    assert (await retain(world.shop, is_dry=False)).orders == 0


async def test_an_order_counts_from_its_last_change(world: World) -> None:
    _keeping(world, retention_orders=30 * DAY)
    order_id = await _finished(world, "confirmed", "processing", "shipped")
    world.clock.turn(40 * DAY)
    await change_status(world.shop, order_id, "delivered", TESTER)
    world.clock.turn(20 * DAY)
    assert (await retain(world.shop, is_dry=False)).orders == 0
    world.clock.turn(11 * DAY)
    assert (await retain(world.shop, is_dry=False)).orders == 1


async def test_buyers_stay_for_ever_unless_a_setting_says_otherwise(world: World) -> None:
    order_id = await _finished(world, "cancelled")
    world.clock.turn(5000 * DAY)
    assert (await retain(world.shop, is_dry=False)).orders == 0
    assert (await orders.get_order(world.db, order_id)).customer_name != ERASED


async def test_raw_news_goes_when_it_is_old_and_worked_off(world: World) -> None:
    for _ in range(205):
        await _news(world, "paid")
    waiting = await _news(world, None)
    world.clock.turn(401 * DAY)
    young = await _news(world, "paid")
    assert (await retain(world.shop, is_dry=True)).news == 205
    assert (await retain(world.shop, is_dry=False)).news == 205
    assert set(await world.db.all(_NEWS)) == {waiting, young}


async def test_expired_codes_and_old_texts_go(world: World) -> None:
    client = world.client(**bearer(await world.customer()))
    await client.post("/api/auth/phone/start", json={"phone": "0912345678"})
    await world.texted("+218912345678")
    assert await clean(world.shop, is_dry=True) == Done(0, 0, 0, 0, 0)
    world.clock.turn(11 * timedelta(minutes=1))
    assert (await clean(world.shop, is_dry=True)).codes == 1
    assert (await clean(world.shop, is_dry=False)).codes == 1
    assert await world.db.one(_CODES) == 0
    # Files are named by the machine's own clock, which the shop's has to be ahead of.
    sms = world.shop.sms
    assert isinstance(sms, OutboxSms)
    await sms.send(Sms(to="+218912345678", text="x"))
    mail = world.shop.mail
    assert isinstance(mail, OutboxMail)
    kept = len(sms.newest()) + len(mail.newest())
    world.clock.turn(100 * 365 * DAY)
    assert (await clean(world.shop, is_dry=True)).mails == kept
    assert (await clean(world.shop, is_dry=False)).mails == kept
    assert (sms.newest(), mail.newest()) == ([], [])


async def test_one_worker_a_day_does_it(world: World) -> None:
    _keeping(world, retention_orders=DAY)
    first = await _finished(world, "cancelled")
    world.clock.turn(2 * DAY)
    await clean_daily(world.shop)
    assert (await orders.get_order(world.db, first)).customer_phone == ""
    second = await _finished(world, "cancelled")
    world.clock.turn(timedelta(hours=23))
    await clean_daily(world.shop)
    assert (await orders.get_order(world.db, second)).customer_phone != ""
    world.clock.turn(timedelta(hours=3))
    await clean_daily(world.shop)
    assert (await orders.get_order(world.db, second)).customer_phone == ""


async def test_events_that_failed_for_good_say_nothing_after_a_while(world: World) -> None:
    at = world.clock.now()
    for email in ("a@example.ly", "b@example.ly"):
        await world.db.commit(Batch(outbox.publish("user.password_forgotten", "", at, email=email)))
    due = await world.db.all(outbox.DUE, now=at, limit=9)
    first, second = sorted(due, key=lambda event: bytes(event.payload))
    await world.db.commit(Batch(outbox.claim([first, second], at)))
    dead = msgspec.structs.replace(first, tries=outbox.TRIES_MAX)
    failure = "refused: a@example.ly"
    await world.db.commit(Batch(outbox.put_off(dead, at, failure), outbox.finish(second, at)))
    assert (await retain(world.shop, is_dry=True)).events == 0
    world.clock.turn(31 * DAY)
    assert (await retain(world.shop, is_dry=True)).events == 1
    assert "a@example.ly" in str(await _events(world))
    assert (await retain(world.shop, is_dry=False)).events == 1
    assert "a@example.ly" not in str(await _events(world))
    assert len(await world.db.all(outbox.DEAD, dead=True, limit=9)) == 1  # people still see it
    assert (await retain(world.shop, is_dry=True)).events == 0


async def _events(world: World) -> list[tuple[str, Any]]:
    return await world.db.all(_EVENTS)

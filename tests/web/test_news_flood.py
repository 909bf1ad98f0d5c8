"""A flood of notifications: true and forged mixed, more than a process takes on at once."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from eishro.adapters.payments import moamalat_queries
from eishro.cli.doctor import find_faults
from eishro.db.audit import audit_records
from eishro.db.database import DatabaseBusy
from eishro.db.statements import Query
from eishro.db.unhurried import UnhurriedDatabase
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.sql import payment_news, payment_receipts
from eishro.flows import news_room, pay_order
from eishro.flows.news_room import TURNS_AT_ONCE, NewsRoom
from eishro.flows.refusals import LINES_MAX
from eishro.flows.shop import Shop
from eishro.flows.store_news import store_news
from eishro.jobs import ask_gateways
from eishro.jobs.ask_gateways import work_off_waiting_news
from eishro.web import asking
from eishro.web import payments as web_payments
from tests.shops import World, changed, order_body

pytestmark = pytest.mark.anyio

_HOOK = "/api/webhooks/payments/moamalat"
_STORED = Query(sa.select(sa.func.count()).select_from(payment_news), int)
_PAID = Query(
    sa.select(sa.func.count())
    .select_from(payment_receipts)
    .where(payment_receipts.c.applied == sa.bindparam("applied")),
    int,
    across_stores=True,
)
_REFUSED = Query(
    sa.select(sa.func.count())
    .select_from(audit_records)
    .where(audit_records.c.action == "access.refused"),
    int,
    across_stores=True,
)
MANY = 24


async def _waiting(world: World, count: int = MANY) -> list[Payment]:
    """So many payments whose money the gateway has."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=count, price=25_500)
    client = world.client()
    found = []
    for number in range(count):
        body = order_body(state.product.id)
        body["customer"]["phone"] = f"09100000{number:02}"
        placed = await client.post(f"/api/stores/{merchant.store.id}/orders", json=body)
        order = placed.json()["data"]
        begun = await client.post(
            f"/api/orders/{order['id']}/payments",
            json={"method": "moamalat"},
            headers={"X-Order-Token": order["accessToken"]},
        )
        payment = await payments.get_payment(world.db, begun.json()["data"]["id"])
        world.provider.pay(payment.reference, payment.amount_dirhams)
        found.append(payment)
    return found


async def _tell(
    client: httpx.AsyncClient, payment: Payment, signature: str, event: str = "1"
) -> int:
    news = {"signature": signature, "reference": payment.reference, "event": event}
    return (await client.post(_HOOK, json=news)).status_code


async def test_true_ones_among_forged_ones_all_pay_and_forged_ones_leave_nothing(
    world: World,
) -> None:
    waiting = await _waiting(world)
    client = world.client()
    told = [
        _tell(client, payment, signature)
        for payment in waiting
        for signature in ("bad", "good", "bad", "none")
    ]
    statuses = await asyncio.gather(*told)
    assert statuses == [401, 200, 401, 401] * MANY
    await world.settle()
    assert await world.db.one(_PAID, applied=True) == MANY
    assert await world.db.one(_STORED) == MANY
    assert await world.db.one(_REFUSED) == LINES_MAX  # of so many forged ones
    assert await find_faults(world.db) == []


async def test_what_a_process_cannot_take_on_is_stored_and_paid_by_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await _waiting(world)
    monkeypatch.setattr(news_room, "IN_HAND_MAX", 3)
    client = world.client()
    statuses = await asyncio.gather(*(_tell(client, one, "good") for one in waiting))
    assert statuses == [200] * MANY
    await world.settle()
    assert (await world.db.one(_PAID, applied=True) or 0) < MANY
    assert await world.db.one(_STORED) == MANY
    for _ in range(MANY):  # three at a turn of the sweep, too
        world.clock.turn(timedelta(seconds=11))
        if await work_off_waiting_news(world.shop) == 0:
            break
    assert await world.db.one(_PAID, applied=True) == MANY
    assert await find_faults(world.db) == []


def test_a_terminal_s_queue_takes_all_that_a_process_may_have_in_hand_of_it() -> None:
    """Else what is beyond it is settled as unknown, and asked about fifty at a time."""
    most = news_room.IN_HAND_OF_ONE_MAX + ask_gateways.PAYMENTS_AT_ONCE
    assert most + asking.QUESTIONS_OF_ONE_MAX <= moamalat_queries.WAITING_MAX
    assert ask_gateways.NEWS_AT_ONCE + ask_gateways.NEWS_ENOUGH <= news_room.IN_HAND_OF_ONE_MAX


def test_a_gateway_that_does_not_answer_never_fills_the_room_alone() -> None:
    room = NewsRoom()
    full, most = news_room.IN_HAND_MAX, news_room.IN_HAND_OF_ONE_MAX
    taken = [room.take(f"a {number}", "silent") for number in range(full)]
    assert taken.count(True) == most
    assert [room.take(f"b {number}", "other") for number in range(full)].count(True) == full - most
    room.let_go("a 0")
    assert not room.take("b 0", "other")
    assert not room.take("a 1", "silent"), "it is in hand"
    assert room.take("a 0", "silent")
    assert not room.take("c 0", "third")


async def test_what_is_in_hand_is_not_read_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (payment,) = await _waiting(world, 1)
    monkeypatch.setattr(ask_gateways, "NEWS_ENOUGH", 2)
    claim = world.provider.parse_webhook(
        {}, _json({"signature": "good", "reference": payment.reference, "event": "1"})
    )
    news = await store_news(world.shop, "moamalat", claim)
    assert news is not None
    world.clock.turn(timedelta(seconds=11))
    room = world.shop.news_room
    assert room.take("older", "moamalat")
    assert room.take("old", "moamalat")
    assert await work_off_waiting_news(world.shop) == 0
    room.let_go("old")
    assert await work_off_waiting_news(world.shop) == 1
    assert await world.db.one(_PAID, applied=True) == 1


async def test_what_was_answered_survives_a_process_that_ends_there(world: World) -> None:
    waiting = await _waiting(world, 3)
    claims = [
        {"signature": "good", "reference": one.reference, "event": str(number)}
        for number, one in enumerate(waiting)
    ]
    parsed = [world.provider.parse_webhook({}, _json(claim)) for claim in claims]
    held = NewsRoom()
    world.shop = changed(world.shop, news_room=held)
    for claim in parsed:
        news = await store_news(world.shop, "moamalat", claim)
        assert news is not None
        assert held.take(news.id, news.provider)  # and the process that has it in hand is gone
    assert await world.db.one(_PAID, applied=True) == 0
    world.shop = changed(world.shop, news_room=NewsRoom())
    world.clock.turn(timedelta(seconds=11))
    assert await work_off_waiting_news(world.shop) == 3
    assert await world.db.one(_PAID, applied=True) == 3


async def test_news_that_cannot_be_stored_is_not_taken_and_may_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (payment,) = await _waiting(world, 1)
    client = world.client()

    async def full(*_: object) -> None:
        raise DatabaseBusy()

    with monkeypatch.context() as patch:
        patch.setattr(web_payments, "store_news", full)
        news = {"signature": "good", "reference": payment.reference, "event": "1"}
        refused = await client.post(_HOOK, json=news)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert await world.db.one(_STORED) == 0
    assert await _tell(client, payment, "good") == 200
    await world.settle()
    assert await world.db.one(_PAID, applied=True) == 1


async def test_few_are_at_the_database_at_once_and_none_waits_there_for_the_gateway(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await _waiting(world)
    asked = asyncio.Event()
    all_asked = 0
    inside = most = 0
    query = world.provider.query
    record = pay_order.record_answer

    async def slow_query(intent: Any) -> Any:
        nonlocal all_asked
        all_asked += 1
        if all_asked == MANY:
            asked.set()
        await asked.wait()  # every one gets as far as this, however few are at the database
        return await query(intent)

    async def counted(*arguments: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            return await record(*arguments)
        finally:
            inside -= 1

    monkeypatch.setattr(world.provider, "query", slow_query)
    monkeypatch.setattr(pay_order, "record_answer", counted)
    client = world.client()
    await asyncio.gather(*(_tell(client, one, "good") for one in waiting))
    await world.settle()
    assert await world.db.one(_PAID, applied=True) == MANY
    assert 1 <= most <= TURNS_AT_ONCE


async def test_news_is_worked_off_between_the_requests_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await _waiting(world)
    shops: list[Shop] = []

    async def work_off(shop: Shop, *_: object) -> None:
        shops.append(shop)

    monkeypatch.setattr(pay_order, "work_off_news", work_off)
    await _tell(world.client(), waiting[0], "good")
    await world.settle()
    assert [type(shop.db) for shop in shops] == [UnhurriedDatabase]


def _json(claim: dict[str, str]) -> bytes:
    return httpx.Request("POST", "/", json=claim).content

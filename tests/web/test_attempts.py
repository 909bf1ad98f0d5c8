"""Attempts to pay: what they can carry, and when they end."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.outbox import outbox
from eishro.db.statements import Query
from eishro.domain.payments import sql as payments
from eishro.domain.payments import waiting_sql as waiting
from eishro.domain.payments.port import Paid, Receipt
from eishro.domain.payments.waiting_sql import AccountKey
from eishro.errors import Stale
from eishro.flows import pay_order
from eishro.flows.pay_order import check_payment
from eishro.flows.store_news import store_news
from eishro.jobs.ask_gateways import check_due_payments, work_off_waiting_news
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

_FLAGGED = Query(
    sa.select(outbox.c.subject_id).where(outbox.c.topic == "payment.flagged"),
    str,
    across_stores=True,
)


async def _ordered(world: World, price: int = 25_500) -> tuple[httpx.AsyncClient, dict[str, Any]]:
    merchant = await world.merchant(shipping_rate_dirhams=0)
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3, price=price)
    client = world.client()
    reply = await client.post(
        f"/api/stores/{merchant.store.id}/orders", json=order_body(state.product.id)
    )
    assert reply.status_code == 201, reply.text
    order = reply.json()["data"]
    client.headers["X-Order-Token"] = order["accessToken"]
    return client, order


async def _attempt(client: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, Any]:
    reply = await client.post(f"/api/orders/{order['id']}/payments", json={"method": "moamalat"})
    assert reply.status_code == 201, reply.text
    data: dict[str, Any] = reply.json()["data"]
    return data


async def test_nothing_cannot_be_paid_by_card_but_on_delivery(world: World) -> None:
    merchant = await world.merchant(shipping_rate_dirhams=0)
    assert merchant.store is not None
    state = await world.product(merchant.store.id, price=0)
    path = f"/api/stores/{merchant.store.id}/orders"
    client = world.client()
    refused = await client.post(path, json=order_body(state.product.id, method="moamalat"))
    assert refused.status_code == 422
    assert list(refused.json()["error"]["details"]) == ["payment.method"]
    placed = await client.post(path, json=order_body(state.product.id, method="cod"))
    assert placed.status_code == 201
    order = placed.json()["data"]
    refused = await client.post(
        f"/api/orders/{order['id']}/payments",
        json={"method": "moamalat"},
        headers={"X-Order-Token": order["accessToken"]},
    )
    assert refused.status_code == 422
    assert list(refused.json()["error"]["details"]) == ["method"]


async def test_a_cancelled_order_s_attempts_end_with_it(world: World) -> None:
    client, order = await _ordered(world)
    attempts = [await _attempt(client, order) for _ in range(2)]
    cancelled = await client.put(f"/api/orders/{order['id']}/cancel", json={})
    assert cancelled.status_code == 200
    for attempt in attempts:
        shown = (await client.get(f"/api/payments/{attempt['id']}")).json()["data"]
        assert (shown["status"], shown["action"]) == ("cancelled", None)
        page = await client.get(f"/pay/{attempt['id']}")
        assert "AmountTrxn" not in page.text
    # Money that comes all the same is kept and flagged.
    payment = await payments.get_payment(world.db, attempts[0]["id"])
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await check_payment(world.shop, payment.id)
    late = await payments.get_payment(world.db, payment.id)
    assert (late.status, late.review) == ("paid", "order_closed")
    assert await find_faults(world.db) == []


async def test_the_other_attempts_end_when_one_has_paid(world: World) -> None:
    client, order = await _ordered(world)
    first, second = [await _attempt(client, order) for _ in range(2)]
    payment = await payments.get_payment(world.db, first["id"])
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await check_payment(world.shop, payment.id)
    shown = (await client.get(f"/api/payments/{second['id']}")).json()["data"]
    assert (shown["status"], shown["action"]) == ("cancelled", None)


async def test_a_gateway_s_transaction_pays_once_whatever_the_gateway_says(world: World) -> None:
    clients = [await _ordered(world) for _ in range(2)]
    taken, other = [
        await payments.get_payment(world.db, (await _attempt(client, order))["id"])
        for client, order in clients
    ]
    receipt = Receipt(
        provider_reference="1233670", terminal="T1", amount_dirhams=25_500, currency="LYD"
    )
    for payment in (taken, other):
        world.provider.answers[payment.reference] = Paid((receipt,))
    assert (await check_payment(world.shop, taken.id)).status == "paid"
    for _ in range(2):
        seen = await check_payment(world.shop, other.id)
        assert seen.status != "paid"
        assert seen.review == "receipt_of_another_payment"
        assert seen.next_check_at is not None
        assert seen.next_check_at > world.clock.now()
    assert await world.db.all(_FLAGGED) == [other.id]
    assert await find_faults(world.db) == []
    # Its own money still counts when it comes.
    own = Receipt(provider_reference="2", terminal="T1", amount_dirhams=25_500, currency="LYD")
    world.provider.answers[other.reference] = Paid((receipt, own))
    assert (await check_payment(world.shop, other.id)).status == "paid"


async def test_a_question_that_fails_is_asked_again_at_its_time_not_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, order = await _ordered(world)
    attempt = await _attempt(client, order)

    async def broken(_: object) -> None:
        raise RuntimeError("a fault of the adapter")

    monkeypatch.setattr(world.provider, "query", broken)
    before = await payments.get_payment(world.db, attempt["id"])
    assert before.next_check_at is not None
    world.clock.turn(before.next_check_at - world.clock.now())
    assert await check_due_payments(world.shop) == 1
    assert await check_due_payments(world.shop) == 0


async def test_one_notification_that_fails_does_not_hold_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, order = await _ordered(world)
    stored = []
    for number in range(2):
        attempt = await _attempt(client, order)
        payment = await payments.get_payment(world.db, attempt["id"])
        news = {"signature": "good", "reference": payment.reference, "event": str(number)}
        claim = world.provider.parse_webhook({}, httpx.Request("POST", "/", json=news).content)
        news_kept = await store_news(world.shop, "moamalat", claim)
        assert news_kept is not None
        stored.append(news_kept)
    world.clock.turn(timedelta(minutes=1))
    work_off = pay_order.work_off_news

    async def half(shop: object, news: Any) -> object:
        if news.id == stored[0].id:
            raise Stale()
        return await work_off(world.shop, news)

    monkeypatch.setattr(pay_order, "work_off_news", half)
    await work_off_waiting_news(world.shop)
    left = await waiting.list_news(world.db, AccountKey("moamalat"), world.clock.now())
    assert [news.id for news in left] == [stored[0].id]


async def test_the_merchant_s_list_names_the_newest_attempt(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    placed = await world.order(state)
    client = world.client(**bearer(merchant))
    ids = []
    for _ in range(2):
        reply = await client.post(
            f"/api/orders/{placed.order.id}/payments", json={"method": "moamalat"}
        )
        ids.append(reply.json()["data"]["id"])
        world.clock.turn(timedelta(seconds=1))
    (shown,) = (await client.get(f"/api/stores/{merchant.store.id}/orders")).json()["data"]
    assert shown["payment"]["id"] == ids[-1]

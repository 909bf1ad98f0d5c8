"""Payments over HTTP: starting, claims, notifications, the hosted page."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.sql import payment_news
from tests.shops import World, order_body

pytestmark = pytest.mark.anyio

_NEWS = Query(sa.select(sa.func.count()).select_from(payment_news), int)
_WEBHOOK = "/api/webhooks/payments/moamalat"


async def _started(world: World) -> tuple[httpx.AsyncClient, dict[str, Any], Payment]:
    """A guest's order with a payment under way; the order has its token."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3, price=25_505)
    client = world.client()
    order = (
        await client.post(
            f"/api/stores/{merchant.store.id}/orders", json=order_body(state.product.id)
        )
    ).json()["data"]
    client.headers["X-Order-Token"] = order["accessToken"]
    reply = await client.post(
        f"/api/orders/{order['id']}/payments",
        json={"method": "moamalat", "returnUrl": "https://shop.example.ly/thanks"},
    )
    assert reply.status_code == 201, reply.text
    return client, order, await payments.get_payment(world.db, reply.json()["data"]["id"])


def _news(payment: Payment, **members: str) -> dict[str, str]:
    return {"signature": "good", "reference": payment.reference, "event": "1", **members}


async def _order(client: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(f"/api/orders/{order['id']}")).json()["data"]
    return data


async def test_a_payment_asks_for_the_order_s_total_whatever_the_client_says(world: World) -> None:
    client, order, payment = await _started(world)
    shown = (await client.get(f"/api/payments/{payment.id}")).json()["data"]
    assert shown["amount"] == 35.505
    assert shown["action"]["parameters"]["AmountTrxn"] == "35505"
    assert shown["action"]["pageUrl"] == f"http://shop.test/pay/{payment.id}"
    refused = await client.post(
        f"/api/orders/{order['id']}/payments", json={"method": "moamalat", "amount": 1}
    )
    assert refused.status_code == 422


async def test_a_payment_shows_no_customer_and_its_id_is_not_sent_out(world: World) -> None:
    client, _, payment = await _started(world)
    text = (await client.get(f"/api/payments/{payment.id}")).text
    assert "فاطمة" not in text
    assert "0912345678" not in text
    assert payment.id not in payment.reference


async def test_a_notification_is_only_a_reason_to_ask(world: World) -> None:
    client, order, payment = await _started(world)
    reply = await client.post(_WEBHOOK, json=_news(payment))
    assert reply.json() == {"Message": "Success", "Success": True}
    await world.settle()
    assert (await _order(client, order))["paymentStatus"] == "pending"
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await client.post(_WEBHOOK, json=_news(payment, event="2"))
    await world.settle()
    paid = await _order(client, order)
    assert (paid["status"], paid["paymentStatus"]) == ("confirmed", "paid")
    assert await find_faults(world.db) == []


async def test_forged_news_asks_nothing_and_writes_nothing(world: World) -> None:
    client, _, payment = await _started(world)
    bodies: list[object] = [_news(payment, signature="bad"), {}, []]
    for body in bodies:
        assert (await client.post(_WEBHOOK, json=body)).status_code == 401
    reply = await client.post(f"/api/payments/{payment.id}/result", json={"forged": True})
    assert reply.status_code == 422
    await world.settle()
    assert world.provider.asked == []
    assert await world.db.one(_NEWS) == 0


async def test_the_same_notification_is_kept_once_and_changed_ones_are_kept_too(
    world: World,
) -> None:
    client, order, payment = await _started(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    for _ in range(3):
        await client.post(_WEBHOOK, json=_news(payment))
    # A replay with unsigned members changed must not push the true one out.
    await client.post(_WEBHOOK, json=_news(payment, reference="somebody-else"))
    await world.settle()
    assert await world.db.one(_NEWS) == 2
    events = [entry["event"] for entry in (await _order(client, order))["history"]]
    assert events.count("order.paid") == 1


async def test_a_browser_s_completion_shows_the_outcome_at_once(world: World) -> None:
    client, order, payment = await _started(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    reply = await client.post(f"/api/payments/{payment.id}/result", json={"done": True})
    assert reply.json()["data"]["status"] == "paid"
    assert (await _order(client, order))["paymentStatus"] == "paid"


async def test_a_cancel_changes_nothing(world: World) -> None:
    client, order, payment = await _started(world)
    reply = await client.post(f"/api/payments/{payment.id}/result", json={"cancelled": True})
    assert reply.json()["data"]["status"] == "action_required"
    assert (await _order(client, order))["status"] == "pending"


async def test_a_paid_order_takes_no_other_payment(world: World) -> None:
    client, order, payment = await _started(world)
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await client.post(f"/api/payments/{payment.id}/result", json={})
    again = await client.post(f"/api/orders/{order['id']}/payments", json={"method": "moamalat"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")


async def test_a_method_the_store_does_not_offer_is_named(world: World) -> None:
    client, order, _ = await _started(world)
    for method in ("paypal", ""):
        reply = await client.post(f"/api/orders/{order['id']}/payments", json={"method": method})
        assert "method" in reply.json()["error"]["details"], method


async def test_the_hosted_page_is_arabic_first_and_shut_to_others(world: World) -> None:
    client, _, payment = await _started(world)
    page = await client.get(f"/pay/{payment.id}")
    assert 'dir="rtl"' in page.text
    assert "35.505" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http://gateway.test" in policy
    english = await client.get(f"/pay/{payment.id}", headers={"Accept-Language": "en"})
    assert 'lang="en"' in english.text
    assert (await client.get("/pay/pay_unknown")).status_code == 404

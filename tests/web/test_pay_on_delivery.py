"""An unpaid online order becomes one to be paid on delivery."""

from datetime import timedelta

import pytest

from eishro.domain.orders import sql as orders
from eishro.jobs.schedule import run_once
from tests.shops import World
from tests.transferring import counter

pytestmark = pytest.mark.anyio


async def test_an_online_order_waits_for_the_merchant_then_for_cash(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="moamalat")
    card = await desk.start(order_id, "moamalat")
    cash = await desk.start(order_id, "cod")
    assert (cash["status"], cash["amount"], cash["expiresAt"]) == ("action_required", 35.5, None)
    assert (cash["action"]["kind"], cash["action"]["details"]["amount"]) == ("offline", "35.500")
    assert (await desk.read(card["id"]))["status"] == "cancelled"
    order = await orders.get_order(world.db, order_id)
    assert (order.payment_method, order.payment_status) == ("cod", "pending")
    assert order.expires_at == world.clock.now() + timedelta(hours=48)
    world.clock.turn(timedelta(hours=47))
    await run_once(world.shop)
    await desk.client.put(
        f"/api/orders/{order_id}/status", json={"status": "confirmed"}, headers=desk.owner
    )
    world.clock.turn(timedelta(days=3))
    await run_once(world.shop)
    assert (await desk.read(cash["id"]))["status"] == "action_required"
    took = await desk.client.post(
        f"/api/orders/{order_id}/cod/collect", json={"amount": 35.5}, headers=desk.owner
    )
    assert took.status_code == 200, took.text
    await run_once(world.shop)
    assert (await desk.read(cash["id"]))["status"] == "paid"
    assert (await desk.read_order(order_id))["paymentStatus"] == "paid"


async def test_choosing_cash_twice_is_one_attempt(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="moamalat")
    first, second = await desk.start(order_id, "cod"), await desk.start(order_id, "cod")
    assert first["id"] == second["id"]
    already = await desk.start(await desk.order(method="cod"), "cod")
    assert already["status"] == "action_required"


async def test_money_of_the_card_after_all_pays_the_order(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="moamalat")
    await desk.start(order_id, "cod")
    again = await desk.start(order_id, "moamalat")
    order = await orders.get_order(world.db, order_id)
    assert (order.payment_method, again["status"]) == ("moamalat", "action_required")


async def test_a_total_that_cash_would_change_is_refused(world: World) -> None:
    desk = await counter(world)
    await world.zone(desk.store, cod_fee_dirhams=5_000)
    order_id = await desk.order(method="moamalat")
    reply = await desk.client.post(
        f"/api/orders/{order_id}/payments", json={"method": "cod"}, headers=desk.owner
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "TOTAL_DIFFERS")
    assert reply.json()["error"]["details"] == {"total": "35.500", "totalInCash": "40.500"}
    order = await orders.get_order(world.db, order_id)
    assert order.payment_method == "moamalat"


async def test_a_city_without_cash_takes_none(world: World) -> None:
    desk = await counter(world)
    await world.zone(desk.store, is_cod_allowed=False)
    order_id = await desk.order(method="moamalat")
    reply = await desk.client.post(
        f"/api/orders/{order_id}/payments", json={"method": "cod"}, headers=desk.owner
    )
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["method"])


async def test_a_basket_above_the_limit_takes_no_cash(world: World) -> None:
    desk = await counter(world, cod_most_dirhams=35_499)
    order_id = await desk.order(method="moamalat")
    reply = await desk.client.post(
        f"/api/orders/{order_id}/payments", json={"method": "cod"}, headers=desk.owner
    )
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["method"])
    state = await world.product(desk.store, price=25_500)
    refused = await desk.client.post(
        f"/api/stores/{desk.store}/orders",
        json={
            "items": [{"productId": state.product.id, "quantity": 1}],
            "customer": {"name": "فاطمة", "phone": "0912345678"},
            "shipping": {"city": "طرابلس", "address": "شارع"},
            "payment": {"method": "cod"},
        },
    )
    assert list(refused.json()["error"]["details"]) == ["payment.method"]


async def test_what_is_shipped_does_not_change_its_payment(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="moamalat")
    for status in ("confirmed", "processing", "shipped"):
        await desk.client.put(
            f"/api/orders/{order_id}/status", json={"status": status}, headers=desk.owner
        )
    reply = await desk.client.post(
        f"/api/orders/{order_id}/payments", json={"method": "cod"}, headers=desk.owner
    )
    assert reply.json()["error"]["code"] == "NOT_EDITABLE"

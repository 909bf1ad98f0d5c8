"""Drafts, notes and edits through the door."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.audit import audit_records
from eishro.db.statements import Query
from eishro.domain.orders.sql import orders
from tests.flows.refunding import pay
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

_ORDERS = Query(sa.select(sa.func.count()).select_from(orders), int, across_stores=True)
_AUDIT = Query(
    sa.select(audit_records.c.changes).where(audit_records.c.action == "order.placed"),
    bytes,
    across_stores=True,
)


class Desk:
    """A store's owner at work."""

    def __init__(self, world: World, store_id: int, headers: dict[str, str]) -> None:
        self.client = world.client(**headers)
        self.at = f"/api/stores/{store_id}/drafts"

    async def send(self, method: str, path: str, status: int = 200, **sent: Any) -> Any:
        reply = await self.client.request(method, path, **sent)
        assert reply.status_code == status, reply.text
        body = reply.json()
        return body["data"] if "data" in body else body["error"]


async def _desk(world: World) -> tuple[Desk, Any]:
    merchant = await world.merchant(shipping_rate_dirhams=10_000)
    assert merchant.store is not None
    product = await world.product(merchant.store.id, stock=10, price=20_000)
    return Desk(world, merchant.store.id, bearer(merchant)), product


async def test_a_draft_grows_until_it_can_be_placed(world: World) -> None:
    desk, state = await _desk(world)
    whole = order_body(state.product.id, 2, method="cod")
    made = await desk.send("POST", desk.at, 201, json={"note": "اتصل به"})
    path = f"{desk.at}/{made['id']}"
    seen = await desk.send("GET", path)
    assert seen["quote"] is None
    needed = ["items", "customer.name", "customer.phone", "shipping.city", "shipping.address"]
    assert [one["field"] for one in seen["problems"]] == [*needed, "payment.method"]
    refused = await desk.send("POST", f"{path}/place", 422)
    assert set(refused["details"]) == {*needed, "payment.method"}
    await desk.send("PUT", path, json={"items": whole["items"], "shipping": whole["shipping"]})
    seen = await desk.send("GET", path)
    assert seen["quote"]["total"] == 50  # a price before anybody is known
    sent = {"customer": whole["customer"], "payment": whole["payment"]}
    seen = await desk.send("PUT", path, json={**sent, "manualDiscount": 3.5, "shippingCost": 4})
    assert seen["problems"] == []
    assert (seen["quote"]["discount"], seen["quote"]["total"]) == (3.5, 40.5)
    assert seen["note"] == "اتصل به"
    order = await desk.send("POST", f"{path}/place", 201)
    assert (order["total"], order["discount"], order["shippingCost"]) == (40.5, 3.5, 4)
    assert "paymentUrl" not in order
    assert order["history"][0]["note"] == "manual"
    steps = await desk.send("GET", f"/api/orders/{order['id']}/trace")
    assert [s["reason"] for s in steps] == ["manual_discount", "manual_rate"]
    (changes,) = await world.db.all(_AUDIT)
    assert b'"channel":"manual"' in bytes(changes).replace(b" ", b"")
    seen = await desk.send("GET", path)
    assert (seen["status"], seen["orderId"]) == ("placed", order["id"])
    again = await desk.send("PUT", path, 409, json={"note": "x"})
    assert again["code"] == "DRAFT_CLOSED"
    assert await desk.send("GET", desk.at) == []
    (listed,) = await desk.send("GET", f"{desk.at}?status=placed")
    assert listed["id"] == made["id"]
    assert await find_faults(world.db) == []


async def test_a_draft_says_what_is_wrong_with_it(world: World) -> None:
    desk, state = await _desk(world)
    body = {**order_body(state.product.id, 1, method="card"), "manualDiscount": 20.001}
    path = f"{desk.at}/{(await desk.send('POST', desk.at, 201, json=body))['id']}"

    async def problems() -> list[tuple[str | None, str]]:
        found = (await desk.send("GET", path))["problems"]
        return [(one["field"], one["code"]) for one in found]

    assert await problems() == [("manualDiscount", "VALIDATION_ERROR")]
    await desk.send("PUT", path, json={"manualDiscount": 20})
    assert await problems() == [("payment.method", "VALIDATION_ERROR")]
    items = order_body(state.product.id, 11)["items"]
    await desk.send("PUT", path, json={"items": items, "payment": {"method": "cod"}})
    assert await problems() == [(None, "OUT_OF_STOCK")]
    await desk.send("PUT", path, json={"items": order_body(999)["items"]})
    assert await problems() == [("items[0].productId", "VALIDATION_ERROR")]
    await desk.send("PUT", path, json={"items": order_body(1)["items"], "couponCode": "NO"})
    assert await problems() == [(None, "COUPON_UNUSABLE")]
    assert (await desk.send("POST", f"{path}/place", 409))["code"] == "COUPON_UNUSABLE"
    assert await world.db.one(_ORDERS) == 0
    await desk.send("DELETE", path)
    await desk.send("GET", path, 404)
    await desk.send("POST", f"{path}/place", 404)


async def test_twenty_who_place_a_draft_at_once_make_one_order(world: World) -> None:
    desk, state = await _desk(world)
    draft = await world.draft(state)
    path = f"{desk.at}/{draft.id}/place"
    key = {"Idempotency-Key": "one-key"}
    replies = await asyncio.gather(
        *(desk.client.post(path) for _ in range(12)),
        *(desk.client.post(path, headers=key) for _ in range(8)),
    )
    placed = [reply for reply in replies if reply.status_code == 201]
    assert len({reply.json()["data"]["id"] for reply in placed}) == 1
    assert len(placed) in (1, 8)  # those with the key get the first one's answer
    for reply in replies:
        assert reply.status_code == 201 or reply.json()["error"]["code"] == "DRAFT_CLOSED"
    assert await world.db.one(_ORDERS) == 1
    assert await find_faults(world.db) == []


async def test_the_same_key_places_once_and_answers_the_same(world: World) -> None:
    desk, state = await _desk(world)
    draft = await world.draft(state, payment_method="moamalat")
    path, key = f"{desk.at}/{draft.id}/place", {"Idempotency-Key": "one-key"}
    first = await desk.client.post(path, headers=key)
    again = await desk.client.post(path, headers=key)
    assert (first.status_code, again.content) == (201, first.content)
    assert (await desk.client.post(path)).status_code == 409


async def test_the_buyer_of_a_manual_order_gets_a_page_to_pay(world: World) -> None:
    desk, state = await _desk(world)
    draft = await world.draft(state, payment_method="moamalat")
    order = await desk.send("POST", f"{desk.at}/{draft.id}/place", 201)
    assert order["paymentUrl"] == f"http://shop.test/pay/{order['payment']['id']}"
    page = await world.client().get(f"/pay/{order['payment']['id']}")
    assert page.status_code == 200
    token = {"X-Order-Token": order["accessToken"]}
    seen = await world.client().get(f"/api/orders/{order['id']}", headers=token)
    assert seen.json()["data"]["total"] == order["total"]


async def test_notes_are_the_staff_s_own(world: World) -> None:
    desk, state = await _desk(world)
    placed = await world.client().post(
        desk.at.replace("drafts", "orders"), json=order_body(state.product.id)
    )
    order = placed.json()["data"]
    path = f"/api/orders/{order['id']}"
    for text in ("اتصلت به", "سيتأخر"):
        await desk.send("POST", f"{path}/notes", 201, json={"text": text})
        world.clock.turn(timedelta(seconds=1))
    notes = await desk.send("GET", f"{path}/notes")
    assert [note["text"] for note in notes] == ["اتصلت به", "سيتأخر"]
    await desk.send("POST", f"{path}/notes", 422, json={"text": "  "})
    token = {"X-Order-Token": order["accessToken"]}
    seen = await world.client().get(path, headers=token)
    assert "اتصلت به" not in seen.text
    assert (await world.client().get(f"{path}/notes", headers=token)).status_code == 401


async def test_items_and_address_are_changed_through_the_door(world: World) -> None:
    desk, state = await _desk(world)
    placed = await world.order(state, 1, "cod")
    path = f"/api/orders/{placed.order.id}"
    world.clock.turn(timedelta(seconds=1))
    tag = (await desk.client.get(path)).headers["ETag"]
    items = {"items": [{"variantId": state.variants[0].id, "quantity": 3}], "note": "زاد"}
    order = await desk.send("PUT", f"{path}/items", json=items, headers={"If-Match": tag})
    assert (order["total"], order["history"][-1]["note"]) == (70, "30.000 -> 70.000: زاد")
    await desk.send("PUT", f"{path}/items", 412, json=items, headers={"If-Match": tag})
    shipping = {"city": "مصراتة", "address": "شارع طرابلس"}
    order = await desk.send("PUT", f"{path}/address", json={"shipping": shipping})
    assert order["shipping"]["cityCode"] == "misrata"
    for wrong in (-1, 1.5, "2", 10_001, None):
        bad = {"items": [{"variantId": state.variants[0].id, "quantity": wrong}]}
        await desk.send("PUT", f"{path}/items", 422, json=bad)
    await desk.send("PUT", f"{path}/items", 422, json={"items": []})


async def test_a_paid_order_is_changed_through_the_door_with_its_money(world: World) -> None:
    desk, state = await _desk(world)
    placed = await world.order(state, 2)
    await pay(world, placed.order.id, "t1")
    path, variant = f"/api/orders/{placed.order.id}", state.variants[0].id

    async def pieces(quantity: int) -> Any:
        world.clock.turn(timedelta(seconds=1))
        items = {"items": [{"variantId": variant, "quantity": quantity}]}
        return await desk.send("PUT", f"{path}/items", json=items)

    order = await pieces(1)
    assert (order["paymentStatus"], order["paid"], order["amountDue"]) == ("paid", 30, 0)
    (refund,) = await desk.send("GET", f"{path}/refunds")
    assert (refund["kind"], refund["amount"], refund["status"]) == ("excess", 20, "requested")
    order = await pieces(3)
    assert (order["paymentStatus"], order["paid"], order["amountDue"]) == ("pending", 30, 40)
    answer = await desk.send("POST", f"{path}/payments", 201, json={"method": "moamalat"})
    assert answer["amount"] == 40
    assert await find_faults(world.db) == []

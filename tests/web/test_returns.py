"""Returns over HTTP: who asks, who decides, what is refused."""

from typing import Any

import pytest

from eishro.flows.change_order import change_status
from tests.shops import TESTER, World, bearer, order_body

pytestmark = pytest.mark.anyio


class _Case:
    """A delivered guest order with its people."""

    def __init__(self, order: dict[str, Any], owner: dict[str, str]) -> None:
        self.order = order
        self.owner = owner
        self.guest = {"X-Order-Token": order["accessToken"]}
        self.path = f"/api/orders/{order['id']}/returns"
        self.variant = order["items"][0]["variantId"]

    def body(self, quantity: Any = 1, **members: Any) -> dict[str, Any]:
        return {"lines": [{"variantId": self.variant, "quantity": quantity}], **members}


async def _delivered(world: World, quantity: int = 3, **members: Any) -> _Case:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=9, price=10_000)
    body = order_body(state.product.id, quantity, method="cod")
    placed = await world.client().post(f"/api/stores/{merchant.store.id}/orders", json=body)
    order = placed.json()["data"]
    for status in ("confirmed", "processing", "shipped", "delivered"):
        await change_status(world.shop, order["id"], status, TESTER)
    return _Case(order, bearer(merchant))


async def test_a_guest_asks_and_the_merchant_decides(world: World) -> None:
    case, client = await _delivered(world), world.client()
    asked = await client.post(case.path, json=case.body(2, reason="مقاس"), headers=case.guest)
    assert asked.status_code == 201, asked.text
    made = asked.json()["data"]
    assert (made["status"], made["refund"], made["reason"]) == ("requested", 20.0, "مقاس")
    at = f"/api/returns/{made['id']}"
    assert (await client.put(f"{at}/approve", json={}, headers=case.guest)).status_code == 401
    approved = await client.put(f"{at}/approve", json={"note": "نعم"}, headers=case.owner)
    assert approved.json()["data"]["status"] == "approved"
    received = await client.put(
        f"{at}/receive",
        json={"lines": [{"variantId": case.variant, "outcome": "written_off"}]},
        headers=case.owner,
    )
    data = received.json()["data"]
    assert (data["status"], data["decision"]) == ("received", "نعم")
    assert [(x["outcome"], x["amount"]) for x in data["lines"]] == [("written_off", 20.0)]
    again = await client.put(f"{at}/receive", json={}, headers=case.owner)
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "INVALID_TRANSITION"
    order = await client.get(f"/api/orders/{case.order['id']}", headers=case.guest)
    assert order.json()["data"]["status"] == "delivered"


async def test_the_same_key_asks_once(world: World) -> None:
    case, client = await _delivered(world), world.client()
    headers = {**case.guest, "Idempotency-Key": "return-1"}
    first = await client.post(case.path, json=case.body(2), headers=headers)
    second = await client.post(case.path, json=case.body(2), headers=headers)
    assert first.json()["data"] == second.json()["data"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (await client.get(case.path, headers=case.guest)).json()["pagination"]["total"] == 1


async def test_lists_have_pages_and_a_filter(world: World) -> None:
    case, client = await _delivered(world), world.client()
    ids = []
    for _ in range(3):
        reply = await client.post(case.path, json=case.body(), headers=case.guest)
        ids.append(reply.json()["data"]["id"])
    await client.put(f"/api/returns/{ids[0]}/reject", json={}, headers=case.owner)
    mine = (await client.get(case.path, params={"limit": 2}, headers=case.guest)).json()
    assert len(mine["data"]) == 2
    assert mine["pagination"]["total"] == 3
    store = f"/api/stores/{case.order['storeId']}/returns"
    seen = (await client.get(store, params={"status": "rejected"}, headers=case.owner)).json()
    assert [one["id"] for one in seen["data"]] == [ids[0]]
    assert (await client.get(store, headers=case.owner)).json()["pagination"]["total"] == 3
    assert (await client.get(store, headers=case.guest)).status_code == 401
    wrong = await client.get(store, params={"status": "lost"}, headers=case.owner)
    assert wrong.status_code == 422


async def test_an_exchange_shows_its_order_and_the_difference(world: World) -> None:
    case, client = await _delivered(world), world.client()
    other = await world.product(case.order["storeId"], stock=5, price=15_000)
    wanted = [{"productId": other.product.id, "quantity": 1}]
    asked = await client.post(case.path, json=case.body(1, replacement=wanted), headers=case.guest)
    made = asked.json()["data"]
    assert (made["replacementOrderId"], made["difference"]) == (None, None)
    assert made["replacement"] == [
        {"productId": other.product.id, "variantId": None, "quantity": 1}
    ]
    path = f"/api/returns/{made['id']}/approve"
    approved = (await client.put(path, json={}, headers=case.owner)).json()["data"]
    assert approved["difference"] == 15.0  # 15 and delivery for 10, against 10 that come back
    order = await client.get(f"/api/orders/{approved['replacementOrderId']}", headers=case.owner)
    assert order.json()["data"]["total"] == 25.0
    assert case.order["number"] in order.json()["data"]["notes"]


@pytest.mark.parametrize(
    ("quantity", "members", "status", "fields"),
    [
        (0, {}, 422, {"lines[0].quantity"}),
        (-1, {}, 422, {"lines[0].quantity"}),
        (1.5, {}, 422, {"lines[0].quantity"}),
        ("1", {}, 422, {"lines[0].quantity"}),
        (4, {}, 422, {"lines[0].quantity"}),
        (10**9, {}, 422, {"lines[0].quantity"}),
        (1, {"lines": []}, 422, {"lines"}),
        (1, {"lines": [{"variantId": 999_999, "quantity": 1}]}, 422, {"lines[0].variantId"}),
        (1, {"refund": 5, "status": "approved"}, 422, {"refund", "status"}),
        (1, {"replacement": [{"productId": 1, "quantity": 0}]}, 422, {"replacement[0].quantity"}),
        (1, {"reason": "x" * 1_001}, 422, {"reason"}),
    ],
)
async def test_bad_requests_name_the_field_and_change_nothing(
    world: World, quantity: Any, members: dict[str, Any], status: int, fields: set[str]
) -> None:
    case, client = await _delivered(world), world.client()
    reply = await client.post(case.path, json=case.body(quantity, **members), headers=case.guest)
    assert reply.status_code == status, reply.text
    assert set(reply.json()["error"]["details"]) == fields
    assert (await client.get(case.path, headers=case.guest)).json()["pagination"]["total"] == 0


async def test_another_stores_people_learn_nothing(world: World) -> None:
    case, client = await _delivered(world), world.client()
    made = (await client.post(case.path, json=case.body(), headers=case.guest)).json()["data"]
    other = await _delivered(world)
    for what in ("approve", "reject", "receive"):
        reply = await client.put(f"/api/returns/{made['id']}/{what}", json={}, headers=other.owner)
        assert reply.status_code == 404
    assert (await client.get(case.path, headers=other.owner)).status_code == 404
    assert (await client.post(case.path, json=case.body(), headers=other.guest)).status_code == 404

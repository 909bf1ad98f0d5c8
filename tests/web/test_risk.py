"""The queue of held orders and the rules of a store, over HTTP."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.shops import World, bearer, changed, order_body

pytestmark = pytest.mark.anyio


class _Store:
    """A store that looks at every order in cash above 1 dinar, and one of its orders."""

    def __init__(self, world: World, number: int, owner: dict[str, str], product: int) -> None:
        self.client = world.client(**owner)
        self.guest = world.client()
        self.at = f"/api/stores/{number}"
        self.product = product

    async def order(self, phone: str = "0912345678") -> dict[str, Any]:
        body = order_body(self.product, 1, method="cod")
        body["customer"]["phone"] = phone
        made = await self.guest.post(f"{self.at}/orders", json=body)
        assert made.status_code == 201, made.text
        return dict(made.json()["data"])

    async def rules(self, status: int = 200, **rules: Any) -> dict[str, Any]:
        reply = await self.client.put(f"{self.at}/risk-rules", json=rules)
        assert reply.status_code == status, reply.text
        return dict(reply.json()["data" if status == 200 else "error"])

    async def reviews(self, asked: str = "") -> dict[str, Any]:
        return dict((await self.client.get(f"{self.at}/order-reviews{asked}")).json())


async def _store(world: World) -> _Store:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=50)
    store = _Store(world, merchant.store.id, bearer(merchant), state.product.id)
    await store.rules(codReviewAbove=1)
    return store


async def test_a_held_order_is_explained_in_the_reader_s_language_and_approved(
    world: World,
) -> None:
    store = await _store(world)
    order = await store.order()
    token = {"X-Order-Token": order["accessToken"]}
    shown = await store.guest.get(f"/api/orders/{order['id']}", headers=token)
    for told in (str(order), shown.text):  # the buyer is told nothing
        assert "eld" not in told
        assert "review" not in told
    shown = await store.client.get(f"{store.at}/orders")
    assert shown.json()["data"][0]["isHeld"] is True
    status = f"/api/orders/{order['id']}/status"
    refused = await store.client.put(status, json={"status": "confirmed"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ORDER_HELD")
    answer = await store.reviews("?state=open")
    assert answer["pagination"]["total"] == 1
    (review,) = answer["data"]
    assert (review["orderId"], review["state"]) == (order["id"], "open")
    (finding,) = review["findings"]
    assert (finding["code"], finding["effect"]) == ("COD_AMOUNT", "review")
    assert finding["facts"] == {"amount": 35.5, "limit": 1.0}
    assert "35.500 LYD in cash" in finding["message"]
    at = f"{store.at}/order-reviews/{review['id']}"
    arabic = await store.client.get(at, headers={"Accept-Language": "ar"})
    assert "عند الاستلام" in arabic.json()["data"]["findings"][0]["message"]
    for _ in range(2):  # again it changes nothing
        done = await store.client.put(f"{at}/approve", json={"reason": "known"})
        assert done.status_code == 200, done.text
        shown = done.json()["data"]
        assert (shown["state"], shown["reason"]) == ("approved", "known")
        assert shown["decidedBy"].startswith("user:")
    assert (await store.client.put(status, json={"status": "confirmed"})).status_code == 200
    late = await store.client.put(f"{at}/reject", json={"reason": "too late"})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "REVIEW_DECIDED")


async def test_a_rejected_order_is_cancelled_and_lists_are_filtered(world: World) -> None:
    store = await _store(world)
    orders = []
    for _ in range(3):
        orders.append(await store.order())
        world.clock.turn(timedelta(seconds=1))
    newest = (await store.reviews("?limit=1"))["data"][0]
    assert newest["orderId"] == orders[2]["id"]
    at = f"{store.at}/order-reviews/{newest['id']}"
    refused = await store.client.put(f"{at}/reject", json={})
    assert refused.status_code == 422  # a reason is asked for
    assert (await store.client.put(f"{at}/reject", json={"reason": "مكرر"})).status_code == 200
    read = await store.client.get(f"/api/orders/{orders[2]['id']}")
    assert read.json()["data"]["status"] == "cancelled"
    assert "مكرر" not in read.text
    for state, total in (("open", 2), ("rejected", 1), ("approved", 0)):
        assert (await store.reviews(f"?state={state}"))["pagination"]["total"] == total
    one = await store.reviews(f"?orderId={orders[0]['id']}&state=open")
    assert [review["orderId"] for review in one["data"]] == [orders[0]["id"]]


async def test_rules_are_changed_in_part_and_all_faults_are_told_at_once(world: World) -> None:
    store = await _store(world)
    rules = await store.rules(phoneReviewAbove=3, phoneRefuseAbove=5)
    assert (rules["codReviewAbove"], rules["phoneReviewAbove"]) == (1.0, 3)
    assert (await store.rules(codReviewAbove=None))["codReviewAbove"] is None
    read = await store.client.get(f"{store.at}/risk-rules")
    assert read.json()["data"]["phoneRefuseAbove"] == 5
    assert read.json()["data"]["countsWindows"] is True
    error = await store.rules(422, phoneHours=0, cardHours=169, codReviewAbove=-1, phone=1)
    assert set(error["details"]) == {"phoneHours", "cardHours", "codReviewAbove", "phone"}
    error = await store.rules(422, phoneRefuseAbove=2, refusalsReviewFrom=4, refusalsRefuseFrom=3)
    assert set(error["details"]) == {"phoneRefuseAbove", "refusalsRefuseFrom"}
    stale = await store.client.put(
        f"{store.at}/risk-rules", json={"phoneReviewAbove": 1}, headers={"If-Match": '"x"'}
    )
    assert stale.status_code == 412
    again = await store.client.get(f"{store.at}/risk-rules")
    assert again.json()["data"] == read.json()["data"]


async def test_a_hard_limit_refuses_without_a_number_and_a_repeat_still_gets_its_order(
    world: World,
) -> None:
    store = await _store(world)
    await store.rules(phoneRefuseAbove=1, codReviewAbove=None)
    body, key = order_body(store.product, 1, method="cod"), {"Idempotency-Key": "risk-1"}
    path = f"{store.at}/orders"
    first = await store.guest.post(path, json=body, headers=key)
    assert first.status_code == 201, first.text
    refused = await store.guest.post(path, json=body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (409, "ORDER_NOT_ACCEPTED")
    assert error.get("details", {}) == {}
    again = await store.guest.post(path, json=body, headers=key)
    assert again.json()["data"]["id"] == first.json()["data"]["id"]


async def test_rules_are_for_the_store_s_people_and_the_usual_ones_where_none_are_set(
    world: World,
) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    path = f"/api/stores/{merchant.store.id}/risk-rules"
    assert (await world.client().get(path)).status_code == 401
    client = world.client(**bearer(merchant))
    assert (await client.get(path)).json()["data"]["phoneReviewAbove"] is None
    rules = msgspec.structs.replace(world.shop.rules, risk_by_default=True, risk_windows=False)
    world.shop = changed(world.shop, rules=rules)
    shown = (await world.client(**bearer(merchant)).get(path)).json()["data"]
    assert (shown["cardReviewAbove"], shown["refusalsReviewFrom"]) == (3, 3)
    assert shown["countsWindows"] is False

"""Refunds over HTTP: opened, sent in the background, finished by people."""

from typing import Any

import httpx
import pytest

from eishro.jobs.schedule import run_once
from tests.flows.refunding import Paid, pay
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


async def _scene(world: World) -> tuple[httpx.AsyncClient, Paid, int]:
    """The owner's client, a paid order of two pieces at 25.500, and the store."""
    owner = await world.merchant(shipping_rate_dirhams=5_000)
    assert owner.store is not None
    state = await world.product(owner.store.id, stock=9)
    paid = await pay(world, (await world.order(state, quantity=2)).order.id)
    return world.client(**bearer(owner)), paid, owner.store.id


def _data(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()["data"]


async def test_an_order_goes_back_whole(world: World) -> None:
    client, paid, _ = await _scene(world)
    where = f"/api/orders/{paid.order.id}"
    before = _data(await client.get(where))
    assert (before["refunded"], before["total"]) == (0, 56)
    made = _data(await client.post(f"{where}/refunds", json={"reason": "تالف"}), 201)
    assert (made["status"], made["amount"], made["goods"], made["delivery"]) == (
        "requested",
        56,
        51,
        5,
    )
    await world.settle()
    (listed,) = _data(await client.get(f"{where}/refunds"))
    assert (listed["id"], listed["status"], listed["reference"]) == (made["id"], "done", "r0")
    after = _data(await client.get(where))
    assert (after["paymentStatus"], after["refunded"]) == ("refunded", 56)
    assert "order.refunded" in [entry["event"] for entry in after["history"]]
    payment = _data(await client.get(f"/api/payments/{paid.payment.id}"))
    assert payment["status"] == "refunded"


async def test_by_line_by_variant_and_with_delivery(world: World) -> None:
    client, paid, _ = await _scene(world)
    where = f"/api/orders/{paid.order.id}/refunds"
    variant = _data(await client.get(f"/api/orders/{paid.order.id}"))["items"][0]["variantId"]
    body = {"reason": "x", "lines": [{"variantId": variant, "quantity": 1}], "delivery": True}
    made = _data(await client.post(where, json=body), 201)
    assert (made["amount"], made["delivery"]) == (30.5, 5)
    assert made["lines"] == [{"position": 0, "variantId": variant, "quantity": 1, "amount": 25.5}]


async def test_what_two_payments_paid_goes_back_through_both(world: World) -> None:
    client, paid, _ = await _scene(world)
    where = f"/api/orders/{paid.order.id}"
    variant = _data(await client.get(where))["items"][0]["variantId"]
    more = {"items": [{"variantId": variant, "quantity": 3}]}
    assert _data(await client.put(f"{where}/items", json=more))["amountDue"] == 25.5
    await pay(world, paid.order.id, "the-rest")
    key = {"Idempotency-Key": "all-of-it"}
    reply = await client.post(f"{where}/refunds", json={"reason": "x"}, headers=key)
    made = _data(reply, 201)
    (other,) = made["further"]
    assert sorted([made["amount"], other["amount"]]) == [25.5, 56]
    again = await client.post(f"{where}/refunds", json={"reason": "x"}, headers=key)
    assert again.content == reply.content
    await world.settle()
    for _ in range(2):
        await run_once(world.shop)
    assert [one["status"] for one in _data(await client.get(f"{where}/refunds"))] == ["done"] * 2
    assert _data(await client.get(where))["paymentStatus"] == "refunded"
    assert world.provider.refunds.total == 81_500


async def test_more_than_is_left_is_a_conflict_that_says_what_is_left(world: World) -> None:
    client, paid, _ = await _scene(world)
    where = f"/api/orders/{paid.order.id}/refunds"
    _data(await client.post(where, json={"reason": "x", "amount": 50.5}), 201)
    refused = await client.post(where, json={"reason": "x", "amount": 5.501})
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert (error["code"], error["details"]) == ("REFUND_TOO_LARGE", {"remaining": 5.5})
    assert "5.500" in error["message"]
    _data(await client.post(where, json={"reason": "x", "amount": 5.5}), 201)
    refused = await client.post(where, json={"reason": "x"})
    assert refused.json()["error"]["details"] == {"remaining": 0}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"reason"}),
        ({"reason": ""}, {"reason"}),
        ({"reason": "x", "amount": 0}, {"amount"}),
        ({"reason": "x", "amount": -1}, {"amount"}),
        ({"reason": "x", "amount": 0.0001}, {"amount"}),
        ({"reason": "x", "amount": "5"}, {"amount"}),
        ({"reason": "x", "lines": []}, {"lines"}),
        ({"reason": "x", "lines": [{"quantity": 1}]}, {"lines[0].position"}),
        ({"reason": "x", "lines": [{"quantity": 0, "position": 0}]}, {"lines[0].quantity"}),
        ({"reason": "x", "lines": [{"quantity": 1, "position": 9}]}, {"lines[0].position"}),
        ({"amount": 0, "lines": [{"quantity": 1.5}], "to": "me"},
         {"reason", "amount", "lines[0].quantity", "to"}),
    ],
)  # fmt: skip
async def test_a_malformed_wish_is_refused_by_name(
    world: World, body: dict[str, Any], fields: set[str]
) -> None:
    client, paid, _ = await _scene(world)
    where = f"/api/orders/{paid.order.id}/refunds"
    refused = await client.post(where, json=body)
    assert refused.status_code == 422, refused.text
    assert set(refused.json()["error"]["details"]) == fields
    assert _data(await client.get(where)) == []


async def test_a_task_for_people_is_listed_and_completed(world: World) -> None:
    client, paid, store_id = await _scene(world)
    world.provider.refunds.mood = "manual"
    where = f"/api/orders/{paid.order.id}/refunds"
    made = _data(await client.post(where, json={"reason": "x", "amount": 6}), 201)
    await world.settle()
    tasks = await client.get(f"/api/stores/{store_id}/refunds", params={"status": "manual"})
    assert [task["id"] for task in _data(tasks)] == [made["id"]]
    assert tasks.json()["pagination"]["total"] == 1
    body = {"note": "transferred", "reference": "T-9"}
    done = _data(await client.post(f"{where}/{made['id']}/complete", json=body))
    assert (done["status"], done["kind"], done["through"], done["reference"]) == (
        "done",
        "manual",
        "cash",
        "T-9",
    )
    assert _data(await client.post(f"{where}/{made['id']}/complete", json=body)) is not None
    again = await client.post(f"{where}/{made['id']}/complete", json={"note": "else"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "INVALID_TRANSITION")
    other = await client.get(f"/api/stores/{store_id}/refunds", params={"status": "manual"})
    assert _data(other) == []


async def test_a_refused_one_is_sent_again(world: World) -> None:
    client, paid, _ = await _scene(world)
    world.provider.refunds.mood = "refuse"
    where = f"/api/orders/{paid.order.id}/refunds"
    made = _data(await client.post(where, json={"reason": "x"}), 201)
    await world.settle()
    (failed,) = _data(await client.get(where))
    assert (failed["status"], failed["failure"]) == ("failed", "Transaction not allowed")
    world.provider.refunds.mood = "done"
    _data(await client.post(f"{where}/{made['id']}/retry", json={}))
    await world.settle()
    assert _data(await client.get(where))[0]["status"] == "done"


async def test_a_cancelled_paid_order_is_refunded_without_being_asked(world: World) -> None:
    client, paid, _ = await _scene(world)
    _data(await client.put(f"/api/orders/{paid.order.id}/cancel", json={}))
    await run_once(world.shop)
    after = _data(await client.get(f"/api/orders/{paid.order.id}"))
    assert (after["status"], after["paymentStatus"], after["refunded"]) == (
        "cancelled",
        "refunded",
        56,
    )

"""One checkout over several stores: all of its orders, or none."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.orders.sql import orders
from eishro.domain.stock import sql as stock
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

_ORDERS = Query(sa.select(sa.func.count()).select_from(orders), int, across_stores=True)


async def _baskets(world: World, *pieces: int) -> tuple[dict[str, Any], list[int]]:
    """A checkout of two pieces at each store; stores have so many of them."""
    baskets, products = [], []
    for count in pieces:
        merchant = await world.merchant()
        assert merchant.store is not None
        state = await world.product(merchant.store.id, stock=count, price=10_000)
        products.append(state.product.id)
        baskets.append(
            {
                "storeId": merchant.store.id,
                "items": [{"productId": state.product.id, "quantity": 2}],
            }
        )
    body = order_body(0, method="cod")
    del body["items"]
    return {**body, "orders": baskets}, products


async def test_each_store_gets_its_order_with_its_own_delivery_and_token(world: World) -> None:
    body, _ = await _baskets(world, 5, 5, 5)
    reply = await world.client().post("/api/checkout", json=body)
    assert reply.status_code == 201, reply.text
    made = reply.json()["data"]["orders"]
    assert [one["storeId"] for one in made] == [one["storeId"] for one in body["orders"]]
    assert len({one["number"] for one in made}) == len({one["accessToken"] for one in made}) == 3
    assert [one["total"] for one in made] == [30, 30, 30]
    for one in made:
        seen = await world.client().get(
            f"/api/orders/{one['id']}", headers={"X-Order-Token": one["accessToken"]}
        )
        assert seen.status_code == 200
    assert await find_faults(world.db) == []


async def test_if_one_store_has_run_out_nothing_is_ordered_anywhere(world: World) -> None:
    body, products = await _baskets(world, 5, 1)
    reply = await world.client().post("/api/checkout", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "OUT_OF_STOCK")
    assert await world.db.one(_ORDERS) == 0
    assert [row.held for row in await stock.list_stock(world.db, products)] == [0, 0]


async def test_the_same_checkout_sent_twenty_times_at_once_is_made_once(world: World) -> None:
    body, products = await _baskets(world, 2, 2)
    client = world.client()
    replies = await asyncio.gather(
        *(
            client.post("/api/checkout", json=body, headers={"Idempotency-Key": "one"})
            for _ in range(20)
        )
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert await world.db.one(_ORDERS) == 2
    assert [row.available for row in await stock.list_stock(world.db, products)] == [0, 0]


async def test_faults_name_their_basket(world: World) -> None:
    body, _ = await _baskets(world, 5, 5)
    body["orders"][1]["items"][0]["productId"] = 999_999
    reply = await world.client().post("/api/checkout", json=body)
    assert reply.status_code == 422
    assert list(reply.json()["error"]["details"]) == ["orders[1].items[0].productId"]


async def test_a_store_stands_in_a_checkout_once(world: World) -> None:
    body, _ = await _baskets(world, 5)
    body["orders"] *= 2
    reply = await world.client().post("/api/checkout", json=body)
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (
        422,
        ["orders[1].storeId"],
    )


async def test_a_customer_s_checkout_is_in_the_own_orders(world: World) -> None:
    body, _ = await _baskets(world, 5, 5)
    headers = bearer(await world.customer())
    made = await world.client().post("/api/checkout", json=body, headers=headers)
    assert all("accessToken" not in one for one in made.json()["data"]["orders"])
    own = await world.client().get("/api/orders", headers=headers)
    assert own.json()["pagination"]["total"] == 2

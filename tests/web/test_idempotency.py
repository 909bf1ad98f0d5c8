"""One Idempotency-Key, one effect, equal answers."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from eishro.db.idempotency import idempotency_keys
from eishro.db.statements import Query
from eishro.domain.orders.sql import orders
from eishro.domain.stock import sql as stock
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

_ORDERS = Query(
    sa.select(sa.func.count()).select_from(orders),
    int,
    across_stores=True,
)
_STORED = Query(sa.select(idempotency_keys.c.body), str)


async def _shop(
    world: World, pieces: int | None
) -> tuple[httpx.AsyncClient, str, dict[str, object]]:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=pieces)
    path = f"/api/stores/{merchant.store.id}/orders"
    return world.client(), path, order_body(state.product.id)


@pytest.mark.parametrize("pieces", [None, 100, 1], ids=["untracked", "plenty", "the last piece"])
async def test_the_same_order_fifty_times_at_once_is_one_order(
    world: World, pieces: int | None
) -> None:
    client, path, body = await _shop(world, pieces)
    headers = {"Idempotency-Key": "one-and-only"}
    replies = await asyncio.gather(
        *(client.post(path, json=body, headers=headers) for _ in range(50))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert sum("Idempotent-Replayed" not in reply.headers for reply in replies) == 1
    assert await world.db.one(_ORDERS) == 1
    product_id = replies[0].json()["data"]["items"][0]["productId"]
    (row,) = await stock.list_stock(world.db, [product_id])
    assert row.held == 1


async def test_another_body_with_the_same_key_is_refused(world: World) -> None:
    client, path, body = await _shop(world, 10)
    headers = {"Idempotency-Key": "k"}
    assert (await client.post(path, json=body, headers=headers)).status_code == 201
    other = {**body, "notes": "another"}
    refused = await client.post(path, json=other, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await world.db.one(_ORDERS) == 1


async def test_a_key_is_forgotten_after_its_time(world: World) -> None:
    client, path, body = await _shop(world, 10)
    headers = {"Idempotency-Key": "k"}
    first = await client.post(path, json=body, headers=headers)
    world.clock.turn(timedelta(hours=25))
    second = await client.post(path, json=body, headers=headers)
    assert second.status_code == 201
    assert second.json()["data"]["id"] != first.json()["data"]["id"]


async def test_a_refusal_is_not_stored(world: World) -> None:
    client, path, body = await _shop(world, 1)
    wish = {**body, "items": [{**body["items"][0], "quantity": 2}]}  # type: ignore[index]
    headers = {"Idempotency-Key": "k"}
    refused = await client.post(path, json=wish, headers=headers)
    assert refused.json()["error"]["code"] == "OUT_OF_STOCK"
    assert (await client.post(path, json=body, headers=headers)).status_code == 201


async def test_the_last_piece_belongs_to_the_key_that_took_it(world: World) -> None:
    client, path, body = await _shop(world, 1)
    first = await client.post(path, json=body, headers={"Idempotency-Key": "winner"})
    loser = await client.post(path, json=body, headers={"Idempotency-Key": "loser"})
    again = await client.post(path, json=body, headers={"Idempotency-Key": "winner"})
    assert loser.status_code == 409
    assert again.content == first.content


async def test_callers_do_not_share_keys(world: World) -> None:
    client, path, body = await _shop(world, 10)
    customer = await world.customer()
    headers = {"Idempotency-Key": "k"}
    guest = await client.post(path, json=body, headers=headers)
    known = await client.post(path, json=body, headers={**headers, **bearer(customer)})
    assert guest.json()["data"]["id"] != known.json()["data"]["id"]
    assert "accessToken" not in known.json()["data"]


async def test_a_stored_answer_shows_no_secret(world: World) -> None:
    client, path, body = await _shop(world, 10)
    reply = await client.post(path, json=body, headers={"Idempotency-Key": "k"})
    token = reply.json()["data"]["accessToken"]
    stored = await world.db.one(_STORED)
    assert stored is not None
    assert token not in stored
    assert "accessToken" not in stored


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "مفتاح"])
async def test_a_malformed_key_is_refused(world: World, key: str) -> None:
    client, path, body = await _shop(world, 10)
    headers = [(b"Idempotency-Key", key.encode())]
    reply = await client.post(path, json=body, headers=headers)
    assert reply.status_code == 400
    assert await world.db.one(_ORDERS) == 0

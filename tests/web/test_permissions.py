"""Tokens of orders, drafts, closed stores and stock: who sees what. Every route as every kind of
caller is in tests/security/test_matrix.py.
"""

import pytest

from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


async def test_an_order_token_opens_its_own_order_only(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    client = world.client()
    body = {
        "items": [{"productId": state.product.id, "quantity": 1}],
        "customer": {"name": "x", "phone": "0912345678"},
        "shipping": {"city": "tripoli", "address": "x"},
        "payment": {"method": "cod"},
    }
    path = f"/api/stores/{merchant.store.id}/orders"
    mine = (await client.post(path, json=body)).json()["data"]
    theirs = (await client.post(path, json=body)).json()["data"]
    token = {"X-Order-Token": mine["accessToken"]}
    assert (await client.get(f"/api/orders/{mine['id']}", headers=token)).status_code == 200
    assert (await client.get(f"/api/orders/{theirs['id']}", headers=token)).status_code == 404
    for wrong in ("", " ", "x", mine["accessToken"][:-1], mine["id"]):
        reply = await client.get(f"/api/orders/{mine['id']}", headers={"X-Order-Token": wrong})
        assert reply.status_code in (401, 404)
    # The buyer may cancel while the order is pending, and move nothing else.
    status = await client.put(
        f"/api/orders/{mine['id']}/status", json={"status": "confirmed"}, headers=token
    )
    assert status.status_code == 401
    cancelled = await client.put(f"/api/orders/{mine['id']}/cancel", headers=token)
    assert cancelled.json()["data"]["status"] == "cancelled"


async def test_drafts_and_closed_stores_are_seen_by_their_own_people_only(world: World) -> None:
    merchant, other = await world.merchant(), await world.merchant()
    assert merchant.store is not None
    store_id = merchant.store.id
    draft = await world.product(store_id, status="draft")
    client = world.client()
    path = f"/api/products/{draft.product.id}"
    assert (await client.get(path)).status_code == 404
    assert (await client.get(path, headers=bearer(other))).status_code == 404
    assert (await client.get(path, headers=bearer(merchant))).status_code == 200
    shown = (await client.get(f"/api/stores/{store_id}/products")).json()
    assert shown["data"] == []
    closed = await client.delete(f"/api/stores/{store_id}", headers=bearer(merchant))
    assert closed.json()["data"]["isActive"] is False
    assert (await client.get(f"/api/stores/{store_id}")).status_code == 404
    assert (
        await client.get(f"/api/stores/{store_id}", headers=bearer(merchant))
    ).status_code == 200


async def test_stock_numbers_are_the_merchant_s(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=7)
    client, path = world.client(), f"/api/products/{state.product.id}"
    mine = (await client.get(path, headers=bearer(merchant))).json()["data"]["variants"][0]
    theirs = (await client.get(path)).json()["data"]["variants"][0]
    assert mine["stock"] == 7
    assert "stock" not in theirs
    assert theirs["available"] is True

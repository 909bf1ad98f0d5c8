"""API keys: shown once, hashed, scoped to one store and its permissions, dead when revoked."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.accounts.api_keys import api_keys
from eishro.flows.sign_in import SignedIn
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


def _keys(owner: SignedIn) -> str:
    assert owner.store is not None
    return f"/api/stores/{owner.store.id}/api-keys"


async def test_a_key_opens_what_its_scopes_name_in_its_own_store(world: World) -> None:
    owner, other = await world.merchant(), await world.merchant()
    assert owner.store is not None
    assert other.store is not None
    client = world.client()
    key = await world.api_key(owner, "orders:read")
    mine, theirs = f"/api/stores/{owner.store.id}", f"/api/stores/{other.store.id}"
    assert (await client.get(f"{mine}/orders", headers=key)).status_code == 200
    assert (await client.get(f"{theirs}/orders", headers=key)).status_code == 403
    refused = await client.post(f"{mine}/products", json={"name": "x", "price": 1}, headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    for path in ("/api/auth/profile", "/api/orders", "/api/auth/sessions", "/api/admin/users"):
        assert (await client.get(path, headers=key)).status_code == 403, path


async def test_a_key_is_shown_once_and_kept_hashed(world: World) -> None:
    owner = await world.merchant()
    client = world.client()
    body = {"name": "المحاسبة", "scopes": ["orders:read"]}
    made = (await client.post(_keys(owner), json=body, headers=bearer(owner))).json()["data"]
    assert made["key"].startswith("esk_")
    listed = await client.get(_keys(owner), headers=bearer(owner))
    assert "key" not in listed.json()["data"][0]
    assert made["key"] not in listed.text
    kept = await world.db.all(Query(sa.select(api_keys.c.secret_hash), str, across_stores=True))
    assert made["key"].rpartition("_")[2] not in kept[0]


async def test_a_revoked_key_is_dead_at_once(world: World) -> None:
    owner = await world.merchant()
    client = world.client()
    key = await world.api_key(owner, "keys:read"[:0] or "orders:read")
    (listed,) = (await client.get(_keys(owner), headers=bearer(owner))).json()["data"]
    path = f"{_keys(owner)}/{listed['id']}"
    assert (await client.delete(path, headers=bearer(owner))).status_code == 200
    assert owner.store is not None
    refused = await client.get(f"/api/stores/{owner.store.id}/orders", headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert (await client.delete(path, headers=bearer(owner))).status_code == 404


async def test_a_key_of_another_store_is_neither_seen_nor_revoked(world: World) -> None:
    owner, other = await world.merchant(), await world.merchant()
    client = world.client()
    await world.api_key(owner, "orders:read")
    (listed,) = (await client.get(_keys(owner), headers=bearer(owner))).json()["data"]
    assert (await client.get(_keys(other), headers=bearer(other))).json()["data"] == []
    path = f"{_keys(other)}/{listed['id']}"
    assert (await client.delete(path, headers=bearer(other))).status_code == 404
    assert (await client.get(_keys(owner), headers=bearer(owner))).json()["data"] != []


async def test_a_key_runs_out(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    client = world.client()
    ends = (world.clock.now() + timedelta(hours=1)).isoformat()
    body = {"name": "x", "scopes": ["orders:read"], "expiresAt": ends}
    made = (await client.post(_keys(owner), json=body, headers=bearer(owner))).json()["data"]
    path, key = f"/api/stores/{owner.store.id}/orders", {"X-API-Key": made["key"]}
    assert (await client.get(path, headers=key)).status_code == 200
    world.clock.turn(timedelta(hours=1))
    assert (await client.get(path, headers=key)).status_code == 401
    body["expiresAt"] = world.clock.now().isoformat()
    late = await client.post(_keys(owner), json=body, headers=bearer(await _again(world, owner)))
    assert late.status_code == 422


async def _again(world: World, owner: SignedIn) -> SignedIn:
    from eishro.flows.sign_in import Device, login
    from tests.shops import PASSWORD

    return await login(world.shop, world.tokens, owner.user.email, PASSWORD, Device("", ""))


async def test_the_last_use_is_kept(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    client = world.client()
    key = await world.api_key(owner, "orders:read")
    await client.get(f"/api/stores/{owner.store.id}/orders", headers=key)
    await world.settle()
    (listed,) = (await client.get(_keys(owner), headers=bearer(owner))).json()["data"]
    assert listed["lastUsedAt"] is not None


@pytest.mark.parametrize("scope", ["staff:write", "keys:write", "store:close", "all:all", "*"])
async def test_a_key_is_never_given_power_over_people_and_keys(world: World, scope: str) -> None:
    owner = await world.merchant()
    body = {"name": "x", "scopes": ["orders:read", scope]}
    reply = await world.client().post(_keys(owner), json=body, headers=bearer(owner))
    assert reply.status_code == 422
    assert list(reply.json()["error"]["details"]) == ["scopes[1]"]


async def test_a_key_does_no_more_than_who_makes_it(world: World) -> None:
    owner = await world.merchant()
    for role in ("catalog", "orders", "viewer"):
        member = await world.join(owner, role)
        body = {"name": "x", "scopes": ["orders:read"]}
        reply = await world.client().post(_keys(owner), json=body, headers=bearer(member))
        assert reply.status_code == 403, role


async def test_wrong_keys_open_nothing_and_say_nothing(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    client = world.client()
    key = (await world.api_key(owner, "orders:read"))["X-API-Key"]
    name = key.rpartition("_")[0]
    path = f"/api/stores/{owner.store.id}/orders"
    for wrong in ("", "x", "esk_", f"{name}_", f"{name}_x", key[:-1], key + "x", f" {key}x"):
        reply = await client.get(path, headers={"X-API-Key": wrong})
        assert reply.status_code == 401, wrong
    both = await client.get(path, headers={"X-API-Key": key, **bearer(owner)})
    assert both.status_code == 400


async def test_an_order_of_a_key_belongs_to_no_customer(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    state = await world.product(owner.store.id)
    client = world.client()
    key = await world.api_key(owner, "orders:read", "orders:write")
    from tests.shops import order_body

    reply = await client.post(
        f"/api/stores/{owner.store.id}/orders",
        json=order_body(state.product.id, method="cod"),
        headers=key,
    )
    assert reply.status_code == 201
    order = reply.json()["data"]
    status = await client.put(
        f"/api/orders/{order['id']}/status", json={"status": "confirmed"}, headers=key
    )
    assert status.status_code == 200
    trail = await client.get(f"/api/stores/{owner.store.id}/audit", headers=bearer(owner))
    (line,) = [r for r in trail.json()["data"] if r["action"] == "order.confirmed"]
    assert line["actor"].startswith("key:key_")

"""Admins: what they alone may do, what they may not do quietly, and that one of them stays."""

import asyncio
from datetime import timedelta

import pytest

from tests.shops import PASSWORD, World, bearer, order_body

pytestmark = pytest.mark.anyio


async def test_a_locked_account_is_out_at_once_and_back_when_opened(world: World) -> None:
    admin, person = await world.admin(), await world.customer()
    client = world.client()
    path = f"/api/admin/users/{person.user.id}"
    locked = await client.put(path, json={"isActive": False}, headers=bearer(admin))
    assert locked.json()["data"]["isActive"] is False
    assert (await client.get("/api/auth/profile", headers=bearer(person))).status_code == 401
    refresh = {"refreshToken": person.refresh_token}
    assert (await client.post("/api/auth/refresh", json=refresh)).status_code == 401
    login = {"email": person.user.email, "password": PASSWORD}
    refused = await client.post("/api/auth/login", json=login)
    assert refused.json()["error"]["code"] == "INVALID_CREDENTIALS"
    await client.put(path, json={"isActive": True}, headers=bearer(admin))
    assert (await client.post("/api/auth/login", json=login)).status_code == 200


async def test_two_admins_who_remove_each_other_at_once_leave_one(world: World) -> None:
    first, second = await world.admin(), await world.admin()
    client = world.client()
    replies = await asyncio.gather(
        *(
            client.put(
                f"/api/admin/users/{victim.user.id}",
                json={"role": "customer"},
                headers=bearer(by),
            )
            for by, victim in ((first, second), (second, first))
        )
    )
    assert sorted(r.status_code for r in replies) in ([200, 403], [200, 409])
    left = second if replies[0].status_code != 200 else first
    last = await client.put(
        f"/api/admin/users/{left.user.id}", json={"isActive": False}, headers=bearer(left)
    )
    assert last.status_code == 409


async def test_a_suspended_store_sells_nothing_and_cannot_open_itself(world: World) -> None:
    admin, owner = await world.admin(), await world.merchant()
    assert owner.store is not None
    state = await world.product(owner.store.id)
    placed = await world.order(state, method="cod")
    client, store = world.client(), f"/api/stores/{owner.store.id}"
    reason = {"reason": "شكاوى كثيرة"}
    reply = await client.put(f"/api/admin{store[4:]}/suspend", json=reason, headers=bearer(admin))
    assert reply.json()["data"]["standing"] == "suspended"
    assert (await client.get(store)).status_code == 404
    assert (await client.get(f"/api/products/{state.product.id}")).status_code == 404
    order = await client.post(f"{store}/orders", json=order_body(state.product.id, method="cod"))
    assert order.status_code == 404
    opened = await client.put(store, json={"isActive": True}, headers=bearer(owner))
    assert opened.status_code == 409
    # What was sold is still delivered.
    path = f"/api/orders/{placed.order.id}/status"
    moved = await client.put(path, json={"status": "confirmed"}, headers=bearer(owner))
    assert moved.status_code == 200
    assert "" in await world.letters(owner.user.email)
    await client.put(f"/api/admin{store[4:]}/approve", headers=bearer(admin))
    assert (await client.get(store)).status_code == 200


async def test_acting_as_somebody_needs_a_reason_ends_and_is_seen(world: World) -> None:
    admin, owner = await world.admin(), await world.merchant()
    assert owner.store is not None
    client, path = world.client(), f"/api/admin/users/{owner.user.id}/act-as"
    assert (await client.post(path, json={}, headers=bearer(admin))).status_code == 422
    world.clock.turn(timedelta(seconds=1))
    made = await client.post(
        path, json={"reason": "ticket 12: prices look wrong"}, headers=bearer(admin)
    )
    headers = {"Authorization": f"Bearer {made.json()['data']['accessToken']}"}
    store = f"/api/stores/{owner.store.id}"
    world.clock.turn(timedelta(seconds=1))
    renamed = await client.put(store, json={"description": "x"}, headers=headers)
    assert renamed.status_code == 200
    lines = (await client.get(f"{store}/audit", headers=bearer(owner))).json()["data"]
    changed, acted = lines[0], lines[1]
    assert changed["actor"] == f"user:{owner.user.id} by admin:{admin.user.id}"
    assert changed["changes"]["after"] == {"description": "x"}
    assert (acted["action"], acted["changes"]["reason"]) == (
        "admin.acts_as",
        "ticket 12: prices look wrong",
    )
    assert "" in await world.letters(owner.user.email)
    world.clock.turn(timedelta(minutes=31))
    assert (await client.get("/api/auth/profile", headers=headers)).status_code == 401


async def test_who_acts_as_somebody_cannot_take_the_account_over(world: World) -> None:
    admin, owner = await world.admin(), await world.merchant()
    client = world.client()
    made = await client.post(
        f"/api/admin/users/{owner.user.id}/act-as", json={"reason": "help"}, headers=bearer(admin)
    )
    headers = {"Authorization": f"Bearer {made.json()['data']['accessToken']}"}
    for method, path in (
        ("PUT", "/api/auth/password"),
        ("PUT", "/api/auth/email"),
        ("POST", "/api/auth/2fa/setup"),
        ("POST", "/api/auth/2fa/disable"),
        ("GET", "/api/auth/sessions"),
        ("POST", "/api/auth/reauthenticate"),
    ):
        reply = await client.request(method, path, json={}, headers=headers)
        assert reply.status_code == 403, path


@pytest.mark.parametrize("how", ["locked", "no admin any more", "password", "reset"])
async def test_acting_ends_with_the_admin_s_own_standing(world: World, how: str) -> None:
    """Whoever is out as an admin, or threw thieves out, leaves no session in other people's name."""
    boss, admin, owner = await world.admin(), await world.admin(), await world.merchant()
    client = world.client()
    path = f"/api/admin/users/{owner.user.id}/act-as"
    made = await client.post(path, json={"reason": "help"}, headers=bearer(admin))
    acting = {"Authorization": f"Bearer {made.json()['data']['accessToken']}"}
    made = await client.post(path, json={"reason": "help"}, headers=bearer(boss))
    other = {"Authorization": f"Bearer {made.json()['data']['accessToken']}"}
    assert (await client.get("/api/orders", headers=acting)).status_code == 200
    if how in ("locked", "no admin any more"):
        change = {"isActive": False} if how == "locked" else {"role": "customer"}
        reply = await client.put(
            f"/api/admin/users/{admin.user.id}", json=change, headers=bearer(boss)
        )
    elif how == "password":
        reply = await client.put(
            "/api/auth/password", json={"password": "another long word"}, headers=bearer(admin)
        )
    else:
        await client.post("/api/auth/forgot-password", json={"email": admin.user.email})
        token = await world.token(admin.user.email, "reset-password")
        reply = await client.post(
            "/api/auth/reset-password", json={"token": token, "password": "another long word"}
        )
    assert reply.status_code == 200, reply.text
    assert (await client.get("/api/orders", headers=acting)).status_code == 401
    for headers in (bearer(owner), other):
        assert (await client.get("/api/orders", headers=headers)).status_code == 200


async def test_nobody_acts_as_an_admin(world: World) -> None:
    first, second = await world.admin(), await world.admin()
    reply = await world.client().post(
        f"/api/admin/users/{second.user.id}/act-as", json={"reason": "why"}, headers=bearer(first)
    )
    assert reply.status_code == 403


async def test_a_store_waits_for_approval_where_the_platform_wants_that(world: World) -> None:
    import msgspec

    rules = msgspec.structs.replace(world.shop.rules, store_approval=True)
    world.shop = msgspec.structs.replace(world.shop, rules=rules)
    admin, owner = await world.admin(), await world.merchant()
    assert owner.store is not None
    client, store = world.client(), f"/api/stores/{owner.store.id}"
    assert (await client.get(store)).status_code == 404
    opened = await client.put(store, json={"isActive": True}, headers=bearer(owner))
    assert opened.status_code == 409
    waiting = await client.get("/api/admin/stores?standing=pending", headers=bearer(admin))
    assert [one["id"] for one in waiting.json()["data"]] == [owner.store.id]
    await client.put(f"/api/admin{store[4:]}/approve", headers=bearer(admin))
    assert (await client.get(store)).status_code == 200


async def test_a_trail_is_read_in_pages(world: World) -> None:
    admin, owner = await world.admin(), await world.merchant()
    assert owner.store is not None
    client, store = world.client(), f"/api/stores/{owner.store.id}"
    for number in range(5):
        world.clock.turn(timedelta(milliseconds=1))
        await client.put(store, json={"description": str(number)}, headers=bearer(owner))
    seen: list[str] = []
    cursor = ""
    while True:
        reply = await client.get(f"{store}/audit?limit=2{cursor}", headers=bearer(owner))
        changes = [line["changes"] for line in reply.json()["data"]]
        seen += [one["after"]["description"] for one in changes if "after" in one]
        following = reply.json()["pagination"].get("nextCursor")
        if following is None:
            break
        cursor = f"&cursor={following}"
    assert seen == ["4", "3", "2", "1", "0"]
    whole = await client.get("/api/admin/audit?limit=100", headers=bearer(admin))
    assert {"store.changed", "user.registered"} <= {r["action"] for r in whole.json()["data"]}

"""Every kind of token in every place that takes one: it opens its own place, and no other.

A token of ours is good for one purpose; shown elsewhere it is refused like any wrong one. `alg=none`,
confused algorithms and forged sessions are in `test_sessions.py`, ID tokens in
`tests/adapters/identity/test_oidc.py`.
"""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from eishro.domain.accounts.tokens import AccessTokens
from tests.shops import PASSWORD, World, bearer, order_body

pytestmark = pytest.mark.anyio

OTHER_PASSWORD = "another long password"  # noqa: S105 - nobody's
# Where a token may be shown: how, and which kind is meant.
PLACES = {
    "bearer": "access",
    "API key header": "API key",
    "order token header": "order",
    "refresh": "refresh",
    "verify": "verification",
    "verify page": "verification",
    "verify page of a new address": "new address",
    "reset": "reset",
    "reset page": "reset",
    "invitation": "invitation",
    "payment": "payment",
    "completing a login elsewhere": "ticket",
}


async def _tokens(world: World) -> tuple[dict[str, str], str, str]:
    """One right token of every kind, the order's path and its store's."""
    merchant, person = await world.merchant(), await world.customer()
    assert merchant.store is not None
    at, client = f"/api/stores/{merchant.store.id}", world.client()
    state = await world.product(merchant.store.id, stock=5)
    order = (await client.post(f"{at}/orders", json=order_body(state.product.id))).json()["data"]
    paying = await client.post(
        f"/api/orders/{order['id']}/payments",
        json={"method": "moamalat"},
        headers={"X-Order-Token": order["accessToken"]},
    )
    invited = {"email": "invited@example.ly", "role": "viewer"}
    assert (
        await client.post(f"{at}/staff", json=invited, headers=bearer(merchant))
    ).status_code == 201
    await client.post("/api/auth/forgot-password", json={"email": person.user.email})
    change = {"currentPassword": PASSWORD, "email": "moved@example.ly"}
    await client.put("/api/auth/email", json=change, headers=bearer(person))
    tokens = {
        "access": person.access_token,
        "refresh": person.refresh_token,
        "API key": (await world.api_key(merchant, "orders:read"))["X-API-Key"],
        "order": order["accessToken"],
        "payment": paying.json()["data"]["id"],
        "verification": await world.token(person.user.email, "verify-email"),
        "new address": await world.token("moved@example.ly", "verify-email"),
        "reset": await world.token(person.user.email, "reset-password"),
        "invitation": await world.token("invited@example.ly", "invitation"),
    }
    return tokens, f"/api/orders/{order['id']}", at


async def _show(client: httpx.AsyncClient, place: str, token: str, order: str, at: str) -> int:
    """The status of showing the token there."""
    posts: dict[str, tuple[str, dict[str, Any]]] = {
        "refresh": ("/api/auth/refresh", {"refreshToken": token}),
        "verify": ("/api/auth/verify-email", {"token": token}),
        "reset": ("/api/auth/reset-password", {"token": token, "password": OTHER_PASSWORD}),
        "invitation": ("/api/invitations/accept", {"token": token, "password": OTHER_PASSWORD}),
        "completing a login elsewhere": (
            "/api/auth/oauth/complete", {"ticket": token, "otp": "123456"},
        ),
    }  # fmt: skip
    if place in posts:
        path, body = posts[place]
        return (await client.post(path, json=body)).status_code
    if place == "reset page":
        form = {"token": token, "password": OTHER_PASSWORD}
        return (await client.post("/reset-password", data=form)).status_code
    if place.startswith("verify page"):
        return (await client.get("/verify-email", params={"token": token})).status_code
    if place == "payment":
        return (await client.get(f"/api/payments/{token}")).status_code
    path, headers = {
        "bearer": ("/api/auth/profile", {"Authorization": f"Bearer {token}"}),
        "API key header": (f"{at}/orders", {"X-API-Key": token}),
        "order token header": (order, {"X-Order-Token": token}),
    }[place]
    return (await client.get(path, headers=headers)).status_code


async def test_a_token_opens_its_own_place_and_no_other(world: World) -> None:
    tokens, order, at = await _tokens(world)
    client = world.client()
    for place, meant in PLACES.items():
        for kind, token in tokens.items():
            if kind == meant or {kind, meant} == {"verification", "new address"}:
                continue
            status = await _show(client, place, token, order, at)
            assert status in (400, 401, 403, 404, 422, 429), f"{kind} as {place}: {status}"
    # None of that used one up, signed anybody out or changed a password.
    for place, meant in PLACES.items():
        if meant in tokens and place not in ("verify page", "reset page"):
            status = await _show(client, place, tokens[meant], order, at)
            assert status in (200, 201), f"{meant} at {place}: {status}"
            if meant == "refresh":
                break


async def test_the_tokens_that_are_left_still_work(world: World) -> None:
    tokens, order, at = await _tokens(world)
    client = world.client()
    for place in ("verify", "invitation", "reset"):
        assert await _show(client, place, tokens[PLACES[place]], order, at) in (200, 201), place


async def test_an_api_key_or_order_token_is_no_login(world: World) -> None:
    tokens, order, at = await _tokens(world)
    client = world.client()
    for kind in ("API key", "order", "refresh", "payment", "reset", "invitation"):
        for scheme in ("Bearer", "bearer", "Basic", "Token", "ApiKey", "Negotiate"):
            headers = {"Authorization": f"{scheme} {tokens[kind]}"}
            for path in ("/api/auth/profile", order, f"{at}/orders", "/api/admin/users"):
                reply = await client.get(path, headers=headers)
                assert reply.status_code in (400, 401), (kind, scheme, path)


async def test_what_is_ended_in_one_process_is_dead_in_all(world: World) -> None:
    """Another process remembers signatures, never that somebody is still signed in."""
    merchant = await world.merchant()
    key = await world.api_key(merchant, "orders:read")
    assert merchant.store is not None
    orders = f"/api/stores/{merchant.store.id}/orders"
    here = world.client()
    world.tokens = AccessTokens(world.shop.keyring)
    there = world.client()
    for client in (here, there):
        assert (await client.get("/api/auth/profile", headers=bearer(merchant))).status_code == 200
        assert (await client.get(orders, headers=key)).status_code == 200
    listed = await here.get(f"/api/stores/{merchant.store.id}/api-keys", headers=bearer(merchant))
    key_id = listed.json()["data"][0]["id"]
    path = f"/api/stores/{merchant.store.id}/api-keys/{key_id}"
    assert (await here.delete(path, headers=bearer(merchant))).status_code == 200
    assert (await there.get(orders, headers=key)).status_code == 401
    out = {"refreshToken": merchant.refresh_token}
    assert (await here.post("/api/auth/logout", json=out)).status_code == 200
    assert (await there.get("/api/auth/profile", headers=bearer(merchant))).status_code == 401
    assert (await there.post("/api/auth/refresh", json=out)).status_code == 401


async def test_a_link_of_a_mail_is_good_once_and_runs_out(world: World) -> None:
    tokens, order, at = await _tokens(world)
    client = world.client()
    assert (
        await _show(client, "verify page of a new address", tokens["new address"], order, at) == 200
    )
    person = await world.customer()
    change = {"currentPassword": PASSWORD, "email": "again@example.ly"}
    await client.put("/api/auth/email", json=change, headers=bearer(person))
    late = await world.token("again@example.ly", "verify-email")
    world.clock.turn(timedelta(days=30))
    assert (await client.get("/verify-email", params={"token": late})).status_code == 422
    for place in ("verify", "reset", "invitation"):
        status = await _show(client, place, tokens[PLACES[place]], order, at)
        assert status in (404, 409, 410, 422), place

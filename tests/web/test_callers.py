"""Who is taken for whom: dead tokens, tokens of orders, and what strangers may not know of."""

from datetime import timedelta

import pytest

from tests.shops import PASSWORD, World, bearer, order_body

pytestmark = pytest.mark.anyio

DEAD = {"Authorization": "Bearer dead"}
BASIC = {"Authorization": "Basic YTpi"}


@pytest.mark.parametrize("headers", [DEAD, BASIC], ids=["dead", "basic"])
async def test_a_dead_token_does_not_matter_where_nobody_asks_for_one(
    world: World, headers: dict[str, str]
) -> None:
    signed_in = await world.merchant()
    client = world.client(**headers)
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/docs")).status_code == 200
    login = {"email": signed_in.user.email, "password": PASSWORD}
    signed = await client.post("/api/auth/login", json=login)
    assert signed.status_code == 200
    pair = {"refreshToken": signed.json()["data"]["refreshToken"]}
    fresh = await client.post("/api/auth/refresh", json=pair)
    assert fresh.status_code == 200
    ended = await client.post(
        "/api/auth/logout", json={"refreshToken": fresh.json()["data"]["refreshToken"]}
    )
    assert ended.status_code == 200
    news = {"signature": "good", "reference": "nothing", "event": "1"}
    assert (await client.post("/api/webhooks/payments/moamalat", json=news)).status_code == 200


async def test_an_expired_token_can_still_be_refreshed_and_signed_out(world: World) -> None:
    signed_in = await world.merchant()
    world.clock.turn(timedelta(minutes=20))
    client = world.client(**bearer(signed_in))
    assert (await client.get("/api/auth/profile")).json()["error"]["code"] == "TOKEN_EXPIRED"
    fresh = await client.post("/api/auth/refresh", json={"refreshToken": signed_in.refresh_token})
    assert fresh.status_code == 200
    pair = {"refreshToken": fresh.json()["data"]["refreshToken"]}
    assert (await client.post("/api/auth/logout", json=pair)).status_code == 200
    assert (await client.post("/api/auth/refresh", json=pair)).status_code == 401


async def test_a_dead_token_is_refused_where_it_could_make_a_difference(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    client = world.client(**DEAD)
    for path in ("/api/products", f"/api/stores/{merchant.store.id}/products", "/api/stores"):
        assert (await client.get(path)).status_code == 401


async def test_the_token_of_an_order_lets_in_whatever_else_is_sent(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3)
    placed = await world.client().post(
        f"/api/stores/{merchant.store.id}/orders", json=order_body(state.product.id)
    )
    order = placed.json()["data"]
    at = f"/api/orders/{order['id']}"
    token = {"X-Order-Token": order["accessToken"]}
    assert (await world.client(**DEAD, **token).get(at)).status_code == 200
    assert (await world.client(**DEAD).get(at)).status_code == 401
    assert (await world.client(**DEAD, **{"X-Order-Token": "x"}).get(at)).status_code == 404


async def test_what_is_hidden_is_not_there_for_another_merchant(world: World) -> None:
    merchant, other = await world.merchant(), await world.merchant()
    assert merchant.store is not None
    shown = await world.product(merchant.store.id)
    draft = await world.product(merchant.store.id, status="draft")
    client = world.client(**bearer(other))
    paths = {shown.product.id: 403, draft.product.id: 404, 999_999: 404}
    for product_id, status in paths.items():
        reply = await client.put(f"/api/products/{product_id}", json={"name": "x"})
        assert reply.status_code == status, product_id
    store = f"/api/stores/{merchant.store.id}"
    assert (await client.put(store, json={"name": "x"})).status_code == 403
    assert (await world.client(**bearer(merchant)).delete(store)).status_code == 200
    assert (await client.put(store, json={"name": "x"})).status_code == 404
    reply = await client.put(f"/api/products/{shown.product.id}", json={"name": "x"})
    assert reply.status_code == 404


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ar", "ar"),
        ("ar-LY,en;q=0.5", "ar"),
        ("en;q=0.1,ar;q=0.9", "ar"),
        ("fr, ar;q=0.9", "ar"),
        ("arn", "en"),
        ("en,ar", "en"),
        ("ar;q=0", "en"),
        ("ar;q=x", "en"),
        ("", "en"),
    ],
)
async def test_the_language_that_is_ranked_higher_answers(
    world: World, header: str, language: str
) -> None:
    client = world.client(**{"Accept-Language": header})
    first, kept = await client.get("/api/locations/cities"), await client.get("/api/stores/999")
    assert (first.json()["message"] == "تم.") is (language == "ar")
    assert ("متجر" in kept.json()["error"]["message"]) is (language == "ar")

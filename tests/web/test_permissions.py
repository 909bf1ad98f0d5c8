"""Every route as every kind of caller; a route without a row here fails the test."""

import json

import pytest

from eishro.web.api import ROUTES
from eishro.web.routes import Route
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

CALLERS = ("guest", "customer", "other merchant", "buyer", "own merchant", "admin")
# What each permission answers, for each caller in the order above. 2 stands for any answer that
# is no refusal of the person (a success, or a fault of the empty body that this test sends).
EXPECTED: dict[str, tuple[int, ...]] = {
    "public": (2, 2, 2, 2, 2, 2),
    "public:store": (2, 2, 2, 2, 2, 2),
    "signed_in": (401, 2, 2, 2, 2, 2),
    "merchant": (401, 403, 2, 403, 2, 2),
    "store:write": (401, 403, 403, 403, 2, 2),
    "products:write": (401, 403, 403, 403, 2, 2),
    "orders:read": (401, 403, 403, 403, 2, 2),
    "order_party": (401, 404, 404, 2, 2, 2),
    "orders:write": (401, 404, 404, 403, 2, 2),
}


def _route_id(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=_route_id)
async def test_a_route_lets_in_whom_its_permission_names(world: World, route: Route) -> None:
    expected = EXPECTED[route.needs.name]
    client = world.client()
    headers, ids = await _cast(world)
    for caller, wanted in zip(CALLERS, expected, strict=True):
        reply = await client.request(
            route.method,
            route.path.replace(":path", "").format(**ids),
            content=b"[]" if route.method in ("POST", "PUT") else None,
            headers={**headers[caller], "Content-Type": "application/json"},
        )
        refused = reply.status_code in (401, 403) or (
            reply.status_code == 404 and route.needs.name.startswith("order")
        )
        # A page's unknown asset or token, and a webhook without a signature, refuse no person.
        if wanted == 2:
            is_unsigned_news = route.path.startswith("/api/webhooks/")
            assert not refused or is_unsigned_news, (caller, reply.status_code, reply.text)
        else:
            assert reply.status_code == wanted, (caller, reply.text)


async def _cast(world: World) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    own, other = await world.merchant(), await world.merchant()
    customer, buyer = await world.customer(), await world.customer()
    assert own.store is not None
    state = await world.product(own.store.id, categories=["قمصان"])
    client = world.client()
    reply = await client.post(
        f"/api/stores/{own.store.id}/orders",
        content=json.dumps(
            {
                "items": [{"productId": state.product.id, "quantity": 1}],
                "customer": {"name": "x", "phone": "0912345678"},
                "shipping": {"city": "tripoli", "address": "x"},
                "payment": {"method": "cod"},
            }
        ),
        headers={**bearer(buyer), "Content-Type": "application/json"},
    )
    assert reply.status_code == 201, reply.text
    headers = {
        "guest": {},
        "customer": bearer(customer),
        "other merchant": bearer(other),
        "buyer": bearer(buyer),
        "own merchant": bearer(own),
        "admin": bearer(await world.admin()),
    }
    ids = {
        "store_id": str(own.store.id),
        "product_id": str(state.product.id),
        "category_id": str(state.categories[0].id),
        "order_id": reply.json()["data"]["id"],
        "payment_id": "pay_0",
        "provider": "moamalat",
        "key": "x.webp",
        "name": "pay.css",
    }
    return headers, ids


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

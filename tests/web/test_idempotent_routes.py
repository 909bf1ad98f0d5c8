"""Every route that takes an Idempotency-Key: one effect and equal answers, for each caller."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.audit import audit_records
from eishro.db.idempotency import idempotency_keys
from eishro.db.statements import Query
from eishro.flows.change_order import change_status
from eishro.web.api import ROUTES
from eishro.web.routes import Route
from tests.flows.refunding import pay
from tests.rows import count_rows
from tests.shops import TESTER, World, bearer
from tests.web.right_bodies import RIGHT_BODIES

pytestmark = pytest.mark.anyio

# A draft becomes an order once, whoever asks how often: tests/web/test_drafts.py.
# Done once whoever asks: a second caller finds it done. Their keys: test_cod_keys.py, test_drafts.py.
ONE_TIME = {
    "POST /api/stores/{store_id}/drafts/{draft_id}/place",
    "POST /api/orders/{order_id}/cod/collect",
    "POST /api/stores/{store_id}/cod/cases/{case_id}/resolve",
    "POST /api/stores/{store_id}/cod/remittances",
    "POST /api/stores/{store_id}/statements",  # their keys: test_transfer_keys.py
    "POST /api/payments/{payment_id}/proof",
    "POST /pay/{payment_id}/again",  # one attempt at a time: test_pay_again.py
}
LINES = {"POST /api/auth/register": 2}  # of the trail, where it is not one: the store's opening
ONCE = [
    route for route in ROUTES if route.idempotent and f"{route.method} {route.path}" not in ONE_TIME
]
SECRETS = ("accessToken", "refreshToken", "parameters", "esk_")
_STORED = Query(sa.select(idempotency_keys.c.body), str)
_DONE = Query(
    sa.select(sa.func.count()).select_from(audit_records),
    int,
    across_stores=True,
)

Body = dict[str, Any]
# The same wish with other words: what a second, honest caller would send to this route.
OTHERWISE: dict[str, Callable[[Body], Body]] = {
    "POST /api/auth/register": lambda body: {
        **body, "email": "else@example.ly", "store": {"name": "x", "slug": "else-store"}},
    "POST /api/stores": lambda body: {**body, "slug": "else-store"},
    "POST /api/stores/{store_id}/categories": lambda body: {**body, "slug": "else"},
    "POST /api/stores/{store_id}/products": lambda body: {
        **body, "variants": [{"options": {"size": "S"}, "sku": "ELSE"}]},
    "POST /api/stores/{store_id}/staff": lambda body: {**body, "email": "else@example.ly"},
    "POST /api/stores/{store_id}/api-keys": lambda body: {**body, "name": "else"},
    "POST /api/stores/{store_id}/shipping-zones": lambda body: {**body, "name": "else"},
    "POST /api/auth/addresses": lambda body: {**body, "label": "else"},
    "POST /api/stores/{store_id}/coupons": lambda body: {**body, "code": "ELSE"},
    "POST /api/stores/{store_id}/promotions": lambda body: {**body, "name": "else"},
    "POST /api/stores/{store_id}/orders": lambda body: {**body, "notes": "else"},
    "POST /api/orders/{order_id}/shipments": lambda body: {**body, "trackingNumber": "ELSE-1"},
    "POST /api/checkout": lambda body: {
        **body, "customer": {**body["customer"], "name": "else"}},
    "POST /api/stores/{store_id}/payouts": lambda body: {**body, "amount": 6},
    "POST /api/stores/{store_id}/cod/remittances/rows": lambda body: {
        **body, "reference": "else"},
    "POST /api/orders/{order_id}/refunds": lambda body: {**body, "reason": "else"},
    "POST /api/stores/{store_id}/drafts": lambda body: {**body, "note": "else"},
    "POST /api/orders/{order_id}/notes": lambda body: {**body, "text": "else"},
    "POST /api/orders/{order_id}/payments": lambda body: {**body, "returnUrl": None},
    "POST /api/orders/{order_id}/returns": lambda body: {**body, "reason": "else"},
}  # fmt: skip


def _row(route: Route) -> str:
    return f"{route.method} {route.path}"


class Scene:
    """A shop with one of everything, and two callers who may both use the route."""

    def __init__(self, client: httpx.AsyncClient, route: Route) -> None:
        self.client = client
        self.method = route.method
        self.path = route.path
        self.body = RIGHT_BODIES[_row(route)]
        self.other_body = OTHERWISE[_row(route)](self.body)
        self.callers: list[dict[str, str]] = []

    async def send(
        self, caller: int = 0, key: str | None = "key-1", body: Body | None = None
    ) -> httpx.Response:
        headers = {**self.callers[caller], **({"Idempotency-Key": key} if key else {})}
        return await self.client.request(
            self.method, self.path, json=body or self.body, headers=headers
        )


async def _scene(world: World, route: Route) -> Scene:
    owner, customer = await world.merchant(), await world.customer()
    assert owner.store is not None
    state = await world.product(owner.store.id, categories=["قمصان"])
    client = world.client()
    scene = Scene(client, route)
    members, admin = bearer(owner), bearer(await world.admin())
    name = _row(route)
    if name == "POST /api/stores":
        scene.callers = [bearer(await world.merchant(store=False)) for _ in range(2)]
    elif name in (
        "POST /api/auth/register",
        "POST /api/stores/{store_id}/orders",
        "POST /api/checkout",
    ):
        scene.callers = [{}, bearer(customer)]
    elif name == "POST /api/orders/{order_id}/returns":
        order = (await world.order(state, 9, "cod")).order
        for status in ("confirmed", "processing", "shipped"):
            await change_status(world.shop, order.id, status, TESTER)
        scene.path = scene.path.format(order_id=order.id)
        scene.callers = [members, admin]
    elif name == "POST /api/orders/{order_id}/shipments":
        order = (await world.order(state, 3, "cod")).order
        await change_status(world.shop, order.id, "confirmed", TESTER)
        scene.path = scene.path.format(order_id=order.id)
        scene.callers = [members, admin]
    elif name == "POST /api/orders/{order_id}/notes":
        scene.path = scene.path.format(order_id=(await world.order(state)).order.id)
        scene.callers = [members, admin]
    elif name == "POST /api/orders/{order_id}/payments":
        reply = await client.post(
            f"/api/stores/{owner.store.id}/orders",
            json=RIGHT_BODIES["POST /api/stores/{store_id}/orders"],
            headers=bearer(customer),
        )
        scene.path = scene.path.format(order_id=reply.json()["data"]["id"])
        scene.callers = [bearer(customer), members]
    elif name == "POST /api/orders/{order_id}/refunds":
        world.provider.can_refund = False  # else it is sent beside the requests that are counted
        paid = await pay(world, (await world.order(state, quantity=3)).order.id)
        scene.path = scene.path.format(order_id=paid.order.id)
        scene.callers = [members, admin]
    else:
        scene.callers = [members, admin]
    if name == "POST /api/stores/{store_id}/payouts":
        await world.earn(state)
        account = RIGHT_BODIES["PUT /api/stores/{store_id}/bank-account"]
        path = f"/api/stores/{owner.store.id}/bank-account"
        named = await client.put(path, json={**account, "otp": None}, headers=members)
        assert named.status_code == 200, named.text
    assert (owner.store.id, state.product.id) == (1, 1), "what the right bodies name"
    scene.path = scene.path.format(store_id=1)
    return scene


every_route = pytest.mark.parametrize("route", ONCE, ids=_row)


def test_every_post_that_makes_something_takes_a_key() -> None:
    makers = {_row(r) for r in ROUTES if r.method == "POST" and r.status == 201}
    assert makers - ONE_TIME == {_row(route) for route in ONCE} == set(OTHERWISE)


@every_route
async def test_the_same_key_gives_the_first_answer_again(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    first = await scene.send()
    assert first.status_code == 201, first.text
    assert "Idempotent-Replayed" not in first.headers
    before = await count_rows(world.db)
    for _ in range(2):
        again = await scene.send()
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
        assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert await count_rows(world.db) == before


@every_route
async def test_requests_with_one_key_at_once_have_one_effect(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    before = await world.db.one(_DONE) or 0
    replies = await asyncio.gather(*(scene.send() for _ in range(8)))
    assert {reply.status_code for reply in replies} == {201}, [r.text for r in replies]
    assert len({reply.content for reply in replies}) == 1
    assert sum("Idempotent-Replayed" not in reply.headers for reply in replies) == 1
    assert await world.db.one(_DONE) == before + LINES.get(_row(route), 1)


@every_route
async def test_another_body_with_the_key_is_refused(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    first = await scene.send()
    before = await count_rows(world.db)
    for other in (scene.other_body, {**scene.body, "unknown": 1}, {}):
        body = msgspec.json.encode(other)
        refused = await scene.client.request(
            scene.method,
            scene.path,
            content=body,
            headers={**scene.callers[0], "Idempotency-Key": "key-1"},
        )
        assert refused.status_code == 422, refused.text
        assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await count_rows(world.db) == before
    assert (await scene.send()).content == first.content


@every_route
async def test_another_caller_s_key_is_independent(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    first = await scene.send()
    other = await scene.send(caller=1, body=scene.other_body)
    assert other.status_code == 201, other.text
    assert "Idempotent-Replayed" not in other.headers
    assert other.content != first.content
    # Each keeps the own answer.
    assert (await scene.send()).content == first.content
    assert (await scene.send(caller=1, body=scene.other_body)).content == other.content


@every_route
async def test_another_key_is_another_request(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    first = await scene.send()
    second = await scene.send(key="key-2", body=scene.other_body)
    if _row(route) == "POST /api/stores":  # a merchant has one store
        assert (second.status_code, second.json()["error"]["code"]) == (409, "CONFLICT")
        return
    assert second.status_code == 201, second.text
    assert second.json()["data"] != first.json()["data"]


@every_route
async def test_a_refusal_is_forgotten_and_the_key_still_free(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    refused = await scene.send(body={"nonsense": True})
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "VALIDATION_ERROR"
    right = await scene.send()
    assert right.status_code == 201, right.text
    assert "Idempotent-Replayed" not in right.headers


@every_route
async def test_what_lets_people_in_is_not_stored_in_the_open(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    first = await scene.send()
    shows_secret = any(f'"{name}"' in first.text for name in SECRETS)
    assert shows_secret <= route.has_secret, "the table says so"
    stored = await world.db.one(_STORED)
    assert stored is not None
    if route.has_secret:
        assert not any(name in stored for name in SECRETS)
    else:
        assert stored == first.text


@pytest.mark.parametrize(
    "route",
    # Everybody who is signed in has an address book, and keys are each caller's own.
    [route for route in ONCE if not route.needs.name.startswith(("public", "signed_in"))],
    ids=_row,
)
async def test_a_repeat_needs_the_permission_too(world: World, route: Route) -> None:
    scene = await _scene(world, route)
    assert (await scene.send()).status_code == 201
    stranger = bearer(await world.customer())
    for headers in ({}, stranger, {"Authorization": "Bearer nonsense"}):
        reply = await scene.client.request(
            scene.method,
            scene.path,
            json=scene.body,
            headers={**headers, "Idempotency-Key": "key-1"},
        )
        assert reply.status_code in (401, 403, 404), reply.text
        assert "Idempotent-Replayed" not in reply.headers


async def test_one_key_on_two_routes_is_two_requests(world: World) -> None:
    routes = {_row(route): route for route in ONCE}
    scene = await _scene(world, routes["POST /api/stores/{store_id}/categories"])
    assert (await scene.send()).status_code == 201
    reply = await scene.client.post(
        "/api/stores/1/products",
        json=RIGHT_BODIES["POST /api/stores/{store_id}/products"],
        headers={**scene.callers[0], "Idempotency-Key": "key-1"},
    )
    assert reply.status_code == 201, reply.text
    assert "Idempotent-Replayed" not in reply.headers


async def test_the_first_answer_stays_although_the_thing_has_changed(world: World) -> None:
    routes = {_row(route): route for route in ONCE}
    scene = await _scene(world, routes["POST /api/stores/{store_id}/products"])
    first = await scene.send()
    where = f"/api/products/{first.json()['data']['id']}"
    owner = scene.callers[0]
    await scene.client.put(where, json={"name": "اسم آخر", "price": 1}, headers=owner)
    await scene.client.delete(where, headers=owner)
    assert (await scene.send()).content == first.content

"""Whatever is sent: a 4xx that names the faults, never a 500, and nothing written."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from eishro.web.api import ROUTES
from tests.rows import count_rows
from tests.shops import World, asked_return, bearer, order_body, shipped_parcel
from tests.web.right_bodies import NOBODYS

pytestmark = pytest.mark.anyio

_JUNK: list[Any] = [
    None, True, -1, 0, 1.5, 10**30, "", "x" * 20_000, "\x00", "\ud800", "2", [], {}, [[]], {"a": {}},
    "' OR 1=1 --", "<script>alert(1)</script>", "{{7*7}}", "../../etc/passwd", "٢",
]  # fmt: skip
_BODIES = [
    b"", b"null", b"[]", b"1", b'"text"', b"{", b"\xff\xfe", b'{"a":}', b"{}" * 2,
    b"[" * 5000, b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"price":1e400}', b'{"price":NaN}',
]  # fmt: skip


def _assert_refused(reply: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert reply.status_code in statuses, (reply.status_code, reply.text[:300])
    body: dict[str, Any] = reply.json()
    assert set(body) == {"success", "error", "timestamp"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    return body


async def _cast(world: World) -> tuple[httpx.AsyncClient, dict[str, str], dict[str, str]]:
    """A signed-in merchant's client headers and the ids for every path."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5, categories=["قمصان"])
    placed = await world.order(state)
    coupon = await world.coupon(merchant.store.id)
    promotion = await world.promotion(merchant.store.id)
    ids = {
        **NOBODYS,
        "store_id": str(merchant.store.id),
        "coupon_id": coupon.id,
        "promotion_id": promotion.id,
        "product_id": str(state.product.id),
        "category_id": str(state.categories[0].id),
        "zone_id": (await world.zone(merchant.store.id)).id,
        "address_id": await world.address(merchant),
        "phone": "+218912345678",
        "draft_id": (await world.draft(state)).id,
        "order_id": placed.order.id,
        "refund_id": "ref_0",
        "shipment_id": await shipped_parcel(world, state),
        "return_id": await asked_return(world, state),
        "provider": "moamalat",
        "user_id": str((await world.join(merchant, "viewer")).user.id),
    }
    return world.client(), bearer(merchant), ids


def _with_body() -> list[Any]:
    return [r for r in ROUTES if r.body is not None]


def _required(kind: type) -> bool:
    return any(field.required for field in msgspec.structs.fields(kind))


async def test_a_body_that_is_not_an_object_is_400_on_every_route(world: World) -> None:
    client, headers, ids = await _cast(world)
    admin = bearer(await world.admin())
    before = await count_rows(world.db)
    for route in _with_body():
        caller = admin if route.needs.name == "admin" else headers
        for body in _BODIES:
            if body == b"" and not _required(route.body):
                continue
            reply = await client.request(
                route.method,
                route.path.format(**ids),
                content=body,
                headers={**caller, "Content-Type": "application/json"},
            )
            _assert_refused(reply, 400, 409, 422)
    assert await count_rows(world.db) == before


async def test_junk_in_any_member_is_named_and_writes_nothing(world: World) -> None:
    client, headers, ids = await _cast(world)
    admin = bearer(await world.admin())
    before = await count_rows(world.db)
    for route in _with_body():
        caller = admin if route.needs.name == "admin" else headers
        for field in msgspec.structs.fields(route.body):
            for junk in _JUNK:
                content = json.dumps({field.encode_name: junk, "zzz": 1}).encode()
                reply = await client.request(
                    route.method,
                    route.path.format(**ids),
                    content=content,
                    headers={**caller, "Content-Type": "application/json"},
                )
                # A lone surrogate is not JSON text at all.
                statuses = (400,) if junk == "\ud800" else (422, 409)
                body = _assert_refused(reply, *statuses)
                if reply.status_code == 422 and body["error"]["code"] == "VALIDATION_ERROR":
                    assert "zzz" in body["error"]["details"], route.path
    assert await count_rows(world.db) == before


async def test_every_fault_of_an_order_is_reported_at_once(world: World) -> None:
    client, _, ids = await _cast(world)
    body = {
        "items": [{"productId": "2", "quantity": 0, "price": 1}, {"quantity": 1.5}],
        "customer": {"name": "", "phone": "12"},
        "shipping": {"city": "Atlantis"},
        "payment": {},
        "total": 1,
    }
    reply = await client.post(f"/api/stores/{ids['store_id']}/orders", json=body)
    details = _assert_refused(reply, 422)["error"]["details"]
    assert set(details) == {
        "items[0].productId",
        "items[0].quantity",
        "items[0].price",
        "items[1].productId",
        "items[1].quantity",
        "customer.name",
        "customer.phone",
        "shipping.city",
        "shipping.address",
        "payment.method",
        "total",
    }


@pytest.mark.parametrize(
    "price", ["25.5005", "-1", "1e10", "1000000001", '"25.5"', "true", "1e400"]
)
async def test_money_is_exact_or_refused(world: World, price: str) -> None:
    client, headers, ids = await _cast(world)
    reply = await client.post(
        f"/api/stores/{ids['store_id']}/products",
        content=f'{{"name":"x","price":{price}}}',
        headers={**headers, "Content-Type": "application/json"},
    )
    assert "price" in _assert_refused(reply, 422)["error"]["details"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=1e9", "page=-1", "limit=101", "limit=x", "sort=price;drop", "minPrice=-1",
        "inStock=perhaps", "page=1&page=2", "cursor=' OR 1", "status=gone", "q=" + "x" * 300,
        "minPrice=1.2345", "limit=" + "9" * 400, "q=%00",
    ],
)  # fmt: skip
async def test_a_faulty_query_is_named(world: World, query: str) -> None:
    client, headers, ids = await _cast(world)
    reply = await client.get(f"/api/stores/{ids['store_id']}/products?{query}", headers=headers)
    details = _assert_refused(reply, 422)["error"]["details"]
    assert query.split("=")[0] in details


@pytest.mark.parametrize(
    "q",
    ["'", '"', "*", "a OR b", "NEAR(a b)", "body:x", "^", "-", "()", "%", "_", "\\", "؟", "a\tb"],
)
async def test_search_syntax_is_only_text(world: World, q: str) -> None:
    client, _, ids = await _cast(world)
    reply = await client.get(f"/api/stores/{ids['store_id']}/products", params={"q": q})
    assert reply.status_code in (200, 422)


@pytest.mark.parametrize(
    "path",
    ["/api/stores/0", "/api/stores/-1", "/api/stores/" + "9" * 40, "/api/stores/%00", "/api/stores/a b",
     "/api/products/x", "/api/products/1e3", "/api/products/" + "9" * 30, "/api/payments/x",
     "/api/stores/٢", "/media/../../etc/passwd", "/media/%2e%2e/secret", "/docs/../x", "/assets/x"],
)  # fmt: skip
async def test_an_impossible_path_is_not_found(world: World, path: str) -> None:
    client, _, _ = await _cast(world)
    _assert_refused(await client.get(path), 404)


async def test_a_body_over_the_limit_is_refused(world: World) -> None:
    client, headers, ids = await _cast(world)
    reply = await client.post(
        f"/api/stores/{ids['store_id']}/products",
        content=b'{"name":"' + b"x" * 1_100_000 + b'"}',
        headers={**headers, "Content-Type": "application/json"},
    )
    _assert_refused(reply, 413)


async def test_another_media_type_is_refused(world: World) -> None:
    client, _, ids = await _cast(world)
    reply = await client.post(
        f"/api/stores/{ids['store_id']}/orders",
        content=json.dumps(order_body(1)).encode(),
        headers={"Content-Type": "text/xml"},
    )
    _assert_refused(reply, 415)

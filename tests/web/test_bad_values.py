"""A right request with one wrong value in it: nothing that passes the types breaks behind them.

`test_bad_input.py` sends what no type takes; here the rest of each body is right, so that a bad
value which does pass its type reaches the flow and the database. Also odd headers.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from eishro.web.api import ROUTES
from tests.rows import count_rows
from tests.shops import PASSWORD, World, asked_return, bearer
from tests.web.right_bodies import NOBODYS, RIGHT_BODIES

pytestmark = pytest.mark.anyio

_JUNK: list[Any] = [
    None, True, -1, 0, 1.5, 2**53, 10**400, "", " ", "x" * 20_000, "a\x00b", "\u202eabc", "٢", "2",
    "'; --", "😀" * 50, [], [None], [[]], {}, {"\x00": "\x00"}, {"a": {"b": 1}},
]  # fmt: skip


def _wrongly(body: Any, junk: Any) -> Iterator[Any]:
    """The body once for each place in it, with the junk in that place."""
    if isinstance(body, dict | list):
        for key in list(body) if isinstance(body, dict) else range(len(body)):
            changed = copy.copy(body)
            changed[key] = junk
            yield changed
            for deeper in _wrongly(body[key], junk):
                yield {**body, key: deeper} if isinstance(body, dict) else [deeper]


async def _cast(world: World) -> tuple[httpx.AsyncClient, dict[str, str], dict[str, str]]:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=50, categories=["قمصان"])
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
        "return_id": await asked_return(world, state),
        "user_id": str((await world.join(merchant, "viewer")).user.id),
        "payout_id": "pyo_0",
        "suspense_id": "sus_0",
    }
    return world.client(), bearer(merchant), ids


async def _caller(world: World, row: str, headers: dict[str, str]) -> dict[str, str]:
    """Who may send this: the store's owner, a merchant without one, an admin."""
    if row == "POST /api/stores":
        return bearer(await world.merchant(store=False))
    return bearer(await world.admin()) if "/api/admin/" in row else headers


async def _counts(world: World) -> dict[str, int]:
    # Numbers are handed out in blocks, and what is refused has a line in the trail (test_trail.py).
    return await count_rows(world.db, "id_blocks", "audit_records")


async def test_every_route_with_a_body_has_a_right_one_here() -> None:
    assert set(RIGHT_BODIES) == {f"{r.method} {r.path}" for r in ROUTES if r.body is not None}


@pytest.mark.parametrize("row", RIGHT_BODIES)
async def test_the_right_bodies_are_right(world: World, row: str) -> None:
    client, headers, ids = await _cast(world)
    headers = await _caller(world, row, headers)
    method, _, path = row.partition(" ")
    reply = await client.request(
        method, path.format(**ids), content=json.dumps(RIGHT_BODIES[row]), headers=headers
    )
    # What is right but not true: nobody, no token of ours, nothing set up.
    wanted = {
        "/api/auth/login": 401,
        "/api/auth/refresh": 401,
        "/api/auth/oauth/complete": 401,
        "/api/auth/verify-email": 422,
        "/api/auth/reset-password": 422,
        "/api/auth/2fa/enable": 422,
        "/api/auth/phone/confirm": 422,
        "/api/auth/erase": 409,  # an owner stays
        "/api/stores/{store_id}/customers/{phone}/erase": 409,  # whose order is open
        "/api/invitations/accept": 404,
        "/api/orders/{order_id}/refunds": 409,
        "/api/orders/{order_id}/shipments": 409,  # not confirmed
        "/api/shipments/{shipment_id}": 404,
        "/api/orders/{order_id}/cod/collect": 409,  # not to be paid on delivery
        "/api/stores/{store_id}/cod/cases/{case_id}/resolve": 404,
        "/api/orders/{order_id}/refunds/{refund_id}/complete": 404,
        "/api/orders/{order_id}/refunds/{refund_id}/retry": 404,
        "/api/stores/{store_id}/payouts": 409,  # nothing is owed
        "/api/stores/{store_id}/suspense/{suspense_id}/assign": 404,
        "/api/stores/{store_id}/suspense/{suspense_id}/resolve": 404,
        "/api/admin/payouts/{payout_id}/reject": 404,
        "/api/admin/payouts/{payout_id}/pay": 404,
        "/api/orders/{order_id}/returns": 409,  # not shipped
        "/api/returns/{return_id}/receive": 409,  # not approved
        "/api/payments/{payment_id}/otp": 404,
        "/api/payments/{payment_id}/proof": 404,
        "/api/moamalat/hash": 422,  # of no payment
        "/api/stores/{store_id}/payments/{payment_id}/verify": 404,
        "/api/stores/{store_id}/payments/{payment_id}/reject": 404,
        "/api/stores/{store_id}/payments/{payment_id}/settle": 404,
        "/api/stores/{store_id}/order-reviews/{review_id}/approve": 404,
        "/api/stores/{store_id}/order-reviews/{review_id}/reject": 404,
        "/pay/{payment_id}/again": 404,
    }
    success = next(r.status for r in ROUTES if (r.method, r.path) == (method, path))
    assert reply.status_code == wanted.get(path, success), reply.text


@pytest.mark.parametrize("row", RIGHT_BODIES)
async def test_one_wrong_value_is_refused_or_harmless(world: World, row: str) -> None:
    client, headers, ids = await _cast(world)
    headers = await _caller(world, row, headers)
    method, _, path = row.partition(" ")
    send = {**headers, "Content-Type": "application/json"}
    before = await _counts(world)
    for junk in _JUNK:
        for body in _wrongly(RIGHT_BODIES[row], junk):
            content = json.dumps(body).encode()
            reply = await client.request(method, path.format(**ids), content=content, headers=send)
            if reply.status_code < 300:
                before = await _counts(world)
                continue
            # Guesses, and used addresses.
            limited = {429} if "/auth/" in path or "bank-account" in path else set()
            seen = reply.status_code
            assert seen in {400, 401, 404, 409, 422} | limited, (body, reply.text[:300])
            error = reply.json()["error"]
            if error["code"] == "VALIDATION_ERROR":
                assert error["details"], body
            assert await _counts(world) == before, body


_ODD_HEADERS = [
    (b"X-Order-Token", "مفتاح".encode()),
    (b"X-Order-Token", b"\xff" * 4000),
    (b"Authorization", "Bearer مفتاح".encode()),
    (b"Authorization", b"Bearer " + b"x" * 8000),
    (b"Authorization", b"Basic eDp5"),
    (b"Authorization", b""),
    (b"If-Match", b'W/"", *, ,,'),
    (b"If-None-Match", b"\xfe\xff"),
    (b"Accept-Language", b"\xff;q=NaN,ar;q=x"),
    (b"X-Request-ID", b"a" * 5000),
    (b"Origin", b"\xff://"),
    (b"User-Agent", b"\x00\xff" * 500),
    (b"X-Forwarded-For", b",,,\xff,"),
    (b"Content-Type", b"application/json; charset=\xff"),
    (b"Content-Length", b"abc"),
    (b"Content-Length", b"-1"),
]


@pytest.mark.parametrize("header", _ODD_HEADERS, ids=lambda h: f"{h[0].decode()}-{len(h[1])}")
async def test_an_odd_header_breaks_nothing(world: World, header: tuple[bytes, bytes]) -> None:
    client, _, ids = await _cast(world)
    login = json.dumps({"email": "nobody@example.ly", "password": PASSWORD}).encode()
    for method, path, content in (
        ("GET", f"/api/products/{ids['product_id']}", None),
        ("GET", f"/api/orders/{ids['order_id']}", None),
        ("PUT", f"/api/orders/{ids['order_id']}/cancel", b"{}"),
        ("POST", "/api/auth/login", login),
    ):
        reply = await client.request(method, path, content=content, headers=[header])
        assert reply.status_code < 500, (method, path, reply.text)
        assert "X-Request-ID" in reply.headers
        assert len(reply.headers["X-Request-ID"]) <= 100


@pytest.mark.parametrize(
    "query",
    ["from=0001-01-01T00:00:00%2B14:00", "to=9999-12-31T23:59:59-14:00", "q=%FF%FE", "q=%ED%A0%80",
     "from=1", "page=100000&limit=100", "cursor=ord_00000000000000000000000000", "q=%00", "&&=&a",
     "status=", "q=" + "%F0%9F%98%80" * 100],
)  # fmt: skip
async def test_an_odd_query_breaks_no_list_of_orders(world: World, query: str) -> None:
    client, headers, ids = await _cast(world)
    reply = await client.get(f"/api/stores/{ids['store_id']}/orders?{query}", headers=headers)
    assert reply.status_code in (200, 422), reply.text


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b'{"a":1e400}', b"\xff", b"[" * 9000])
async def test_an_odd_payload_breaks_no_payment(world: World, body: bytes) -> None:
    _, _, ids = await _cast(world)
    before = await _counts(world)
    client = world.client()
    hook = await client.post("/api/webhooks/payments/moamalat", content=body)
    result = await client.post("/api/payments/pay_none/result", content=body)
    assert (hook.status_code, result.status_code) == (401, 404)
    assert await _counts(world) == before


async def test_a_name_of_too_many_faults_is_cut(world: World) -> None:
    client, headers, ids = await _cast(world)
    body = {f"m{n}" + "x" * 500: n for n in range(500)}
    reply = await client.post(
        f"/api/stores/{ids['store_id']}/products",
        content=msgspec.json.encode(body),
        headers={**headers, "Content-Type": "application/json"},
    )
    assert reply.status_code == 422
    details = reply.json()["error"]["details"]
    assert 0 < len(details) <= 100
    assert max(map(len, details)) <= 100

"""Attacks by request bodies and order tokens: members, ids and amounts that are not the sender's.

Mass assignment (OWASP API 3), ids of another store's things, rows that belong to nobody, order
tokens that are empty, strange or somebody else's, and bodies of enormous lists.
"""

import copy
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rows import count_rows
from tests.shops import PASSWORD, World, asked_return, bearer, order_body, shipped_parcel
from tests.web.right_bodies import NOBODYS, RIGHT_BODIES

pytestmark = pytest.mark.anyio

# What attackers add to bodies, hoping that it goes straight into a row.
FORBIDDEN = (
    "id", "role", "roles", "isAdmin", "is_admin", "permissions", "userId", "ownerId", "owner_id",
    "storeId", "store_id", "customerUserId", "customer_user_id", "price", "priceDirhams",
    "unitPrice", "total", "totalDirhams", "subtotal", "discount", "shippingTotal", "amount",
    "balance", "currency", "status", "standing", "paymentStatus", "isActive", "is_active",
    "emailVerified", "emailVerifiedAt", "version", "createdAt", "__proto__", "constructor",
)  # fmt: skip
# Where one of these names is an ordinary member with rules of its own.
ORDINARY = {"price", "status", "role", "isActive"}


async def _counts(world: World) -> dict[str, int]:
    # Numbers are handed out in blocks, and what is refused has a line in the trail (test_trail.py).
    return await count_rows(world.db, "id_blocks", "audit_records")


def _with_more(body: Any, name: str) -> Iterator[Any]:
    """The body once for each object in it, with `name` added to that object."""
    if isinstance(body, dict):
        if name not in body:
            yield {**body, name: 1}
        for key, value in body.items():
            if key == "options":
                continue  # names that the merchant chooses: a size, a colour
            for deeper in _with_more(value, name):
                yield {**body, key: deeper}
    elif isinstance(body, list):
        for number, value in enumerate(body):
            for deeper in _with_more(value, name):
                changed = copy.copy(body)
                changed[number] = deeper
                yield changed


async def test_members_that_nobody_may_send_are_refused_in_every_object_of_every_body(
    world: World,
) -> None:
    merchant, admin = await world.merchant(), bearer(await world.admin())
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5, categories=["قمصان"])
    ids = {
        **NOBODYS,
        "store_id": merchant.store.id,
        "product_id": state.product.id,
        "category_id": state.categories[0].id,
        "zone_id": (await world.zone(merchant.store.id)).id,
        "address_id": await world.address(merchant),
        "phone": "+218912345678",
        "draft_id": (await world.draft(state)).id,
        "order_id": (await world.order(state)).order.id,
        "return_id": await asked_return(world, state),
        "user_id": (await world.join(merchant, "viewer")).user.id,
        "coupon_id": (await world.coupon(merchant.store.id)).id,
        "promotion_id": (await world.promotion(merchant.store.id)).id,
        "shipment_id": await shipped_parcel(world, state),
        "case_id": "cas_0",
    }
    client, tried = world.client(), 0
    before = await _counts(world)
    for row, right in RIGHT_BODIES.items():
        method, _, path = row.partition(" ")
        headers = admin if "/api/admin/" in path else bearer(merchant)
        for name in FORBIDDEN:
            for body in _with_more(right, name):
                if name in ORDINARY and name in _members(right):
                    continue
                reply = await client.request(
                    method, path.format(**ids), content=json.dumps(body), headers=headers
                )
                assert reply.status_code == 422, (row, name, body, reply.text[:200])
                faults = reply.json()["error"]["details"]
                # A map of free names says of its values only that it is wrong.
                named = any(one.endswith(name) or one == "fields" for one in faults)
                assert named, (row, name, faults)
                tried += 1
    assert await _counts(world) == before
    assert tried > 1_000


def _members(body: Any) -> set[str]:
    if isinstance(body, dict):
        return set(body).union(*map(_members, body.values()))
    return set().union(*map(_members, body)) if isinstance(body, list) else set()


async def test_a_registration_makes_nobody_an_admin(world: World) -> None:
    body = {"email": "x@example.ly", "password": PASSWORD, "accountType": "admin"}
    reply = await world.client().post("/api/auth/register", json=body)
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["accountType"])


async def test_an_order_s_status_and_payment_are_nobody_s_to_write(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id, stock=5))
    path = f"/api/orders/{placed.order.id}"
    client = world.client(**bearer(merchant))
    for status in ("paid", "pending", "refunded", "expired", "", None, 1, ["confirmed"]):
        reply = await client.put(f"{path}/status", json={"status": status})
        assert reply.status_code in (409, 422), status
    shown = (await client.get(path)).json()["data"]
    assert (shown["status"], shown["paymentStatus"]) == ("pending", "pending")


async def test_another_store_s_things_cannot_be_named_in_a_body(world: World) -> None:
    ours, theirs = await world.merchant(), await world.merchant()
    assert ours.store is not None
    assert theirs.store is not None
    mine = await world.product(ours.store.id, stock=5)
    other = await world.product(theirs.store.id, stock=5, categories=["سر"])
    category, variant = other.categories[0].id, other.variants[0].id
    client, at = world.client(**bearer(ours)), f"/api/stores/{ours.store.id}"
    before = await _counts(world)
    attacks: list[tuple[str, str, Any]] = [
        ("POST", f"{at}/orders", order_body(other.product.id)),
        ("POST", f"{at}/orders", order_body(other.product.id, 1, variant)),
        ("POST", f"{at}/orders", order_body(mine.product.id, 1, variant)),
        ("POST", f"{at}/quote", order_body(other.product.id, 1, variant)),
        ("POST", f"{at}/categories", {"name": "x", "parentId": category}),
        ("POST", f"{at}/products", {"name": "x", "price": 1, "category": category}),
        ("POST", f"{at}/products", {"name": "x", "price": 1, "categories": [category]}),
        ("PUT", f"/api/products/{mine.product.id}", {"categories": [category]}),
        ("PUT", f"/api/products/{other.product.id}", {"price": 0}),
        ("PUT", f"{at}/categories/{category}", {"name": "x"}),
        ("DELETE", f"{at}/categories/{category}", None),
        ("PUT", f"{at}/staff/{theirs.user.id}", {"role": "viewer"}),
    ]
    for method, path, body in attacks:
        reply = await client.request(method, path, json=body)
        assert reply.status_code in (403, 404, 409, 422), (path, body, reply.text)
        assert "سر" not in reply.text
    assert await _counts(world) == before


async def test_what_belongs_to_nobody_is_nobody_s(world: World) -> None:
    """Guests' orders have no customer, API keys and strangers no user: null is not null's owner."""
    merchant, other = await world.merchant(), await world.merchant()
    assert merchant.store is not None
    customer = await world.customer()
    order = (await world.order(await world.product(merchant.store.id, stock=5))).order
    key = await world.api_key(other, "orders:read", "orders:write")
    client, path = world.client(), f"/api/orders/{order.id}"
    for who, headers in {
        "key": key,
        "merchant": bearer(other),
        "customer": bearer(customer),
    }.items():
        assert (await client.get(path, headers=headers)).status_code == 404, who
        cancel = await client.put(f"{path}/cancel", json={}, headers=headers)
        assert cancel.status_code == 404, who
    assert (await client.get("/api/orders", headers=bearer(customer))).json()["data"] == []
    assert (await client.get("/api/orders", headers=key)).status_code == 403


async def test_an_order_opens_to_its_own_token_alone(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5)
    client, at = world.client(), f"/api/stores/{merchant.store.id}/orders"
    body = order_body(state.product.id)
    mine, other = [(await client.post(at, json=body)).json()["data"] for _ in range(2)]
    path, right = f"/api/orders/{mine['id']}", mine["accessToken"]
    assert (await client.get(path, headers={"X-Order-Token": right})).status_code == 200
    sign = world.shop.keyring.sign
    wrong = [
        "null", "undefined", "None", "true", "0", "[]", "{}", "*", "%", "' OR '1'='1", mine["id"],
        mine["number"], other["accessToken"], right[:-1], right + "A", right.swapcase(), right * 2,
        f"{right},{right}", f"Bearer {right}", f"{other['accessToken']}, {right}",
        sign("order-token", ""), sign("order-token", "null"), sign("idempotency", mine["id"]),
        merchant.access_token, merchant.refresh_token,
    ]  # fmt: skip
    for token in wrong:
        reply = await client.get(path, headers={"X-Order-Token": token})
        assert reply.status_code == 404, token
    for token in ("", " ", "\t"):
        reply = await client.get(path, headers={"X-Order-Token": token})
        assert reply.status_code in (401, 404), repr(token)
    assert (await client.get(path)).status_code == 401
    for query in (f"?token={right}", f"?accessToken={right}", f"?X-Order-Token={right}"):
        assert (await client.get(path + query)).status_code in (401, 422), query


async def test_a_picture_of_a_billion_pixels_is_no_body_of_any_route(world: World) -> None:
    """Small on the way, gigabytes when drawn: whatever it calls itself, nobody begins to draw it."""
    merchant, admin = await world.merchant(), bearer(await world.admin())
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5, categories=["قمصان"])
    ids = {
        **NOBODYS,
        "store_id": merchant.store.id,
        "product_id": state.product.id,
        "category_id": state.categories[0].id,
        "order_id": (await world.order(state)).order.id,
        "user_id": (await world.join(merchant, "viewer")).user.id,
    }
    bomb = _picture(40_000, 40_000)
    assert len(bomb) < 300_000
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    client, before = world.client(), await _counts(world)
    for row in RIGHT_BODIES:
        method, _, path = row.partition(" ")
        headers = admin if "/api/admin/" in path else bearer(merchant)
        for kind, content in (
            ("image/png", bomb),
            ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" width="1e9"/>'),
            ("multipart/form-data; boundary=x", form + bomb + b"\r\n--x--\r\n"),
            ("application/json", bomb),
        ):
            reply = await client.request(
                method,
                path.format(**ids),
                content=content,
                headers={**headers, "Content-Type": kind},
            )
            # What is not there is told first.
            assert reply.status_code in (400, 404, 415), (row, kind, reply.status_code)
    assert await _counts(world) == before


def _picture(width: int, height: int) -> bytes:
    """A PNG of so many pixels, all black."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    lines = zlib.compressobj(9)
    line = b"\0" * (1 + width // 8)  # one bit a pixel
    drawn = b"".join(lines.compress(line) for _ in range(height)) + lines.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", drawn) + chunk(b"IEND", b"")


async def test_enormous_lists_are_refused_by_their_limit_before_any_work(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5)
    at = f"/api/stores/{merchant.store.id}"
    line = {"productId": state.product.id, "quantity": 1}
    order = {**order_body(state.product.id), "items": [line] * 10_000}
    product = {"name": "x", "price": 1}
    client, many = world.client(**bearer(merchant)), ["x"] * 10_000
    before = await _counts(world)
    for path, body, named in (
        (f"{at}/orders", order, "items"),
        (f"{at}/quote", order, "items"),
        (f"{at}/products", {**product, "sizes": many}, "sizes"),
        (f"{at}/products", {**product, "images": ["/a.webp"] * 10_000}, "images"),
        (f"{at}/products", {**product, "categories": many}, "categories"),
        (f"{at}/products", {**product, "colors": [{"name": "x"}] * 10_000}, "colors"),
        (f"{at}/products", {**product, "variants": [{"options": {}}] * 10_000}, "variants"),
        (f"{at}/api-keys", {"name": "x", "scopes": ["orders:read"] * 10_000}, "scopes"),
    ):
        reply = await client.post(path, json=body)
        assert reply.status_code in (413, 422), path
        if reply.status_code == 422:
            assert named in reply.json()["error"]["details"], reply.text[:300]
        assert len(reply.content) < 10_000
    assert await _counts(world) == before

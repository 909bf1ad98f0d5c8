"""What the audit trail says of what happened to an account, and of what was refused."""

import logging
from datetime import timedelta
from typing import Any

import msgspec
import pyotp
import pytest
import sqlalchemy as sa
import structlog

from eishro.db.audit import Record, audit_records
from eishro.db.schema import METADATA
from eishro.db.statements import Query
from eishro.flows.refusals import LINES_MAX
from tests.rows import count_rows
from tests.shops import PASSWORD, World, bearer, order_body

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "another long word"  # noqa: S105 - of a user that exists in this test only
_LINES = Query(
    sa.select(*(audit_records.c[name] for name in Record.__struct_fields__)).order_by(
        audit_records.c.id
    ),
    Record,
    across_stores=True,
)


async def _lines(world: World) -> list[Record]:
    return await world.db.all(_LINES)


async def test_every_line_names_its_request_and_address(world: World) -> None:
    """Also the lines of those who are not signed in yet: mails' links, logins, refreshing."""
    admin = bearer(await world.admin())
    seen = len(await _lines(world))
    world.clock.turn(timedelta(seconds=1))
    client = world.client(**{"X-Request-ID": "request-of-the-test"})

    async def post(path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        reply = await client.post(path, json=body, headers=headers)
        return reply.json().get("data")

    email, moved = "salma@example.ly", "salma@example.com"
    account = {"email": email, "password": PASSWORD, "accountType": "merchant"}
    joined = await post("/api/auth/register", {**account, "store": {"name": "متجر"}})
    mine = {"Authorization": f"Bearer {joined['accessToken']}"}
    await client.get(await world.link(email, "verify-email"))
    asked = await client.put("/api/auth/email", json={"email": moved}, headers=mine)
    assert asked.status_code == 200, asked.text
    await client.get(await world.link(moved, "verify-email"))
    await post("/api/auth/forgot-password", {"email": moved})
    token = await world.token(moved, "reset-password")
    await post("/api/auth/reset-password", {"token": token, "password": NEW_PASSWORD})
    await post("/api/auth/login", {"email": moved, "password": PASSWORD})
    entered = await post("/api/auth/login", {"email": moved, "password": NEW_PASSWORD})
    old = {"refreshToken": entered["refreshToken"]}
    successor = await post("/api/auth/refresh", old)
    await post("/api/auth/refresh", {"refreshToken": successor["refreshToken"]})
    await post("/api/auth/refresh", old)
    acting = f"/api/admin/users/{joined['user']['id']}/act-as"
    await post(acting, {"reason": "a test"}, admin)
    lines = (await _lines(world))[seen:]
    assert {line.action for line in lines} >= {
        "user.registered", "store.opened", "user.email_verified", "user.email_change_started",
        "user.email_changed", "user.password_reset", "login.refused", "session.reuse_detected",
        "admin.acts_as",
    }  # fmt: skip
    for line in lines:
        assert (line.request_id, line.address) == ("request-of-the-test", "127.0.0.1"), line


async def test_a_failed_check_of_security_writes_one_line_and_nothing_else(world: World) -> None:
    owner, other, person = await world.merchant(), await world.merchant(), await world.customer()
    viewer = await world.join(owner, "viewer")
    assert owner.store is not None
    state = await world.product(owner.store.id, stock=5)
    order = (await world.order(state)).order
    key = await world.api_key(owner, "orders:read")
    world.clock.turn(timedelta(seconds=1))
    at, ours = f"/api/stores/{owner.store.id}", owner.store.id
    link, long = {"token": "1.2.x"}, "x" * 12
    made_up = f"{person.refresh_token.partition('.')[0]}.x.x"
    attacks: list[tuple[str, str, Any, dict[str, str], str, int | None]] = [
        ("GET", "/api/admin/users", None, bearer(owner), "permission", None),
        ("GET", f"{at}/staff", None, bearer(other), "permission", None),
        ("GET", f"{at}/staff", None, bearer(viewer), "permission", ours),
        ("PUT", at, {"name": "x"}, key, "permission", ours),
        ("PUT", at, {"name": "x"}, {"X-API-Key": "esk_a_b"}, "credential", None),
        ("GET", f"{at}/orders", None, {"Authorization": "Bearer x.y.z"}, "credential", None),
        ("GET", f"/api/orders/{order.id}", None, bearer(other), "permission", None),
        ("GET", f"/api/orders/{order.id}", None, {"X-Order-Token": "x"}, "permission", None),
        ("PUT", f"/api/orders/{order.id}/status", {}, bearer(viewer), "permission", ours),
        ("POST", "/api/auth/verify-email", link, {}, "link to confirm an address", None),
        ("GET", "/verify-email?token=1.2.3.4", None, {}, "link to another address", None),
        ("POST", "/api/auth/reset-password", {**link, "password": long}, {}, "link for a new password", None),
        ("POST", "/api/invitations/accept", link, {}, "invitation", None),
        ("GET", "/invitation?token=x", None, {}, "invitation", None),
        ("PUT", "/api/auth/password", {"currentPassword": "no", "password": long}, bearer(person), "password", None),
        ("POST", "/api/auth/oauth/complete", {"ticket": "x", "otp": "1"}, {}, "ticket", None),
        ("POST", "/api/auth/refresh", {"refreshToken": made_up}, {}, "refresh token", None),
        ("POST", "/api/webhooks/payments/moamalat", {"signature": "bad"}, {}, "signature", None),
    ]  # fmt: skip
    client = world.client()
    for method, path, body, headers, wrong, store_id in attacks:
        world.clock.turn(timedelta(seconds=1))
        before = await count_rows(world.db)
        reply = await client.request(method, path, json=body, headers=headers)
        await world.settle()
        assert 400 <= reply.status_code < 500, (path, reply.text)
        after = await count_rows(world.db)
        assert after == {**before, "audit_records": before["audit_records"] + 1}, path
        line = (await _lines(world))[-1]
        assert (line.action, line.store_id) == ("access.refused", store_id), path
        assert msgspec.json.decode(line.changes) == {"wrong": wrong}, path
        assert (line.address, line.request_id) == ("127.0.0.1", reply.headers["X-Request-ID"])
        assert not any(len(shown) > 5 and shown in str(line) for shown in headers.values())


async def test_who_knocks_at_every_door_does_not_fill_the_trail(world: World) -> None:
    person, client = await world.customer(), world.client()
    before = len(await _lines(world))
    for number in range(LINES_MAX + 5):
        path = f"/api/admin/stores/{number}/approve"
        assert (await client.put(path, json={}, headers=bearer(person))).status_code == 403
    assert len(await _lines(world)) - before == LINES_MAX
    world.clock.turn(timedelta(hours=1))
    await client.get("/api/admin/users", headers=bearer(await world.customer()))
    assert len(await _lines(world)) - before == LINES_MAX + 2  # and who registered meanwhile


async def test_what_is_merely_missing_or_over_is_no_failed_check(world: World) -> None:
    person, client = await world.customer(), world.client()
    before = await _lines(world)
    await client.get("/api/orders")
    await client.get("/api/stores/nobody")
    await client.get("/api/orders/ord_0", headers=bearer(person))
    world.clock.turn(timedelta(minutes=16))
    assert (await client.get("/api/orders", headers=bearer(person))).status_code == 401
    assert await _lines(world) == before


async def test_no_secret_lies_open_in_logs_trail_or_database(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Passwords, tokens, keys and codes of everything that people do with an account."""
    client, secrets = world.client(), {PASSWORD, NEW_PASSWORD}

    async def post(path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        named = {**(headers or {}), "Idempotency-Key": "one-of-this-test"}
        reply = await client.post(path, json=body, headers=named)
        assert reply.status_code < 300, (path, reply.text)
        return reply.json()["data"]

    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as events:
        email = "salma@example.ly"
        account = {"email": email, "password": PASSWORD, "accountType": "merchant"}
        joined = await post("/api/auth/register", {**account, "store": {"name": "متجر"}})
        mine = {"Authorization": f"Bearer {joined['accessToken']}"}
        at = f"/api/stores/{joined['store']['id']}"
        secrets.add(await world.token(email, "verify-email"))
        setup = await post("/api/auth/2fa/setup", {}, mine)
        code = pyotp.TOTP(setup["secret"]).at(world.clock.now())
        secrets.update({setup["secret"], setup["otpauthUrl"]})
        secrets.update((await post("/api/auth/2fa/enable", {"otp": code}, mine))["recoveryCodes"])
        key = {"name": "till", "scopes": ["orders:read"]}
        secrets.add((await post(f"{at}/api-keys", key, mine))["key"])
        await post(f"{at}/staff", {"email": "ali@example.ly", "role": "viewer"}, mine)
        secrets.add(await world.token("ali@example.ly", "invitation"))
        product = await post(f"{at}/products", {"name": "x", "price": 1, "stock": 5}, mine)
        order = await post(f"{at}/orders", order_body(product["id"]))
        secrets.add(order["accessToken"])
        renewed = await post("/api/auth/refresh", {"refreshToken": joined["refreshToken"]})
        for pair in (joined, renewed):
            secrets.update({pair["accessToken"], pair["refreshToken"]})
        await post("/api/auth/forgot-password", {"email": email})
        token = await world.token(email, "reset-password")
        secrets.add(token)
        await post("/api/auth/reset-password", {"token": token, "password": NEW_PASSWORD})
        for shown in secrets:
            body = {"email": email, "password": shown}
            await client.post("/api/auth/login", json=body, headers={"X-API-Key": shown[:200]})
        await world.settle()
    kept = [msgspec.json.encode(await world.db.all(query)).decode() for query in _ROWS.values()]
    assert any(email in text for text in kept)
    for secret in secrets:
        assert secret not in caplog.text
        assert secret not in str(events)
        assert [text for text in kept if secret in text] == [], secret


_ROWS = {
    table.name: Query(sa.select(table), lambda *row: row, across_stores=True)
    for table in METADATA.sorted_tables
}

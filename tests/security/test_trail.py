"""What the audit trail says of what happened to an account, and of what was refused."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from eishro.db.audit import Record, audit_records
from eishro.db.statements import Query
from tests.shops import PASSWORD, World, bearer

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

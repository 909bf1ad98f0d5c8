"""Attacks from the network and through the outside world: addresses, files, forms, gateways' news."""

import asyncio
import copy
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from eishro.adapters.cache import open_key_value, redis
from eishro.adapters.http import HttpxHttp
from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.payments import sql as payments
from eishro.domain.payments.sql import payment_news, payment_receipts
from eishro.web.api import ROUTES
from eishro.web.routes import Rate, WebRules
from tests.rows import count_rows
from tests.servers.valkey import Valkey
from tests.shops import World, asked_return, bearer, changed, order_body
from tests.web.right_bodies import NOBODYS, RIGHT_BODIES

pytestmark = pytest.mark.anyio

_WEBHOOK = "/api/webhooks/payments/moamalat"
_NEWS = Query(sa.select(sa.func.count()).select_from(payment_news), int)
_RECEIPTS = Query(sa.select(sa.func.count()).select_from(payment_receipts), int, across_stores=True)


async def _counts(world: World) -> dict[str, int]:
    # Numbers are handed out in blocks, and what is refused has a line in the trail (test_trail.py).
    return await count_rows(world.db, "id_blocks", "audit_records")


def _everywhere(body: Any, value: str) -> Iterator[Any]:
    """The body once for each text in it, with `value` in that text's place."""
    for key, inner in body.items() if isinstance(body, dict) else enumerate(body):
        for deeper in (
            [value] if isinstance(inner, str)
            else _everywhere(inner, value) if isinstance(inner, dict | list) else ()
        ):  # fmt: skip
            there = copy.copy(body)
            there[key] = deeper
            yield there


@pytest.fixture
async def listener() -> AsyncIterator[tuple[int, list[str]]]:
    """A port of this machine that nobody has any reason to ask, and who asked it."""
    callers: list[str] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], callers
    server.close()
    await server.wait_closed()


_RESOLVE = socket.getaddrinfo


async def test_no_address_in_any_body_is_ever_asked(
    world: World, listener: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes where its settings say and nowhere else, so no address can send it inside.

    Nor is a name looked up: one that is harmless at first and inside later has nothing to gain.
    """
    port, callers = listener
    looked_up: list[str] = []

    def resolve(host: Any, *rest: Any, **named: Any) -> Any:
        looked_up.append(str(host))
        return _RESOLVE(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=50, categories=["قمصان"])
    ids = {
        **NOBODYS,
        "store_id": merchant.store.id,
        "product_id": state.product.id,
        "category_id": state.categories[0].id,
        "zone_id": (await world.zone(merchant.store.id)).id,
        "draft_id": (await world.draft(state)).id,
        "order_id": (await world.order(state)).order.id,
        "return_id": await asked_return(world, state),
        "user_id": (await world.join(merchant, "viewer")).user.id,
        "coupon_id": (await world.coupon(merchant.store.id)).id,
        "promotion_id": (await world.promotion(merchant.store.id)).id,
    }
    client, admin = world.client(), bearer(await world.admin())
    hosts = (
        f"127.0.0.1:{port}",
        f"localhost:{port}",
        f"[::ffff:127.0.0.1]:{port}",
        f"2130706433:{port}",
        f"[::ffff:7f00:1]:{port}",
        f"rebound.example.ly:{port}",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
    )
    for row, right in RIGHT_BODIES.items():
        method, _, path = row.partition(" ")
        headers = admin if "/api/admin/" in path else bearer(merchant)
        for host in hosts:
            for body in _everywhere(right, f"http://{host}/latest/meta-data"):
                await client.request(
                    method, path.format(**ids), content=json.dumps(body), headers=headers
                )
    await world.letters("nobody@example.ly")
    await world.settle()
    assert callers == []
    inside = ("rebound.example.ly", "2130706433", "169.254.169.254", "fd00:ec2::254", "10.0.0.1")
    assert [host for host in looked_up if host in inside] == []


async def test_a_redirect_of_who_is_asked_leads_nowhere(listener: tuple[int, list[str]]) -> None:
    """A gateway that answers with an address inside sends us there with no status and no scheme."""
    port, callers = listener

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n")).split()[1].decode()
        target = f"http://[::ffff:127.0.0.1]:{port}/" if "6" in path else f"//127.0.0.1:{port}/"
        head = f"HTTP/1.1 {path[1:4]} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    at = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    http = HttpxHttp()
    try:
        for status in (301, 302, 303, 307, 308):
            for path in (f"{at}/{status}", f"{at}/{status}/6"):
                assert (await http.get(path)).status == status
                assert (await http.post_json(path, {})).status == status
                assert (await http.post_form(path, {})).status == status
    finally:
        await http.aclose()
        server.close()
        await server.wait_closed()
    assert callers == []


async def test_other_schemes_are_no_addresses(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    order = (await world.order(await world.product(merchant.store.id))).order
    at = f"/api/stores/{merchant.store.id}"
    client = world.client(**bearer(merchant))
    for url in (
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://x/",
        "gopher://127.0.0.1:6379/_", "//evil.test", "/\\evil.test", "\\\\evil.test", "http:evil.test",
        "http://evil.test@shop.test/", " https://evil.test", "https://a b/", "https://x/\r\nSet-Cookie:a=b",
        "http://", "https:///x", "vbscript:x", "blob:x", "about:blank", "https://exa\u0000mple.ly", "x",
    ):  # fmt: skip
        for method, path, body in (
            ("PUT", at, {"logo": url}),
            ("PUT", at, {"settings": {"returnUrl": url}}),
            ("POST", f"{at}/products", {"name": "x", "price": 1, "images": [url]}),
            ("POST", f"/api/orders/{order.id}/payments", {"method": "moamalat", "returnUrl": url}),
        ):
            reply = await client.request(method, path, json=body)
            assert reply.status_code == 422, (path, url)


async def test_nobody_is_led_away_by_a_parameter(world: World) -> None:
    client = world.client()
    for route in ROUTES:
        if route.method != "GET" or "{" in route.path:
            continue
        for name in ("next", "url", "returnUrl", "redirect", "redirect_uri", "continue", "to"):
            reply = await client.get(route.path, params={name: "https://evil.test/"})
            assert "evil.test" not in reply.headers.get("Location", ""), (route.path, name)
            assert reply.status_code not in (301, 302, 303, 307, 308), (route.path, name)


async def test_a_page_of_somebody_else_can_send_nothing_in_a_person_s_name(world: World) -> None:
    """No cookie signs anybody in, and what forms can send without asking is not JSON."""
    merchant = await world.merchant()
    assert merchant.store is not None
    token = merchant.access_token
    cookies = f"session={token}; accessToken={token}; Authorization=Bearer {token}; token={token}"
    evil = world.client(Cookie=cookies, Origin="https://evil.test", Referer="https://evil.test/")
    before = await _counts(world)
    for route in ROUTES:
        if route.needs.name.startswith("public") or route.method == "GET":
            continue
        path = re.sub(r"\{\w+\}", "1", route.path)
        assert (await evil.request(route.method, path, json={})).status_code in (401, 404), path
    logged_in = world.client(**bearer(merchant))
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ):
        for row in RIGHT_BODIES:
            method, _, path = row.partition(" ")
            if method != "POST" or "/api/admin/" in path:
                continue
            path = path.format(**{**NOBODYS, "store_id": merchant.store.id, "user_id": "1"})
            reply = await logged_in.post(
                path, content=json.dumps(RIGHT_BODIES[row]), headers={"Content-Type": kind}
            )
            assert reply.status_code in (404, 415), (path, kind, reply.status_code)
    preflight = await evil.options(
        "/api/auth/profile", headers={"Access-Control-Request-Method": "PUT"}
    )
    assert "access-control-allow-origin" not in preflight.headers
    # The forms of our own pages hold a mail's token; without it they do nothing.
    for page in ("/reset-password", "/invitation"):
        sent = await evil.post(page, data={"password": "x" * 12, "token": ""})
        assert sent.status_code in (404, 422), page
    assert await _counts(world) == before


async def test_news_that_is_forged_stale_or_of_another_store_moves_nothing(world: World) -> None:
    first, second = await world.merchant(), await world.merchant()
    client = world.client()
    orders, started = [], []
    for merchant in (first, second):
        assert merchant.store is not None
        state = await world.product(merchant.store.id, stock=3, price=25_000)
        body = order_body(state.product.id)
        order = (await client.post(f"/api/stores/{merchant.store.id}/orders", json=body)).json()[
            "data"
        ]
        headers = {"X-Order-Token": order["accessToken"]}
        reply = await client.post(
            f"/api/orders/{order['id']}/payments", json={"method": "moamalat"}, headers=headers
        )
        orders.append((f"/api/orders/{order['id']}", headers))
        started.append(await payments.get_payment(world.db, reply.json()["data"]["id"]))

    async def states() -> list[str]:
        await world.settle()
        return [(await client.get(p, headers=h)).json()["data"]["paymentStatus"] for p, h in orders]

    for forged in (
        {}, {"reference": started[0].reference}, {"signature": "", "reference": started[0].reference},
        {"signature": "bad", "reference": started[0].reference, "event": "1"},
    ):  # fmt: skip
        assert (await client.post(_WEBHOOK, json=forged)).status_code == 401, forged
    assert (await client.post("/api/webhooks/payments/nobody", json={})).status_code == 404
    assert await world.db.one(_NEWS) == 0
    assert world.provider.asked == []
    # Genuine news of one payment says nothing of another store's.
    world.provider.pay(started[0].reference, started[0].amount_dirhams)
    news = {"signature": "good", "reference": started[0].reference, "event": "1"}
    assert (await client.post(_WEBHOOK, json=news)).status_code == 200
    assert await states() == ["paid", "pending"]
    assert world.provider.asked.count(started[1].reference) == 0
    # The money of the first payment is not the second one's, whoever says so.
    world.provider.answers[started[1].reference] = world.provider.answers[started[0].reference]
    stolen = {"signature": "good", "reference": started[1].reference, "event": "2"}
    await client.post(_WEBHOOK, json=stolen)
    assert await states() == ["paid", "pending"]
    # A day later, again and again, changed and unchanged: money is booked once.
    receipts = await world.db.one(_RECEIPTS)
    world.clock.turn(timedelta(minutes=20))
    for number in range(20):
        await client.post(_WEBHOOK, json={**news, "event": str(number % 3)})
    assert (await states())[0] == "paid"
    assert await world.db.one(_RECEIPTS) == receipts
    assert await find_faults(world.db) == []


async def test_limits_hold_across_processes(
    world: World, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes with one Valkey count together; what is counted in one is refused in the other."""
    # Without counters in time the shop goes on selling, and on a busy machine a second is soon over.
    monkeypatch.setattr(redis, "CONNECT_SECONDS_MAX", 30.0)
    monkeypatch.setattr(redis, "REPLY_SECONDS_MAX", 30.0)
    valkey.clear()
    kv = open_key_value(valkey.url, world.clock)
    world.shop = changed(world.shop, kv=kv)
    rules = WebRules(anonymous=Rate(10, 3600))
    here, there = world.client(rules), world.client(rules)
    try:
        replies = await asyncio.gather(
            *(client.get("/api/stores") for client in (here, there) for _ in range(10))
        )
        assert sorted(r.status_code for r in replies) == [200] * 10 + [429] * 10
        tricks = {
            "X-Forwarded-For": "1.2.3.4", "X-Real-IP": "1.2.3.4", "Forwarded": "for=1.2.3.4",
            "CF-Connecting-IP": "1.2.3.4", "True-Client-IP": "1.2.3.4", "X-Client-IP": "1.2.3.4",
            "X-Cluster-Client-IP": "1.2.3.4", "Via": "1.2.3.4", "X-Request-ID": "abc-1",
            "User-Agent": "another", "X-Order-Token": "x", "Accept-Language": "ar",
        }  # fmt: skip
        for name, value in tricks.items():
            reply = await there.get("/api/stores", headers={name: value})
            assert reply.status_code == 429, name
    finally:
        await kv.aclose()

"""Every route through the response cache, as every kind of caller: nobody is shown an answer that
was made for somebody else, and nothing but public reads is ever kept.

`tests/web/test_response_cache.py` says when a kept answer is right; here, whose it is.
"""

import itertools
import random
import re
from typing import Any, NamedTuple

import httpx
import pytest

from eishro.web.api import ROUTES
from eishro.web.response_cache import ResponseCache
from eishro.web.routes import Door, WebRules
from tests.doors import through
from tests.security.test_matrix import Headers, cast
from tests.shops import World, order_body

pytestmark = pytest.mark.anyio

READS = [route for route in ROUTES if route.method == "GET"]
WRITES = [route for route in ROUTES if route.method != "GET"]
# No two of them are alike, and neither are the moments: timestamps, nonces, ids of requests.
_PASSING = re.compile(r'"timestamp":"[^"]+"|nonce[-="]+[\w-]+')


class Seen(NamedTuple):
    """What a caller can tell two answers apart by."""

    status: int
    body: str
    etag: str | None
    content_type: str | None


def _seen(reply: httpx.Response) -> Seen:
    headers = reply.headers
    body = _PASSING.sub("", reply.content.decode("utf-8", "replace"))
    return Seen(reply.status_code, body, headers.get("etag"), headers.get("content-type"))


def _door(world: World) -> Door:
    return Door(
        shop=world.shop,
        tokens=world.tokens,
        rules=WebRules(authenticated=None, anonymous=None, payments=None, staleness_seconds=3600),
        clock=world.clock,
        background=world._in_background,
    )


def _client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://shop.test", timeout=60)


async def _everybody(world: World) -> tuple[dict[str, Headers], dict[str, str]]:
    """The callers of the permission matrix, a guest with the token of an order, a dead token."""
    headers, ids = await cast(world)
    store = int(ids["store_id"])
    await world.product(store, status="draft", stock=3, name="لم ينشر بعد")
    guest = world.client()
    body = order_body(int(ids["product_id"]))
    order = (await guest.post(f"/api/stores/{store}/orders", json=body)).json()["data"]
    token = {"X-Order-Token": order["accessToken"]}
    paying = {"method": "moamalat"}
    path = f"/api/orders/{order['id']}/payments"
    payment = (await guest.post(path, json=paying, headers=token)).json()["data"]
    everybody = {**headers, "token": token, "dead": {"Authorization": "Bearer x"}}
    return everybody, {**ids, "order_id": order["id"], "payment_id": payment["id"]}


# What these ask for before they answer.
_QUERIES = {"/api/stores/{store_id}/shipping-rates": "?city=tripoli"}


async def test_nobody_is_shown_what_was_made_for_somebody_else(
    world: World, rng: random.Random
) -> None:
    headers, ids = await _everybody(world)
    door = _door(world)
    app = through(door)
    cache = ResponseCache(app, door, 50_000_000)
    shared, alone = _client(cache), _client(app)
    wrong = []
    for route in READS:
        path = route.path.replace(":path", "").format(**ids) + _QUERIES.get(route.path, "")
        languages = ("ar", "en") if route.is_kept else ("ar",)
        own = {
            (caller, language): _seen(
                await alone.get(path, headers={**headers[caller], "Accept-Language": language})
            )
            for caller, language in itertools.product(headers, languages)
        }
        asked = list(own) * len(languages)
        rng.shuffle(asked)
        for caller, language in asked:
            reply = await shared.get(path, headers={**headers[caller], "Accept-Language": language})
            # The trail grows by what this very test is refused.
            if not path.endswith("/audit") and _seen(reply) != own[caller, language]:
                wrong.append((route.path, caller, language))
    await world.settle()
    assert wrong == []
    # Otherwise this test would say nothing: the public reads were kept, and nothing else was.
    kept = {path for path, _, _ in cache._entries}
    public = {route.path.format(**ids) for route in READS if route.is_kept}
    assert kept == public


async def test_what_is_no_read_always_reaches_the_application(world: World) -> None:
    headers, ids = await _everybody(world)
    reached: list[str] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        del receive
        reached.append(f"{scope['method']} {scope['path']}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(reached)).encode()})

    client = _client(ResponseCache(note, _door(world), 50_000_000))
    for route, caller, _ in itertools.product(WRITES, headers, range(2)):
        path = route.path.format(**ids)
        reply = await client.request(route.method, path, headers=headers[caller])
        assert (reply.text, reached[-1]) == (str(len(reached)), f"{route.method} {path}")
    assert len(reached) == len(WRITES) * len(headers) * 2

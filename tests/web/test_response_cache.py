"""Kept answers: never outdated, never another caller's, inside the limits, bounded."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from eishro.db.database import Database
from eishro.db.statements import Batch
from eishro.domain.stores import sql as stores
from eishro.server.exchange import WHOLE_ANSWER
from eishro.web.api import ROUTES
from eishro.web.response_cache import ResponseCache
from eishro.web.routes import Door, Rate, Route, WebRules
from tests.doors import through
from tests.shops import World, bearer, order_body

pytestmark = pytest.mark.anyio

OPEN = WebRules(authenticated=None, anonymous=None, payments=None)
READS = [r for r in ROUTES if r.is_kept]


class Whole:
    """A server that takes whole answers where `is_whole`; `count` of them came."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self.is_whole = False
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def take(message: Any) -> None:
            assert message["type"] == WHOLE_ANSWER
            self.count += 1
            lines = message["lines"].split(b"\r\n")
            assert lines.pop() == b""
            headers = [tuple(line.split(b": ", 1)) for line in lines]
            status = message["status"]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": message["body"]})

        if self.is_whole:
            scope["extensions"] = {WHOLE_ANSWER: {}}
        await self._cache(scope, receive, take if self.is_whole else send)


class Counted:
    """The application behind a cache, and how often it was asked."""

    def __init__(self, world: World, rules: WebRules = OPEN, bytes_max: int = 1_000_000) -> None:
        door = Door(
            shop=world.shop,
            tokens=world.tokens,
            rules=rules,
            clock=world.clock,
            background=lambda work: None,
        )
        app = through(door)
        self.asked = 0

        async def counting(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
            self.asked += 1
            await app(scope, receive, send)

        self.cache = Whole(ResponseCache(counting, door, bytes_max))
        transport = httpx.ASGITransport(app=self.cache)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://shop.test")


async def test_a_repeat_is_answered_in_front_of_the_application(world: World) -> None:
    state = await world.product((await _store(world)), stock=3)
    shop = Counted(world)
    path = f"/api/products/{state.product.id}"
    first, second = await shop.client.get(path), await shop.client.get(path)
    assert shop.asked == 1
    assert first.json() == second.json()
    same = {k for k in first.headers if k not in ("x-request-id", "content-length")}
    assert {k: first.headers[k] for k in same} == {k: second.headers[k] for k in same}
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    kept = await shop.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (kept.status_code, kept.content, shop.asked) == (304, b"", 1)


@pytest.mark.parametrize("origin", [None, "https://shop.example.ly"])
async def test_a_server_that_takes_whole_answers_says_the_same(
    world: World, origin: str | None
) -> None:
    state = await world.product((await _store(world)), stock=3)
    rules = WebRules(anonymous=Rate(9, 3600), cors_origins=("https://shop.example.ly",))
    shop = Counted(world, rules)
    path = f"/api/products/{state.product.id}"
    headers = {"X-Request-ID": "the-same-one", **({"Origin": origin} if origin else {})}
    first = await shop.client.get(path, headers=headers)
    for more in ({}, {"If-None-Match": first.headers["etag"]}):
        by_parts = await shop.client.get(path, headers={**headers, **more})
        shop.cache.is_whole = True
        whole = await shop.client.get(path, headers={**headers, **more})
        shop.cache.is_whole = False
        assert (whole.status_code, whole.content) == (by_parts.status_code, by_parts.content)
        counted = "ratelimit-remaining"
        seen, expected = dict(whole.headers), dict(by_parts.headers)
        if more:
            assert counted not in expected
        else:
            assert int(seen.pop(counted)) == int(expected.pop(counted)) - 1
        assert seen == expected
    assert (shop.asked, shop.cache.count) == (1, 2)


async def test_query_and_language_have_answers_of_their_own(world: World) -> None:
    store = await _store(world)
    await world.product(store, stock=3)
    shop = Counted(world)
    for query, language in (("limit=1", "ar"), ("limit=2", "ar"), ("limit=1", "en")):
        path = f"/api/stores/{store}/products?{query}"
        reply = await shop.client.get(path, headers={"Accept-Language": language})
        assert str(reply.json()["pagination"]["limit"]) == query[-1]
        assert reply.json()["message"] == {"ar": "تم.", "en": "Done."}[language]
    assert shop.asked == 3


async def test_an_edit_is_seen_by_every_process_at_once(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3)
    path = f"/api/products/{state.product.id}"
    other = Counted(world)
    await other.client.get(path)
    changed = await world.client(**bearer(merchant)).put(path, json={"price": 7.125})
    assert changed.status_code == 200
    assert (await other.client.get(path)).json()["data"]["price"] == 7.125


async def test_a_crowd_that_asks_at_once_shares_a_look_at_the_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await _store(world)
    found = [await world.product(store, stock=3) for _ in range(4)]
    paths = [f"/api/products/{state.product.id}" for state in found]
    shop = Counted(world)
    for path in paths:
        await shop.client.get(path)
    version = await stores.find_version(world.db, store)
    looks: list[int] = []

    async def look(db: Database, store_id: int) -> int | None:
        looks.append(store_id)
        return version

    monkeypatch.setattr(stores, "find_version", look)
    for _ in range(2):
        looks.clear()
        answers = await asyncio.gather(*(shop.client.get(path) for path in paths * 5))
        assert {answer.status_code for answer in answers} == {200}
        assert looks == [store]
    assert shop.asked == len(paths)


async def test_what_another_found_outdated_meanwhile_is_answered_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await _store(world)
    state = await world.product(store, stock=3)
    path, shop = f"/api/products/{state.product.id}", Counted(world)
    await shop.client.get(path)
    version = await stores.find_version(world.db, store)
    assert version is not None
    is_asked, goes_on = asyncio.Event(), asyncio.Event()

    async def look(db: Database, store_id: int) -> int | None:
        if is_asked.is_set():
            return version + 1
        is_asked.set()
        await goes_on.wait()
        return version

    monkeypatch.setattr(stores, "find_version", look)
    monkeypatch.setattr(ResponseCache, "_keep", lambda *_: None)  # the page comes later than this
    early = asyncio.create_task(shop.client.get(path))
    await is_asked.wait()
    assert (await shop.client.get(path)).status_code == 200
    goes_on.set()
    assert (await early).status_code == 200
    assert shop.asked == 2, "the early one's answer was right when it was asked for"


async def test_no_reader_of_a_crowd_sees_what_was_outdated_when_it_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3, price=1_000)
    path = f"/api/products/{state.product.id}"
    owner, shops = world.client(**bearer(merchant)), [Counted(world), Counted(world)]
    told = priced = 1  # dinars: the newest price that is in the database, and the one on its way
    is_over = asyncio.Event()
    commit = world.db.commit

    async def tell(batch: Batch) -> None:
        nonlocal told
        await commit(batch)
        told = priced

    monkeypatch.setattr(world.db, "commit", tell)

    async def read(shop: Counted) -> int:
        count = 0
        while not is_over.is_set():
            await asyncio.sleep(0)  # nothing else here waits for anything
            least = told
            answer = await shop.client.get(path)
            assert answer.json()["data"]["price"] >= least
            count += 1
        return count

    readers = [asyncio.ensure_future(read(shop)) for shop in shops for _ in range(6)]
    for priced in range(2, 42):
        assert (await owner.put(path, json={"price": priced})).status_code == 200
    is_over.set()
    assert min(await asyncio.gather(*readers)) > 0
    assert told == 41


async def test_the_last_piece_is_seen_by_every_process_at_once(world: World) -> None:
    store = await _store(world)
    state = await world.product(store, stock=2)
    path, list_path = f"/api/products/{state.product.id}", f"/api/stores/{store}/products"
    shop = Counted(world)
    await shop.client.get(path)
    await shop.client.get(list_path)
    buyer = world.client()
    await buyer.post(f"/api/stores/{store}/orders", json=order_body(state.product.id))
    await shop.client.get(path)
    assert shop.asked == 2, "a sale that leaves pieces changes nothing the public sees"
    placed = await buyer.post(f"/api/stores/{store}/orders", json=order_body(state.product.id))
    assert (await shop.client.get(path)).json()["data"]["inStock"] is False
    assert (await shop.client.get(list_path)).json()["data"][0]["inStock"] is False
    order = placed.json()["data"]
    await buyer.put(
        f"/api/orders/{order['id']}/cancel",
        json={},
        headers={"X-Order-Token": order["accessToken"]},
    )
    assert (await shop.client.get(path)).json()["data"]["inStock"] is True


@pytest.mark.parametrize("route", READS, ids=lambda r: r.path)
async def test_nobody_gets_an_answer_that_was_made_for_another(world: World, route: Route) -> None:
    merchant, other, customer = (
        await world.merchant(),
        await world.merchant(),
        await world.merchant(store=False),
    )
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3, categories=["قمصان"])
    ids = {"store_id": str(merchant.store.id), "product_id": str(state.product.id)}
    path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: ids[found[1]], route.path)
    callers = [bearer(merchant), {}, bearer(other), {}, bearer(customer), bearer(merchant), {}]
    shared = Counted(world, OPEN)
    for headers in callers:
        alone = await Counted(world).client.get(path, headers=headers)
        cached = await shared.client.get(path, headers=headers)
        assert (cached.status_code, cached.json()) == (alone.status_code, alone.json()), headers
        assert cached.headers.get("etag") == alone.headers.get("etag")


async def test_a_closed_store_is_closed_in_the_cache(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    path = f"/api/stores/{merchant.store.id}"
    shop = Counted(world)
    assert (await shop.client.get(path)).status_code == 200
    await world.client(**bearer(merchant)).delete(path)
    assert (await shop.client.get(path)).status_code == 404


async def test_kept_answers_count_against_the_limit_and_304_does_not(world: World) -> None:
    path = f"/api/products/{(await world.product(await _store(world), stock=3)).product.id}"
    shop = Counted(world, WebRules(anonymous=Rate(3, 3600)))
    first = await shop.client.get(path)
    await shop.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    left = [(await shop.client.get(path)).headers["ratelimit-remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = await shop.client.get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")


async def test_browsers_of_allowed_origins_may_read_kept_answers(world: World) -> None:
    path = f"/api/products/{(await world.product(await _store(world), stock=3)).product.id}"
    rules = WebRules(anonymous=None, cors_origins=("https://shop.example.ly",))
    shop = Counted(world, rules)
    for origin in ("https://shop.example.ly", "https://evil.example"):
        replies = [await shop.client.get(path, headers={"Origin": origin}) for _ in range(2)]
        allowed = {reply.headers.get("access-control-allow-origin") for reply in replies}
        assert allowed == ({origin} if "shop" in origin else {None})
        assert all("Origin" in reply.headers["vary"] for reply in replies)
    assert shop.asked == 1


async def test_what_is_kept_is_bounded(world: World) -> None:
    store = await _store(world)
    ids = [(await world.product(store, stock=3)).product.id for _ in range(4)]
    shop = Counted(world, bytes_max=2_500)
    for _ in range(2):
        for product_id in ids:
            assert (await shop.client.get(f"/api/products/{product_id}")).status_code == 200
    assert shop.asked > 4
    tiny = Counted(world, bytes_max=100)
    for _ in range(2):
        await tiny.client.get(f"/api/products/{ids[0]}")
    assert tiny.asked == 2


async def _store(world: World) -> int:
    store = (await world.merchant()).store
    assert store is not None
    return store.id

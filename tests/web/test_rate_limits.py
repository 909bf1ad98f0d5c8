"""How many requests: the numbers, whom they count for, and what is outside them.

`test_conventions.py` shows the basic answers of a limited route; here is the rest.
"""

import pytest

from eishro.db.keyvalue import Count, KeyValueUnavailable
from eishro.web.headers import address_behind
from eishro.web.routes import Rate, WebRules
from tests.shops import World, bearer, changed, order_body

pytestmark = pytest.mark.anyio

_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


class _DeadCounters:
    """A key-value server that does not answer."""

    async def increment(self, key: str, ttl_seconds: float, by: int = 1) -> Count:
        raise KeyValueUnavailable(key, ttl_seconds, by)


async def test_the_limits_are_1000_for_people_100_for_addresses_50_for_payments(
    world: World,
) -> None:
    merchant = await world.merchant()
    client = world.client(WebRules())
    anonymous = await client.get("/api/stores")
    known = await client.get("/api/stores", headers=bearer(merchant))
    paying = await client.post("/api/payments/x/result", json={})
    limits = [r.headers["RateLimit-Limit"] for r in (anonymous, known, paying)]
    assert limits == ["100", "1000", "50"]
    assert anonymous.headers["RateLimit-Remaining"] == "99"
    assert anonymous.headers["RateLimit-Reset"] == "3600"


async def test_the_hundred_and_first_request_of_a_guest_is_refused(world: World) -> None:
    client = world.client(WebRules())
    statuses = [(await client.get("/api/stores")).status_code for _ in range(101)]
    assert statuses == [200] * 100 + [429]


async def test_starting_payments_is_counted_by_itself(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    client = world.client(WebRules(anonymous=Rate(5, 3600), payments=Rate(1, 3600)))
    placed = await client.post(
        f"/api/stores/{merchant.store.id}/orders", json=order_body(state.product.id)
    )
    order = placed.json()["data"]
    headers = {"X-Order-Token": order["accessToken"]}
    path, body = f"/api/orders/{order['id']}/payments", {"method": "moamalat"}
    first = await client.post(path, json=body, headers=headers)
    second = await client.post(path, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 429)
    assert (await client.get("/api/stores")).headers["RateLimit-Remaining"] == "3"


async def test_a_refusal_counts_and_shows_the_headers_too(world: World) -> None:
    client = world.client(WebRules(anonymous=Rate(3, 3600)))
    replies = [
        await client.get("/api/stores/no-such-store"),
        await client.get("/api/orders"),
        await client.post("/api/auth/login", json={}),
        await client.get("/api/stores"),
    ]
    assert [r.status_code for r in replies] == [404, 401, 422, 429]
    assert all(name in reply.headers for reply in replies for name in _HEADERS)


async def test_guessed_access_tokens_count_against_the_address(world: World) -> None:
    client = world.client(WebRules(authenticated=None, anonymous=Rate(2, 3600)))
    headers = {"Authorization": "Bearer guessed"}
    replies = [await client.get("/api/auth/profile", headers=headers) for _ in range(3)]
    assert [r.status_code for r in replies] == [401, 401, 429]


async def test_one_user_has_one_limit_from_every_address(world: World) -> None:
    merchant = await world.merchant()
    rules = WebRules(authenticated=Rate(1, 3600), trusted_proxies=("127.0.0.0/8",))
    client = world.client(rules, **bearer(merchant))
    first = await client.get("/api/stores", headers={"X-Forwarded-For": "41.252.1.1"})
    second = await client.get("/api/stores", headers={"X-Forwarded-For": "41.252.1.2"})
    assert (first.status_code, second.status_code) == (200, 429)


async def test_what_a_client_writes_left_of_the_proxy_s_entry_is_not_believed(
    world: World,
) -> None:
    rules = WebRules(anonymous=Rate(1, 3600), trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    client = world.client(rules)
    made_up = [f"1.2.3.{n}, 41.252.1.1, 10.0.0.7" for n in range(2)]
    replies = [await client.get("/api/stores", headers={"X-Forwarded-For": h}) for h in made_up]
    assert [r.status_code for r in replies] == [200, 429]


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7"])
@pytest.mark.parametrize("network", ["10.0.0.0/8", "::ffff:10.0.0.0/104"])
def test_a_proxy_that_comes_by_the_sixth_version_is_the_same_one(peer: str, network: str) -> None:
    """Were it not, everybody behind it would be counted as one."""
    is_written_so = ":" in peer or ":" not in network
    found = address_behind(peer, "41.252.1.1", (network,))
    assert found == ("41.252.1.1" if is_written_so else peer)


async def test_each_proxy_may_write_a_line_of_its_own(world: World) -> None:
    """The first answer is made, the others come from the cache: they count for the same one."""
    rules = WebRules(anonymous=Rate(2, 3600), trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    client = world.client(rules)
    hops = [("X-Forwarded-For", "41.252.1.1"), ("X-Forwarded-For", "10.0.0.7")]
    replies = [await client.get("/api/stores", headers=hops) for _ in range(3)]
    assert [r.status_code for r in replies] == [200, 200, 429]
    other = [("X-Forwarded-For", "41.252.1.2"), ("X-Forwarded-For", "10.0.0.7")]
    assert (await client.get("/api/stores", headers=other)).status_code == 200


async def test_without_counters_the_shop_goes_on(world: World) -> None:
    dead = World(changed(world.shop, kv=_DeadCounters()), world.clock, world.provider)
    client = dead.client(WebRules(anonymous=Rate(1, 3600)))
    first = await client.get("/api/stores")
    again = await client.get("/api/stores", headers={"If-None-Match": first.headers["ETag"]})
    third = await client.get("/api/stores")
    assert [r.status_code for r in (first, again, third)] == [200, 304, 200]
    assert "RateLimit-Limit" not in third.headers


async def test_a_limit_that_is_off_says_nothing(world: World) -> None:
    client = world.client(WebRules(anonymous=None))
    reply = await client.get("/api/stores")
    assert not any(name in reply.headers for name in _HEADERS)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/media/x.webp", "/docs"])
async def test_what_serves_machines_is_not_limited(world: World, path: str) -> None:
    client = world.client(WebRules(anonymous=Rate(1, 3600)))
    statuses = {(await client.get(path)).status_code for _ in range(3)}
    assert len(statuses) == 1
    assert 429 not in statuses

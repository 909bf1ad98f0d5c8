"""A store's customers: a row for each telephone, and what it came to."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from eishro.flows.sign_in import SignedIn
from tests.shops import TESTER, World, bearer

pytestmark = pytest.mark.anyio


async def _order(world: World, owner: SignedIn, phone: str, name: str, *moves: str) -> str:
    assert owner.store is not None
    state = await world.product(owner.store.id)
    command = msgspec.structs.replace(
        world.command(state, method="cod"), customer_phone=phone, customer_name=name
    )
    placed = await place_order(world.shop, command, TESTER, NotOnce())
    client = world.client(**bearer(owner))
    for move in moves:
        path = f"/api/orders/{placed.order.id}/status"
        reply = await client.put(path, json={"status": move})
        assert reply.status_code == 200, reply.text
    return placed.order.id


async def _list(world: World, owner: SignedIn, **query: object) -> dict[str, Any]:
    assert owner.store is not None
    reply = await world.client(**bearer(owner)).get(
        f"/api/stores/{owner.store.id}/customers",
        params={name: str(value) for name, value in query.items()},
    )
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


_DELIVERED = ("confirmed", "processing", "shipped", "delivered")
_REFUSED = ("confirmed", "processing", "shipped", "returned")


async def test_a_customer_is_a_telephone_with_what_it_came_to(world: World) -> None:
    owner, other = await world.merchant(), await world.merchant()
    phone = "+218912345678"
    await _order(world, owner, phone, "قديم", *_DELIVERED)
    await _order(world, owner, phone, "قديم", "cancelled")
    await _order(world, owner, phone, "قديم", *_REFUSED)
    last = await _order(world, owner, phone, "جديد")
    await _order(world, other, phone, "آخر", *_DELIVERED)
    body = await _list(world, owner)
    (row,) = body["data"]
    assert body["pagination"]["total"] == 1
    assert (row["phone"], row["orders"], row["refusedCod"]) == (phone, 4, 1)
    assert Decimal(str(row["spent"])) == Decimal("35.5")  # with delivery
    newest = max(last, row["lastOrderId"])  # made in one millisecond, ids sort at random
    assert row["lastOrderId"] == newest
    assert row["name"] in ("جديد", "قديم")


async def test_pages_and_cursors_show_everybody_once(world: World, rng: random.Random) -> None:
    owner = await world.merchant()
    phones = [f"+2189{rng.randrange(1, 7)}{rng.randrange(10**7):07}" for _ in range(12)]
    counted = Counter(rng.choice(phones) for _ in range(20))
    for phone, times in counted.items():
        for _ in range(times):
            await _order(world, owner, phone, "x")
    seen, cursor = [], None
    while True:
        query = {"limit": 5, **({"cursor": cursor} if cursor else {})}
        body = await _list(world, owner, **query)
        seen += body["data"]
        cursor = body["pagination"].get("nextCursor")
        if cursor is None:
            break
    assert {row["phone"]: row["orders"] for row in seen} == counted
    assert [row["phone"] for row in seen] == sorted(counted)
    second = await _list(world, owner, limit=5, page=2)
    assert [row["phone"] for row in second["data"]] == sorted(counted)[5:10]


async def test_customers_are_found_by_phone_its_beginning_or_a_name(world: World) -> None:
    owner = await world.merchant()
    await _order(world, owner, "+218912345678", "فاطمة علي")
    await _order(world, owner, "+218912345679", "مريم")
    await _order(world, owner, "+218921234567", "مريم")
    for q, expected in (
        ("0912345678", ["+218912345678"]),
        ("٠٩١ ٢٣٤ ٥٦٧٨", ["+218912345678"]),
        ("+218912345679", ["+218912345679"]),
        ("091", ["+218912345678", "+218912345679"]),
        ("092", ["+218921234567"]),
        ("002189", ["+218912345678", "+218912345679", "+218921234567"]),
        ("مريم", ["+218912345679", "+218921234567"]),
        ("فاطمة", []),
        ("099", []),
        ("%", []),
    ):
        body = await _list(world, owner, q=q)
        assert [row["phone"] for row in body["data"]] == expected, q
        assert body["pagination"]["total"] == len(expected), q


async def test_the_orders_of_a_customer_are_the_stores_own(world: World) -> None:
    owner, other = await world.merchant(), await world.merchant()
    assert owner.store is not None
    mine = await _order(world, owner, "+218912345678", "x")
    await _order(world, owner, "+218921111111", "x")
    await _order(world, other, "+218912345678", "x")
    client = world.client(**bearer(owner))
    for spelling in ("0912345678", "+218912345678", "%2B218912345678"):
        path = f"/api/stores/{owner.store.id}/customers/{spelling}/orders"
        reply = await client.get(path)
        assert [order["id"] for order in reply.json()["data"]] == [mine], spelling
        assert reply.json()["pagination"]["total"] == 1
    for wrong in ("abc", "12", "+218"):
        path = f"/api/stores/{owner.store.id}/customers/{wrong}/orders"
        assert (await client.get(path)).status_code == 404, wrong


async def test_a_store_without_orders_has_no_customers(world: World) -> None:
    body = await _list(world, await world.merchant())
    assert (body["data"], body["pagination"]["total"]) == ([], 0)

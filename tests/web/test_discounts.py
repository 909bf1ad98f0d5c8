"""Coupons and promotions over HTTP: making, reading, changing, deleting them."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eishro.db.statements import Batch
from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Applied
from eishro.domain.stores import sql as stores
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

TENTH = {"kind": "percent", "value": 10}
KINDS: dict[str, dict[str, Any]] = {
    "percent": {"kind": "percent", "value": 12.25},
    "fixed": {"kind": "fixed", "value": 7.125},
    "free_shipping": {"kind": "free_shipping", "value": 0},
    "buy_x_get_y": {
        "kind": "buy_x_get_y", "value": 50, "buyQuantity": 2, "getQuantity": 1,
        "usesPerOrderMax": 1,
    },
}  # fmt: skip


async def _own(world: World) -> tuple[httpx.AsyncClient, str, int]:
    """A merchant's client, the path of the store and its id."""
    merchant = await world.merchant()
    assert merchant.store is not None
    path = f"/api/stores/{merchant.store.id}"
    return world.client(**bearer(merchant)), path, merchant.store.id


def _data(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()["data"]


def _faults(reply: httpx.Response) -> set[str]:
    assert reply.status_code == 422, reply.text
    return set(reply.json()["error"]["details"])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_sent_is_what_is_read_and_can_be_sent_back(world: World, kind: str) -> None:
    client, path, store_id = await _own(world)
    state = await world.product(store_id, categories=["قمصان"])
    sent = {
        **KINDS[kind],
        "code": "عيد الأضحى",
        "name": "عيد",
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "minimum": 50,
        "scope": {
            "kind": "categories",
            "ids": [state.categories[0].id],
            "excludedProducts": [state.product.id],
            "excludedCategories": [],
        },
        "usageLimit": 100,
        "perCustomerLimit": 1,
        "active": False,
        "stackable": False,
    }
    made = _data(await client.post(f"{path}/coupons", json=sent), 201)
    assert made["id"].startswith("prm_")
    assert {name: made[name] for name in sent} == sent
    assert made["used"] == 0
    one = f"{path}/coupons/{made['id']}"
    assert _data(await client.get(one)) == made
    back = {name: made[name] for name in sent}
    again = _data(await client.put(one, json=back))
    assert {**again, "updatedAt": made["updatedAt"]} == made
    listed = (await client.get(f"{path}/coupons")).json()
    assert [row["id"] for row in listed["data"]] == [made["id"]]
    assert listed["pagination"]["total"] == 1
    _data(await client.delete(one))
    assert (await client.get(one)).status_code == 404
    assert _data(await client.get(f"{path}/coupons")) == []


async def test_a_coupon_has_sensible_defaults(world: World) -> None:
    client, path, _ = await _own(world)
    made = _data(await client.post(f"{path}/coupons", json={"code": "EID", **TENTH}), 201)
    assert (made["active"], made["stackable"], made["scope"]["kind"]) == (True, True, "all")
    assert (made["usageLimit"], made["endsAt"], made["minimum"]) == (None, None, None)
    sets = {"kind": "buy_x_get_y", "code": "SETS", "buyQuantity": 1, "getQuantity": 1}
    assert _data(await client.post(f"{path}/coupons", json=sets), 201)["value"] == 100


async def test_one_code_one_coupon_however_it_is_typed(world: World) -> None:
    client, path, _ = await _own(world)
    first = _data(await client.post(f"{path}/coupons", json={"code": "عيد ٢٠", **TENTH}), 201)
    for code in ("عيد20", " عِيد ۲۰ "):
        taken = await client.post(f"{path}/coupons", json={"code": code, **TENTH})
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "CONFLICT")
    other = _data(await client.post(f"{path}/coupons", json={"code": "EID", **TENTH}), 201)
    one = f"{path}/coupons/{other['id']}"
    assert (await client.put(one, json={"code": "عيد20"})).status_code == 409
    _data(await client.put(one, json={"code": "eid"}))  # its own
    _data(await client.delete(f"{path}/coupons/{first['id']}"))
    assert _data(await client.put(one, json={"code": "عيد20"}))["code"] == "عيد20"
    # Another store's codes are its own affair.
    neighbour, elsewhere, _ = await _own(world)
    _data(await neighbour.post(f"{elsewhere}/coupons", json={"code": "عيد20", **TENTH}), 201)


async def test_ten_at_once_make_one_coupon_of_a_code(world: World) -> None:
    client, path, _ = await _own(world)
    body = {"code": "EID", **TENTH}
    replies = await asyncio.gather(*(client.post(f"{path}/coupons", json=body) for _ in range(10)))
    assert sorted(r.status_code for r in replies) == [201, *[409] * 9]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"value": 0}, {"value"}),
        ({"value": 100.01}, {"value"}),
        ({"value": 10.125}, {"value"}),
        ({"value": None}, {"value"}),
        ({"value": "10"}, {"value"}),
        ({"kind": "fixed", "value": 0}, {"value"}),
        ({"kind": "free_shipping", "value": 5}, {"value"}),
        ({"kind": "buy_x_get_y"}, {"buyQuantity", "getQuantity"}),
        ({"buyQuantity": 1, "usesPerOrderMax": 2}, {"buyQuantity", "usesPerOrderMax"}),
        ({"startsAt": "2026-05-01T00:00:00Z", "endsAt": "2026-05-01T00:00:00Z"}, {"endsAt"}),
        ({"startsAt": "2026-05-01"}, {"startsAt"}),
        ({"usageLimit": 0, "perCustomerLimit": -1}, {"usageLimit", "perCustomerLimit"}),
        ({"scope": {"kind": "products"}}, {"scope.ids"}),
        ({"scope": {"kind": "all", "ids": [1]}}, {"scope.ids"}),
        ({"scope": {"kind": "products", "ids": [1, 999_999]}}, {"scope.ids[1]"}),
        ({"scope": {"kind": "categories", "ids": [999_999]}}, {"scope.ids[0]"}),
        (
            {"scope": {"excludedProducts": [999_999], "excludedCategories": [999_999]}},
            {"scope.excludedProducts[0]", "scope.excludedCategories[0]"},
        ),
        ({"code": "a b'c"}, {"code"}),
        ({"code": ["EID"]}, {"code"}),
        ({"priority": 1}, {"priority"}),
        ({"code": "?", "value": 500, "minimum": -1}, {"minimum"}),
        ({"code": "?!", "value": 500, "buyQuantity": 1}, {"code", "value", "buyQuantity"}),
    ],
)
async def test_a_wrong_coupon_is_refused_by_all_its_faults(
    world: World, wrong: dict[str, Any], fields: set[str]
) -> None:
    client, path, store_id = await _own(world)
    assert (await world.product(store_id)).product.id == 1
    reply = await client.post(f"{path}/coupons", json={"code": "EID", **TENTH, **wrong})
    assert _faults(reply) == fields
    assert _data(await client.get(f"{path}/coupons")) == []


async def test_members_that_are_not_sent_stay(world: World) -> None:
    client, path, _ = await _own(world)
    body = {"code": "EID", **KINDS["buy_x_get_y"], "minimum": 5, "usageLimit": 3}
    made = _data(await client.post(f"{path}/coupons", json=body), 201)
    one = f"{path}/coupons/{made['id']}"
    changed = _data(await client.put(one, json={"minimum": None, "usageLimit": 4}))
    expected = {**made, "minimum": None, "usageLimit": 4, "updatedAt": changed["updatedAt"]}
    assert changed == expected
    # Another kind needs another value, and has no sets.
    assert _faults(await client.put(one, json={"kind": "fixed"})) == {"value"}
    fixed = _data(await client.put(one, json={"kind": "fixed", "value": 3}))
    assert (fixed["value"], fixed["buyQuantity"], fixed["usesPerOrderMax"]) == (3, None, None)
    assert _data(await client.put(one, json={"kind": "free_shipping"}))["value"] == 0
    assert _faults(await client.put(one, json={"value": None, "kind": "percent"})) == {"value"}


async def test_coupons_and_promotions_are_found_below_their_own_path_alone(world: World) -> None:
    client, path, store_id = await _own(world)
    coupon = await world.coupon(store_id)
    promotion = await world.promotion(store_id)
    for wrong in (f"{path}/promotions/{coupon.id}", f"{path}/coupons/{promotion.id}"):
        for method in ("GET", "DELETE"):
            assert (await client.request(method, wrong)).status_code == 404
        assert (await client.put(wrong, json={"value": 1})).status_code == 404
    assert len(_data(await client.get(f"{path}/coupons"))) == 1
    assert len(_data(await client.get(f"{path}/promotions"))) == 1


async def test_lists_count_what_orders_used(world: World) -> None:
    client, path, store_id = await _own(world)
    product = await world.product(store_id)
    limited = await world.coupon(store_id, "LIMITED", usage_limit=5)
    world.clock.turn(timedelta(seconds=1))
    free = await world.coupon(store_id, "FREE")
    for rule, count in ((limited, 2), (free, 3)):
        for _ in range(count):
            order = (await world.order(product, method="cod")).order
            applied = Applied(rule, 100, frees_shipping=False)
            await world.db.commit(Batch(*uses.use(applied, ("phone:x",), order.id)))
    listed = _data(await client.get(f"{path}/coupons"))
    assert {row["code"]: row["used"] for row in listed} == {"LIMITED": 2, "FREE": 3}
    assert [row["code"] for row in listed] == ["FREE", "LIMITED"]
    assert _data(await client.get(f"{path}/coupons?limit=1&page=2"))[0]["code"] == "LIMITED"
    # A change forgets no use.
    changed = _data(await client.put(f"{path}/coupons/{limited.id}", json={"value": 20}))
    assert changed["used"] == 2


async def _version(world: World, store_id: int) -> int:
    return (await stores.get_store(world.db, store_id)).version


async def test_a_change_of_an_automatic_promotion_moves_the_store_s_version(world: World) -> None:
    """Orders are priced from what is remembered of a store, and are guarded by this version."""
    client, path, store_id = await _own(world)
    seen = [await _version(world, store_id)]
    body = {"name": "عرض", "priority": 3, **TENTH}
    made = _data(await client.post(f"{path}/promotions", json=body), 201)
    assert made["priority"] == 3
    seen.append(await _version(world, store_id))
    one = f"{path}/promotions/{made['id']}"
    _data(await client.put(one, json={"value": 20}))
    seen.append(await _version(world, store_id))
    _data(await client.delete(one))
    seen.append(await _version(world, store_id))
    assert seen == sorted(set(seen))
    await world.coupon(store_id)
    assert await _version(world, store_id) == seen[-1]


async def test_promotions_that_apply_are_listed_by_priority(world: World) -> None:
    _, _, store_id = await _own(world)
    now = world.clock.now()
    await world.promotion(store_id, name="low")
    await world.promotion(store_id, name="high", priority=9)
    await world.promotion(store_id, name="off", is_active=False)
    await world.promotion(store_id, name="over", ends_at=now)
    await world.coupon(store_id)
    found = await discounts.list_automatic(world.db, store_id, now)
    assert [rule.name for rule in found] == ["high", "low"]


async def test_a_store_has_no_more_automatic_promotions_than_an_order_looks_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eishro.flows.edit_promotion.AUTOMATIC_MAX", 3)
    client, path, store_id = await _own(world)
    resting = await world.promotion(store_id, is_active=False)
    await world.promotion(store_id)
    replies = await asyncio.gather(
        *(client.post(f"{path}/promotions", json={"name": "x", **TENTH}) for _ in range(5))
    )
    assert sorted(r.status_code for r in replies) == [201, 201, 409, 409, 409]
    one = f"{path}/promotions/{resting.id}"
    assert (await client.put(one, json={"active": True})).status_code == 409
    _data(await client.put(one, json={"value": 5}))


async def test_two_who_change_it_at_once_both_come_through(world: World) -> None:
    client, path, store_id = await _own(world)
    one = f"{path}/promotions/{(await world.promotion(store_id)).id}"
    replies = await asyncio.gather(
        client.put(one, json={"value": 20}), client.put(one, json={"minimum": 5})
    )
    assert [r.status_code for r in replies] == [200, 200]
    after = _data(await client.get(one))
    assert (after["value"], after["minimum"]) == (20, 5)

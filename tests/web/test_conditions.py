"""`If-Match`: a change is made only to what its maker has seen."""

from typing import Any

import pytest

from tests.shops import World, bearer

pytestmark = pytest.mark.anyio


async def _targets(world: World) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, categories=["قمصان"])
    placed = await world.order(state, method="cod")
    store = f"/api/stores/{merchant.store.id}"
    return bearer(merchant), {
        store: {"name": "متجر آخر"},
        f"{store}/categories/{state.categories[0].id}": {"name": "أحذية"},
        f"/api/products/{state.product.id}": {"name": "حذاء"},
        f"{store}/coupons/{(await world.coupon(merchant.store.id)).id}": {"value": 20},
        f"{store}/promotions/{(await world.promotion(merchant.store.id)).id}": {"value": 20},
        "/api/auth/profile": {"firstName": "علي"},
        f"/api/orders/{placed.order.id}/status": {"status": "confirmed"},
        f"/api/orders/{placed.order.id}/cancel": {},
    }


async def test_a_change_of_what_is_not_there_any_more_is_refused(world: World) -> None:
    caller, targets = await _targets(world)
    client = world.client(**caller)
    for path, body in targets.items():
        reply = await client.put(path, json=body, headers={"If-Match": '"old"'})
        assert (reply.status_code, reply.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")


async def test_what_an_answer_is_tagged_with_can_be_changed_next(world: World) -> None:
    caller, targets = await _targets(world)
    client = world.client(**caller)
    for path, body in targets.items():
        first = await client.put(path, json=body)
        assert first.status_code == 200, first.text
        if path.endswith(("status", "cancel")):
            continue  # the same move is not made twice
        again = await client.put(path, json=body, headers={"If-Match": first.headers["etag"]})
        assert again.status_code == 200, (path, again.text)


async def test_a_tag_that_was_read_is_good_for_one_change(world: World) -> None:
    caller, targets = await _targets(world)
    client = world.client(**caller)
    for path, body in targets.items():
        if "categories" in path:
            continue  # read as a tree only
        read = path.removesuffix("/status").removesuffix("/cancel")
        tag = (await client.get(read)).headers["etag"]
        reply = await client.put(path, json=body, headers={"If-Match": tag})
        assert reply.status_code == 200, (path, reply.text)
        reply = await client.put(path, json=body, headers={"If-Match": tag})
        assert reply.status_code == 412, path

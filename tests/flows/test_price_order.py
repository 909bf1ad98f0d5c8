"""What an order costs: the quote, the order and the kept trace are one calculation."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.cli.doctor import find_faults
from eishro.db.statements import Batch
from eishro.domain.discounts.model import CouponUnusable, Rule, Scope
from eishro.domain.orders import sql as orders
from eishro.domain.shipping.rates import Pickup, store_plan
from eishro.errors import ShopError
from eishro.flows.change_order import cancel_order
from eishro.flows.price_order import Inputs, PricedItem, Trace, calculate, recompute
from eishro.flows.sign_in import SignedIn
from tests.conftest import SEED
from tests.shops import TESTER, World, bearer, order_body

pytestmark = pytest.mark.anyio


def _rule(number: int, **members: Any) -> Rule:
    rule = Rule(
        id=f"prm_{number}",
        store_id=1,
        version=1,
        code=None,
        name=None,
        kind="percent",
        value=1_000,
        buy_quantity=None,
        get_quantity=None,
        uses_per_order_max=None,
        starts_at=None,
        ends_at=None,
        minimum_dirhams=None,
        scope=Scope(),
        usage_limit=None,
        per_customer_limit=None,
        is_active=True,
        priority=0,
        is_stackable=True,
    )
    return msgspec.structs.replace(rule, **members)


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    from eishro.clock import ManualClock

    def rule(number: int, **members: Any) -> Rule:
        kind = draw(st.sampled_from(["percent", "fixed", "free_shipping", "buy_x_get_y"]))
        value = draw(st.integers(1, 10_000))
        sets = {"buy_quantity": 2, "get_quantity": 1} if kind == "buy_x_get_y" else {}
        scope = draw(
            st.sampled_from([Scope(), Scope("products", (1, 3)), Scope("categories", (7,))])
        )
        stackable = draw(st.booleans())
        return _rule(
            number, kind=kind, value=value, scope=scope, is_stackable=stackable, **sets, **members
        )

    coupon = rule(99, code="ONE") if draw(st.booleans()) else None
    items = tuple(
        PricedItem(
            product_id=number,
            variant_id=number,
            category_ids=(7,) if draw(st.booleans()) else (),
            unit_price_dirhams=draw(st.integers(0, 10**6)),
            quantity=draw(st.integers(1, 9)),
            weight_grams=draw(st.integers(0, 5_000)),
        )
        for number in range(1, draw(st.integers(2, 6)))
    )
    plan = store_plan(
        (),
        rate_dirhams=draw(st.integers(0, 50_000)),
        free_above_dirhams=draw(st.none() | st.integers(0, 10**6)),
        pickup=Pickup(),
        cod_rounding_dirhams=draw(st.sampled_from([0, 250, 1000])),
    )
    return Inputs(
        items=items,
        promotions=tuple(rule(number) for number in range(draw(st.integers(0, 3)))),
        coupon=coupon,
        plan=plan,
        city_code="tripoli",
        method=draw(st.sampled_from(["standard", "pickup"])),
        is_cod=draw(st.booleans()),
        at=ManualClock().now(),
        manual_discount_dirhams=draw(st.just(0) | st.integers(0, 10**6)),
        shipping_override_dirhams=draw(st.none() | st.integers(0, 50_000)),
    )


@seed(SEED)
@given(inputs(), st.randoms(use_true_random=False))
def test_amounts_add_up_whatever_comes_together(made: Inputs, rng: random.Random) -> None:
    try:
        found = calculate(made)
    except CouponUnusable:
        return
    assert found.subtotal_dirhams == sum(i.unit_price_dirhams * i.quantity for i in made.items)
    assert sum(found.line_discounts) == found.discount_dirhams <= found.subtotal_dirhams
    for item, cut in zip(made.items, found.line_discounts, strict=True):
        assert 0 <= cut <= item.unit_price_dirhams * item.quantity
    assert found.shipping_dirhams >= 0
    assert found.total_dirhams >= 0
    assert found.total_dirhams == (
        found.subtotal_dirhams - found.discount_dirhams + found.shipping_dirhams
    )
    if made.is_cod and made.plan.cod_rounding_dirhams:
        assert found.total_dirhams % made.plan.cod_rounding_dirhams == 0
    # Steps say where each amount is from.
    assert found.discount_dirhams == sum(s.dirhams for s in found.steps if s.amount == "discount")
    assert found.shipping_dirhams == sum(
        s.dirhams for s in found.steps if s.amount == "shippingCost"
    )
    # The merchant's own discount comes off what promotions left, and all of it if it fits.
    plain = msgspec.structs.replace(made, manual_discount_dirhams=0)
    without = calculate(plain).discount_dirhams
    given = min(made.manual_discount_dirhams, found.subtotal_dirhams - without)
    assert found.discount_dirhams == without + given
    own = made.shipping_override_dirhams
    if own is not None:
        rounding = [s.dirhams for s in found.steps if s.reason == "cod_rounding"]
        assert found.shipping_dirhams == own + sum(rounding)
    # The order of lines and of promotions does not matter.
    items, rules = list(made.items), list(made.promotions)
    rng.shuffle(items)
    rng.shuffle(rules)
    again = calculate(msgspec.structs.replace(made, items=tuple(items), promotions=tuple(rules)))
    assert again.total_dirhams == found.total_dirhams
    # What is kept gives the same amounts.
    applied = {one.rule.id for one in found.applied}
    kept = tuple(rule for rule in made.promotions if rule.id in applied)
    trace = Trace(msgspec.structs.replace(made, promotions=kept), found.steps)
    once_more = recompute(msgspec.Raw(msgspec.json.encode(trace)))
    assert once_more.total_dirhams == found.total_dirhams
    assert once_more.line_discounts == found.line_discounts


async def _store(world: World) -> tuple[SignedIn, int, dict[str, str]]:
    merchant = await world.merchant(shipping_rate_dirhams=10_000)
    assert merchant.store is not None
    return merchant, merchant.store.id, bearer(merchant)


async def _coupon(world: World, store_id: int, owner: dict[str, str], **members: Any) -> str:
    body = {"code": "EID", "kind": "percent", "value": 10, **members}
    reply = await world.client().post(f"/api/stores/{store_id}/coupons", json=body, headers=owner)
    assert reply.status_code == 201, reply.text
    made: str = reply.json()["data"]["id"]
    return made


async def test_the_quote_and_the_order_agree_to_the_dirham_and_the_trace_is_kept(
    world: World,
) -> None:
    _, store_id, owner = await _store(world)
    client = world.client()
    await _coupon(world, store_id, owner)
    promotion = {"name": "عرض", "kind": "fixed", "value": 1.005, "priority": 1}
    await client.post(f"/api/stores/{store_id}/promotions", json=promotion, headers=owner)
    product = await world.product(store_id, price=33_333, stock=10)
    body = {**order_body(product.product.id, 3), "couponCode": "eid"}
    quote = (await client.post(f"/api/stores/{store_id}/quote", json=body)).json()["data"]
    placed = await client.post(f"/api/stores/{store_id}/orders", json=body)
    order = placed.json()["data"]
    assert placed.status_code == 201, placed.text
    # 99.999 - 1.005 = 98.994; a tenth of that is 9.899(4).
    assert (order["subtotal"], order["discount"]) == (99.999, 1.005 + 9.899)
    assert order["items"][0]["discount"] == order["discount"]
    for amount in ("subtotal", "discount", "shippingCost", "total"):
        assert quote[amount] == order[amount]
    assert order["couponCode"] == "EID"
    steps = await client.get(
        f"/api/orders/{order['id']}/trace", headers={"X-Order-Token": order["accessToken"]}
    )
    told = [(s["amount"], s["reason"], s["value"]) for s in steps.json()["data"]]
    assert ("discount", "coupon", 9.899) in told
    assert ("shippingCost", "store_rate", 10) in told
    assert await find_faults(world.db) == []


async def test_a_changed_promotion_is_noticed_by_orders_priced_from_memory(world: World) -> None:
    _, store_id, owner = await _store(world)
    client = world.client()
    product = await world.product(store_id, price=10_000)
    first = await client.post(f"/api/stores/{store_id}/orders", json=order_body(product.product.id))
    assert first.json()["data"]["discount"] == 0
    promotion = {"name": "عرض", "kind": "percent", "value": 50}
    await client.post(f"/api/stores/{store_id}/promotions", json=promotion, headers=owner)
    then = await client.post(f"/api/stores/{store_id}/orders", json=order_body(product.product.id))
    assert then.json()["data"]["discount"] == 5


async def test_categories_count_with_those_above_them(world: World) -> None:
    _, store_id, owner = await _store(world)
    client = world.client()

    async def shelf(name: str, parent: int | None) -> int:
        body = {"name": name, "parentId": parent} if parent else {"name": name}
        reply = await client.post(f"/api/stores/{store_id}/categories", json=body, headers=owner)
        made: int = reply.json()["data"]["id"]
        return made

    top = await shelf("ملابس", None)
    below = await shelf("قمصان", top)
    product = await world.product(store_id, price=10_000, categories=[below])
    other = await world.product(store_id, price=10_000)
    await _coupon(world, store_id, owner, scope={"kind": "categories", "ids": [top]})
    body = {**order_body(product.product.id), "couponCode": "EID"}
    taken = await client.post(f"/api/stores/{store_id}/orders", json=body)
    assert taken.json()["data"]["discount"] == 1
    refused = await client.post(
        f"/api/stores/{store_id}/orders",
        json={**order_body(other.product.id), "couponCode": "EID"},
    )
    assert refused.status_code == 409
    assert refused.json()["error"]["details"] == {"reason": "scope"}


async def test_a_hundred_uses_of_a_single_use_coupon_at_once_make_one_order(world: World) -> None:
    _, store_id, owner = await _store(world)
    await _coupon(world, store_id, owner, usageLimit=1)
    product = await world.product(store_id, stock=200)
    command = msgspec.structs.replace(world.command(product), coupon_code="EID")
    from eishro.flows.place_order import place_order
    from eishro.flows.shop import NotOnce

    outcomes = await asyncio.gather(
        *(place_order(world.shop, command, TESTER, NotOnce()) for _ in range(100)),
        return_exceptions=True,
    )
    placed = [one for one in outcomes if not isinstance(one, BaseException)]
    assert len(placed) == 1
    for one in outcomes:
        assert not isinstance(one, BaseException) or isinstance(one, CouponUnusable), one
    # Cancelled, it is free for one more, and for one only.
    await cancel_order(world.shop, placed[0].order.id, TESTER, only_pending=True)
    await place_order(world.shop, command, TESTER, NotOnce())
    with pytest.raises(CouponUnusable):
        await place_order(world.shop, command, TESTER, NotOnce())
    assert await find_faults(world.db) == []


async def test_one_customer_uses_a_coupon_as_often_as_it_says(world: World) -> None:
    _, store_id, owner = await _store(world)
    await _coupon(world, store_id, owner, perCustomerLimit=1)
    product = await world.product(store_id)
    client, path = world.client(), f"/api/stores/{store_id}/orders"
    body = {**order_body(product.product.id), "couponCode": "EID"}
    assert (await client.post(path, json=body)).status_code == 201
    again = await client.post(path, json=body)
    assert again.json()["error"]["details"] == {"reason": "customer_limit"}
    other = {**body, "customer": {**body["customer"], "phone": "0923456789"}}
    assert (await client.post(path, json=other)).status_code == 201


@pytest.mark.parametrize("code", [["EID"], 5, {}, "x" * 500])
async def test_a_coupon_that_is_no_text_is_a_fault(world: World, code: object) -> None:
    _, store_id, _ = await _store(world)
    product = await world.product(store_id)
    body = {**order_body(product.product.id), "couponCode": code}
    reply = await world.client().post(f"/api/stores/{store_id}/orders", json=body)
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["couponCode"])


async def test_an_order_that_does_not_cost_what_its_trace_says_is_found(world: World) -> None:
    _, store_id, _ = await _store(world)
    placed = await world.order(await world.product(store_id))
    order = placed.order
    wrong = msgspec.structs.replace(
        order, subtotal_dirhams=order.subtotal_dirhams + 1, total_dirhams=order.total_dirhams + 1
    )
    await world.db.commit(Batch(orders.save_order(wrong, seen=order)))
    assert any("trace" in finding for finding in await find_faults(world.db))
    assert issubclass(CouponUnusable, ShopError)

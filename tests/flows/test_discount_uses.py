"""Limits of coupons hold however many use them at once, and what is given back is exact."""

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.statements import Batch, Query, Statement
from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Applied, CouponUnusable, Rule, subjects_of
from eishro.errors import Conflict, Stale
from eishro.flows.edit_promotion import PromotionChange, update_promotion
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

PHONE = "+218912345678"


class Till:
    """A store with orders that wait to use a coupon."""

    def __init__(self, world: World, store_id: int, order_ids: list[str]) -> None:
        self.world = world
        self.store_id = store_id
        self.orders = order_ids

    async def use(self, rule: Rule, order: int, *subjects: str) -> None:
        """One batch that does nothing else."""
        applied = Applied(rule, 100, frees_shipping=False)
        await self.world.db.commit(Batch(*uses.use(applied, subjects, self.orders[order])))

    async def give_back(self, order: int) -> None:
        found = await uses.list_uses(self.world.db, self.store_id, self.orders[order])
        await self.world.db.commit(Batch(*uses.give_back(found)))

    async def used(self, rule: Rule, *subjects: str) -> tuple[int, int]:
        """Counted in all, and for these subjects."""
        found = await discounts.get_promotion(
            self.world.db, self.store_id, rule.id, is_coupon=rule.code is not None
        )
        (mine,) = await uses.with_customer(self.world.db, self.store_id, [found.rule()], subjects)
        return found.used, mine.used_by_customer


async def _till(world: World, orders: int) -> Till:
    merchant = await world.merchant()
    assert merchant.store is not None
    product = await world.product(merchant.store.id)
    placed = [await world.order(product, method="cod") for _ in range(orders)]
    return Till(world, merchant.store.id, [one.order.id for one in placed])


async def _race(till: Till, rule: Rule, *, one_customer: bool = False) -> list[BaseException]:
    """A hundred uses at once; those that were refused."""
    results = await asyncio.gather(
        *(
            till.use(rule, n, f"phone:{PHONE if one_customer else n}")
            for n in range(len(till.orders))
        ),
        return_exceptions=True,
    )
    for r in results:
        if isinstance(r, BaseException) and not isinstance(r, Conflict):
            raise r
    return [r for r in results if isinstance(r, BaseException)]


@pytest.mark.parametrize("limit", [1, 10])
async def test_a_hundred_at_once_use_a_coupon_exactly_as_often_as_allowed(
    world: World, limit: int
) -> None:
    till = await _till(world, 100)
    rule = await world.coupon(till.store_id, usage_limit=limit)
    refused = await _race(till, rule)
    assert len(refused) == 100 - limit
    assert {r.reason for r in refused if isinstance(r, CouponUnusable)} == {"exhausted"}
    assert all(isinstance(r, CouponUnusable) for r in refused)
    assert await till.used(rule) == (limit, 0)
    kept = [await uses.list_uses(world.db, till.store_id, one) for one in till.orders]
    assert sum(map(len, kept)) == limit, "a refused use leaves nothing behind"


async def test_one_customer_at_a_hundred_tills_uses_it_once(world: World) -> None:
    till = await _till(world, 100)
    rule = await world.coupon(till.store_id, per_customer_limit=1)
    refused = await _race(till, rule, one_customer=True)
    assert len(refused) == 99
    assert {getattr(r, "reason", None) for r in refused} == {"customer_limit"}
    assert await till.used(rule, f"phone:{PHONE}") == (0, 1)


async def test_both_limits_hold_together(world: World) -> None:
    till = await _till(world, 20)
    rule = await world.coupon(till.store_id, per_customer_limit=2, usage_limit=5)
    await asyncio.gather(
        *(till.use(rule, n, f"phone:{n % 4}") for n in range(20)), return_exceptions=True
    )
    total, _ = await till.used(rule)
    each = [(await till.used(rule, f"phone:{n}"))[1] for n in range(4)]
    assert total == sum(each) == 5
    assert max(each) <= 2


async def test_another_phone_does_not_help_who_is_signed_in(world: World) -> None:
    till = await _till(world, 3)
    rule = await world.coupon(till.store_id, per_customer_limit=1)
    await till.use(rule, 0, *subjects_of(PHONE, 7))
    for subjects in (
        subjects_of("+218913333333", 7),
        subjects_of(PHONE, 8),
        subjects_of(PHONE, None),
    ):
        with pytest.raises(CouponUnusable) as refused:
            await till.use(rule, 1, *subjects)
        assert refused.value.reason == "customer_limit"
    await till.use(rule, 2, *subjects_of("+218914444444", 9))


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"value": 5_000}, {"usage_limit": 7}], ids=lambda c: [*c][0]
)
async def test_a_rule_that_changed_since_it_was_read_is_read_again(
    world: World, change: dict[str, Any]
) -> None:
    till = await _till(world, 1)
    rule = await world.coupon(till.store_id)
    await update_promotion(
        world.shop, till.store_id, rule.id, PromotionChange(**change), TESTER, _any, is_coupon=True
    )
    with pytest.raises(Stale):
        await till.use(rule, 0)
    assert await uses.list_uses(world.db, till.store_id, till.orders[0]) == []


def _any(_: object) -> None:
    """Whatever it is."""


async def test_counting_does_not_change_the_rule(world: World) -> None:
    till = await _till(world, 2)
    rule = await world.coupon(till.store_id, usage_limit=2)
    for n in range(2):
        await till.use(rule, n)
    found = await discounts.find_coupon(world.db, till.store_id, "eid")
    assert found is not None
    assert (found.version, found.used) == (rule.version, 2)


async def test_what_has_no_limit_is_not_counted_in_its_row(world: World) -> None:
    till = await _till(world, 2)
    rule = await world.coupon(till.store_id)
    await till.use(rule, 0, *subjects_of(PHONE, None))
    assert len(uses.use(Applied(rule, 1, frees_shipping=False), ("phone:x",), "ord")) == 1
    row = await discounts.get_promotion(world.db, till.store_id, rule.id, is_coupon=True)
    assert row.used == 0
    assert await uses.count_used(world.db, [row]) == {rule.id: 1}


async def test_what_is_given_back_is_exact_and_once(world: World) -> None:
    till = await _till(world, 3)
    rule = await world.coupon(till.store_id, usage_limit=5, per_customer_limit=5)
    who = subjects_of(PHONE, 7)
    for n in range(3):
        await till.use(rule, n, *who)
    await till.give_back(0)
    assert await till.used(rule, *who) == (2, 2)
    await till.give_back(0)  # there is nothing more
    assert await till.used(rule, *who) == (2, 2)
    row = await discounts.get_promotion(world.db, till.store_id, rule.id, is_coupon=True)
    assert await uses.count_used(world.db, [row]) == {rule.id: 2}


async def test_a_use_is_given_back_once_though_many_do_it_at_the_same_time(world: World) -> None:
    till = await _till(world, 2)
    rule = await world.coupon(till.store_id, usage_limit=5, per_customer_limit=5)
    who = subjects_of(PHONE, None)
    for n in range(2):
        await till.use(rule, n, *who)
    found = await uses.list_uses(world.db, till.store_id, till.orders[0])
    statements: list[list[Statement]] = [uses.give_back(found) for _ in range(10)]
    results = await asyncio.gather(
        *(world.db.commit(Batch(*one)) for one in statements), return_exceptions=True
    )
    assert sum(r is None for r in results) == 1
    assert all(isinstance(r, Stale) for r in results if r is not None)
    assert await till.used(rule, *who) == (1, 1)


async def test_a_last_use_that_was_given_back_can_be_used_again(world: World) -> None:
    till = await _till(world, 2)
    rule = await world.coupon(till.store_id, usage_limit=1)
    await till.use(rule, 0)
    with pytest.raises(CouponUnusable):
        await till.use(rule, 1)
    await till.give_back(0)
    await till.use(rule, 1)
    assert await till.used(rule) == (1, 0)


async def test_only_what_was_counted_is_given_back(world: World) -> None:
    """A limit counts from when it is set."""
    till = await _till(world, 2)
    rule = await world.coupon(till.store_id)
    await till.use(rule, 0, *subjects_of(PHONE, None))
    change = PromotionChange(usage_limit=5, per_customer_limit=5)
    await update_promotion(world.shop, till.store_id, rule.id, change, TESTER, _any, is_coupon=True)
    limited = await discounts.get_coupon(world.db, till.store_id, "EID")
    await till.use(limited, 1, *subjects_of(PHONE, None))
    await till.give_back(0)
    assert await till.used(rule, f"phone:{PHONE}") == (1, 1)


async def test_an_exhausted_automatic_promotion_asks_for_a_new_price(world: World) -> None:
    till = await _till(world, 3)
    made = await world.promotion(till.store_id, usage_limit=1, per_customer_limit=1)
    await till.use(made.rule(), 0, "phone:a")
    with pytest.raises(Stale):
        await till.use(made.rule(), 1, "phone:b")
    other = await world.promotion(till.store_id, per_customer_limit=1)
    await till.use(other.rule(), 0, "phone:a")
    with pytest.raises(Stale):
        await till.use(other.rule(), 1, "phone:a")


async def test_an_order_of_another_store_cannot_use_it(world: World) -> None:
    till, neighbour = await _till(world, 1), await _till(world, 1)
    rule = await world.coupon(till.store_id, usage_limit=1, per_customer_limit=1)
    stolen = msgspec.structs.replace(rule, store_id=neighbour.store_id)
    for one in (rule, stolen):
        with pytest.raises(Stale):
            await neighbour.use(one, 0, "phone:a")
    assert await till.used(rule, "phone:a") == (0, 0)


async def test_a_forgotten_order_takes_its_use_along_and_leaves_the_others(world: World) -> None:
    till = await _till(world, 4)
    rule = await world.coupon(till.store_id, per_customer_limit=9)
    subjects = subjects_of(PHONE, None)
    for order in range(3):
        await till.use(rule, order, *subjects)
    await till.give_back(2)
    for order, left in ((0, 1), (2, 1), (0, 1), (1, 0)):
        found = await uses.list_uses(world.db, till.store_id, till.orders[order])
        await world.db.commit(Batch().add(*uses.forget_customers(found)))
        assert await till.used(rule, *subjects) == (0, left)
        (use,) = await uses.list_uses(world.db, till.store_id, till.orders[order])
        assert bytes(use.subjects) == b"[]"
    assert await world.db.all(_COUNTED) == []
    await till.use(rule, 3, *subjects)
    assert await till.used(rule, *subjects) == (0, 1)


_COUNTED = Query(sa.select(uses.promotion_uses.c.subject), str, across_stores=True)

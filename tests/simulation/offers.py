"""Coupons and promotions: merchants make, change and end them, buyers rush for what few can have."""

import asyncio
from datetime import timedelta

import msgspec
from msgspec import UNSET

from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts.model import Scope
from eishro.domain.discounts.promotion import Promotion
from eishro.errors import ShopError
from eishro.flows.edit_promotion import (
    PromotionChange,
    create_promotion,
    delete_promotion,
    update_promotion,
)
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from tests.shops import TESTER
from tests.simulation.choice import Nothing, at_once
from tests.simulation.universe import Universe

COUPONS, AUTOMATIC = 6, 3  # of a store at one time
CODES = 100  # so that a code comes back after its coupon was deleted
DEAD_CODES = 3  # that buyers still know


async def promote(universe: Universe) -> None:
    """The merchant makes a coupon or a promotion, changes one, or ends one."""
    rng, db = universe.rng, universe.shop.db
    store_id, is_coupon = rng.choice(universe.stores), rng.random() < 0.6
    found, _ = await discounts.list_promotions(
        db, store_id, is_coupon=is_coupon, limit=20, offset=0
    )
    roll, is_full = rng.random(), len(found) >= (COUPONS if is_coupon else AUTOMATIC)
    if found and (is_full or roll < 0.4):
        one = rng.choice(found)
        if is_full and roll < 0.6:
            await delete_promotion(universe.shop, store_id, one.id, TESTER, is_coupon=is_coupon)
        else:
            await _change(universe, one, is_coupon=is_coupon)
        return
    change = _some_promotion(universe, store_id)
    if is_coupon:
        code = f"ع{rng.randrange(CODES)}"
        living = [one.code for one in found if one.code is not None]
        dead = [one for one in universe.codes.get(store_id, []) if one not in living]
        universe.codes[store_id] = [*dead[-DEAD_CODES:], *living, code]
        change = msgspec.structs.replace(change, code=code)
    await create_promotion(universe.shop, store_id, change, TESTER, NotOnce(), is_coupon=is_coupon)


def _some_promotion(universe: Universe, store_id: int) -> PromotionChange:
    rng = universe.rng
    ways = [
        PromotionChange(kind="percent", value=rng.choice([5_000, 12_500, 50_000, 100_000])),
        PromotionChange(kind="fixed", value=rng.choice([1, 999, 10_000, 50_000])),
        PromotionChange(kind="free_shipping"),
        PromotionChange(kind="buy_x_get_y", buy_quantity=2, get_quantity=1),
    ]
    scope = Scope()
    if rng.random() < 0.3:
        some = rng.sample(universe.products[store_id], 4)
        scope = Scope("products", tuple(one.product.id for one in some))
    ends = [None, universe.clock.now() + timedelta(days=rng.randint(1, 5))]
    return msgspec.structs.replace(
        rng.choice(ways),
        name="عرض",
        scope=scope,
        ends_at=rng.choice(ends),
        minimum_dirhams=rng.choice([None, None, 10_000, 60_000]),
        usage_limit=rng.choice([1, 1, 3, 20, None]),
        per_customer_limit=rng.choice([None, None, 1, 2]),
        priority=rng.choice([0, 0, 1]),
        is_stackable=rng.random() < 0.7,
    )


async def _change(universe: Universe, one: Promotion, *, is_coupon: bool) -> None:
    """Maybe two people at once, each with another wish."""
    rng = universe.rng
    wishes = [
        PromotionChange(is_active=not one.is_active),
        PromotionChange(usage_limit=rng.choice([1, 5, 50, None])),
        PromotionChange(per_customer_limit=rng.choice([1, 3, None])),
        PromotionChange(minimum_dirhams=rng.choice([None, 5_000])),
    ]
    chosen = rng.sample(wishes, rng.choice([1, 1, 2]))
    if any(wish.usage_limit is not UNSET for wish in chosen):
        universe.relimited.add(one.id)
    await at_once(
        *(
            update_promotion(
                universe.shop,
                one.store_id,
                one.id,
                wish,
                TESTER,
                lambda _: None,
                is_coupon=is_coupon,
            )
            for wish in chosen
        )
    )


async def rush(universe: Universe) -> None:
    """Several buyers, or one with several telephones in hand, want the same coupon at one moment."""
    rng = universe.rng
    store_id = rng.choice(universe.stores)
    found, _ = await discounts.list_promotions(
        universe.shop.db, store_id, is_coupon=True, limit=20, offset=0
    )
    left = [one for one in found if one.usage_limit is None or one.used < one.usage_limit]
    usable = [one.code for one in left if one.is_active]
    if not usable:
        raise Nothing
    command = msgspec.structs.replace(universe.command(store_id), coupon_code=rng.choice(usable))
    commands = [command] * 3
    if rng.random() < 0.6:
        phones = [f"+21892{rng.randint(1_000_000, 9_999_999)}" for _ in range(5)]
        commands = [msgspec.structs.replace(command, customer_phone=phone) for phone in phones]
    outcomes = await asyncio.gather(
        *(place_order(universe.shop, one, TESTER, NotOnce()) for one in commands),
        return_exceptions=True,
    )
    made = [one.order.id for one in outcomes if not isinstance(one, BaseException)]
    universe.live += made
    for one in outcomes:
        if isinstance(one, BaseException) and (not made or not isinstance(one, ShopError)):
            raise one

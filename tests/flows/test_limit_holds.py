"""One buyer cannot hold back everything: limits of open orders and pieces, exact under a race."""

import asyncio

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.orders.holding import TooManyOpenOrders, buyer_guards, guard_of
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.draft_orders import place_draft
from eishro.flows.place_order import Placed, place_order, place_orders
from eishro.flows.product_card import ProductState
from eishro.flows.shop import HoldLimits, NotOnce, Shop
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

_GUARDS = Query(sa.select(sa.func.count()).select_from(buyer_guards), int)


def _limited(world: World, *limits: int | None) -> Shop:
    rules = msgspec.structs.replace(world.shop.rules, holds=HoldLimits(*limits))
    return changed(world.shop, rules=rules)


async def _product(world: World) -> ProductState:
    merchant = await world.merchant()
    assert merchant.store is not None
    return await world.product(merchant.store.id, stock=1_000)


async def _order(world: World, shop: Shop, state: ProductState, **members: object) -> Placed:
    command = msgspec.structs.replace(world.command(state, method="cod"), **members)
    return await place_order(shop, command, TESTER, NotOnce())


async def test_forty_orders_of_one_phone_at_once_make_as_many_as_are_allowed(
    world: World,
) -> None:
    shop, state = _limited(world, 5), await _product(world)
    outcomes = await asyncio.gather(
        *(_order(world, shop, state) for _ in range(40)), return_exceptions=True
    )
    placed = [one for one in outcomes if isinstance(one, Placed)]
    refused = [one for one in outcomes if not isinstance(one, Placed)]
    assert len(placed) == 5
    assert {type(one) for one in refused} == {TooManyOpenOrders}, refused
    # Others are not in the way of anybody else, and what is cancelled or confirmed counts no more.
    await _order(world, shop, state, customer_phone="+218923456789")
    for one in placed[:2]:
        await cancel_order(shop, one.order.id, TESTER, only_pending=True)
    await change_status(shop, placed[2].order.id, "confirmed", TESTER)
    again = await asyncio.gather(
        *(_order(world, shop, state) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, Placed) for one in again) == 3
    assert await find_faults(world.db) == []


async def test_orders_count_over_all_stores_and_pieces_too(world: World) -> None:
    shop = _limited(world, 2, 10)
    states = [await _product(world) for _ in range(3)]
    await _order(world, shop, states[0])
    commands = [world.command(state, method="cod") for state in states[1:]]
    with pytest.raises(TooManyOpenOrders) as seen:
        await place_orders(shop, commands, TESTER, NotOnce())
    assert seen.value.details == {"of": "phone", "what": "orders", "limit": 2}
    many = world.command(states[1], 10, "cod")
    with pytest.raises(TooManyOpenOrders) as seen:
        await place_order(shop, many, TESTER, NotOnce())
    assert seen.value.details == {"of": "phone", "what": "pieces", "limit": 10}
    await place_order(shop, world.command(states[1], 9, "cod"), TESTER, NotOnce())


async def test_an_account_is_limited_whatever_phone_it_names(world: World) -> None:
    shop, state = _limited(world, None, None, 1), await _product(world)
    customer = (await world.customer()).user.id
    phones = [f"+21891234567{n}" for n in range(8)]
    outcomes = await asyncio.gather(
        *(
            _order(world, shop, state, customer_user_id=customer, customer_phone=phone)
            for phone in phones
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Placed) for one in outcomes) == 1
    await _order(world, shop, state)  # a guest is nobody's account


async def test_without_limits_nothing_is_guarded_and_the_store_s_own_orders_are_not_refused(
    world: World,
) -> None:
    state = await _product(world)
    for _ in range(3):
        await _order(world, world.shop, state)
    assert await world.db.one(_GUARDS) == 0
    draft = await world.draft(state)
    placed = await place_draft(_limited(world, 1), draft.store_id, draft.id, TESTER, NotOnce())
    assert placed.placed.order.status == "pending"


def test_a_guard_stands_for_many_buyers_and_names_none() -> None:
    phones = [f"phone:+2189{n:08}" for n in range(10_000_000, 10_200_000)]
    guards = {guard_of(phone) for phone in phones}
    # A fifth of a million numbers: the fifty millions there are share each among fifty.
    assert len(guards) <= 1_048_576
    assert len(guards) > 150_000  # and strangers seldom wait for each other


async def test_buyers_who_share_a_guard_do_not_share_a_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eishro.domain.orders.holding.guard_of", lambda subject: "guard:0000")
    shop, state = _limited(world, 1), await _product(world)
    phones = [f"+21891234567{n}" for n in range(8)]
    outcomes = await asyncio.gather(
        *(_order(world, shop, state, customer_phone=phone) for phone in phones for _ in range(2)),
        return_exceptions=True,
    )
    placed = [one.order.customer_phone for one in outcomes if isinstance(one, Placed)]
    assert sorted(placed) == phones

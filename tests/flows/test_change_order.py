"""Statuses and stock: what is cancelled comes back, what is shipped is gone."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.catalog import sql as catalog
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import MOVES, InvalidTransition, OutOfStock, Status
from eishro.domain.stock import sql as stock
from eishro.errors import Invalid, ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.edit_product import ProductDraft, update_product
from eishro.flows.edit_store import StoreChange, update_store
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

_DRAWN = ("pending", "confirmed", "processing", "shipped", "delivered", "returned", "cancelled")
_WAY: tuple[Status, ...] = ("confirmed", "processing", "shipped", "delivered", "returned")


async def _stock(world: World, product_id: int) -> tuple[int | None, int, int]:
    (row,) = await stock.list_stock(world.db, [product_id])
    return row.available, row.held, row.sold


async def test_stock_follows_an_order_through_its_life(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5)
    placed = await world.order(state, quantity=2, method="cod")
    seen = [await _stock(world, state.product.id)]
    for to in _WAY:
        await change_status(world.shop, placed.order.id, to, TESTER)
        seen.append(await _stock(world, state.product.id))
    assert seen == [(3, 2, 0), (3, 2, 0), (3, 2, 0), (3, 0, 2), (3, 0, 2), (5, 0, 0)]
    assert await find_faults(world.db) == []


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_cancelled_order_gives_its_pieces_back_once(world: World, steps: int) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5)
    placed = await world.order(state, quantity=5, method="cod")
    for to in _WAY[:steps]:
        await change_status(world.shop, placed.order.id, to, TESTER)
    await asyncio.gather(
        *(cancel_order(world.shop, placed.order.id, TESTER, only_pending=False) for _ in range(5))
    )
    assert await _stock(world, state.product.id) == (5, 0, 0)
    assert await find_faults(world.db) == []


async def test_only_the_drawn_moves_are_possible(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    placed = await world.order(state, method="cod")
    order = placed.order
    for to in MOVES:
        if to not in MOVES[order.status]:
            with pytest.raises(InvalidTransition):
                await change_status(world.shop, order.id, to, TESTER)
    assert (await orders.get_order(world.db, order.id)).status == "pending"


async def test_two_merchants_changing_one_status_move_it_once(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    placed = await world.order(await world.product(merchant.store.id, stock=9), method="cod")
    world.clock.turn(timedelta(seconds=1))
    outcomes = await asyncio.gather(
        *(change_status(world.shop, placed.order.id, "confirmed", TESTER) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(not isinstance(o, BaseException) for o in outcomes) == 1
    assert all(isinstance(o, InvalidTransition) for o in outcomes if isinstance(o, BaseException))
    history = await orders.list_history(world.db, [placed.order.id])
    assert [h.event for h in history] == ["order.placed", "order.confirmed"]


async def test_two_merchants_who_want_different_things_take_legal_steps(world: World) -> None:
    """One moves it on, the other cancels it: each step follows the one before it, as drawn."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=9)
    for _ in range(5):
        placed = await world.order(state, method="cod")
        wishes: list[Status] = ["confirmed", "processing", "cancelled", "shipped"]
        outcomes = await asyncio.gather(
            *(change_status(world.shop, placed.order.id, to, TESTER) for to in wishes * 3),
            return_exceptions=True,
        )
        refused = [one for one in outcomes if isinstance(one, BaseException)]
        assert all(isinstance(one, InvalidTransition) for one in refused), refused
        order = await orders.get_order(world.db, placed.order.id)
        entries = await orders.list_history(world.db, [order.id])
        # All of it happened in one moment, so the drawing says in which order.
        path = sorted((one.status for one in entries), key=_DRAWN.index)
        assert path[0] == "pending" and path[-1] == order.status
        assert len(outcomes) - len(refused) == len(path) - 1, "each success is one step"
        for before, after in pairwise(path):
            assert after in MOVES[before]  # type: ignore[index]
    assert await find_faults(world.db) == []


async def test_an_order_pays_the_price_it_was_sold_at(world: World) -> None:
    """Prices change while fifty buyers order: every order's lines fit one price that held."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, price=10_000, stock=100)
    prices = [20_000, 30_000, 40_000]

    async def reprice() -> None:
        for price in prices:
            draft = ProductDraft(price_dirhams=price)
            await update_product(world.shop, state.product.id, draft, TESTER, lambda _: None)

    outcomes = await asyncio.gather(
        reprice(), *(world.order(state) for _ in range(30)), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    assert (await catalog.get_product(world.db, state.product.id)).price_dirhams == 40_000
    assert await find_faults(world.db) == []


async def test_a_closed_store_sells_nothing_from_the_moment_it_is_closed(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    close = StoreChange(is_active=False)
    await update_store(world.shop, merchant.store.id, close, TESTER, lambda _: None)
    with pytest.raises(ShopError):
        await world.order(state)


async def test_orders_of_the_same_goods_in_opposite_order_all_succeed(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    first = await world.product(merchant.store.id, stock=100)
    second = await world.product(merchant.store.id, stock=100)
    one = world.command(first)
    other = world.command(second)
    there = msgspec.structs.replace(one, items=(*one.items, *other.items))
    back = msgspec.structs.replace(one, items=(*other.items, *one.items))
    await asyncio.gather(
        *(place_order(world.shop, command, TESTER, NotOnce()) for command in [there, back] * 15)
    )
    assert await _stock(world, first.product.id) == (70, 30, 0)
    assert await find_faults(world.db) == []


async def test_what_cannot_be_bought_is_refused_and_holds_nothing(world: World) -> None:
    merchant, other = await world.merchant(), await world.merchant()
    assert merchant.store is not None and other.store is not None
    good = await world.product(merchant.store.id, stock=5)
    foreign = await world.product(other.store.id)
    sold_out = await world.product(merchant.store.id, stock=0)
    draft = await world.product(merchant.store.id, status="draft")
    off = await world.product(merchant.store.id, sells=False)
    base = world.command(good)
    for bad, error in (
        (foreign, Invalid),
        (draft, Invalid),
        (off, Invalid),
        (sold_out, OutOfStock),
    ):
        command = msgspec.structs.replace(base, items=(*base.items, *world.command(bad).items))
        with pytest.raises(error):
            await place_order(world.shop, command, TESTER, NotOnce())
    twice = msgspec.structs.replace(base, items=(*base.items, *base.items))
    with pytest.raises(Invalid):
        await place_order(world.shop, twice, TESTER, NotOnce())
    assert await _stock(world, good.product.id) == (5, 0, 0)

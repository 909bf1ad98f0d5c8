"""Returns: never more than was bought, stock and worth to the piece, exchanges in one batch."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import InvalidTransition, OutOfStock, Status, Wanted
from eishro.domain.returns import sql as returns
from eishro.domain.returns.model import (
    Asked,
    InvalidMove,
    NoExchange,
    NotReturnable,
    Outcome,
    ReturnNotFound,
    TooLate,
    TooManyReturns,
    Wish,
)
from eishro.domain.stock import sql as stock
from eishro.errors import Invalid, ShopError
from eishro.flows import return_goods
from eishro.flows.change_order import change_status
from eishro.flows.place_order import place_order
from eishro.flows.product_card import ProductState
from eishro.flows.return_goods import (
    AskReturn,
    WholeReturn,
    approve_return,
    close_return,
    receive_return,
    reject_return,
    request_return,
)
from eishro.flows.shop import NotOnce
from eishro.jobs.work_off_events import handle_events
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio
_WAY: tuple[Status, ...] = ("confirmed", "processing", "shipped", "delivered")


class _Sold(msgspec.Struct):
    """A delivered order and its products."""

    order_id: str
    states: list[ProductState]

    @property
    def variants(self) -> list[int]:
        return [state.variants[0].id for state in self.states]


async def _sold(world: World, *quantities: int, to: Status = "delivered", stock: int = 9) -> _Sold:
    merchant = await world.merchant()
    assert merchant.store is not None
    states = [await world.product(merchant.store.id, stock=stock, price=10_001) for _ in quantities]
    items = tuple(
        Wanted(s.product.id, q, s.variants[0].id) for s, q in zip(states, quantities, strict=True)
    )
    command = msgspec.structs.replace(world.command(states[0], method="cod"), items=items)
    placed = await place_order(world.shop, command, TESTER, NotOnce())
    for status in _WAY[: _WAY.index(to) + 1] if to in _WAY else ():
        await change_status(world.shop, placed.order.id, status, TESTER)
    return _Sold(placed.order.id, states)


async def _ask(
    world: World,
    sold: _Sold,
    *asked: tuple[int, int],
    is_buyer: bool = True,
    replacement: tuple[Wish, ...] = (),
) -> WholeReturn:
    command = AskReturn(
        order_id=sold.order_id,
        lines=tuple(Asked(variant, quantity) for variant, quantity in asked),
        reason="مقاس",
        replacement=replacement,
        is_buyer=is_buyer,
    )
    return await request_return(world.shop, command, TESTER, NotOnce())


async def _back(
    world: World, whole: WholeReturn, outcomes: dict[int, Outcome] | None = None
) -> WholeReturn:
    await approve_return(world.shop, whole.made.id, TESTER, None)
    return await receive_return(world.shop, whole.made.id, outcomes or {}, TESTER)


async def _stock(world: World, state: ProductState) -> tuple[int | None, int, int]:
    (row,) = await stock.list_stock(world.db, [state.product.id])
    return row.available, row.held, row.sold


async def _race(*work: Awaitable[object]) -> list[object]:
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    return list(outcomes)


async def test_a_part_comes_back_and_is_worth_its_share(world: World) -> None:
    sold = await _sold(world, 3, 1)
    variant = sold.variants[0]
    whole = await _ask(world, sold, (variant, 2))
    assert (whole.made.status, whole.made.refund_dirhams) == ("requested", 0)
    done = await _back(world, whole)
    assert (done.made.status, done.made.refund_dirhams) == ("received", 20_002)
    assert [(line.outcome, line.amount_dirhams) for line in done.lines] == [("restocked", 20_002)]
    assert await _stock(world, sold.states[0]) == (8, 0, 1)
    order = await orders.get_order(world.db, sold.order_id)
    assert (order.status, order.fulfilment_status) == ("delivered", "fulfilled")
    history = {e.event for e in await orders.list_history(world.db, [sold.order_id])}
    assert history >= {"return.requested", "return.approved", "return.received"}
    assert await find_faults(world.db) == []
    await handle_events(world.shop)


async def test_what_is_written_off_stays_sold(world: World) -> None:
    sold = await _sold(world, 2, 2)
    broken, whole_one = sold.variants
    asked = await _ask(world, sold, (broken, 2), (whole_one, 1))
    done = await _back(world, asked, {broken: "written_off"})
    assert {line.variant_id: line.outcome for line in done.lines} == {
        broken: "written_off", whole_one: "restocked",
    }  # fmt: skip
    assert done.made.refund_dirhams == 30_003
    assert [await _stock(world, state) for state in sold.states] == [(7, 0, 2), (8, 0, 1)]
    assert await find_faults(world.db) == []


async def test_when_everything_is_back_the_order_is_returned(world: World) -> None:
    sold = await _sold(world, 2, 1, to="shipped")
    first, second = sold.variants
    await _back(world, await _ask(world, sold, (first, 1)))
    last = await _back(world, await _ask(world, sold, (first, 1), (second, 1)))
    order = await orders.get_order(world.db, sold.order_id)
    assert (order.status, order.fulfilment_status) == ("returned", "returned")
    assert [await _stock(world, state) for state in sold.states] == [(9, 0, 0)] * 2
    closed = await close_return(world.shop, last.made.id, TESTER)
    assert closed.status == "closed"
    assert await find_faults(world.db) == []


async def test_returning_the_whole_order_restocks_only_what_is_still_out(world: World) -> None:
    sold = await _sold(world, 3)
    await _back(world, await _ask(world, sold, (sold.variants[0], 1)))
    waiting = await _ask(world, sold, (sold.variants[0], 1))
    await change_status(world.shop, sold.order_id, "returned", TESTER)
    assert await _stock(world, sold.states[0]) == (9, 0, 0)
    with pytest.raises(NotReturnable):
        await approve_return(world.shop, waiting.made.id, TESTER, None)
    await reject_return(world.shop, waiting.made.id, TESTER, None)
    assert await find_faults(world.db) == []


async def test_twenty_at_once_never_return_more_than_was_bought(world: World) -> None:
    sold = await _sold(world, 5)
    made = await _race(*(_ask(world, sold, (sold.variants[0], 1)) for _ in range(20)))
    assert sum(isinstance(one, WholeReturn) for one in made) == 5
    taken, arrived = await returns.count_pieces(
        world.db, sold.states[0].product.store_id, sold.order_id
    )
    assert (taken, arrived) == ({sold.variants[0]: 5}, {})


async def test_received_by_many_at_once_is_received_once(world: World) -> None:
    sold = await _sold(world, 4)
    whole = await _ask(world, sold, (sold.variants[0], 2))
    await approve_return(world.shop, whole.made.id, TESTER, None)
    done = await _race(*(receive_return(world.shop, whole.made.id, {}, TESTER) for _ in range(10)))
    assert sum(isinstance(one, WholeReturn) for one in done) == 1
    assert await _stock(world, sold.states[0]) == (7, 0, 2)
    assert await find_faults(world.db) == []


async def test_two_returns_received_at_once_are_worth_the_whole(world: World) -> None:
    sold = await _sold(world, 3)
    asked = [await _ask(world, sold, (sold.variants[0], count)) for count in (1, 2)]
    for one in asked:
        await approve_return(world.shop, one.made.id, TESTER, None)
    done = await asyncio.gather(
        *(receive_return(world.shop, one.made.id, {}, TESTER) for one in asked)
    )
    assert sum(one.made.refund_dirhams for one in done) == 30_003
    order = await orders.get_order(world.db, sold.order_id)
    assert order.status == "returned"
    assert await find_faults(world.db) == []


async def test_a_rejected_return_leaves_its_pieces_to_be_asked_for_again(world: World) -> None:
    sold = await _sold(world, 1)
    whole = await _ask(world, sold, (sold.variants[0], 1))
    with pytest.raises(Invalid):
        await _ask(world, sold, (sold.variants[0], 1))
    rejected = await reject_return(world.shop, whole.made.id, TESTER, "مستعمل")
    assert (rejected.made.status, rejected.made.decision) == ("rejected", "مستعمل")
    assert (await _ask(world, sold, (sold.variants[0], 1))).made.status == "requested"


@pytest.mark.parametrize("status", ["pending", "confirmed", "processing"])
async def test_what_was_not_shipped_is_not_returned(world: World, status: Status) -> None:
    sold = await _sold(world, 1, to=status)
    with pytest.raises(NotReturnable):
        await _ask(world, sold, (sold.variants[0], 1))


async def test_a_buyer_has_fourteen_days_and_the_merchant_all_the_time(world: World) -> None:
    sold = await _sold(world, 3)
    world.clock.turn(timedelta(days=14))
    await _ask(world, sold, (sold.variants[0], 1))
    world.clock.turn(timedelta(seconds=1))
    with pytest.raises(TooLate):
        await _ask(world, sold, (sold.variants[0], 1))
    await _ask(world, sold, (sold.variants[0], 1), is_buyer=False)


async def test_only_the_drawn_moves_are_possible(world: World) -> None:
    sold = await _sold(world, 1)
    return_id = (await _ask(world, sold, (sold.variants[0], 1))).made.id
    for refused in (
        receive_return(world.shop, return_id, {}, TESTER),
        close_return(world.shop, return_id, TESTER),
    ):
        with pytest.raises(InvalidMove):
            await refused
    await approve_return(world.shop, return_id, TESTER, None)
    for again in (approve_return, reject_return):
        with pytest.raises(InvalidMove):
            await again(world.shop, return_id, TESTER, None)
    with pytest.raises(Invalid):
        await receive_return(world.shop, return_id, {999: "restocked"}, TESTER)
    with pytest.raises(ReturnNotFound):
        await approve_return(world.shop, "ret_0", TESTER, None)


async def test_an_order_has_a_limit_of_returns(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_goods, "RETURNS_MAX", 2)
    sold = await _sold(world, 3)
    for _ in range(2):
        await _ask(world, sold, (sold.variants[0], 1))
    with pytest.raises(TooManyReturns):
        await _ask(world, sold, (sold.variants[0], 1))


async def test_an_exchange_places_the_other_order_with_the_approval(world: World) -> None:
    sold = await _sold(world, 1)
    other = await world.product(sold.states[0].product.store_id, stock=5, price=12_000)
    wish = Wish(other.product.id, other.variants[0].id, 2)
    whole = await _ask(world, sold, (sold.variants[0], 1), replacement=(wish,))
    approved = await approve_return(world.shop, whole.made.id, TESTER, "نعم")
    assert approved.made.replacement_order_id is not None
    placed = await orders.get_order(world.db, approved.made.replacement_order_id)
    before = await orders.get_order(world.db, sold.order_id)
    assert (placed.customer_phone, placed.address) == (before.customer_phone, before.address)
    assert placed.payment_method == "cod"
    assert before.number in (placed.notes or "")
    assert approved.made.replacement_dirhams == placed.total_dirhams == 34_000
    notes = [e.note for e in await orders.list_history(world.db, [sold.order_id])]
    assert f"exchange: order {placed.number}" in notes
    assert await _stock(world, other) == (3, 2, 0)
    assert await find_faults(world.db) == []


async def test_an_exchange_approved_by_many_at_once_places_one_order(world: World) -> None:
    sold = await _sold(world, 1)
    other = await world.product(sold.states[0].product.store_id, stock=5)
    wish = Wish(other.product.id, None, 1)
    whole = await _ask(world, sold, (sold.variants[0], 1), replacement=(wish,))
    made = await _race(*(approve_return(world.shop, whole.made.id, TESTER, None) for _ in range(6)))
    assert sum(isinstance(one, WholeReturn) for one in made) == 1
    assert await _stock(world, other) == (4, 1, 0)


async def test_an_exchange_for_what_is_sold_out_approves_nothing(world: World) -> None:
    sold = await _sold(world, 1)
    other = await world.product(sold.states[0].product.store_id, stock=0)
    wish = Wish(other.product.id, None, 1)
    whole = await _ask(world, sold, (sold.variants[0], 1), replacement=(wish,))
    with pytest.raises(OutOfStock):
        await approve_return(world.shop, whole.made.id, TESTER, None)
    assert (await returns.get_return(world.db, whole.made.id)).status == "requested"


async def test_an_order_paid_online_is_returned_but_not_exchanged(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=5)
    placed = await world.order(state)
    for status in _WAY:
        await change_status(world.shop, placed.order.id, status, TESTER)
    sold = _Sold(placed.order.id, [state])
    with pytest.raises(NoExchange):
        wish = Wish(state.product.id, None, 1)
        await _ask(world, sold, (sold.variants[0], 1), replacement=(wish,))
    assert (await _ask(world, sold, (sold.variants[0], 1))).made.status == "requested"


async def test_a_returned_order_moves_no_further(world: World) -> None:
    sold = await _sold(world, 1)
    await _back(world, await _ask(world, sold, (sold.variants[0], 1)))
    with pytest.raises(InvalidTransition):
        await change_status(world.shop, sold.order_id, "returned", TESTER)

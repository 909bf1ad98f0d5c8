"""Take goods back: ask, decide, receive; an approved exchange places another order.

Every step saves the order's row too, so its version guards what several returns of one order
decide about each other: never more comes back than was bought. Pieces that are restocked carry the
return as their subject; written-off pieces stay sold. No money moves here: `return.received`
says what is owed for the goods.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import OFFLINE_METHODS, Line, Order, Wanted
from eishro.domain.returns import sql as returns
from eishro.domain.returns.model import (
    RETURNABLE,
    RETURNS_MAX,
    Asked,
    Bought,
    NoExchange,
    NotReturnable,
    Outcome,
    Return,
    ReturnLine,
    TooLate,
    TooManyReturns,
    Wish,
    check_asked,
    is_late,
    worth,
)
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.errors import Invalid, Words
from eishro.flows import parcels
from eishro.flows.place_order import Placed, place_order
from eishro.flows.price_order import PlaceOrder
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id


class WholeReturn(msgspec.Struct, frozen=True):
    """A return with its lines."""

    made: Return
    lines: tuple[ReturnLine, ...]


class AskReturn(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request. `is_buyer`: the time for returns counts."""

    order_id: str
    lines: tuple[Asked, ...]
    reason: str | None
    replacement: tuple[Wish, ...]
    is_buyer: bool


@again_if_stale
async def request_return(shop: Shop, command: AskReturn, actor: Actor, once: Once) -> WholeReturn:
    """Ask to give goods back, or to exchange them.

    Raises:
        OrderNotFound, NotReturnable, TooLate, TooManyReturns, NoExchange, Invalid,
        idempotency.AlreadyClaimed.
    """
    order = await orders.get_order(shop.db, command.order_id)
    _check_order(order)
    at = shop.clock.now()
    if command.is_buyer and is_late(await _delivered_at(shop, order), at, shop.rules.return_window):
        raise TooLate()
    if command.replacement and not _can_exchange(order):
        raise NoExchange()
    if await returns.count_of_order(shop.db, order.store_id, order.id) >= RETURNS_MAX:
        raise TooManyReturns()
    bought = await _bought(shop, order)
    load = await parcels.read_load(shop, order)
    taken, _ = await returns.count_pieces(shop.db, order.store_id, order.id)
    taken = _together(taken, parcels.refused_pieces(load))
    check_asked(command.lines, bought, taken)
    whole = _made(command, order, bought, taken, at)
    await shop.db.commit(
        Batch(
            *once.claim(whole),
            *returns.insert_return(whole.made, whole.lines),
            *_noted(order, order, whole.made, actor, at, command.reason),
        )
    )
    return whole


@again_if_stale
async def approve_return(shop: Shop, return_id: str, actor: Actor, note: str | None) -> WholeReturn:
    """Agree to take the goods back; for an exchange the other order is placed with it.

    Raises:
        ReturnNotFound, InvalidMove, NotReturnable; for an exchange what `place_order` raises.
    """
    seen = await returns.get_return(shop.db, return_id)
    order = await orders.get_order(shop.db, seen.order_id)
    at = shop.clock.now()
    after = msgspec.structs.replace(seen.move("approved", at), decision=note)
    _check_order(order)
    approval = _Approval(seen, after, order, actor, at)
    if not seen.wishes():
        await shop.db.commit(Batch(*approval.statements(None)))
        return await _whole(shop, return_id)
    await place_order(shop, _replacing(order, seen.wishes()), actor, approval)
    return await _whole(shop, return_id)


@again_if_stale
async def reject_return(shop: Shop, return_id: str, actor: Actor, note: str | None) -> WholeReturn:
    """Refuse to take the goods back; their pieces may be asked for again.

    Raises:
        ReturnNotFound, InvalidMove.
    """
    seen = await returns.get_return(shop.db, return_id)
    order = await orders.get_order(shop.db, seen.order_id)
    at = shop.clock.now()
    after = msgspec.structs.replace(seen.move("rejected", at), decision=note)
    await shop.db.commit(
        Batch(
            returns.save_return(after, seen),
            *_noted(order, order, after, actor, at, note),
        )
    )
    return await _whole(shop, return_id)


@again_if_stale
async def receive_return(
    shop: Shop,
    return_id: str,
    outcomes: Mapping[int, Outcome],
    actor: Actor,
    note: str | None = None,
) -> WholeReturn:
    """The goods are here: each line is restocked or written off, and what is owed for it is fixed.

    Args:
        outcomes: by variant; a line that is not named is restocked.

    Raises:
        ReturnNotFound, InvalidMove, NotReturnable, Invalid (a variant that is not in the return).
    """
    seen = await returns.get_return(shop.db, return_id)
    order = await orders.get_order(shop.db, seen.order_id)
    at = shop.clock.now()
    moved = seen.move("received", at)
    _check_order(order)
    lines = (await returns.list_lines(shop.db, seen.store_id, [seen.id]))[seen.id]
    if unknown := sorted(set(outcomes) - {line.variant_id for line in lines}):
        text = ", ".join(map(str, unknown))
        raise Invalid({"lines": Words(f"Not in this return: {text}.", f"ليس من الإرجاع: {text}.")})
    bought = await _bought(shop, order)
    load = await parcels.read_load(shop, order)
    _, arrived = await returns.count_pieces(shop.db, order.store_id, order.id)
    arrived = _together(arrived, parcels.refused_pieces(load))
    decided = _decided(lines, outcomes, bought, arrived)
    owed = sum(amount for _, _, amount in decided)
    after = msgspec.structs.replace(moved, refund_dirhams=owed, decision=note or seen.decision)
    here = _added(arrived, lines)
    is_whole = all(here.get(one.variant_id, 0) == one.quantity for one in bought.values())
    order_after = order.move("returned", at).owe_no_more() if is_whole else order
    await shop.db.commit(
        Batch(
            *_restocking(decided, at),
            returns.decide_lines(decided),
            returns.save_return(after, seen),
            *_noted(order, order_after, after, actor, at, note),
            *(parcels.taken_back(load, at) if is_whole else ()),
        )
    )
    return await _whole(shop, return_id)


@again_if_stale
async def close_return(shop: Shop, return_id: str, actor: Actor) -> Return:
    """What is owed for the goods was settled.

    Raises:
        ReturnNotFound, InvalidMove.
    """
    seen = await returns.get_return(shop.db, return_id)
    at = shop.clock.now()
    after = seen.move("closed", at)
    await shop.db.commit(
        Batch(
            returns.save_return(after, seen),
            audit.record(actor, "return.closed", seen.id, at, store_id=seen.store_id),
        )
    )
    return after


class _Approval:
    """The approval as a part of the batch that places the other order, whose `Once` it is."""

    def __init__(
        self, seen: Return, after: Return, order: Order, actor: Actor, at: datetime
    ) -> None:
        self._seen = seen
        self._after = after
        self._order = order
        self._actor = actor
        self._at = at

    def claim(self, result: object) -> tuple[Statement, ...]:
        """Statements for the front of the batch."""
        return self.statements(result if isinstance(result, Placed) else None)

    def statements(self, placed: Placed | None) -> tuple[Statement, ...]:
        """The approval, with the other order if there is one."""
        after, note = self._after, self._after.decision
        if placed is not None:
            other = placed.order
            note = f"exchange: order {other.number}"
            after = msgspec.structs.replace(
                after,
                replacement_order_id=other.id,
                replacement_dirhams=other.total_dirhams,
            )
        order, actor = self._order, self._actor
        return (
            returns.save_return(after, self._seen),
            *_noted(order, order, after, actor, self._at, note),
        )


def _check_order(order: Order) -> None:
    if order.status not in RETURNABLE:
        raise NotReturnable()


def _can_exchange(order: Order) -> bool:
    """The other order is paid by what comes back, so that has to be paid; or it is paid at the
    door.
    """
    return order.is_captured or order.payment_method in OFFLINE_METHODS


async def _delivered_at(shop: Shop, order: Order) -> datetime | None:
    history = await orders.list_history(shop.db, [order.id])
    return max((entry.at for entry in history if entry.event == "order.delivered"), default=None)


async def _bought(shop: Shop, order: Order) -> dict[int, Bought]:
    return {
        line.variant_id: Bought(line.variant_id, _name(line), line.quantity, _net(line))
        for line in await orders.list_lines(shop.db, [order.id])
    }


def _name(line: Line) -> str:
    options = msgspec.json.decode(line.options, type=dict[str, str])
    return " · ".join((line.name, *options.values()))


def _net(line: Line) -> int:
    return line.total_dirhams - line.discount_dirhams


def _made(
    command: AskReturn,
    order: Order,
    bought: Mapping[int, Bought],
    taken: Mapping[int, int],
    at: datetime,
) -> WholeReturn:
    made = Return(
        id=text_id("ret", at),
        store_id=order.store_id,
        order_id=order.id,
        status="requested",
        reason=command.reason,
        decision=None,
        replacement=msgspec.Raw(msgspec.json.encode(command.replacement)),
        replacement_order_id=None,
        replacement_dirhams=None,
        refund_dirhams=0,
        created_at=at,
        updated_at=at,
        version=1,
    )
    lines = [
        ReturnLine(
            return_id=made.id,
            variant_id=line.variant_id,
            store_id=order.store_id,
            name=bought[line.variant_id].name,
            quantity=line.quantity,
            reason=line.reason,
            outcome=None,
            # An estimate, in the order in which they were asked for; fixed when they arrive.
            amount_dirhams=worth(
                bought[line.variant_id], taken.get(line.variant_id, 0), line.quantity
            ),
        )
        for line in sorted(command.lines, key=lambda line: line.variant_id)
    ]
    return WholeReturn(made, tuple(lines))


def _replacing(order: Order, wishes: Sequence[Wish]) -> PlaceOrder:
    return PlaceOrder(
        store_id=order.store_id,
        items=tuple(Wanted(w.product_id, w.quantity, w.variant_id) for w in wishes),
        customer_user_id=order.customer_user_id,
        customer_name=order.customer_name,
        customer_phone=order.customer_phone,
        customer_email=order.customer_email,
        city_code=order.city_code,
        area=order.area,
        address=order.address,
        shipping_notes=order.shipping_notes,
        shipping_method=order.shipping_method,
        payment_method=order.payment_method,
        waits_for_goods=True,
        notes=f"استبدال للطلب {order.number} · Exchange for order {order.number}",
    )


def _decided(
    lines: Sequence[ReturnLine],
    outcomes: Mapping[int, Outcome],
    bought: Mapping[int, Bought],
    arrived: Mapping[int, int],
) -> list[tuple[ReturnLine, Outcome, int]]:
    return [
        (
            line,
            outcomes.get(line.variant_id, "restocked"),
            worth(bought[line.variant_id], arrived.get(line.variant_id, 0), line.quantity),
        )
        for line in lines
    ]


def _together(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return {variant: one.get(variant, 0) + other.get(variant, 0) for variant in {*one, *other}}


def _added(arrived: Mapping[int, int], lines: Sequence[ReturnLine]) -> dict[int, int]:
    here = dict(arrived)
    for line in lines:
        here[line.variant_id] = here.get(line.variant_id, 0) + line.quantity
    return here


def _restocking(
    decided: Sequence[tuple[ReturnLine, Outcome, int]], at: datetime
) -> list[Statement]:
    statements: list[Statement] = []
    for line, outcome, _ in decided:
        if outcome == "restocked":
            taking = Taking(line.store_id, line.variant_id, line.quantity)
            statements += stock.restock(taking, line.return_id, at)
    return statements


def _noted(
    seen: Order,
    after: Order,
    made: Return,
    actor: Actor,
    at: datetime,
    note: str | None,
) -> list[Statement]:
    """The order's new version and what is told of it; a whole return tells of the order too."""
    order = msgspec.structs.replace(after, updated_at=at)
    store_id = order.store_id
    event = f"return.{made.status}"
    statements = [
        orders.save_order(order, seen=seen),
        orders.note_history(order, event, actor.name, at, note),
        outbox.publish(f"return.{made.status}", made.id, at, store_id=store_id, order=order.id),
        audit.record(actor, event, made.id, at, store_id=store_id, order=order.id),
    ]
    if order.status != seen.status:
        statements += [
            orders.note_history(order, f"order.{order.status}", actor.name, at),
            outbox.publish(f"order.{order.status}", order.id, at, store_id=store_id),
        ]
    return statements


async def _whole(shop: Shop, return_id: str) -> WholeReturn:
    made = await returns.get_return(shop.db, return_id)
    lines = await returns.list_lines(shop.db, made.store_id, [made.id])
    return WholeReturn(made, tuple(lines[made.id]))

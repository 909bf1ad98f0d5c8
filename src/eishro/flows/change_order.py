"""Change an order's status: by the merchant, by the buyer who cancels, or by time.

Stock follows in the same batch: a cancelled order gives its held pieces back, a shipped one
consumes what no parcel has consumed yet (`parcels.py`), a returned one puts what is still out on
the shelf again (`return_goods.py` looks at the goods first). Cancelling reverses the opening
entries and gives the used promotions back, and so does coming back unpaid; money already paid
becomes due for refund.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.discounts import uses
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.commission import commission_returned
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import InvalidTransition, Line, Order, Status
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.model import Status as AttemptStatus
from eishro.domain.payments.refunds import Refund
from eishro.domain.returns import sql as returns
from eishro.domain.shipping.shipments import PartlyShipped
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.flows import parcels
from eishro.flows.check_risk import closing_review, note_return
from eishro.flows.parcels import Load
from eishro.flows.pay_order import closing_attempts
from eishro.flows.shop import SYSTEM, Shop, again_if_stale


@again_if_stale
async def change_status(
    shop: Shop, order_id: str, to: Status, actor: Actor, note: str | None = None
) -> Order:
    """Move the order to another status.

    Raises:
        InvalidTransition: not allowed from where it is.
        PartlyShipped: it is to be cancelled, and a part of it has left and is not back.
    """
    return await _move(shop, await orders.get_order(shop.db, order_id), to, actor, note)


@again_if_stale
async def cancel_order(
    shop: Shop, order_id: str, actor: Actor, *, only_pending: bool, reason: str | None = None
) -> Order:
    """Cancel the order; a buyer may only while it is pending (`only_pending`).

    Cancelling a cancelled order again is a success that changes nothing.
    """
    order = await orders.get_order(shop.db, order_id)
    if order.status == "cancelled":
        return order
    if only_pending and order.status != "pending":
        raise InvalidTransition(order.status, "cancelled")
    return await _move(shop, order, "cancelled", actor, reason)


async def reject_order(
    shop: Shop, order: Order, actor: Actor, decided: Sequence[Statement]
) -> Order:
    """Cancel an order that was looked at, with what says so. Its history does not tell why.

    Raises:
        InvalidTransition, PartlyShipped, Stale
    """
    return await _move(shop, order, "cancelled", actor, None, decided=decided)


@again_if_stale
async def expire_order(shop: Shop, order_id: str) -> Order:
    """Cancel an order whose time is over: an unpaid online one, or one to be paid on delivery that
    nobody confirmed. Anything else is left alone.
    """
    order = await orders.get_order(shop.db, order_id)
    if order.expires_at is None or order.expires_at > shop.clock.now():
        return order
    return await _move(shop, order, "cancelled", SYSTEM, "expired", closes_as="expired")


async def _move(
    shop: Shop,
    order: Order,
    to: Status,
    actor: Actor,
    note: str | None,
    closes_as: AttemptStatus = "cancelled",
    decided: Sequence[Statement] = (),
) -> Order:
    at = shop.clock.now()
    after = order.move(to, at)
    batch = Batch()
    load: Load | None = None
    if to == "cancelled":
        if order.fulfilment_status == "partial":
            load = await parcels.read_load(shop, order)
            if not load.is_all_back:
                raise PartlyShipped()
            after = msgspec.structs.replace(after, fulfilment_status="returned")
        after = msgspec.structs.replace(after.owe_no_more(), is_held=False)
        batch.add(*(decided or await closing_review(shop, order, actor, at)))
        lines = await orders.list_lines(shop.db, [order.id])
        batch.add(*_given_back(lines, load.shipped if load else {}, order.id, at))
    elif to in ("shipped", "delivered", "returned"):
        load = await parcels.read_load(shop, order)
        _, arrived = await returns.count_pieces(shop.db, order.store_id, order.id)
        batch.add(*parcels.follow(load, to, actor.name, at, arrived))
        if to == "returned":
            after = after.owe_no_more()
            batch.add(*note_return(shop, load, at))
    batch.add(
        orders.save_order(after, seen=order),
        orders.note_history(after, f"order.{to}", actor.name, at, note),
    )
    if to == "cancelled":
        used = await uses.list_uses(shop.db, order.store_id, order.id)
        batch.add(
            *_closing(order, await _earlier_refunds(shop, order), load, at),
            *await closing_attempts(shop, order, at, closes_as),
            *uses.give_back(used),
        )
    batch.add(
        outbox.publish(f"order.{to}", order.id, at, store_id=order.store_id),
        audit.record(
            actor, f"order.{to}", order.id, at, store_id=order.store_id, before=order.status
        ),
    )
    await shop.db.commit(batch)
    return after


def _given_back(
    lines: Sequence[Line], shipped: Mapping[int, int], order_id: str, at: datetime
) -> list[Statement]:
    """The pieces that are still held, by variant: two flows wait instead of deadlocking."""
    statements: list[Statement] = []
    for line in sorted(lines, key=lambda line: line.variant_id):
        held = line.quantity - shipped.get(line.position, 0)
        if held > 0:
            statements += stock.release(Taking(line.store_id, line.variant_id, held), order_id, at)
    return statements


async def _earlier_refunds(shop: Shop, order: Order) -> list[Refund]:
    """Most orders have none, as their own row says."""
    if order.refunds_opened_dirhams == 0:
        return []
    return await refunds.list_refunds_of_order(shop.db, order.store_id, order.id)


def _closing(
    order: Order, earlier: list[Refund], load: Load | None, at: datetime
) -> list[Statement]:
    """Undo the opening entries, but for what refunds and refused parcels have undone; what came is
    owed back, what did not come is not owed.
    """
    undone = [refund for refund in earlier if refund.is_of_order]
    refused = load.written_off_dirhams if load else (0, 0)
    goods = order.subtotal_dirhams - order.discount_dirhams - refused[0]
    goods -= sum(refund.goods_dirhams for refund in undone)
    delivery = order.shipping_dirhams - refused[1]
    delivery -= sum(refund.delivery_dirhams for refund in undone)
    back = order.paid_dirhams - order.refunds_opened_dirhams
    amounts = {
        "receivable": -order.due_dirhams,
        "refunds_due": -back,
        "sales": goods,
        "delivery": delivery,
    }
    amounts["cod_short"] = -sum(amounts.values())  # cash that differed, by decision
    amounts |= commission_returned(
        order.paid_dirhams, order.commission_bp, order.refunds_opened_dirhams, back
    )
    posted = ledger.post(order.store_id, "order.cancelled", at, amounts, order_id=order.id)
    if not back:
        return [posted]
    return [posted, outbox.publish("refund.due", order.id, at, store_id=order.store_id)]

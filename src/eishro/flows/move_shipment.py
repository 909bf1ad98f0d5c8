"""Move a shipment: by the merchant's hand, or by a carrier's word. Its order follows.

Delivered when every parcel is; returned when every parcel came back. Goods are on the shelf again
only when a parcel is back, never while it is refused or on its way. A parcel that is cancelled
before it left puts its pieces back among the held ones.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.returns import sql as returns
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.carrier_port import News
from eishro.domain.shipping.shipments import (
    Shipment,
    ShipmentEvent,
    ShipmentHasCash,
    ShipmentMoveRefused,
    Status,
)
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.flows import parcels
from eishro.flows.check_risk import note_parcel
from eishro.flows.parcels import Load
from eishro.flows.shop import SYSTEM, Shop, again_if_stale


class ShipmentChange(msgspec.Struct, frozen=True, kw_only=True):
    """What the merchant types; what is left out stays."""

    status: Status | UnsetType = UNSET
    tracking_number: str | None | UnsetType = UNSET
    note: str | None = None


@again_if_stale
async def change_shipment(
    shop: Shop, shipment_id: str, change: ShipmentChange, actor: Actor
) -> Shipment:
    """Carry out what the merchant typed; the same again changes nothing.

    Raises:
        ShipmentMoveRefused, ShipmentHasCash, TrackingNumberTaken
    """
    before = await shipments.get_shipment(shop.db, shipment_id)
    at = shop.clock.now()
    after = before if change.status is UNSET else before.move(change.status, at)
    if change.tracking_number is not UNSET and change.tracking_number != before.tracking_number:
        after = msgspec.structs.replace(
            after, tracking_number=change.tracking_number, updated_at=at
        )
    if after == before and not change.note:
        return before
    if change.note:
        after = msgspec.structs.replace(after, note=change.note, updated_at=at)
    is_told = change.status is not UNSET or change.note
    said = after.status if after.status != before.status else "note"
    told = shipments.new_event(after, said, after.status, actor.name, at, change.note)
    return await _write(shop, before, after, told if is_told else None, actor)


@again_if_stale
async def hear_carrier(shop: Shop, store_id: int, carrier: str, news: News) -> Shipment | None:
    """Keep what a carrier said of a parcel, once, and move the parcel if that leads forward; None
    if the store has no such parcel.
    """
    found = await shipments.find_by_tracking(shop.db, store_id, carrier, [news.tracking_number])
    before = found.get(news.tracking_number)
    if before is None:
        return None
    source = f"carrier:{carrier}"
    known = await shipments.list_events(shop.db, [before.id])
    if any((e.source, e.raw_status, e.at) == (source, news.raw_status, news.at) for e in known):
        return before
    after = before.hear(news.status, shop.clock.now())
    if after.status == "cancelled" and (
        await parcels.read_load(shop, await orders.get_order(shop.db, before.order_id))
    ).is_collected(before):
        after = before  # cash was taken for it: people look at it
    told = shipments.new_event(before, news.raw_status, news.status, source, news.at, news.note)
    return await _write(shop, before, after, told, SYSTEM)


async def _write(
    shop: Shop, before: Shipment, after: Shipment, told: ShipmentEvent | None, actor: Actor
) -> Shipment:
    at = shop.clock.now()
    batch = Batch(shipments.save_shipment(after, seen=before))
    if told is not None:
        batch.add(shipments.insert_event(told))
    if after.status != before.status:
        order = await orders.get_order(shop.db, before.order_id)
        load = await parcels.read_load(shop, order)
        # What was read of this parcel with the others may be newer than `before`; then the save
        # above is refused and all of it is read again.
        _, arrived = await returns.count_pieces(shop.db, order.store_id, order.id)
        out = parcels.pieces_out(load, arrived)
        batch.add(*_goods(load, before, after, out, at), *_order(load, after, actor, at))
        batch.add(*note_parcel(shop, load, before, after, at))
        batch.add(outbox.publish(f"shipment.{after.status}", after.id, at, store_id=after.store_id))
    changes = audit.difference(before, after)
    batch.add(
        audit.record(actor, "shipment.changed", after.id, at, store_id=after.store_id, **changes)
    )
    await shop.db.commit(batch)
    return msgspec.structs.replace(after, version=before.version + 1)


def _goods(
    load: Load, before: Shipment, after: Shipment, out: Mapping[int, int], at: datetime
) -> list[Statement]:
    """The parcel's pieces held again, or on the shelf again, but for what is back already."""
    statements: list[Statement] = []
    if after.status == "cancelled":
        if load.is_collected(after):
            raise ShipmentHasCash()
        for taking in load.takings(after):
            if out.get(taking.variant_id, 0) < taking.quantity:
                raise ShipmentMoveRefused(before.status, after.status)
            statements += stock.retake(taking, after.id, at)
    if after.status == "returned":
        for taking in load.takings(after):
            pieces = min(taking.quantity, max(0, out.get(taking.variant_id, 0)))
            if pieces:
                back = Taking(taking.store_id, taking.variant_id, pieces)
                statements += stock.restock(back, after.id, at)
    return statements


def _order(load: Load, after: Shipment, actor: Actor, at: datetime) -> list[Statement]:
    """The order as the parcel leaves it, its history, and its books. It is saved always, so that
    two parcels' news do not each miss the other's.
    """
    order, then = load.order, load.with_shipment(after)
    now = msgspec.structs.replace(order, updated_at=at)
    event, statements = f"shipment.{after.status}", list[Statement]()
    if after.status == "cancelled":
        now = _unshipped(now, then)
    elif after.status == "returned":
        if _all_back(then) and order.status == "shipped":
            now, event = order.move("returned", at).owe_no_more(), "order.returned"
            statements += parcels.taken_back(load, at)
        elif order.status != "returned":  # else its books are closed already
            value, booked = parcels.write_off(load, after, at)
            statements += booked
            now = msgspec.structs.replace(now, due_dirhams=order.due_dirhams - value)
            if load.collections and now.due_dirhams == 0 and order.is_payable:
                now = now.pay(at)
                statements.append(orders.note_history(now, "order.paid", actor.name, at))
    if _all_arrived(then) and now.status == "shipped":
        now, event = now.move("delivered", at), "order.delivered"
    if event.startswith("order."):
        statements.append(outbox.publish(event, order.id, at, store_id=order.store_id))
    number = after.tracking_number or after.id
    statements.append(orders.note_history(now, event, actor.name, at, number))
    return [orders.save_order(now, seen=order), *statements]


def _unshipped(order: Order, load: Load) -> Order:
    """A parcel did not leave after all: its pieces are to be shipped again."""
    return msgspec.structs.replace(
        order,
        status="processing" if order.status == "shipped" else order.status,
        fulfilment_status="partial" if load.live else "unfulfilled",
    )


def _all_back(load: Load) -> bool:
    ends = {shipment.status for shipment in load.live}
    return "returned" in ends and ends <= {"returned", "lost"}


def _all_arrived(load: Load) -> bool:
    ends = {shipment.status for shipment in load.live}
    return "delivered" in ends and ends <= {"delivered", "returned", "lost"}

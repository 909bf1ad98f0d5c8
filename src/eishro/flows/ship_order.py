"""Ship an order, whole or in part: pieces leave the shelf in a parcel with a carrier's name.

A confirmed order becomes processing by itself, and shipped with its last piece. Read and decided
on: the order, what is in its parcels (guarded by the order's version, which every parcel moves),
the pieces held (guarded by the stock itself).
"""

from datetime import datetime, timedelta

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import InvalidTransition, Order
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.shipments import Shipment, ShipmentEvent
from eishro.errors import Invalid, Words
from eishro.flows import parcels
from eishro.flows.parcels import Load, Parcel
from eishro.flows.shop import Once, Shop, again_if_stale

_TICK = timedelta(microseconds=1)  # what follows in one change is told in its order


class Shipped(msgspec.Struct, frozen=True):
    """A new parcel, and its order with it."""

    shipment: Shipment
    load: Load
    events: tuple[ShipmentEvent, ...]


@again_if_stale
async def ship_order(
    shop: Shop, order_id: str, parcel: Parcel, actor: Actor, once: Once
) -> Shipped:
    """Send pieces of the order on their way; the same idempotency key never sends two parcels.

    Raises:
        InvalidTransition: the order is not confirmed, or all of it has left.
        NothingLeftToShip, TrackingNumberTaken, OrderHeld
        Invalid: a variant that the order does not have.
    """
    before = await orders.get_order(shop.db, order_id)
    if before.status not in ("confirmed", "processing"):
        raise InvalidTransition(before.status, "shipped")
    before.check_released()
    load = await parcels.read_load(shop, before)
    _check(load, parcel)
    at = shop.clock.now()
    shipment, load, is_last = parcels.pack(load, parcel, at)
    after, told = _moved(before, shipment, is_last=is_last, actor=actor, at=at)
    event = shipments.new_event(shipment, "created", "created", actor.name, at, parcel.note)
    shipped = Shipped(shipment, msgspec.structs.replace(load, order=after), (event,))
    batch = Batch(*once.claim(shipped))
    batch.add(
        *parcels.leaving(load, shipment, event, at),
        orders.save_order(after, seen=before),
        *told,
        outbox.publish("shipment.created", shipment.id, at, store_id=before.store_id),
        audit.record(
            actor,
            "shipment.created",
            shipment.id,
            at,
            store_id=before.store_id,
            order=before.id,
            carrier=shipment.carrier,
        ),
    )
    await shop.db.commit(batch)
    return shipped


def _check(load: Load, parcel: Parcel) -> None:
    known = parcels.positions_of(load.lines)
    faults = {
        f"lines[{number}].variantId": Words(
            "The order has no such variant.", "لا يوجد هذا الخيار في الطلب."
        )
        for number, variant in enumerate(parcel.pieces or ())
        if variant not in known
    }
    if faults:
        raise Invalid(faults)


def _moved(
    before: Order, shipment: Shipment, *, is_last: bool, actor: Actor, at: datetime
) -> tuple[Order, list[Statement]]:
    """The order after the parcel, and what its history and the outbox say."""
    order, told = before, list[Statement]()
    if order.status == "confirmed":
        order = order.move("processing", at)
        told.append(orders.note_history(order, "order.processing", actor.name, at))
        told.append(outbox.publish("order.processing", order.id, at, store_id=order.store_id))
    if is_last:
        order, event = order.move("shipped", at), "order.shipped"
    else:
        order = msgspec.structs.replace(
            order, fulfilment_status="partial", expires_at=None, updated_at=at
        )
        event = "order.partially_shipped"
    note = " ".join(part for part in (shipment.shown_carrier, shipment.tracking_number) if part)
    told.append(orders.note_history(order, event, actor.name, at + _TICK, note))
    told.append(outbox.publish(event, order.id, at, store_id=order.store_id))
    return order, told

"""Tables and statements of shipments."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Moment, Text
from eishro.domain.shipping.shipments import (
    Shipment,
    ShipmentEvent,
    ShipmentLine,
    ShipmentNotFound,
    Status,
    TrackingNumberTaken,
)
from eishro.errors import Stale
from eishro.ids import text_id

SHIPMENTS_MAX = 200  # of one order; each has a piece of it at least

shipments = table(
    "shipments",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("carrier", Text, nullable=False),
    sa.Column("service", Text),
    sa.Column("tracking_number", Text),
    sa.Column("status", Text, nullable=False),
    sa.Column("goods_dirhams", Int, nullable=False),
    sa.Column("delivery_dirhams", Int, nullable=False),
    sa.Column("cod_dirhams", Int, nullable=False),
    sa.Column("fee_dirhams", Int),
    sa.Column("note", Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("carrier_name", Text),
    sa.UniqueConstraint("store_id", "id"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.Index("ix_shipments_order_id", "order_id"),
    sa.Index(
        "uq_shipments_tracking_number",
        "store_id",
        "carrier",
        "tracking_number",
        unique=True,
        sqlite_where=sa.text("tracking_number IS NOT NULL"),
        postgresql_where=sa.text("tracking_number IS NOT NULL"),
    ),
    with_rowid=False,
)

shipment_lines = table(
    "shipment_lines",
    sa.Column("shipment_id", Id, primary_key=True),
    sa.Column("position", Int, primary_key=True),  # of the order's line
    sa.Column("store_id", Int, nullable=False),
    sa.Column("quantity", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "shipment_id"], ["shipments.store_id", "shipments.id"]),
    sa.CheckConstraint("quantity > 0", name="quantity"),
    with_rowid=False,
)

shipment_events = table(
    "shipment_events",
    sa.Column("shipment_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("raw_status", Text, nullable=False),
    sa.Column("status", Text),
    sa.Column("source", Text, nullable=False),
    sa.Column("note", Text),
    sa.Column("at", Moment, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "shipment_id"], ["shipments.store_id", "shipments.id"]),
    with_rowid=False,
)

_COLUMNS = columns_of(shipments, Shipment)
# An unguessable id, or the order's, leads to the store.
_BY_ID = Query(
    sa.select(*_COLUMNS).where(shipments.c.id == sa.bindparam("id")), Shipment, across_stores=True
)
_OF_ORDER = Query(
    sa.select(*_COLUMNS)
    .where(shipments.c.order_id == sa.bindparam("order_id"))
    .order_by(shipments.c.id)
    .limit(SHIPMENTS_MAX),
    Shipment,
    across_stores=True,
)
_LINES = Query(
    sa.select(*columns_of(shipment_lines, ShipmentLine))
    .where(in_list(shipment_lines.c.shipment_id, "shipment_ids"))
    .order_by(shipment_lines.c.shipment_id, shipment_lines.c.position)
    .limit(sa.bindparam("limit")),
    ShipmentLine,
    across_stores=True,
)
_EVENTS = Query(
    sa.select(*columns_of(shipment_events, ShipmentEvent))
    .where(in_list(shipment_events.c.shipment_id, "shipment_ids"))
    .order_by(shipment_events.c.shipment_id, shipment_events.c.at, shipment_events.c.id)
    .limit(sa.bindparam("limit")),
    ShipmentEvent,
    across_stores=True,
)
_BY_TRACKING = Query(
    sa.select(*_COLUMNS)
    .where(
        shipments.c.store_id == sa.bindparam("store_id"),
        shipments.c.carrier == sa.bindparam("carrier"),
        in_list(shipments.c.tracking_number, "numbers"),
    )
    .limit(sa.bindparam("limit")),
    Shipment,
)
_OF_ORDERS = Query(
    sa.select(*_COLUMNS)
    .where(in_list(shipments.c.order_id, "order_ids"))
    .order_by(shipments.c.id)
    .limit(sa.bindparam("limit")),
    Shipment,
    across_stores=True,  # a person's orders of every store
)
_FORGET = Write(
    sa.update(shipments)
    .where(
        shipments.c.store_id == sa.bindparam("key_store"),
        shipments.c.order_id == sa.bindparam("key_order"),
    )
    .values(note=sa.null(), version=shipments.c.version + 1)
)
_FORGET_EVENTS = Write(
    sa.update(shipment_events)
    .where(
        shipment_events.c.store_id == sa.bindparam("key_store"),
        shipment_events.c.shipment_id.in_(
            sa.select(shipments.c.id).where(
                shipments.c.store_id == sa.bindparam("key_store"),
                shipments.c.order_id == sa.bindparam("key_order"),
            )
        ),
    )
    .values(note=sa.null())
)
_INSERT = Write(sa.insert(shipments))
_INSERT_LINES = Write(sa.insert(shipment_lines))
_INSERT_EVENT = Write(sa.insert(shipment_events))
_SAVE = Write(save_by_version(shipments, Shipment, ("store_id", "id")))


async def get_shipment(db: Database, shipment_id: str) -> Shipment:
    """The shipment, or `ShipmentNotFound`."""
    found = await db.one(_BY_ID, id=shipment_id)
    if found is None:
        raise ShipmentNotFound()
    return found


async def list_of_order(db: Database, order_id: str) -> list[Shipment]:
    """The order's shipments, oldest first, cancelled ones too."""
    return await db.all(_OF_ORDER, order_id=order_id)


async def list_of_orders(db: Database, order_ids: list[str]) -> list[Shipment]:
    """Shipments of these orders, oldest first."""
    return await db.all(_OF_ORDERS, order_ids=order_ids, limit=100 * max(1, len(order_ids)))


async def list_lines(db: Database, shipment_ids: Sequence[str]) -> list[ShipmentLine]:
    """What is in these shipments."""
    if not shipment_ids:
        return []
    return await db.all(_LINES, shipment_ids=list(shipment_ids), limit=100 * len(shipment_ids))


async def list_events(db: Database, shipment_ids: Sequence[str]) -> list[ShipmentEvent]:
    """What was said about these shipments, oldest first."""
    if not shipment_ids:
        return []
    return await db.all(_EVENTS, shipment_ids=list(shipment_ids), limit=100 * len(shipment_ids))


async def find_by_tracking(
    db: Database, store_id: int, carrier: str, numbers: Sequence[str]
) -> dict[str, Shipment]:
    """The store's shipments with these tracking numbers of the carrier, by number."""
    found = await db.all(
        _BY_TRACKING, store_id=store_id, carrier=carrier, numbers=list(numbers), limit=len(numbers)
    )
    return {str(shipment.tracking_number): shipment for shipment in found}


def insert_shipment(shipment: Shipment, lines: Sequence[ShipmentLine]) -> list[Statement]:
    """A new shipment; refused with `TrackingNumberTaken` where its number is not free."""
    insert = _INSERT(**values_of(shipment)).guarded(Stale(), taken=TrackingNumberTaken())
    return [insert, _INSERT_LINES.each([values_of(line) for line in lines])]


def save_shipment(shipment: Shipment, seen: Shipment) -> Statement:
    """Replace `seen`, or `Stale`; `TrackingNumberTaken` where its new number is not free."""
    save = _SAVE(**saving(shipment, seen, ("store_id", "id")))
    return save.guarded(Stale(), taken=TrackingNumberTaken())


def forget_words(keys: Sequence[Mapping[str, object]]) -> list[Statement]:
    """Empty what was written about the parcels of these orders (`owners.keys_of`)."""
    return [_FORGET_EVENTS.each(keys), _FORGET.each(keys)]


def new_event(
    shipment: Shipment,
    raw_status: str,
    status: Status | None,
    source: str,
    at: datetime,
    note: str | None = None,
) -> ShipmentEvent:
    """Something said about the shipment."""
    return ShipmentEvent(
        shipment.id, text_id("sev", at), shipment.store_id, raw_status, status, source, note, at
    )


def insert_event(event: ShipmentEvent) -> Statement:
    """The event as part of a batch."""
    return _INSERT_EVENT(**values_of(event))

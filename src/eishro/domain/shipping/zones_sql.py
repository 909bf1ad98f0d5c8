"""Table and statements of delivery zones.

A store's zones are guarded as a whole by the store's version, which every change of them moves
(flows/edit_zones.py): orders are priced from all of them.
"""

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write
from eishro.db.types import Flag, Id, Int, Json, Moment, Text
from eishro.domain.shipping.zones import ZONES_MAX, Rate, Zone, ZoneNotFound
from eishro.errors import Stale

shipping_zones = table(
    "shipping_zones",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("name_en", Text),
    sa.Column("places", Json, nullable=False),
    sa.Column("rates", Json, nullable=False),
    sa.Column("is_active", Flag, nullable=False),
    sa.Column("position", Int, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    with_rowid=False,
)

_COLUMNS = columns_of(shipping_zones, Zone)
_places = msgspec.json.Decoder(tuple[str, ...]).decode
_rates = msgspec.json.Decoder(tuple[Rate, ...]).decode


def _zone(*columns: object) -> Zone:
    values = dict(zip(Zone.__struct_fields__, columns, strict=True))
    values["places"] = _places(values["places"])  # type: ignore[arg-type]
    values["rates"] = _rates(values["rates"])  # type: ignore[arg-type]
    return Zone(**values)  # type: ignore[arg-type]


_ZONES = Query(
    sa.select(*_COLUMNS)
    .where(shipping_zones.c.store_id == sa.bindparam("store_id"))
    .order_by(shipping_zones.c.position, shipping_zones.c.id)
    .limit(sa.bindparam("limit")),
    _zone,
)
_ZONE = Query(
    sa.select(*_COLUMNS).where(
        shipping_zones.c.store_id == sa.bindparam("store_id"),
        shipping_zones.c.id == sa.bindparam("id"),
    ),
    _zone,
)
_INSERT = Write(sa.insert(shipping_zones))
_SAVE = Write(save_by_version(shipping_zones, Zone, ("store_id", "id")))
_DELETE = Write(
    sa.delete(shipping_zones).where(
        shipping_zones.c.store_id == sa.bindparam("key_store"),
        shipping_zones.c.id == sa.bindparam("key"),
    )
)


async def list_zones(db: Database, store_id: int) -> list[Zone]:
    """All zones of the store, active or not, by position."""
    return await db.all(_ZONES, store_id=store_id, limit=ZONES_MAX)


async def get_zone(db: Database, store_id: int, zone_id: str) -> Zone:
    """The store's zone, or `ZoneNotFound`."""
    zone = await db.one(_ZONE, store_id=store_id, id=zone_id)
    if zone is None:
        raise ZoneNotFound()
    return zone


def insert_zone(zone: Zone) -> Statement:
    """A new zone."""
    return _INSERT(**values_of(zone))


def save_zone(zone: Zone, seen: Zone) -> Statement:
    """Replace `seen` by `zone`, or `Stale`."""
    return _SAVE(**saving(zone, seen, ("store_id", "id"))).guarded(Stale())


def delete_zone(store_id: int, zone_id: str) -> Statement:
    """Remove the zone, or `ZoneNotFound`."""
    return _DELETE(key_store=store_id, key=zone_id).guarded(ZoneNotFound())

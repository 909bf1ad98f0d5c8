"""Change a store's delivery zones.

A place stands in one active zone at most, which one row cannot guard: the zones were checked as a
whole, so the store's version must be the one that they were read after. Moving it also refuses
every order that was priced from the zones as they were (flows/place_order.py).
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.shipping import zones_sql
from eishro.domain.shipping.zones import (
    ZONES_MAX,
    Rate,
    Zone,
    faults_of_places,
    faults_of_rates,
)
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.errors import Invalid, Words
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id


class ZoneChange(msgspec.Struct, frozen=True, kw_only=True):
    """Members to change (or to begin with); unset ones stay."""

    name: str | UnsetType = UNSET
    name_en: str | None | UnsetType = UNSET
    places: tuple[str, ...] | UnsetType = UNSET
    rates: tuple[Rate, ...] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    position: int | UnsetType = UNSET


@again_if_stale
async def create_zone(
    shop: Shop, store_id: int, change: ZoneChange, actor: Actor, once: Once
) -> Zone:
    """A new zone.

    Raises:
        Invalid, StoreNotFound, idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    store = await stores.get_store(shop.db, store_id)
    existing = await zones_sql.list_zones(shop.db, store_id)
    if len(existing) >= ZONES_MAX:
        raise Invalid(
            {
                "name": Words(
                    f"A store has at most {ZONES_MAX} zones.",
                    f"للمتجر {ZONES_MAX} منطقة على الأكثر.",
                )
            }
        )
    blank = Zone(
        id=text_id("zon", at),
        store_id=store_id,
        name="",
        name_en=None,
        places=(),
        rates=(),
        is_active=True,
        position=len(existing),
        created_at=at,
        updated_at=at,
        version=1,
    )
    zone = msgspec.structs.replace(blank, **_set_members(change))
    _check(zone, existing)
    batch = Batch(*once.claim(zone)).add(*_moved(store), zones_sql.insert_zone(zone))
    await shop.db.commit(
        batch.add(
            audit.record(
                actor, "zone.created", zone.id, at, store_id=store_id, name=zone.name,
                places=zone.places, rates=zone.rates,
            )
        )
    )  # fmt: skip
    return zone


@again_if_stale
async def update_zone(
    shop: Shop,
    store_id: int,
    zone_id: str,
    change: ZoneChange,
    actor: Actor,
    check: Callable[[Zone], None],
) -> Zone:
    """Change a zone; `check` is called with the zone as read.

    Raises:
        Invalid, StoreNotFound, ZoneNotFound.
    """
    at = shop.clock.now()
    store = await stores.get_store(shop.db, store_id)
    seen = await zones_sql.get_zone(shop.db, store_id, zone_id)
    check(seen)
    after = msgspec.structs.replace(seen, updated_at=at, **_set_members(change))
    _check(after, await zones_sql.list_zones(shop.db, store_id))
    await shop.db.commit(
        Batch(
            *_moved(store),
            zones_sql.save_zone(after, seen=seen),
            audit.record(
                actor, "zone.changed", zone_id, at, store_id=store_id,
                **audit.difference(seen, after),
            ),
        )
    )  # fmt: skip
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def delete_zone(shop: Shop, store_id: int, zone_id: str, actor: Actor) -> Zone:
    """Remove a zone; orders keep what they cost.

    Raises:
        StoreNotFound, ZoneNotFound.
    """
    at = shop.clock.now()
    store = await stores.get_store(shop.db, store_id)
    zone = await zones_sql.get_zone(shop.db, store_id, zone_id)
    await shop.db.commit(
        Batch(
            *_moved(store),
            zones_sql.delete_zone(store_id, zone_id),
            audit.record(actor, "zone.deleted", zone_id, at, store_id=store_id, name=zone.name),
        )
    )
    return zone


def _check(zone: Zone, existing: Sequence[Zone]) -> None:
    """The zone alone and beside the others is right, or `Invalid` with every fault."""
    others = [z for z in existing if z.is_active and z.id != zone.id] if zone.is_active else []
    faults = faults_of_places(zone.places, others) | faults_of_rates(zone.rates)
    if faults:
        raise Invalid(faults)


def _moved(store: Store) -> tuple[Statement, ...]:
    """Prices of delivery are other ones: for orders, and in what the public sees."""
    return stores.touch(store), stores.move_version(store.id)


def _set_members(change: ZoneChange) -> dict[str, object]:
    return {
        name: getattr(change, name)
        for name in change.__struct_fields__
        if getattr(change, name) is not UNSET
    }

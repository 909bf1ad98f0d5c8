"""Set a store's commission: the platform's share of its orders from now on.

Orders keep the rate of the moment they were placed.
"""

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.flows.shop import Shop, again_if_stale


def commission_bp_of(shop: Shop, store: Store) -> int:
    """The rate of an order that is placed in the store now, in basis points."""
    return shop.rules.commission_bp if store.commission_bp is None else store.commission_bp


@again_if_stale
async def set_commission(
    shop: Shop, store_id: int, basis_points: int | None, reason: str, actor: Actor
) -> Store:
    """Give the store a rate of its own; None goes back to everybody's.

    Raises:
        StoreNotFound
    """
    at = shop.clock.now()
    seen = await stores.get_store(shop.db, store_id)
    after = msgspec.structs.replace(seen, commission_bp=basis_points, updated_at=at)
    if after.commission_bp == seen.commission_bp:
        return seen
    await shop.db.commit(
        Batch(
            # Orders that were priced with the rate before are refused by this version.
            stores.save_store(after, seen=seen),
            audit.record(
                actor,
                "store.commission_set",
                store_id,
                at,
                store_id=store_id,
                reason=reason,
                **audit.difference(seen, after),
            ),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)

"""Tell people about cash that a courier has had for too long: one case for each collection."""

import contextlib
from datetime import datetime

from eishro.db import audit, outbox
from eishro.db.statements import Batch
from eishro.domain.shipping import cod_sql
from eishro.domain.shipping.cod import Case, Collection
from eishro.errors import Stale
from eishro.flows.shop import SYSTEM, Shop
from eishro.ids import text_id


async def flag_late_cash(shop: Shop) -> int:
    """Open a case for each late collection that has none; how many there were."""
    at = shop.clock.now()
    late = await cod_sql.list_late_unsaid(shop.db, at - shop.rules.cod_late)
    for collection in late:
        case = _case(collection, at)
        batch = Batch(
            cod_sql.insert_case(case),
            outbox.publish("cod.late", case.id, at, store_id=case.store_id),
            audit.record(
                SYSTEM,
                "cod.late",
                case.order_id,
                at,
                store_id=case.store_id,
                case=case.id,
                dirhams=case.expected_dirhams,
            ),
        )
        with contextlib.suppress(Stale):  # another process was faster
            await shop.db.commit(batch)
    return len(late)


def _case(collection: Collection, at: datetime) -> Case:
    """Nothing came of what the courier took."""
    return Case(
        id=text_id("cas", at),
        store_id=collection.store_id,
        order_id=collection.order_id,
        shipment_id=collection.shipment_id,
        collection_id=collection.id,
        remittance_id=None,
        carrier=collection.carrier,
        kind="late",
        stage="remittance",
        state="open",
        expected_dirhams=collection.amount_dirhams,
        amount_dirhams=0,
        fee_dirhams=0,
        happened_at=collection.collected_at,
        resolution=None,
        note=None,
        created_at=at,
        resolved_at=None,
        resolved_by=None,
        version=1,
    )

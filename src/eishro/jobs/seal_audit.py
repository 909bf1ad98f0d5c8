"""Seal the audit trail: one sealer at a time, by lease; its order is the chain's."""

import functools
import secrets
from datetime import timedelta

from eishro.db import audit_seals, leases
from eishro.db.statements import Batch
from eishro.errors import Stale
from eishro.flows.shop import Shop
from eishro.flows.spare_time import SpareTime
from eishro.ids import text_id

LEASE = timedelta(seconds=30)
BATCHES_MAX = 20  # in one turn
# Between batches: a backlog of seals must not hold up requests.
PAUSE_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.2
# Ids follow the clock, batches take a moment: what is younger may still get a neighbour.
SETTLED = timedelta(seconds=5)
# A batch that took longer left a record behind the newest seal; `sweep_audit` finds it.
SWEPT = timedelta(days=2)


async def seal_audit(shop: Shop) -> int:
    """Seal what has settled since the newest seal, a few at a time; how many records."""
    sealed = 0
    spare_time = SpareTime(PAUSE_SECONDS, PAUSE_SECONDS_MAX)
    for _ in range(BATCHES_MAX):
        found = await _seal(shop, after=await audit_seals.find_newest_sealed(shop.db))
        sealed += found
        if found < audit_seals.BATCH_MAX:
            break
        await spare_time.pause(shop.traffic)
    return sealed


async def sweep_audit(shop: Shop) -> int:
    """Seal what was left behind in the last days; how many records."""
    return await _seal(shop, after=text_id("aud", shop.clock.now() - SWEPT))


async def _seal(shop: Shop, after: str) -> int:
    now = shop.clock.now()
    waiting = await audit_seals.list_unsealed(shop.db, after=after, before=now - SETTLED)
    if not waiting:
        return 0
    seals = await audit_seals.seal_all(shop.db, shop.keyring, waiting, now)
    try:
        await shop.db.commit(Batch(leases.take("audit", _worker(), now, now + LEASE), seals))
    except Stale:
        return 0  # another sealer works, and will be back
    return len(waiting)


@functools.cache
def _worker() -> str:
    """This process, as the lease knows it."""
    return secrets.token_hex(8)

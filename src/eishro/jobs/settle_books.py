"""Move the kept balances on: entries that have settled are added to them, store by store, in
order, by one worker at a time. No read needs it; it keeps reads short.
"""

import functools
import secrets
from datetime import timedelta

from eishro.db import leases
from eishro.db.statements import Batch
from eishro.domain.ledger import reading
from eishro.errors import Stale
from eishro.flows.shop import Shop

LEASE = timedelta(seconds=30)
# Ids follow the clocks of several machines, and batches take a moment: nothing may come in below
# what was added up. `eishro doctor` compares the sums with the entries.
SETTLED = timedelta(minutes=2)
SLICES_MAX = 200  # in one turn


async def settle_books(shop: Shop) -> int:
    """Add up what has settled; how many slices."""
    before = shop.clock.now() - SETTLED
    settled, after = 0, 0
    while behind := await reading.list_behind(shop.db, after, before):
        for store_id in behind:
            while await _settle(shop, store_id):
                settled += 1
                if settled >= SLICES_MAX:
                    return settled
        after = behind[-1]
    return settled


async def _settle(shop: Shop, store_id: int) -> bool:
    """Add one slice to the store's sums; False if there is none, or another worker is at it."""
    now = shop.clock.now()
    sums = await reading.next_sums(shop.db, store_id, now - SETTLED)
    if sums is None:
        return False
    try:
        await shop.db.commit(Batch(leases.take("books", _worker(), now, now + LEASE), sums))
    except Stale:
        return False
    return True


@functools.cache
def _worker() -> str:
    """This process, as the lease knows it."""
    return secrets.token_hex(8)

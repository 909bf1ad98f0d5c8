"""Let go of what is older than its time: buyers of finished orders, raw news of payments, codes.

Short batches, each guarded by what it read, so it runs beside everything else and may be stopped
anywhere. Files of the development outboxes are the job's (`jobs/retention.py`).
"""

from datetime import datetime

import msgspec

from eishro.db import audit
from eishro.db.statements import Batch
from eishro.domain.customers import sql as customers
from eishro.domain.orders import owners
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import forget_exchanges, list_old_exchanges
from eishro.errors import Stale
from eishro.flows.erase_person import forget_buyers
from eishro.flows.shop import SYSTEM, Shop
from eishro.ids import text_id

LOOKED_AT = 500  # orders read at a time
NEWS_AT_ONCE = 200
ORDERS_AT_ONCE = 50
_FIRST = ""


class Retained(msgspec.Struct, frozen=True):
    """How many of each went, or would go."""

    orders: int = 0
    news: int = 0
    codes: int = 0


async def retain(shop: Shop, *, is_dry: bool) -> Retained:
    """Let go of what is due; with `is_dry` only count it."""
    return Retained(
        orders=await _orders(shop, is_dry=is_dry),
        news=await _news(shop, is_dry=is_dry),
        codes=await _codes(shop, is_dry=is_dry),
    )


async def _orders(shop: Shop, *, is_dry: bool) -> int:
    if shop.rules.retention_orders is None:
        return 0
    before = shop.clock.now() - shop.rules.retention_orders
    after, end, done = _FIRST, _first_id("ord", before), 0
    while page := await owners.page_of_orders(shop.db, after, end, LOOKED_AT):
        after = page[-1].id
        due = [one.id for one in page if one.names_somebody(before)]
        if is_dry:
            done += len(due)
            continue
        for first in range(0, len(due), ORDERS_AT_ONCE):
            done += await _forget(shop, due[first : first + ORDERS_AT_ONCE], before)
    return done


async def _forget(shop: Shop, ids: list[str], before: datetime) -> int:
    """Who changed meanwhile is due at the next turn."""
    found = [
        order
        for order in await owners.list_orders_by_id(shop.db, ids)
        if order.customer_phone and order.updated_at < before
    ]
    if not found:
        return 0
    at = shop.clock.now()
    batch = Batch(*await forget_buyers(shop, found))
    batch.add(
        *(audit.record(SYSTEM, "order.buyer_erased", o.id, at, store_id=o.store_id) for o in found)
    )
    try:
        await shop.db.commit(batch)
    except Stale:
        return 0
    return len(found)


async def _news(shop: Shop, *, is_dry: bool) -> int:
    end = _first_id("new", shop.clock.now() - shop.rules.retention_news)
    if is_dry:
        return await payments.count_old_news(shop.db, end)
    done = 0
    while ids := await payments.list_old_news(shop.db, end, NEWS_AT_ONCE):
        await shop.db.commit(Batch(payments.forget_news(ids)))
        done += len(ids)
    end = _first_id("gex", shop.clock.now() - shop.rules.retention_news)
    while ids := await list_old_exchanges(shop.db, end, NEWS_AT_ONCE):
        await shop.db.commit(Batch(forget_exchanges(ids)))
    return done


async def _codes(shop: Shop, *, is_dry: bool) -> int:
    now = shop.clock.now()
    due = await customers.count_expired_codes(shop.db, now)
    if due and not is_dry:
        await shop.db.commit(Batch(customers.forget_expired_codes(now)))
    return due


def _first_id(prefix: str, at: datetime) -> str:
    """Below every id of this millisecond and above all before it."""
    return text_id(prefix, at)[: len(prefix) + 11]

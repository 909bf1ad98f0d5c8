"""Let go of what is older than its time: buyers of finished orders, raw news of payments, codes,
contents of events that failed for good, what risk was counted from.

Short batches, each guarded by what it read, so it runs beside everything else and may be stopped
anywhere. Files of the development outboxes are the job's (`jobs/retention.py`).
"""

from datetime import datetime, timedelta

import msgspec

from eishro.db import audit, outbox
from eishro.db.statements import Batch
from eishro.domain.customers import sql as customers
from eishro.domain.orders import owners
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import forget_exchanges, list_old_exchanges
from eishro.domain.risk import sql as risk
from eishro.domain.risk.model import HOURS_MAX, REFUSALS_DAYS
from eishro.errors import Stale
from eishro.flows.forget_buyers import AT_ONCE, forget_buyers
from eishro.flows.shop import SYSTEM, Shop
from eishro.ids import first_id

LOOKED_AT = 500  # orders read at a time
NEWS_AT_ONCE = 200
_FIRST = ""


class Retained(msgspec.Struct, frozen=True):
    """How many of each went, or would go."""

    orders: int = 0
    news: int = 0
    codes: int = 0
    events: int = 0
    signals: int = 0


async def retain(shop: Shop, *, is_dry: bool) -> Retained:
    """Let go of what is due; with `is_dry` only count it."""
    return Retained(
        orders=await _orders(shop, is_dry=is_dry),
        news=await _news(shop, is_dry=is_dry),
        codes=await _codes(shop, is_dry=is_dry),
        events=await _events(shop, is_dry=is_dry),
        signals=await _signals(shop, is_dry=is_dry),
    )


async def _orders(shop: Shop, *, is_dry: bool) -> int:
    if shop.rules.retention_orders is None:
        return 0
    before = shop.clock.now() - shop.rules.retention_orders
    after, end, done = _FIRST, first_id("ord", before), 0
    while page := await owners.page_of_orders(shop.db, after, end, LOOKED_AT):
        after = page[-1].id
        due = [one.id for one in page if one.names_somebody(before)]
        if is_dry:
            done += len(due)
            continue
        for first in range(0, len(due), AT_ONCE):
            done += await _forget(shop, due[first : first + AT_ONCE], before)
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
    batch = Batch().add(
        *await forget_buyers(shop, found),
        *(audit.record(SYSTEM, "order.buyer_erased", o.id, at, store_id=o.store_id) for o in found),
    )
    try:
        await shop.db.commit(batch)
    except Stale:
        return 0
    return len(found)


async def _news(shop: Shop, *, is_dry: bool) -> int:
    end = first_id("new", shop.clock.now() - shop.rules.retention_news)
    if is_dry:
        return await payments.count_old_news(shop.db, end)
    done = 0
    while ids := await payments.list_old_news(shop.db, end, NEWS_AT_ONCE):
        await shop.db.commit(Batch(payments.forget_news(ids)))
        done += len(ids)
    end = first_id("gex", shop.clock.now() - shop.rules.retention_news)
    while ids := await list_old_exchanges(shop.db, end, NEWS_AT_ONCE):
        await shop.db.commit(Batch(forget_exchanges(ids)))
    return done


async def _codes(shop: Shop, *, is_dry: bool) -> int:
    now = shop.clock.now()
    due = await customers.count_expired_codes(shop.db, now)
    if due and not is_dry:
        await shop.db.commit(Batch(customers.forget_expired_codes(now)))
    return due


async def _events(shop: Shop, *, is_dry: bool) -> int:
    before = shop.clock.now() - shop.rules.retention_mails
    due = await outbox.count_old_dead(shop.db, before)
    if due and not is_dry:
        await shop.db.commit(Batch(outbox.empty_dead(before)))
    return due


async def _signals(shop: Shop, *, is_dry: bool) -> int:
    now, done = shop.clock.now(), 0
    kept = {risk.WINDOWED: timedelta(hours=HOURS_MAX), risk.REFUSED: timedelta(days=REFUSALS_DAYS)}
    for prefix, time in kept.items():
        start, end = f"{prefix}_", first_id(prefix, now - time)
        if is_dry:
            done += await risk.count_old_events(shop.db, start, end)
            continue
        while ids := await risk.list_old_events(shop.db, start, end, NEWS_AT_ONCE):
            await shop.db.commit(Batch(risk.forget_events(ids)))
            done += len(ids)
    return done

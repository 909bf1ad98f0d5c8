"""The steps that the clock asks for, and one turn of them, one after the other: for a command, a
test, or a runtime that is called each minute. Where a process lives on, `background.py` takes them
beside each other. Every step claims or guards what it does, so several processes may take it.
"""

from datetime import timedelta

from eishro.db import idempotency, outbox
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.orders import sql as orders
from eishro.flows.change_order import expire_order
from eishro.flows.flag_late_cash import flag_late_cash
from eishro.flows.shop import Shop
from eishro.jobs.ask_gateways import (
    check_due_payments,
    send_due_refunds,
    work_off_waiting_news,
)
from eishro.jobs.reconcile_daily import reconcile_daily
from eishro.jobs.retention import clean_daily
from eishro.jobs.seal_audit import seal_audit, sweep_audit
from eishro.jobs.settle_books import settle_books
from eishro.jobs.step import Step, attempt
from eishro.jobs.work_off_events import handle_events

KEEP_EVENTS = timedelta(days=7)
KEEP_SESSIONS = timedelta(days=30)  # after their time is over
TIDY_EVERY = timedelta(minutes=10)


async def expire_unpaid_orders(shop: Shop) -> int:
    """Cancel unpaid or unconfirmed orders whose time is over; their stock is free again."""
    due = await orders.list_due_to_expire(shop.db, shop.clock.now())
    for order_id in due:
        await expire_order(shop, order_id)
    return len(due)


async def tidy_up(shop: Shop) -> int:
    """Remove what has served its time."""
    now = shop.clock.now()
    await shop.db.commit(
        Batch(
            idempotency.drop_expired(now),
            outbox.forget(now - KEEP_EVENTS),
            accounts.forget_sessions(now - KEEP_SESSIONS),
        )
    )
    await clean_daily(shop)
    await reconcile_daily(shop)
    return await sweep_audit(shop) + await settle_books(shop)


STEPS: tuple[Step, ...] = (
    handle_events,
    work_off_waiting_news,
    check_due_payments,
    send_due_refunds,
    expire_unpaid_orders,
    flag_late_cash,
    seal_audit,
)


async def run_once(shop: Shop) -> int:
    """One turn of everything; how much there was to do."""
    done = 0
    for step in STEPS:
        done += await attempt(step.__name__, step(shop))
    return done

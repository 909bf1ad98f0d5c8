"""The background of a process: events, expiry, payments to ask about, tidying up.

One loop, one step at a time; a step that fails is logged and tried again at the next turn, and
the others go on. Every step claims or guards what it does, so several processes may run it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta

import structlog

from eishro.db import idempotency, outbox
from eishro.db.outbox import Event
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.orders import sql as orders
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.errors import ShopError, Stale
from eishro.flows import pay_order
from eishro.flows.change_order import expire_order
from eishro.flows.flag_late_cash import flag_late_cash
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import Shop
from eishro.flows.spare_time import SpareTime
from eishro.jobs.events import handlers_of
from eishro.jobs.reconcile_daily import reconcile_daily
from eishro.jobs.retention import clean_daily
from eishro.jobs.seal_audit import seal_audit, sweep_audit
from eishro.jobs.settle_books import settle_books

_LOG = structlog.get_logger("eishro.jobs")

TURN_SECONDS = 0.5  # from the beginning of a turn to that of the next
PAUSE_SECONDS_MIN = 0.1  # after a turn that took long
NEWS_GRACE = timedelta(seconds=10)  # the request that stored a notification works it off itself
KEEP_EVENTS = timedelta(days=7)
KEEP_SESSIONS = timedelta(days=30)  # after their time is over
TIDY_EVERY = timedelta(minutes=10)
NEWS_AT_ONCE = 500
PAYMENTS_AT_ONCE = 50
REFUNDS_AT_ONCE = 20
TASKS_MAX = 3_000  # a process has beside its requests; what comes then is left to the sweep
EVENTS_MAX = 100  # in one turn
EVENTS_AT_ONCE = 20  # claimed and finished together
HANDLERS_AT_ONCE = 4  # mails on their way; more would take turns from requests
# Between the beginnings of two events beside requests: a hundred of them spread over a second let
# nobody wait, the same at one go is a tenth of a second for everybody who comes then.
EVENTS_APART_SECONDS = 0.009
EVENTS_APART_SECONDS_MAX = 0.04  # while there is much to answer

Step = Callable[[Shop], Awaitable[int]]


async def handle_events(shop: Shop, spare_time: SpareTime | None = None) -> int:
    """Work off due events of the outbox; a failing one is put off, then kept for people.

    Args:
        spare_time: pauses between two events; without it there are none.
    """
    due = await shop.db.all(outbox.DUE, now=shop.clock.now(), limit=EVENTS_MAX)
    handled = 0
    for first in range(0, len(due), EVENTS_AT_ONCE):
        some = due[first : first + EVENTS_AT_ONCE]
        handled += await _handle_some(shop, some, spare_time)
    return handled


async def _handle_some(shop: Shop, events: list[Event], spare_time: SpareTime | None) -> int:
    """Claim, handle and finish them together, so that each costs little; how many succeeded."""
    now = shop.clock.now()
    mine = await _claim(shop, events, now)
    room = asyncio.Semaphore(HANDLERS_AT_ONCE)
    handling = []
    for event in mine:
        handling.append(asyncio.create_task(_handle(shop, event, room)))
        if spare_time is not None:
            await spare_time.pause(shop.traffic)
    failures = await asyncio.gather(*handling)
    batch = Batch()
    for event, failed in zip(mine, failures, strict=True):
        if not failed:
            batch.add(outbox.finish(event, now))
        elif len(failed) == len(handlers_of(event.topic)) or event.tries >= outbox.TRIES_MAX:
            batch.add(outbox.put_off(event, now, next(iter(failed.values()))))
        else:
            await _split(shop, event, failed, now)
    if len(batch):
        await shop.db.commit(batch)
    return sum(not failed for failed in failures)


async def _claim(shop: Shop, events: list[Event], now: datetime) -> list[Event]:
    """Those that no other worker has."""
    try:
        await shop.db.commit(Batch(outbox.claim(events, now)))
    except Stale:
        pass
    else:
        return events
    mine = []
    for event in events:
        with contextlib.suppress(Stale):
            await shop.db.commit(Batch(outbox.claim([event], now)))
            mine.append(event)
    return mine


async def _handle(shop: Shop, event: Event, room: asyncio.Semaphore) -> dict[str, str]:
    """Let the event's handlers do their work; what went wrong, by the handler's name."""
    async with room:
        return await _ask_handlers(shop, event)


async def _ask_handlers(shop: Shop, event: Event) -> dict[str, str]:
    if event.tries >= outbox.TRIES_MAX:
        # Claimed so often and never finished: it takes its worker down each time.
        return {"": "no worker came back"}
    failed = {}
    for handle in handlers_of(event.topic):
        try:
            await handle(shop, event)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
            _LOG.warning("event_put_off", topic=event.topic, id=event.id, error=repr(error)[:200])
            failed[handle.__name__] = repr(error)
    return failed


async def _split(shop: Shop, event: Event, failed: dict[str, str], now: datetime) -> None:
    """What some handlers have done stays done; each of the others gets an event of its own."""
    parts = Batch(outbox.finish(event, now).guarded(Stale()))
    for name, error in failed.items():
        parts.add(outbox.publish_part(event, f"{event.topic}/{name}", now, error))
    with contextlib.suppress(Stale):  # the lease was over, and somebody else has the whole event
        await shop.db.commit(parts)


async def expire_unpaid_orders(shop: Shop) -> int:
    """Cancel unpaid or unconfirmed orders whose time is over; their stock is free again."""
    due = await orders.list_due_to_expire(shop.db, shop.clock.now())
    for order_id in due:
        await expire_order(shop, order_id)
    return len(due)


async def check_due_payments(shop: Shop) -> int:
    """Ask gateways about payments whose time to be asked about has come."""
    due = await payments.list_due(shop.db, shop.clock.now(), limit=PAYMENTS_AT_ONCE)
    results = await asyncio.gather(
        *(pay_order.check_payment(shop, payment_id) for payment_id in due),
        return_exceptions=True,
    )
    for payment_id, result in zip(due, results, strict=True):
        if isinstance(result, BaseException):
            _LOG.warning("payment_check_failed", payment=payment_id, error=repr(result)[:200])
            with contextlib.suppress(ShopError):
                await pay_order.postpone_check(shop, payment_id)
    for payment_id in due:
        await pay_order.expire_payment(shop, payment_id)
    return len(due)


async def send_due_refunds(shop: Shop) -> int:
    """Bring refunds on: new ones, those put off, and what a crash or silence left unclear."""
    due = await refunds.list_due(shop.db, shop.clock.now(), limit=REFUNDS_AT_ONCE)
    results = await asyncio.gather(
        *(send_refund(shop, refund_id) for refund_id in due), return_exceptions=True
    )
    for refund_id, result in zip(due, results, strict=True):
        if isinstance(result, BaseException):  # it is found again when its time to send is over
            _LOG.warning("refund_failed", refund=refund_id, error=repr(result)[:200])
    return len(due)


async def work_off_waiting_news(shop: Shop) -> int:
    """Notifications that were stored and then left, by a crash or a full room: the oldest of them
    together, so that one question to a gateway answers many.
    """
    before = shop.clock.now() - NEWS_GRACE
    waiting = await payments.list_waiting_news(shop.db, before, limit=NEWS_AT_ONCE)
    results = await asyncio.gather(
        *(pay_order.work_off_news(shop, news) for news in waiting), return_exceptions=True
    )
    for news, result in zip(waiting, results, strict=True):
        if isinstance(result, ShopError):  # the others must not wait for this one
            _LOG.warning("news_failed", news=news.id, error=repr(result)[:200])
        elif isinstance(result, BaseException):
            raise result
    return len(waiting)


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


# After the events.
STEPS: tuple[Step, ...] = (
    work_off_waiting_news,
    check_due_payments,
    send_due_refunds,
    expire_unpaid_orders,
    flag_late_cash,
    seal_audit,
)


async def run_once(shop: Shop, spare_time: SpareTime | None = None) -> int:
    """One turn of everything; how much there was to do. `spare_time` as in `handle_events`."""
    done = await _attempt("handle_events", handle_events(shop, spare_time))
    for step in STEPS:
        done += await _attempt(step.__name__, step(shop))
    return done


async def _attempt(job: str, work: Awaitable[int]) -> int:
    """What the work counted; 0 where it failed, which is logged."""
    try:
        return await work
    except (ShopError, OSError) as error:
        _LOG.warning("job_failed", job=job, error=repr(error)[:200])
    except Exception:  # noqa: BLE001 - a fault in one job must not end the others
        _LOG.exception("job_fault", job=job)
    return 0


class Background:
    """The loop and the tasks a process runs beside its requests; closed at shut-down."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._tasks: set[asyncio.Future[object]] = set()
        self._loop_task: asyncio.Task[None] | None = None
        self._tidied_at: datetime | None = None

    def start(self) -> None:
        """Begin turning."""
        self._loop_task = asyncio.get_running_loop().create_task(self._turn_forever())

    def add(self, work: Awaitable[object]) -> None:
        """Let work go on after its request is answered; what it raises is logged.

        Where there is too much of it already, work that has not begun is dropped: all of it is
        written down before, or done by the next request, so that a turn of the loop finds it.
        """
        if len(self._tasks) >= TASKS_MAX and isinstance(work, Coroutine):
            work.close()
            _LOG.warning("background_full", tasks=len(self._tasks))
            return
        task = asyncio.ensure_future(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Stop turning; give work under way a moment to finish."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop_task
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
        for task in self._tasks:
            task.cancel()

    async def _logged(self, work: Awaitable[object]) -> object:
        try:
            return await work
        except ShopError as error:
            _LOG.warning("background_refused", code=error.code)
        except Exception:  # noqa: BLE001 - nobody waits for it; the sweep tries again
            _LOG.exception("background_fault")
        return None

    async def _turn_forever(self) -> None:
        loop = asyncio.get_running_loop()
        spare_time = SpareTime(EVENTS_APART_SECONDS, EVENTS_APART_SECONDS_MAX)
        while True:
            begun = loop.time()
            await run_once(self._shop, spare_time)
            now = self._shop.clock.now()
            if self._tidied_at is None or now - self._tidied_at > TIDY_EVERY:
                self._tidied_at = now
                with contextlib.suppress(ShopError):
                    await tidy_up(self._shop)
            await asyncio.sleep(max(begun + TURN_SECONDS - loop.time(), PAUSE_SECONDS_MIN))

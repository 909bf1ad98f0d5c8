"""Events of the outbox: claimed some at a time, handled, finished together."""

import asyncio
import contextlib
from datetime import datetime

import structlog

from eishro.db import outbox
from eishro.db.outbox import Event
from eishro.db.statements import Batch
from eishro.errors import Stale
from eishro.flows.shop import Shop
from eishro.flows.spare_time import SpareTime
from eishro.jobs.events import handlers_of

_LOG = structlog.get_logger("eishro.jobs")

EVENTS_MAX = 100  # in one turn
EVENTS_AT_ONCE = 20  # claimed and finished together
HANDLERS_AT_ONCE = 4  # mails on their way; more would take turns from requests


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

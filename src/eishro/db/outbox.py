"""The transactional outbox: events written in the batch that caused them, worked off later.

Claimed with a lease, retried with growing pauses, dead-lettered after `TRIES_MAX`. A worker
that dies leaves a lease that ends by itself, so an event is handled at least once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write
from eishro.db.types import Flag, Id, Int, Json, Moment, Text
from eishro.errors import Stale
from eishro.ids import text_id

TRIES_MAX = 10
LEASE = timedelta(seconds=60)
PAUSE_FIRST = timedelta(seconds=5)
PAUSE_MAX = timedelta(hours=1)

outbox = table(
    "outbox",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int),
    sa.Column("topic", Text, nullable=False),
    sa.Column("subject_id", Text, nullable=False),
    sa.Column("payload", Json, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("next_try_at", Moment),
    sa.Column("tries", Int, nullable=False),
    sa.Column("is_dead", Flag, nullable=False),
    sa.Column("last_error", Text),
    sa.Index(
        "ix_outbox_waiting",
        "next_try_at",
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_outbox_dead",
        "created_at",
        sqlite_where=sa.text("is_dead = 1"),
        postgresql_where=sa.text("is_dead = 1"),
    ),
    with_rowid=False,
)


class Event(msgspec.Struct, frozen=True):
    """One thing that happened; `next_try_at` None means done or dead."""

    id: str
    store_id: int | None
    topic: str
    subject_id: str
    payload: msgspec.Raw
    created_at: datetime
    next_try_at: datetime | None
    tries: int


_INSERT = Write(sa.insert(outbox))
_EVENT_COLUMNS = tuple(outbox.c[name] for name in Event.__struct_fields__)
DUE = Query(
    sa.select(*_EVENT_COLUMNS)
    .where(outbox.c.next_try_at <= sa.bindparam("now"))
    .order_by(outbox.c.next_try_at)
    .limit(sa.bindparam("limit")),
    Event,
    across_stores=True,
)
DEAD = Query(
    sa.select(*_EVENT_COLUMNS)
    .where(outbox.c.is_dead == sa.bindparam("dead"))
    .order_by(outbox.c.id)
    .limit(sa.bindparam("limit")),
    Event,
    across_stores=True,
)
_CLAIM = Write(
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("key"), outbox.c.next_try_at == sa.bindparam("seen"))
    .values(next_try_at=sa.bindparam("until"), tries=outbox.c.tries + 1),
    across_stores=True,
)
_FINISH = Write(
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("key"), outbox.c.next_try_at == sa.bindparam("seen"))
    .values(
        next_try_at=sa.bindparam("following"),
        is_dead=sa.bindparam("dead"),
        last_error=sa.bindparam("error"),
    ),
    across_stores=True,
)
_FORGET = Write(
    sa.delete(outbox).where(
        outbox.c.next_try_at.is_(None),
        outbox.c.is_dead == sa.bindparam("dead"),
        outbox.c.created_at < sa.bindparam("before"),
    ),
    across_stores=True,
)
_OLD_DEAD = (
    sa.text("is_dead = 1"),  # as the index over them says it
    outbox.c.created_at < sa.bindparam("before"),
    outbox.c.payload != sa.literal_column("'{}'"),
)
_OLD_DEAD_COUNT = Query(
    sa.select(sa.func.count()).select_from(outbox).where(*_OLD_DEAD), int, across_stores=True
)
_EMPTY_DEAD = Write(
    sa.update(outbox)
    .where(*_OLD_DEAD)
    .values(payload=sa.literal_column("'{}'"), last_error=sa.null()),
    across_stores=True,
)


def publish(
    topic: str, subject_id: str, at: datetime, *, store_id: int | None = None, **payload: object
) -> Statement:
    """The event as part of the batch that makes it true."""
    return _INSERT(
        id=text_id("evt", at),
        store_id=store_id,
        topic=topic,
        subject_id=subject_id,
        payload=payload,
        created_at=at,
        next_try_at=at,
        tries=0,
        is_dead=False,
        last_error=None,
    )


def publish_part(event: Event, topic: str, now: datetime, error: str) -> Statement:
    """A new event about the same thing, for one handler that has just failed once."""
    return _INSERT(
        id=text_id("evt", now),
        store_id=event.store_id,
        topic=topic,
        subject_id=event.subject_id,
        payload=event.payload,
        created_at=event.created_at,
        next_try_at=now + PAUSE_FIRST,
        tries=1,
        is_dead=False,
        last_error=error[:500],
    )


def claim(events: Sequence[Event], now: datetime) -> Statement:
    """Take the events for `LEASE`; refused with `Stale` if another worker has one of them."""
    until = now + LEASE
    return _CLAIM.each(
        [{"key": event.id, "seen": event.next_try_at, "until": until} for event in events]
    ).guarded(Stale())


def finish(event: Event, claimed_at: datetime) -> Statement:
    """The event is handled."""
    return _FINISH(key=event.id, seen=claimed_at + LEASE, following=None, dead=False, error=None)


def put_off(event: Event, claimed_at: datetime, error: str) -> Statement:
    """Try again later, or give up and keep it for people after `TRIES_MAX` tries."""
    tries = event.tries + 1
    dead = tries >= TRIES_MAX
    pause = min(PAUSE_FIRST * 2 ** (tries - 1), PAUSE_MAX)
    return _FINISH(
        key=event.id,
        seen=claimed_at + LEASE,
        following=None if dead else claimed_at + pause,
        dead=dead,
        error=error[:500],
    )


def forget(before: datetime) -> Statement:
    """Remove handled events older than `before`; dead ones stay."""
    return _FORGET(dead=False, before=before)


async def count_old_dead(db: Database, before: datetime) -> int:
    """How many events that nobody could handle are older and still say what they were about."""
    return await db.one(_OLD_DEAD_COUNT, before=before) or 0


def empty_dead(before: datetime) -> Statement:
    """Take their contents out of them: an address may be in it, also in what went wrong."""
    return _EMPTY_DEAD(before=before)

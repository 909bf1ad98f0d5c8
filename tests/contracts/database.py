"""What every engine of the `Database` port must do; the engines' test files subclass it."""

import asyncio
import random
from datetime import UTC, datetime

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db import audit, idempotency, outbox
from eishro.db.audit import Actor, audit_records
from eishro.db.database import Database
from eishro.db.id_blocks import IntegerIds
from eishro.db.outbox import Event
from eishro.db.stamps import DatabaseStamps, stamps
from eishro.db.statements import Batch, Query, Write, count_up, in_list, insert_once
from eishro.db.types import Int
from eishro.errors import Conflict, Stale

AT = datetime(2026, 1, 15, 8, 30, 0, 123456, tzinfo=UTC)

_INSERT = Write(sa.insert(stamps))
_ONCE = Write(insert_once(stamps))
_TAKE = Write(
    sa.update(stamps)
    .where(stamps.c.name == sa.bindparam("key"), stamps.c.last >= sa.bindparam("wanted"))
    .values(last=stamps.c.last - sa.bindparam("wanted"))
)
_COUNT_UP = Write(
    count_up(stamps, stamps.c.last, where=stamps.c.last < sa.bindparam("limit", type_=Int))
)
_LAST = Query(sa.select(stamps.c.last).where(stamps.c.name == sa.bindparam("name")), int)
_COUNT = Query(sa.select(sa.func.count()).select_from(stamps), int)
_NAMES = Query(
    sa.select(stamps.c.name)
    .where(in_list(stamps.c.name, "names"))
    .order_by(stamps.c.name)
    .limit(sa.bindparam("limit")),
    str,
)
_NUMBERS = Query(
    sa.select(stamps.c.last)
    .where(in_list(stamps.c.last, "numbers"))
    .order_by(stamps.c.last)
    .limit(sa.bindparam("limit")),
    int,
)
_EVENTS = Query(
    sa.select(*(outbox.outbox.c[name] for name in Event.__struct_fields__)).limit(10),
    Event,
    across_stores=True,
)
_RECORDS = Query(
    sa.select(audit_records.c.changes).limit(10),
    lambda changes: changes,
    across_stores=True,
)


class TooFew(Conflict):
    """The guard's own error."""


@pytest.mark.anyio
class DatabaseContract:
    """Subclasses give a `db` fixture: an open, migrated, empty database."""

    async def test_a_batch_is_applied_whole(self, db: Database) -> None:
        await db.commit(Batch(_INSERT(name="a", last=1), _INSERT(name="b", last=2)))
        assert await db.one(_COUNT) == 2

    async def test_a_refused_guard_leaves_nothing_of_its_batch(self, db: Database) -> None:
        await db.commit(Batch(_INSERT(name="a", last=1)))
        batch = Batch(_INSERT(name="b", last=2), _TAKE(key="a", wanted=5).guarded(TooFew()))
        with pytest.raises(TooFew):
            await db.commit(batch)
        assert await db.one(_COUNT) == 1
        assert await db.one(_LAST, name="a") == 1

    async def test_a_refused_batch_disturbs_no_neighbour(
        self, db: Database, rng: random.Random
    ) -> None:
        batches = [
            Batch(
                _INSERT(name=f"n{i}", last=1),
                *([_TAKE(key=f"n{i}", wanted=2).guarded(TooFew())] if i % 3 == 0 else []),
            )
            for i in range(200)
        ]
        order = list(range(200))
        rng.shuffle(order)
        outcomes = await asyncio.gather(
            *(db.commit(batches[i]) for i in order), return_exceptions=True
        )
        refused = {i for i, o in zip(order, outcomes, strict=True) if isinstance(o, TooFew)}
        assert refused == set(range(0, 200, 3))
        assert all(o is None or isinstance(o, TooFew) for o in outcomes)
        assert await db.one(_COUNT) == 200 - len(refused)

    async def test_a_counter_never_goes_below_its_guard(self, db: Database) -> None:
        await db.commit(Batch(_INSERT(name="pieces", last=10)))
        takes = [Batch(_TAKE(key="pieces", wanted=1).guarded(TooFew())) for _ in range(50)]
        outcomes = await asyncio.gather(*(db.commit(t) for t in takes), return_exceptions=True)
        assert sum(o is None for o in outcomes) == 10
        assert await db.one(_LAST, name="pieces") == 0

    async def test_a_count_begins_by_itself_and_never_passes_its_limit(self, db: Database) -> None:
        counts = [
            Batch(
                _COUNT_UP.each([{"name": n, "last": 1, "limit": 10} for n in "ab"]).guarded(
                    TooFew()
                )
            )
            for _ in range(50)
        ]
        outcomes = await asyncio.gather(*(db.commit(c) for c in counts), return_exceptions=True)
        assert sum(o is None for o in outcomes) == 10
        assert all(o is None or isinstance(o, TooFew) for o in outcomes)
        for name in "ab":
            assert await db.one(_LAST, name=name) == 10

    async def test_a_taken_key_is_the_guard_s_own_error(self, db: Database) -> None:
        await db.commit(Batch(_ONCE(name="a", last=1)))
        await db.commit(Batch(_ONCE(name="a", last=2)))
        assert await db.one(_LAST, name="a") == 1
        for write in (_ONCE, _INSERT):
            with pytest.raises(TooFew):
                await db.commit(Batch(write(name="a", last=3).guarded(TooFew())))

    async def test_a_broken_rule_without_a_guard_is_a_fault_and_writes_nothing(
        self, db: Database
    ) -> None:
        await db.commit(Batch(_INSERT(name="a", last=1)))
        with pytest.raises(Exception) as caught:  # noqa: PT011, B017
            await db.commit(Batch(_INSERT(name="b", last=1), _INSERT(name="a", last=2)))
        assert not isinstance(caught.value, Conflict)
        assert await db.one(_COUNT) == 1

    async def test_writes_are_read_at_once(self, db: Database) -> None:
        for number in range(50):
            await db.commit(Batch(_INSERT(name=f"n{number}", last=number)))
            assert await db.one(_COUNT) == number + 1

    async def test_a_list_of_any_length_is_one_parameter(self, db: Database) -> None:
        rows = [{"name": f"n{i:04}", "last": i} for i in range(1500)]
        await db.commit(Batch(_INSERT.each(rows)))
        for wanted in ([], ["n0007"], [f"n{i:04}" for i in range(1000)], ["n0001", "x'; --"]):
            found = await db.all(_NAMES, names=wanted, limit=2000)
            assert found == sorted(set(wanted) & {str(row["name"]) for row in rows})
        assert await db.all(_NUMBERS, numbers=[3, 1, 2**52], limit=10) == [1, 3]

    async def test_values_come_back_as_they_went_in(self, db: Database) -> None:
        text = "نص عربي \U0001f6d2 ' \" \\ %"
        await db.commit(
            Batch(
                outbox.publish("test.topic", "s1", AT, store_id=None, note=text, amount=2**53 - 1),
                audit.record(Actor(name="x"), "a", 1, AT, nothing=None, flag=True),
            )
        )
        (event,) = await db.all(_EVENTS)
        assert event.created_at == AT
        assert event.store_id is None
        assert msgspec.json.decode(event.payload) == {"note": text, "amount": 2**53 - 1}
        (changes,) = await db.all(_RECORDS)
        assert msgspec.json.decode(changes) == {"nothing": None, "flag": True}

    async def test_one_means_at_most_one(self, db: Database) -> None:
        assert await db.one(_LAST, name="nobody") is None
        await db.commit(Batch(_INSERT.each([{"name": n, "last": 1} for n in "ab"])))
        with pytest.raises(ValueError, match="more than one"):
            await db.one(Query(sa.select(stamps.c.name).limit(5), str))

    async def test_integer_ids_never_repeat_across_processes(self, db: Database) -> None:
        takers = [IntegerIds(db) for _ in range(4)]
        taken = await asyncio.gather(
            *(taker.next("things") for taker in takers for _ in range(150))
        )
        assert len(set(taken)) == len(taken)
        assert min(taken) >= 1

    async def test_stamps_only_grow(self, db: Database) -> None:
        takers = [DatabaseStamps(db), DatabaseStamps(db)]
        given = await asyncio.gather(*(t.next("terminal", 100) for t in takers for _ in range(20)))
        assert len(set(given)) == len(given)
        assert min(given) == 100
        assert await takers[0].next("terminal", 10_000) == 10_000

    async def test_one_of_many_claims_wins(self, db: Database) -> None:
        def claim(number: int) -> Batch:
            answer = (201, f"answer {number}")
            return Batch(
                *idempotency.claim(
                    "s", "k", "f", answer, sealed=False, now=AT, expires_at=AT.replace(day=16)
                )
            )

        outcomes = await asyncio.gather(
            *(db.commit(claim(i)) for i in range(20)), return_exceptions=True
        )
        assert sum(o is None for o in outcomes) == 1
        assert sum(isinstance(o, idempotency.AlreadyClaimed) for o in outcomes) == 19

    async def test_two_workers_share_events_without_doing_one_twice(self, db: Database) -> None:
        await db.commit(Batch(outbox.publish("t", "s", AT)))
        (event,) = await db.all(outbox.DUE, now=AT, limit=5)
        await db.commit(Batch(outbox.claim([event], AT)))
        with pytest.raises(Stale):
            await db.commit(Batch(outbox.claim([event], AT)))
        assert await db.all(outbox.DUE, now=AT, limit=5) == []
        # The worker died: its lease ends by itself.
        later = AT + outbox.LEASE
        (again,) = await db.all(outbox.DUE, now=later, limit=5)
        await db.commit(Batch(outbox.claim([again], later)))
        await db.commit(Batch(outbox.finish(again, later)))
        assert await db.all(outbox.DUE, now=later + outbox.LEASE, limit=5) == []

    async def test_an_event_nobody_can_handle_is_kept_for_people(self, db: Database) -> None:
        await db.commit(Batch(outbox.publish("t", "s", AT)))
        now = AT
        for _ in range(outbox.TRIES_MAX):
            (event,) = await db.all(outbox.DUE, now=now, limit=5)
            await db.commit(Batch(outbox.claim([event], now)))
            await db.commit(Batch(outbox.put_off(event, now, "broken")))
            now += outbox.PAUSE_MAX
        assert await db.all(outbox.DUE, now=now, limit=5) == []
        (dead,) = await db.all(outbox.DEAD, dead=True, limit=5)
        assert dead.tries == outbox.TRIES_MAX

"""Batches in one statement: which may be, that they mean the same, and that races stay right."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from eishro.db import idempotency
from eishro.db.database import CommitUnknown, Database
from eishro.db.postgres import PostgresDatabase
from eishro.db.postgres_part import WRITTEN_BY_TRIGGER
from eishro.db.postgres_plan import Bound, Plans
from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Query, Statement, Write, insert_once, upsert
from eishro.domain.catalog import sql as catalog
from eishro.domain.orders.model import OutOfStock
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.domain.stores import sql as stores
from eishro.errors import Conflict, Stale
from eishro.flows.change_order import change_status
from eishro.flows.shop import Shop
from tests.contracts.database import AT
from tests.shops import TESTER, World, changed

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

_INSERT = Write(sa.insert(stamps))
_ONCE = Write(insert_once(stamps))
_PUT = Write(upsert(stamps))
_ADD = Write(
    sa.update(stamps)
    .where(stamps.c.name == sa.bindparam("key"))
    .values(last=stamps.c.last + sa.bindparam("more", type_=stamps.c.last.type))
)
_TAKE = Write(
    sa.update(stamps)
    .where(stamps.c.name == sa.bindparam("key"), stamps.c.last >= sa.bindparam("wanted"))
    .values(last=stamps.c.last - sa.bindparam("wanted"))
)
_DROP = Write(sa.delete(stamps).where(stamps.c.name == sa.bindparam("key")))
_DROP_SMALL = Write(sa.delete(stamps).where(stamps.c.last < sa.bindparam("below")))
_PAIRS = Query(
    sa.select(stamps.c.name, stamps.c.last).order_by(stamps.c.name).limit(100),
    lambda name, last: (name, last),
)


class Refused(Conflict):
    """One of many guards' own errors."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Recorder:
    """A database that keeps the batches it is given."""

    engine = "postgresql"

    def __init__(self, db: Database) -> None:
        self._db = db
        self.batches: list[Batch] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def commit(self, batch: Batch) -> None:
        self.batches.append(batch)
        await self._db.commit(batch)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.open(database_url)
    yield opened
    await opened.aclose()


def _plan(*statements: Statement) -> Bound | None:
    return Plans().bind(Batch(*statements))


async def test_orders_and_their_changes_are_one_statement_and_share_it(world: World) -> None:
    recorder = Recorder(world.db)
    recording: Shop = changed(world.shop, db=recorder)
    store = (await world.merchant()).store
    assert store is not None
    product = await world.product(store.id, stock=5)
    world.shop = recording
    placed = await world.order(product)
    for status in ("confirmed", "cancelled"):
        await change_status(recording, placed.order.id, status, TESTER)
    assert len(recorder.batches) == 3
    for batch in recorder.batches:
        bound = Plans().bind(batch)
        assert bound is not None
        assert bound.plan.is_shared


def test_what_must_see_an_earlier_write_has_no_plan(database_url: str) -> None:
    del database_url
    hold = stock.hold([Taking(1, 2, 1)], "ord", AT, Stale())
    assert _plan(*hold) is not None
    # The hold reads products, and its trigger writes the store's version.
    assert _plan(stores.move_version(1)) is not None
    assert _plan(*hold, stores.move_version(1)) is None
    retire = catalog.retire_variants(1, [2])
    assert _plan(retire) is None
    for others in (
        (_INSERT(name="a", last=1), _ADD(key="a", more=1)),
        (_DROP(key="a"), _INSERT(name="a", last=1)),
        (_ADD(key="a", more=1), _DROP_SMALL(below=5)),
    ):
        assert _plan(*others) is None


def test_a_row_named_twice_is_not_changed_in_one_statement(database_url: str) -> None:
    del database_url
    assert _plan(_ADD(key="a", more=1), _TAKE(key="b", wanted=1)) is not None
    assert _plan(_ADD(key="a", more=1), _TAKE(key="a", wanted=1)) is None
    assert _plan(_ADD.each([{"key": "a", "more": 1}, {"key": "a", "more": 2}])) is None


async def test_random_batches_mean_the_same_in_one_statement_and_one_by_one(
    db: PostgresDatabase, database_url: str, rng: random.Random
) -> None:
    del database_url
    planned = 0
    for number in range(150):
        before = {name: rng.randint(0, 3) for name in "abcdef" if rng.random() < 0.6}
        outcomes = []
        seed = rng.random()
        for plans in (Plans(), None):
            await db.run_script("TRUNCATE stamps")
            rows = [{"name": name, "last": last} for name, last in before.items()]
            if rows:
                await db.commit(Batch(_INSERT.each(rows)))
            batch = _random_batch(random.Random(seed))
            try:
                if plans is None:
                    await db._commit_each(batch)
                else:
                    planned += plans.bind(batch) is not None
                    await db.commit(batch)
                refused: object = None
            except Refused as error:
                refused = error.number
            except asyncpg.UniqueViolationError:
                refused = "taken"
            outcomes.append((refused, await db.all(_PAIRS)))
        assert outcomes[0] == outcomes[1], (number, before)
    assert planned > 50  # else the test shows nothing


def _random_batch(rng: random.Random) -> Batch:
    makers: list[list[Any]] = [
        [_INSERT, _ONCE, _PUT],
        [_ADD, _TAKE],
        [_ADD, _TAKE, _DROP],
    ]
    batch = Batch()
    writes = rng.choice(makers)
    for number in range(rng.randint(1, 3)):
        write = rng.choice(writes)
        names = rng.sample("abcdef", rng.randint(1, 3))
        if write in (_INSERT, _ONCE, _PUT):
            rows = [{"name": name, "last": rng.randint(0, 3)} for name in names]
        else:
            rows = [{"key": name, "more": 1, "wanted": 1} for name in names]
        statement = write.each(rows)
        batch.add(statement.guarded(Refused(number)) if rng.random() < 0.6 else statement)
    return batch


async def test_the_first_guard_that_fails_is_the_one_that_is_told(db: PostgresDatabase) -> None:
    await db.commit(Batch(_INSERT.each([{"name": n, "last": 1} for n in "abc"])))
    rows = [{"key": name, "wanted": 1} for name in "abx"]
    for statements, number in (
        (
            [
                _TAKE(key="a", wanted=2).guarded(Refused(1)),
                _ADD(key="x", more=1).guarded(Refused(2)),
            ],
            1,
        ),
        (
            [
                _TAKE(key="a", wanted=1).guarded(Refused(1)),
                _ADD(key="x", more=1).guarded(Refused(2)),
            ],
            2,
        ),
        ([_TAKE.each(rows).guarded(Refused(3))], 3),
        (
            [
                _TAKE(key="a", wanted=1).guarded(Refused(4)),
                _TAKE(key="b", wanted=9).guarded(Refused(5)),
            ],
            5,
        ),
    ):
        assert _plan(*statements) is not None
        with pytest.raises(Refused) as caught:
            await db.commit(Batch(*statements))
        assert caught.value.number == number
        assert await db.all(_PAIRS) == [(name, 1) for name in "abc"]


async def test_buyers_of_several_goods_in_any_order_never_oversell(
    db: PostgresDatabase, rng: random.Random
) -> None:
    names = "abcdefgh"
    await db.commit(Batch(_INSERT.each([{"name": n, "last": 20} for n in names])))

    async def buy(number: int) -> list[str]:
        wanted = rng.sample(names, 3)
        rows = [{"key": name, "wanted": 1} for name in wanted]
        try:
            await db.commit(Batch(_TAKE.each(rows).guarded(Refused(number))))
        except Refused:
            return []
        return wanted

    sold = [name for bought in await asyncio.gather(*map(buy, range(200))) for name in bought]
    left = dict(await db.all(_PAIRS))
    assert left == {name: 20 - sold.count(name) for name in names}
    assert min(left.values()) == 0


async def test_two_processes_that_buy_the_same_goods_never_oversell(
    db: PostgresDatabase, database_url: str
) -> None:
    other = await PostgresDatabase.open(database_url)
    await db.commit(Batch(_INSERT.each([{"name": n, "last": 30} for n in "ab"])))

    async def buy(on: PostgresDatabase, keys: str) -> bool:
        rows = [{"key": key, "wanted": 1} for key in keys]
        try:
            await on.commit(Batch(_TAKE.each(rows).guarded(Refused(0))))
        except Refused:
            return False
        return True

    bought = await asyncio.gather(
        *(buy(on, keys) for _ in range(30) for on, keys in ((db, "ab"), (other, "ba")))
    )
    assert sum(bought) == 30
    assert await db.all(_PAIRS) == [("a", 0), ("b", 0)]
    await other.aclose()


async def test_a_key_that_has_run_out_is_free_for_one_of_those_who_come_together(
    db: PostgresDatabase,
) -> None:
    def claim(day: int) -> Batch:
        now = AT.replace(day=day)
        return Batch(
            *idempotency.claim(
                "s", "k", "f", (201, "{}"), sealed=False, now=now,
                expires_at=now.replace(day=day + 1),
            )
        )  # fmt: skip

    await db.commit(claim(1))
    outcomes = await asyncio.gather(
        *(db.commit(claim(day)) for day in (1, 2, 2)), return_exceptions=True
    )
    assert isinstance(outcomes[0], idempotency.AlreadyClaimed)
    assert {type(o) for o in outcomes[1:]} == {type(None), idempotency.AlreadyClaimed}


async def test_a_value_that_cannot_be_written_hurts_nobody_who_came_with_it(
    db: PostgresDatabase,
) -> None:
    names = ["a", "b", "no\0text", "c", 7]
    outcomes = await asyncio.gather(
        *(db.commit(Batch(_INSERT(name=name, last=1))) for name in names), return_exceptions=True
    )
    assert [isinstance(o, asyncpg.PostgresError) for o in outcomes] == [
        n not in ("a", "b", "c") for n in names
    ]
    assert await db.all(_PAIRS) == [("a", 1), ("b", 1), ("c", 1)]


async def test_a_caller_who_is_gone_leaves_the_others_alone(db: PostgresDatabase) -> None:
    commits = [
        asyncio.ensure_future(db.commit(Batch(_INSERT(name=f"n{i}", last=1)))) for i in range(40)
    ]
    await asyncio.sleep(0)
    for commit in commits[::2]:
        commit.cancel()
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert all(o is None for o in outcomes[1::2])
    assert {name for name, _ in await db.all(_PAIRS)} >= {f"n{i}" for i in range(1, 40, 2)}


async def test_stock_that_runs_out_moves_the_version_of_its_store(world: World) -> None:
    store = (await world.merchant()).store
    assert store is not None
    product = await world.product(store.id, stock=2)
    seen = await stores.get_version(world.db, store.id)
    await world.order(product)
    assert await stores.get_version(world.db, store.id) == seen
    await world.order(product)
    assert await stores.get_version(world.db, store.id) == seen + 1
    with pytest.raises(OutOfStock):
        await world.order(product)


async def test_a_connection_lost_while_the_statement_runs_leaves_it_unknown(
    db: PostgresDatabase, database_url: str
) -> None:
    await db.commit(Batch(_INSERT(name="a", last=1)))
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute("UPDATE stamps SET last = 5 WHERE name = 'a'")
            commit = asyncio.ensure_future(db.commit(Batch(_ADD(key="a", more=1))))
            blocked = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
            blocked += "datname = current_database()"
            while (pid := await other.fetchval(blocked)) is None:
                await asyncio.sleep(0.01)
            await other.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(CommitUnknown):
                await commit
    finally:
        await other.close()
    assert await db.all(_PAIRS) == [("a", 5)]


async def test_what_triggers_write_is_known(db: PostgresDatabase, database_url: str) -> None:
    del db
    connection = await asyncpg.connect(database_url)
    found = await connection.fetch(
        """SELECT tgrelid::regclass::text AS of, prosrc FROM pg_trigger
        JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal"""
    )
    await connection.close()
    found = [row for row in found if "UPDATE" in row["prosrc"]]  # others only refuse
    assert {row["of"] for row in found} == set(WRITTEN_BY_TRIGGER)
    for row in found:
        for written in WRITTEN_BY_TRIGGER[row["of"]]:
            assert f"UPDATE {written}" in row["prosrc"]

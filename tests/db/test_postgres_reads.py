"""Reads that many ask at once are one statement, and mean what each alone would."""

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.compiled import compile_read
from eishro.db.database import DatabaseBusy
from eishro.db.postgres import PostgresDatabase
from eishro.db.postgres_reads import CALLERS_MAX, STATEMENTS_AT_ONCE, SharedRead, text_together
from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Query, Write
from eishro.domain.orders.holding import guard_of, held_by_customer, held_by_phone
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from tests.shops import TESTER, World

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

_INSERT = Write(sa.insert(stamps))
_SELECT = (
    sa.select(stamps.c.name, stamps.c.last, sa.literal(5))
    .where(
        stamps.c.name.startswith(sa.bindparam("start")),
        stamps.c.last > sa.bindparam("above", type_=sa.Integer),
    )
    .order_by(stamps.c.name)
)
_TOGETHER = Query(_SELECT, lambda *row: row, across_stores=True, together=True)
_ALONE = Query(_SELECT, lambda *row: row, across_stores=True)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    opened = await PostgresDatabase.open(database_url)
    yield opened
    await opened.aclose()


async def test_each_gets_the_rows_of_its_own_values(
    db: PostgresDatabase, rng: random.Random
) -> None:
    rows = [{"name": f"{letter}{n}", "last": n} for letter in "abc" for n in range(5)]
    await db.commit(Batch(_INSERT.each(rows)))
    asked = [{"start": rng.choice("abcx"), "above": rng.randrange(-1, 6)} for _ in range(300)]
    found = await asyncio.gather(*(db.all(_TOGETHER, **values) for values in asked))
    expected = [await db.all(_ALONE, **values) for values in asked]
    assert found == expected
    assert any(len(its) > 1 for its in found)
    assert any(not its for its in found)


async def test_a_buyer_is_counted_among_many(world: World) -> None:
    store = (await world.merchant()).store
    assert store is not None
    product = await world.product(store.id, stock=100)
    orders = [await world.order(product, quantity=2) for _ in range(2)]
    phone = orders[0].order.customer_phone
    phones = [phone, "+218910000001", phone, *[f"+21892000{n:04}" for n in range(80)]]
    held = await asyncio.gather(
        *(held_by_phone(world.db, phone, guard_of(f"phone:{phone}")) for phone in phones)
    )
    counts = [(one.orders, one.pieces, one.version) for one in held]
    assert counts == [(2, 4, 0), (0, 0, 0), (2, 4, 0), *[(0, 0, 0)] * 80]


async def test_a_customer_is_counted_among_many(world: World) -> None:
    store = (await world.merchant()).store
    assert store is not None
    product = await world.product(store.id, stock=100)
    user_id = (await world.customer()).user.id
    command = msgspec.structs.replace(world.command(product, quantity=2), customer_user_id=user_id)
    for _ in range(2):
        await place_order(world.shop, command, TESTER, NotOnce())
    users = [user_id, user_id + 1, user_id, *range(user_id + 2, user_id + 80)]
    held = await asyncio.gather(
        *(held_by_customer(world.db, user, guard_of(f"user:{user_id}")) for user in users)
    )
    counts = [(one.orders, one.pieces, one.version) for one in held]
    assert counts == [(2, 4, 0), (0, 0, 0), (2, 4, 0), *[(0, 0, 0)] * 78]


async def test_a_value_that_cannot_be_sent_hurts_nobody_who_asked_with_it(
    db: PostgresDatabase,
) -> None:
    await db.commit(Batch(_INSERT(name="a", last=1)))
    starts = ["a"] * 10 + ["no\0text", 7] + ["a"] * 10
    found = await asyncio.gather(
        *(db.all(_TOGETHER, start=start, above=0) for start in starts), return_exceptions=True
    )
    for start, its in zip(starts, found, strict=True):
        assert its == [("a", 1, 5)] if start == "a" else isinstance(its, asyncpg.DataError)


async def test_a_caller_who_is_gone_leaves_the_others_alone(db: PostgresDatabase) -> None:
    await db.commit(Batch(_INSERT(name="a", last=1)))
    reads = [asyncio.ensure_future(db.all(_TOGETHER, start="a", above=0)) for _ in range(60)]
    await asyncio.sleep(0)
    for read in reads[::2]:  # one of those whose statement is under way, and many who wait
        read.cancel()
    found = await asyncio.gather(*reads[1::2])
    assert found == [[("a", 1, 5)]] * 30
    assert await db.all(_TOGETHER, start="a", above=1) == []


async def test_a_server_that_is_away_is_busy_to_all_of_them(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(db._connections, "take", refuse)
    found = await asyncio.gather(
        *(db.all(_TOGETHER, start="a", above=0) for _ in range(20)), return_exceptions=True
    )
    assert [type(its) for its in found] == [DatabaseBusy] * 20
    monkeypatch.undo()
    assert await db.all(_TOGETHER, start="a", above=0) == []


@pytest.mark.usefixtures("database_url")
async def test_whoever_comes_later_is_answered_by_a_later_statement() -> None:
    """What is under way may have read before a caller's own earlier write."""
    begun: list[int] = []  # callers of each statement
    goes_on = asyncio.Event()

    async def fetch(_: str, values: list[object]) -> list[tuple[object, ...]]:
        starts = values[0]
        begun.append(len(starts) if isinstance(starts, list) else 1)
        await goes_on.wait()
        return []

    shared = SharedRead(compile_read(_TOGETHER, "postgresql"), fetch)
    count = STATEMENTS_AT_ONCE + CALLERS_MAX + 3
    asking = asyncio.gather(*(shared.ask(["a", 0, 5]) for _ in range(count)))
    await asyncio.sleep(0)
    assert begun == [1] * STATEMENTS_AT_ONCE
    goes_on.set()
    assert await asking == [[]] * count
    assert begun == [*[1] * STATEMENTS_AT_ONCE, CALLERS_MAX, 3]
    await shared.aclose()


@pytest.mark.usefixtures("database_url")
async def test_closing_waits_until_everybody_is_answered() -> None:
    goes_on = asyncio.Event()

    async def fetch(_: str, __: list[object]) -> list[tuple[object, ...]]:
        await goes_on.wait()
        return []

    shared = SharedRead(compile_read(_TOGETHER, "postgresql"), fetch)
    await shared.aclose()  # nobody asks
    asking = [asyncio.ensure_future(shared.ask(["a", 0, 5])) for _ in range(10)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(shared.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    goes_on.set()
    await closing
    assert [one.result() for one in asking] == [[]] * 10


@pytest.mark.usefixtures("database_url")
async def test_a_busy_server_is_not_asked_again_by_each() -> None:
    statements = 0

    async def fetch(*_: object) -> list[tuple[object, ...]]:
        nonlocal statements
        statements += 1
        await asyncio.sleep(0)
        raise DatabaseBusy

    shared = SharedRead(compile_read(_TOGETHER, "postgresql"), fetch)
    asking = [shared.ask(["a", 0, 5]) for _ in range(STATEMENTS_AT_ONCE + CALLERS_MAX)]
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(its) for its in found] == [DatabaseBusy] * len(asking)
    assert statements == STATEMENTS_AT_ONCE + 1


@pytest.mark.usefixtures("database_url")
async def test_a_statement_that_is_cut_off_leaves_nobody_behind() -> None:
    goes_on = asyncio.Event()

    async def fetch(*_: object) -> list[tuple[object, ...]]:
        await goes_on.wait()
        return []

    shared = SharedRead(compile_read(_TOGETHER, "postgresql"), fetch)
    before = asyncio.all_tasks()
    asking = [
        asyncio.ensure_future(shared.ask(["a", 0, 5]))
        for _ in range(STATEMENTS_AT_ONCE + 2 * CALLERS_MAX)
    ]
    await asyncio.sleep(0)
    for one in asking[:STATEMENTS_AT_ONCE]:
        one.cancel()
    for _ in range(3):  # until the statements of many are under way
        await asyncio.sleep(0)
    cut_off = asyncio.all_tasks() - before - set(asking)
    assert len(cut_off) == STATEMENTS_AT_ONCE
    later = [asyncio.ensure_future(shared.ask(["a", 0, 5])) for _ in range(5)]
    await asyncio.sleep(0)
    for task in cut_off:
        task.cancel()
    goes_on.set()
    async with asyncio.timeout(10):  # whoever is left behind would wait for ever
        assert await asyncio.gather(*later) == [[]] * 5
        await shared.aclose()


@pytest.mark.parametrize(
    "condition",
    [sa.true(), stamps.c.name.in_(sa.bindparam("names", expanding=True)),
     stamps.c.last == sa.bindparam("n", type_=sa.Numeric(10, 2))],
)  # fmt: skip
@pytest.mark.usefixtures("database_url")
def test_a_query_that_cannot_be_asked_together_is_refused(
    condition: sa.ColumnElement[bool],
) -> None:
    query = Query(sa.select(stamps.c.name).where(condition), str, across_stores=True)
    with pytest.raises(ValueError, match="cannot be asked together"):
        text_together(compile_read(query, "postgresql"))


@pytest.mark.usefixtures("database_url")
def test_what_is_of_one_store_is_never_asked_together() -> None:
    """A statement names the stores that it may see once, not for each of its callers."""
    with pytest.raises(ValueError, match="of many stores"):
        Query(_SELECT, lambda *row: row, store="start", together=True)

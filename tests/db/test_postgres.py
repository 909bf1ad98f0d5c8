"""PostgreSQL: the database contract, and what is its own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from eishro.db.database import Database, DatabaseBusy
from eishro.db.postgres import PostgresDatabase
from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Query, Write
from tests.contracts.database import DatabaseContract
from tests.servers.postgres import Postgres

_INSERT = Write(sa.insert(stamps))
_ADD = Write(
    sa.update(stamps).where(stamps.c.name == sa.bindparam("key")).values(last=stamps.c.last + 1)
)
_SUM = Query(sa.select(sa.func.coalesce(sa.func.sum(stamps.c.last), 0)), int)
_COUNT = Query(sa.select(sa.func.count()).select_from(stamps), int)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    opened = await PostgresDatabase.open(database_url)
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestPostgres(DatabaseContract):
    async def test_batches_that_meet_in_a_deadlock_are_both_applied(self, db: Database) -> None:
        await db.commit(Batch(_INSERT(name="a", last=0), _INSERT(name="b", last=0)))
        there = [Batch(_ADD(key="a"), _ADD(key="b")) for _ in range(2)]
        back = [Batch(_ADD(key="b"), _ADD(key="a")) for _ in range(2)]
        await asyncio.gather(*(db.commit(batch) for batch in there + back))
        assert await db.one(_SUM) == 8


@pytest.mark.anyio
async def test_a_server_that_is_away_is_busy_and_then_works_again() -> None:
    server = Postgres()
    server.start()
    try:
        db = await PostgresDatabase.open(server.url)
        await db.run_script("CREATE TABLE stamps (name text PRIMARY KEY, last bigint NOT NULL)")
        await db.commit(Batch(_INSERT(name="a", last=1)))
        server.kill()
        with pytest.raises(DatabaseBusy):
            await db.one(_COUNT)
        with pytest.raises(DatabaseBusy):
            await db.commit(Batch(_INSERT(name="b", last=1)))
        server.start()
        assert await db.one(_COUNT) == 1
        await db.commit(Batch(_INSERT(name="b", last=1)))
        await db.aclose()
    finally:
        server.stop()

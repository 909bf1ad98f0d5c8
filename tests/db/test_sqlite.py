"""SQLite: the database contract, and what is its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
import sqlalchemy as sa

from eishro.db import migrate
from eishro.db.database import Database, DatabaseBusy
from eishro.db.sqlite import SqliteDatabase
from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Query, Write
from tests.contracts.database import DatabaseContract

_INSERT = Write(sa.insert(stamps))
_COUNT = Query(sa.select(sa.func.count()).select_from(stamps), int)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    opened = SqliteDatabase(Path(database_url.removeprefix("sqlite:///")))
    yield opened
    await opened.aclose()


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestSqlite(DatabaseContract):
    async def test_a_read_that_takes_too_long_is_cut_off(self, db: Database) -> None:
        numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
        endless = numbers.union_all(sa.select(numbers.c.n + 1))
        with pytest.raises(DatabaseBusy):
            await db.one(Query(sa.select(sa.func.max(endless.c.n)), int))
        assert await db.one(_COUNT) == 0

    async def test_what_was_queued_is_written_before_closing(self, tmp_path: Path) -> None:
        first = SqliteDatabase(tmp_path / "other.db")
        await migrate.migrate(first)
        waiting = [first._writer.submit(Batch(_INSERT(name=f"n{i}", last=i))) for i in range(500)]
        await first.aclose()
        for one in waiting:
            await one
        second = SqliteDatabase(tmp_path / "other.db")
        assert await second.one(_COUNT) == 500
        await second.aclose()

    async def test_a_closed_database_refuses(self, tmp_path: Path) -> None:
        closed = SqliteDatabase(tmp_path / "closed.db")
        await closed.aclose()
        with pytest.raises(DatabaseBusy):
            await closed.commit(Batch(_INSERT(name="a", last=1)))

    async def test_every_commit_waits_for_the_disk(self, db: Database) -> None:
        assert isinstance(db, SqliteDatabase)
        connection = db._writer._connection
        assert connection.execute("PRAGMA synchronous").fetchall() == [(2,)]
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        assert connection.execute("PRAGMA foreign_keys").fetchall() == [(1,)]

    async def test_the_reading_connection_cannot_write(self, db: Database) -> None:
        assert isinstance(db, SqliteDatabase)
        with pytest.raises(apsw.ReadOnlyError):
            db._reader.execute("DELETE FROM stamps")

"""SQLite: the database contract, and what is its own."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
import sqlalchemy as sa

from eishro.db import migrate, sqlite_log
from eishro.db.database import Database, DatabaseBusy
from eishro.db.sqlite import SqliteDatabase
from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Query, Write
from eishro.priority import NICENESS
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

    async def test_what_has_time_shares_a_commit(self, db: Database) -> None:
        assert isinstance(db, SqliteDatabase)
        commits = _commits(db)
        await asyncio.gather(*(_later(db, i / 1_000) for i in range(3)))
        assert (len(commits), await db.one(_COUNT)) == (1, 3)

    async def test_who_has_no_time_takes_along_what_has(self, db: Database) -> None:
        assert isinstance(db, SqliteDatabase)
        commits = _commits(db)
        patient = asyncio.ensure_future(_later(db, 0))
        await asyncio.sleep(0)
        await db.commit(Batch(_INSERT(name="now", last=1)))
        await patient
        assert (len(commits), await db.one(_COUNT)) == (1, 2)

    async def test_what_has_time_is_written_before_closing(self, tmp_path: Path) -> None:
        first = SqliteDatabase(tmp_path / "other.db")
        await migrate.migrate(first)
        begun = first._writer.submit(Batch(_INSERT(name="n1", last=1)))
        await asyncio.sleep(0)
        waiting = first._writer.submit(Batch(_INSERT(name="n2", last=1), has_time=True))
        await first.aclose()
        await asyncio.gather(begun, waiting)
        second = SqliteDatabase(tmp_path / "other.db")
        assert await second.one(_COUNT) == 2
        await second.aclose()

    async def test_only_what_has_time_is_written_before_closing(self, tmp_path: Path) -> None:
        first = SqliteDatabase(tmp_path / "other.db")
        await migrate.migrate(first)
        waiting = first._writer.submit(Batch(_INSERT(name="n", last=1), has_time=True))
        await first.aclose()
        await waiting

    async def test_moving_the_log_gives_way(self, db: Database) -> None:
        assert isinstance(db, SqliteDatabase)
        thread = db._writer._checkpointer._thread

        def niceness() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        assert thread.submit(niceness).result() == NICENESS
        assert niceness() < NICENESS

    async def test_writers_wait_where_the_log_grows_too_long(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(db, SqliteDatabase)
        monkeypatch.setattr(sqlite_log, "PAGES", 1)
        monkeypatch.setattr(sqlite_log, "PAGES_MAX", 50)
        stuck = threading.Event()
        checkpointer = db._writer._checkpointer
        checkpointer._thread.submit(stuck.wait)
        written = 0
        with pytest.raises(TimeoutError):
            for number in range(1_000):
                one = db.commit(Batch(_INSERT(name=f"n{number}", last=1)))
                await asyncio.wait_for(one, 0.5)
                written += 1
        assert 5 < written < 100
        assert await db.one(_COUNT) == written, "those who read do not wait"
        stuck.set()
        await db.commit(Batch(_INSERT(name="after", last=1)))
        assert (await db.one(_COUNT) or 0) > written


async def _later(db: Database, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await db.commit(Batch(_INSERT(name=f"n{seconds}", last=1), has_time=True))


def _commits(db: SqliteDatabase) -> list[None]:
    """Grows with each commit."""
    commits: list[None] = []

    def note() -> bool:
        commits.append(None)
        return False

    db._writer._connection.set_commit_hook(note)
    return commits

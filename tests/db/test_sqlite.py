"""SQLite: the database contract, and what is its own."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
import sqlalchemy as sa

from eishro.db import migrate, sqlite, sqlite_log
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

    async def test_what_has_time_shares_a_commit(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(db, SqliteDatabase)
        monkeypatch.setattr(sqlite, "GATHER_SECONDS", 0.3)
        commits = _commits(db)
        waiting = []
        for number in range(3):  # so far apart that each would have a commit of its own
            waiting.append(db._writer.submit(_batch(number, has_time=True)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*waiting)
        assert (len(commits), await db.one(_COUNT)) == (1, 3)

    async def test_who_has_no_time_takes_along_what_has(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(db, SqliteDatabase)
        monkeypatch.setattr(sqlite, "GATHER_SECONDS", 60.0)
        commits = _commits(db)
        waiting = db._writer.submit(_batch(1, has_time=True))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await db.commit(_batch(2))
        await waiting
        assert (len(commits), await db.one(_COUNT)) == (1, 2)

    @pytest.mark.parametrize("is_alone", [True, False])
    async def test_what_has_time_is_written_before_closing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_alone: bool
    ) -> None:
        first = SqliteDatabase(tmp_path / "other.db")
        await migrate.migrate(first)
        monkeypatch.setattr(sqlite, "GATHER_SECONDS", 60.0)
        if not is_alone:
            first._writer.submit(_batch(1))
            await asyncio.sleep(0)
        waiting = first._writer.submit(_batch(2, has_time=True))
        await first.aclose()
        await waiting
        second = SqliteDatabase(tmp_path / "other.db")
        assert await second.one(_COUNT) == (1 if is_alone else 2)
        await second.aclose()

    async def test_those_a_commit_answers_do_not_all_go_on_at_once(self, db: Database) -> None:
        """Else everybody else's request would wait for the rest of all of theirs."""
        went_on: list[int] = []  # in which turn of the loop each did
        turn = 0

        async def write(number: int) -> None:
            await db.commit(Batch(_INSERT(name=f"n{number}", last=number)))
            went_on.append(turn)

        writing = asyncio.gather(*(write(number) for number in range(100)))
        while not writing.done():
            await asyncio.sleep(0)
            turn += 1
        await writing
        assert len(went_on) == 100
        assert max(map(went_on.count, went_on)) <= sqlite.ANSWERED_IN_A_TURN

    async def test_moving_the_log_gives_way(self, db: Database) -> None:
        assert isinstance(db, SqliteDatabase)
        thread = db._writer._checkpointer._thread

        def niceness() -> int:
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        here = niceness()
        assert thread.submit(niceness).result() == NICENESS
        assert niceness() == here, "the loop's own thread is as it was"

    async def test_writers_wait_where_the_log_grows_too_long(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(db, SqliteDatabase)
        monkeypatch.setattr(sqlite_log, "PAGES", 1)
        monkeypatch.setattr(sqlite_log, "PAGES_MAX", 50)
        stuck = threading.Event()
        db._writer._checkpointer._thread.submit(stuck.wait)
        written = 0
        try:
            with pytest.raises(TimeoutError):
                while written < 1_000:
                    await asyncio.wait_for(db.commit(_batch(written)), 1.0)
                    written += 1
            assert 5 < written < 100
            assert await db.one(_COUNT) == written, "those who read do not wait"
        finally:
            stuck.set()
        await db.commit(_batch(1_000))


def _batch(number: int, *, has_time: bool = False) -> Batch:
    return Batch(_INSERT(name=f"n{number}", last=1), has_time=has_time)


def _commits(db: SqliteDatabase) -> list[None]:
    """Grows with each commit."""
    commits: list[None] = []

    def note() -> bool:
        commits.append(None)
        return False

    db._writer._connection.set_commit_hook(note)
    return commits

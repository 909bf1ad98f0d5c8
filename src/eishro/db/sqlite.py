"""SQLite in the process: reads on the event loop's own connection, one writer thread that
puts many callers' batches into one disk sync (group commit).

A refused batch is undone alone. Callers are answered only after COMMIT has returned with
`synchronous=FULL`, so what was answered survives a kill.
"""

import asyncio
import queue
import threading
import time
from pathlib import Path
from typing import Any, TypeVar

import apsw

from eishro.db.compiled import Compiled, compile_read, compile_write
from eishro.db.database import DatabaseBusy, DatabaseDamaged
from eishro.db.statements import Batch, Query, Statement
from eishro.errors import Stale

T = TypeVar("T")

GROUP_BATCHES_MAX = 256  # batches in one commit; more would only lengthen the tail
CAREFUL_GROUPS = 32  # groups that are written under savepoints after one held a refused batch
WAL_PAGES = 4000  # of 4 KiB: how long the log grows before its pages move into the file
QUEUE_BATCHES_MAX = 10_000  # batches waiting; beyond it callers are told to come back
READ_SECONDS_MAX = 1.0  # a read on the event loop that takes longer is a fault, and is cut off
BUSY_SECONDS_MAX = 5.0  # how long to wait for another process that writes
_TAKEN = {apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY}
_DAMAGED = (apsw.NotADBError, apsw.CorruptError, apsw.CantOpenError)
_STEPS_BETWEEN_LOOKS = 20_000  # virtual machine steps between looks at the clock


class SqliteDatabase:
    """The `Database` port on one SQLite file. Made inside a running event loop."""

    engine = "sqlite"

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._cursor = self._reader.cursor()
        self._read_until = 0.0
        self._reader.set_progress_handler(self._too_long, _STEPS_BETWEEN_LOOKS)
        self._writer = _Writer(path, asyncio.get_running_loop())

    async def one(self, query: Query[T], **values: object) -> T | None:
        rows = self._read(query, values)
        if len(rows) > 1:
            raise ValueError("one() found more than one row")
        return rows[0] if rows else None

    async def all(self, query: Query[T], **values: object) -> list[T]:
        return self._read(query, values)

    async def commit(self, batch: Batch) -> None:
        await self._writer.submit(batch)

    async def run_script(self, script: str) -> None:
        await self._writer.submit(script)

    async def aclose(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)
        self._reader.close()

    def _read(self, query: Query[T], values: dict[str, object]) -> list[T]:
        read = compile_read(query, "sqlite")
        self._read_until = time.monotonic() + READ_SECONDS_MAX
        try:
            rows = self._cursor.execute(read.text, read.bind(values)).fetchall()
        except (apsw.InterruptError, apsw.BusyError) as error:
            raise DatabaseBusy() from error
        except _DAMAGED as error:
            raise DatabaseDamaged(str(error)) from error
        return [read.row(row) for row in rows]

    def _too_long(self) -> bool:
        return time.monotonic() > self._read_until


def _connect(path: Path) -> apsw.Connection:
    """A connection with our settings.

    Raises:
        DatabaseDamaged: the file is not a database, or cannot be opened.
    """
    try:
        return _open(path)
    except _DAMAGED as error:
        raise DatabaseDamaged(f"{path}: {error}") from error


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=512)
    connection.set_busy_timeout(int(BUSY_SECONDS_MAX * 1000))
    # Otherwise a statement is planned again whenever its values change: this build of SQLite
    # looks at statistics of values, which we do not keep.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cache_size = -32000",
        # Savepoints keep the pages they may have to restore in memory, not in a file.
        "temp_store = MEMORY",
        f"wal_autocheckpoint = {WAL_PAGES}",
        "journal_size_limit = 64000000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


class _Refused(Exception):
    """A statement touched another number of rows than it must."""

    def __init__(self, otherwise: Exception) -> None:
        super().__init__()
        self.otherwise = otherwise


# What concerns one batch alone; any other error is the database's and concerns the whole group.
_REFUSALS = (_Refused, apsw.ConstraintError, apsw.SQLError, ValueError, KeyError)


def _reason(error: Exception) -> Exception:
    return error.otherwise if isinstance(error, _Refused) else error


_Work = Batch | str
_Waiting = tuple[_Work, "asyncio.Future[None]"]


class _Writer:
    """The thread that owns the writing connection."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = _connect(path)
        self._cursor = self._connection.cursor()
        self._loop = loop
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._careful = 0
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, work: _Work) -> "asyncio.Future[None]":
        """Queue the work; the future is done when it is durable or refused."""
        if self._closed or self._queue.qsize() >= QUEUE_BATCHES_MAX:
            raise DatabaseBusy()
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((work, done))
        return done

    def close(self) -> None:
        """Finish what is queued, then stop the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._connection.close()

    def _run(self) -> None:
        stop = False
        while not stop:
            first = self._queue.get()
            if first is None:
                return
            group = [first]
            while len(group) < GROUP_BATCHES_MAX:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    stop = True
                    break
                group.append(following)
            outcomes = self._write(group)
            # The loop is gone only when the process is ending; nobody is waiting then.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(_answer, group, outcomes)

    def _write(self, group: list[_Waiting]) -> list[Exception | None]:
        """Apply the group in one transaction; one outcome for each, None is success.

        Refusals are rare, and a savepoint costs a copy of every page a batch touches. So the
        group is first written without any; if a batch is refused, all of it is rolled back
        and written again under savepoints, and so are the next groups.
        """
        execute = self._cursor.execute
        try:
            execute("BEGIN IMMEDIATE")
            if not self._careful:
                try:
                    for work, _ in group:
                        self._apply_all(work)
                    execute("COMMIT")
                    return [None] * len(group)
                except _REFUSALS as error:
                    execute("ROLLBACK")
                    if len(group) == 1:
                        return [_reason(error)]
                    self._careful = CAREFUL_GROUPS
                    execute("BEGIN IMMEDIATE")
            self._careful -= 1
            outcomes = [self._apply_alone(work) for work, _ in group]
            execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever failed, everyone must hear of it
            if self._connection.in_transaction:
                execute("ROLLBACK")
            failure = DatabaseBusy() if isinstance(error, apsw.Error) else error
            failure.__cause__ = error
            return [failure] * len(group)
        return outcomes

    def _apply_alone(self, work: _Work) -> Exception | None:
        execute = self._cursor.execute
        execute("SAVEPOINT batch")
        try:
            self._apply_all(work)
        except _REFUSALS as error:
            execute("ROLLBACK TO batch")
            execute("RELEASE batch")
            return _reason(error)
        execute("RELEASE batch")
        return None

    def _apply_all(self, work: _Work) -> None:
        if isinstance(work, str):
            for _ in self._cursor.execute(work):  # a statement that returns rows would stop it
                pass
        else:
            for statement in work:
                self._apply(statement)

    def _apply(self, statement: Statement) -> None:
        write = compile_write(statement.write, "sqlite")
        try:
            self._execute(write, statement)
        except apsw.ConstraintError as error:
            code = _code_of(error)
            if code == apsw.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise _Refused(Stale()) from error
            if statement.taken is not None and code in _TAKEN:
                raise _Refused(statement.taken) from error
            raise

    def _execute(self, write: Compiled, statement: Statement) -> None:
        if statement.rows is None and len(statement.values) > 1:
            self._cursor.executemany(write.text, [write.bind(v) for v in statement.values])
            return
        for values in statement.values:
            self._cursor.execute(write.text, write.bind(values))
            if statement.rows is not None and self._connection.changes() != statement.rows:
                raise _Refused(statement.otherwise or ValueError(f"guard failed: {write.text}"))


def _code_of(error: apsw.Error) -> int:
    """SQLite's extended result code; apsw's type hints do not know the attribute."""
    return int(getattr(error, "extendedresult", 0))


def _answer(group: list[_Waiting], outcomes: list[Any]) -> None:
    for (_, done), outcome in zip(group, outcomes, strict=True):
        if done.cancelled():
            continue
        if outcome is None:
            done.set_result(None)
        else:
            done.set_exception(outcome)

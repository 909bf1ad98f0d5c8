"""SQLite in the process: reads on the event loop's own connection, one writing connection that
puts many callers' batches into one disk sync (group commit).

Statements are applied on the event loop, a slice of time at a go: they are short, and two
threads would only pass the interpreter's lock to and fro between them. What waits or takes long
is done by a thread: COMMIT with its disk sync, large batches, another process's lock.

A refused batch is undone alone. Callers are answered only after COMMIT has returned with
`synchronous=FULL`, so what was answered survives a kill.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from eishro.db.compiled import Compiled, compile_read, compile_write
from eishro.db.database import DatabaseBusy, DatabaseDamaged
from eishro.db.sqlite_file import BUSY_SECONDS_MAX, DAMAGED, connect
from eishro.db.sqlite_log import Checkpointer
from eishro.db.statements import Batch, Query, Statement
from eishro.errors import Stale

T = TypeVar("T")

GROUP_BATCHES_MAX = 256  # batches in one commit; more would only lengthen the tail
GATHER_SECONDS = 0.005  # how long batches that have time wait for others
SLICE_SECONDS = 0.001  # how long the event loop applies statements before it looks at others
ANSWERED_IN_A_TURN = 8  # callers who go on after a commit before the loop looks at others
LOOP_ROWS_MAX = 400  # a batch of more rows is applied by the thread
CAREFUL_GROUPS_MAX = 32  # groups in a row that are written under savepoints
READER_CACHE_KIB = 32_000  # pages kept by each connection, besides the system's own cache
WRITER_CACHE_KIB = 12_000  # what a group touches; it seldom comes back to the same pages
QUEUE_BATCHES_MAX = 10_000  # batches waiting; beyond it callers are told to come back
READ_SECONDS_MAX = 1.0  # a read on the event loop that takes longer is a fault, and is cut off
_TAKEN = {apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY}
_STEPS_BETWEEN_LOOKS = 20_000  # virtual machine steps between looks at the clock


class SqliteDatabase:
    """The `Database` port on one SQLite file. Made inside a running event loop."""

    engine = "sqlite"

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reader = connect(path, READER_CACHE_KIB)
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
        await self._writer.close()
        self._reader.close()

    def _read(self, query: Query[T], values: dict[str, object]) -> list[T]:
        read = compile_read(query, "sqlite")
        self._read_until = time.monotonic() + READ_SECONDS_MAX
        try:
            rows = self._cursor.execute(read.text, read.bind(values)).fetchall()
        except (apsw.InterruptError, apsw.BusyError) as error:
            raise DatabaseBusy() from error
        except DAMAGED as error:
            raise DatabaseDamaged(str(error)) from error
        return [read.row(row) for row in rows]

    def _too_long(self) -> bool:
        return time.monotonic() > self._read_until


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
_Outcomes = list[Exception | None]


class _Writer:
    """Owns the writing connection; one group is open at a time."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connect(path, WRITER_CACHE_KIB)
        self._cursor = self._connection.cursor()
        self._loop = loop
        self._waiting: deque[_Waiting] = deque()
        self._start: asyncio.TimerHandle | None = None  # when only what has time waits
        self._thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._checkpointer = Checkpointer(path, self._connection)
        self._work: asyncio.Task[None] | None = None
        self._closed = False
        self._careful = 0  # so many groups are still written under savepoints
        self._careful_next = 1  # and so many after the next that held a refused batch

    def submit(self, work: _Work) -> "asyncio.Future[None]":
        """Queue the work; the future is done when it is durable or refused."""
        if self._closed or len(self._waiting) >= QUEUE_BATCHES_MAX:
            raise DatabaseBusy()
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((work, done))
        if self._work is None:
            self._begin_soon()
        return done

    def _begin_soon(self) -> None:
        """Write what waits: now, or when more may have come where all of it has time."""
        if self._is_pressed():
            self._begin_now()
        elif self._start is None:
            self._start = self._loop.call_later(GATHER_SECONDS, self._begin_now)

    def _begin_now(self) -> None:
        if self._start is not None:
            self._start.cancel()
            self._start = None
        self._work = self._loop.create_task(self._run())

    def _is_pressed(self) -> bool:
        return self._closed or not all(_has_time(work) for work, _ in self._waiting)

    async def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        if not self._closed:
            self._closed = True
            if self._start is not None:
                self._begin_now()
            if self._work is not None:
                await asyncio.wait([self._work])
            self._thread.shutdown()
            self._checkpointer.close()
            self._connection.close()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._write_group()
                await self._checkpointer.catch_up()
                if self._checkpointer.is_rest_due:
                    self._checkpointer.is_rest_due = False
                    await self._in_thread(self._begin_log_anew)
                if not self._is_pressed():
                    break  # what is left may gather
        finally:
            self._work = None
            if self._waiting:
                self._begin_soon()

    async def _write_group(self) -> None:
        """Apply what waits in one transaction and answer everyone in it.

        Refusals are rare, and a savepoint costs a copy of every page a batch touches. So the
        group is first written without any; if a batch is refused, all of it is rolled back
        and written again under savepoints. So are the next ones, twice as many whenever that did
        not help: the last piece of something wanted is refused in every group for a while.
        """
        group: list[_Waiting] = []
        try:
            outcomes = await self._apply_group(group)
        except Exception as error:  # noqa: BLE001 - whatever failed, everyone must hear of it
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")
            failure = DatabaseBusy() if isinstance(error, apsw.Error) else error
            failure.__cause__ = error
            outcomes = [failure] * len(group)
        await _answer(group, outcomes)

    async def _apply_group(self, group: list[_Waiting]) -> _Outcomes:
        """Moves what it takes on from the queue to `group`."""
        group.append(self._waiting.popleft())
        await self._begin()
        if not self._careful:
            try:
                await self._apply_each(group, self._apply_all)
                await self._in_thread(self._cursor.execute, "COMMIT")
                self._careful_next = 1
                return [None] * len(group)
            except _REFUSALS as error:
                self._cursor.execute("ROLLBACK")
                if len(group) == 1:
                    return [_reason(error)]
                self._careful = self._careful_next
                self._careful_next = min(2 * self._careful_next, CAREFUL_GROUPS_MAX)
                await self._begin()
        self._careful -= 1
        outcomes = await self._apply_each(group, self._apply_alone)
        await self._in_thread(self._cursor.execute, "COMMIT")
        return outcomes

    async def _begin(self) -> None:
        try:
            self._connection.set_busy_timeout(0)
            self._cursor.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:  # another process writes: wait where nobody else waits
            self._connection.set_busy_timeout(int(BUSY_SECONDS_MAX * 1000))
            await self._in_thread(self._cursor.execute, "BEGIN IMMEDIATE")

    async def _apply_each(
        self, group: list[_Waiting], apply: Callable[[_Work], Exception | None]
    ) -> _Outcomes:
        """One outcome for each of the group, which whoever comes meanwhile joins."""
        outcomes: _Outcomes = []
        until = time.perf_counter() + SLICE_SECONDS
        while True:
            while len(outcomes) < len(group):
                work, _ = group[len(outcomes)]
                if _is_long(work):
                    outcomes.append(await self._in_thread(apply, work))
                else:
                    outcomes.append(apply(work))
                if time.perf_counter() > until:
                    await asyncio.sleep(0)
                    until = time.perf_counter() + SLICE_SECONDS
            if not self._waiting or len(group) >= GROUP_BATCHES_MAX:
                return outcomes
            group.append(self._waiting.popleft())

    async def _in_thread(self, act: Callable[..., T], *values: Any) -> T:
        return await self._loop.run_in_executor(self._thread, act, *values)

    def _begin_log_anew(self) -> None:
        """Move the rest of the log; not while another process reads from it."""
        self._connection.set_busy_timeout(0)
        with contextlib.suppress(apsw.Error):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)

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
        """Apply the work; raises one of `_REFUSALS`."""
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


def _has_time(work: _Work) -> bool:
    return isinstance(work, Batch) and work.has_time


def _is_long(work: _Work) -> bool:
    return isinstance(work, str) or sum(len(s.values) for s in work) > LOOP_ROWS_MAX


async def _answer(group: list[_Waiting], outcomes: _Outcomes) -> None:
    """Let those who wait go on, a few in each turn of the loop: what they still do (reply, take
    the next request) would otherwise run as one piece, and a reader would wait for all of it.
    """
    for number, ((_, done), outcome) in enumerate(zip(group, outcomes, strict=True), 1):
        if done.cancelled():
            continue
        if outcome is None:
            done.set_result(None)
        else:
            done.set_exception(outcome)
        if number % ANSWERED_IN_A_TURN == 0:
            await asyncio.sleep(0)

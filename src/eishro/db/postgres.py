"""PostgreSQL through asyncpg: one transaction a batch, deadlocks retried.

No session state is ever set, so the pool's reset between users is a no-op.
"""

import asyncio
import random
from typing import Any, TypeVar

import asyncpg

from eishro.db.compiled import compile_read, compile_write
from eishro.db.database import CommitUnknown, DatabaseBusy
from eishro.db.statements import Batch, Query, Statement
from eishro.errors import Stale

T = TypeVar("T")

POOL_MAX = 20
ACQUIRE_SECONDS_MAX = 10.0
STATEMENT_SECONDS_MAX = 10.0
TRIES_MAX = 6  # of a batch that met a deadlock

_BROKEN = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)
_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class PostgresDatabase:
    """The `Database` port on a PostgreSQL server; `await PostgresDatabase.open(url)`."""

    engine = "postgresql"

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, pool_max: int = POOL_MAX) -> "PostgresDatabase":
        """Connect.

        Raises:
            DatabaseBusy: the server is away or refuses us.
        """
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=pool_max,
                command_timeout=STATEMENT_SECONDS_MAX,
                statement_cache_size=500,
                max_inactive_connection_lifetime=300.0,
                reset=_nothing_to_reset,
                server_settings={"application_name": "eishro"},
            )
        except (*_BROKEN, asyncpg.PostgresError) as error:
            raise DatabaseBusy() from error
        return cls(pool)

    async def one(self, query: Query[T], **values: object) -> T | None:
        rows = await self.all(query, **values)
        if len(rows) > 1:
            raise ValueError("one() found more than one row")
        return rows[0] if rows else None

    async def all(self, query: Query[T], **values: object) -> list[T]:
        read = compile_read(query, "postgresql")
        try:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection:
                rows = await connection.fetch(read.text, *read.bind(values))
        except (*_BROKEN, asyncpg.QueryCanceledError) as error:
            raise DatabaseBusy() from error
        return [read.row(row) for row in rows]

    async def commit(self, batch: Batch) -> None:
        for attempt in range(TRIES_MAX):
            try:
                await self._commit_once(batch)
            except _AGAIN as error:
                if attempt + 1 == TRIES_MAX:
                    raise DatabaseBusy() from error
                # Two batches met; they part by waiting unequally long.
                await asyncio.sleep(random.uniform(0.001, 0.01) * 2**attempt)
            else:
                return

    async def run_script(self, script: str) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            # One migration at a time, whoever starts it (the number is arbitrary but fixed).
            await connection.execute("SELECT pg_advisory_xact_lock(7301415)")
            await connection.execute(script, timeout=600)

    async def aclose(self) -> None:
        await self._pool.close()

    async def _commit_once(self, batch: Batch) -> None:
        committing = False
        try:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection:
                await connection.execute("BEGIN")
                try:
                    for statement in batch:
                        await _apply(connection, statement)
                    committing = True
                    await connection.execute("COMMIT")
                except BaseException:
                    if not connection.is_closed() and connection.is_in_transaction():
                        await connection.execute("ROLLBACK")
                    raise
        except _BROKEN as error:
            raise (CommitUnknown() if committing else DatabaseBusy()) from error


async def _nothing_to_reset(_: Any) -> None:
    """No statement here changes the session, so there is nothing to undo."""


async def _apply(connection: Any, statement: Statement) -> None:
    write = compile_write(statement.write, "postgresql")
    if statement.rows is None and len(statement.values) > 1:
        try:
            await connection.executemany(write.text, [write.bind(v) for v in statement.values])
        except asyncpg.ForeignKeyViolationError as error:
            raise Stale() from error
        return
    for values in statement.values:
        try:
            tag = await connection.execute(write.text, *write.bind(values))
        except asyncpg.UniqueViolationError as error:
            raise (statement.taken or error) from error
        except asyncpg.ForeignKeyViolationError as error:
            raise Stale() from error
        if statement.rows is not None and int(tag.rsplit(" ", 1)[-1]) != statement.rows:
            raise statement.otherwise or ValueError(f"guard failed: {write.text}")

"""PostgreSQL through asyncpg: a batch, and others that wait with it, in one statement where that
means the same; else one transaction with a round trip for each statement. Deadlocks are retried.

No session state is ever set, so a connection is handed on as it is. Connections act as the role
of migration 0004, whose policies show it the rows of the stores that a statement names
(db/tenancy.py); only `run_script` works as the user of the URL, who owns the tables.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import asyncpg

from eishro.db.compiled import CompiledRead, compile_read, compile_write
from eishro.db.database import CommitUnknown, DatabaseBusy, DatabaseDamaged
from eishro.db.postgres_groups import Groups
from eishro.db.postgres_plan import Bound, Plans
from eishro.db.postgres_pool import Connection, Connections
from eishro.db.postgres_reads import SharedRead
from eishro.db.statements import Batch, Query, Statement
from eishro.db.tenancy import EVERY_STORE, ROLE, is_of_stores, named, store_value
from eishro.errors import Stale

T = TypeVar("T")

POOL_MAX = 20
STATEMENT_SECONDS_MAX = 10.0
TRIES_MAX = 6  # of a batch that met a deadlock
REFUSED = "ES001"  # raised by `eishro_refuse`

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
# What statement by statement finds out: whose rule was broken, and by which of them.
_ASK_EACH = (asyncpg.IntegrityConstraintViolationError, asyncpg.CardinalityViolationError)

# Whether migration 0004 has been here, and whether the URL's user may act as its role.
_HAS_ROW_SECURITY = """SELECT EXISTS (
    SELECT FROM pg_class WHERE relforcerowsecurity AND relnamespace = (
        SELECT oid FROM pg_namespace WHERE nspname = current_schema()
    )
)"""
_MAY_ACT_AS = "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1"
_EVERY_STORE = f"SELECT set_config('eishro.stores', '{EVERY_STORE}', true)"


class PostgresDatabase:
    """The `Database` port on a PostgreSQL server; `await PostgresDatabase.open(url)`."""

    engine = "postgresql"

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._plans = Plans()
        self._groups = Groups(self._commit_together)
        self._shared: dict[Query[Any], SharedRead] = {}

    @classmethod
    async def open(cls, url: str, *, pool_max: int = POOL_MAX) -> "PostgresDatabase":
        """Connect.

        Raises:
            DatabaseBusy: the server is away or refuses us.
            DatabaseDamaged: the URL's user may not act as the role that the tables are made for.
        """
        db = cls(Connections(url, pool_max, STATEMENT_SECONDS_MAX))
        try:
            async with db._own_connection() as connection:
                await db._find_role(connection)
            async with db._connection():
                return db
        except (*_BROKEN, asyncpg.PostgresError) as error:
            raise DatabaseBusy() from error

    async def one(self, query: Query[T], **values: object) -> T | None:
        rows = await self._read(query, values)
        if len(rows) > 1:
            raise ValueError("one() found more than one row")
        return rows[0] if rows else None

    async def all(self, query: Query[T], **values: object) -> list[T]:
        return await self._read(query, values)

    async def commit(self, batch: Batch) -> None:
        bound = self._plans.bind(batch)
        if bound is not None and await self._groups.commit(bound):
            return
        for attempt in range(TRIES_MAX):
            try:
                await self._commit_alone(batch, bound)
            except _AGAIN as error:
                if attempt + 1 == TRIES_MAX:
                    raise DatabaseBusy() from error
                # Two batches met; they part by waiting unequally long.
                await asyncio.sleep(random.uniform(0.001, 0.01) * 2**attempt)
            else:
                return

    async def run_script(self, script: str) -> None:
        async with self._own_connection() as connection:
            async with connection.transaction():
                # One migration at a time, whoever starts it (the number is arbitrary but fixed).
                await connection.execute("SELECT pg_advisory_xact_lock(7301415)")
                await connection.execute(_EVERY_STORE)  # owners are shown no more than others
                await connection.execute(script, timeout=600)
            await self._find_role(connection)

    async def aclose(self) -> None:
        await self._groups.aclose()
        for shared in [*self._shared.values()]:
            await shared.aclose()
        await self._connections.aclose()

    async def _read(self, query: Query[T], values: dict[str, object]) -> list[T]:
        read = compile_read(query, "postgresql")
        bound = read.bind(values)
        rows = await self._read_together(query, read, bound) if query.together else None
        if rows is None:
            rows = await self._fetch(read.text, bound)
        return [read.row(row) for row in rows]

    async def _read_together(
        self, query: Query[T], read: CompiledRead, bound: list[object]
    ) -> list[Any] | None:
        shared = self._shared.get(query)
        if shared is None:
            shared = self._shared[query] = SharedRead(read, self._fetch)
        return await shared.ask(bound)

    async def _fetch(self, text: str, bound: list[object]) -> list[Any]:
        try:
            async with self._connection() as connection:
                rows: list[Any] = await connection.fetch(text, *bound)
        except (*_BROKEN, asyncpg.QueryCanceledError) as error:
            raise DatabaseBusy() from error
        return rows

    async def _commit_together(self, group: list[Bound]) -> bool:
        try:
            await self._apply_in_one(group)
        except asyncpg.PostgresError as error:
            # Nothing was applied. Where it is not plain who is the reason, each finds out alone.
            refusal = _refusal_of(group[0], error) if len(group) == 1 else None
            if refusal is None:
                return False
            raise refusal from None
        return True

    async def _apply_in_one(self, group: list[Bound]) -> None:
        plan = group[0].plan
        sent = False
        try:
            async with self._connection() as connection:
                sent = True
                await connection.fetchval(plan.text, *plan.parameters(group))
        except asyncpg.QueryCanceledError as error:
            raise DatabaseBusy() from error
        except _BROKEN as error:
            raise (CommitUnknown() if sent else DatabaseBusy()) from error

    async def _commit_alone(self, batch: Batch, bound: Bound | None) -> None:
        """After a group failed, or where there is no plan; finds out which statement refuses."""
        if bound is not None:
            try:
                await self._apply_in_one([bound])
            except _ASK_EACH:
                pass
            except asyncpg.PostgresError as error:
                if error.sqlstate != REFUSED:
                    raise
            else:
                return
        await self._commit_each(batch)

    async def _commit_each(self, batch: Batch) -> None:
        committing = False
        try:
            async with self._connection() as connection:
                await connection.execute(f"BEGIN; {_naming(batch)}")
                try:
                    for statement in batch:
                        await _apply(connection, statement)
                    committing = True
                    await connection.execute("COMMIT")
                except Exception:
                    if not connection.is_closed() and connection.is_in_transaction():
                        await connection.execute("ROLLBACK")
                    raise
        except _BROKEN as error:
            raise (CommitUnknown() if committing else DatabaseBusy()) from error

    async def _find_role(self, connection: Connection) -> None:
        """Before migration 0004 there is no role to act as, and nothing but `migrate` works."""
        if not await connection.fetchval(_HAS_ROW_SECURITY):
            self._connections.act_as(None)
            return
        if not await connection.fetchval(_MAY_ACT_AS, ROLE):
            raise DatabaseDamaged(f"the user of the URL is no member of the role {ROLE}")
        self._connections.act_as(ROLE)

    @contextlib.asynccontextmanager
    async def _own_connection(self) -> AsyncIterator[Connection]:
        connection = await self._connections.open_own()
        try:
            yield connection
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._connections.take()
        try:
            yield connection
        except Exception:
            self._connections.give(connection)
            raise
        except BaseException:  # cut off: who knows what the connection still waits for
            self._connections.drop(connection)
            raise
        else:
            self._connections.give(connection)


def _naming(batch: Batch) -> str:
    """A statement that names the stores of the batch; it goes along with its BEGIN."""
    stores: set[object] = set()
    for statement in batch:
        write = statement.write
        if not is_of_stores(write):
            continue
        name = store_value(write, compile_write(write, "postgresql").names)
        if name is None:
            return _EVERY_STORE
        stores.update(values[name] for values in statement.values)
    return f"SELECT set_config('eishro.stores', '{named(stores)}', true)"


def _refusal_of(bound: Bound, error: asyncpg.PostgresError) -> Exception | None:
    """What the error of `eishro_refuse` means."""
    if error.sqlstate != REFUSED:
        return None
    statement = bound.plan.refused(bound.batch, int(error.args[0]))
    return None if statement is None else _refusal(statement)


def _refusal(statement: Statement) -> Exception:
    text = compile_write(statement.write, "postgresql").text
    return statement.otherwise or ValueError(f"guard failed: {text}")


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
            raise _refusal(statement)

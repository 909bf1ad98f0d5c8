"""Connections to a PostgreSQL server, handed out one user at a time.

asyncpg's own pool takes a task, a proxy and a reset for every use, which costs more than a small
read. Here a connection is handed over as it is: nothing that we send changes its session. One
that broke, grew old or whose user was cut off in the middle is closed instead of handed on.

They act as `role` from their first moment; `open_own` is the door of the URL's own user.
"""

import asyncio
from collections import deque
from typing import Any

import asyncpg

Connection = Any  # asyncpg.Connection; its stubs know less than it does

ACQUIRE_SECONDS_MAX = 10.0
CONNECTION_SECONDS_MAX = 1800.0  # a backend's memory grows with the plans it keeps
STATEMENTS_KEPT = 500  # prepared by each connection
STATEMENT_LENGTH_MAX = 200_000  # of a text that is kept prepared

_SETTINGS = {
    "application_name": "eishro",
    # Compiling a plan to machine code takes longer than any of ours runs.
    "jit": "off",
    # Plans, those of foreign keys too, are made when a connection first needs them and kept. One
    # that reads a whole table because it is still empty would do so for as long as it is kept.
    "enable_seqscan": "off",
}


class Connections:
    """At most `size_max` connections, opened when they are needed, the last used first."""

    def __init__(self, url: str, size_max: int, statement_seconds_max: float) -> None:
        self._url = url
        self._size_max = size_max
        self._statement_seconds_max = statement_seconds_max
        self._size = 0
        self._idle: list[Connection] = []
        self._ages: dict[Connection, float] = {}
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closing = False
        self._role: str | None = None

    async def open_own(self) -> Connection:
        """A connection of the URL's own user, outside the pool; the caller closes it.

        Raises:
            OSError, asyncpg.PostgresError: the server is away or refuses us.
        """
        return await self._connect(_SETTINGS)

    def act_as(self, role: str | None) -> None:
        """From now on connections act as `role` (None: as the URL's user)."""
        if role == self._role:
            return
        self._role = role
        # Those in use are closed when they come back.
        self._ages = dict.fromkeys(self._ages, -CONNECTION_SECONDS_MAX)
        for connection in [*self._idle]:
            self._idle.remove(connection)
            self.drop(connection)

    async def take(self) -> Connection:
        """A connection of one's own until `give` or `drop`.

        Raises:
            TimeoutError: all are in use for too long.
            OSError, asyncpg.PostgresError: the server is away or refuses us.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget(connection)
        if self._size < self._size_max:
            return await self._open()
        return await self._wait()

    def give(self, connection: Connection) -> None:
        """The connection is free again: for whoever waits longest."""
        if connection.is_closed() or self._closing:
            self.drop(connection)
            return
        if self._is_old(connection):
            self.drop(connection)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """Close the connection without waiting; its place is free."""
        connection.terminate()
        self._forget(connection)
        self._invite()

    async def aclose(self) -> None:
        """Close idle connections; those in use are closed when they come back."""
        self._closing = True
        idle, self._idle = self._idle, []
        for connection in idle:
            self._forget(connection)
            await connection.close()

    async def _open(self) -> Connection:
        if self._closing:
            raise asyncpg.InterfaceError("the database is closed")
        self._size += 1
        try:
            settings = _SETTINGS if self._role is None else {**_SETTINGS, "role": self._role}
            connection = await self._connect(settings)
        except BaseException:
            self._size -= 1
            self._invite()
            raise
        self._ages[connection] = asyncio.get_running_loop().time()
        return connection

    async def _connect(self, settings: dict[str, str]) -> Connection:
        return await asyncpg.connect(
            self._url,
            timeout=ACQUIRE_SECONDS_MAX,
            command_timeout=self._statement_seconds_max,
            statement_cache_size=STATEMENTS_KEPT,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=STATEMENT_LENGTH_MAX,
            server_settings=settings,
        )

    async def _wait(self) -> Connection:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS_MAX):
                connection = await waiter
        except BaseException:
            # It may have come at the very moment at which we gave up.
            if waiter.done() and not waiter.cancelled():
                late = waiter.result()
                if late is None:
                    self._invite()
                else:
                    self.give(late)
            raise
        if connection is None or connection.is_closed():
            if connection is not None:
                self._forget(connection)
            return await self.take()
        return connection

    def _invite(self) -> None:
        """A place is free: whoever waits longest may open a connection of its own."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _is_old(self, connection: Connection) -> bool:
        now = asyncio.get_running_loop().time()
        return now - self._ages[connection] > CONNECTION_SECONDS_MAX

    def _forget(self, connection: Connection) -> None:
        if self._ages.pop(connection, None) is not None:
            self._size -= 1

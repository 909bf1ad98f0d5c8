"""Statements to a PostgreSQL server from an event loop in a thread of its own, on connections that
are kept: whoever stands inside another event loop may wait for them."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")


class Clerk:
    """Keeps one connection for each URL; `settings` hold for all of them."""

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self._connections: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._busy = threading.Lock()

    def execute(self, url: str, script: str) -> None:
        """One or more statements."""
        self._run(self._execute(url, script))

    def row(self, url: str, query: str) -> list[Any]:
        """The only row of the answer."""
        return self._run(self._row(url, query))

    def hang_up(self, url: str | None = None) -> None:
        """Let go of this connection, or of all."""
        if self._connections:
            self._run(self._hang_up(url))

    def close(self) -> None:
        """Let go of everything, the thread too; it begins anew when it is needed."""
        self.hang_up()
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    async def _execute(self, url: str, script: str) -> None:
        await (await self._connection(url)).execute(script)

    async def _row(self, url: str, query: str) -> list[Any]:
        return [*await (await self._connection(url)).fetchrow(query)]

    async def _connection(self, url: str) -> Any:
        found = self._connections.get(url)
        if found is None or found.is_closed():
            found = await asyncpg.connect(url, server_settings=self._settings)
            self._connections[url] = found
        return found

    async def _hang_up(self, url: str | None) -> None:
        for each in [*self._connections] if url is None else [url]:
            connection = self._connections.pop(each, None)
            if connection is not None:
                connection.terminate()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        with self._busy:  # a connection takes one statement at a time
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="clerk", daemon=True
                )
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()

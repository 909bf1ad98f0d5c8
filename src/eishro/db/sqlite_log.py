"""SQLite's log of what was written, whose pages move into the file beside the writers."""

import asyncio
import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import apsw

from eishro.db.sqlite_file import connect
from eishro.priority import give_way

PAGES = 4_000  # of 4 KiB: how long the log grows before its pages move into the file
PAGES_MAX = 25_000  # 100 MB: writers wait for the pages to be moved
REST_PAGES = 200  # so few are moved while the writers wait
CHECKPOINTS_MAX = 5  # in a row, each of what came while the one before it ran


class Checkpointer:
    """Moves the log's pages into the file beside the writers.

    Done within COMMIT, it would let everybody wait for tens of milliseconds, several times a
    second under load. A thread moves them while groups go on being written; what came meanwhile is
    moved again, until so little is left that the writer can finish it between two groups, and
    begin the log anew. The thread gives way to requests: on one core that has no time left it would
    never end, so a log of `PAGES_MAX` stops the writers until it has.
    """

    def __init__(self, path: Path, writer: apsw.Connection) -> None:
        self._connection = connect(path, cache_kib=100)
        self._thread = ThreadPoolExecutor(1, "sqlite-checkpointer", initializer=give_way)
        self._work: Future[None] | None = None
        self._pages = 0  # in the log
        self.is_rest_due = False
        writer.set_wal_hook(self._grown)

    def close(self) -> None:
        """Wait for the thread, and let go of the file."""
        self._thread.shutdown(cancel_futures=True)
        self._connection.close()

    def _grown(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """Called after each COMMIT, by whoever did it; `pages` are in the log."""
        self._pages = pages
        if pages >= PAGES and (self._work is None or self._work.done()):
            self._work = self._thread.submit(self._move)
        return apsw.SQLITE_OK

    async def catch_up(self) -> None:
        """Wait for the thread where the log has grown too long beside it."""
        if self._pages >= PAGES_MAX and self._work is not None and not self._work.done():
            await asyncio.wait([asyncio.wrap_future(self._work)])

    def _move(self) -> None:
        with contextlib.suppress(apsw.Error):  # the log stays, and the next COMMIT asks again
            for _ in range(CHECKPOINTS_MAX):
                pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if pages - moved <= REST_PAGES:
                    break
            self.is_rest_due = True

"""A database for work that has time: after each read others get their turn of the event loop.

SQLite answers a read at once, so that a flow of ten reads would hold everybody from its first one
to its commit.
"""

import asyncio
from typing import TypeVar

from eishro.db.database import Database
from eishro.db.statements import Batch, Query

T = TypeVar("T")


class UnhurriedDatabase:
    """The `Database` behind it, with pauses."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.engine = db.engine

    async def one(self, query: Query[T], **values: object) -> T | None:
        """As the database behind it, and then a pause."""
        row = await self._db.one(query, **values)
        await asyncio.sleep(0)
        return row

    async def all(self, query: Query[T], **values: object) -> list[T]:
        """As the database behind it, and then a pause."""
        rows = await self._db.all(query, **values)
        await asyncio.sleep(0)
        return rows

    async def commit(self, batch: Batch) -> None:
        """As the database behind it."""
        await self._db.commit(batch)

    async def run_script(self, script: str) -> None:
        """As the database behind it."""
        await self._db.run_script(script)

    async def aclose(self) -> None:
        """Close the database behind it."""
        await self._db.aclose()

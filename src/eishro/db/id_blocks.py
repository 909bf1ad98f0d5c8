"""Integer ids made before the batch: each process reserves blocks of them.

A block is reserved by a guarded batch on `id_blocks`; numbers left in a block at shut-down are
never used. Gaps are fine, repeats are impossible.
"""

import asyncio

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Batch, Query, Write, insert_once
from eishro.db.types import Int, Text
from eishro.errors import Stale

BLOCK = 100

id_blocks = table(
    "id_blocks",
    sa.Column("name", Text, primary_key=True),
    sa.Column("next_id", Int, nullable=False),
    with_rowid=False,
)

_NEXT = Query(sa.select(id_blocks.c.next_id).where(id_blocks.c.name == sa.bindparam("name")), int)
_OPEN = Write(insert_once(id_blocks))
_RESERVE = Write(
    sa.update(id_blocks)
    .where(id_blocks.c.name == sa.bindparam("key"), id_blocks.c.next_id == sa.bindparam("seen"))
    .values(next_id=sa.bindparam("after"))
)


class IntegerIds:
    """Gives integer ids by name (`products`, `stores` …), unique across processes."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._free: dict[str, tuple[int, int]] = {}
        self._lock = asyncio.Lock()

    async def next(self, name: str) -> int:
        """One fresh id, above 0."""
        async with self._lock:
            following, end = self._free.get(name, (0, 0))
            if following == end:
                following = await self._reserve(name)
                end = following + BLOCK
            self._free[name] = (following + 1, end)
            return following

    async def several(self, name: str, count: int) -> list[int]:
        """`count` fresh ids in growing order."""
        return [await self.next(name) for _ in range(count)]

    async def _reserve(self, name: str) -> int:
        while True:
            seen = await self._db.one(_NEXT, name=name)
            if seen is None:
                await self._db.commit(Batch(_OPEN(name=name, next_id=1)))
                continue
            try:
                await self._db.commit(
                    Batch(_RESERVE(key=name, seen=seen, after=seen + BLOCK).guarded(Stale()))
                )
            except Stale:
                continue  # another process took this block
            return seen

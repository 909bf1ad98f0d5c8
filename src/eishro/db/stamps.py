"""Numbers that only ever grow for each name, across processes and restarts.

A gateway wants each call of a terminal stamped with a later time than the last one; the row is
advanced by compare-and-set before the call is made, so a stamp is never given twice.
"""

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Batch, Query, Write, insert_once
from eishro.db.types import Int, Text
from eishro.errors import Stale

stamps = table(
    "stamps",
    sa.Column("name", Text, primary_key=True),
    sa.Column("last", Int, nullable=False),
    with_rowid=False,
)

_LAST = Query(sa.select(stamps.c.last).where(stamps.c.name == sa.bindparam("name")), int)
_OPEN = Write(insert_once(stamps))
_ADVANCE = Write(
    sa.update(stamps)
    .where(stamps.c.name == sa.bindparam("key"), stamps.c.last == sa.bindparam("seen"))
    .values(last=sa.bindparam("after"))
)


class DatabaseStamps:
    """The `Stamps` port of payments on the shop's own database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def next(self, name: str, at_least: int) -> int:
        """The larger of `at_least` and one more than the last number given for `name`."""
        while True:
            last = await self._db.one(_LAST, name=name)
            try:
                if last is None:
                    stamp = at_least
                    await self._db.commit(Batch(_OPEN(name=name, last=stamp).guarded(Stale())))
                else:
                    stamp = max(at_least, last + 1)
                    await self._db.commit(
                        Batch(_ADVANCE(key=name, seen=last, after=stamp).guarded(Stale()))
                    )
            except Stale:
                continue
            return stamp

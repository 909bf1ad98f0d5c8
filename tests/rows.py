"""How many rows each table has: what is refused, or sent again, adds none anywhere."""

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import METADATA
from eishro.db.statements import Query

_TABLES = METADATA.sorted_tables


def _by_table(*counts: int) -> dict[str, int]:
    return {table.name: count for table, count in zip(_TABLES, counts, strict=True)}


# All in one statement: some tests count after each of hundreds of requests.
_COUNTS = Query(
    sa.select(
        *(
            sa.select(sa.func.count()).select_from(table).scalar_subquery().label(table.name)
            for table in _TABLES
        )
    ),
    _by_table,
    across_stores=True,
)


async def count_rows(db: Database, *left_out: str) -> dict[str, int]:
    """By table, of every store; without the tables that are left out."""
    counts = await db.one(_COUNTS)
    assert counts is not None
    return {table: count for table, count in counts.items() if table not in left_out}

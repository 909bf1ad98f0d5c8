"""Tables that only a D1 database has: the guard of batches, counters, slugs of all places.

They are no part of the line of revisions: `tools/d1_migrations.py` writes them in front of it.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from eishro.db.types import Int, Moment, Text

EDGE_METADATA = sa.MetaData()
GUARDS_MAX = 500  # guarded statements in one batch

# Nothing is ever kept here: a guard inserts its position only where the statement before it
# touched the wrong number of rows, and then the check of that very position fails, which undoes
# the batch and says in its name which statement it was.
edge_guards = sa.Table(
    "edge_guards",
    EDGE_METADATA,
    sa.Column("position", sa.Integer, nullable=False),
    *(
        sa.CheckConstraint(f"position <> {position}", name=f"guard_{position}")
        for position in range(GUARDS_MAX)
    ),
    sqlite_strict=True,
)

edge_counters = sa.Table(
    "edge_counters",
    EDGE_METADATA,
    sa.Column("key", Text, primary_key=True),
    sa.Column("value", Int, nullable=False),
    sa.Column("ends_at", Moment, nullable=False),
    sa.Index("ix_edge_counters_ends_at", "ends_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Which place a store's slug leads to, kept at home alone: slugs are one of a kind in all places.
edge_slugs = sa.Table(
    "edge_slugs",
    EDGE_METADATA,
    sa.Column("slug", Text, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("place", Text, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)


def edge_schema() -> list[str]:
    """The statements that make these tables on an empty D1 database."""
    dialect = sqlite.dialect()
    made = [
        str(CreateTable(table).compile(dialect=dialect)).strip()
        for table in EDGE_METADATA.sorted_tables
    ]
    indexes = sorted(edge_counters.indexes, key=lambda index: str(index.name))
    made += [str(sa.schema.CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return made

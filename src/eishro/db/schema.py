"""One `MetaData` for all nouns, and `table()` that fixes what every table has in common."""

import sqlalchemy as sa

# Names of constraints are the same on every engine, so that migrations can speak of them.
METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *items: sa.schema.SchemaItem, with_rowid: bool = True) -> sa.Table:
    """A table in `METADATA`: STRICT on SQLite; `with_rowid=False` keeps rows in key order."""
    return sa.Table(name, METADATA, *items, sqlite_strict=True, sqlite_with_rowid=with_rowid)

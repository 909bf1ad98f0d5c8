"""Bringing a database to the schema of this code.

The revisions are rendered as SQL for the engine and applied in one transaction, the same text
that D1 gets. A database newer than the code is refused.
"""

import io
from importlib import resources

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.db.types import Text

_VERSION_TABLE = sa.table("alembic_version", sa.column("version_num", Text))
_VERSION = Query(sa.select(_VERSION_TABLE.c.version_num), str)
_HAS_TABLE = {
    "sqlite": Query(
        sa.select(sa.func.count()).select_from(
            sa.select(sa.column("name"))
            .select_from(sa.table("sqlite_master", sa.column("name")))
            .where(sa.column("name") == "alembic_version")
            .subquery("found")  # unnamed, it would ask for randomness at import
        ),
        int,
    ),
    "postgresql": Query(
        sa.select(sa.func.count())
        .select_from(sa.table("tables", sa.column("table_name"), schema="information_schema"))
        .where(
            sa.column("table_name") == "alembic_version",
            sa.column("table_schema") == sa.func.current_schema(),
        ),
        int,
    ),
}


class NewerThanCode(Exception):
    """The database was migrated by a later release; this one must not touch it."""


class NotMigrated(Exception):
    """The database is behind the code: run `eishro migrate`."""


def head() -> str:
    """The newest revision this code knows (revisions are files `NNNN_what.py`)."""
    names = [
        entry.name
        for entry in resources.files("eishro.db.migrations.versions").iterdir()
        if entry.name[:4].isdigit()
    ]
    return max(names)[:4]


async def current(db: Database) -> str | None:
    """The database's revision, or None if it is empty."""
    if not await db.one(_HAS_TABLE[db.engine]):
        return None
    return await db.one(_VERSION)


async def check(db: Database) -> None:
    """Refuse to work with a database of another schema.

    Raises:
        NewerThanCode, NotMigrated.
    """
    seen = await current(db)
    if seen is not None and seen > head():
        raise NewerThanCode(f"database is at {seen}, this code knows {head()}")
    if seen != head():
        raise NotMigrated(f"database is at {seen}, this code needs {head()}: run `eishro migrate`")


async def migrate(db: Database) -> tuple[str | None, str]:
    """Apply what is missing; the revisions before and after.

    Raises:
        NewerThanCode.
    """
    seen = await current(db)
    if seen is not None and seen > head():
        raise NewerThanCode(f"database is at {seen}, this code knows {head()}")
    if seen != head():
        await db.run_script(render(db.engine, seen))
    return seen, head()


def render(engine: str, since: str | None = None) -> str:
    """The SQL from revision `since` (None: from nothing) to the newest, for one engine."""
    from alembic import command
    from alembic.config import Config

    buffer = io.StringIO()
    config = Config(output_buffer=buffer)
    config.set_main_option("script_location", "eishro.db:migrations")
    config.attributes["dialect_name"] = engine
    command.upgrade(config, f"{since or 'base'}:head", sql=True)
    return buffer.getvalue()

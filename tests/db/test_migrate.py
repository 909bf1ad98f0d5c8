"""Migrations: the same line on both engines, ending in the schema that the code declares."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from eishro.db import migrate
from eishro.db.migrate import NewerThanCode, NotMigrated
from eishro.db.opening import open_database
from eishro.db.schema import METADATA
from eishro.web.api import ROUTES

pytestmark = pytest.mark.anyio

# Made by migration 0001 for one engine each, and kept by the engine itself.
_OWN_TABLES = {"alembic_version"}


def _differences(connection: sa.Connection) -> list[object]:
    assert ROUTES  # every noun's tables are imported through the doors

    def ours(item: object, name: str | None, kind: str, *_: object) -> bool:
        del item
        if kind == "table":
            return name not in _OWN_TABLES and not str(name).startswith("product_fts")
        return name not in ("document", "ix_product_search_document")

    context = MigrationContext.configure(connection, opts={"include_object": ours})
    return list(compare_metadata(context, METADATA))


async def test_the_migrated_schema_is_the_declared_one(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        engine = sa.create_engine(database_url)
        with engine.connect() as connection:
            assert _differences(connection) == []
        engine.dispose()
        return
    asynchronous = create_async_engine(
        database_url.replace("postgresql://", "postgresql+asyncpg://")
    )
    async with asynchronous.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await asynchronous.dispose()


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    db = await open_database(database_url)
    assert await migrate.migrate(db) == (migrate.head(), migrate.head())
    await migrate.check(db)
    await db.aclose()


async def test_a_database_newer_than_the_code_is_refused(database_url: str) -> None:
    db = await open_database(database_url)
    await db.run_script("UPDATE alembic_version SET version_num = '9999'")
    for attempt in (migrate.migrate(db), migrate.check(db)):
        with pytest.raises(NewerThanCode):
            await attempt
    await db.aclose()


async def test_an_empty_database_is_named_and_not_served(tmp_path: Path) -> None:
    db = await open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(NotMigrated, match="eishro migrate"):
        await migrate.check(db)
    await asyncio.gather(migrate.migrate(db))
    await migrate.check(db)
    await db.aclose()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_rendered_sql_leaves_transactions_to_the_runner(engine: str) -> None:
    lines = [line.strip().upper() for line in migrate.render(engine).splitlines()]
    assert not {"BEGIN;", "COMMIT;"} & set(lines)
    assert not any(line.startswith("SAVEPOINT") for line in lines)

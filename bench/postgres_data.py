"""The same rows in PostgreSQL: EISHRO's schema by its own migrations, filled from SQLite's file."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg

from bench.postgres import Postgres
from eishro.db.migrate import migrate
from eishro.db.opening import open_database

TEMPLATE = "bench_template"


def fill(server: Postgres, source: Path) -> None:
    """Make the database `TEMPLATE` with every row of the SQLite file."""
    server.run(f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(_fill(server.url_of(TEMPLATE), source))
    server.run("CHECKPOINT")


async def _fill(url: str, source: Path) -> None:
    database = await open_database(url)
    try:
        await migrate(database)
    finally:
        await database.aclose()
    connection = await asyncpg.connect(url)
    try:
        with closing(sqlite3.connect(source)) as rows:
            async with connection.transaction():
                # Tables come in no order here, so references are checked by nobody: the rows
                # have passed the same references in SQLite.
                await connection.execute("SET LOCAL session_replication_role = replica")
                for table, columns in await _tables(connection):
                    await _copy(connection, rows, table, columns)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _tables(connection: asyncpg.Connection) -> list[tuple[str, list[str]]]:
    """Tables with the columns that are written, which leaves out what the server generates."""
    found = await connection.fetch(
        """SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) AS columns
        FROM information_schema.columns
        WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name NOT LIKE 'alembic%'
        GROUP BY table_name ORDER BY table_name"""
    )
    return [(row["table_name"], row["columns"]) for row in found]


async def _copy(
    connection: asyncpg.Connection, source: sqlite3.Connection, table: str, columns: list[str]
) -> None:
    there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    shared = [column for column in columns if column in there]
    if not shared:
        return  # a table of this engine alone
    names = ", ".join(f'"{column}"' for column in shared)
    rows = source.execute(f"SELECT {names} FROM {table}").fetchall()
    if not rows:
        return
    await connection.execute(f"DELETE FROM {table}")  # what migrations put there
    await connection.copy_records_to_table(table, records=rows, columns=shared)

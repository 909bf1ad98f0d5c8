"""The pool: nobody shares a connection, broken ones are not handed on, places are not lost."""

import asyncio

import asyncpg
import pytest

from eishro.db.postgres_pool import Connection, Connections

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

_PID = "SELECT pg_backend_pid()"


async def test_a_connection_has_one_user_and_there_are_no_more_than_allowed(
    database_url: str,
) -> None:
    pool = Connections(database_url, 3, 10)
    using: set[Connection] = set()
    seen: set[int] = set()

    async def use() -> None:
        connection = await pool.take()
        assert connection not in using
        using.add(connection)
        seen.add(await connection.fetchval(_PID))
        using.remove(connection)
        pool.give(connection)

    await asyncio.gather(*(use() for _ in range(100)))
    assert len(seen) <= 3
    await pool.aclose()


async def test_a_broken_connection_makes_room_for_a_new_one(database_url: str) -> None:
    pool = Connections(database_url, 1, 10)
    first = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    first.terminate()
    pool.give(first)
    second = await waiting
    assert await second.fetchval("SELECT 1") == 1
    pool.give(second)
    third = await pool.take()
    assert third is second
    pool.drop(third)
    fourth = await pool.take()
    assert await fourth.fetchval("SELECT 1") == 1
    pool.give(fourth)
    await pool.aclose()


async def test_who_stops_waiting_takes_no_place_along(database_url: str) -> None:
    pool = Connections(database_url, 1, 10)
    only = await pool.take()
    waiting = [asyncio.ensure_future(pool.take()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    pool.give(only)
    waiting[1].cancel()  # at the moment at which the connection was given to it
    assert await waiting[2] is only
    pool.give(only)
    assert await pool.take() is only
    pool.give(only)
    await pool.aclose()


async def test_a_server_that_refuses_leaves_the_place_free(database_url: str) -> None:
    pool = Connections(database_url.replace("postgres@", "nobody_known@"), 1, 10)
    for _ in range(2):
        with pytest.raises(asyncpg.PostgresError):
            await pool.take()
    await pool.aclose()


async def test_a_closed_pool_gives_nothing(database_url: str) -> None:
    pool = Connections(database_url, 2, 10)
    used = await pool.take()
    await pool.aclose()
    pool.give(used)
    assert used.is_closed()
    with pytest.raises(asyncpg.InterfaceError):
        await pool.take()

"""Sudden death under load: what was acknowledged is there, whole; what was not is there whole or
not at all; and whoever asks again gets what was done."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from eishro.db.audit import audit_records
from eishro.db.opening import open_database
from eishro.db.outbox import outbox
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders.sql import order_history, order_lines, orders
from eishro.domain.stock.sql import stock_movements
from tests.servers.postgres import Postgres
from tests.stories.command import Installation, ShopServer
from tests.stories.conftest import DATABASES
from tests.stories.people import Story, order_of

ROUNDS = 2
BUYERS = 12
SECONDS_OF_LOAD = (0.2, 1.2)
KEYS_MAX = 4_000


@pytest.fixture(params=DATABASES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShopServer]:
    """`eishro serve`; on PostgreSQL with two working processes."""
    settings, options, url = {}, [], None
    if request.param == "postgresql":
        database: Postgres = request.getfixturevalue("postgres")
        url = database.create_database()
        settings, options = {"EISHRO_DATABASE_URL": url}, ["--workers", "2"]
    installation = Installation(tmp_path, settings)
    migrated = installation.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    server = ShopServer(installation, "serve", *options)
    server.start()
    yield server
    server.stop()
    if url is not None:
        database.drop_database(url)


def test_every_acknowledged_order_survives_sudden_death(
    server: ShopServer, rng: random.Random
) -> None:
    story = Story(server.installation, server.url, server.url)
    store, merchant = story.open_store()
    products = [
        story.add_product(store, merchant, name=f"سلعة {number}", stock=100_000)
        for number in range(2)
    ]
    body = order_of(products[0])
    body["items"] = [{"productId": product["id"], "quantity": 1} for product in products]
    path = f"/api/stores/{store['id']}/orders"
    asked: list[str] = []
    acknowledged: dict[str, str] = {}
    for _ in range(ROUNDS):
        until_death = rng.uniform(*SECONDS_OF_LOAD)
        asyncio.run(buy_until_death(server, path, body, until_death, asked, acknowledged))
        server.start()
    story.close()
    assert len(acknowledged) > BUYERS
    counts = asyncio.run(count_rows(server.installation.database_url))
    assert set(counts) >= set(acknowledged.values())
    assert {order: found for order, found in counts.items() if found != WHOLE} == {}
    again = asyncio.run(ask_again(server, path, body, asked))
    assert {key: again[key] for key in acknowledged} == acknowledged
    assert len(set(again.values())) == len(asked)
    after = asyncio.run(count_rows(server.installation.database_url))
    assert set(after) == set(again.values())
    examined = server.installation.run("doctor")
    assert examined.returncode == 0, examined.stdout


PARTS: dict[str, tuple[sa.Table, sa.ColumnElement[str]]] = {
    "lines": (order_lines, order_lines.c.order_id),
    "movements": (stock_movements, stock_movements.c.subject_id),
    "ledger": (ledger_entries, ledger_entries.c.order_id),
    "history": (order_history, order_history.c.order_id),
    "audit": (audit_records, audit_records.c.subject_id),
    "events": (outbox, outbox.c.subject_id),
}
# What an order of two lines means in rows; the ledger takes receivable, sales and shipping.
WHOLE = {"lines": 2, "movements": 2, "ledger": 3, "history": 1, "audit": 1, "events": 1}


async def count_rows(database_url: str) -> dict[str, dict[str, int]]:
    """How many rows of each kind every order has."""
    db = await open_database(database_url)
    try:
        found = await db.all(
            Query(sa.select(orders.c.id).limit(2 * KEYS_MAX), str, across_stores=True)
        )
        counts: dict[str, dict[str, int]] = {order: {} for order in found}
        for part, (table, column) in PARTS.items():
            grouped = sa.select(column, sa.func.count()).where(column.in_(sa.select(orders.c.id)))
            if table is outbox:  # what is worked off leaves an event for each letter behind
                grouped = grouped.where(outbox.c.topic == "order.placed")
            rows: list[tuple[str, int]] = await db.all(
                Query(
                    grouped.group_by(column),
                    lambda order, count: (order, count),
                    across_stores=True,
                )
            )
            for order, count in rows:
                counts[order][part] = count
    finally:
        await db.aclose()
    return counts


async def buy_until_death(
    server: ShopServer,
    path: str,
    body: dict[str, Any],
    seconds: float,
    asked: list[str],
    acknowledged: dict[str, str],
) -> None:
    """Buyers order as fast as they can until the server dies under them."""
    dead = asyncio.Event()

    async def buy(client: httpx.AsyncClient) -> None:
        while not dead.is_set() and len(asked) < KEYS_MAX:
            key = f"order-{len(asked):06d}"
            asked.append(key)
            try:
                reply = await client.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                continue
            assert reply.status_code == 201, reply.text
            acknowledged[key] = reply.json()["data"]["id"]

    async def die() -> None:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(server.kill)
        dead.set()

    limits = httpx.Limits(max_connections=BUYERS)
    async with httpx.AsyncClient(
        base_url=server.url, timeout=10, trust_env=False, limits=limits
    ) as client:
        await asyncio.gather(die(), *(buy(client) for _ in range(BUYERS)))


async def ask_again(
    server: ShopServer, path: str, body: dict[str, Any], keys: list[str]
) -> dict[str, str]:
    """Every request once more with its key: the order that each of them made or makes now."""
    answers: dict[str, str] = {}
    waiting = iter(keys)

    async def ask(client: httpx.AsyncClient) -> None:
        for key in waiting:
            reply = await client.post(path, json=body, headers={"Idempotency-Key": key})
            assert reply.status_code == 201, reply.text
            answers[key] = reply.json()["data"]["id"]

    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        await asyncio.gather(*(ask(client) for _ in range(BUYERS)))
    return answers

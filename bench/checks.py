"""That all servers do the same work, and that what they acknowledged is in their databases.

A number is worth nothing beside a wrong answer, so every fault found here fails the run.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from bench.data import STOCK, VARIANTS, Goods
from bench.load import CONNECTIONS
from bench.servers import Server, get, post

_SAMPLE = 40  # products compared
_LINES = 3  # of every order, also of those in wrk/order.lua
# Members that must differ: made at random, or the time.
_OWN = {"id", "number", "accessToken", "createdAt", "updatedAt", "at", "expiresAt"}
_HEADERS = (
    "etag",
    "cache-control",
    "vary",
    "x-request-id",
    "x-content-type-options",
    "ratelimit-remaining",
)


class Tally(msgspec.Struct, frozen=True):
    """Orders of one server in one round: answered with success, and how many runs it took.

    `in_flight` is how many requests the load may have left unanswered when a run ended.
    """

    acknowledged: int
    runs: int
    in_flight: int = CONNECTIONS


def compare(one: Server, other: Server, goods: Goods) -> Iterator[str]:
    """Faults where two servers, on equal data, do not give the same answers.

    Places one order on each, unless `other` only reads.
    """
    dice = random.Random(goods.seed)
    paths = [f"/api/products/{dice.randint(1, goods.products)}" for _ in range(_SAMPLE)]
    paths += [f"/api/stores/{s}/products?limit=20" for s in range(1, goods.stores + 1)]
    paths += [f"/api/products/{10**9}"]
    if other.contender.is_whole:
        paths += ["/api/stores/bench-1/products?limit=20&page=2"]
    for path in paths:
        yield from _compare_read(one, other, path)
    if other.contender.is_whole:
        yield from _compare_order(one, other, goods)


def _compare_read(one: Server, other: Server, path: str) -> Iterator[str]:
    answers = [(server, *get(server.port, path)) for server in (one, other)]
    (_, status, _, body), (_, other_status, _, other_body) = answers
    if status != other_status:
        yield f"GET {path}: {one.name} answers {status}, {other.name} {other_status}"
        return
    if status != 200:
        return
    seen, expected = json.loads(body), json.loads(other_body)
    for member in ("success", "data", "pagination", "message"):
        where = f"{one.name}, {other.name}: GET {path}: {member}"
        yield from _differences(seen.get(member), expected.get(member), where)
    for server, _, headers, _ in answers:
        if server.contender.is_whole:
            yield from _check_headers(server, path, headers)


def _check_headers(server: Server, path: str, headers: dict[str, str]) -> Iterator[str]:
    for header in _HEADERS:
        if header not in headers:
            yield f"GET {path}: {server.name} sends no {header}"
    again = get(server.port, path, {"If-None-Match": headers.get("etag", "")})
    if again[0] != 304 or again[2]:
        yield f"GET {path}: {server.name} answers {again[0]}, not 304, to its own tag"


def _compare_order(one: Server, other: Server, goods: Goods) -> Iterator[str]:
    products = [1 + goods.stores * number for number in range(_LINES)]
    order = {
        "items": [
            {"productId": p, "variantId": p * VARIANTS, "quantity": position + 1}
            for position, p in enumerate(products)
        ],
        "customer": {"name": "سالم المبروك", "phone": "091-234 5678"},
        "shipping": {"city": "Benghazi", "address": "شارع الجمهورية"},
        "payment": {"method": "cod"},
    }
    bodies = []
    for server in (one, other):
        first = post(server.port, "/api/stores/1/orders", order, "compare")
        again = post(server.port, "/api/stores/1/orders", order, "compare")
        if first[0] != 201:
            yield f"POST order: {server.name} answers {first[0]}: {first[2].decode()[:300]}"
            return
        if again[0] != 201 or again[2] != first[2] or "idempotent-replayed" not in again[1]:
            yield f"POST order: {server.name} does not give the first answer again"
        bodies.append(json.loads(first[2]))
    seen, expected = bodies
    where = f"{one.name}, {other.name}: POST order: data"
    yield from _differences(seen["data"], expected["data"], where)


def _differences(one: Any, other: Any, where: str) -> Iterator[str]:
    """Where two JSON values differ; an instant may be written in more than one way."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            if name not in one or name not in other:
                yield f"{where}.{name} is in one answer only"
            elif name not in _OWN or where.endswith(("].variants", "].categories")):
                yield from _differences(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for position, pair in enumerate(zip(one, other, strict=True)):
            yield from _differences(*pair, f"{where}[{position}]")
    elif one != other and not _same_instant(one, other):
        yield f"{where} differs: {one!r:.80} and {other!r:.80}"


def _same_instant(one: Any, other: Any) -> bool:
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return False


def check_orders(database: str, tally: Tally) -> Iterator[str]:
    """Faults of a database after its order round, when no server has it open.

    Load stops in the middle of its last requests, so up to one order for each connection and run
    may be stored without having been acknowledged; never the other way round.
    """
    is_file = "://" not in database
    number = _from_file(Path(database)) if is_file else _from_postgres(database)
    orders = number("SELECT count(*) FROM orders")
    most = tally.acknowledged + tally.runs * tally.in_flight
    if not tally.acknowledged <= orders <= most:
        yield f"{tally.acknowledged} orders acknowledged, {orders} stored"
    expected = {
        "SELECT count(*) FROM order_lines": _LINES * orders,
        "SELECT count(*) FROM order_history": orders,
        "SELECT count(*) FROM stock_movements WHERE kind = 'hold'": _LINES * orders,
        "SELECT count(DISTINCT order_id) FROM ledger_entries": orders,
        "SELECT sum(dirhams) FROM ledger_entries": 0,
        "SELECT count(*) FROM outbox WHERE topic = 'order.placed'": orders,
        "SELECT count(*) FROM audit_records WHERE action = 'order.placed'": orders,
        "SELECT count(*) FROM idempotency_keys": orders,
        f"SELECT count(*) FROM stock WHERE available + held <> {STOCK}": 0,
        "SELECT sum(held) FROM stock": number("SELECT sum(quantity) FROM order_lines"),
        "SELECT sum(dirhams) FROM ledger_entries WHERE account = 'receivable'": number(
            "SELECT sum(total_dirhams) FROM orders"
        ),
    }
    for sql, wanted in expected.items():
        seen = number(sql)
        if seen != wanted:
            yield f"{sql}: {seen}, not {wanted}"
    if is_file:
        with closing(sqlite3.connect(database)) as connection:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            yield f"the database file is damaged: {verdict}"


_Number = Callable[[str], int]


def _from_file(path: Path) -> _Number:
    def number(sql: str) -> int:
        with closing(sqlite3.connect(path)) as connection:
            return int(connection.execute(sql).fetchone()[0] or 0)

    return number


def _from_postgres(url: str) -> _Number:
    async def ask(sql: str) -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval(sql) or 0)
        finally:
            await connection.close()

    return lambda sql: asyncio.run(ask(sql))

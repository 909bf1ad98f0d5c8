"""Databases of any size, made fast and kept between runs.

The first products are made one by one; SQL multiplies them, with nothing synced and the search
index made at the end. Orders of the past are made by SQL alone. Then the file is brought to
EISHRO's present schema, and what EISHRO keeps beside a product is written and multiplied too.
Files are kept under a name that changes with the schema and the code that fills them.
"""

import contextlib
import hashlib
import inspect
import json
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import eishro
from bench import cards, data, schema
from bench.contenders import EISHRO
from bench.data import COLUMNS, VARIANTS, Goods, write_cards, write_cities, write_rows
from bench.machine import BenchError
from bench.packages import ROOT
from bench.servers import Source, get, running

FOLDER = ROOT / ".cache" / "bench" / "data"
_SEED_PRODUCTS = 10_000  # made one by one; more are copies of these
_SAMPLE = 50  # copies that are looked at
_KEEP_SECONDS = 3 * 3_600  # what nobody used for so long is removed
_PAST = 1_767_250_800_000_000  # 2026-01-01 07:00 UTC, microseconds

# Of each table that a product has rows in: what a copy changes, where `o` is how far its id is
# from the original's and `k` the number of the copy.
_CHANGES = {
    "products": {
        "id": "id + :o",
        "name": "name || ' ' || :k",
        "name_en": "name_en || ' ' || :k",
    },
    "product_search": {"product_id": "product_id + :o", "body": "body || ' ' || :k"},
    "product_categories": {"product_id": "product_id + :o"},
    "variants": {
        "id": f"id + :o * {VARIANTS}",
        "product_id": "product_id + :o",
        "sku": "printf('B%07d-%d', product_id + :o, position + 1)",
    },
    "stock": {"variant_id": f"variant_id + :o * {VARIANTS}", "product_id": "product_id + :o"},
    "stock_movements": {
        "id": f"printf('mov_%026d', variant_id + :o * {VARIANTS})",
        "variant_id": f"variant_id + :o * {VARIANTS}",
    },
}
_KEYS = {
    "products": "id",
    "product_search": "product_id",
    "product_categories": "product_id",
    "variants": "product_id",
    "stock": "product_id",
    "stock_movements": "variant_id",
}

# Orders of the past: paid, delivered, three lines of one piece; :n orders in :s stores with
# :third products in each third of a store's goods.
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)"
_STORE_OF = "(i - 1) % :s + 1"
_LINES = "(SELECT 0 AS position UNION ALL SELECT 1 UNION ALL SELECT 2)"
_PRODUCT_OF = f"({_STORE_OF}) + :s * (position * :third + (i * 7919) % :third)"
_AT = f"{_PAST} + i * 1000000"
_ORDER_ROWS = (
    f"""INSERT INTO orders (id, store_id, number, customer_user_id, status, payment_status,
      fulfilment_status, customer_name, customer_phone, customer_email, city_code, area, address,
      shipping_notes, shipping_method, payment_method, notes, subtotal_dirhams, discount_dirhams,
      shipping_dirhams, total_dirhams, expires_at, created_at, updated_at, version)
    {_NUMBERS} SELECT printf('ord_0%025d', i), {_STORE_OF}, printf('G%07d', i), NULL,
      'delivered', 'paid', 'fulfilled', 'سالم المبروك ' || (i % 997),
      printf('+21891%07d', i % 100000), NULL, 'TIP', NULL,
      'شارع الجمهورية، عمارة 12', NULL, 'standard', 'cod', NULL, 30000, 0, 5000, 35000, NULL,
      {_AT}, {_AT}, 3 FROM n""",
    f"""INSERT INTO order_lines (order_id, position, store_id, product_id, variant_id, name,
      options, sku, unit_price_dirhams, quantity, total_dirhams)
    {_NUMBERS} SELECT printf('ord_0%025d', i), position, {_STORE_OF}, {_PRODUCT_OF},
      ({_PRODUCT_OF}) * {VARIANTS} - i % {VARIANTS}, 'قميص قطني', '{{}}', NULL, 10000, 1, 10000
    FROM n, {_LINES}""",
    f"""INSERT INTO stock_movements (id, store_id, variant_id, order_id, kind, quantity, at)
    {_NUMBERS} SELECT printf('mov_o%024d%d', i, position), {_STORE_OF},
      ({_PRODUCT_OF}) * {VARIANTS} - i % {VARIANTS}, printf('ord_0%025d', i), 'consume', 1, {_AT}
    FROM n, {_LINES}""",
    f"""INSERT INTO order_history (order_id, id, store_id, event, status, actor, note, at)
    {_NUMBERS} SELECT printf('ord_0%025d', i), printf('his_0%025d', i), {_STORE_OF},
      'order.placed', 'pending', 'guest', NULL, {_AT} FROM n""",
    f"""INSERT INTO ledger_entries (transaction_id, position, store_id, account, dirhams, reason,
      order_id, payment_id, at)
    {_NUMBERS} SELECT printf('trn_0%025d', i), position, {_STORE_OF},
      CASE position WHEN 0 THEN 'receivable' WHEN 1 THEN 'sales' ELSE 'delivery' END,
      CASE position WHEN 0 THEN 35000 WHEN 1 THEN -30000 ELSE -5000 END,
      'order.placed', printf('ord_0%025d', i), NULL, {_AT} FROM n, {_LINES}""",
    f"""INSERT INTO audit_records (id, store_id, actor, action, subject_id, changes, request_id,
      address, at)
    {_NUMBERS} SELECT printf('aud_0%025d', i), {_STORE_OF}, 'guest', 'order.placed',
      printf('ord_0%025d', i), '{{}}', printf('req_0%025d', i), '127.0.0.1', {_AT} FROM n""",
)


# What EISHRO keeps of a product, JSON of its public view: what of it a copy changes.
_CARD = f"""INSERT INTO product_cards (product_id, store_id, body)
    SELECT product_id + :o, store_id, json_set(body,
        '$.id', product_id + :o,
        '$.name', json_extract(body, '$.name') || ' ' || :k,
        '$.nameEn', json_extract(body, '$.nameEn') || ' ' || :k
        {
    "".join(
        f", '$.variants[{n}].id', (product_id + :o - 1) * {VARIANTS} + {n + 1}"
        f", '$.variants[{n}].sku', printf('B%07d-%d', product_id + :o, {n + 1})"
        for n in range(VARIANTS)
    )
})
    FROM product_cards WHERE product_id <= :most ORDER BY product_id"""


def kept(goods: Goods, orders: int = 0) -> Source:
    """A database of so many products and past orders, made now or kept from an earlier run.

    Raises:
        ValueError: products that are no multiple of the stores, or of the products made one by
            one.
        BenchError: a copied product is not shown as it should be.
    """
    folder = FOLDER / _key()
    name = f"products-{goods.products}-stores-{goods.stores}-seed-{goods.seed}-orders-{orders}"
    target = folder / name / "eishro.db"
    _forget_others(folder)
    if target.exists():
        os.utime(folder)
    else:
        print(f"data: {goods.products} products, {orders} orders …", flush=True)
        making = folder / f"{name}-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            _make(making / "eishro.db", goods, orders)
            if not target.exists():
                making.rename(target.parent)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return Source(target)


def _make(path: Path, goods: Goods, orders: int) -> None:
    if goods.products > _SEED_PRODUCTS and goods.products % _SEED_PRODUCTS:
        raise ValueError(f"products above {_SEED_PRODUCTS} must be a multiple of it")
    first = min(goods.products, _SEED_PRODUCTS)
    copies = goods.products // first
    write_cities(path.with_name("cities.json"))
    with _open(path) as connection:
        schema.open_first(connection)
        write_rows(connection, Goods(first, goods.stores, goods.seed))
        connection.execute("BEGIN")
        if copies > 1:
            _multiply(connection, first, copies)
        if orders:
            third = goods.products // goods.stores // 3
            for statement in _ORDER_ROWS:
                connection.execute(statement, {"n": orders, "s": goods.stores, "third": third})
        connection.execute("COMMIT")
        schema.bring_up(connection)
        write_cards(connection, first)
        connection.execute("BEGIN")
        _repeat(connection, _CARD, first, first, copies)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    if copies > 1:
        _look_at_copies(path, goods, first)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nothing has to survive a crash: what is half made is made again.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {pragma}")
        yield connection


def _multiply(connection: sqlite3.Connection, products: int, copies: int) -> None:
    """Copy the first products with everything that is theirs, the search index last."""
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
        ("product_search",),
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for table, changes in _CHANGES.items():
        columns = COLUMNS[table].split(", ")
        values = ", ".join(changes.get(column, column) for column in columns)
        most = products * VARIANTS if _KEYS[table] == "variant_id" else products
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}"
            f" WHERE {_KEYS[table]} <= :most ORDER BY {_KEYS[table]}"
        )
        _repeat(connection, statement, most, products, copies)
    connection.execute("INSERT INTO product_fts (product_fts) VALUES ('rebuild')")
    for _, statement in triggers:
        connection.execute(statement)
    for name, each in (("products", 1), ("variants", VARIANTS)):
        following = products * copies * each + 1
        connection.execute("UPDATE id_blocks SET next_id = ? WHERE name = ?", (following, name))


def _repeat(
    connection: sqlite3.Connection, statement: str, most: int, products: int, copies: int
) -> None:
    names = [name for name in ("o", "k", "most") if f":{name}" in statement]
    for copy in range(1, copies):
        values = {"o": products * copy, "k": copy, "most": most}
        connection.execute(statement, {name: values[name] for name in names})


def _look_at_copies(path: Path, goods: Goods, first: int) -> None:
    """A few of the copies must be shown as what they are."""
    dice = random.Random(goods.seed)
    with _serving(path) as port:
        for product_id in (dice.randint(first + 1, goods.products) for _ in range(_SAMPLE)):
            shown = json.loads(get(port, f"/api/products/{product_id}")[2])["data"]
            variants = [variant["id"] for variant in shown["variants"]]
            last = product_id * VARIANTS
            ok = shown["id"] == product_id and variants == list(
                range(last - VARIANTS + 1, last + 1)
            )
            number = (product_id - 1) // first
            if not ok or not shown["name"].endswith(f" {number}"):
                raise BenchError(f"product {product_id}, a copy, is shown as {shown}")


@contextlib.contextmanager
def _serving(path: Path) -> Iterator[int]:
    """EISHRO on the file itself, which it leaves as one whole file without a log beside it."""
    folder = path.parent / "serving"
    with running(EISHRO, Source(path), folder, pinned=False, in_place=True) as server:
        yield server.port
    shutil.rmtree(folder)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _key() -> str:
    """Changes with the schema, with what fills it, and with how EISHRO shows products."""
    source = Path(inspect.getfile(eishro)).parent
    files = [Path(inspect.getfile(module)) for module in (data, cards, schema)] + [Path(__file__)]
    files += sorted((source / "domain" / "catalog").glob("*.py"))
    files += sorted((source / "flows").glob("*card*.py"))
    text = "\n".join([schema.render_all(), *(path.read_text() for path in files)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _forget_others(folder: Path) -> None:
    """Databases of another schema are large and of no use; another run may be at its own."""
    if FOLDER.exists():
        for other in FOLDER.iterdir():
            if other != folder and time.time() - other.stat().st_mtime > _KEEP_SECONDS:
                shutil.rmtree(other)

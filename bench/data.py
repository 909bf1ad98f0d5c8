"""The database that all servers are measured on: EISHRO's own schema, goods of several stores.

The same arguments give the same rows every time (the salt of a password aside). Ids are regular,
so that the load scripts in `wrk/` and `generator/` can name goods without asking: product p
belongs to store (p - 1) % stores + 1 and has the variants 4p - 3 to 4p.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench import schema
from bench.cards import file_cards
from eishro.adapters.bcrypt_hasher import BcryptHasher
from eishro.db.types import micros
from eishro.domain.shipping.cities import CITIES
from eishro.text import search_text

VARIANTS = 4  # of each product: two sizes, two colours
STOCK = 100_000  # pieces of each variant; no run sells nearly as many
CATEGORIES = 12  # of each store
_START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
_BATCH = 2_000  # products in one transaction
_BCRYPT_COST = 12  # EISHRO's default

_GOODS = (
    ("قميص قطني", "Cotton shirt"),
    ("فستان سهرة", "Evening dress"),
    ("حقيبة جلدية", "Leather bag"),
    ("حذاء رياضي", "Running shoes"),
    ("ساعة يد", "Wrist watch"),
    ("سماعات لاسلكية", "Wireless headphones"),
    ("عطر شرقي", "Oriental perfume"),
    ("غلاية كهربائية", "Electric kettle"),
    ("مصباح مكتب", "Desk lamp"),
    ("سجادة صلاة", "Prayer rug"),
    ("طقم فناجين", "Coffee cup set"),
    ("بطانية شتوية", "Winter blanket"),
)
_QUALITIES = (
    ("فاخر", "premium"),
    ("خفيف الوزن", "lightweight"),
    ("بتصميم عصري", "of modern design"),
    ("مقاوم للماء", "water-resistant"),
    ("صناعة يدوية", "handmade"),
    ("للاستخدام اليومي", "for every day"),
)
_SENTENCES = (
    ("خامات مختارة بعناية تدوم طويلا.", "Carefully chosen materials that last."),
    ("يغسل على حرارة منخفضة ويحفظ بعيدا عن الشمس.", "Wash cool and keep out of the sun."),
    ("تفاصيل دقيقة ولمسات نهائية متقنة.", "Fine details and a careful finish."),
    ("مناسب للهدايا وجميع المناسبات.", "A fitting present for any occasion."),
    ("ضمان سنة كاملة ضد عيوب الصناعة.", "One full year of guarantee against defects."),
    ("التوصيل إلى جميع المدن الليبية.", "Delivered to every city of Libya."),
)
_COLORS = (
    ("أحمر", "#c0392b"),
    ("أسود", "#111111"),
    ("أبيض", "#fafafa"),
    ("أزرق", "#2a5caa"),
    ("أخضر", "#2e7d32"),
    ("بيج", "#d8c3a5"),
)
_SIZES = (("S", "M"), ("M", "L"), ("L", "XL"), ("40", "42"))

PASSWORD = "correct horse battery staple"  # of every merchant

# What is written of each table at the first revision, in the order of the rows below.
COLUMNS = {
    "users": "id, email, password_hash, first_name, last_name, phone, role, is_active, "
    "email_verified_at, created_at, updated_at, version",
    "stores": "id, slug, name, name_en, description, logo, settings, is_active, created_at, "
    "updated_at, version",
    "memberships": "store_id, user_id, role, created_at",
    "categories": "id, store_id, parent_id, slug, name, name_en, position, created_at, version",
    "id_blocks": "name, next_id",
    "products": "id, store_id, name, name_en, description, description_en, price_dirhams, "
    "compare_at_dirhams, images, sizes, colors, sells, status, created_at, updated_at, version",
    "product_search": "product_id, store_id, body",
    "product_categories": "product_id, category_id, store_id, position",
    "variants": "id, store_id, product_id, sku, options, price_dirhams, position, is_active, "
    "created_at, version",
    "stock": "variant_id, product_id, store_id, available, held, sold",
    "stock_movements": "id, store_id, variant_id, order_id, kind, quantity, at",
}

Row = tuple[Any, ...]


class Goods(msgspec.Struct, frozen=True):
    """What the database holds; the load scripts are told the same numbers."""

    products: int = 10_000
    stores: int = 10
    seed: int = 1


def build(path: Path, goods: Goods) -> None:
    """Make the database file `path`, and beside it `cities.json` for the reference servers.

    Raises:
        ValueError: the products do not fill every store evenly.
        FileExistsError: `path` is there already.
    """
    if path.exists():
        raise FileExistsError(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # while filling; servers set their own
        schema.open_first(connection)
        write_rows(connection, goods)
        schema.bring_up(connection)
        write_cards(connection, goods.products)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    write_cities(path.with_name("cities.json"))


def write_rows(connection: sqlite3.Connection, goods: Goods) -> None:
    """Write everything of the goods into a file of the first revision.

    Raises:
        ValueError: the products do not fill every store evenly.
    """
    if goods.products % goods.stores or goods.products < goods.stores * 3:
        raise ValueError("products must be a multiple of stores, at least 3 for each")
    _fill(connection, goods)


def write_cards(connection: sqlite3.Connection, products: int) -> None:
    """Write what EISHRO keeps beside products 1 to `products`; the schema is the present one."""
    connection.execute("BEGIN")
    for first in range(1, products + 1, _BATCH):
        file_cards(connection, range(first, min(first + _BATCH, products + 1)))
    connection.execute("COMMIT")


def write_cities(path: Path) -> None:
    """Write the cities that the reference servers are told."""
    cities = [{"code": c.code, "nameAr": c.name_ar, "nameEn": c.name_en} for c in CITIES]
    path.write_text(json.dumps(cities, ensure_ascii=False))


def _fill(connection: sqlite3.Connection, goods: Goods) -> None:
    connection.execute("BEGIN")
    password_hash = asyncio.run(_hash(PASSWORD))
    for store_id in range(1, goods.stores + 1):
        _insert(connection, "users", [_user(store_id, password_hash)])
        _insert(connection, "stores", [_store(store_id)])
        _insert(connection, "memberships", [(store_id, store_id, "owner", micros(_START))])
        _insert(connection, "categories", _categories(store_id))
    following = {
        "stores": goods.stores,
        "users": goods.stores,
        "categories": goods.stores * CATEGORIES,
        "products": goods.products,
        "variants": goods.products * VARIANTS,
    }
    _insert(connection, "id_blocks", [(name, last + 1) for name, last in following.items()])
    connection.execute("COMMIT")
    for first in range(1, goods.products + 1, _BATCH):
        last = min(first + _BATCH, goods.products + 1)
        connection.execute("BEGIN")
        for table, rows in _products(range(first, last), goods):
            _insert(connection, table, rows)
        connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    found = list(rows)
    marks = ", ".join("?" * len(found[0]))
    columns = COLUMNS[table]
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", found)


def email_of(user_id: int) -> str:
    """The address a merchant signs in with; the merchant of store s has the number s."""
    return f"merchant{user_id}@bench.invalid"


def _user(user_id: int, password_hash: str) -> Row:
    at, email = micros(_START), email_of(user_id)
    whole = (user_id, email, password_hash, "تاجر", str(user_id), None, "merchant")
    return (*whole, 1, at, at, at, 1)


async def _hash(password: str) -> str:
    hasher = BcryptHasher(_BCRYPT_COST)
    try:
        return await hasher.hash(password)
    finally:
        await hasher.aclose()


def _store(store_id: int) -> Row:
    at = micros(_START)
    settings = json.dumps(
        {
            "shipping_rate_dirhams": 5_000 + 500 * store_id,
            "free_shipping_above_dirhams": 2_000_000 if store_id % 2 else None,
            "contact_email": f"store{store_id}@bench.invalid",
        }
    )
    name, name_en = f"متجر القياس {store_id}", f"Bench store {store_id}"
    description = "متجر لقياس السرعة فقط."
    slug = f"bench-{store_id}"
    return (store_id, slug, name, name_en, description, None, settings, 1, at, at, 1)


def _categories(store_id: int) -> Iterator[Row]:
    base = (store_id - 1) * CATEGORIES
    for number in range(CATEGORIES):
        name, name_en = _GOODS[number % len(_GOODS)]
        # The first third are tops, the others stand below one of them.
        parent = None if number < CATEGORIES // 3 else base + 1 + number % (CATEGORIES // 3)
        category_id = base + 1 + number
        slug = f"{name_en.lower().replace(' ', '-')}-{number}"
        yield (category_id, store_id, parent, slug, name, name_en, number, micros(_START), 1)


def _products(ids: range, goods: Goods) -> Iterator[tuple[str, list[Row]]]:
    """Rows of these products by table, parents first."""
    tables: dict[str, list[Row]] = {
        name: []
        for name in (
            "products",
            "product_search",
            "product_categories",
            "variants",
            "stock",
            "stock_movements",
        )
    }
    for product_id in ids:
        for table, row in _product(product_id, goods):
            tables[table].append(row)
    yield from tables.items()


def _product(product_id: int, goods: Goods) -> Iterator[tuple[str, Row]]:
    dice = random.Random(goods.seed * 1_000_003 + product_id)
    store_id = (product_id - 1) % goods.stores + 1
    at = micros(_START + timedelta(minutes=product_id))
    good, quality = dice.choice(_GOODS), dice.choice(_QUALITIES)
    name, name_en = (f"{good[i]} {quality[i]} {product_id}" for i in (0, 1))
    sentences = dice.sample(_SENTENCES, 4)
    description, description_en = (" ".join(s[i] for s in sentences) for i in (0, 1))
    price = dice.randrange(5_000, 400_000, 250)
    sizes = dice.choice(_SIZES)
    colors = dice.sample(_COLORS, 2)
    yield (
        "products",
        (
            product_id,
            store_id,
            name,
            name_en,
            description,
            description_en,
            price,
            price * 5 // 4 if dice.random() < 0.3 else None,
            _json([f"/media/bench/{product_id}-{n}.webp" for n in range(1, 4)]),
            _json(sizes),
            _json([{"name": c, "value": value} for c, value in colors]),
            1,
            "active",
            at,
            at,
            1,
        ),
    )
    body = search_text(name, name_en, description, description_en)
    yield "product_search", (product_id, store_id, body)
    shelves = dice.sample(range(CATEGORIES), 2)
    for position, shelf in enumerate(shelves):
        category_id = (store_id - 1) * CATEGORIES + 1 + shelf
        yield "product_categories", (product_id, category_id, store_id, position)
    for position in range(VARIANTS):
        variant_id = (product_id - 1) * VARIANTS + 1 + position
        options = _json({"size": sizes[position // 2], "color": colors[position % 2][0]})
        own_price = price + 5_000 if position == VARIANTS - 1 else None
        sku = f"B{product_id:07}-{position + 1}"
        yield (
            "variants",
            (variant_id, store_id, product_id, sku, options, own_price, position, 1, at, 1),
        )
        yield "stock", (variant_id, product_id, store_id, STOCK, 0, 0)
        movement = f"mov_{variant_id:026}"
        yield "stock_movements", (movement, store_id, variant_id, None, "receive", STOCK, at)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()

"""A plain RSGI handler over apsw and msgspec: product by id, and a store's first page.

No framework, no routing but two prefixes, no headers but the content type, no limits, no ETag,
no request id, no languages, no log: only the reads and the JSON that every contender answers.
"""

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import apsw
import msgspec

_HEADERS = [("content-type", "application/json")]
_PRODUCT = "/api/products/"
_STORE = "/api/stores/"
_PAGE = 20
_COLUMNS = """p.id, p.store_id, p.name, p.name_en, p.description, p.description_en,
    p.price_dirhams, p.compare_at_dirhams, p.images, p.sizes, p.colors, p.sells, p.status,
    p.created_at, p.updated_at, p.weight_grams"""
_ONE = f"""SELECT {_COLUMNS} FROM products p JOIN stores s ON s.id = p.store_id
    WHERE p.id = ? AND p.status = 'active' AND s.is_active = 1"""
_VARIANTS = """SELECT v.product_id, v.id, v.sku, v.options, v.price_dirhams, s.available,
    v.weight_grams
    FROM variants v LEFT JOIN stock s ON s.variant_id = v.id
    WHERE v.product_id {of} AND v.is_active = 1 ORDER BY v.product_id, v.position, v.id"""
_CATEGORIES = """SELECT pc.product_id, c.id, c.slug, c.name, c.name_en
    FROM product_categories pc JOIN categories c ON c.id = pc.category_id
    WHERE pc.product_id {of} ORDER BY pc.product_id, pc.position"""
_VARIANTS_ONE, _CATEGORIES_ONE = (s.format(of="= ?") for s in (_VARIANTS, _CATEGORIES))
_MANY = "IN (SELECT value FROM json_each(?))"
_VARIANTS_MANY, _CATEGORIES_MANY = (s.format(of=_MANY) for s in (_VARIANTS, _CATEGORIES))
_STORE_BY_ID = "SELECT id FROM stores WHERE id = ? AND is_active = 1"
_LIST = f"""SELECT {_COLUMNS} FROM products p WHERE p.status = 'active' AND p.store_id = ?
    ORDER BY p.id DESC LIMIT {_PAGE}"""
_COUNT = "SELECT count(*) FROM products WHERE status = 'active' AND store_id = ?"

_Row = tuple[Any, ...]
_encode = msgspec.json.Encoder().encode


class Bare:
    """The handler, with its connection."""

    def __init__(self, database: str) -> None:
        connection = apsw.Connection(database, statementcachesize=64)
        # Else SQLite, built with STAT4, plans a statement anew whenever its values change.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cache_size = -32000")
        self._execute = connection.cursor().execute

    async def __call__(self, scope: Any, protocol: Any) -> None:
        path: str = scope.path
        body = None
        if path.startswith(_PRODUCT):
            body = self._product(path[len(_PRODUCT) :])
        elif path.startswith(_STORE):
            body = self._list(path[len(_STORE) :].partition("/")[0])
        status = 404 if body is None else 200
        protocol.response_bytes(status, _HEADERS, body or b'{"success":false}')

    def _product(self, text: str) -> bytes | None:
        product_id = int(text)
        row = self._execute(_ONE, (product_id,)).fetchone()
        if row is None:
            return None
        variants = self._execute(_VARIANTS_ONE, (product_id,)).fetchall()
        categories = self._execute(_CATEGORIES_ONE, (product_id,)).fetchall()
        return _answer(_encode(_view(row, variants, categories)), b"")

    def _list(self, store: str) -> bytes | None:
        found = self._execute(_STORE_BY_ID, (int(store),)).fetchone()
        if found is None:
            return None
        rows: list[_Row] = self._execute(_LIST, found).fetchall()
        ids = (_encode([row[0] for row in rows]).decode(),)
        variants = _grouped(self._execute(_VARIANTS_MANY, ids).fetchall())
        categories = _grouped(self._execute(_CATEGORIES_MANY, ids).fetchall())
        (total,) = self._execute(_COUNT, found).fetchone() or (0,)
        page = {"page": 1, "limit": _PAGE, "total": total, "totalPages": -(-total // _PAGE)}
        if len(rows) == _PAGE:
            page["nextCursor"] = str(rows[-1][0])
        views = [_view(r, variants.get(r[0], []), categories.get(r[0], [])) for r in rows]
        return _answer(_encode(views), b',"pagination":' + _encode(page))


def create() -> Callable[[Any, Any], Awaitable[None]]:
    """For the server: the handler on BENCH_DATABASE."""
    return Bare(os.environ["BENCH_DATABASE"])


def _answer(data: bytes, page: bytes) -> bytes:
    at = _instant_text(datetime.now(UTC))
    tail = b',"message":"Done.","timestamp":"' + at.encode() + b'"}'
    return b'{"success":true,"data":' + data + page + tail


def _view(row: _Row, variants: list[_Row], categories: list[_Row]) -> dict[str, Any]:
    shown = [_category(category) for category in categories]
    options = [_variant(variant, row) for variant in variants]
    return {
        "id": row[0],
        "storeId": row[1],
        "name": row[2],
        "nameEn": row[3],
        "description": row[4],
        "descriptionEn": row[5],
        "price": row[6] / 1000,
        "compareAtPrice": None if row[7] is None else row[7] / 1000,
        "currency": "LYD",
        "category": shown[0]["name"] if shown else None,
        "categories": shown,
        "images": _raw(row[8]),
        "sizes": _raw(row[9]),
        "colors": _raw(row[10]),
        "inStock": any(option["available"] for option in options),
        "status": row[12],
        "weightGrams": row[15],
        "variants": options,
        "createdAt": _instant(row[13]),
        "updatedAt": _instant(row[14]),
    }


def _variant(variant: _Row, product: _Row) -> dict[str, Any]:
    _, variant_id, sku, options, price, left, weight = variant
    return {
        "id": variant_id,
        "sku": sku,
        "options": _raw(options),
        "price": (product[6] if price is None else price) / 1000,
        "available": product[11] == 1 and (left is None or left > 0),
        "weightGrams": product[15] if weight is None else weight,
    }


def _category(category: _Row) -> dict[str, Any]:
    _, category_id, slug, name, name_en = category
    return {"id": category_id, "slug": slug, "name": name, "nameEn": name_en}


def _grouped(rows: list[_Row]) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _instant(micros: int) -> str:
    return _instant_text(datetime.fromtimestamp(micros / 1_000_000, UTC))


def _instant_text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

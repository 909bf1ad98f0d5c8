"""Reading cards: one product, and lists with filters, order, pages and how many there are.

One statement for each combination of filters, compiled once; user text enters only as
parameters. `-createdAt` follows the ids, which are handed out in time order.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.search import matches
from eishro.db.statements import Query, in_list
from eishro.db.types import Flag, Int
from eishro.domain.catalog.model import VARIANTS_MAX, Status, Variant
from eishro.domain.catalog.sql import product_cards, product_categories, products, variants
from eishro.text import SearchTerm

Sort = Literal["-createdAt", "price", "-price", "name"]

_stock = sa.table(
    "stock", sa.column("variant_id", Int), sa.column("product_id", Int), sa.column("available", Int)
)
_stores = sa.table("stores", sa.column("id", Int), sa.column("is_active", Flag))
_versions = sa.table("store_versions", sa.column("store_id", Int), sa.column("version", Int))
# The literal lets engines use the small index of what is sold out.
_SOLD_OUT = _stock.c.available == sa.literal_column("0")

VARIANTS = Query(
    sa.select(*columns_of(variants, Variant))
    .where(
        in_list(variants.c.product_id, "product_ids"),
        variants.c.is_active == sa.literal(True, Flag),
    )
    .order_by(variants.c.product_id, variants.c.position, variants.c.id)
    .limit(sa.bindparam("limit")),
    Variant,
    across_stores=True,  # the products tell the store
)


class CardRow(msgspec.Struct, frozen=True):
    """One row of a card read: the card (None: not rendered yet) and one variant of the product
    that is sold out; a product with several has several rows.
    """

    product_id: int
    body: str | None
    sold_out: int | None


class Card(msgspec.Struct, frozen=True):
    """A product's card with its sold-out variants; `body` None: not rendered yet."""

    product_id: int
    body: str | None
    sold_out: tuple[int, ...]


class PlacedCard(msgspec.Struct, frozen=True):
    """A row of one product's card, and what decides who may see it."""

    store_id: int
    status: Status
    is_active: bool
    version: int
    body: str | None
    sold_out: int | None


_CARD = Query(
    sa.select(
        products.c.store_id,
        products.c.status,
        _stores.c.is_active,
        _versions.c.version,
        product_cards.c.body,
        _stock.c.variant_id,
    )
    .select_from(
        products.join(_stores, _stores.c.id == products.c.store_id)
        .join(_versions, _versions.c.store_id == products.c.store_id)
        .outerjoin(product_cards, product_cards.c.product_id == products.c.id)
        .outerjoin(_stock, sa.and_(_stock.c.product_id == products.c.id, _SOLD_OUT))
    )
    .where(products.c.id == sa.bindparam("id"))
    .limit(sa.literal_column(str(VARIANTS_MAX))),
    PlacedCard,
    across_stores=True,
)


class ProductFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for; None leaves a filter out. `store_id` None is every active
    store. `after_id` continues a `-createdAt` list below that id.
    """

    store_id: int | None = None
    status: Status = "active"
    category_id: int | None = None
    min_dirhams: int | None = None
    max_dirhams: int | None = None
    in_stock: bool | None = None
    terms: tuple[SearchTerm, ...] | None = None
    after_id: int | None = None
    sort: Sort = "-createdAt"


async def find_card(db: Database, product_id: int) -> list[PlacedCard]:
    """The product's card, one row for each sold-out variant (or one row); empty if unknown."""
    return await db.all(_CARD, id=product_id)


async def list_cards(db: Database, wanted: ProductFilter, limit: int, offset: int) -> list[Card]:
    """A page of cards."""
    query = _page_query(_filters(wanted), wanted.sort)
    rows = await db.all(query, limit=limit, offset=offset, **_values(wanted))
    cards: dict[int, Card] = {}
    for row in rows:
        gone: tuple[int, ...] = () if row.sold_out is None else (row.sold_out,)
        before = cards.get(row.product_id)
        if before is not None:
            gone += before.sold_out
        cards[row.product_id] = Card(row.product_id, row.body, gone)
    return list(cards.values())


async def count_products(db: Database, wanted: ProductFilter) -> int:
    """How many products the filter finds, over all pages."""
    whole = msgspec.structs.replace(wanted, after_id=None)
    return await db.one(_count_query(_filters(whole)), **_values(whole)) or 0


async def list_variants_of(db: Database, product_ids: Sequence[int]) -> list[Variant]:
    """Live variants of several products by product and position."""
    if not product_ids:
        return []
    return await db.all(VARIANTS, product_ids=list(product_ids), limit=100 * len(product_ids))


def _filters(wanted: ProductFilter) -> tuple[str, ...]:
    """The names of the filters in use; True and False of `in_stock` are two filters."""
    names = [
        name
        for name in ("store_id", "category_id", "min_dirhams", "max_dirhams", "terms", "after_id")
        if getattr(wanted, name) is not None
    ]
    if wanted.in_stock is not None:
        names.append("in_stock" if wanted.in_stock else "sold_out")
    return tuple(names)


def _values(wanted: ProductFilter) -> dict[str, object]:
    values = {
        name: getattr(wanted, name)
        for name in ("store_id", "category_id", "min_dirhams", "max_dirhams", "terms", "after_id")
        if getattr(wanted, name) is not None
    }
    return {**values, "status": wanted.status}


def _conditions(filters: tuple[str, ...]) -> list[Any]:
    buyable = sa.and_(
        products.c.sells == sa.literal(True, Flag),
        sa.exists(
            sa.select(sa.literal_column("1"))
            .select_from(_stock.join(variants, variants.c.id == _stock.c.variant_id))
            .where(
                _stock.c.product_id == products.c.id,
                variants.c.is_active == sa.literal(True, Flag),
                sa.or_(_stock.c.available.is_(None), _stock.c.available > 0),
            )
        ),
    )
    known: dict[str, Callable[[], Any]] = {
        "store_id": lambda: products.c.store_id == sa.bindparam("store_id"),
        "category_id": lambda: sa.exists(
            sa.select(sa.literal_column("1")).where(
                product_categories.c.product_id == products.c.id,
                product_categories.c.category_id == sa.bindparam("category_id"),
            )
        ),
        "min_dirhams": lambda: products.c.price_dirhams >= sa.bindparam("min_dirhams"),
        "max_dirhams": lambda: products.c.price_dirhams <= sa.bindparam("max_dirhams"),
        "terms": lambda: matches(products.c.id, "terms"),
        "after_id": lambda: products.c.id < sa.bindparam("after_id"),
        "in_stock": lambda: buyable,
        "sold_out": lambda: sa.not_(buyable),
    }
    conditions = [products.c.status == sa.bindparam("status")]
    conditions += [known[name]() for name in filters]
    if "store_id" not in filters:
        conditions.append(
            sa.exists(
                sa.select(sa.literal_column("1")).where(
                    _stores.c.id == products.c.store_id,
                    _stores.c.is_active == sa.literal(True, Flag),
                )
            )
        )
    return conditions


_ORDERS: dict[Sort, tuple[tuple[sa.Column[Any], bool], ...]] = {
    "-createdAt": ((products.c.id, True),),
    "price": ((products.c.price_dirhams, False), (products.c.id, False)),
    "-price": ((products.c.price_dirhams, True), (products.c.id, True)),
    "name": ((products.c.name, False), (products.c.id, False)),
}


def _ordered(sort: Sort, columns: Any) -> list[sa.ColumnElement[Any]]:
    return [
        columns[column.name].desc() if is_descending else columns[column.name].asc()
        for column, is_descending in _ORDERS[sort]
    ]


@functools.cache
def _page_query(filters: tuple[str, ...], sort: Sort) -> Query[CardRow]:
    """The page is cut from the index first; only then its cards are looked up."""
    keys = {products.c.id: None, **dict.fromkeys(column for column, _ in _ORDERS[sort])}
    page = (
        sa.select(*keys)
        .where(*_conditions(filters))
        .order_by(*_ordered(sort, products.c))
        .limit(sa.bindparam("limit"))
        .offset(sa.bindparam("offset"))
        .subquery("page")
    )
    return Query(
        sa.select(page.c.id, product_cards.c.body, _stock.c.variant_id)
        .select_from(
            page.outerjoin(product_cards, product_cards.c.product_id == page.c.id).outerjoin(
                _stock, sa.and_(_stock.c.product_id == page.c.id, _SOLD_OUT)
            )
        )
        .order_by(*_ordered(sort, page.c)),
        CardRow,
        across_stores="store_id" not in filters,
    )


@functools.cache
def _count_query(filters: tuple[str, ...]) -> Query[int]:
    return Query(
        sa.select(sa.func.count()).select_from(products).where(*_conditions(filters)),
        int,
        across_stores="store_id" not in filters,
    )

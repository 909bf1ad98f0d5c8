"""Tables and statements of products, variants and their shelves."""

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list, insert_once, upsert
from eishro.db.types import Flag, Int, Json, Moment, Text
from eishro.domain.catalog.model import Product, ProductNotFound, SkuTaken, Variant
from eishro.errors import Stale

products = table(
    "products",
    sa.Column("id", Int, primary_key=True, autoincrement=False),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("name_en", Text),
    sa.Column("description", Text),
    sa.Column("description_en", Text),
    sa.Column("price_dirhams", Int, nullable=False),
    sa.Column("compare_at_dirhams", Int),
    sa.Column("images", Json, nullable=False),
    sa.Column("sizes", Json, nullable=False),
    sa.Column("colors", Json, nullable=False),
    sa.Column("sells", Flag, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.CheckConstraint("price_dirhams >= 0", name="price"),
    sa.CheckConstraint("status IN ('active', 'draft', 'archived')", name="status"),
    sa.Index("ix_products_store_id_status_id", "store_id", "status", "id"),
    sa.Index("ix_products_store_id_status_price", "store_id", "status", "price_dirhams", "id"),
    sa.Index("ix_products_store_id_status_name", "store_id", "status", "name", "id"),
    sa.Index("ix_products_status_id", "status", "id"),
)

variants = table(
    "variants",
    sa.Column("id", Int, primary_key=True, autoincrement=False),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("product_id", Int, nullable=False),
    sa.Column("sku", Text),
    sa.Column("options", Json, nullable=False),
    sa.Column("price_dirhams", Int),
    sa.Column("position", Int, nullable=False),
    sa.Column("is_active", Flag, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.ForeignKeyConstraint(["store_id", "product_id"], ["products.store_id", "products.id"]),
    sa.Index("ix_variants_product_id", "product_id"),
    sa.Index(
        "uq_variants_store_id_sku",
        "store_id",
        "sku",
        unique=True,
        sqlite_where=sa.text("sku IS NOT NULL AND is_active = 1"),
        postgresql_where=sa.text("sku IS NOT NULL AND is_active = 1"),
    ),
)

product_categories = table(
    "product_categories",
    sa.Column("product_id", Int, primary_key=True),
    sa.Column("category_id", Int, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("position", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "product_id"], ["products.store_id", "products.id"]),
    sa.ForeignKeyConstraint(["store_id", "category_id"], ["categories.store_id", "categories.id"]),
    sa.Index("ix_product_categories_category_id_product_id", "category_id", "product_id"),
    with_rowid=False,
)

# Normalised text; the index beside it is the engine's own (migration 0001, db/search.py).
product_search = table(
    "product_search",
    sa.Column("product_id", Int, primary_key=True, autoincrement=False),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("body", Text, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "product_id"], ["products.store_id", "products.id"]),
)

# What everybody sees of a product, rendered when it changes (flows/product_card.py), as if every
# variant were in stock. A missing one is made at the next read.
product_cards = table(
    "product_cards",
    sa.Column("product_id", Int, primary_key=True, autoincrement=False),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("body", Text, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "product_id"], ["products.store_id", "products.id"]),
)

_PRODUCT = Query(
    sa.select(*columns_of(products, Product)).where(products.c.id == sa.bindparam("id")),
    Product,
    across_stores=True,
)
PRODUCTS = Query(
    sa.select(*columns_of(products, Product))
    .where(in_list(products.c.id, "ids"))
    .order_by(products.c.id)
    .limit(sa.bindparam("limit")),
    Product,
    across_stores=True,
)
_STORE_ID = Query(
    sa.select(products.c.store_id).where(products.c.id == sa.bindparam("id")),
    int,
    across_stores=True,
)
_KNOWN_IDS = Query(
    sa.select(products.c.id)
    .where(products.c.store_id == sa.bindparam("store_id"), in_list(products.c.id, "ids"))
    .limit(sa.bindparam("limit")),
    int,
)
_SKUS = Query(
    sa.select(variants.c.sku)
    .where(variants.c.store_id == sa.bindparam("store_id"), in_list(variants.c.sku, "skus"))
    .limit(sa.bindparam("limit")),
    str,
)

_INSERT_PRODUCT = Write(sa.insert(products))
_SAVE_PRODUCT = Write(save_by_version(products, Product, ("store_id", "id")))
_INSERT_VARIANT = Write(insert_once(variants))
_SAVE_VARIANT = Write(save_by_version(variants, Variant, ("store_id", "id")))
_RETIRE_VARIANTS = Write(
    sa.update(variants)
    .where(
        variants.c.store_id == sa.bindparam("key_store"),
        in_list(variants.c.id, "ids"),
    )
    .values(is_active=sa.literal(False, Flag), version=variants.c.version + 1)
)
_CLEAR_SKUS = Write(
    sa.update(variants)
    .where(variants.c.store_id == sa.bindparam("key_store"), in_list(variants.c.id, "ids"))
    .values(sku=None)
)
_CLEAR_SHELVES = Write(
    sa.delete(product_categories).where(
        product_categories.c.store_id == sa.bindparam("key_store"),
        product_categories.c.product_id == sa.bindparam("key_product"),
    )
)
_CLEAR_SHELF = Write(
    sa.delete(product_categories).where(
        product_categories.c.store_id == sa.bindparam("key_store"),
        product_categories.c.category_id == sa.bindparam("key_category"),
    )
)
_ON_SHELF = Query(
    sa.select(product_categories.c.product_id)
    .where(
        product_categories.c.category_id == sa.bindparam("category_id"),
        product_categories.c.product_id > sa.bindparam("after"),
    )
    .order_by(product_categories.c.product_id)
    .limit(sa.bindparam("limit")),
    int,
    across_stores=True,  # the category tells the store
)
_SHELVE = Write(insert_once(product_categories))
_INDEX = Write(upsert(product_search))
_categories = sa.table("categories", sa.column("id", Int), sa.column("version", Int))
# A card stands for the versions it was made from; versions only grow, so their sum tells.
_CARD_COLUMNS = {
    column.name: sa.bindparam(column.name, type_=column.type) for column in product_cards.c
}
_FILE_CARD = Write(
    upsert(product_cards).from_select(
        list(_CARD_COLUMNS),
        sa.select(*(value.label(name) for name, value in _CARD_COLUMNS.items())).where(
            sa.exists(
                sa.select(sa.literal_column("1")).where(
                    products.c.id == sa.bindparam("product_key", type_=Int),
                    products.c.version == sa.bindparam("product_version", type_=Int),
                )
            ),
            sa.select(sa.func.coalesce(sa.func.sum(_categories.c.version), 0))
            .where(in_list(_categories.c.id, "category_ids"))
            .scalar_subquery()
            == sa.bindparam("category_versions", type_=Int),
        ),
    )
)
_DROP_CARDS_OF_SHELF = Write(
    sa.delete(product_cards).where(
        product_cards.c.store_id == sa.bindparam("key_store"),
        product_cards.c.product_id.in_(
            sa.select(product_categories.c.product_id).where(
                product_categories.c.category_id == sa.bindparam("key_category"),
                product_categories.c.store_id == sa.bindparam("key_store"),
            )
        ),
    )
)


async def get_product(db: Database, product_id: int) -> Product:
    """The product in any status, or `ProductNotFound`."""
    product = await db.one(_PRODUCT, id=product_id)
    if product is None:
        raise ProductNotFound()
    return product


async def find_store_of_product(db: Database, product_id: int) -> int | None:
    """Whose product it is."""
    return await db.one(_STORE_ID, id=product_id)


async def list_products(db: Database, ids: list[int]) -> list[Product]:
    """These products in any status, by id."""
    return await db.all(PRODUCTS, ids=ids, limit=len(ids))


async def find_skus(db: Database, store_id: int, skus: list[str]) -> set[str]:
    """Which of these SKUs the store uses or has used."""
    return set(await db.all(_SKUS, store_id=store_id, skus=skus, limit=1000))


async def find_product_ids(db: Database, store_id: int, ids: list[int]) -> set[int]:
    """Which of these are products of the store, of any status."""
    return set(await db.all(_KNOWN_IDS, store_id=store_id, ids=ids, limit=len(ids)))


def insert_product(product: Product) -> Statement:
    """A new product."""
    return _INSERT_PRODUCT(**values_of(product))


def save_product(product: Product, seen: Product) -> Statement:
    """Replace `seen` by `product`, or `Stale`."""
    return _SAVE_PRODUCT(**saving(product, seen, ("store_id", "id"))).guarded(Stale())


def insert_variants(new: list[Variant]) -> Statement:
    """New variants; refused with `SkuTaken`."""
    return _INSERT_VARIANT.each([values_of(v) for v in new]).guarded(SkuTaken())


def save_variant(variant: Variant, seen: Variant) -> Statement:
    """Replace `seen` by `variant`, or `Stale`, or `SkuTaken`."""
    save = _SAVE_VARIANT(**saving(variant, seen, ("store_id", "id")))
    return save.guarded(Stale(), taken=SkuTaken())


def clear_skus(store_id: int, ids: list[int]) -> Statement:
    """Free the SKUs of variants that get another, so that two may swap theirs."""
    return _CLEAR_SKUS(key_store=store_id, ids=ids)


def retire_variants(store_id: int, ids: list[int]) -> Statement:
    """Take variants out of sale; old orders keep pointing at them."""
    return _RETIRE_VARIANTS(key_store=store_id, ids=ids)


def shelve(store_id: int, product_id: int, category_ids: list[int]) -> list[Statement]:
    """Put the product on exactly these shelves; the first is its main category."""
    rows = [
        {"store_id": store_id, "product_id": product_id, "category_id": c, "position": i}
        for i, c in enumerate(category_ids)
    ]
    return [_CLEAR_SHELVES(key_store=store_id, key_product=product_id), _SHELVE.each(rows)]


async def list_on_shelf(db: Database, category_id: int, after: int, limit: int) -> list[int]:
    """Ids of the category's products above `after`, ascending."""
    return await db.all(_ON_SHELF, category_id=category_id, after=after, limit=limit)


def clear_shelf(store_id: int, category_id: int) -> Statement:
    """Take every product off a shelf that goes away."""
    return _CLEAR_SHELF(key_store=store_id, key_category=category_id)


def file_card(
    store_id: int, product_id: int, body: str, seen: int, categories: dict[int, int]
) -> Statement:
    """Keep what everybody sees of the product.

    Args:
        seen: the product's version that the body shows.
        categories: the version of each category it names; if any has moved on, no row is
            written.
    """
    return _FILE_CARD(
        product_id=product_id,
        store_id=store_id,
        body=body,
        product_key=product_id,
        product_version=seen,
        category_ids=sorted(categories),
        category_versions=sum(categories.values()),
    )


def drop_cards_of_shelf(store_id: int, category_id: int) -> Statement:
    """The category's name changes: its products are rendered anew when they are read."""
    return _DROP_CARDS_OF_SHELF(key_store=store_id, key_category=category_id)


def index_for_search(store_id: int, product_id: int, body: str) -> Statement:
    """Replace the product's normalised search text."""
    return _INDEX(store_id=store_id, product_id=product_id, body=body)

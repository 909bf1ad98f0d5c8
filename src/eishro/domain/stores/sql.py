"""Tables and statements of stores and categories."""

from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list, insert_once
from eishro.db.types import Flag, Int, Json, Moment, Text
from eishro.domain.stores.model import Category, CategoryNotFound, SlugTaken, Store, StoreNotFound
from eishro.errors import Stale

stores = table(
    "stores",
    sa.Column("id", Int, primary_key=True, autoincrement=False),
    sa.Column("slug", Text, nullable=False, unique=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("name_en", Text),
    sa.Column("description", Text),
    sa.Column("logo", Text),
    sa.Column("settings", Json, nullable=False),
    sa.Column("is_active", Flag, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("standing", Text, nullable=False, server_default="approved"),
    sa.Column("standing_reason", Text),
    sa.Column("commission_bp", Int),
    sa.Column("own_gateways", Json, nullable=False, server_default="[]"),
    sa.Index("ix_stores_is_active_id", "is_active", "id"),
)

categories = table(
    "categories",
    sa.Column("id", Int, primary_key=True, autoincrement=False),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("parent_id", Int),
    sa.Column("slug", Text, nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("name_en", Text),
    sa.Column("position", Int, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.UniqueConstraint("store_id", "slug"),
    sa.ForeignKeyConstraint(["store_id", "parent_id"], ["categories.store_id", "categories.id"]),
    sa.Index("ix_categories_store_id_parent_id", "store_id", "parent_id"),
)

# What public answers follow: `version` moves when anything the public sees of the store changes
# (a variant that runs out moves it by a trigger on `stock`). Counted here, not in every list:
# the products on sale.
store_versions = table(
    "store_versions",
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), primary_key=True, autoincrement=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("active_products", Int, nullable=False),
)

# Read by name, so that this noun need not import the other.
_members = sa.table(
    "memberships",
    sa.column("store_id", Int),
    sa.column("user_id", Int),
    sa.column("role", Text),
    sa.column("created_at", Moment),
)
_OWNER = (
    sa.select(_members.c.user_id)
    .where(_members.c.store_id == stores.c.id, _members.c.role == "owner")
    .order_by(_members.c.created_at, _members.c.user_id)
    .limit(1)
    .scalar_subquery()
)
_STORE_COLUMNS = (
    *(stores.c[name] for name in Store.__struct_fields__ if name != "owner_id"),
    _OWNER.label("owner_id"),
)

_BY_ID = Query(
    sa.select(*_STORE_COLUMNS).where(stores.c.id == sa.bindparam("id")),
    Store,
    store="id",
)
_BY_SLUG = Query(
    sa.select(*_STORE_COLUMNS).where(stores.c.slug == sa.bindparam("slug")),
    Store,
    across_stores=True,
)
_ID_BY_SLUG = Query(
    sa.select(stores.c.id).where(stores.c.slug == sa.bindparam("slug")), int, across_stores=True
)
_ACTIVE_PAGE = Query(
    sa.select(*_STORE_COLUMNS)
    .where(stores.c.is_active == sa.literal(True, Flag))
    .order_by(stores.c.id)
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset")),
    Store,
    across_stores=True,
)
_ACTIVE_COUNT = Query(
    sa.select(sa.func.count()).where(stores.c.is_active == sa.literal(True, Flag)),
    int,
    across_stores=True,
)
_ALL = sa.select(*_STORE_COLUMNS).order_by(stores.c.id.desc())
_ALL_PAGE = Query(
    _ALL.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")), Store, across_stores=True
)
_STANDING_PAGE = Query(
    _ALL.where(stores.c.standing == sa.bindparam("standing"))
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset")),
    Store,
    across_stores=True,
)
_ALL_COUNT = Query(sa.select(sa.func.count()).select_from(stores), int, across_stores=True)
_STANDING_COUNT = Query(
    sa.select(sa.func.count()).where(stores.c.standing == sa.bindparam("standing")),
    int,
    across_stores=True,
)
_CATEGORIES = Query(
    sa.select(*columns_of(categories, Category))
    .where(categories.c.store_id == sa.bindparam("store_id"))
    .order_by(categories.c.position, categories.c.id)
    .limit(sa.bindparam("limit")),
    Category,
)
_TOPS = Query(
    sa.select(*columns_of(categories, Category))
    .where(in_list(categories.c.store_id, "store_ids"), categories.c.parent_id.is_(None))
    .order_by(categories.c.store_id, categories.c.position, categories.c.id)
    .limit(sa.bindparam("limit")),
    Category,
    across_stores=True,
)
_CATEGORY = Query(
    sa.select(*columns_of(categories, Category)).where(
        categories.c.store_id == sa.bindparam("store_id"), categories.c.id == sa.bindparam("id")
    ),
    Category,
)


class Front(msgspec.Struct, frozen=True):
    """What every public route asks of a store first; `active_products` is a count."""

    store_id: int
    is_active: bool
    version: int
    active_products: int


_FRONT = sa.select(
    stores.c.id, stores.c.is_active, store_versions.c.version, store_versions.c.active_products
).select_from(stores.join(store_versions, store_versions.c.store_id == stores.c.id))
_FRONT_BY_ID = Query(_FRONT.where(stores.c.id == sa.bindparam("id")), Front, store="id")
_FRONT_BY_SLUG = Query(
    _FRONT.where(stores.c.slug == sa.bindparam("slug")), Front, across_stores=True
)
_VERSION = Query(
    sa.select(store_versions.c.version).where(store_versions.c.store_id == sa.bindparam("id")),
    int,
    store="id",
)
_ACTIVE_PRODUCTS = Query(
    sa.select(sa.func.coalesce(sa.func.sum(store_versions.c.active_products), 0))
    .select_from(store_versions.join(stores, stores.c.id == store_versions.c.store_id))
    .where(stores.c.is_active == sa.literal(True, Flag)),
    int,
    across_stores=True,
)
_OPEN_VERSION = Write(sa.insert(store_versions))
_MOVE_VERSION = Write(
    sa.update(store_versions)
    .where(store_versions.c.store_id == sa.bindparam("key_store"))
    .values(
        version=store_versions.c.version + 1,
        active_products=store_versions.c.active_products + sa.bindparam("products", type_=Int),
    )
)
_MOVE_VERSION_SEEN = Write(
    sa.update(store_versions)
    .where(
        store_versions.c.store_id == sa.bindparam("key_store"),
        store_versions.c.version == sa.bindparam("seen"),
    )
    .values(version=store_versions.c.version + 1)
)


class Shelf(msgspec.Struct, frozen=True):
    """A category a product stands in; the first of a product is its main one."""

    product_id: int
    category: Category


def _shelf(product_id: int, *category: Any) -> Shelf:
    return Shelf(product_id, Category(*category))


_placed = sa.table(
    "product_categories",
    sa.column("product_id", Int),
    sa.column("category_id", Int),
    sa.column("position", Int),
)
SHELVES = Query(
    sa.select(_placed.c.product_id, *columns_of(categories, Category))
    .select_from(_placed.join(categories, categories.c.id == _placed.c.category_id))
    .where(in_list(_placed.c.product_id, "product_ids"))
    .order_by(_placed.c.product_id, _placed.c.position)
    .limit(sa.bindparam("limit")),
    _shelf,
    across_stores=True,
)
_INSERT_STORE = Write(
    insert_once(stores),
    store="id",
)
_STORED = tuple(name for name in Store.__struct_fields__ if name != "owner_id")
_SAVE_STORE = Write(
    sa.update(stores)
    .where(stores.c.id == sa.bindparam("key_id"), stores.c.version == sa.bindparam("seen"))
    .values({name: sa.bindparam(name) for name in _STORED if name != "id"}),
    store="key_id",
)
_TOUCH = Write(
    sa.update(stores)
    .where(stores.c.id == sa.bindparam("key_id"), stores.c.version == sa.bindparam("seen"))
    .values(version=stores.c.version + 1),
    store="key_id",
)
_INSERT_CATEGORY = Write(insert_once(categories))
_SAVE_CATEGORY = Write(save_by_version(categories, Category, ("store_id", "id")))
_DELETE_CATEGORY = Write(
    sa.delete(categories).where(
        categories.c.store_id == sa.bindparam("key_store"), categories.c.id == sa.bindparam("key")
    )
)


async def find_store(db: Database, store_id: int) -> Store | None:
    """The store, active or not."""
    return await db.one(_BY_ID, id=store_id)


async def get_store(db: Database, store_id: int) -> Store:
    """The store, active or not, or `StoreNotFound`."""
    store = await db.one(_BY_ID, id=store_id)
    if store is None:
        raise StoreNotFound()
    return store


async def find_front(db: Database, key: int | str) -> Front | None:
    """What public routes need of the store of this id or slug, in one narrow read."""
    if isinstance(key, int):
        return await db.one(_FRONT_BY_ID, id=key)
    return await db.one(_FRONT_BY_SLUG, slug=key)


async def find_version(db: Database, store_id: int) -> int | None:
    """The version that the store's public answers follow."""
    return await db.one(_VERSION, id=store_id)


async def count_active_products(db: Database) -> int:
    """Products on sale in all active stores."""
    return await db.one(_ACTIVE_PRODUCTS) or 0


async def find_store_id(db: Database, slug: str) -> int | None:
    """The id behind a slug."""
    return await db.one(_ID_BY_SLUG, slug=slug)


async def list_active_stores(db: Database, limit: int, offset: int) -> tuple[list[Store], int]:
    """A page of the directory, oldest first, and how many there are."""
    page = await db.all(_ACTIVE_PAGE, limit=limit, offset=offset)
    return page, await db.one(_ACTIVE_COUNT) or 0


async def list_all_stores(
    db: Database, standing: str | None, limit: int, offset: int
) -> tuple[list[Store], int]:
    """A page of stores, open or not, newest first, and how many there are."""
    if standing is None:
        page = await db.all(_ALL_PAGE, limit=limit, offset=offset)
        return page, await db.one(_ALL_COUNT) or 0
    page = await db.all(_STANDING_PAGE, standing=standing, limit=limit, offset=offset)
    return page, await db.one(_STANDING_COUNT, standing=standing) or 0


async def list_categories(db: Database, store_id: int, limit: int = 500) -> list[Category]:
    """All categories of the store by position."""
    return await db.all(_CATEGORIES, store_id=store_id, limit=limit)


async def list_top_categories(db: Database, store_ids: list[int]) -> dict[int, list[str]]:
    """Names of the top categories of several stores, by store."""
    found: dict[int, list[str]] = {}
    for category in await db.all(_TOPS, store_ids=store_ids, limit=100 * max(1, len(store_ids))):
        found.setdefault(category.store_id, []).append(category.name)
    return found


async def get_category(db: Database, store_id: int, category_id: int) -> Category:
    """The store's category, or `CategoryNotFound`."""
    category = await db.one(_CATEGORY, store_id=store_id, id=category_id)
    if category is None:
        raise CategoryNotFound()
    return category


async def list_shelves(db: Database, product_ids: list[int]) -> list[Shelf]:
    """The categories of these products, main ones first."""
    if not product_ids:
        return []
    return await db.all(SHELVES, product_ids=product_ids, limit=50 * len(product_ids))


def insert_store(store: Store) -> list[Statement]:
    """A new store; refused with `SlugTaken`."""
    return [
        _INSERT_STORE(**values_of(store, "owner_id")).guarded(SlugTaken()),
        _OPEN_VERSION(store_id=store.id, version=1, active_products=0),
    ]


def move_version(store_id: int, *, products: int = 0) -> Statement:
    """Something the public sees changed; `products` more (or fewer) are on sale."""
    return _MOVE_VERSION(key_store=store_id, products=products)


def save_store(store: Store, seen: Store) -> Statement:
    """Replace `seen` by `store`, or `Stale`."""
    values = saving(store, seen)
    del values["owner_id"]
    return _SAVE_STORE(**values).guarded(Stale())


def touch(seen: Store) -> Statement:
    """Move on the version of the store's row alone: refused with `Stale` if anything that is
    guarded by it (who its people are) changed meanwhile.
    """
    return _TOUCH(key_id=seen.id, seen=seen.version).guarded(Stale())


def move_version_from(store_id: int, seen: int) -> Statement:
    """The same for a change that is right only if nothing else of the store has changed since
    the version `seen`; or `Stale`.
    """
    return _MOVE_VERSION_SEEN(key_store=store_id, seen=seen).guarded(Stale())


async def get_version(db: Database, store_id: int) -> int:
    """The version that the store's public answers follow, or `StoreNotFound`."""
    version = await find_version(db, store_id)
    if version is None:
        raise StoreNotFound()
    return version


def insert_category(category: Category) -> Statement:
    """A new category; refused with `SlugTaken`."""
    return _INSERT_CATEGORY(**values_of(category)).guarded(SlugTaken())


def save_category(category: Category, seen: Category) -> Statement:
    """Replace `seen` by `category`, or `Stale`."""
    return _SAVE_CATEGORY(**saving(category, seen, ("store_id", "id"))).guarded(Stale())


def delete_category(store_id: int, category_id: int) -> Statement:
    """Remove the category; products lose it by their own statement."""
    return _DELETE_CATEGORY(key_store=store_id, key=category_id).guarded(CategoryNotFound())

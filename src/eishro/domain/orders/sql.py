"""Tables and statements of orders."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list, upsert
from eishro.db.types import Flag, Id, Int, Json, Moment, Text
from eishro.domain.orders.model import (
    HistoryEntry,
    Line,
    Offer,
    Order,
    OrderNotFound,
)
from eishro.errors import Stale
from eishro.ids import text_id

orders = table(
    "orders",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("number", Text, nullable=False),
    sa.Column("customer_user_id", Int, sa.ForeignKey("users.id")),
    sa.Column("status", Text, nullable=False),
    sa.Column("payment_status", Text, nullable=False),
    sa.Column("fulfilment_status", Text, nullable=False),
    sa.Column("customer_name", Text, nullable=False),
    sa.Column("customer_phone", Text, nullable=False),
    sa.Column("customer_email", Text),
    sa.Column("city_code", Text, nullable=False),
    sa.Column("area", Text),
    sa.Column("address", Text, nullable=False),
    sa.Column("shipping_notes", Text),
    sa.Column("shipping_method", Text, nullable=False),
    sa.Column("payment_method", Text, nullable=False),
    sa.Column("notes", Text),
    sa.Column("subtotal_dirhams", Int, nullable=False),
    sa.Column("discount_dirhams", Int, nullable=False),
    sa.Column("shipping_dirhams", Int, nullable=False),
    sa.Column("total_dirhams", Int, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("weight_grams", Int, nullable=False, server_default="0"),
    sa.Column("coupon_code", Text),
    sa.Column("commission_bp", Int, nullable=False, server_default="0"),
    sa.Column("refunds_opened_dirhams", Int, nullable=False, server_default="0"),
    sa.Column("refunded_dirhams", Int, nullable=False, server_default="0"),
    sa.Column("due_dirhams", Int, nullable=False, server_default="0"),
    sa.Column("paid_dirhams", Int, nullable=False, server_default="0"),
    sa.Column("revision", Int, nullable=False, server_default="0"),
    sa.Column("is_held", Flag, nullable=False, server_default="0"),
    sa.UniqueConstraint("store_id", "id"),
    sa.UniqueConstraint("store_id", "number"),
    sa.CheckConstraint(
        "total_dirhams = subtotal_dirhams - discount_dirhams + shipping_dirhams", name="total"
    ),
    sa.Index("ix_orders_store_id_status_id", "store_id", "status", "id"),
    sa.Index(
        "ix_orders_customer_user_id_id",
        "customer_user_id",
        "id",
        sqlite_where=sa.text("customer_user_id IS NOT NULL"),
        postgresql_where=sa.text("customer_user_id IS NOT NULL"),
    ),
    sa.Index(
        "ix_orders_expires_at",
        "expires_at",
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    ),
    # A store's buyers, and orders of guests that wait for whoever proves the phone or address.
    sa.Index("ix_orders_store_id_customer_phone_id", "store_id", "customer_phone", "id"),
    sa.Index(
        "ix_orders_guest_phone",
        "customer_phone",
        sqlite_where=sa.text("customer_user_id IS NULL"),
        postgresql_where=sa.text("customer_user_id IS NULL"),
    ),
    sa.Index(
        "ix_orders_guest_email",
        "customer_email",
        sqlite_where=sa.text("customer_user_id IS NULL AND customer_email IS NOT NULL"),
        postgresql_where=sa.text("customer_user_id IS NULL AND customer_email IS NOT NULL"),
    ),
    # What one buyer holds (holding.py).
    sa.Index(
        "ix_orders_open_by_phone",
        "customer_phone",
        sqlite_where=sa.text("status = 'pending' AND payment_status IN ('pending', 'failed')"),
        postgresql_where=sa.text("status = 'pending' AND payment_status IN ('pending', 'failed')"),
    ),
    with_rowid=False,
)

order_lines = table(
    "order_lines",
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("position", Int, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("product_id", Int, nullable=False),
    sa.Column("variant_id", Int, nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("options", Json, nullable=False),
    sa.Column("sku", Text),
    sa.Column("unit_price_dirhams", Int, nullable=False),
    sa.Column("quantity", Int, nullable=False),
    sa.Column("total_dirhams", Int, nullable=False),
    sa.Column("discount_dirhams", Int, nullable=False, server_default="0"),
    sa.Column("weight_grams", Int, nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.ForeignKeyConstraint(["store_id", "variant_id"], ["variants.store_id", "variants.id"]),
    sa.CheckConstraint("quantity > 0", name="quantity"),
    with_rowid=False,
)

order_history = table(
    "order_history",
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("event", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("actor", Text, nullable=False),
    sa.Column("note", Text),
    sa.Column("at", Moment, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    with_rowid=False,
)

# How the amounts came about: what they were made from, and each step with its reason. Beside the
# order, since lists do not need it.
order_traces = table(
    "order_traces",
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("trace", Json, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    with_rowid=False,
)

_variants = sa.table(
    "variants",
    sa.column("id", Int),
    sa.column("store_id", Int),
    sa.column("product_id", Int),
    sa.column("sku", Text),
    sa.column("options", Json),
    sa.column("price_dirhams", Int),
    sa.column("position", Int),
    sa.column("is_active", Flag),
    sa.column("weight_grams", Int),
)
_products = sa.table(
    "products",
    sa.column("id", Int),
    sa.column("store_id", Int),
    sa.column("name", Text),
    sa.column("price_dirhams", Int),
    sa.column("sells", Flag),
    sa.column("status", Text),
    sa.column("version", Int),
    sa.column("weight_grams", Int),
)
_stock = sa.table("stock", sa.column("variant_id", Int), sa.column("available", Int))
_stores = sa.table("stores", sa.column("id", Int), sa.column("version", Int))

_ORDER_COLUMNS = columns_of(orders, Order)
_BY_ID = Query(
    sa.select(*_ORDER_COLUMNS).where(orders.c.id == sa.bindparam("id")),
    Order,
    across_stores=True,
)
_LINES = Query(
    sa.select(*columns_of(order_lines, Line))
    .where(in_list(order_lines.c.order_id, "order_ids"))
    .order_by(order_lines.c.order_id, order_lines.c.position)
    .limit(sa.bindparam("limit")),
    Line,
    across_stores=True,
)
_HISTORY = Query(
    sa.select(*columns_of(order_history, HistoryEntry))
    .where(in_list(order_history.c.order_id, "order_ids"))
    .order_by(order_history.c.order_id, order_history.c.at, order_history.c.id)
    .limit(sa.bindparam("limit")),
    HistoryEntry,
    across_stores=True,
)
_ALL_OFFERS = (
    sa.select(
        _variants.c.id,
        _variants.c.product_id,
        _products.c.version,
        _products.c.name,
        _variants.c.options,
        _variants.c.sku,
        sa.func.coalesce(_variants.c.price_dirhams, _products.c.price_dirhams),
        _stock.c.available,
        _products.c.sells,
        sa.func.coalesce(_variants.c.weight_grams, _products.c.weight_grams, 0),
    )
    .select_from(
        _products.join(_variants, _variants.c.product_id == _products.c.id).join(
            _stock, _stock.c.variant_id == _variants.c.id
        )
    )
    .where(
        _products.c.store_id == sa.bindparam("store_id"),
        _products.c.status == "active",
        _variants.c.is_active == sa.literal(True, Flag),
    )
    .order_by(_variants.c.position, _variants.c.id)
    .limit(sa.bindparam("limit"))
)
_OFFERS = Query(_ALL_OFFERS.where(in_list(_products.c.id, "product_ids")), Offer)
_OFFERS_OF_VARIANTS = Query(_ALL_OFFERS.where(in_list(_variants.c.id, "variant_ids")), Offer)
_DUE_TO_EXPIRE = Query(
    sa.select(orders.c.id)
    .where(orders.c.expires_at <= sa.bindparam("now"))
    .order_by(orders.c.expires_at)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
# The store's version is the guard for what the flow read of it: active, delivery price, methods.
_INSERT = Write(
    sa.insert(orders).from_select(
        list(Order.__struct_fields__),
        sa.select(
            *(
                sa.bindparam(name, type_=orders.c[name].type).label(name)
                for name in Order.__struct_fields__
            )
        ).where(
            sa.exists(
                sa.select(sa.literal_column("1")).where(
                    _stores.c.id == sa.bindparam("store_key"),
                    _stores.c.version == sa.bindparam("store_version"),
                )
            )
        ),
    )
)
_INSERT_TRACE = Write(sa.insert(order_traces))
_TRACE = Query(
    sa.select(order_traces.c.trace).where(
        order_traces.c.store_id == sa.bindparam("store_id"),
        order_traces.c.order_id == sa.bindparam("order_id"),
    ),
    lambda trace: trace,
)
_REPLACE_TRACE = Write(upsert(order_traces))
_INSERT_LINES = Write(sa.insert(order_lines))
_REPLACE_LINES = Write(upsert(order_lines))
_DROP_LINES = Write(
    sa.delete(order_lines).where(
        order_lines.c.store_id == sa.bindparam("key_store"),
        order_lines.c.order_id == sa.bindparam("key_order"),
        order_lines.c.position == sa.bindparam("key_position"),
    )
)
_INSERT_HISTORY = Write(sa.insert(order_history))
_SAVE = Write(save_by_version(orders, Order, ("store_id", "id")))


async def get_order(db: Database, order_id: str) -> Order:
    """The order, or `OrderNotFound`."""
    order = await db.one(_BY_ID, id=order_id)
    if order is None:
        raise OrderNotFound()
    return order


async def list_lines(db: Database, order_ids: list[str]) -> list[Line]:
    """Lines of these orders, by order and position."""
    return await db.all(_LINES, order_ids=order_ids, limit=100 * max(1, len(order_ids)))


async def list_history(db: Database, order_ids: list[str]) -> list[HistoryEntry]:
    """What happened to these orders, oldest first."""
    return await db.all(_HISTORY, order_ids=order_ids, limit=100 * max(1, len(order_ids)))


async def list_offers(db: Database, store_id: int, product_ids: list[int]) -> list[Offer]:
    """Every live variant of the store's active products among these."""
    return await db.all(
        _OFFERS, store_id=store_id, product_ids=product_ids, limit=100 * max(1, len(product_ids))
    )


async def list_offers_of_variants(
    db: Database, store_id: int, variant_ids: list[int]
) -> list[Offer]:
    """The live ones of the store among these variants."""
    if not variant_ids:
        return []
    return await db.all(
        _OFFERS_OF_VARIANTS, store_id=store_id, variant_ids=variant_ids, limit=len(variant_ids)
    )


async def list_due_to_expire(db: Database, now: datetime, limit: int = 100) -> list[str]:
    """Ids of unpaid orders whose time is over."""
    return await db.all(_DUE_TO_EXPIRE, now=now, limit=limit)


def insert_order(order: Order, lines: list[Line], store_version: int) -> list[Statement]:
    """A new order; `Stale` if the store changed since it was read or the number is taken."""
    insert = _INSERT(store_key=order.store_id, store_version=store_version, **values_of(order))
    return [insert.guarded(Stale()), _INSERT_LINES.each([values_of(line) for line in lines])]


def insert_trace(order: Order, trace: object) -> Statement:
    """How the order's amounts came about; stands after the order's own insert."""
    return _INSERT_TRACE(order_id=order.id, store_id=order.store_id, trace=trace)


def replace_lines(before: list[Line], after: list[Line]) -> list[Statement]:
    """Other lines for an order; stands with its `save_order`, which guards them."""
    kept = {line.position for line in after}
    gone = [
        {
            "key_store": line.store_id,
            "key_order": line.order_id,
            "key_position": line.position,
        }
        for line in before
        if line.position not in kept
    ]
    return [_DROP_LINES.each(gone), _REPLACE_LINES.each([values_of(line) for line in after])]


def replace_trace(order: Order, trace: object) -> Statement:
    """How the order's amounts come about now."""
    return _REPLACE_TRACE(order_id=order.id, store_id=order.store_id, trace=trace)


async def find_trace(db: Database, store_id: int, order_id: str) -> msgspec.Raw | None:
    """The kept trace; None for an order from before there were traces."""
    return await db.one(_TRACE, store_id=store_id, order_id=order_id)


def save_order(order: Order, seen: Order) -> Statement:
    """Replace `seen` by `order`, or `Stale`."""
    return _SAVE(**saving(order, seen, ("store_id", "id"))).guarded(Stale())


def new_history(
    order: Order, event: str, actor: str, at: datetime, note: str | None = None
) -> HistoryEntry:
    """One entry of the order's history."""
    return HistoryEntry(
        order_id=order.id,
        id=text_id("his", at),
        store_id=order.store_id,
        event=event,
        status=order.status,
        actor=actor,
        note=note,
        at=at,
    )


def insert_history(entry: HistoryEntry) -> Statement:
    """The entry as part of a batch."""
    return _INSERT_HISTORY(**values_of(entry))


def note_history(
    order: Order, event: str, actor: str, at: datetime, note: str | None = None
) -> Statement:
    """A new entry as part of a batch."""
    return insert_history(new_history(order, event, actor, at, note))

"""Tables and statements of stock. The table is narrow because every order writes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Moment, Text
from eishro.errors import Stale
from eishro.ids import text_id

stock = table(
    "stock",
    sa.Column("variant_id", Int, primary_key=True, autoincrement=False),
    sa.Column("product_id", Int, nullable=False),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("available", Int),
    sa.Column("held", Int, nullable=False),
    sa.Column("sold", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "variant_id"], ["variants.store_id", "variants.id"]),
    sa.CheckConstraint("available >= 0", name="available"),
    sa.CheckConstraint("held >= 0", name="held"),
    sa.CheckConstraint("sold >= 0", name="sold"),
    sa.Index("ix_stock_product_id", "product_id"),
    sa.Index(
        "ix_stock_sold_out",
        "product_id",
        "variant_id",
        sqlite_where=sa.text("available = 0"),
        postgresql_where=sa.text("available = 0"),
    ),
)

stock_movements = table(
    "stock_movements",
    # What moved it: an order, a shipment, or a count of its own (`mov_…`). One movement of a kind
    # for each variant and subject, so nothing can be held or given back twice.
    sa.Column("subject_id", Id, primary_key=True),
    sa.Column("variant_id", Int, primary_key=True, autoincrement=False),
    sa.Column("kind", Text, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("quantity", Int, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.CheckConstraint(
        "kind IN ('receive', 'track', 'untrack', 'hold', 'release', 'consume', 'restock')",
        name="kind",
    ),
    with_rowid=False,
)

Kind = Literal["receive", "track", "untrack", "hold", "release", "consume", "restock"]


class Stock(msgspec.Struct, frozen=True):
    """One variant's stock; `available` None is untracked."""

    variant_id: int
    product_id: int
    store_id: int
    available: int | None
    held: int
    sold: int


class Taking(msgspec.Struct, frozen=True):
    """Pieces of one variant for one order; `product_version` is the price's version as read."""

    store_id: int
    variant_id: int
    quantity: int
    product_version: int = 0


_OF_PRODUCTS = Query(
    sa.select(*columns_of(stock, Stock))
    .where(in_list(stock.c.product_id, "product_ids"))
    .limit(sa.bindparam("limit")),
    Stock,
    across_stores=True,  # the products tell the store
)
_products = sa.table(
    "products",
    sa.column("id", Int),
    sa.column("version", Int),
    sa.column("status", Text),
)
_KEY = (
    stock.c.variant_id == sa.bindparam("key"),
    stock.c.store_id == sa.bindparam("key_store"),
)
_QUANTITY = sa.bindparam("quantity", type_=Int)
_INSERT = Write(sa.insert(stock))
_MOVE = Write(sa.insert(stock_movements))
# NULL - n stays NULL: untracked stock never runs out. The product's version guards the price.
_HOLD = Write(
    sa.update(stock)
    .where(
        *_KEY,
        sa.or_(stock.c.available.is_(None), stock.c.available >= _QUANTITY),
        sa.exists(
            sa.select(sa.literal_column("1")).where(
                _products.c.id == stock.c.product_id,
                _products.c.version == sa.bindparam("product_version"),
            )
        ),
    )
    .values(available=stock.c.available - _QUANTITY, held=stock.c.held + _QUANTITY)
)
_RELEASE = Write(
    sa.update(stock)
    .where(*_KEY, stock.c.held >= _QUANTITY)
    .values(available=stock.c.available + _QUANTITY, held=stock.c.held - _QUANTITY)
)
_CONSUME = Write(
    sa.update(stock)
    .where(*_KEY, stock.c.held >= _QUANTITY)
    .values(sold=stock.c.sold + _QUANTITY, held=stock.c.held - _QUANTITY)
)
_RESTOCK = Write(
    sa.update(stock)
    .where(*_KEY, stock.c.sold >= _QUANTITY)
    .values(sold=stock.c.sold - _QUANTITY, available=stock.c.available + _QUANTITY)
)
_RETAKE = Write(
    sa.update(stock)
    .where(*_KEY, stock.c.sold >= _QUANTITY)
    .values(sold=stock.c.sold - _QUANTITY, held=stock.c.held + _QUANTITY)
)
_SET = Write(
    sa.update(stock)
    .where(
        *_KEY,
        stock.c.available.is_not_distinct_from(sa.bindparam("seen", type_=Int)),
        stock.c.held + stock.c.sold == sa.bindparam("gone", type_=Int),
    )
    .values(available=sa.bindparam("after"))
)


async def list_stock(db: Database, product_ids: list[int]) -> list[Stock]:
    """Stock of every variant of these products."""
    if not product_ids:
        return []
    return await db.all(_OF_PRODUCTS, product_ids=product_ids, limit=100 * len(product_ids))


def open_stock(
    store_id: int, product_id: int, variant_id: int, available: int | None, at: datetime
) -> list[Statement]:
    """Stock of a new variant."""
    opened = _INSERT(
        variant_id=variant_id,
        product_id=product_id,
        store_id=store_id,
        available=available,
        held=0,
        sold=0,
    )
    return [
        opened,
        *([_moved(store_id, variant_id, "receive", available, at)] if available else []),
    ]


def set_stock(seen: Stock, available: int | None, at: datetime) -> list[Statement]:
    """The merchant counted: `available` pieces now, or None to stop tracking; or `Stale`.

    What came in (receive, track, untrack) always sums to available + held + sold of a tracked
    variant: tracking begins with what is gone already, and ends by taking all of it out.
    """
    if seen.available == available:
        return []
    gone = seen.held + seen.sold
    write = _SET(
        key=seen.variant_id,
        key_store=seen.store_id,
        seen=seen.available,
        gone=gone,
        after=available,
    ).guarded(Stale())
    kind: Kind
    if available is None:
        kind, quantity = "untrack", -((seen.available or 0) + gone)
    elif seen.available is None:
        kind, quantity = "track", available + gone
    else:
        kind, quantity = "receive", available - seen.available
    return [write, _moved(seen.store_id, seen.variant_id, kind, quantity, at)]


def hold(
    takings: Sequence[Taking], order_id: str, at: datetime, otherwise: Exception
) -> list[Statement]:
    """Reserve pieces for an order, at the prices that were read; refused with `otherwise`.

    Give the takings sorted by variant: two orders of the same goods then wait for each other
    instead of deadlocking.
    """
    holds = [
        {
            "key": taking.variant_id,
            "key_store": taking.store_id,
            "quantity": taking.quantity,
            "product_version": taking.product_version,
        }
        for taking in takings
    ]
    moves = [
        {
            "subject_id": order_id,
            "variant_id": taking.variant_id,
            "kind": "hold",
            "store_id": taking.store_id,
            "quantity": taking.quantity,
            "at": at,
        }
        for taking in takings
    ]
    return [_HOLD.each(holds).guarded(otherwise), _MOVE.each(moves)]


def release(taking: Taking, subject_id: str, at: datetime) -> list[Statement]:
    """Give held pieces back."""
    return _both(_keyed(_RELEASE, taking), taking, "release", subject_id, at)


def consume(taking: Taking, subject_id: str, at: datetime) -> list[Statement]:
    """Held pieces have left the house."""
    return _both(_keyed(_CONSUME, taking), taking, "consume", subject_id, at)


def restock(taking: Taking, subject_id: str, at: datetime) -> list[Statement]:
    """Sold pieces came back and can be sold again."""
    return _both(_keyed(_RESTOCK, taking), taking, "restock", subject_id, at)


def retake(taking: Taking, subject_id: str, at: datetime) -> list[Statement]:
    """What was consumed for the subject has not left after all: it is held for its order again."""
    held = _moved(taking.store_id, taking.variant_id, "hold", taking.quantity, at, subject_id)
    return [
        *_both(_keyed(_RETAKE, taking), taking, "restock", subject_id, at),
        held.guarded(Stale()),
    ]


def _keyed(write: Write, taking: Taking) -> Statement:
    return write(
        key=taking.variant_id, key_store=taking.store_id, quantity=taking.quantity
    ).guarded(Stale())


def _both(
    write: Statement, taking: Taking, kind: Kind, subject_id: str, at: datetime
) -> list[Statement]:
    movement = _moved(taking.store_id, taking.variant_id, kind, taking.quantity, at, subject_id)
    # The same move for the same subject was made meanwhile: its key is taken.
    return [write, movement.guarded(Stale())]


def _moved(
    store_id: int,
    variant_id: int,
    kind: Kind,
    quantity: int,
    at: datetime,
    subject_id: str | None = None,
) -> Statement:
    return _MOVE(
        subject_id=subject_id or text_id("mov", at),
        variant_id=variant_id,
        kind=kind,
        store_id=store_id,
        quantity=quantity,
        at=at,
    )

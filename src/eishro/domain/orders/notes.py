"""What a store's people write on an order for each other; buyers never see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Moment, Text

order_notes = table(
    "order_notes",
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("text", Text, nullable=False),
    sa.Column("author", Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    with_rowid=False,
)


class OrderNote(msgspec.Struct, frozen=True):
    """One note; `author` is named as in the audit trail."""

    order_id: str
    id: str
    store_id: int
    text: str
    author: str
    at: datetime


_OF_ORDER = (
    order_notes.c.store_id == sa.bindparam("store_id"),
    order_notes.c.order_id == sa.bindparam("order_id"),
)
_PAGES = Pages(
    sa.select(*columns_of(order_notes, OrderNote)).where(*_OF_ORDER),
    OrderNote,
    order_by=(order_notes.c.id,),
)
_OF_ORDERS = Query(
    sa.select(*columns_of(order_notes, OrderNote))
    .where(in_list(order_notes.c.order_id, "order_ids"))
    .order_by(order_notes.c.order_id, order_notes.c.id)
    .limit(sa.bindparam("limit")),
    OrderNote,
    across_stores=True,  # a person's orders of every store
)
_INSERT = Write(sa.insert(order_notes))
_FORGET = Write(
    sa.delete(order_notes).where(
        order_notes.c.store_id == sa.bindparam("key_store"),
        order_notes.c.order_id == sa.bindparam("key_order"),
    )
)


async def list_notes(
    db: Database, store_id: int, order_id: str, limit: int, offset: int
) -> list[OrderNote]:
    """The order's notes, oldest first."""
    return await _PAGES.list_(db, limit, offset, store_id=store_id, order_id=order_id)


async def count_notes(db: Database, store_id: int, order_id: str) -> int:
    """How many notes the order has."""
    return await _PAGES.count(db, store_id=store_id, order_id=order_id)


async def list_notes_of_orders(db: Database, order_ids: list[str]) -> list[OrderNote]:
    """Notes of these orders, by order, oldest first; at most 100 for each on average."""
    return await db.all(_OF_ORDERS, order_ids=order_ids, limit=100 * max(1, len(order_ids)))


def forget_notes(keys: Sequence[Mapping[str, object]]) -> Statement:
    """Drop the notes of these orders (`owners.keys_of`): they are about their buyers."""
    return _FORGET.each(keys)


def insert_note(note: OrderNote) -> Statement:
    """A new note."""
    return _INSERT(**values_of(note))

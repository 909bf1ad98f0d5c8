"""What a store's people write on an order for each other; buyers never see it."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write
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
_PAGE = Query(
    sa.select(*columns_of(order_notes, OrderNote))
    .where(*_OF_ORDER)
    .order_by(order_notes.c.id)
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset")),
    OrderNote,
)
_COUNT = Query(sa.select(sa.func.count()).select_from(order_notes).where(*_OF_ORDER), int)
_INSERT = Write(sa.insert(order_notes))


async def list_notes(
    db: Database, store_id: int, order_id: str, limit: int, offset: int
) -> list[OrderNote]:
    """The order's notes, oldest first."""
    return await db.all(_PAGE, store_id=store_id, order_id=order_id, limit=limit, offset=offset)


async def count_notes(db: Database, store_id: int, order_id: str) -> int:
    """How many notes the order has."""
    return await db.one(_COUNT, store_id=store_id, order_id=order_id) or 0


def insert_note(note: OrderNote) -> Statement:
    """A new note."""
    return _INSERT(**values_of(note))

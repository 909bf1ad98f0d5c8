"""The table and statements of suspense."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write
from eishro.db.types import Id, Int, Moment, Text
from eishro.domain.suspense.model import SuspenseItem, SuspenseNotFound
from eishro.errors import Stale

suspense_items = table(
    "suspense_items",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("payment_id", Id, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("provider", Text, nullable=False),
    sa.Column("terminal", Text, nullable=False),
    sa.Column("provider_reference", Text, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("currency", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("assigned_to", Int, sa.ForeignKey("users.id")),
    sa.Column("due_at", Moment, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("resolution", Text),
    sa.Column("resolved_order_id", Id),
    sa.Column("resolved_by", Text),
    sa.Column("resolved_at", Moment),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.UniqueConstraint("provider", "terminal", "provider_reference"),
    sa.ForeignKeyConstraint(["store_id", "payment_id"], ["payments.store_id", "payments.id"]),
    sa.Index(
        "ix_suspense_items_waiting",
        "due_at",
        "id",
        sqlite_where=sa.text("status <> 'resolved'"),
        postgresql_where=sa.text("status <> 'resolved'"),
    ),
    sa.Index(
        "ix_suspense_items_resolved_order_id",
        "resolved_order_id",
        sqlite_where=sa.text("resolved_order_id IS NOT NULL"),
        postgresql_where=sa.text("resolved_order_id IS NOT NULL"),
    ),
    with_rowid=False,
)

WAITING = sa.text("status <> 'resolved'")  # as the index says it
_ITEM = sa.select(*columns_of(suspense_items, SuspenseItem))
_IN_STORE = Query(
    _ITEM.where(
        suspense_items.c.store_id == sa.bindparam("store_id"),
        suspense_items.c.id == sa.bindparam("id"),
    ),
    SuspenseItem,
)
_OF_STORE = suspense_items.c.store_id == sa.bindparam("store_id")
_COUNT = sa.select(sa.func.count()).select_from(suspense_items)


def _page(select: Any, *order: Any, **kind: Any) -> Query[SuspenseItem]:
    return Query(
        select.order_by(*order).limit(sa.bindparam("limit")).offset(sa.bindparam("offset")),
        SuspenseItem,
        **kind,
    )


_STORE_PAGE = _page(_ITEM.where(_OF_STORE), suspense_items.c.id.desc())
_STORE_COUNT = Query(_COUNT.where(_OF_STORE), int)
_STORE_WAITING_PAGE = _page(
    _ITEM.where(_OF_STORE, WAITING), suspense_items.c.due_at, suspense_items.c.id
)
_STORE_WAITING_COUNT = Query(_COUNT.where(_OF_STORE, WAITING), int)
# The longest overdue come first.
_WAITING_PAGE = _page(
    _ITEM.where(WAITING), suspense_items.c.due_at, suspense_items.c.id, across_stores=True
)
_WAITING_COUNT = Query(_COUNT.where(WAITING), int, across_stores=True)
_OVERDUE = Query(
    _COUNT.where(WAITING, suspense_items.c.due_at < sa.bindparam("now")), int, across_stores=True
)
_OF_RECEIPT = Query(
    _ITEM.where(
        _OF_STORE,
        suspense_items.c.provider == sa.bindparam("provider"),
        suspense_items.c.terminal == sa.bindparam("terminal"),
        suspense_items.c.provider_reference == sa.bindparam("reference"),
    ),
    SuspenseItem,
)
_APPLIED_TO = Query(
    _ITEM.where(_OF_STORE, suspense_items.c.resolved_order_id == sa.bindparam("order_id"))
    .order_by(suspense_items.c.id)
    .limit(sa.bindparam("limit")),
    SuspenseItem,
)
_INSERT = Write(sa.insert(suspense_items))
_SAVE = Write(save_by_version(suspense_items, SuspenseItem, ("store_id", "id")))


async def get_item(db: Database, store_id: int, item_id: str) -> SuspenseItem:
    """The store's item, or `SuspenseNotFound`."""
    item = await db.one(_IN_STORE, store_id=store_id, id=item_id)
    if item is None:
        raise SuspenseNotFound()
    return item


async def find_item_of_receipt(
    db: Database, store_id: int, provider: str, terminal: str, reference: str
) -> SuspenseItem | None:
    """The item that this receipt opened; None if its money never was in suspense."""
    return await db.one(
        _OF_RECEIPT, store_id=store_id, provider=provider, terminal=terminal, reference=reference
    )


async def list_applied_to(db: Database, store_id: int, order_id: str) -> list[SuspenseItem]:
    """Items whose money paid this order."""
    return await db.all(_APPLIED_TO, store_id=store_id, order_id=order_id, limit=10)


async def list_items(
    db: Database, store_id: int, limit: int, offset: int, *, waiting: bool
) -> tuple[list[SuspenseItem], int]:
    """A page of the store's items and how many there are: those that wait by deadline, or all of
    them, newest first.
    """
    page, count = (
        (_STORE_WAITING_PAGE, _STORE_WAITING_COUNT) if waiting else (_STORE_PAGE, _STORE_COUNT)
    )
    found = await db.all(page, store_id=store_id, limit=limit, offset=offset)
    return found, await db.one(count, store_id=store_id) or 0


async def list_waiting(db: Database, limit: int, offset: int) -> tuple[list[SuspenseItem], int]:
    """A page of every store's waiting items, overdue first, and how many there are."""
    found = await db.all(_WAITING_PAGE, limit=limit, offset=offset)
    return found, await db.one(_WAITING_COUNT) or 0


async def count_overdue(db: Database, now: datetime) -> int:
    """Items whose deadline is over."""
    return await db.one(_OVERDUE, now=now) or 0


def insert_item(item: SuspenseItem) -> Statement:
    """A new item; its receipt's guard stands before it in the batch."""
    return _INSERT(**values_of(item))


def save_item(item: SuspenseItem, seen: SuspenseItem) -> Statement:
    """Replace `seen` by `item`, or `Stale`."""
    return _SAVE(**saving(item, seen, ("store_id", "id"))).guarded(Stale())

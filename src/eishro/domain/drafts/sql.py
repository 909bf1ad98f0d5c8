"""Table and statements of drafts."""

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.drafts.model import Draft, DraftNotFound, Status
from eishro.errors import Stale

draft_orders = table(
    "draft_orders",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Column("note", Text),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("order_id", Id),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("customer_phone", Text),
    sa.UniqueConstraint("store_id", "id"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.CheckConstraint("status IN ('open', 'placed', 'deleted')", name="status"),
    sa.Index("ix_draft_orders_store_id_status_id", "store_id", "status", "id"),
    # What is kept of a person, to show or forget it.
    sa.Index(
        "ix_draft_orders_customer_phone",
        "customer_phone",
        "store_id",
        sqlite_where=sa.text("customer_phone IS NOT NULL"),
        postgresql_where=sa.text("customer_phone IS NOT NULL"),
    ),
    with_rowid=False,
)

_OF_STATUS = Pages(
    sa.select(*columns_of(draft_orders, Draft)).where(
        draft_orders.c.store_id == sa.bindparam("store_id"),
        draft_orders.c.status == sa.bindparam("status"),
    ),
    Draft,
    order_by=(draft_orders.c.id.desc(),),
)
_BY_ID = Query(
    sa.select(*columns_of(draft_orders, Draft)).where(
        draft_orders.c.store_id == sa.bindparam("store_id"),
        draft_orders.c.id == sa.bindparam("id"),
        draft_orders.c.status != "deleted",
    ),
    Draft,
)
_OF_PHONES = (
    sa.select(*columns_of(draft_orders, Draft))
    .where(
        in_list(draft_orders.c.customer_phone, "phones"),
        draft_orders.c.customer_phone.is_not(None),
    )
    .order_by(draft_orders.c.id)
    .limit(sa.bindparam("limit"))
)
_OF_PHONE_IN_STORE = Query(
    _OF_PHONES.where(draft_orders.c.store_id == sa.bindparam("store_id")), Draft
)
_OF_PHONES_ANYWHERE = Query(_OF_PHONES, Draft, across_stores=True)
_INSERT = Write(sa.insert(draft_orders))
_SAVE = Write(save_by_version(draft_orders, Draft, ("store_id", "id")))


async def list_drafts(
    db: Database, store_id: int, status: Status, limit: int, offset: int
) -> list[Draft]:
    """The store's drafts of this status, newest first."""
    return await _OF_STATUS.list_(db, limit, offset, store_id=store_id, status=status)


async def count_drafts(db: Database, store_id: int, status: Status) -> int:
    """How many of this status the store has."""
    return await _OF_STATUS.count(db, store_id=store_id, status=status)


async def get_draft(db: Database, store_id: int, draft_id: str) -> Draft:
    """The store's draft, or `DraftNotFound`; a deleted one is gone."""
    draft = await db.one(_BY_ID, store_id=store_id, id=draft_id)
    if draft is None:
        raise DraftNotFound()
    return draft


async def list_drafts_of_phone(db: Database, store_id: int, phone: str, limit: int) -> list[Draft]:
    """The store's drafts for this telephone in any state, deleted ones too, oldest first."""
    return await db.all(_OF_PHONE_IN_STORE, store_id=store_id, phones=[phone], limit=limit)


async def list_drafts_of_phones(db: Database, phones: list[str], limit: int) -> list[Draft]:
    """Drafts for these telephones, of every store and in any state, oldest first."""
    return await db.all(_OF_PHONES_ANYWHERE, phones=phones, limit=limit) if phones else []


def insert_draft(draft: Draft) -> Statement:
    """A new draft."""
    return _INSERT(**values_of(draft))


def save_draft(draft: Draft, seen: Draft) -> Statement:
    """Replace `seen` by `draft`, or `Stale`."""
    return _SAVE(**saving(draft, seen, ("store_id", "id"))).guarded(Stale())

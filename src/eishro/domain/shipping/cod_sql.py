"""Tables and statements of cash on delivery: collections, and cases for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Moment, Text
from eishro.domain.shipping.cod import Case, CaseNotFound, Collection
from eishro.errors import Stale

COURIERS_MAX = 200  # of one store
LATE_SHOWN_MAX = 100

cod_collections = table(
    "cod_collections",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("shipment_id", Id),
    sa.Column("carrier", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("expected_dirhams", Int, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("fee_dirhams", Int, nullable=False),
    sa.Column("short_dirhams", Int, nullable=False),
    sa.Column("collected_at", Moment, nullable=False),
    sa.Column("remitted_at", Moment),
    sa.Column("remittance_id", Id),
    sa.Column("version", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.ForeignKeyConstraint(["store_id", "shipment_id"], ["shipments.store_id", "shipments.id"]),
    sa.CheckConstraint("amount_dirhams >= 0", name="amount"),
    sa.Index("ix_cod_collections_order_id", "order_id"),
    sa.Index("ix_cod_collections_store_id_state_collected_at", "store_id", "state", "collected_at"),
    sa.Index(
        "ix_cod_collections_held",
        "collected_at",
        sqlite_where=sa.text("state = 'collected'"),
        postgresql_where=sa.text("state = 'collected'"),
    ),
    # A parcel is paid for once.
    sa.Index(
        "uq_cod_collections_shipment_id",
        "shipment_id",
        unique=True,
        sqlite_where=sa.text("shipment_id IS NOT NULL"),
        postgresql_where=sa.text("shipment_id IS NOT NULL"),
    ),
    with_rowid=False,
)

cod_cases = table(
    "cod_cases",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("shipment_id", Id),
    sa.Column("collection_id", Id),
    sa.Column("remittance_id", Id),
    sa.Column("carrier", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("stage", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("expected_dirhams", Int, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("fee_dirhams", Int, nullable=False),
    sa.Column("happened_at", Moment, nullable=False),
    sa.Column("resolution", Text),
    sa.Column("note", Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("resolved_at", Moment),
    sa.Column("resolved_by", Text),
    sa.Column("version", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.Index("ix_cod_cases_store_id_state_id", "store_id", "state", "id"),
    sa.Index("ix_cod_cases_order_id", "order_id"),
    # Cash is late once.
    sa.Index(
        "uq_cod_cases_late",
        "collection_id",
        unique=True,
        sqlite_where=sa.text("kind = 'late'"),
        postgresql_where=sa.text("kind = 'late'"),
    ),
    with_rowid=False,
)


class Till(msgspec.Struct, frozen=True):
    """One courier's cash, in dirhams: all it took, what it handed over, what it still has and
    what of that is late.
    """

    carrier: str
    collected_dirhams: int
    remitted_dirhams: int
    outstanding_dirhams: int
    late_dirhams: int
    late_count: int


_COLLECTION = columns_of(cod_collections, Collection)
_CASE = columns_of(cod_cases, Case)
_OF_ORDERS = Query(
    sa.select(*_COLLECTION)
    .where(in_list(cod_collections.c.order_id, "order_ids"))
    .order_by(cod_collections.c.id)
    .limit(sa.bindparam("limit")),
    Collection,
    across_stores=True,  # the orders tell the store
)


def _sum(*conditions: Any) -> Any:
    amount = cod_collections.c.amount_dirhams
    return _whole(sa.case((sa.and_(*conditions), amount), else_=0))


def _whole(number: Any) -> Any:
    """A sum as a whole number: PostgreSQL's would be a decimal."""
    return sa.cast(sa.func.coalesce(sa.func.sum(number), 0), Int)


_HELD = cod_collections.c.state == "collected"
_LATE = cod_collections.c.collected_at < sa.bindparam("late", type_=Moment)
_TILLS = Query(
    sa.select(
        cod_collections.c.carrier,
        _whole(cod_collections.c.amount_dirhams),
        _sum(cod_collections.c.state != "collected"),
        _sum(_HELD),
        _sum(_HELD, _LATE),
        _whole(sa.case((sa.and_(_HELD, _LATE), 1), else_=0)),
    )
    .where(cod_collections.c.store_id == sa.bindparam("store_id"))
    .group_by(cod_collections.c.carrier)
    .order_by(cod_collections.c.carrier)
    .limit(COURIERS_MAX),
    Till,
)
_LATE_ONES = Query(
    sa.select(*_COLLECTION)
    .where(cod_collections.c.store_id == sa.bindparam("store_id"), _HELD, _LATE)
    .order_by(cod_collections.c.collected_at, cod_collections.c.id)
    .limit(LATE_SHOWN_MAX),
    Collection,
)
_CASE_BY_ID = Query(
    sa.select(*_CASE).where(
        cod_cases.c.store_id == sa.bindparam("store_id"), cod_cases.c.id == sa.bindparam("id")
    ),
    Case,
)
_CASES = Pages(
    sa.select(*_CASE).where(cod_cases.c.store_id == sa.bindparam("store_id")),
    Case,
    order_by=(cod_cases.c.id.desc(),),
    filters={"state": cod_cases.c.state == sa.bindparam("state")},
)
_OPEN_OF_ORDERS = Query(
    sa.select(*_CASE)
    .where(in_list(cod_cases.c.order_id, "order_ids"), cod_cases.c.state == "open")
    .limit(sa.bindparam("limit")),
    Case,
    across_stores=True,  # the orders tell the store
)
_LATE_UNSAID = Query(
    sa.select(*_COLLECTION)
    .where(
        _HELD,
        _LATE,
        ~sa.exists(
            sa.select(sa.literal_column("1")).where(
                cod_cases.c.store_id == cod_collections.c.store_id,
                cod_cases.c.order_id == cod_collections.c.order_id,
                cod_cases.c.collection_id == cod_collections.c.id,
                cod_cases.c.kind == "late",
            )
        ),
    )
    .order_by(cod_collections.c.collected_at)
    .limit(LATE_SHOWN_MAX),
    Collection,
    across_stores=True,
)
_INSERT = Write(sa.insert(cod_collections))
_SAVE = Write(save_by_version(cod_collections, Collection, ("store_id", "id")))
_INSERT_CASE = Write(sa.insert(cod_cases))
_CASES_OF_ORDERS = Query(
    sa.select(*_CASE)
    .where(in_list(cod_cases.c.order_id, "order_ids"))
    .order_by(cod_cases.c.id)
    .limit(sa.bindparam("limit")),
    Case,
    across_stores=True,  # the orders tell the store
)
_FORGET = Write(
    sa.update(cod_cases)
    .where(
        cod_cases.c.store_id == sa.bindparam("key_store"),
        cod_cases.c.order_id == sa.bindparam("key_order"),
    )
    .values(note=sa.null(), version=cod_cases.c.version + 1)
)
_SAVE_CASE = Write(save_by_version(cod_cases, Case, ("store_id", "id")))


async def list_collections(db: Database, order_ids: Sequence[str]) -> list[Collection]:
    """Cash that was collected for these orders, oldest first."""
    if not order_ids:
        return []
    return await db.all(_OF_ORDERS, order_ids=list(order_ids), limit=200 * len(order_ids))


async def list_tills(db: Database, store_id: int, late: datetime) -> list[Till]:
    """The store's couriers and their cash; late is what was collected before `late`."""
    return await db.all(_TILLS, store_id=store_id, late=late)


async def list_late(db: Database, store_id: int, late: datetime) -> list[Collection]:
    """Cash that couriers took before `late` and still have, oldest first."""
    return await db.all(_LATE_ONES, store_id=store_id, late=late)


async def list_late_unsaid(db: Database, late: datetime) -> list[Collection]:
    """Late cash of any store of which there is no case yet, some of it."""
    return await db.all(_LATE_UNSAID, late=late)


async def get_case(db: Database, store_id: int, case_id: str) -> Case:
    """The case, or `CaseNotFound`."""
    case = await db.one(_CASE_BY_ID, store_id=store_id, id=case_id)
    if case is None:
        raise CaseNotFound()
    return case


async def list_cases(
    db: Database, store_id: int, state: str | None, limit: int, offset: int
) -> list[Case]:
    """A page of the store's cases, newest first."""
    return await _CASES.list_(db, limit, offset, store_id=store_id, state=state)


async def count_cases(db: Database, store_id: int, state: str | None) -> int:
    """How many there are over all pages."""
    return await _CASES.count(db, store_id=store_id, state=state)


async def list_open_cases(db: Database, order_ids: Sequence[str]) -> list[Case]:
    """What is in dispute about these orders."""
    if not order_ids:
        return []
    return await db.all(_OPEN_OF_ORDERS, order_ids=list(order_ids), limit=200 * len(order_ids))


async def list_cases_of_orders(db: Database, order_ids: Sequence[str]) -> list[Case]:
    """What was or is in dispute about these orders, oldest first."""
    return await db.all(
        _CASES_OF_ORDERS, order_ids=list(order_ids), limit=100 * max(1, len(order_ids))
    )


def forget_words(keys: Sequence[Mapping[str, object]]) -> Statement:
    """Empty what was written into the cases of these orders (`owners.keys_of`)."""
    return _FORGET.each(keys)


def insert_collection(collection: Collection) -> Statement:
    """Cash was collected; `Stale` if somebody booked the parcel's meanwhile."""
    return _INSERT(**values_of(collection)).guarded(Stale())


def save_collection(collection: Collection, seen: Collection) -> Statement:
    """Replace `seen`, or `Stale`."""
    return _SAVE(**saving(collection, seen, ("store_id", "id"))).guarded(Stale())


def insert_case(case: Case) -> Statement:
    """A case for people; `Stale` if the same cash was said to be late meanwhile."""
    return _INSERT_CASE(**values_of(case)).guarded(Stale())


def save_case(case: Case, seen: Case) -> Statement:
    """Replace `seen`, or `Stale`."""
    return _SAVE_CASE(**saving(case, seen, ("store_id", "id"))).guarded(Stale())

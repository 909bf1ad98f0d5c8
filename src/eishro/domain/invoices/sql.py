"""Tables and statements of invoices. Nothing here changes or deletes a document."""

from typing import Any

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list, insert_once
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.invoices.model import CreditNoteNotFound, Invoice, Kind
from eishro.errors import Stale

_IS_INVOICE = sa.text("kind = 'invoice'")
_IS_OF_REFUND = sa.text("refund_id IS NOT NULL")

invoices = table(
    "invoices",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("number", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("refund_id", Id),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("revision", Int, nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.UniqueConstraint("store_id", "kind", "number"),
    sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind"),
    sa.CheckConstraint("(kind = 'credit_note') = (refund_id IS NOT NULL)", name="refund"),
    sa.Index("ix_invoices_store_id_order_id", "store_id", "order_id"),
    sa.Index(
        "uq_invoices_order",
        "store_id",
        "order_id",
        "revision",
        unique=True,
        sqlite_where=_IS_INVOICE,
        postgresql_where=_IS_INVOICE,
    ),
    sa.Index(
        "uq_invoices_refund",
        "store_id",
        "refund_id",
        unique=True,
        sqlite_where=_IS_OF_REFUND,
        postgresql_where=_IS_OF_REFUND,
    ),
)

invoice_counters = table(
    "invoice_counters",
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), primary_key=True, autoincrement=False),
    sa.Column("kind", Text, primary_key=True),
    sa.Column("last", Int, nullable=False),
    with_rowid=False,
)

_orders = sa.table(
    "orders", sa.column("id", Id), sa.column("store_id", Int), sa.column("version", Int)
)
_COLUMNS = columns_of(invoices, Invoice)
_OF_STORE = invoices.c.store_id == sa.bindparam("store_id")
_OF_ORDER = (_OF_STORE, invoices.c.order_id == sa.bindparam("order_id"))
_INVOICE = Query(
    sa.select(*_COLUMNS).where(
        *_OF_ORDER,
        invoices.c.kind == "invoice",
        invoices.c.revision == sa.bindparam("revision", type_=Int),
    ),
    Invoice,
)
_OF_REFUND = Query(
    sa.select(*_COLUMNS).where(_OF_STORE, invoices.c.refund_id == sa.bindparam("refund_id")),
    Invoice,
)
_CREDIT_NOTE = Query(
    sa.select(*_COLUMNS).where(
        *_OF_ORDER,
        invoices.c.kind == "credit_note",
        invoices.c.number == sa.bindparam("number"),
    ),
    Invoice,
)
_CREDIT_NOTES = Pages(
    sa.select(*_COLUMNS).where(*_OF_ORDER, invoices.c.kind == "credit_note"),
    Invoice,
    order_by=(invoices.c.number,),
)
_OF_ORDERS = Query(
    sa.select(*_COLUMNS)
    .where(in_list(invoices.c.store_id, "stores"), in_list(invoices.c.order_id, "order_ids"))
    .order_by(invoices.c.issued_at, invoices.c.id)
    .limit(sa.bindparam("limit")),
    Invoice,
    across_stores=True,  # a person's orders of every store
)
_OPEN_COUNTER = Write(insert_once(invoice_counters))
_ADVANCE = Write(
    sa.update(invoice_counters)
    .where(
        invoice_counters.c.store_id == sa.bindparam("key_store"),
        invoice_counters.c.kind == sa.bindparam("key_kind"),
    )
    .values(last=invoice_counters.c.last + 1)
)


def _value(name: str) -> Any:
    if name != "number":
        return sa.bindparam(name, type_=invoices.c[name].type).label(name)
    return (
        sa.select(invoice_counters.c.last)
        .where(
            invoice_counters.c.store_id == sa.bindparam("counted_store"),
            invoice_counters.c.kind == sa.bindparam("counted_kind"),
        )
        .scalar_subquery()
        .label(name)
    )


# The counter's row is locked by the statement before, so the number read here is nobody else's;
# a batch that is refused gives it back. The order's version guards what the content says.
_INSERT = Write(
    sa.insert(invoices).from_select(
        list(Invoice.__struct_fields__),
        sa.select(*(_value(name) for name in Invoice.__struct_fields__)).where(
            sa.exists(
                sa.select(sa.literal_column("1")).where(
                    _orders.c.id == sa.bindparam("order_key"),
                    _orders.c.store_id == sa.bindparam("order_store"),
                    _orders.c.version == sa.bindparam("order_version"),
                )
            )
        ),
    )
)


async def find_invoice(
    db: Database, store_id: int, order_id: str, revision: int = 0
) -> Invoice | None:
    """The invoice of the order as it is since its revision, if it was issued."""
    return await db.one(_INVOICE, store_id=store_id, order_id=order_id, revision=revision)


async def find_of_refund(db: Database, store_id: int, refund_id: str) -> Invoice | None:
    """The refund's credit note, if it was issued."""
    return await db.one(_OF_REFUND, store_id=store_id, refund_id=refund_id)


async def get_credit_note(db: Database, store_id: int, order_id: str, number: int) -> Invoice:
    """The order's credit note of this number, or `CreditNoteNotFound`."""
    note = await db.one(_CREDIT_NOTE, store_id=store_id, order_id=order_id, number=number)
    if note is None:
        raise CreditNoteNotFound()
    return note


async def list_credit_notes(
    db: Database, store_id: int, order_id: str, limit: int, offset: int
) -> tuple[list[Invoice], int]:
    """A page of the order's credit notes, oldest first, and how many there are."""
    key = {"store_id": store_id, "order_id": order_id}
    notes = await _CREDIT_NOTES.list_(db, limit, offset, **key)
    return notes, await _CREDIT_NOTES.count(db, **key)


async def list_of_orders(db: Database, stores: list[int], order_ids: list[str]) -> list[Invoice]:
    """Invoices and credit notes of these orders, which are of these stores, oldest first."""
    return await db.all(
        _OF_ORDERS, stores=stores, order_ids=order_ids, limit=100 * max(1, len(order_ids))
    )


def insert_document(document: Invoice, order_version: int) -> list[Statement]:
    """A new document under the store's next number; `Stale` if the order changed, or has its
    invoice (the refund its credit note) already. `document.number` is not looked at.
    """
    store_id, kind = document.store_id, document.kind
    insert = _INSERT(
        counted_store=store_id,
        counted_kind=kind,
        order_key=document.order_id,
        order_store=store_id,
        order_version=order_version,
        **values_of(document, "number"),
    )
    return [*_next_number(store_id, kind), insert.guarded(Stale())]


def _next_number(store_id: int, kind: Kind) -> list[Statement]:
    return [
        _OPEN_COUNTER(store_id=store_id, kind=kind, last=0),
        _ADVANCE(key_store=store_id, key_kind=kind).guarded(Stale()),
    ]

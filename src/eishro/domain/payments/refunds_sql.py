"""The table and statements of refunds."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.payments.model import StoredReceipt
from eishro.domain.payments.refunds import (
    REFUNDS_MAX,
    NotInSuspense,
    Refund,
    RefundNotFound,
    RefundStatus,
)
from eishro.domain.payments.sql import payment_receipts, payments
from eishro.errors import Stale
from eishro.text import ERASED

OF_PAYMENT_MAX = 1_000  # refunds of one payment's money, all orders together
REFUNDING = "refunding"  # why a receipt does not wait in suspense any more

refunds = table(
    "refunds",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("payment_id", Id),
    sa.Column("provider", Text),
    sa.Column("terminal", Text),
    sa.Column("receipt_reference", Text),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("goods_dirhams", Int, nullable=False),
    sa.Column("delivery_dirhams", Int, nullable=False),
    sa.Column("lines", Json, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("through", Text),
    sa.Column("provider_reference", Text),
    sa.Column("failure", Text),
    sa.Column("requested_by", Text, nullable=False),
    sa.Column("completed_by", Text),
    sa.Column("note", Text),
    sa.Column("attempts", Int, nullable=False),
    sa.Column("sent_at", Moment),
    sa.Column("next_try_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("paid_order_id", Id),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.ForeignKeyConstraint(["store_id", "payment_id"], ["payments.store_id", "payments.id"]),
    sa.CheckConstraint("amount_dirhams > 0", name="amount"),
    sa.Index("ix_refunds_order_id", "order_id"),
    sa.Index("ix_refunds_store_id_status_id", "store_id", "status", "id"),
    # What a gateway's list names, and what it says of a day.
    sa.Index("ix_refunds_provider_reference", "provider", "provider_reference"),
    sa.Index("ix_refunds_provider_updated_at", "provider", "updated_at"),
    sa.Index(
        "ix_refunds_next_try_at",
        "next_try_at",
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_refunds_payment_id",
        "payment_id",
        sqlite_where=sa.text("payment_id IS NOT NULL"),
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    ),
    sa.Index(
        "ix_refunds_paid_order_id",
        "paid_order_id",
        sqlite_where=sa.text("paid_order_id IS NOT NULL"),
        postgresql_where=sa.text("paid_order_id IS NOT NULL"),
    ),
    # One at a time for each piece of money: what the gateway lists can then be told apart.
    sa.Index(
        "uq_refunds_under_way",
        "provider",
        "terminal",
        "receipt_reference",
        unique=True,
        sqlite_where=sa.text("status IN ('sending', 'unknown')"),
        postgresql_where=sa.text("status IN ('sending', 'unknown')"),
    ),
    sa.Index(
        "uq_refunds_suspense",
        "provider",
        "terminal",
        "receipt_reference",
        unique=True,
        sqlite_where=sa.text("kind = 'suspense'"),
        postgresql_where=sa.text("kind = 'suspense'"),
    ),
    with_rowid=False,
)

_COLUMNS = columns_of(refunds, Refund)
_BY_ID = Query(
    sa.select(*_COLUMNS).where(refunds.c.id == sa.bindparam("id")), Refund, across_stores=True
)
_OF_ORDER = Query(
    sa.select(*_COLUMNS)
    .where(
        refunds.c.order_id == sa.bindparam("order_id"),
        refunds.c.store_id == sa.bindparam("store_id"),
    )
    .order_by(refunds.c.id)
    .limit(sa.bindparam("limit")),
    Refund,
)
_OF_PAYMENT = Query(
    sa.select(*_COLUMNS)
    .where(
        refunds.c.payment_id == sa.bindparam("payment_id"),
        refunds.c.store_id == sa.bindparam("store_id"),
    )
    .order_by(refunds.c.id)
    .limit(sa.bindparam("limit")),
    Refund,
)
_PAID_TO = Query(
    sa.select(*_COLUMNS)
    .where(
        refunds.c.paid_order_id == sa.bindparam("order_id"),
        refunds.c.store_id == sa.bindparam("store_id"),
    )
    .order_by(refunds.c.id)
    .limit(sa.bindparam("limit")),
    Refund,
)
_APPLIED = Query(
    sa.select(*columns_of(payment_receipts, StoredReceipt))
    .select_from(
        payment_receipts.join(
            payments,
            sa.and_(
                payments.c.id == payment_receipts.c.payment_id,
                payments.c.store_id == payment_receipts.c.store_id,
            ),
        )
    )
    .where(
        payments.c.order_id == sa.bindparam("order_id"),
        payments.c.store_id == sa.bindparam("store_id"),
        payment_receipts.c.applied == sa.bindparam("applied"),
    )
    .order_by(payment_receipts.c.at, payment_receipts.c.provider_reference)
    .limit(sa.bindparam("limit")),
    StoredReceipt,
)
_OF_STORE = Pages(
    sa.select(*_COLUMNS).where(refunds.c.store_id == sa.bindparam("store_id")),
    Refund,
    order_by=(refunds.c.id.desc(),),
    filters={"status": refunds.c.status == sa.bindparam("status")},
)
_OF_ORDERS = Query(
    sa.select(*_COLUMNS)
    .where(in_list(refunds.c.order_id, "order_ids"))
    .order_by(refunds.c.id)
    .limit(sa.bindparam("limit")),
    Refund,
    across_stores=True,  # a person's orders of every store
)
_INSERT = Write(sa.insert(refunds))
_FORGET = Write(
    sa.update(refunds)
    .where(
        refunds.c.store_id == sa.bindparam("key_store"),
        refunds.c.order_id == sa.bindparam("key_order"),
    )
    .values(
        reason=sa.literal(ERASED, Text),
        note=sa.null(),
        failure=sa.null(),
        version=refunds.c.version + 1,
    )
)
_SAVE = Write(save_by_version(refunds, Refund, ("store_id", "id")))
_LEAVE_SUSPENSE = Write(
    sa.update(payment_receipts)
    .where(
        payment_receipts.c.provider == sa.bindparam("key_provider"),
        payment_receipts.c.terminal == sa.bindparam("key_terminal"),
        payment_receipts.c.provider_reference == sa.bindparam("key_reference"),
        payment_receipts.c.store_id == sa.bindparam("key_store"),
        payment_receipts.c.applied == sa.bindparam("key_applied"),
        payment_receipts.c.reason == sa.bindparam("key_reason"),
    )
    .values(reason=sa.bindparam("reason"))
)


async def get_refund(db: Database, refund_id: str) -> Refund:
    """The refund, or `RefundNotFound`."""
    found = await db.one(_BY_ID, id=refund_id)
    if found is None:
        raise RefundNotFound()
    return found


async def list_refunds_of_order(db: Database, store_id: int, order_id: str) -> list[Refund]:
    """The order's refunds, and those of money in suspense that came for it, oldest first."""
    return await db.all(_OF_ORDER, store_id=store_id, order_id=order_id, limit=2 * REFUNDS_MAX)


async def list_refunds_of_payment(db: Database, store_id: int, payment_id: str) -> list[Refund]:
    """What goes back, or went to another order, of the payment's money, oldest first. It may be of
    other orders than the payment is: money in suspense and exchanges pay those.
    """
    return await db.all(_OF_PAYMENT, store_id=store_id, payment_id=payment_id, limit=OF_PAYMENT_MAX)


async def list_exchanges_to(db: Database, store_id: int, order_id: str) -> list[Refund]:
    """The money of other orders that pays this one, oldest first."""
    return await db.all(_PAID_TO, store_id=store_id, order_id=order_id, limit=REFUNDS_MAX)


async def list_refunds_of_orders(db: Database, order_ids: list[str]) -> list[Refund]:
    """Refunds of these orders, oldest first."""
    return await db.all(_OF_ORDERS, order_ids=order_ids, limit=100 * max(1, len(order_ids)))


async def list_applied_receipts(db: Database, store_id: int, order_id: str) -> list[StoredReceipt]:
    """The money that paid the order, oldest first."""
    return await db.all(_APPLIED, store_id=store_id, order_id=order_id, applied=True, limit=100)


async def list_refunds_of_store(
    db: Database, store_id: int, status: RefundStatus | None, limit: int, offset: int
) -> list[Refund]:
    """A page of the store's refunds, newest first."""
    return await _OF_STORE.list_(db, limit, offset, store_id=store_id, status=status)


async def count_refunds_of_store(db: Database, store_id: int, status: RefundStatus | None) -> int:
    """How many there are, over all pages."""
    return await _OF_STORE.count(db, store_id=store_id, status=status)


def insert_refund(refund: Refund) -> Statement:
    """A new refund; `NotInSuspense` if this money goes back already."""
    return _INSERT(**values_of(refund)).guarded(Stale(), taken=NotInSuspense())


def save_refund(refund: Refund, seen: Refund) -> Statement:
    """Replace `seen` by `refund`; `Stale`, also while another one of the same money is sent."""
    return _SAVE(**saving(refund, seen, ("store_id", "id"))).guarded(Stale())


def forget_words(keys: Sequence[Mapping[str, object]]) -> Statement:
    """Empty what people wrote about the refunds of these orders (`owners.keys_of`)."""
    return _FORGET.each(keys)


def leave_suspense(receipt: StoredReceipt) -> Statement:
    """The money waits in suspense no longer, or `Stale`: it did not wait as it was seen."""
    return _LEAVE_SUSPENSE(
        key_provider=receipt.provider,
        key_terminal=receipt.terminal,
        key_reference=receipt.provider_reference,
        key_store=receipt.store_id,
        key_applied=False,
        key_reason=receipt.reason,
        reason=REFUNDING,
    ).guarded(Stale())

"""Tables and statements of payouts and of the bank accounts they go to."""

from typing import Any

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Id, Int, Moment, Text
from eishro.domain.payouts.model import (
    OPEN,
    BankAccount,
    BankAccountMissing,
    Payout,
    PayoutNotFound,
    Status,
)
from eishro.errors import Stale

payout_accounts = table(
    "payout_accounts",
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), primary_key=True, autoincrement=False),
    sa.Column("beneficiary", Text, nullable=False),
    sa.Column("bank", Text, nullable=False),
    sa.Column("iban", Text, nullable=False),
    sa.Column("changed_by", Int, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
)

payouts = table(
    "payouts",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("payout_accounts.store_id"), nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("beneficiary", Text, nullable=False),
    sa.Column("bank", Text, nullable=False),
    sa.Column("iban", Text, nullable=False),
    sa.Column("requested_by", Int, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("requested_at", Moment, nullable=False),
    sa.Column("not_before", Moment, nullable=False),
    sa.Column("approved_by", Int, sa.ForeignKey("users.id")),
    sa.Column("approved_at", Moment),
    sa.Column("paid_by", Int, sa.ForeignKey("users.id")),
    sa.Column("paid_at", Moment),
    sa.Column("reference", Text),
    sa.Column("closed_by", Int, sa.ForeignKey("users.id")),
    sa.Column("closed_at", Moment),
    sa.Column("reason", Text),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.CheckConstraint("amount_dirhams > 0", name="amount"),
    sa.CheckConstraint("approved_by <> requested_by AND paid_by <> approved_by", name="two_people"),
    sa.Index("ix_payouts_status_id", "status", "id"),
    sa.Index("ix_payouts_store_id_status", "store_id", "status"),
    with_rowid=False,
)

_ACCOUNT = Query(
    sa.select(*columns_of(payout_accounts, BankAccount)).where(
        payout_accounts.c.store_id == sa.bindparam("store_id")
    ),
    BankAccount,
)
_OPEN_SUM = Query(
    sa.select(sa.func.coalesce(sa.func.sum(payouts.c.amount_dirhams), 0)).where(
        payouts.c.store_id == sa.bindparam("store_id"),
        sa.or_(*(payouts.c.status == status for status in OPEN)),
    ),
    int,
)
_PAYOUT = sa.select(*columns_of(payouts, Payout))
_BY_ID = Query(_PAYOUT.where(payouts.c.id == sa.bindparam("id")), Payout, across_stores=True)
_IN_STORE = Query(
    _PAYOUT.where(
        payouts.c.store_id == sa.bindparam("store_id"), payouts.c.id == sa.bindparam("id")
    ),
    Payout,
)


def _page(select: Any, **kind: Any) -> Query[Payout]:
    return Query(
        select.order_by(payouts.c.id.desc())
        .limit(sa.bindparam("limit"))
        .offset(sa.bindparam("offset")),
        Payout,
        **kind,
    )


_COUNT = sa.select(sa.func.count()).select_from(payouts)
_OF_STORE = payouts.c.store_id == sa.bindparam("store_id")
_OF_STATUS = payouts.c.status == sa.bindparam("status")
_STORE_PAGE = _page(_PAYOUT.where(_OF_STORE))
_STORE_COUNT = Query(_COUNT.where(_OF_STORE), int)
_ALL_PAGE = _page(_PAYOUT, across_stores=True)
_ALL_COUNT = Query(_COUNT, int, across_stores=True)
_STATUS_PAGE = _page(_PAYOUT.where(_OF_STATUS), across_stores=True)
_STATUS_COUNT = Query(_COUNT.where(_OF_STATUS), int, across_stores=True)
_INSERT_ACCOUNT = Write(insert_once(payout_accounts))
_SAVE_ACCOUNT = Write(save_by_version(payout_accounts, BankAccount, ("store_id",)))
_TOUCH_ACCOUNT = Write(
    sa.update(payout_accounts)
    .where(
        payout_accounts.c.store_id == sa.bindparam("key_store"),
        payout_accounts.c.version == sa.bindparam("seen"),
    )
    .values(version=payout_accounts.c.version + 1)
)
_INSERT = Write(sa.insert(payouts))
_SAVE = Write(save_by_version(payouts, Payout, ("store_id", "id")))


async def find_account(db: Database, store_id: int) -> BankAccount | None:
    """The store's bank account, if it has named one."""
    return await db.one(_ACCOUNT, store_id=store_id)


async def get_account(db: Database, store_id: int) -> BankAccount:
    """The store's bank account, or `BankAccountMissing`."""
    account = await find_account(db, store_id)
    if account is None:
        raise BankAccountMissing()
    return account


async def sum_open(db: Database, store_id: int) -> int:
    """Dirhams of payouts that are asked for and not paid yet."""
    found = await db.one(_OPEN_SUM, store_id=store_id)
    return found or 0


async def get_payout(db: Database, payout_id: str) -> Payout:
    """A payout of any store, or `PayoutNotFound`."""
    payout = await db.one(_BY_ID, id=payout_id)
    if payout is None:
        raise PayoutNotFound()
    return payout


async def get_payout_of_store(db: Database, store_id: int, payout_id: str) -> Payout:
    """The store's payout, or `PayoutNotFound`."""
    payout = await db.one(_IN_STORE, store_id=store_id, id=payout_id)
    if payout is None:
        raise PayoutNotFound()
    return payout


async def list_payouts_of_store(
    db: Database, store_id: int, limit: int, offset: int
) -> tuple[list[Payout], int]:
    """A page of the store's payouts, newest first, and how many there are."""
    page = await db.all(_STORE_PAGE, store_id=store_id, limit=limit, offset=offset)
    return page, await db.one(_STORE_COUNT, store_id=store_id) or 0


async def list_payouts(
    db: Database, status: Status | None, limit: int, offset: int
) -> tuple[list[Payout], int]:
    """A page of every store's payouts, newest first, and how many there are."""
    if status is None:
        page = await db.all(_ALL_PAGE, limit=limit, offset=offset)
        return page, await db.one(_ALL_COUNT) or 0
    page = await db.all(_STATUS_PAGE, status=status, limit=limit, offset=offset)
    return page, await db.one(_STATUS_COUNT, status=status) or 0


def insert_account(account: BankAccount) -> Statement:
    """The store's first bank account; `Stale` if it has one by now."""
    return _INSERT_ACCOUNT(**values_of(account)).guarded(Stale())


def save_account(account: BankAccount, seen: BankAccount) -> Statement:
    """Replace `seen` by `account`, or `Stale`."""
    return _SAVE_ACCOUNT(**saving(account, seen, ("store_id",))).guarded(Stale())


def touch_account(seen: BankAccount) -> Statement:
    """What was decided from the balance holds: refused with `Stale` if another payout of the
    store, or its bank account, has moved meanwhile.
    """
    return _TOUCH_ACCOUNT(key_store=seen.store_id, seen=seen.version).guarded(Stale())


def insert_payout(payout: Payout) -> Statement:
    """A new payout."""
    return _INSERT(**values_of(payout))


def save_payout(payout: Payout, seen: Payout) -> Statement:
    """Replace `seen` by `payout`, or `Stale`."""
    return _SAVE(**saving(payout, seen, ("store_id", "id"))).guarded(Stale())

"""Reading the books: balances, transactions, statements.

A balance is a kept sum and the entries after it. `jobs/settle_books.py` moves the kept sums on, so
that no read adds up a store's whole life. Transaction ids sort by time; a period is a range of
ids, and a filter by a rare account or by an order has a partial index that placing an order
hardly feels.
"""

import functools
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Query, Write, in_list, upsert
from eishro.db.statements import Statement as Written
from eishro.db.types import Id, Int, Text
from eishro.domain.ledger.model import Entry, Movement, Statement, statement_of
from eishro.domain.ledger.sql import FREQUENT, IS_FIRST, IS_RARE, ledger_entries
from eishro.errors import Stale
from eishro.ids import first_id

COUNTED_MAX = 10_000  # transactions; a longer list only says that it is as long as this
SLICE = 5_000  # entries added to the kept sums at once
_ENTRIES_MAX = 20  # of one transaction

ledger_balances = table(
    "ledger_balances",
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), primary_key=True, autoincrement=False),
    sa.Column("account", Text, primary_key=True),
    sa.Column("dirhams", Int, nullable=False),
    sa.Column("through_transaction_id", Id, nullable=False),
    with_rowid=False,
)

_STORE = sa.bindparam("store_id", type_=Int)
_entries = ledger_entries.c
_IN_STORE = _entries.store_id == _STORE
_KEPT = ledger_balances.c
_MARK = (
    sa.select(sa.func.coalesce(sa.func.max(_KEPT.through_transaction_id), ""))
    .where(_KEPT.store_id == _STORE)
    .scalar_subquery()
)
_OPENING = sa.literal("", Text).label("reason")


def _part(account: Any, reason: Any, dirhams: Any, *conditions: Any) -> Any:
    return sa.select(
        account.label("account"), reason.label("reason"), dirhams.label("dirhams")
    ).where(*conditions)


_KEPT_PART = _part(_KEPT.account, _OPENING, _KEPT.dirhams, _KEPT.store_id == _STORE)
_TAIL_PART = _part(
    _entries.account, _OPENING, _entries.dirhams, _IN_STORE, _entries.transaction_id > _MARK
)
_NOW = sa.union_all(_KEPT_PART, _TAIL_PART).subquery("now_parts")
# One statement is one view of the books: what comes in meanwhile cannot fall between two reads.
_MONTH = sa.union_all(
    _KEPT_PART,
    _TAIL_PART,
    _part(
        _entries.account,
        _OPENING,
        -_entries.dirhams,
        _IN_STORE,
        _entries.transaction_id >= sa.bindparam("since"),
    ),
    _part(
        _entries.account,
        _entries.reason,
        _entries.dirhams,
        _IN_STORE,
        _entries.transaction_id >= sa.bindparam("since"),
        _entries.transaction_id < sa.bindparam("until"),
    ),
).subquery("balances")


def _pair(account: str, dirhams: int) -> tuple[str, int]:
    return account, dirhams


_BALANCES = Query(
    sa.select(_NOW.c.account, sa.func.sum(_NOW.c.dirhams))
    .group_by(_NOW.c.account)
    .having(sa.func.sum(_NOW.c.dirhams) != 0),
    _pair,
)
_STATEMENT = Query(
    sa.select(_MONTH.c.reason, _MONTH.c.account, sa.func.sum(_MONTH.c.dirhams))
    .group_by(_MONTH.c.reason, _MONTH.c.account)
    .having(sa.func.sum(_MONTH.c.dirhams) != 0),
    Movement,
)
_OF_TRANSACTIONS = Query(
    sa.select(*(_entries[name] for name in Entry.__struct_fields__))
    .where(_IN_STORE, in_list(_entries.transaction_id, "transaction_ids"))
    .order_by(_entries.transaction_id.desc(), _entries.position)
    .limit(sa.bindparam("limit")),
    Entry,
)
_MARK_OF = Query(
    sa.select(_KEPT.through_transaction_id)
    .where(_KEPT.store_id == _STORE)
    .order_by(_KEPT.through_transaction_id.desc())
    .limit(1),
    str,
)
_NEXT = (
    sa.select(_entries.transaction_id)
    .where(
        _IN_STORE,
        _entries.transaction_id > sa.bindparam("mark"),
        _entries.transaction_id < sa.bindparam("before"),
    )
    .order_by(_entries.transaction_id)
    .limit(sa.literal(SLICE, Int))
    .subquery("page")
)
_SLICE_END = Query(
    sa.select(sa.func.max(_NEXT.c.transaction_id)).having(sa.func.count() > 0),
    str,
    store="store_id",
)
# What each touched account has once the slice is in; where nothing is kept yet, only the slice.
_SLICE = sa.union_all(
    _KEPT_PART,
    _part(
        _entries.account,
        _OPENING,
        _entries.dirhams,
        _IN_STORE,
        _entries.transaction_id > sa.bindparam("mark"),
        _entries.transaction_id <= sa.bindparam("through"),
    ),
).subquery("counted")
_SUMS = Query(
    sa.select(_SLICE.c.account, sa.func.sum(_SLICE.c.dirhams)).group_by(_SLICE.c.account), _pair
)
_stores = sa.table("stores", sa.column("id", Int))
_BEHIND = Query(
    sa.select(_stores.c.id)
    .where(
        _stores.c.id > sa.bindparam("after_store"),
        sa.exists(
            sa.select(sa.literal_column("1")).where(
                _entries.store_id == _stores.c.id,
                _entries.transaction_id
                > sa.select(sa.func.coalesce(sa.func.max(_KEPT.through_transaction_id), ""))
                .where(_KEPT.store_id == _stores.c.id)
                .correlate(_stores)
                .scalar_subquery(),
                _entries.transaction_id < sa.bindparam("before"),
            )
        ),
    )
    .order_by(_stores.c.id)
    .limit(sa.bindparam("limit")),
    int,
    across_stores=True,
)
_KEEP = Write(
    upsert(
        ledger_balances,
        where=_KEPT.through_transaction_id
        < sa.literal_column("excluded.through_transaction_id", Text),
    )
)


class LedgerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of transactions is asked for; None leaves a filter out. `since` is included,
    `until` is not; `below` continues a list under that transaction.
    """

    store_id: int
    account: str | None = None
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: str | None = None


async def read_balances(db: Database, store_id: int) -> dict[str, int]:
    """Dirhams by account, debits positive, accounts at zero left out."""
    found = dict(await db.all(_BALANCES, store_id=store_id))
    return {account: int(found[account]) for account in sorted(found)}


async def read_statement(
    db: Database, store_id: int, since: datetime, until: datetime
) -> Statement:
    """Balances at `since`, what happened before `until`, and balances then."""
    sums = await db.all(
        _STATEMENT, store_id=store_id, since=first_id("trn", since), until=first_id("trn", until)
    )
    return statement_of([msgspec.structs.replace(one, dirhams=int(one.dirhams)) for one in sums])


async def list_transactions(db: Database, wanted: LedgerFilter, limit: int) -> list[list[Entry]]:
    """The newest transactions that have an entry as wanted, each with all its entries."""
    ids = await db.all(_page(_names(wanted)), limit=limit, **_values(wanted))
    if not ids:
        return []
    entries = await db.all(
        _OF_TRANSACTIONS,
        store_id=wanted.store_id,
        transaction_ids=ids,
        limit=_ENTRIES_MAX * len(ids),
    )
    grouped: dict[str, list[Entry]] = {one: [] for one in ids}
    for entry in entries:
        grouped[entry.transaction_id].append(entry)
    return list(grouped.values())


async def count_transactions(db: Database, wanted: LedgerFilter) -> int:
    """How many there are over all pages, counted up to `COUNTED_MAX`."""
    whole = msgspec.structs.replace(wanted, below=None)
    return await db.one(_count(_names(whole)), **_values(whole)) or 0


async def list_behind(
    db: Database, after_store: int, before: datetime, limit: int = 200
) -> list[int]:
    """Stores with entries older than `before` that their kept sums lack; by id."""
    return await db.all(
        _BEHIND, after_store=after_store, before=first_id("trn", before), limit=limit
    )


async def next_sums(db: Database, store_id: int, before: datetime) -> Written | None:
    """The store's kept sums moved on by one slice of entries older than `before`; None if there
    are none. `Stale` if another worker was faster.
    """
    mark = await db.one(_MARK_OF, store_id=store_id) or ""
    through = await db.one(_SLICE_END, store_id=store_id, mark=mark, before=first_id("trn", before))
    if through is None:
        return None
    sums = await db.all(_SUMS, store_id=store_id, mark=mark, through=through)
    return _KEEP.each(
        [
            {
                "store_id": store_id,
                "account": account,
                "dirhams": int(dirhams),
                "through_transaction_id": through,
            }
            for account, dirhams in sums
        ]
    ).guarded(Stale())


def _names(wanted: LedgerFilter) -> tuple[str, ...]:
    names = [n for n in ("order_id", "since", "until", "below") if getattr(wanted, n) is not None]
    if wanted.account is not None:
        names.append("frequent" if wanted.account in FREQUENT else "rare")
    return tuple(names)


def _values(wanted: LedgerFilter) -> dict[str, object]:
    values: dict[str, object] = {"store_id": wanted.store_id}
    for name in ("account", "order_id", "below"):
        if getattr(wanted, name) is not None:
            values[name] = getattr(wanted, name)
    if wanted.since is not None:
        values["since"] = first_id("trn", wanted.since)
    if wanted.until is not None:
        values["until"] = first_id("trn", wanted.until)
    return values


@functools.cache
def _ids(names: tuple[str, ...]) -> Any:
    """Transactions as wanted, newest first: from their first entries, or from the account's."""
    known = {
        "since": _entries.transaction_id >= sa.bindparam("since"),
        "until": _entries.transaction_id < sa.bindparam("until"),
        "below": _entries.transaction_id < sa.bindparam("below"),
        "order_id": _entries.order_id == sa.bindparam("order_id"),
        "frequent": _entries.account == sa.bindparam("account"),
        "rare": sa.and_(_entries.account == sa.bindparam("account"), sa.text(IS_RARE)),
    }
    conditions: list[Any] = [known[name] for name in names]
    if "rare" not in names and "frequent" not in names:
        conditions.append(sa.text(IS_FIRST))
    return (
        sa.select(_entries.transaction_id)
        .where(_IN_STORE, *conditions)
        .group_by(_entries.transaction_id)
        .order_by(_entries.transaction_id.desc())
    )


@functools.cache
def _page(names: tuple[str, ...]) -> Query[str]:
    return Query(_ids(names).limit(sa.bindparam("limit")), str)


@functools.cache
def _count(names: tuple[str, ...]) -> Query[int]:
    some = _ids(names).limit(sa.literal(COUNTED_MAX, Int)).subquery("some")
    return Query(sa.select(sa.func.count()).select_from(some), int, store="store_id")

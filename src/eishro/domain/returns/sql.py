"""Tables and statements of returns."""

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.returns.model import (
    ARRIVED,
    RETURNS_MAX,
    Outcome,
    Return,
    ReturnLine,
    ReturnNotFound,
    Status,
)
from eishro.errors import Stale

_LINES_MAX = 100  # of one return: an order has no more

returns = table(
    "returns",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("reason", Text),
    sa.Column("decision", Text),
    sa.Column("replacement", Json, nullable=False),
    # Without a foreign key: it is written ahead of that order, in one batch with it.
    sa.Column("replacement_order_id", Id),
    sa.Column("replacement_dirhams", Int),
    sa.Column("refund_dirhams", Int, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.CheckConstraint("refund_dirhams >= 0", name="refund_dirhams"),
    sa.Index("ix_returns_store_id_order_id", "store_id", "order_id"),
    sa.Index("ix_returns_store_id_status_id", "store_id", "status", "id"),
    with_rowid=False,
)

return_lines = table(
    "return_lines",
    sa.Column("return_id", Id, primary_key=True),
    sa.Column("variant_id", Int, primary_key=True, autoincrement=False),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("quantity", Int, nullable=False),
    sa.Column("reason", Text),
    sa.Column("outcome", Text),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "return_id"], ["returns.store_id", "returns.id"]),
    sa.ForeignKeyConstraint(["store_id", "variant_id"], ["variants.store_id", "variants.id"]),
    sa.CheckConstraint("quantity > 0", name="quantity"),
    with_rowid=False,
)


class Pieces(msgspec.Struct, frozen=True):
    """How many pieces of a variant stand in returns of one status."""

    variant_id: int
    status: Status
    quantity: int


_COLUMNS = columns_of(returns, Return)
_STORE = returns.c.store_id == sa.bindparam("store_id")
_OF_ORDER = (_STORE, returns.c.order_id == sa.bindparam("order_id"))
_BY_ID = Query(
    sa.select(*_COLUMNS).where(returns.c.id == sa.bindparam("id")),
    Return,
    across_stores=True,  # the id is all a caller has; it tells the store
)
_PAGES_OF_ORDER = Pages(sa.select(*_COLUMNS).where(*_OF_ORDER), Return, order_by=(returns.c.id,))
_PAGES_OF_STORE = Pages(
    sa.select(*_COLUMNS).where(_STORE),
    Return,
    order_by=(returns.c.id.desc(),),
    filters={"status": returns.c.status == sa.bindparam("status")},
)
_LINES = Query(
    sa.select(*columns_of(return_lines, ReturnLine))
    .where(
        return_lines.c.store_id == sa.bindparam("store_id"),
        in_list(return_lines.c.return_id, "return_ids"),
    )
    .order_by(return_lines.c.return_id, return_lines.c.variant_id)
    .limit(sa.bindparam("limit")),
    ReturnLine,
)
_PIECES = Query(
    sa.select(return_lines.c.variant_id, returns.c.status, sa.func.sum(return_lines.c.quantity))
    .select_from(
        returns.join(
            return_lines,
            sa.and_(
                return_lines.c.return_id == returns.c.id,
                return_lines.c.store_id == returns.c.store_id,
            ),
        )
    )
    .where(*_OF_ORDER)
    .group_by(return_lines.c.variant_id, returns.c.status)
    .limit(sa.bindparam("limit")),
    Pieces,
)
_INSERT = Write(sa.insert(returns))
_INSERT_LINES = Write(sa.insert(return_lines))
_SAVE = Write(save_by_version(returns, Return, ("store_id", "id")))
_OF_ORDERS = Query(
    sa.select(*_COLUMNS)
    .where(in_list(returns.c.store_id, "stores"), in_list(returns.c.order_id, "order_ids"))
    .order_by(returns.c.id)
    .limit(sa.bindparam("limit")),
    Return,
    across_stores=True,  # a person's orders of every store
)
_LINES_OF_ANY = Query(
    sa.select(*columns_of(return_lines, ReturnLine))
    .where(in_list(return_lines.c.return_id, "return_ids"))
    .order_by(return_lines.c.return_id, return_lines.c.variant_id)
    .limit(sa.bindparam("limit")),
    ReturnLine,
    across_stores=True,  # of `_OF_ORDERS`
)
_FORGET = Write(
    sa.update(returns)
    .where(
        returns.c.store_id == sa.bindparam("key_store"),
        returns.c.order_id == sa.bindparam("key_order"),
    )
    .values(reason=sa.null(), decision=sa.null(), version=returns.c.version + 1)
)
_FORGET_LINES = Write(
    sa.update(return_lines)
    .where(
        return_lines.c.store_id == sa.bindparam("key_store"),
        return_lines.c.return_id.in_(
            sa.select(returns.c.id).where(
                returns.c.store_id == sa.bindparam("key_store"),
                returns.c.order_id == sa.bindparam("key_order"),
            )
        ),
    )
    .values(reason=sa.null())
)
_DECIDE_LINE = Write(
    sa.update(return_lines)
    .where(
        return_lines.c.return_id == sa.bindparam("key"),
        return_lines.c.variant_id == sa.bindparam("key_variant"),
        return_lines.c.store_id == sa.bindparam("key_store"),
        return_lines.c.outcome.is_(None),
    )
    .values(outcome=sa.bindparam("decided"), amount_dirhams=sa.bindparam("worth"))
)


async def get_return(db: Database, return_id: str) -> Return:
    """The return, or `ReturnNotFound`."""
    found = await db.one(_BY_ID, id=return_id)
    if found is None:
        raise ReturnNotFound()
    return found


async def list_of_order(
    db: Database, store_id: int, order_id: str, limit: int, offset: int
) -> tuple[list[Return], int]:
    """A page of the order's returns, oldest first, and how many there are."""
    key = {"store_id": store_id, "order_id": order_id}
    page = await _PAGES_OF_ORDER.list_(db, limit, offset, **key)
    return page, await count_of_order(db, store_id, order_id)


async def count_of_order(db: Database, store_id: int, order_id: str) -> int:
    """How many returns the order has."""
    return await _PAGES_OF_ORDER.count(db, store_id=store_id, order_id=order_id)


async def list_of_store(
    db: Database, store_id: int, status: Status | None, limit: int, offset: int
) -> tuple[list[Return], int]:
    """A page of the store's returns, newest first, and how many there are."""
    values = {"store_id": store_id, "status": status}
    page = await _PAGES_OF_STORE.list_(db, limit, offset, **values)
    return page, await _PAGES_OF_STORE.count(db, **values)


async def list_lines(
    db: Database, store_id: int, return_ids: Sequence[str]
) -> dict[str, list[ReturnLine]]:
    """Lines of these returns of one store, by return."""
    found: dict[str, list[ReturnLine]] = {return_id: [] for return_id in return_ids}
    if return_ids:
        limit = _LINES_MAX * len(return_ids)
        for line in await db.all(
            _LINES, store_id=store_id, return_ids=list(return_ids), limit=limit
        ):
            found[line.return_id].append(line)
    return found


async def count_pieces(
    db: Database, store_id: int, order_id: str
) -> tuple[dict[int, int], dict[int, int]]:
    """Pieces by variant in the order's returns: in all that were not rejected, and in those that
    have arrived.
    """
    taken: dict[int, int] = {}
    arrived: dict[int, int] = {}
    limit = _LINES_MAX * RETURNS_MAX
    for row in await db.all(_PIECES, store_id=store_id, order_id=order_id, limit=limit):
        if row.status != "rejected":
            taken[row.variant_id] = taken.get(row.variant_id, 0) + row.quantity
        if row.status in ARRIVED:
            arrived[row.variant_id] = arrived.get(row.variant_id, 0) + row.quantity
    return taken, arrived


def insert_return(made: Return, lines: Sequence[ReturnLine]) -> list[Statement]:
    """A new return with its lines."""
    return [_INSERT(**values_of(made)), _INSERT_LINES.each([values_of(line) for line in lines])]


def save_return(after: Return, seen: Return) -> Statement:
    """Replace `seen` by `after`, or `Stale`."""
    return _SAVE(**saving(after, seen, ("store_id", "id"))).guarded(Stale())


def decide_lines(decided: Sequence[tuple[ReturnLine, Outcome, int]]) -> Statement:
    """What became of each line and what it is worth; each is decided once."""
    rows = [
        {
            "key": line.return_id,
            "key_variant": line.variant_id,
            "key_store": line.store_id,
            "decided": outcome,
            "worth": amount,
        }
        for line, outcome, amount in decided
    ]
    return _DECIDE_LINE.each(rows).guarded(Stale())


async def list_of_orders(
    db: Database, stores: list[int], order_ids: list[str]
) -> list[tuple[Return, list[ReturnLine]]]:
    """Returns of these orders, which are of these stores, with their lines, oldest first."""
    found = await db.all(
        _OF_ORDERS, stores=stores, order_ids=order_ids, limit=100 * max(1, len(order_ids))
    )
    lines: dict[str, list[ReturnLine]] = {one.id: [] for one in found}
    if found:
        rows = await db.all(_LINES_OF_ANY, return_ids=list(lines), limit=_LINES_MAX * len(found))
        for line in rows:
            lines[line.return_id].append(line)
    return [(one, lines[one.id]) for one in found]


def forget_words(keys: Sequence[Mapping[str, object]]) -> list[Statement]:
    """Empty what was written into the returns of these orders (`owners.keys_of`)."""
    return [_FORGET_LINES.each(keys), _FORGET.each(keys)]

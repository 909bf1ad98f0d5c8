"""A store's customers: one row for each telephone that ordered, made from its orders.

Rows come in the order of telephones, straight from the index of orders by telephone, so a page
costs no more in a large store than in a small one.
"""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.statements import Query, in_list
from eishro.db.types import Int
from eishro.domain.orders.sql import orders
from eishro.phones import COUNTRY, normalise_phone
from eishro.text import fold_digits

COUNTED_MAX = 10_000  # customers that a list counts
NAMES_MAX = 10_000  # newest orders among which a name is looked for
_HIGHEST = ":"  # above every digit
_DIGITS_MIN = 3


class Buyer(msgspec.Struct, frozen=True):
    """What a store knows of a telephone; `spent_dirhams` counts what was paid or delivered and not
    cancelled or sent back, `refused_cod` parcels that came back unpaid.
    """

    phone: str
    orders: int
    spent_dirhams: int
    refused_cod: int
    last_order_id: str
    last_order_at: datetime
    name: str = ""


class _Group(msgspec.Struct, frozen=True):
    phone: str
    orders: int
    spent_dirhams: int
    refused_cod: int
    last_order_id: str


class _Last(msgspec.Struct, frozen=True):
    id: str
    name: str
    at: datetime


_KEPT = orders.c.status.not_in([sa.literal_column("'cancelled'"), sa.literal_column("'returned'")])
_EARNED = sa.or_(
    orders.c.payment_status.in_(
        [sa.literal_column("'paid'"), sa.literal_column("'partially_refunded'")]
    ),
    orders.c.status == sa.literal_column("'delivered'"),
)
_REFUSED = sa.and_(
    orders.c.status == sa.literal_column("'returned'"),
    orders.c.payment_method == sa.literal_column("'cod'"),
    orders.c.payment_status == sa.literal_column("'pending'"),
)
_IN_STORE = orders.c.store_id == sa.bindparam("store_id")
_FROM_TO = (
    _IN_STORE,
    orders.c.customer_phone > sa.bindparam("after"),
    orders.c.customer_phone < sa.bindparam("end"),
)
_GROUPS = sa.select(
    orders.c.customer_phone,
    sa.func.count(),
    sa.func.sum(sa.case((sa.and_(_KEPT, _EARNED), orders.c.total_dirhams), else_=0)),
    sa.func.sum(sa.case((_REFUSED, 1), else_=0)),
    sa.func.max(orders.c.id),
)
_BY_PHONE = Pages(
    _GROUPS.where(*_FROM_TO).group_by(orders.c.customer_phone),
    _Group,
    order_by=(orders.c.customer_phone,),
    total=sa.select(sa.func.count()).select_from(
        sa.select(orders.c.customer_phone)
        .where(*_FROM_TO)
        .distinct()
        .limit(sa.literal(COUNTED_MAX, Int))
        .subquery("newest")
    ),
)
_SOME = Query(
    _GROUPS.where(_IN_STORE, in_list(orders.c.customer_phone, "phones"))
    .group_by(orders.c.customer_phone)
    .order_by(orders.c.customer_phone)
    .limit(100),
    _Group,
)
_NEWEST = (
    sa.select(orders.c.customer_phone, orders.c.customer_name)
    .where(_IN_STORE)
    .order_by(orders.c.id.desc())
    .limit(sa.literal(NAMES_MAX, Int))
    .subquery("found")
)
_NAMED = Query(
    sa.select(_NEWEST.c.customer_phone)
    .where(
        _NEWEST.c.customer_name == sa.bindparam("name"),
        _NEWEST.c.customer_phone != sa.literal_column("''"),
    )
    .distinct()
    .order_by(_NEWEST.c.customer_phone)
    .limit(100),
    str,
)
_LAST = Query(
    sa.select(orders.c.id, orders.c.customer_name, orders.c.created_at)
    .where(_IN_STORE, in_list(orders.c.id, "ids"))
    .limit(sa.bindparam("limit")),
    _Last,
)


async def list_buyers(
    db: Database, store_id: int, limit: int, offset: int, after: str, q: str | None
) -> tuple[list[Buyer], int]:
    """A page of the store's customers by telephone, and how many there are (at most `COUNTED_MAX`
    are counted).

    Args:
        after: the page begins behind this telephone; empty for the first one.
        q: a telephone, its beginning, or a customer's whole name (among the newest `NAMES_MAX`
            orders; at most 100 are found).
    """
    if q is not None and (between := _telephones(q)) is None:
        named = await db.all(_NAMED, store_id=store_id, name=q)
        shown = [phone for phone in named if phone > after][offset : offset + limit]
        groups = await db.all(_SOME, store_id=store_id, phones=shown) if shown else []
        return await _with_last(db, store_id, groups), len(named)
    first, end = between if q is not None and between else ("", _HIGHEST)
    groups = await _BY_PHONE.list_(
        db, limit, offset, store_id=store_id, after=max(first, after), end=end
    )
    total = await _BY_PHONE.count(db, store_id=store_id, after=first, end=end)
    return await _with_last(db, store_id, groups), total


def _telephones(q: str) -> tuple[str, str] | None:
    """Between which two texts the telephones are that begin so; None: it is no telephone."""
    digits = fold_digits(q).strip()
    for between in " -":
        digits = digits.replace(between, "")
    whole = normalise_phone(digits)
    if whole is not None:
        return whole[:-1] + chr(ord(whole[-1]) - 1) + _HIGHEST, whole + "!"
    bare = digits.removeprefix("+")
    if not (bare.isascii() and bare.isdigit()) or len(bare) < _DIGITS_MIN:
        return None
    if bare.startswith("00"):
        start = f"+{bare[2:]}"
    elif bare.startswith("0"):
        start = COUNTRY + bare[1:]
    else:
        start = f"+{bare}"
    return start, start + _HIGHEST


async def _with_last(db: Database, store_id: int, groups: list[_Group]) -> list[Buyer]:
    """The name is that of the newest order."""
    ids = [group.last_order_id for group in groups]
    rows = await db.all(_LAST, store_id=store_id, ids=ids, limit=len(ids)) if ids else []
    last = {row.id: row for row in rows}
    return [
        Buyer(
            phone=group.phone,
            orders=group.orders,
            spent_dirhams=group.spent_dirhams,
            refused_cod=group.refused_cod,
            last_order_id=group.last_order_id,
            last_order_at=last[group.last_order_id].at,
            name=last[group.last_order_id].name,
        )
        for group in groups
        if group.last_order_id in last
    ]

"""Lists of orders: filters, pages, newest first (order ids sort by time)."""

import functools
import re
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.statements import Query
from eishro.db.types import Int
from eishro.domain.orders.model import NUMBER_LENGTH, Order, PaymentStatus, Status
from eishro.domain.orders.sql import orders
from eishro.phones import normalise_phone

# Further than this nobody counts or looks: a list says at most so many, and a name is looked for
# among the newest orders, since an index over names would slow every order that is placed.
COUNT_MAX = 100_000
NAMES_LOOKED_AT = 10_000
_NUMBER = re.compile(rf"#?[0-9A-Z]{{{NUMBER_LENGTH}}}")

_FIELDS = (
    "store_id",
    "customer_user_id",
    "customer_phone",
    "status",
    "payment_status",
    "since",
    "until",
    "after_id",
)


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for; None leaves a filter out. `q` is an order number, a phone or
    a customer's exact name (among the newest `NAMES_LOOKED_AT`); its form says which. `after_id`
    continues a list below that id.
    """

    store_id: int | None = None
    customer_user_id: int | None = None
    customer_phone: str | None = None
    status: Status | None = None
    payment_status: PaymentStatus | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_id: str | None = None


async def list_orders(db: Database, wanted: OrderFilter, limit: int, offset: int) -> list[Order]:
    """A page of orders."""
    query = _page_query(_filters(wanted))
    return await db.all(query, limit=limit, offset=offset, **_values(wanted))


async def count_orders(db: Database, wanted: OrderFilter) -> int:
    """How many orders the filter finds, over all pages; `COUNT_MAX` for more."""
    whole = msgspec.structs.replace(wanted, after_id=None)
    return await db.one(_count_query(_filters(whole)), **_values(whole)) or 0


def _filters(wanted: OrderFilter) -> tuple[str, ...]:
    names = [name for name in _FIELDS if getattr(wanted, name) is not None]
    return (*names, *([] if wanted.q is None else [_meant(wanted.q)]))


def _meant(q: str) -> str:
    """What somebody looks for: a phone, an order's number, or a name."""
    if normalise_phone(q) is not None:
        return "phone"
    return "number" if _NUMBER.fullmatch(q.upper()) else "name"


def _values(wanted: OrderFilter) -> dict[str, object]:
    values = {n: getattr(wanted, n) for n in _FIELDS if getattr(wanted, n) is not None}
    if wanted.q is not None:
        meant = _meant(wanted.q)
        values[meant] = {
            "number": wanted.q.upper().removeprefix("#"),
            "phone": normalise_phone(wanted.q),
            "name": wanted.q,
        }[meant]
    return values


def _conditions(filters: tuple[str, ...]) -> list[Any]:
    known = {
        "store_id": orders.c.store_id == sa.bindparam("store_id"),
        "customer_user_id": orders.c.customer_user_id == sa.bindparam("customer_user_id"),
        "customer_phone": orders.c.customer_phone == sa.bindparam("customer_phone"),
        "status": orders.c.status == sa.bindparam("status"),
        "payment_status": orders.c.payment_status == sa.bindparam("payment_status"),
        "since": orders.c.created_at >= sa.bindparam("since"),
        "until": orders.c.created_at <= sa.bindparam("until"),
        "after_id": orders.c.id < sa.bindparam("after_id"),
        "number": orders.c.number == sa.bindparam("number"),
        "phone": orders.c.customer_phone == sa.bindparam("phone"),
        "name": sa.and_(orders.c.customer_name == sa.bindparam("name"), _is_new(filters)),
    }
    return [known[name] for name in filters]


def _is_new(filters: tuple[str, ...]) -> Any:
    """Among the newest orders of the store, or of all."""
    newer = orders.alias("newer")
    mine = [newer.c.store_id == sa.bindparam("store_id")] if "store_id" in filters else []
    oldest = (
        sa.select(newer.c.id)
        .where(*mine)
        .order_by(newer.c.id.desc())
        .limit(1)
        .offset(sa.literal(NAMES_LOOKED_AT - 1, Int))
        .scalar_subquery()
    )
    return orders.c.id >= sa.func.coalesce(oldest, "")


@functools.cache
def _page_query(filters: tuple[str, ...]) -> Query[Order]:
    return Query(
        sa.select(*columns_of(orders, Order))
        .where(*_conditions(filters))
        .order_by(orders.c.id.desc())
        .limit(sa.bindparam("limit"))
        .offset(sa.bindparam("offset")),
        Order,
        across_stores="store_id" not in filters,
    )


@functools.cache
def _count_query(filters: tuple[str, ...]) -> Query[int]:
    return Query(
        sa.select(sa.func.count()).select_from(
            sa.select(orders.c.id)
            .where(*_conditions(filters))
            .limit(sa.literal(COUNT_MAX, Int))
            .subquery("found")
        ),
        int,
        across_stores="store_id" not in filters,
    )

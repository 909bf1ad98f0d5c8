"""Lists of orders: filters, pages, newest first (order ids sort by time)."""

import functools
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.statements import Query
from eishro.domain.orders.model import Order, PaymentStatus, Status
from eishro.domain.orders.sql import orders
from eishro.phones import normalise_phone

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
    a customer's exact name; `after_id` continues a list below that id.
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
    """How many orders the filter finds, over all pages."""
    whole = msgspec.structs.replace(wanted, after_id=None)
    return await db.one(_count_query(_filters(whole)), **_values(whole)) or 0


def _filters(wanted: OrderFilter) -> tuple[str, ...]:
    return tuple(name for name in (*_FIELDS, "q") if getattr(wanted, name) is not None)


def _values(wanted: OrderFilter) -> dict[str, object]:
    values = {n: getattr(wanted, n) for n in _FIELDS if getattr(wanted, n) is not None}
    if wanted.q is not None:
        values["number"] = wanted.q.upper().removeprefix("#")
        values["phone"] = normalise_phone(wanted.q) or wanted.q
        values["name"] = wanted.q
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
        "q": sa.or_(
            orders.c.number == sa.bindparam("number"),
            orders.c.customer_phone == sa.bindparam("phone"),
            orders.c.customer_name == sa.bindparam("name"),
        ),
    }
    return [known[name] for name in filters]


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
        sa.select(sa.func.count()).select_from(orders).where(*_conditions(filters)),
        int,
        across_stores="store_id" not in filters,
    )

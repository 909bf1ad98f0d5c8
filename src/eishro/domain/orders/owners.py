"""Orders by the person behind them: guests' orders that wait for a proof, an account's open ones,
a telephone's in one store, and finished ones that still name somebody.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.domain.orders.model import FINAL_STATUSES, Order
from eishro.domain.orders.sql import order_history, orders

_FINAL = orders.c.status.in_([sa.literal_column(f"'{status}'") for status in FINAL_STATUSES])
_NAMED = orders.c.customer_phone != sa.literal_column("''")
_COLUMNS = columns_of(orders, Order)


class Finished(msgspec.Struct, frozen=True):
    """An order as the retention looks at it; `phone` is empty where it names nobody any more."""

    id: str
    status: str
    phone: str
    updated_at: datetime

    def names_somebody(self, before: datetime) -> bool:
        """True if it is finished since before this instant and still holds personal data."""
        return self.status in FINAL_STATUSES and self.phone != "" and self.updated_at < before


_GUEST_PHONE = Query(
    sa.select(*_COLUMNS)
    .where(
        orders.c.customer_user_id.is_(None),
        orders.c.customer_phone == sa.bindparam("phone"),
    )
    .limit(sa.bindparam("limit")),
    Order,
    across_stores=True,
)
_GUEST_EMAIL = Query(
    sa.select(*_COLUMNS)
    .where(
        orders.c.customer_user_id.is_(None),
        orders.c.customer_email.is_not(None),
        orders.c.customer_email == sa.bindparam("email"),
    )
    .limit(sa.bindparam("limit")),
    Order,
    across_stores=True,
)
_OWN = (
    sa.select(*_COLUMNS)
    .where(orders.c.customer_user_id == sa.bindparam("user_id"))
    .order_by(orders.c.id)
    .limit(sa.bindparam("limit"))
)
_OWN_OPEN = Query(_OWN.where(~_FINAL), Order, across_stores=True)
_OWN_NAMED = Query(_OWN.where(_FINAL, _NAMED), Order, across_stores=True)
_IN_STORE = (
    sa.select(*_COLUMNS)
    .where(
        orders.c.store_id == sa.bindparam("store_id"),
        orders.c.customer_phone == sa.bindparam("phone"),
    )
    .order_by(orders.c.id)
    .limit(sa.bindparam("limit"))
)
_OF_PHONE_OPEN = Query(_IN_STORE.where(~_FINAL), Order)
_OF_PHONE = Query(_IN_STORE.where(_FINAL), Order)
_PAGE = Query(
    sa.select(orders.c.id, orders.c.status, orders.c.customer_phone, orders.c.updated_at)
    .where(orders.c.id > sa.bindparam("after"), orders.c.id < sa.bindparam("end"))
    .order_by(orders.c.id)
    .limit(sa.bindparam("limit")),
    Finished,
    across_stores=True,
)
_SOME = Query(
    sa.select(*_COLUMNS).where(in_list(orders.c.id, "ids")).order_by(orders.c.id).limit(100),
    Order,
    across_stores=True,
)
_FORGET_NOTES = Write(
    sa.update(order_history)
    .where(
        order_history.c.store_id == sa.bindparam("key_store"),
        order_history.c.order_id == sa.bindparam("key_order"),
        order_history.c.note.is_not(None),
    )
    .values(note=sa.null())
)


async def list_guest_orders_by_phone(db: Database, phone: str, limit: int) -> list[Order]:
    """Orders of nobody's account with this telephone, in every store."""
    return await db.all(_GUEST_PHONE, phone=phone, limit=limit)


async def list_guest_orders_by_email(db: Database, email: str, limit: int) -> list[Order]:
    """Orders of nobody's account with this address, in every store."""
    return await db.all(_GUEST_EMAIL, email=email, limit=limit)


async def list_open_orders_of(db: Database, user_id: int, limit: int) -> list[Order]:
    """The account's orders that are not finished, oldest first."""
    return await db.all(_OWN_OPEN, user_id=user_id, limit=limit)


async def list_named_orders_of(db: Database, user_id: int, limit: int) -> list[Order]:
    """The account's finished orders that hold personal data."""
    return await db.all(_OWN_NAMED, user_id=user_id, limit=limit)


async def list_open_orders_by_phone(
    db: Database, store_id: int, phone: str, limit: int
) -> list[Order]:
    """The telephone's orders in the store that are not finished."""
    return await db.all(_OF_PHONE_OPEN, store_id=store_id, phone=phone, limit=limit)


async def list_finished_orders_by_phone(
    db: Database, store_id: int, phone: str, limit: int
) -> list[Order]:
    """The telephone's finished orders in the store."""
    return await db.all(_OF_PHONE, store_id=store_id, phone=phone, limit=limit)


async def page_of_orders(db: Database, after: str, end: str, limit: int) -> list[Finished]:
    """Orders of every store between two ids, which sort by time."""
    return await db.all(_PAGE, after=after, end=end, limit=limit)


async def list_orders_by_id(db: Database, ids: list[str]) -> list[Order]:
    """These orders, at most 100."""
    return await db.all(_SOME, ids=ids)


def keys_of(found: Sequence[Order]) -> list[dict[str, object]]:
    """How statements that forget what belongs to orders are told which."""
    return [{"key_store": order.store_id, "key_order": order.id} for order in found]


def forget_history_notes(keys: Sequence[Mapping[str, object]]) -> Statement:
    """Empty what people wrote into the history of these orders."""
    return _FORGET_NOTES.each(keys)

"""What was said to gateways and what they answered: kept masked, found by order.

An adapter's calls go through a `Journal`, which notes them under the wire reference that is being
spoken of (`speaking_of`); flows write what was noted once the call is over.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.db.types import Id, Int, Moment, Text
from eishro.outward import WebHttp

TEXT_MAX = 4_000  # of a request or a reply, masked
KEPT_MAX = 300  # calls about one payment; a browser that makes us ask without end adds none

_REFERENCE: ContextVar[str | None] = ContextVar("speaking_of", default=None)


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """One call to a gateway as it was noted. `call` is the method and path, `request` and `reply`
    are masked text; `status` None: nothing usable came back, `error` says why.
    """

    provider: str
    reference: str
    call: str
    request: str
    status: int | None
    reply: str
    error: str | None
    milliseconds: int
    at: datetime


class Exchange(msgspec.Struct, frozen=True):
    """The same as it is kept, with whose payment it was about."""

    id: str
    store_id: int
    payment_id: str
    order_id: str
    provider: str
    call: str
    request: str
    status: int | None
    reply: str
    error: str | None
    milliseconds: int
    request_id: str | None
    at: datetime


class Journal(Protocol):
    """Notes what adapters send and get."""

    def watch(self, http: WebHttp, provider: str) -> WebHttp:
        """The same calls, noted."""
        ...

    def take(self, reference: str) -> list[Noted]:
        """What was noted of this wire reference since it was last taken."""
        ...


@contextmanager
def speaking_of(reference: str | None) -> Iterator[None]:
    """Calls within are noted under this wire reference; under None they are not noted."""
    token = _REFERENCE.set(reference)
    try:
        yield
    finally:
        _REFERENCE.reset(token)


def present_reference() -> str | None:
    """The wire reference that is being spoken of here."""
    return _REFERENCE.get()


gateway_exchanges = table(
    "gateway_exchanges",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("payment_id", Id, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("provider", Text, nullable=False),
    sa.Column("call", Text, nullable=False),
    sa.Column("request", Text, nullable=False),
    sa.Column("status", Int),
    sa.Column("reply", Text, nullable=False),
    sa.Column("error", Text),
    sa.Column("milliseconds", Int, nullable=False),
    sa.Column("request_id", Text),
    sa.Column("at", Moment, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "payment_id"], ["payments.store_id", "payments.id"]),
    sa.Index("ix_gateway_exchanges_store_id_order_id", "store_id", "order_id", "id"),
    sa.Index("ix_gateway_exchanges_store_id_payment_id", "store_id", "payment_id"),
    with_rowid=False,
)
_OF_ORDER = (
    gateway_exchanges.c.store_id == sa.bindparam("store_id"),
    gateway_exchanges.c.order_id == sa.bindparam("order_id"),
)
_PAGE = Query(
    sa.select(*columns_of(gateway_exchanges, Exchange))
    .where(*_OF_ORDER)
    .order_by(gateway_exchanges.c.id.desc())
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset")),
    Exchange,
)
_COUNT = Query(sa.select(sa.func.count()).select_from(gateway_exchanges).where(*_OF_ORDER), int)
_OF_PAYMENT = (
    sa.select(gateway_exchanges.c.id)
    .where(
        gateway_exchanges.c.store_id == sa.bindparam("store_id"),
        gateway_exchanges.c.payment_id == sa.bindparam("payment_id"),
    )
    .limit(sa.bindparam("limit"))
    .subquery("of_payment")
)
# Of one payment that its caller has read: the store stands there for the index.
_COUNT_OF_PAYMENT = Query(
    sa.select(sa.func.count()).select_from(_OF_PAYMENT), int, across_stores=True
)
_OLD = Query(
    sa.select(gateway_exchanges.c.id)
    .where(gateway_exchanges.c.id < sa.bindparam("end"))
    .order_by(gateway_exchanges.c.id)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
_INSERT = Write(sa.insert(gateway_exchanges))
_FORGET = Write(
    sa.delete(gateway_exchanges).where(in_list(gateway_exchanges.c.id, "ids")), across_stores=True
)
_FORGET_OF_ORDER = Write(
    sa.delete(gateway_exchanges).where(
        gateway_exchanges.c.store_id == sa.bindparam("key_store"),
        gateway_exchanges.c.order_id == sa.bindparam("key_order"),
    )
)


async def list_exchanges(
    db: Database, store_id: int, order_id: str, limit: int, offset: int
) -> tuple[list[Exchange], int]:
    """What was said about the order's payments, newest first, and how many there are."""
    found = await db.all(_PAGE, store_id=store_id, order_id=order_id, limit=limit, offset=offset)
    return found, await db.one(_COUNT, store_id=store_id, order_id=order_id) or 0


async def count_exchanges_of(db: Database, store_id: int, payment_id: str) -> int:
    """How many are kept of the payment; not counted beyond what may be."""
    return (
        await db.one(_COUNT_OF_PAYMENT, store_id=store_id, payment_id=payment_id, limit=KEPT_MAX)
        or 0
    )


async def list_old_exchanges(db: Database, end: str, limit: int) -> list[str]:
    """Ids of those below the id `end`; ids sort by time."""
    return await db.all(_OLD, end=end, limit=limit)


def insert_exchanges(exchanges: list[Exchange]) -> Statement:
    """New ones, all of one store."""
    return _INSERT.each([values_of(exchange) for exchange in exchanges])


def forget_exchanges(ids: list[str]) -> Statement:
    """Drop these."""
    return _FORGET(ids=ids)


def forget_exchanges_of(keys: Sequence[Mapping[str, object]]) -> Statement:
    """Drop what was said about these orders (`owners.keys_of`): it is about who paid."""
    return _FORGET_OF_ORDER.each(keys)

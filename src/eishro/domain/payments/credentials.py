"""A store's own credentials for a gateway, and what is stored of them."""

from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Flag, Id, Int, Moment, Text
from eishro.errors import NotFound, Stale, Words

Mode = Literal["test", "live"]
GATEWAYS_MAX = 50  # of one store


class Credentials(msgspec.Struct, frozen=True):
    """One set of them; `sealed` holds the fields, encrypted. Sets that were replaced stay: payments
    that were begun with them are asked about with them.
    """

    id: str
    store_id: int
    provider: str
    mode: Mode
    sealed: str
    is_current: bool
    created_by: str
    created_at: datetime
    ended_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Credentials(id={self.id!r}, provider={self.provider!r}, …)"


class NoCredentials(NotFound):
    """The store has none of its own for this gateway."""

    words = Words(
        "The store has no credentials of its own here.", "لا توجد بيانات دخول للمتجر هنا."
    )


gateway_credentials = table(
    "gateway_credentials",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("provider", Text, nullable=False),
    sa.Column("mode", Text, nullable=False),
    sa.Column("sealed", Text, nullable=False),
    sa.Column("is_current", Flag, nullable=False),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.UniqueConstraint("store_id", "id"),
    sa.CheckConstraint("mode IN ('test', 'live')", name="mode"),
    sa.Index(
        "uq_gateway_credentials_current",
        "store_id",
        "provider",
        unique=True,
        sqlite_where=sa.text("is_current = 1"),
        postgresql_where=sa.text("is_current = 1"),
    ),
    with_rowid=False,
)
_COLUMNS = columns_of(gateway_credentials, Credentials)
_IS_CURRENT = sa.text("gateway_credentials.is_current = 1")
_CURRENT = Query(
    sa.select(*_COLUMNS)
    .where(gateway_credentials.c.store_id == sa.bindparam("store_id"), _IS_CURRENT)
    .order_by(gateway_credentials.c.provider)
    .limit(GATEWAYS_MAX),
    Credentials,
)
_CURRENT_OF = Query(
    sa.select(*_COLUMNS).where(
        gateway_credentials.c.store_id == sa.bindparam("store_id"),
        gateway_credentials.c.provider == sa.bindparam("provider"),
        _IS_CURRENT,
    ),
    Credentials,
)
_BY_ID = Query(
    sa.select(*_COLUMNS).where(
        gateway_credentials.c.store_id == sa.bindparam("store_id"),
        gateway_credentials.c.id == sa.bindparam("id"),
    ),
    Credentials,
)
_INSERT = Write(insert_once(gateway_credentials))
_END = Write(
    sa.update(gateway_credentials)
    .where(
        gateway_credentials.c.store_id == sa.bindparam("key_store"),
        gateway_credentials.c.id == sa.bindparam("key_id"),
        gateway_credentials.c.is_current == sa.literal(value=True, type_=Flag),
    )
    .values(is_current=sa.literal(value=False, type_=Flag), ended_at=sa.bindparam("at"))
)


async def list_credentials(db: Database, store_id: int) -> list[Credentials]:
    """The store's present ones."""
    return await db.all(_CURRENT, store_id=store_id)


async def find_credentials(db: Database, store_id: int, provider: str) -> Credentials | None:
    """The store's present ones for this gateway."""
    return await db.one(_CURRENT_OF, store_id=store_id, provider=provider)


async def get_credentials(db: Database, store_id: int, credentials_id: str) -> Credentials:
    """Those of this id, present or replaced, or `NoCredentials`."""
    found = await db.one(_BY_ID, store_id=store_id, id=credentials_id)
    if found is None:
        raise NoCredentials()
    return found


def insert_credentials(credentials: Credentials) -> Statement:
    """New ones; `Stale` if somebody else's are there by now."""
    return _INSERT(**values_of(credentials)).guarded(Stale())


def end_credentials(credentials: Credentials, at: datetime) -> Statement:
    """These are replaced or removed; `Stale` if they are already."""
    return _END(key_store=credentials.store_id, key_id=credentials.id, at=at).guarded(Stale())

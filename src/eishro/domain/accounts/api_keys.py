"""API keys of a store: programs that work for it, each with a list of permissions.

A key is `esk_<26 characters of its id>_<43 random characters>`, shown once. Its random part has
256 bits, so what is stored of it is a plain hash. Using, revoking and expiry are looked at in
every request: a revoked key is dead at once.
"""

import hmac
import secrets
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.accounts.model import Caller, hash_token
from eishro.errors import NotFound, Words

KEYS_MAX = 50  # live ones in a store
LAST_USE_EVERY = timedelta(minutes=5)  # how exactly the last use is known
_MARK = "esk_"

api_keys = table(
    "api_keys",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("secret_hash", Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created_by", Int, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("last_used_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.Index("ix_api_keys_store_id_id", "store_id", "id"),
    sa.Index("ix_api_keys_created_by", "created_by"),
    with_rowid=False,
)


class ApiKey(msgspec.Struct, frozen=True):
    """A key without its secret; `scopes` is a JSON list of permissions."""

    id: str
    store_id: int
    name: str
    secret_hash: str
    scopes: msgspec.Raw
    created_by: int
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def permissions(self) -> frozenset[str]:
        """What the key may do in its store."""
        return frozenset(msgspec.json.decode(self.scopes, type=list[str]))


class KeyNotFound(NotFound):
    """No such key in this store."""

    words = Words("There is no such key.", "لا يوجد مفتاح كهذا.")


_BY_ID = Query(
    sa.select(*columns_of(api_keys, ApiKey)).where(
        api_keys.c.id == sa.bindparam("id"), api_keys.c.revoked_at.is_(None)
    ),
    ApiKey,
    across_stores=True,  # the key tells the store
)
_LIVE_OF_STORE = Query(
    sa.select(*columns_of(api_keys, ApiKey))
    .where(api_keys.c.store_id == sa.bindparam("store_id"), api_keys.c.revoked_at.is_(None))
    .order_by(api_keys.c.id)
    .limit(sa.literal(KEYS_MAX, Int)),
    ApiKey,
)
_INSERT = Write(sa.insert(api_keys))
_REVOKE = Write(
    sa.update(api_keys)
    .where(
        api_keys.c.id == sa.bindparam("key"),
        api_keys.c.store_id == sa.bindparam("key_store"),
        api_keys.c.revoked_at.is_(None),
    )
    .values(revoked_at=sa.bindparam("at"))
)
_USED = Write(
    sa.update(api_keys)
    .where(api_keys.c.id == sa.bindparam("key"), api_keys.c.store_id == sa.bindparam("key_store"))
    .values(last_used_at=sa.bindparam("at"))
)


def new_secret(key_id: str) -> str:
    """The whole text of a new key; `key_id` is `key_` and 26 characters."""
    return f"{_MARK}{key_id.partition('_')[2]}_{secrets.token_urlsafe(32)}"


async def find_key(db: Database, shown: str, now: datetime) -> ApiKey | None:
    """The live key behind the text that was shown, in constant time where the id is right."""
    mark, _, rest = shown.partition("_")
    name, _, secret = rest.partition("_")
    if f"{mark}_" != _MARK or not secret or not name.isalnum() or not shown.isascii():
        return None
    key = await db.one(_BY_ID, id=f"key_{name}")
    if key is None or not hmac.compare_digest(key.secret_hash, hash_token(shown)):
        return None
    return None if key.expires_at is not None and key.expires_at <= now else key


async def list_keys(db: Database, store_id: int) -> list[ApiKey]:
    """The store's keys that are not revoked, oldest first."""
    return await db.all(_LIVE_OF_STORE, store_id=store_id)


def caller_of(key: ApiKey) -> Caller:
    """The key as a caller: nobody's account, its scopes in its own store alone."""
    return Caller(name=f"key:{key.id}", permissions={key.store_id: key.permissions()})


def insert_key(key: ApiKey) -> Statement:
    """A new key."""
    return _INSERT(**values_of(key))


def revoke_key(store_id: int, key_id: str, at: datetime) -> Statement:
    """End the key; refused with `KeyNotFound` if it is not a live one of this store."""
    return _REVOKE(key=key_id, key_store=store_id, at=at).guarded(KeyNotFound())


def note_use(key: ApiKey, at: datetime) -> Statement:
    """Keep when the key was used last."""
    return _USED(key=key.id, key_store=key.store_id, at=at)

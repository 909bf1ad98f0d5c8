"""Idempotency keys: claim, effect and stored answer in one batch.

The first batch that claims (scope, key) wins; every other caller with the same key gets the
stored answer. Bodies that hold a secret are stored sealed by the caller. Refusals are not
stored.
"""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, upsert
from eishro.db.types import Flag, Int, Moment, Text
from eishro.errors import Conflict

idempotency_keys = table(
    "idempotency_keys",
    sa.Column("scope", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("fingerprint", Text, nullable=False),
    sa.Column("status", Int, nullable=False),
    sa.Column("body", Text, nullable=False),
    sa.Column("is_sealed", Flag, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Index("ix_idempotency_keys_expires_at", "expires_at"),
    with_rowid=False,
)


class AlreadyClaimed(Conflict):
    """Another request with the same key was first; its answer is stored."""


class StoredAnswer(msgspec.Struct, frozen=True):
    """The first answer: HTTP status and body (`is_sealed`: the body is encrypted)."""

    fingerprint: str
    status: int
    body: str
    is_sealed: bool


_FIND = Query(
    sa.select(*(idempotency_keys.c[name] for name in StoredAnswer.__struct_fields__)).where(
        idempotency_keys.c.scope == sa.bindparam("scope"),
        idempotency_keys.c.key == sa.bindparam("key"),
        idempotency_keys.c.expires_at > sa.bindparam("now"),
    ),
    StoredAnswer,
)
# A key that has run out is free again.
_CLAIM = Write(
    upsert(idempotency_keys, where=idempotency_keys.c.expires_at <= sa.bindparam("now", Moment))
)
_DROP_EXPIRED = Write(
    sa.delete(idempotency_keys).where(idempotency_keys.c.expires_at <= sa.bindparam("now"))
)

FIND = _FIND


def claim(
    scope: str,
    key: str,
    fingerprint: str,
    answer: tuple[int, str],
    *,
    sealed: bool,
    now: datetime,
    expires_at: datetime,
) -> tuple[Statement]:
    """First in the batch: take the key; refused with `AlreadyClaimed`."""
    status, body = answer
    return (
        _CLAIM(
            scope=scope,
            key=key,
            fingerprint=fingerprint,
            status=status,
            body=body,
            is_sealed=sealed,
            expires_at=expires_at,
            now=now,
        ).guarded(AlreadyClaimed()),
    )


def drop_expired(now: datetime) -> Statement:
    """Remove every key that has run out."""
    return _DROP_EXPIRED(now=now)

"""Accounts elsewhere that open an account here: a provider of the settings and its subject."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Int, Moment, Text
from eishro.errors import Stale

identities = table(
    "identities",
    sa.Column("provider", Text, primary_key=True),
    sa.Column("subject", Text, primary_key=True),
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("email", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index("ix_identities_user_id", "user_id"),
    with_rowid=False,
)


class Identity(msgspec.Struct, frozen=True):
    """A person as a provider knows them; `email` is what it said when they were linked."""

    provider: str
    subject: str
    user_id: int
    email: str
    created_at: datetime


_FIND = Query(
    sa.select(*columns_of(identities, Identity)).where(
        identities.c.provider == sa.bindparam("provider"),
        identities.c.subject == sa.bindparam("subject"),
    ),
    Identity,
)
_OF_USER = Query(
    sa.select(*columns_of(identities, Identity))
    .where(identities.c.user_id == sa.bindparam("user_id"))
    .order_by(identities.c.provider, identities.c.subject)
    .limit(sa.literal(100, Int)),
    Identity,
)
_INSERT = Write(insert_once(identities))
_FORGET = Write(sa.delete(identities).where(identities.c.user_id == sa.bindparam("key")))


async def find_identity(db: Database, provider: str, subject: str) -> Identity | None:
    """The identity, if it is linked to an account."""
    return await db.one(_FIND, provider=provider, subject=subject)


async def list_identities(db: Database, user_id: int) -> list[Identity]:
    """Whatever is linked to the user."""
    return await db.all(_OF_USER, user_id=user_id)


def insert_identity(identity: Identity) -> Statement:
    """Link it to its user; `Stale` if somebody was faster."""
    return _INSERT(**values_of(identity)).guarded(Stale())


def forget_identities(user_id: int) -> Statement:
    """Unlink whatever is linked to the user."""
    return _FORGET(key=user_id)

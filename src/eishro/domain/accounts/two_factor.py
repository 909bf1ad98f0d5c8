"""The second factor: a time-based code (RFC 6238: SHA-1, 6 digits, 30 s) and recovery codes.

A secret is kept sealed; it is pending until its owner has shown one code. Each code is good
once: the number of its half-minute only ever grows. Recovery codes are kept hashed; they have
80 random bits, so a plain hash is enough.
"""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Int, Moment, Text
from eishro.errors import Stale

RECOVERY_CODES = 10

second_factors = table(
    "second_factors",
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), primary_key=True, autoincrement=False),
    sa.Column("secret_sealed", Text, nullable=False),
    sa.Column("enabled_at", Moment),
    sa.Column("last_step", Int, nullable=False),
    sa.Column("version", Int, nullable=False),
)

recovery_codes = table(
    "recovery_codes",
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), primary_key=True, autoincrement=False),
    sa.Column("code_hash", Text, primary_key=True),
    sa.Column("used_at", Moment),
    with_rowid=False,
)


class SecondFactor(msgspec.Struct, frozen=True):
    """A user's secret; `enabled_at` None while it is pending, `last_step` the half-minute (since
    1970) of the last code that was taken.
    """

    user_id: int
    secret_sealed: str
    enabled_at: datetime | None
    last_step: int
    version: int


_OF_USER = Query(
    sa.select(*columns_of(second_factors, SecondFactor)).where(
        second_factors.c.user_id == sa.bindparam("user_id")
    ),
    SecondFactor,
)
_PAGE = Query(
    sa.select(*columns_of(second_factors, SecondFactor))
    .where(second_factors.c.user_id > sa.bindparam("after"))
    .order_by(second_factors.c.user_id)
    .limit(sa.bindparam("limit")),
    SecondFactor,
)
_HAS_CODE = Query(
    sa.select(sa.func.count()).where(
        recovery_codes.c.user_id == sa.bindparam("user_id"),
        recovery_codes.c.code_hash == sa.bindparam("hash"),
        recovery_codes.c.used_at.is_(None),
    ),
    int,
)
_INSERT = Write(insert_once(second_factors))
_SAVE = Write(save_by_version(second_factors, SecondFactor, ("user_id",)))
_DELETE = Write(
    sa.delete(second_factors).where(
        second_factors.c.user_id == sa.bindparam("key"),
        second_factors.c.version == sa.bindparam("seen"),
    )
)
_INSERT_CODES = Write(sa.insert(recovery_codes))
_DELETE_CODES = Write(
    sa.delete(recovery_codes).where(recovery_codes.c.user_id == sa.bindparam("key"))
)
_USE_CODE = Write(
    sa.update(recovery_codes)
    .where(
        recovery_codes.c.user_id == sa.bindparam("key"),
        recovery_codes.c.code_hash == sa.bindparam("hash"),
        recovery_codes.c.used_at.is_(None),
    )
    .values(used_at=sa.bindparam("at"))
)


async def find_second_factor(db: Database, user_id: int) -> SecondFactor | None:
    """The user's secret, pending or enabled."""
    return await db.one(_OF_USER, user_id=user_id)


async def list_second_factors(db: Database, after: int, limit: int) -> list[SecondFactor]:
    """Everybody's, in the order of users, above user `after`."""
    return await db.all(_PAGE, after=after, limit=limit)


async def has_recovery_code(db: Database, user_id: int, code_hash: str) -> bool:
    """True if it is an unused code of the user."""
    found = await db.one(_HAS_CODE, user_id=user_id, hash=code_hash)
    return found == 1


def insert_second_factor(factor: SecondFactor) -> Statement:
    """A first secret; `Stale` if there is one already."""
    return _INSERT(**values_of(factor)).guarded(Stale())


def save_second_factor(factor: SecondFactor, seen: SecondFactor) -> Statement:
    """Replace `seen` by `factor`, or `Stale`; taking a code is this, so no code is taken twice."""
    return _SAVE(**saving(factor, seen, ("user_id",))).guarded(Stale())


def delete_second_factor(seen: SecondFactor) -> Statement:
    """Switch the second factor off, or `Stale`."""
    return _DELETE(key=seen.user_id, seen=seen.version).guarded(Stale())


def insert_recovery_codes(user_id: int, hashes: list[str]) -> Statement:
    """New recovery codes."""
    return _INSERT_CODES.each(
        [{"user_id": user_id, "code_hash": one, "used_at": None} for one in hashes]
    )


def delete_recovery_codes(user_id: int) -> Statement:
    """Forget the user's recovery codes, used or not."""
    return _DELETE_CODES(key=user_id)


def use_recovery_code(
    user_id: int, code_hash: str, at: datetime, otherwise: Exception
) -> Statement:
    """Take a code, once; refused with `otherwise` if there is no such unused code."""
    return _USE_CODE(key=user_id, hash=code_hash, at=at).guarded(otherwise)

"""Tables and statements of address books and proven telephones. They are a person's, no store's."""

from datetime import datetime

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once, upsert
from eishro.db.types import Flag, Id, Int, Moment, Text
from eishro.domain.customers.model import (
    ADDRESSES_MAX,
    PHONES_MAX,
    Address,
    AddressNotFound,
    PhoneCode,
    ProvenPhone,
)
from eishro.errors import Stale

addresses = table(
    "addresses",
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("slot", Int, nullable=False),
    sa.Column("label", Text, nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("phone", Text, nullable=False),
    sa.Column("city_code", Text, nullable=False),
    sa.Column("area", Text),
    sa.Column("landmark", Text),
    sa.Column("address", Text, nullable=False),
    sa.Column("latitude_microdegrees", Int),
    sa.Column("longitude_microdegrees", Int),
    sa.Column("notes", Text),
    sa.Column("is_default", Flag, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.CheckConstraint(f"slot >= 0 AND slot < {ADDRESSES_MAX}", name="slot"),
    # A full book has no free slot, so two requests at once cannot both be the last that fits.
    sa.UniqueConstraint("user_id", "slot"),
    sa.Index(
        "uq_addresses_default",
        "user_id",
        unique=True,
        sqlite_where=sa.text("is_default = 1"),
        postgresql_where=sa.text("is_default = 1"),
    ),
    with_rowid=False,
)

proven_phones = table(
    "proven_phones",
    sa.Column("phone", Text, primary_key=True),
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("proven_at", Moment, nullable=False),
    with_rowid=False,
)

phone_codes = table(
    "phone_codes",
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), primary_key=True, autoincrement=False),
    sa.Column("phone", Text, nullable=False),
    sa.Column("code_hash", Text, nullable=False),
    sa.Column("tries", Int, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Index("ix_phone_codes_expires_at", "expires_at"),
)

_OWN = sa.select(*columns_of(addresses, Address)).where(
    addresses.c.user_id == sa.bindparam("user_id")
)
_LIST = Query(
    _OWN.order_by(addresses.c.id).limit(sa.literal(ADDRESSES_MAX, Int)),
    Address,
)
_GET = Query(_OWN.where(addresses.c.id == sa.bindparam("id")), Address)
_INSERT = Write(insert_once(addresses))
_SAVE = Write(save_by_version(addresses, Address, ("user_id", "id")))
_DELETE = Write(
    sa.delete(addresses).where(
        addresses.c.user_id == sa.bindparam("key_user"),
        addresses.c.id == sa.bindparam("key"),
        addresses.c.version == sa.bindparam("seen"),
    )
)
_CLEAR_DEFAULT = Write(
    sa.update(addresses)
    .where(
        addresses.c.user_id == sa.bindparam("key_user"),
        addresses.c.id != sa.bindparam("but"),
        addresses.c.is_default == sa.literal_column("1"),
    )
    .values(is_default=sa.literal_column("0"), version=addresses.c.version + 1)
)
_DELETE_ALL = Write(sa.delete(addresses).where(addresses.c.user_id == sa.bindparam("key_user")))

_PHONES = Query(
    sa.select(*columns_of(proven_phones, ProvenPhone))
    .where(proven_phones.c.user_id == sa.bindparam("user_id"))
    .order_by(proven_phones.c.proven_at, proven_phones.c.phone)
    .limit(sa.literal(PHONES_MAX, Int)),
    ProvenPhone,
)
# Numbers are given to other people after a while: the last proof counts.
_PROVE = Write(upsert(proven_phones))
_STILL_PROVEN = Write(
    sa.update(proven_phones)
    .where(
        proven_phones.c.phone == sa.bindparam("key"),
        proven_phones.c.user_id == sa.bindparam("key_user"),
    )
    .values(proven_at=proven_phones.c.proven_at)
)
_FORGET_PHONES = Write(
    sa.delete(proven_phones).where(proven_phones.c.user_id == sa.bindparam("key_user"))
)
_CODE = Query(
    sa.select(*columns_of(phone_codes, PhoneCode)).where(
        phone_codes.c.user_id == sa.bindparam("user_id")
    ),
    PhoneCode,
)
_PUT_CODE = Write(upsert(phone_codes))
_SAVE_CODE = Write(save_by_version(phone_codes, PhoneCode, ("user_id",)))
_TAKE_CODE = Write(
    sa.delete(phone_codes).where(
        phone_codes.c.user_id == sa.bindparam("key_user"),
        phone_codes.c.version == sa.bindparam("seen"),
        phone_codes.c.code_hash == sa.bindparam("hash"),
    )
)
_FORGET_CODE = Write(
    sa.delete(phone_codes).where(phone_codes.c.user_id == sa.bindparam("key_user"))
)
_EXPIRED_CODES = Query(
    sa.select(sa.func.count())
    .select_from(phone_codes)
    .where(phone_codes.c.expires_at < sa.bindparam("before")),
    int,
)
_FORGET_EXPIRED = Write(
    sa.delete(phone_codes).where(phone_codes.c.expires_at < sa.bindparam("before"))
)


async def list_addresses(db: Database, user_id: int) -> list[Address]:
    """The account's book, oldest first."""
    return await db.all(_LIST, user_id=user_id)


async def get_address(db: Database, user_id: int, address_id: str) -> Address:
    """The address, or `AddressNotFound`."""
    found = await db.one(_GET, user_id=user_id, id=address_id)
    if found is None:
        raise AddressNotFound()
    return found


def insert_address(address: Address) -> list[Statement]:
    """A new address; `Stale` if its slot, or being the default, was taken meanwhile."""
    return [*_only_default(address), _INSERT(**values_of(address)).guarded(Stale())]


def save_address(address: Address, seen: Address) -> list[Statement]:
    """Replace `seen` by `address`, or `Stale`."""
    save = _SAVE(**saving(address, seen, ("user_id", "id"))).guarded(Stale())
    return [*_only_default(address), save]


def _only_default(address: Address) -> list[Statement]:
    if not address.is_default:
        return []
    return [_CLEAR_DEFAULT(key_user=address.user_id, but=address.id)]


def delete_address(seen: Address) -> Statement:
    """Take it out of the book, or `Stale`."""
    return _DELETE(key_user=seen.user_id, key=seen.id, seen=seen.version).guarded(Stale())


def delete_addresses(user_id: int) -> Statement:
    """Empty the book."""
    return _DELETE_ALL(key_user=user_id)


async def list_phones(db: Database, user_id: int) -> list[ProvenPhone]:
    """What the account has proven, oldest first."""
    return await db.all(_PHONES, user_id=user_id)


def prove_phone(phone: ProvenPhone) -> Statement:
    """The telephone is this account's, and nobody else's any more."""
    return _PROVE(**values_of(phone))


def still_proven(phone: str, user_id: int) -> Statement:
    """Changes nothing; `Stale` if the telephone is not the account's any more."""
    return _STILL_PROVEN(key=phone, key_user=user_id).guarded(Stale())


async def find_code(db: Database, user_id: int) -> PhoneCode | None:
    """The account's code, open or not."""
    return await db.one(_CODE, user_id=user_id)


def put_code(code: PhoneCode) -> Statement:
    """A new code; one from before is dead."""
    return _PUT_CODE(**values_of(code))


def save_code(code: PhoneCode, seen: PhoneCode) -> Statement:
    """Replace `seen` by `code`, or `Stale`."""
    return _SAVE_CODE(**saving(code, seen, ("user_id",))).guarded(Stale())


def take_code(seen: PhoneCode) -> Statement:
    """Use the code up, or `Stale`."""
    return _TAKE_CODE(key_user=seen.user_id, seen=seen.version, hash=seen.code_hash).guarded(
        Stale()
    )


def forget_phones(user_id: int) -> list[Statement]:
    """Whatever the account has proven, and the code on its way."""
    return [_FORGET_PHONES(key_user=user_id), _FORGET_CODE(key_user=user_id)]


async def count_expired_codes(db: Database, before: datetime) -> int:
    """Codes whose time was over before this instant."""
    return await db.one(_EXPIRED_CODES, before=before) or 0


def forget_expired_codes(before: datetime) -> Statement:
    """Drop them."""
    return _FORGET_EXPIRED(before=before)

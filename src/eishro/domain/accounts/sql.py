"""Tables and statements of accounts. They belong to the platform, not to one store."""

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Flag, Id, Int, Moment, Text
from eishro.domain.accounts.model import (
    ACTING,
    MEMBERS_SHOWN_MAX,
    MEMBERSHIPS_MAX,
    SESSIONS_SHOWN_MAX,
    Caller,
    EmailTaken,
    Member,
    Role,
    Session,
    User,
)
from eishro.domain.accounts.permissions import permissions_of
from eishro.errors import NotFound, Stale
from eishro.ids import text_id

_CLOCKS_DIFFER = timedelta(minutes=5)  # of the machines that open sessions, at most

users = table(
    "users",
    sa.Column("id", Int, primary_key=True, autoincrement=False),
    sa.Column("email", Text, nullable=False, unique=True),
    sa.Column("password_hash", Text, nullable=False),
    sa.Column("first_name", Text, nullable=False),
    sa.Column("last_name", Text, nullable=False),
    sa.Column("phone", Text),
    sa.Column("role", Text, nullable=False),
    sa.Column("is_active", Flag, nullable=False),
    sa.Column("email_verified_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Index(
        "ix_users_admin",
        "id",
        sqlite_where=sa.text("role = 'admin'"),
        postgresql_where=sa.text("role = 'admin'"),
    ),
    sa.CheckConstraint("role IN ('admin', 'merchant', 'customer')", name="role"),
)

memberships = table(
    "memberships",
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), primary_key=True),
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("role", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    # A merchant has one store; a store may have several owners.
    sa.Index(
        "uq_memberships_owner_user",
        "user_id",
        unique=True,
        sqlite_where=sa.text("role = 'owner'"),
        postgresql_where=sa.text("role = 'owner'"),
    ),
    sa.Index("ix_memberships_user_id", "user_id"),
    with_rowid=False,
)

sessions = table(
    "sessions",
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Int, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("refresh_hash", Text, nullable=False),
    sa.Column("previous_hash", Text),
    sa.Column("successor_sealed", Text),
    sa.Column("grace_until", Moment),
    sa.Column("user_agent", Text, nullable=False),
    sa.Column("address", Text, nullable=False),
    sa.Column("login_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("version", Int, nullable=False),
    sa.Column("admin_id", Int),
    sa.Index("ix_sessions_expires_at", "expires_at"),
    with_rowid=False,
)


_USER_BY_ID = Query(
    sa.select(*columns_of(users, User)).where(users.c.id == sa.bindparam("id")), User
)
_USER_BY_EMAIL = Query(
    sa.select(*columns_of(users, User)).where(users.c.email == sa.bindparam("email")), User
)
_SESSION_BY_ID = Query(
    sa.select(*columns_of(sessions, Session)).where(sessions.c.id == sa.bindparam("id")), Session
)
_OWN_STORE = Query(
    sa.select(memberships.c.store_id).where(
        memberships.c.user_id == sa.bindparam("user_id"), memberships.c.role == "owner"
    ),
    int,
    across_stores=True,
)


class _CallerRow(msgspec.Struct, frozen=True):
    """A live session's user with one of the user's memberships, or none."""

    user_id: int
    role: Role
    email: str
    login_at: datetime
    admin_id: int | None
    store_id: int | None
    store_role: str | None


_ADMINS = users.alias("admins")
_CALLER = Query(
    sa.select(
        users.c.id,
        users.c.role,
        users.c.email,
        sessions.c.login_at,
        sessions.c.admin_id,
        memberships.c.store_id,
        memberships.c.role,
    )
    .select_from(
        sessions.join(users, users.c.id == sessions.c.user_id)
        .outerjoin(memberships, memberships.c.user_id == users.c.id)
        .outerjoin(_ADMINS, _ADMINS.c.id == sessions.c.admin_id)
    )
    .where(
        sessions.c.id == sa.bindparam("session_id"),
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > sa.bindparam("now"),
        users.c.is_active == sa.literal(True, Flag),
        # Whoever acts as the user may do so for as long as they are an admin themselves.
        sa.or_(
            sessions.c.admin_id.is_(None),
            sa.and_(_ADMINS.c.role == "admin", _ADMINS.c.is_active == sa.literal(True, Flag)),
        ),
    )
    .order_by(memberships.c.store_id)
    .limit(sa.literal(MEMBERSHIPS_MAX, Int)),
    _CallerRow,
    across_stores=True,
)

_MEMBER = sa.select(
    memberships.c.store_id,
    memberships.c.user_id,
    memberships.c.role,
    memberships.c.created_at,
    users.c.email,
    users.c.first_name,
    users.c.last_name,
).select_from(memberships.join(users, users.c.id == memberships.c.user_id))
_MEMBERS = Query(
    _MEMBER.where(memberships.c.store_id == sa.bindparam("store_id"))
    .order_by(memberships.c.created_at, memberships.c.user_id)
    .limit(sa.literal(MEMBERS_SHOWN_MAX, Int)),
    Member,
)
_FIND_MEMBER = Query(
    _MEMBER.where(
        memberships.c.store_id == sa.bindparam("store_id"),
        memberships.c.user_id == sa.bindparam("user_id"),
    ),
    Member,
)
_CHANGE_MEMBERSHIP = Write(
    sa.update(memberships)
    .where(
        memberships.c.store_id == sa.bindparam("key_store"),
        memberships.c.user_id == sa.bindparam("key_user"),
        memberships.c.role == sa.bindparam("seen"),
    )
    .values(role=sa.bindparam("role"))
)
_DELETE_MEMBERSHIP = Write(
    sa.delete(memberships).where(
        memberships.c.store_id == sa.bindparam("key_store"),
        memberships.c.user_id == sa.bindparam("key_user"),
        memberships.c.role == sa.bindparam("seen"),
    )
)
_USERS = Query(
    sa.select(*columns_of(users, User))
    .order_by(users.c.id.desc())
    .limit(sa.bindparam("limit"))
    .offset(sa.bindparam("offset")),
    User,
)
_USER_COUNT = Query(sa.select(sa.func.count()).select_from(users), int)
_OTHER_ADMIN = Query(
    sa.select(*columns_of(users, User))
    .where(
        users.c.role == "admin",
        users.c.is_active == sa.literal(True, Flag),
        users.c.id != sa.bindparam("user_id"),
    )
    .order_by(users.c.id)
    .limit(1),
    User,
)
_STORES_OF = Query(
    sa.select(memberships.c.store_id)
    .where(memberships.c.user_id == sa.bindparam("user_id"))
    .order_by(memberships.c.store_id)
    .limit(sa.literal(MEMBERSHIPS_MAX, Int)),
    int,
    across_stores=True,
)
_INSERT_USER = Write(insert_once(users))
_INSERT_MEMBERSHIP = Write(insert_once(memberships))
_INSERT_SESSION = Write(sa.insert(sessions))
_SAVE_USER = Write(save_by_version(users, User))
_SAVE_SESSION = Write(save_by_version(sessions, Session))
_LIVE_SESSIONS = Query(
    sa.select(*columns_of(sessions, Session))
    .where(
        sessions.c.user_id == sa.bindparam("user_id"),
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > sa.bindparam("now"),
    )
    .order_by(sessions.c.id.desc())
    .limit(sa.literal(SESSIONS_SHOWN_MAX, Int)),
    Session,
)
_END_SESSIONS = Write(
    sa.update(sessions)
    .where(
        sessions.c.user_id == sa.bindparam("key"),
        sessions.c.id != sa.bindparam("but"),
        sessions.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("at"), version=sessions.c.version + 1)
)
_END_ACTING = Write(
    sa.update(sessions)
    .where(
        # Ids begin with their time: no more rows are looked at than were made since.
        sessions.c.id > sa.bindparam("since"),
        sessions.c.admin_id == sa.bindparam("key"),
        sessions.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("at"), version=sessions.c.version + 1)
)
_FORGET_SESSIONS = Write(sa.delete(sessions).where(sessions.c.expires_at < sa.bindparam("before")))
_FORGET_SESSIONS_OF = Write(sa.delete(sessions).where(sessions.c.user_id == sa.bindparam("key")))
_STILL = Write(
    sa.update(users)
    .where(users.c.id == sa.bindparam("key"), users.c.version == sa.bindparam("seen"))
    .values(version=users.c.version)
)
_END_SESSION = Write(
    sa.update(sessions)
    .where(sessions.c.id == sa.bindparam("key"), sessions.c.ended_at.is_(None))
    .values(ended_at=sa.bindparam("at"), version=sessions.c.version + 1)
)


async def get_user(db: Database, user_id: int) -> User:
    """The user, or `NotFound`."""
    user = await db.one(_USER_BY_ID, id=user_id)
    if user is None:
        raise NotFound()
    return user


async def find_user(db: Database, user_id: int) -> User | None:
    """The user, if there is one."""
    return await db.one(_USER_BY_ID, id=user_id)


async def find_user_by_email(db: Database, email: str) -> User | None:
    """The user with this address (lower case)."""
    return await db.one(_USER_BY_EMAIL, email=email)


async def find_session(db: Database, session_id: str) -> Session | None:
    """The session, ended or not."""
    return await db.one(_SESSION_BY_ID, id=session_id)


async def list_sessions(db: Database, user_id: int, now: datetime) -> list[Session]:
    """The user's live sessions, newest first."""
    return await db.all(_LIVE_SESSIONS, user_id=user_id, now=now)


async def find_caller(db: Database, session_id: str, now: datetime) -> Caller | None:
    """The active user behind a live session."""
    rows = await db.all(_CALLER, session_id=session_id, now=now)
    if not rows:
        return None
    first = rows[0]
    by_admin = "" if first.admin_id is None else f" by admin:{first.admin_id}"
    return Caller(
        name=f"user:{first.user_id}{by_admin}",
        user_id=first.user_id,
        role=first.role,
        email=first.email,
        permissions={
            row.store_id: permissions_of(row.store_role or "")
            for row in rows
            if row.store_id is not None
        },
        login_at=first.login_at,
        admin_id=first.admin_id,
    )


async def find_own_store(db: Database, user_id: int) -> int | None:
    """The store the user owns."""
    return await db.one(_OWN_STORE, user_id=user_id)


async def list_users(db: Database, limit: int, offset: int) -> tuple[list[User], int]:
    """A page of everybody, newest first, and how many there are."""
    return await db.all(_USERS, limit=limit, offset=offset), await db.one(_USER_COUNT) or 0


async def find_other_admin(db: Database, user_id: int) -> User | None:
    """An active admin besides this one."""
    return await db.one(_OTHER_ADMIN, user_id=user_id)


async def list_stores_of(db: Database, user_id: int) -> list[int]:
    """The stores the person works in."""
    return await db.all(_STORES_OF, user_id=user_id)


async def list_members(db: Database, store_id: int) -> list[Member]:
    """The people of the store, first ones first."""
    return await db.all(_MEMBERS, store_id=store_id)


async def find_member(db: Database, store_id: int, user_id: int) -> Member | None:
    """The person's place in the store."""
    return await db.one(_FIND_MEMBER, store_id=store_id, user_id=user_id)


def rights_of(user: User, member: Member | None) -> Caller:
    """What the user could do now, without a session: on the platform and as this member."""
    permissions = {} if member is None else {member.store_id: permissions_of(member.role)}
    return Caller(name=f"user:{user.id}", user_id=user.id, role=user.role, permissions=permissions)


def insert_user(user: User) -> Statement:
    """A new user; refused with `EmailTaken` if the address has an account."""
    return _INSERT_USER(**values_of(user)).guarded(EmailTaken())


def save_user(user: User, seen: User, taken: Exception | None = None) -> Statement:
    """Replace `seen` by `user`, or `Stale`; `taken` if the new address has an account."""
    return _SAVE_USER(**saving(user, seen)).guarded(Stale(), taken=taken)


def still(user: User) -> Statement:
    """Changes nothing; `Stale` if the account is not as it was read."""
    return _STILL(key=user.id, seen=user.version).guarded(Stale())


def insert_membership(
    store_id: int, user_id: int, role: str, at: datetime, otherwise: Exception
) -> Statement:
    """Make the user a member; refused with `otherwise` if the rules of ownership forbid it."""
    return _INSERT_MEMBERSHIP(store_id=store_id, user_id=user_id, role=role, created_at=at).guarded(
        otherwise
    )


def change_membership(
    store_id: int, user_id: int, seen: str, role: str, taken: Exception
) -> Statement:
    """Another role, or `Stale`; refused with `taken` if the rules of ownership forbid it."""
    return _CHANGE_MEMBERSHIP(key_store=store_id, key_user=user_id, seen=seen, role=role).guarded(
        Stale(), taken=taken
    )


def delete_membership(store_id: int, user_id: int, seen: str) -> Statement:
    """End the membership, or `Stale` if it is not there in this role any more."""
    return _DELETE_MEMBERSHIP(key_store=store_id, key_user=user_id, seen=seen).guarded(Stale())


def insert_session(session: Session) -> Statement:
    """A new session."""
    return _INSERT_SESSION(**values_of(session))


def save_session(session: Session, seen: Session) -> Statement:
    """Replace `seen` by `session`, or `Stale`."""
    return _SAVE_SESSION(**saving(session, seen)).guarded(Stale())


def end_session(session_id: str, at: datetime) -> Statement:
    """End the session; ending it again changes nothing."""
    return _END_SESSION(key=session_id, at=at)


def end_sessions(user: User, at: datetime, but: str = "") -> list[Statement]:
    """End all of the user's sessions, but one if it is named; an admin's acts as others too."""
    ending = [_END_SESSIONS(key=user.id, but=but, at=at)]
    if user.role == "admin":
        since = text_id("ses", at - ACTING - _CLOCKS_DIFFER)
        ending.append(_END_ACTING(key=user.id, since=since, at=at))
    return ending


def forget_sessions(before: datetime) -> Statement:
    """Drop sessions whose time was over before this instant."""
    return _FORGET_SESSIONS(before=before)


def forget_sessions_of(user_id: int) -> Statement:
    """Drop all of the user's sessions, with the devices and addresses they came from."""
    return _FORGET_SESSIONS_OF(key=user_id)

"""Users, memberships and sessions as values, and the rules that need no database."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Words

PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 200
REFRESH_GRACE = timedelta(seconds=30)
RECENT_LOGIN = timedelta(minutes=5)  # older ones prove themselves again for e-mail, password, 2FA
ACTING = timedelta(minutes=30)  # an admin as somebody else, at a time
SESSIONS_SHOWN_MAX = 100
MEMBERS_SHOWN_MAX = 500
MEMBERSHIPS_MAX = 50  # stores that one person works in

Role = Literal["admin", "merchant", "customer"]


class User(msgspec.Struct, frozen=True):
    """A person with an account; `email` is stored in lower case."""

    id: int
    email: str
    password_hash: str
    first_name: str
    last_name: str
    phone: str | None
    role: Role
    is_active: bool
    email_verified_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class Session(msgspec.Struct, frozen=True):
    """One sign-in. `refresh_hash` is of the live refresh token; `previous_hash` of the one
    before, whose successor (`successor_sealed`) is repeated until `grace_until`. `admin_id` is the
    platform admin who acts as the user, if it is not the user.
    """

    id: str
    user_id: int
    refresh_hash: str
    previous_hash: str | None
    successor_sealed: str | None
    grace_until: datetime | None
    user_agent: str
    address: str
    login_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    version: int
    admin_id: int | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a request: a person in a live session, or a store's API key (no `user_id`).

    `permissions` has those of each store the caller works in. `login_at` is when the password
    was last shown; `admin_id` the platform admin who acts as the user.
    """

    name: str
    user_id: int | None = None
    role: Role | None = None
    email: str = ""
    permissions: Mapping[int, frozenset[str]] = {}
    login_at: datetime | None = None
    admin_id: int | None = None

    def may(self, permission: str, store_id: int | None) -> bool:
        """True if the caller has the permission in the store; admins have every one."""
        if self.role == "admin":
            return True
        return store_id is not None and permission in self.permissions.get(store_id, ())

    def works_in(self, store_id: int | None) -> bool:
        """True for the store's people and keys, whatever they may do, and for admins."""
        return self.role == "admin" or store_id in self.permissions


class Member(msgspec.Struct, frozen=True):
    """A person of a store."""

    store_id: int
    user_id: int
    role: str
    created_at: datetime
    email: str
    first_name: str
    last_name: str


class MemberNotFound(NotFound):
    """No such person in this store."""

    words = Words("There is no such member.", "لا يوجد عضو كهذا.")


class AlreadyMember(Conflict):
    """The person works in the store already."""

    words = Words("This person is a member already.", "هذا الشخص عضو بالفعل.")


class LastOwner(Conflict):
    """A store keeps at least one owner."""

    words = Words("A store keeps at least one owner.", "يبقى للمتجر مالك واحد على الأقل.")


class OwnsAnother(Conflict):
    """A person owns one store."""

    words = Words("This person owns another store.", "هذا الشخص يملك متجرا آخر.")


class LastAdmin(Conflict):
    """The platform keeps at least one admin."""

    words = Words("The platform keeps at least one admin.", "يبقى للمنصة مشرف واحد على الأقل.")


class EmailTaken(Conflict):
    """The address has an account."""

    words = Words(
        "An account with this e-mail address exists already.",
        "يوجد حساب مسجل بهذا البريد الإلكتروني.",
    )


class WrongCredentials(Unauthenticated):
    """Wrong e-mail or password; never says which."""

    code = "INVALID_CREDENTIALS"
    words = Words(
        "The e-mail address or the password is wrong.",
        "البريد الإلكتروني أو كلمة المرور غير صحيحة.",
    )


class TwoFactorRequired(Unauthenticated):
    """The password is right; a code of the second factor is needed as well."""

    code = "TWO_FACTOR_REQUIRED"
    words = Words("Enter the code of your authenticator app.", "أدخل رمز تطبيق المصادقة.")


class ReauthenticationRequired(Forbidden):
    """The login is too old for this; show the password again."""

    code = "REAUTHENTICATION_REQUIRED"
    words = Words("Enter your password again to do this.", "أدخل كلمة المرور مرة أخرى للمتابعة.")


class SessionNotFound(NotFound):
    """No live session of this user."""

    words = Words("There is no such session.", "لا توجد جلسة كهذه.")


class TokenExpired(Unauthenticated):
    """The access token's time is over; refresh it."""

    code = "TOKEN_EXPIRED"
    words = Words("Your session has timed out.", "انتهت صلاحية الجلسة.")


class BadLink(Invalid):
    """The token of a mail's link is none of ours, used up, too old, or of another account."""

    def __init__(self) -> None:
        super().__init__({"token": Words("is not valid any more", "لم يعد صالحا")})


def new_refresh_token(session_id: str) -> str:
    """An opaque refresh token that names its session: `<session id>.<256 random bits>`."""
    return f"{session_id}.{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """What is stored of a random token; it has 256 bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def same_hash(stored: str | None, token: str) -> bool:
    """True if `token` is the one behind `stored`, in constant time."""
    return stored is not None and hmac.compare_digest(stored, hash_token(token))

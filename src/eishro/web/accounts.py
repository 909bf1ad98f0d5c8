"""Registering, signing in and out, and the own profile."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, User
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.errors import Invalid, Unauthenticated, Words
from eishro.flows import edit_account, sign_in
from eishro.flows.open_store import NewStore
from eishro.flows.sign_in import Device, Registration, SignedIn
from eishro.web.routes import Call, Reply
from eishro.web.stores import StoreView, has_condition, refuse_stale, store_view
from eishro.web.wire import Email, Name, Phone, ShortText, Slug

Password = Annotated[str, Meta(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]
# A code of an authenticator app or a recovery code, however it is typed.
Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z -]*$")]
Token = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[!-~]+$")]


class FirstStore(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The store a merchant opens while registering."""

    name: Name
    slug: Slug | None = None


class RegisterBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A new account. A password has 10 to 200 characters."""

    email: Email
    password: Password
    account_type: Literal["customer", "merchant"]
    first_name: ShortText = ""
    last_name: ShortText = ""
    phone: Phone | None = None
    store: FirstStore | None = None


class LoginBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """E-mail and password; `otp` where the second factor is on."""

    email: Annotated[str, Meta(max_length=254, pattern=r"^[^\u0000-\u001f\u007f]*$")]
    password: Annotated[str, Meta(max_length=PASSWORD_LENGTH_MAX)]
    otp: Code | None = None


class RefreshBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The refresh token of the last answer."""

    refresh_token: Token


class LogoutBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The refresh token of the session to end, beside the access token's own."""

    refresh_token: Token | None = None


class VerifyBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The token of a verification mail."""

    token: Token


class ProfileBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    first_name: ShortText | UnsetType = UNSET
    last_name: ShortText | UnsetType = UNSET
    phone: Phone | None | UnsetType = UNSET


class UserView(msgspec.Struct, frozen=True, rename="camel"):
    """A user in an answer to that user."""

    id: int
    email: str
    first_name: str
    last_name: str
    phone: str | None
    role: str
    is_active: bool
    email_verified: bool
    created_at: datetime
    updated_at: datetime


class SignedInView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A session's tokens; `expiresIn` is seconds."""

    user: UserView
    access_token: str
    refresh_token: str
    expires_in: int
    store: StoreView | None = None


def user_view(user: User) -> UserView:
    """The user as the API shows it; never the password's hash."""
    return UserView(
        id=user.id,
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        phone=user.phone,
        role=user.role,
        is_active=user.is_active,
        email_verified=user.email_verified_at is not None,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def _signed_in_view(signed_in: SignedIn, categories: list[str]) -> SignedInView:
    store: Store | None = signed_in.store
    return SignedInView(
        user=user_view(signed_in.user),
        store=store_view(store, categories) if store else None,
        access_token=signed_in.access_token,
        refresh_token=signed_in.refresh_token,
        expires_in=signed_in.expires_in_seconds,
    )


def device_of(call: Call) -> Device:
    """From where the request comes."""
    return Device(call.request.get_header("User-Agent") or "", call.address, call.request_id)


async def register(call: Call, body: RegisterBody) -> Reply:
    """A new account, signed in at once; a verification mail follows."""
    if body.store is not None and body.account_type != "merchant":
        raise Invalid({"store": Words("Only a merchant opens a store.", "التاجر فقط يفتح متجرا.")})
    registration = Registration(
        email=body.email.address,
        password=body.password,
        first_name=body.first_name,
        last_name=body.last_name,
        phone=body.phone.number if body.phone else None,
        role=body.account_type,
        store=NewStore(name=body.store.name.strip(), slug=body.store.slug) if body.store else None,
    )

    def view(signed_in: SignedIn) -> Reply:
        return Reply(
            _signed_in_view(signed_in, []),
            status=201,
            message=Words("Welcome to EISHRO.", "مرحبا بك في إشرو."),
        )

    once = call.once(view)
    return once.reply(
        await sign_in.register(call.shop, call.door.tokens, registration, device_of(call), once)
    )


async def login(call: Call, body: LoginBody) -> Reply:
    """A new session."""
    signed_in = await sign_in.login(
        call.shop,
        call.door.tokens,
        body.email.strip().lower(),
        body.password,
        device_of(call),
        body.otp,
    )
    return await signed_in_reply(call, signed_in)


async def refresh(call: Call, body: RefreshBody) -> Reply:
    """A new pair of tokens; the old refresh token is dead."""
    signed_in = await sign_in.refresh(
        call.shop, call.door.tokens, body.refresh_token, device_of(call)
    )
    return await signed_in_reply(call, signed_in)


async def signed_in_reply(call: Call, signed_in: SignedIn) -> Reply:
    """The session's tokens, its person and their store."""
    store = signed_in.store
    tops = (await stores.list_top_categories(call.shop.db, [store.id])) if store else {}
    return Reply(_signed_in_view(signed_in, tops.get(store.id, []) if store else []))


async def logout(call: Call, body: LogoutBody) -> Reply:
    """End the session, its access token included."""
    await sign_in.logout(call.shop, call.session_id, body.refresh_token)
    return Reply({})


async def read_profile(call: Call) -> Reply:
    """The caller's own account."""
    return Reply(user_view(await accounts.get_user(call.shop.db, own_id(call))))


async def update_profile(call: Call, body: ProfileBody) -> Reply:
    """Change members of the own account."""
    if has_condition(call):
        refuse_stale(call, user_view(await accounts.get_user(call.shop.db, own_id(call))))
    changes: dict[str, object] = {}
    for name in ("first_name", "last_name"):
        if getattr(body, name) is not UNSET:
            changes[name] = getattr(body, name)
    if body.phone is not UNSET:
        changes["phone"] = body.phone.number if body.phone else None
    user = await edit_account.update_profile(call.shop, own_id(call), changes, call.actor)
    return Reply(user_view(user))


def own_id(call: Call) -> int:
    """The caller's user id; routes about accounts let in nobody without one."""
    if call.caller is None or call.caller.user_id is None:
        raise Unauthenticated()
    return call.caller.user_id

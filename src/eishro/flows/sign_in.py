"""Register, sign in, refresh and sign out.

A refresh token changes at every use. The old one shown again within `REFRESH_GRACE` (the reply
was lost on a weak network) gets the very same successor; shown later it ends the session, since
somebody else may hold a copy. Every one carries our signature: a made-up token ends nothing, though
the session's id, with which it begins, is no secret.
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import (
    REFRESH_GRACE,
    Role,
    Session,
    TwoFactorRequired,
    User,
    WrongCredentials,
    hash_token,
    new_refresh_token,
    same_hash,
)
from eishro.domain.accounts.passwords import check_password
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.errors import Unauthenticated
from eishro.flows import login_limits, refusals, two_factor
from eishro.flows.open_store import NewStore, prepare_store
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id
from eishro.keyring import BadSeal

_SUCCESSOR = "refresh-successor"
_REFRESH = "refresh-token"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A checked registration; the e-mail is in lower case, the phone E.164 or None."""

    email: str
    password: str
    first_name: str
    last_name: str
    phone: str | None
    role: Role
    store: NewStore | None


class Device(msgspec.Struct, frozen=True):
    """From where somebody signs in, as the session list shows it, and by which request."""

    user_agent: str
    address: str
    request_id: str = ""

    def actor(self, name: str) -> Actor:
        """Who acts there, for the audit trail."""
        return Actor(name=name, request_id=self.request_id, address=self.address)


class SignedIn(msgspec.Struct, frozen=True):
    """A session's tokens; `refresh_token` is shown once."""

    user: User
    store: Store | None
    access_token: str
    refresh_token: str
    expires_in_seconds: int


async def register(
    shop: Shop, tokens: AccessTokens, registration: Registration, device: Device, once: Once
) -> SignedIn:
    """A new account (and its store), signed in; a verification mail follows.

    Raises:
        EmailTaken, SlugTaken, HasherBusy, Limited, idempotency.AlreadyClaimed.
        Invalid: the password is too common.
    """
    at = shop.clock.now()
    check_password(registration.password, registration.email)
    if await accounts.find_user_by_email(shop.db, registration.email) is not None:
        await login_limits.count_taken(shop, device.address)
    user = await new_user(shop, registration, at)
    actor = device.actor(f"user:{user.id}")
    store, store_statements = (
        await prepare_store(shop, registration.store, user.id, actor, at)
        if registration.store
        else (None, [])
    )
    session, refresh = new_session(shop, user, device, at)
    signed_in = with_tokens(shop, tokens, user, store, session, refresh, at)
    await shop.db.commit(
        Batch(*once.claim(signed_in)).add(
            accounts.insert_user(user),
            *store_statements,
            accounts.insert_session(session),
            outbox.publish("user.registered", str(user.id), at),
            audit.record(actor, "user.registered", user.id, at, role=user.role),
        )
    )
    return signed_in


async def new_user(shop: Shop, registration: Registration, at: datetime) -> User:
    """The user as a value, with the password hashed."""
    return User(
        id=await shop.ids.next("users"),
        email=registration.email,
        password_hash=await shop.hasher.hash(registration.password),
        first_name=registration.first_name,
        last_name=registration.last_name,
        phone=registration.phone,
        role=registration.role,
        is_active=True,
        email_verified_at=None,
        created_at=at,
        updated_at=at,
        version=1,
    )


async def login(
    shop: Shop,
    tokens: AccessTokens,
    email: str,
    password: str,
    device: Device,
    code: str | None = None,
) -> SignedIn:
    """A new session; `code` is of the second factor, where it is on.

    Raises:
        WrongCredentials: unknown address, wrong password or code, or inactive account; an unknown
            address takes as long as a wrong password.
        TwoFactorRequired: the password is right and a code is needed.
        Limited, HasherBusy.
    """
    attempt = await login_limits.count_login(shop, email, device.address)
    user = await accounts.find_user_by_email(shop.db, email)
    stored = user.password_hash if user and user.is_active else None
    right = await shop.hasher.verify(password, stored or None)
    if user is None or not right:
        await note_refusal(shop, user, device, "password")
        raise WrongCredentials()
    at = shop.clock.now()
    session, refresh = new_session(shop, user, device, at)
    try:
        taken = await two_factor.take_code(shop, user.id, code, at)
        await shop.db.commit(Batch(*taken, accounts.insert_session(session)))
    except TwoFactorRequired:
        await login_limits.forgive(shop, attempt, is_in=False)
        raise
    except WrongCredentials:
        await note_refusal(shop, user, device, "code")
        raise
    await login_limits.forgive(shop, attempt)
    if taken:
        await login_limits.forgive_code(shop, user.id)
    store = await find_own_store(shop, user)
    return with_tokens(shop, tokens, user, store, session, refresh, at)


async def note_refusal(shop: Shop, user: User | None, device: Device, what: str) -> None:
    """A line of the trail; the same work whether the address has an account or not."""
    actor = device.actor("guest")
    subject = user.id if user else "unknown"
    at = shop.clock.now()
    await shop.db.commit(Batch(audit.record(actor, "login.refused", subject, at, wrong=what)))


@again_if_stale
async def refresh(shop: Shop, tokens: AccessTokens, token: str, device: Device) -> SignedIn:
    """A new pair for a live refresh token.

    Raises:
        Unauthenticated: unknown, ended, expired or used long ago; the last ends the session, if
            the token was ours once.
    """
    session = await accounts.find_session(shop.db, token.partition(".")[0])
    at = shop.clock.now()
    if session is None or session.ended_at is not None or session.expires_at <= at:
        raise Unauthenticated()
    user = await accounts.get_user(shop.db, session.user_id)
    if not user.is_active:
        raise Unauthenticated()
    store = await find_own_store(shop, user)
    if same_hash(session.previous_hash, token):
        successor = _successor_within_grace(shop, session, at)
        if successor is not None:
            return with_tokens(shop, tokens, user, store, session, successor, at)
    if not same_hash(session.refresh_hash, token):
        if _was_ours(shop, token):
            actor = device.actor("guest")
            await shop.db.commit(
                Batch(
                    accounts.end_session(session.id, at),
                    audit.record(actor, "session.reuse_detected", session.id, at, user_id=user.id),
                )
            )
        else:
            await refusals.note(shop, device.actor("guest"), "refresh token", session.id)
        raise Unauthenticated()
    successor = _signed_refresh_token(shop, session.id)
    after = msgspec.structs.replace(
        session,
        refresh_hash=hash_token(successor),
        previous_hash=session.refresh_hash,
        successor_sealed=shop.keyring.seal(_SUCCESSOR, successor.encode()),
        grace_until=at + REFRESH_GRACE,
        expires_at=at + shop.rules.refresh_token,
    )
    await shop.db.commit(Batch(accounts.save_session(after, seen=session)))
    return with_tokens(shop, tokens, user, store, after, successor, at)


async def logout(shop: Shop, session_id: str | None, refresh_token: str | None) -> None:
    """End the session behind the access token and the one behind the refresh token."""
    at = shop.clock.now()
    ending = {session_id} if session_id else set()
    if refresh_token:
        session = await accounts.find_session(shop.db, refresh_token.partition(".")[0])
        if session is not None and (
            same_hash(session.refresh_hash, refresh_token)
            or same_hash(session.previous_hash, refresh_token)
        ):
            ending.add(session.id)
    if ending:
        await shop.db.commit(Batch(*(accounts.end_session(one, at) for one in sorted(ending))))


def _signed_refresh_token(shop: Shop, session_id: str) -> str:
    token = new_refresh_token(session_id)
    return f"{token}.{shop.keyring.sign(_REFRESH, token)}"


def _was_ours(shop: Shop, token: str) -> bool:
    """True if we made the token, for this session or a former turn of it."""
    text, _, signature = token.rpartition(".")
    return shop.keyring.verify(_REFRESH, text, signature)


def _successor_within_grace(shop: Shop, session: Session, at: datetime) -> str | None:
    if session.grace_until is None or session.grace_until < at or not session.successor_sealed:
        return None
    try:
        return shop.keyring.open(_SUCCESSOR, session.successor_sealed).decode()
    except BadSeal:
        return None


async def find_own_store(shop: Shop, user: User) -> Store | None:
    store_id = await accounts.find_own_store(shop.db, user.id)
    return await stores.find_store(shop.db, store_id) if store_id is not None else None


def new_session(shop: Shop, user: User, device: Device, at: datetime) -> tuple[Session, str]:
    """A session to insert, and its refresh token."""
    session_id = text_id("ses", at)
    token = _signed_refresh_token(shop, session_id)
    session = Session(
        id=session_id,
        user_id=user.id,
        refresh_hash=hash_token(token),
        previous_hash=None,
        successor_sealed=None,
        grace_until=None,
        user_agent=device.user_agent[:200],
        address=device.address,
        login_at=at,
        expires_at=at + shop.rules.refresh_token,
        ended_at=None,
        version=1,
    )
    return session, token


def with_tokens(
    shop: Shop,
    tokens: AccessTokens,
    user: User,
    store: Store | None,
    session: Session,
    refresh_token: str,
    at: datetime,
) -> SignedIn:
    """The session as its person gets it, with an access token of its own."""
    lifetime = shop.rules.access_token
    return SignedIn(
        user=user,
        store=store,
        access_token=tokens.issue(user.id, session.id, at, lifetime),
        refresh_token=refresh_token,
        expires_in_seconds=int(lifetime.total_seconds()),
    )

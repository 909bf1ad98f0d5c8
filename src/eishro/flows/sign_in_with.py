"""Sign in with an account elsewhere: set out to a provider, come back, be let in.

An identity that is linked opens its account, whatever address the provider names by now. One
that is not needs an address that the provider has verified: it opens the account of this
address, or a new one. The second factor is asked for here as everywhere, and an identity is
linked only together with the session that it opens.

What a browser holds between two steps is sealed, so nothing is kept here for those who never
come back.
"""

import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import identities
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.identities import Identity
from eishro.domain.accounts.model import TwoFactorRequired, User, WrongCredentials
from eishro.domain.accounts.port import Attempt, IdentityProvider, LoginRefused, Person
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.customers import sql as customers
from eishro.errors import NotFound, Stale, Unauthenticated, Words
from eishro.flows import login_limits, two_factor
from eishro.flows.shop import Shop, again_if_stale
from eishro.flows.sign_in import (
    Device,
    SignedIn,
    find_own_store,
    new_session,
    note_refusal,
    with_tokens,
)
from eishro.keyring import BadSeal

ATTEMPT_LIFETIME = timedelta(minutes=10)
TICKET_LIFETIME = timedelta(minutes=5)
_ATTEMPT = "oauth-attempt"
_TICKET = "oauth-ticket"
# What the door takes as an address, and no other spelling of one.
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{3,180}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+"
)

T = TypeVar("T")


class UnknownIdentityProvider(NotFound):
    """The settings name no such provider."""

    words = Words("There is no such sign-in service.", "لا توجد خدمة تسجيل دخول كهذه.")


class AttemptExpired(Unauthenticated):
    """What the browser holds of the way here is missing, too old, or of another way."""

    code = "LOGIN_EXPIRED"
    words = Words(
        "The sign-in took too long; please start again.",
        "استغرق تسجيل الدخول وقتا طويلا؛ يرجى البدء من جديد.",
    )


class UnverifiedAddress(Unauthenticated):
    """The provider has not verified the address, so it proves nothing."""

    code = "EMAIL_NOT_VERIFIED"
    words = Words(
        "Confirm your e-mail address with the sign-in service first.",
        "أكد بريدك الإلكتروني لدى خدمة تسجيل الدخول أولا.",
    )


class Outward(msgspec.Struct, frozen=True):
    """A browser on its way to a provider, as its cookie keeps it (sealed)."""

    attempt: Attempt
    return_url: str | None
    expires_at: datetime


class _Ticket(msgspec.Struct, frozen=True):
    """Everything but the second factor is there. Any change of the account outdates it."""

    user_id: int
    version: int
    identity: Identity
    expires_at: datetime


async def set_out(shop: Shop, name: str, return_url: str | None) -> tuple[str, str]:
    """Where to send the browser, and what it has to bring back, sealed.

    Raises:
        UnknownIdentityProvider, IdentityProviderUnavailable.
    """
    provider = _provider(shop, name)
    attempt = Attempt(
        provider=name,
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
    )
    outward = Outward(attempt, return_url, shop.clock.now() + ATTEMPT_LIFETIME)
    address = await provider.address(attempt, _return_address(shop, name))
    return address, _seal(shop, _ATTEMPT, outward)


def read_outward(shop: Shop, name: str, state: str, sealed: str) -> Outward:
    """The way this browser set out on; proves that it is the browser that did.

    Raises:
        UnknownIdentityProvider, AttemptExpired.
    """
    _provider(shop, name)
    outward = _open(shop, _ATTEMPT, sealed, Outward)
    is_same = hmac.compare_digest(outward.attempt.state.encode(), state.encode())
    if outward.attempt.provider != name or not is_same or outward.expires_at <= shop.clock.now():
        raise AttemptExpired()
    return outward


async def come_back(
    shop: Shop,
    tokens: AccessTokens,
    outward: Outward,
    code: str,
    issuer: str | None,
    device: Device,
) -> SignedIn:
    """A session for who the provider says it is.

    Args:
        issuer: the answer's `iss`, where the provider sends it (RFC 9207): another one's answer
            is refused before the code goes anywhere.

    Raises:
        TwoFactorRequired: with a ticket for `complete`.
        LoginRefused, UnverifiedAddress, IdentityProviderUnavailable.
        Unauthenticated: the account is locked.
    """
    attempt = outward.attempt
    provider = _provider(shop, attempt.provider)
    if issuer is not None and issuer != provider.issuer:
        raise LoginRefused()
    person = await provider.identify(code, attempt, _return_address(shop, attempt.provider))
    return await _enter(shop, tokens, attempt.provider, person, device)


@again_if_stale
async def complete(
    shop: Shop, tokens: AccessTokens, ticket: str, code: str, device: Device
) -> SignedIn:
    """The session that waited for a second factor.

    Raises:
        AttemptExpired: the ticket is none of ours, too old, or the account changed since.
        WrongCredentials, Limited.
    """
    at = shop.clock.now()
    shown = _open(shop, _TICKET, ticket, _Ticket)
    user = await accounts.find_user(shop.db, shown.user_id)
    is_late = shown.expires_at <= at
    if user is None or not user.is_active or user.version != shown.version or is_late:
        raise AttemptExpired()
    try:
        taken = await two_factor.take_code(shop, user.id, code, at)
        statements = [*taken, *await _link(shop, user, shown.identity, device, at)]
        signed_in = await _open_session(shop, tokens, user, statements, device, at)
    except WrongCredentials:
        await note_refusal(shop, user, device, "code")
        raise
    await login_limits.forgive_code(shop, user.id)
    return signed_in


@again_if_stale
async def _enter(
    shop: Shop, tokens: AccessTokens, provider: str, person: Person, device: Device
) -> SignedIn:
    at = shop.clock.now()
    known = await identities.find_identity(shop.db, provider, person.subject)
    if known is not None:
        user = await accounts.get_user(shop.db, known.user_id)
        return await _open_or_ask(shop, tokens, user, known, device, at)
    email = person.email.strip().lower()
    if not person.is_email_verified or not _ADDRESS.fullmatch(email):
        raise UnverifiedAddress()
    found = await accounts.find_user_by_email(shop.db, email)
    if found is None:
        return await _register(shop, tokens, provider, person, email, device, at)
    identity = Identity(provider, person.subject, found.id, email, at)
    if found.email_verified_at is None:
        return await _take_over(shop, tokens, found, identity, device, at)
    return await _open_or_ask(shop, tokens, found, identity, device, at)


async def _open_or_ask(
    shop: Shop, tokens: AccessTokens, user: User, identity: Identity, device: Device, at: datetime
) -> SignedIn:
    if not user.is_active:
        raise Unauthenticated()
    if await two_factor.is_on(shop, user.id):
        ticket = _Ticket(user.id, user.version, identity, at + TICKET_LIFETIME)
        raise TwoFactorRequired(details={"ticket": _seal(shop, _TICKET, ticket)})
    statements = await _link(shop, user, identity, device, at)
    return await _open_session(shop, tokens, user, statements, device, at)


async def _register(
    shop: Shop,
    tokens: AccessTokens,
    provider: str,
    person: Person,
    email: str,
    device: Device,
    at: datetime,
) -> SignedIn:
    """A new customer without a password, whose address the provider has verified."""
    user = User(
        id=await shop.ids.next("users"),
        email=email,
        password_hash="",
        first_name=person.first_name,
        last_name=person.last_name,
        phone=None,
        role="customer",
        is_active=True,
        email_verified_at=at,
        created_at=at,
        updated_at=at,
        version=1,
    )
    identity = Identity(provider, person.subject, user.id, email, at)
    statements = [
        # Somebody registers the address at this moment: look again and link to that account.
        accounts.insert_user(user).guarded(Stale()),
        identities.insert_identity(identity),
        outbox.publish("user.registered", str(user.id), at),
        audit.record(
            _actor(user, device), "user.registered", user.id, at, role=user.role, provider=provider
        ),
    ]
    return await _open_session(shop, tokens, user, statements, device, at)


async def _take_over(
    shop: Shop, tokens: AccessTokens, seen: User, identity: Identity, device: Device, at: datetime
) -> SignedIn:
    """Give an account to whose address it has.

    Whoever registered it never proved the address and may be somebody else, who waits for its
    owner to come: password, sessions, second factor and other logins go.
    """
    if not seen.is_active:
        raise Unauthenticated()
    after = msgspec.structs.replace(seen, password_hash="", email_verified_at=at, updated_at=at)
    statements = [
        accounts.save_user(after, seen=seen),
        *accounts.end_sessions(seen, at),
        *await two_factor.forget(shop, seen.id),
        identities.forget_identities(seen.id),
        *customers.forget_phones(seen.id),
        identities.insert_identity(identity),
        outbox.publish("user.email_verified", str(seen.id), at),
        audit.record(
            _actor(seen, device), "user.taken_over", seen.id, at, provider=identity.provider
        ),
    ]
    user = msgspec.structs.replace(after, version=seen.version + 1)
    return await _open_session(shop, tokens, user, statements, device, at)


async def _link(
    shop: Shop, user: User, identity: Identity, device: Device, at: datetime
) -> list[Statement]:
    """Statements that link the identity to the user, where that is not done."""
    known = await identities.find_identity(shop.db, identity.provider, identity.subject)
    if known is not None:
        if known.user_id != user.id:
            raise AttemptExpired()
        return []
    return [
        # The account as it was looked at: its address may be somebody else's a moment later.
        accounts.save_user(msgspec.structs.replace(user, updated_at=at), seen=user),
        identities.insert_identity(identity),
        audit.record(
            _actor(user, device), "identity.linked", user.id, at, provider=identity.provider
        ),
    ]


async def _open_session(
    shop: Shop,
    tokens: AccessTokens,
    user: User,
    statements: list[Statement],
    device: Device,
    at: datetime,
) -> SignedIn:
    """One batch: all that leads to the session, and the session."""
    session, refresh = new_session(shop, user, device, at)
    await shop.db.commit(Batch(*statements, accounts.insert_session(session)))
    await login_limits.trust(shop, user.email, device.address)
    store = await find_own_store(shop, user)
    return with_tokens(shop, tokens, user, store, session, refresh, at)


def _actor(user: User, device: Device) -> Actor:
    return device.actor(f"user:{user.id}")


def _provider(shop: Shop, name: str) -> IdentityProvider:
    provider = shop.identity_providers.get(name)
    if provider is None:
        raise UnknownIdentityProvider()
    return provider


def _return_address(shop: Shop, name: str) -> str:
    return f"{shop.rules.public_url}/api/auth/oauth/{name}/callback"


def _seal(shop: Shop, purpose: str, value: msgspec.Struct) -> str:
    return shop.keyring.seal(purpose, msgspec.json.encode(value))


def _open(shop: Shop, purpose: str, sealed: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(shop.keyring.open(purpose, sealed), type=kind)
    except (BadSeal, msgspec.DecodeError, UnicodeError) as error:
        raise AttemptExpired() from error

"""What opens an account is changed by its person alone: password, address, sessions.

Such a change asks for a login younger than `RECENT_LOGIN`, or for the password (and a code where
the second factor is on) once more.
"""

import base64
from datetime import datetime, timedelta

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import (
    RECENT_LOGIN,
    BadLink,
    Caller,
    EmailTaken,
    ReauthenticationRequired,
    Session,
    SessionNotFound,
    User,
    WrongCredentials,
)
from eishro.domain.accounts.passwords import check_password
from eishro.flows import login_limits, refusals, two_factor
from eishro.flows.shop import Shop, again_if_stale

CHANGE_LIFETIME = timedelta(hours=24)  # of the link that confirms a new address
_CHANGE = "change-email"


class Proof(msgspec.Struct, frozen=True):
    """Who asks for the change, and what they show beside the session."""

    caller: Caller
    session_id: str
    actor: Actor
    password: str | None = None
    code: str | None = None


async def prove(shop: Shop, proof: Proof, user: User, at: datetime) -> list[Statement]:
    """Statements that use up what was shown (a code); none for a young login.

    Raises:
        ReauthenticationRequired: the login is old and no password was shown.
        WrongCredentials: a password or code was shown and is wrong.
        TwoFactorRequired, Limited, HasherBusy.
    """
    if proof.password is None:
        login_at = proof.caller.login_at
        if login_at is None or at - login_at > RECENT_LOGIN:
            raise ReauthenticationRequired()
        return []
    attempt = await login_limits.count_login(shop, user.email, proof.actor.address)
    if not await shop.hasher.verify(proof.password, user.password_hash or None):
        await refusals.note(shop, proof.actor, "password", user.id)
        raise WrongCredentials()
    try:
        taken = await two_factor.take_code(shop, user.id, proof.code, at)
    except WrongCredentials:
        await refusals.note(shop, proof.actor, "code", user.id)
        raise
    await login_limits.forgive(shop, attempt)
    if taken:
        await login_limits.forgive_code(shop, user.id)
    return taken


async def prove_now(shop: Shop, proof: Proof, user: User) -> None:
    """`prove` where the change that follows is not one batch with it; what is shown is used up."""
    taken = await prove(shop, proof, user, shop.clock.now())
    if taken:
        await shop.db.commit(Batch(*taken))


@again_if_stale
async def reauthenticate(shop: Shop, proof: Proof, actor: Actor) -> None:
    """Make the session's login young again; `proof` shows a password."""
    at = shop.clock.now()
    user = await accounts.get_user(shop.db, _user_id(proof))
    taken = await prove(
        shop, msgspec.structs.replace(proof, password=proof.password or ""), user, at
    )
    seen = await _own_session(shop, user.id, proof.session_id)
    after = msgspec.structs.replace(seen, login_at=at)
    await shop.db.commit(
        Batch(
            *taken,
            accounts.save_session(after, seen=seen),
            audit.record(actor, "session.reauthenticated", seen.id, at),
        )
    )


@again_if_stale
async def change_password(shop: Shop, proof: Proof, password: str, actor: Actor) -> User:
    """Set a new password; every other session ends, and a mail tells.

    Raises:
        Invalid: the password is too common; and what `prove` raises.
    """
    at = shop.clock.now()
    seen = await accounts.get_user(shop.db, _user_id(proof))
    taken = await prove(shop, proof, seen, at)
    check_password(password, seen.email)
    after = msgspec.structs.replace(
        seen, password_hash=await shop.hasher.hash(password), updated_at=at
    )
    await shop.db.commit(
        Batch(
            *taken,
            accounts.save_user(after, seen=seen),
            *accounts.end_sessions(seen, at, but=proof.session_id),
            outbox.publish("user.password_changed", str(seen.id), at),
            audit.record(actor, "user.password_changed", seen.id, at),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


async def start_email_change(shop: Shop, proof: Proof, email: str, actor: Actor) -> None:
    """Send a link to the new address; nothing changes until it is opened. Whether the address
    has an account is not told.

    Raises:
        What `prove` raises.
    """
    at = shop.clock.now()
    user = await accounts.get_user(shop.db, _user_id(proof))
    taken = await prove(shop, proof, user, at)
    batch = Batch(*taken, audit.record(actor, "user.email_change_started", user.id, at))
    if await login_limits.may_write_to(shop, email, proof.actor.address):
        asked = shop.keyring.sign(_CHANGE, _account_text(user))
        batch.add(
            outbox.publish("user.email_change_started", str(user.id), at, email=email, asked=asked)
        )
    await shop.db.commit(batch)


def is_still_asked_for(shop: Shop, user: User, asked: str) -> bool:
    """False if the account has another address or password since its change was asked for: the
    mail may be late, and who found back into it meanwhile has not asked.
    """
    return shop.keyring.verify(_CHANGE, _account_text(user), asked)


def email_change_token(shop: Shop, user: User, email: str, at: datetime) -> str:
    """A token that gives `user` the address; good once, since it names the present one too.

    It dies with the password: who finds back into an account that somebody else had opened would
    lose it again to a link that was sent before.
    """
    expires = int((at + CHANGE_LIFETIME).timestamp())
    shown = base64.urlsafe_b64encode(email.encode()).decode().rstrip("=")
    signature = shop.keyring.sign(_CHANGE, _signed_text(user, expires, email))
    return f"{user.id}.{expires}.{shown}.{signature}"


@again_if_stale
async def confirm_email_change(shop: Shop, token: str, actor: Actor) -> User:
    """Give the account the address behind the token; the old address is told.

    Raises:
        BadLink: not a token of ours for the user's present address, or too late.
        EmailTaken: somebody registered the address meanwhile.
    """
    async with refusals.noting(shop, actor, "link to another address", BadLink):
        return await _confirm_email_change(shop, token, actor)


async def _confirm_email_change(shop: Shop, token: str, actor: Actor) -> User:
    at = shop.clock.now()
    number, expires, shown, signature = _parts_of(token)
    if expires < at.timestamp():
        raise BadLink()
    try:
        email = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4)).decode()
    except ValueError:
        raise BadLink() from None
    seen = await accounts.find_user(shop.db, number)
    if seen is None or not shop.keyring.verify(
        _CHANGE, _signed_text(seen, expires, email), signature
    ):
        raise BadLink()
    after = msgspec.structs.replace(seen, email=email, email_verified_at=at, updated_at=at)
    await shop.db.commit(
        Batch(
            accounts.save_user(after, seen=seen, taken=EmailTaken()),
            outbox.publish("user.email_changed", str(seen.id), at, before=seen.email),
            audit.record(actor.named(f"user:{seen.id}"), "user.email_changed", seen.id, at),
        )
    )
    return after


def _signed_text(user: User, expires: int, email: str) -> str:
    return f"{expires} {email} {_account_text(user)}"


def _account_text(user: User) -> str:
    return f"{user.id} {user.email} {user.password_hash}"


async def end_session(shop: Shop, user_id: int, session_id: str, actor: Actor) -> None:
    """Sign one device out.

    Raises:
        SessionNotFound: no live session of this user.
    """
    at = shop.clock.now()
    await _own_session(shop, user_id, session_id)
    await shop.db.commit(
        Batch(
            accounts.end_session(session_id, at),
            audit.record(actor, "session.ended", session_id, at),
        )
    )


async def _own_session(shop: Shop, user_id: int, session_id: str) -> Session:
    session = await accounts.find_session(shop.db, session_id)
    if session is None or session.user_id != user_id or session.ended_at is not None:
        raise SessionNotFound()
    return session


def _user_id(proof: Proof) -> int:
    if proof.caller.user_id is None:
        raise ReauthenticationRequired()
    return proof.caller.user_id


def _parts_of(token: str) -> tuple[int, int, str, str]:
    """`<user>.<seconds since 1970>.<text>.<signature>`."""
    parts = token.split(".")
    if len(parts) != 4:
        raise BadLink()
    number, expires, shown, signature = parts
    for digits in (number, expires):
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
            raise BadLink()
    return int(number), int(expires), shown, signature

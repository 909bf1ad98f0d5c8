"""Find back into an account by mail: a forgotten password, a verification mail that got lost.

A stranger learns nothing: the answer is the same, and takes the same work, whether the address
has an account or not. An event is written in either case; who it is for is looked up later.
"""

from datetime import timedelta

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.accounts import identities
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import BadLink, User
from eishro.domain.accounts.passwords import check_password
from eishro.domain.customers import sql as customers
from eishro.flows import login_limits, refusals, two_factor
from eishro.flows.shop import Shop, again_if_stale

RESET_LIFETIME = timedelta(hours=1)
_RESET = "reset-password"


async def ask_for_reset(shop: Shop, email: str, address: str) -> None:
    """Send a link for a new password to whoever has an account with this address.

    Raises:
        Limited: this network asks too often.
    """
    await _ask(shop, "user.password_forgotten", email, address)


async def ask_for_verification(shop: Shop, email: str, address: str) -> None:
    """Send the verification mail again.

    Raises:
        Limited: this network asks too often.
    """
    await _ask(shop, "user.verification_wanted", email, address)


async def _ask(shop: Shop, topic: str, email: str, address: str) -> None:
    if await login_limits.may_write_to(shop, email, address):
        at = shop.clock.now()
        await shop.db.commit(Batch(outbox.publish(topic, "", at, email=email)))


def reset_token(shop: Shop, user: User) -> str:
    """A token for a new password; good for `RESET_LIFETIME` and once, since it dies with the
    password (and the address) it was made for.
    """
    expires = int((shop.clock.now() + RESET_LIFETIME).timestamp())
    return f"{user.id}.{expires}.{shop.keyring.sign(_RESET, _signed_text(user, expires))}"


@again_if_stale
async def reset_password(shop: Shop, token: str, password: str, actor: Actor) -> User:
    """Set a new password; all sessions of the user end. The second factor stays on.

    An address that was never verified may have been registered by somebody else, who then set up
    a second factor, a login through a provider or a telephone: those go, since the mailbox is the
    only proof.

    Raises:
        BadLink: the token is not (or no longer) good.
        Invalid: the password is too common.
        HasherBusy.
    """
    async with refusals.noting(shop, actor, "link for a new password", BadLink):
        return await _reset_password(shop, token, password, actor)


async def _reset_password(shop: Shop, token: str, password: str, actor: Actor) -> User:
    at = shop.clock.now()
    number, _, rest = token.partition(".")
    expires, _, signature = rest.partition(".")
    for digits in (number, expires):
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
            raise BadLink()
    seen = await accounts.find_user(shop.db, int(number))
    is_ours = seen is not None and shop.keyring.verify(
        _RESET, _signed_text(seen, int(expires)), signature
    )
    if seen is None or not is_ours or int(expires) < at.timestamp():
        raise BadLink()
    check_password(password, seen.email)
    after = msgspec.structs.replace(
        seen,
        password_hash=await shop.hasher.hash(password),
        email_verified_at=seen.email_verified_at or at,
        updated_at=at,
    )
    batch = Batch(
        accounts.save_user(after, seen=seen),
        *accounts.end_sessions(seen, at),
        outbox.publish("user.password_changed", str(seen.id), at),
        audit.record(actor.named(f"user:{seen.id}"), "user.password_reset", seen.id, at),
    )
    if seen.email_verified_at is None:
        batch.add(
            *await two_factor.forget(shop, seen.id),
            identities.forget_identities(seen.id),
            *customers.forget_phones(seen.id),
            outbox.publish("user.email_verified", str(seen.id), at),
        )
    await shop.db.commit(batch)
    await login_limits.trust(shop, seen.email, actor.address)
    return msgspec.structs.replace(after, version=seen.version + 1)


def _signed_text(user: User, expires: int) -> str:
    return f"{user.id} {expires} {user.email} {user.password_hash}"

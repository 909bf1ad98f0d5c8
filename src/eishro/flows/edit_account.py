"""Change an account: profile and confirmed address."""

from collections.abc import Mapping

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import BadLink, User
from eishro.flows import refusals
from eishro.flows.shop import Shop, again_if_stale

_PURPOSE = "verify-email"


def verification_token(shop: Shop, user: User) -> str:
    """A token that confirms this user's present address, good until the address changes."""
    return f"{user.id}.{shop.keyring.sign(_PURPOSE, f'{user.id} {user.email}')}"


@again_if_stale
async def verify_email(shop: Shop, token: str, actor: Actor) -> User:
    """Confirm the address behind a token; confirming again is a success.

    Raises:
        BadLink: not a token of ours for the user's present address.
    """
    async with refusals.noting(shop, actor, "link to confirm an address", BadLink):
        return await _verify_email(shop, token, actor)


async def _verify_email(shop: Shop, token: str, actor: Actor) -> User:
    number, _, signature = token.partition(".")
    if not (number.isascii() and number.isdigit()) or len(number) > 15:
        raise BadLink()
    user = await accounts.find_user(shop.db, int(number))
    if user is None or not shop.keyring.verify(_PURPOSE, f"{user.id} {user.email}", signature):
        raise BadLink()
    if user.email_verified_at is not None:
        return user
    at = shop.clock.now()
    after = msgspec.structs.replace(user, email_verified_at=at, updated_at=at)
    await shop.db.commit(
        Batch(
            accounts.save_user(after, seen=user),
            outbox.publish("user.email_verified", str(user.id), at),
            audit.record(actor.named(f"user:{user.id}"), "user.email_verified", user.id, at),
        )
    )
    return after


@again_if_stale
async def update_profile(
    shop: Shop, user_id: int, changes: Mapping[str, object], actor: Actor
) -> User:
    """Change names or phone of an account."""
    at = shop.clock.now()
    seen = await accounts.get_user(shop.db, user_id)
    after = msgspec.structs.replace(seen, updated_at=at, **changes)
    await shop.db.commit(
        Batch(
            accounts.save_user(after, seen=seen),
            # Which members, not what is in them: the trail is sealed, and a person may be erased.
            audit.record(actor, "user.changed", user_id, at, fields=sorted(changes)),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)

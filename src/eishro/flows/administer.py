"""What the platform's admins do: people's accounts, the standing of stores, acting for somebody."""

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import ACTING, LastAdmin, Role, User
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Standing, Store
from eishro.errors import Forbidden
from eishro.flows.shop import Shop, again_if_stale
from eishro.flows.sign_in import Device, new_session


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """Members to change; None stays."""

    role: Role | None = None
    is_active: bool | None = None


class Acting(msgspec.Struct, frozen=True):
    """An access token of somebody's account, without a refresh token."""

    user: User
    access_token: str
    expires_in_seconds: int


@again_if_stale
async def change_user(shop: Shop, user_id: int, change: UserChange, actor: Actor) -> User:
    """Change a person's role on the platform, or lock the account and open it again. A locked
    account's sessions are dead at once.

    Raises:
        NotFound, LastAdmin.
    """
    at = shop.clock.now()
    seen = await accounts.get_user(shop.db, user_id)
    after = msgspec.structs.replace(
        seen,
        role=change.role or seen.role,
        is_active=seen.is_active if change.is_active is None else change.is_active,
        updated_at=at,
    )
    batch = Batch(
        accounts.save_user(after, seen=seen),
        audit.record(actor, "user.changed", user_id, at, **audit.difference(seen, after)),
    )
    if _is_admin(seen) and not _is_admin(after):
        other = await accounts.find_other_admin(shop.db, user_id)
        if other is None:
            raise LastAdmin()
        # Two admins who remove each other at once must not both succeed.
        batch.add(accounts.save_user(other, seen=other))
    if not after.is_active:
        batch.add(*accounts.end_sessions(seen, at))
    await shop.db.commit(batch)
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def change_standing(
    shop: Shop, store_id: int, standing: Standing, reason: str | None, actor: Actor
) -> Store:
    """Approve a store (it opens), reject or suspend it (it closes); its people are told.

    Raises:
        StoreNotFound.
    """
    at = shop.clock.now()
    seen = await stores.get_store(shop.db, store_id)
    if seen.standing == standing and seen.standing_reason == reason:
        return seen
    after = msgspec.structs.replace(
        seen,
        standing=standing,
        standing_reason=reason,
        is_active=standing == "approved",
        updated_at=at,
    )
    await shop.db.commit(
        Batch(
            stores.save_store(after, seen=seen),
            stores.move_version(store_id),
            outbox.publish("store.standing_changed", str(store_id), at, store_id=store_id),
            audit.record(
                actor,
                f"store.{standing}",
                store_id,
                at,
                store_id=store_id,
                reason=reason,
                **audit.difference(seen, after),
            ),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


async def act_as(
    shop: Shop, tokens: AccessTokens, user_id: int, reason: str, device: Device, admin: User
) -> Acting:
    """A session as somebody else, for `ACTING`. The reason stands in the trail of the person's
    stores, every line written meanwhile names the admin, and the person gets a mail.

    Raises:
        NotFound.
        Forbidden: the person is an admin, or locked.
    """
    at = shop.clock.now()
    user = await accounts.get_user(shop.db, user_id)
    if user.role == "admin" or not user.is_active:
        raise Forbidden()
    session, _ = new_session(shop, user, device, at)
    session = msgspec.structs.replace(session, expires_at=at + ACTING, admin_id=admin.id)
    actor = device.actor(f"user:{admin.id}")
    store_ids = await accounts.list_stores_of(shop.db, user.id)
    await shop.db.commit(
        Batch(
            accounts.insert_session(session),
            outbox.publish("user.acted_for", str(user.id), at, reason=reason),
            *(
                audit.record(actor, "admin.acts_as", user.id, at, store_id=one, reason=reason)
                for one in (*store_ids, None)
            ),
        )
    )
    token = tokens.issue(user.id, session.id, at, ACTING)
    return Acting(user, token, int(ACTING.total_seconds()))


def _is_admin(user: User) -> bool:
    return user.role == "admin" and user.is_active

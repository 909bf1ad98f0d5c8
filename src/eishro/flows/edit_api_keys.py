"""Make and revoke a store's API keys."""

from datetime import datetime

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.accounts import api_keys
from eishro.domain.accounts.api_keys import KEYS_MAX, ApiKey
from eishro.domain.accounts.model import Caller, hash_token
from eishro.errors import Conflict, Forbidden, Words
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id


class NewKey(msgspec.Struct, frozen=True):
    """A key and its secret, which is shown once."""

    key: ApiKey
    secret: str


async def create_key(
    shop: Shop,
    store_id: int,
    caller: Caller,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    actor: Actor,
    once: Once,
) -> NewKey:
    """A new key; it may do no more than who makes it.

    Raises:
        Forbidden: a scope is beyond the caller's own rights.
        Conflict: too many keys; idempotency.AlreadyClaimed.
    """
    if caller.user_id is None or not all(caller.may(scope, store_id) for scope in scopes):
        raise Forbidden()
    if len(await api_keys.list_keys(shop.db, store_id)) >= KEYS_MAX:
        raise Conflict(Words("The store has too many keys.", "عدد مفاتيح المتجر كبير جدا."))
    at = shop.clock.now()
    key_id = text_id("key", at)
    secret = api_keys.new_secret(key_id)
    key = ApiKey(
        id=key_id,
        store_id=store_id,
        name=name,
        secret_hash=hash_token(secret),
        scopes=msgspec.Raw(msgspec.json.encode(scopes)),
        created_by=caller.user_id,
        created_at=at,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    made = NewKey(key, secret)
    await shop.db.commit(
        Batch(*once.claim(made)).add(
            api_keys.insert_key(key),
            audit.record(
                actor, "api_key.created", key.id, at, store_id=store_id, name=name, scopes=scopes
            ),
        )
    )
    return made


@again_if_stale
async def revoke_key(shop: Shop, store_id: int, key_id: str, actor: Actor) -> None:
    """End the key, at once.

    Raises:
        KeyNotFound: no live key of this store.
    """
    at = shop.clock.now()
    await shop.db.commit(
        Batch(
            api_keys.revoke_key(store_id, key_id, at),
            audit.record(actor, "api_key.revoked", key_id, at, store_id=store_id),
        )
    )

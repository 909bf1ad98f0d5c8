"""Join orders placed as a guest to the account that has proven their telephone or e-mail.

The proof is read, then guarded in the batch that joins: a telephone that somebody else proves at
this moment, or an address that changes, joins nothing.
"""

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import User
from eishro.domain.customers import sql as customers
from eishro.domain.orders import owners
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.flows.shop import Shop, again_if_stale

AT_ONCE = 100
ROUNDS_MAX = 20  # a second call goes on where this one stopped


async def claim_guest_orders(shop: Shop, user_id: int, actor: Actor | None = None) -> int:
    """Join what is proven to be the account's; how many orders joined.

    Args:
        actor: who asks; by default the account itself.
    """
    actor = actor or Actor(name=f"user:{user_id}")
    joined = 0
    for _ in range(ROUNDS_MAX):
        some = await _claim_some(shop, user_id, actor)
        joined += some
        if some < AT_ONCE:
            break
    return joined


@again_if_stale
async def _claim_some(shop: Shop, user_id: int, actor: Actor) -> int:
    user = await accounts.find_user(shop.db, user_id)
    if user is None or not user.is_active:
        return 0
    if user.email_verified_at is not None:
        found = await owners.list_guest_orders_by_email(shop.db, user.email, AT_ONCE)
        if found:
            return await _join(shop, found, user, accounts.still(user), "email", actor)
    for proven in await customers.list_phones(shop.db, user_id):
        found = await owners.list_guest_orders_by_phone(shop.db, proven.phone, AT_ONCE)
        if found:
            guard = customers.still_proven(proven.phone, user_id)
            return await _join(shop, found, user, guard, "phone", actor)
    return 0


async def _join(
    shop: Shop, found: list[Order], user: User, guard: Statement, proof: str, actor: Actor
) -> int:
    at = shop.clock.now()
    batch = Batch(guard)
    for order in found:
        after = msgspec.structs.replace(order, customer_user_id=user.id, updated_at=at)
        batch.add(
            orders.save_order(after, seen=order),
            orders.note_history(after, "order.joined", actor.name, at),
            outbox.publish("order.joined", order.id, at, store_id=order.store_id),
            audit.record(
                actor, "order.joined", order.id, at, store_id=order.store_id, user=user.id, by=proof
            ),
        )
    await shop.db.commit(batch)
    return len(found)

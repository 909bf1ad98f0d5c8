"""Settle suspense: give stranded money somebody who looks after it, and then a place.

It pays another order, or goes back to whoever sent it.
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import MemberNotFound
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.commission import commission_entries
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import OrderNotFound
from eishro.domain.suspense import sql as suspense
from eishro.domain.suspense.model import SuspenseDoesNotFit, SuspenseItem
from eishro.flows import parcels
from eishro.flows.pay_order import closing_attempts, paying
from eishro.flows.refund_order import open_suspense_refund
from eishro.flows.shop import NotOnce, Shop, again_if_stale


@again_if_stale
async def assign_item(
    shop: Shop, store_id: int, item_id: str, user_id: int | None, actor: Actor
) -> SuspenseItem:
    """Name who looks after it: one of the store's people, an admin, or (None) the platform.

    Raises:
        SuspenseNotFound, SuspenseResolved, MemberNotFound.
    """
    at = shop.clock.now()
    seen = await suspense.get_item(shop.db, store_id, item_id)
    after = seen.assign(user_id)
    if user_id is not None:
        members = {m.user_id for m in await accounts.list_members(shop.db, store_id)}
        user = await accounts.find_user(shop.db, user_id)
        if user is None or (user_id not in members and user.role != "admin"):
            raise MemberNotFound()
    await shop.db.commit(
        Batch(
            suspense.save_item(after, seen=seen),
            audit.record(
                actor,
                "suspense.assigned",
                seen.id,
                at,
                store_id=store_id,
                **audit.difference(seen, after),
            ),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def apply_to_order(
    shop: Shop, store_id: int, item_id: str, order_id: str, actor: Actor
) -> SuspenseItem:
    """Pay another order of the store with the money, if that is what it waits for to the dirham.

    The same again is a success that changes nothing.

    Raises:
        SuspenseNotFound, SuspenseResolved, OrderNotFound, SuspenseDoesNotFit.
    """
    at = shop.clock.now()
    seen = await suspense.get_item(shop.db, store_id, item_id)
    if (seen.resolution, seen.resolved_order_id) == ("apply_to_order", order_id):
        return seen
    seen.must_wait()
    batch = Batch()
    try:
        await _apply(shop, batch, seen, order_id, actor, at)
    except SuspenseDoesNotFit:
        # Maybe it was paid by this very money a moment ago.
        now = await suspense.get_item(shop.db, store_id, item_id)
        if (now.resolution, now.resolved_order_id) == ("apply_to_order", order_id):
            return now
        raise
    after = seen.resolve("apply_to_order", actor.name, at, order_id)
    await shop.db.commit(
        batch.add(
            suspense.save_item(after, seen=seen),
            audit.record(
                actor,
                "suspense.resolved",
                seen.id,
                at,
                store_id=store_id,
                resolution=after.resolution,
                order=order_id,
                dirhams=seen.amount_dirhams,
            ),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


async def give_back(
    shop: Shop, store_id: int, item_id: str, reason: str, actor: Actor
) -> SuspenseItem:
    """Refund the money to whoever sent it. The same again is a success that changes nothing.

    Raises:
        SuspenseNotFound, SuspenseResolved.
    """
    seen = await suspense.get_item(shop.db, store_id, item_id)
    if seen.resolution == "refund":
        return seen
    seen.must_wait()
    key = (seen.terminal, seen.provider_reference)
    await open_suspense_refund(shop, seen.payment_id, key, reason, actor, NotOnce())
    return await suspense.get_item(shop.db, store_id, item_id)


async def _apply(
    shop: Shop, batch: Batch, item: SuspenseItem, order_id: str, actor: Actor, at: datetime
) -> None:
    order = await orders.get_order(shop.db, order_id)
    if order.store_id != item.store_id:
        raise OrderNotFound()
    is_exact = (item.currency, item.amount_dirhams) == ("LYD", order.total_dirhams)
    if not (is_exact and order.is_payable and await parcels.owes_all(shop, order)):
        raise SuspenseDoesNotFit()
    batch.add(
        ledger.post(
            item.store_id,
            "suspense.applied",
            at,
            {
                "suspense": item.amount_dirhams,
                "receivable": -item.amount_dirhams,
                **commission_entries(item.amount_dirhams, order.commission_bp),
            },
            order_id=order.id,
            payment_id=item.payment_id,
        ),
        outbox.publish("order.paid", order.id, at, store_id=order.store_id),
        *paying(order, at, actor),
        *await closing_attempts(shop, order, at),
    )

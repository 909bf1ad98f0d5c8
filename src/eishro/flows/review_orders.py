"""Decide about orders that were held: they go on, or they are cancelled as any other order is.

The decision and the order change in one batch, each guarded by its version, so of two people who
decide at once one is told that the other has.
"""

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.orders import sql as orders
from eishro.domain.risk import sql as risk
from eishro.domain.risk.model import DEFAULT_RULES, NO_RULES, Review, RiskRules
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.flows.change_order import reject_order
from eishro.flows.shop import Shop, again_if_stale


@again_if_stale
async def approve_review(
    shop: Shop, store_id: int, review_id: str, reason: str | None, actor: Actor
) -> Review:
    """Let the order go on; one that is paid confirms itself now. Again it changes nothing.

    Raises:
        ReviewNotFound, ReviewDecided
    """
    seen = await risk.get_review(shop.db, store_id, review_id)
    if seen.state == "approved":
        return seen
    at = shop.clock.now()
    after = seen.decide("approved", actor.name, reason, at)
    order = await orders.get_order(shop.db, seen.order_id)
    released = order.release(at)
    batch = Batch(risk.save_review(after, seen=seen), orders.save_order(released, seen=order))
    if released.status != order.status:
        batch.add(
            orders.note_history(released, "order.confirmed", actor.name, at),
            outbox.publish("order.confirmed", order.id, at, store_id=store_id),
        )
    batch.add(
        outbox.publish("order.approved", order.id, at, store_id=store_id),
        audit.record(
            actor, "order.approved", order.id, at,
            store_id=store_id, review=seen.id, before=order.status,
        ),
    )  # fmt: skip
    await shop.db.commit(batch)
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def reject_review(
    shop: Shop, store_id: int, review_id: str, reason: str, actor: Actor
) -> Review:
    """Cancel the order: its pieces are free again, money that came is due for refund. Again it
    changes nothing.

    Raises:
        ReviewNotFound, ReviewDecided
        InvalidTransition, PartlyShipped: it has left already.
    """
    seen = await risk.get_review(shop.db, store_id, review_id)
    if seen.state == "rejected":
        return seen
    at = shop.clock.now()
    after = seen.decide("rejected", actor.name, reason, at)
    order = await orders.get_order(shop.db, seen.order_id)
    decided = (
        risk.save_review(after, seen=seen),
        outbox.publish("order.rejected", order.id, at, store_id=store_id),
        audit.record(
            actor, "order.rejected", order.id, at,
            store_id=store_id, review=seen.id, before=order.status,
        ),
    )  # fmt: skip
    await reject_order(shop, order, actor, decided)
    return msgspec.structs.replace(after, version=seen.version + 1)


def rules_of(shop: Shop, store: Store) -> RiskRules:
    """The rules that the store has set, or else those of the installation."""
    if store.risk_rules is None:
        return DEFAULT_RULES if shop.rules.risk_by_default else NO_RULES
    return msgspec.json.decode(store.risk_rules, type=RiskRules)


@again_if_stale
async def set_risk_rules(
    shop: Shop, store_id: int, change: dict[str, int | None], actor: Actor
) -> RiskRules:
    """Change these members of the store's rules; the others stay.

    Raises:
        Invalid: rules that do not fit together.
    """
    seen = await stores.get_store(shop.db, store_id)
    before = rules_of(shop, seen)
    rules = msgspec.structs.replace(before, **change)
    rules.check()
    at = shop.clock.now()
    kept = msgspec.structs.replace(
        seen, risk_rules=msgspec.Raw(msgspec.json.encode(rules)), updated_at=at
    )
    # Orders that were judged by the rules as they were are refused by the store's version.
    await shop.db.commit(
        Batch(
            stores.save_store(kept, seen=seen),
            audit.record(
                actor, "store.risk_rules_set", store_id, at,
                store_id=store_id, **audit.difference(before, rules),
            ),
        )
    )  # fmt: skip
    return rules

"""Decide a case of cash on delivery: an amount that was not the expected one.

Accepting takes it for the expected one; what is missing, or too much, is booked as `cod_short`.
Of cash that is late nothing came, so accepting that writes all of it off.
Dismissing books nothing: somebody erred, and the right amount is told anew.
"""

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.orders import sql as orders
from eishro.domain.shipping import cod, cod_sql
from eishro.domain.shipping.cod import Case, CaseClosed, Collection, Resolution
from eishro.flows import collect_cash, parcels
from eishro.flows.parcels import Load
from eishro.flows.pay_order import closing_attempts
from eishro.flows.shop import Once, Shop, again_if_stale


@again_if_stale
async def resolve_case(
    shop: Shop,
    store_id: int,
    case_id: str,
    resolution: Resolution,
    note: str | None,
    actor: Actor,
    once: Once,
) -> Case:
    """Close the case; the same decision again changes nothing.

    Raises:
        CaseNotFound
        CaseClosed: it was decided otherwise, or its cash was booked meanwhile.
    """
    before = await cod_sql.get_case(shop.db, store_id, case_id)
    if before.state == "resolved":
        if before.resolution == resolution:
            return before
        raise CaseClosed()
    at = shop.clock.now()
    after = cod.closed(before, resolution, actor.name, note, at)
    batch = Batch(*once.claim(after), cod_sql.save_case(after, seen=before))
    if resolution == "accept":
        order = await orders.get_order(shop.db, before.order_id)
        load = await parcels.read_load(shop, order)
        if before.stage == "collection":
            batch.add(*_collect(load, after, actor), *await closing_attempts(shop, order, at))
        else:
            batch.add(*_remit(load, after))
    batch.add(
        audit.record(
            actor,
            "cod.case_resolved",
            case_id,
            at,
            store_id=store_id,
            resolution=resolution,
            dirhams=before.amount_dirhams,
        )
    )
    await shop.db.commit(batch)
    return after


def _collect(load: Load, case: Case, actor: Actor) -> list[Statement]:
    """The courier's cash pays what was due for the parcels the case is about."""
    at = case.resolved_at or case.created_at
    found = [s for s in load.shipments if s.id == case.shipment_id]
    due = found[0].cod_dirhams if found else load.due_dirhams
    is_open = load.order.is_payable and due == case.expected_dirhams <= load.due_dirhams
    if not is_open or any(load.is_collected(s) or not s.may_collect for s in found):
        raise CaseClosed()
    made = collect_cash.new_collection(
        load.order,
        found[0] if found else None,
        carrier=case.carrier,
        amounts=(case.expected_dirhams, case.amount_dirhams),
        collected_at=case.happened_at,
        at=at,
    )
    after = collect_cash.order_after(load, (made,), at)
    return collect_cash.booked(load, after, (made,), actor, at)


def _remit(load: Load, case: Case) -> list[Statement]:
    """The courier's cash counts as all it had for the parcel."""
    before = next((c for c in load.collections if c.id == case.collection_id), None)
    if (
        before is None
        or before.state != "collected"
        or before.amount_dirhams != case.expected_dirhams
    ):
        raise CaseClosed()
    at = case.resolved_at or case.created_at
    short = case.expected_dirhams - case.amount_dirhams
    after: Collection = msgspec.structs.replace(
        before,
        state="short" if short > 0 else "remitted",
        fee_dirhams=case.fee_dirhams,
        short_dirhams=short,
        remitted_at=at,
        remittance_id=case.remittance_id,
    )
    entries = cod.accepted(case)
    return [
        cod_sql.save_collection(after, seen=before),
        ledger.post(case.store_id, "cod.remitted", at, entries, order_id=case.order_id),
    ]

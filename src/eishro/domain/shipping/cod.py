"""Cash on delivery as values: what couriers collected, handed over, and what is in dispute.

    pending_collection -> collected -> remitted   (or short: handed over with less, by decision)
            |
            +-> refused (on its way back) -> failed (came back, was lost or cancelled)

Delivered is not paid: cash is in the courier's hands (`courier:<carrier>` in the ledger) until a
remittance brings it. Another amount than expected is never booked by itself, but opens a case.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from eishro.domain.shipping.shipments import Shipment
from eishro.errors import Conflict, NotFound, Words

CollectionState = Literal["collected", "remitted", "short"]
State = Literal["none", "pending_collection", "collected", "remitted", "short", "refused", "failed"]
CaseKind = Literal["short", "over", "partial", "late", "refused"]
CaseStage = Literal["collection", "remittance"]
Resolution = Literal["accept", "dismiss"]
Outcome = Literal[
    "matched",
    "unknown_tracking",
    "amount_differs",
    "duplicate_row",
    "already_remitted",
    "not_collected",
    "order_cancelled",
]


class Collection(msgspec.Struct, frozen=True):
    """Cash a courier took: `expected_dirhams` of what buyers owed, `amount_dirhams` of cash.
    `fee_dirhams` and `short_dirhams` are what the courier kept and what is missing when it came.
    """

    id: str
    store_id: int
    order_id: str
    shipment_id: str | None
    carrier: str
    state: CollectionState
    expected_dirhams: int
    amount_dirhams: int
    fee_dirhams: int
    short_dirhams: int
    collected_at: datetime
    remitted_at: datetime | None
    remittance_id: str | None
    version: int


class Case(msgspec.Struct, frozen=True):
    """An amount that is not the expected one, until somebody decides what becomes of it."""

    id: str
    store_id: int
    order_id: str
    shipment_id: str | None
    collection_id: str | None
    remittance_id: str | None
    carrier: str
    kind: CaseKind
    stage: CaseStage
    state: Literal["open", "resolved"]
    expected_dirhams: int
    amount_dirhams: int
    fee_dirhams: int
    happened_at: datetime
    resolution: Resolution | None
    note: str | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    version: int


class Remittance(msgspec.Struct, frozen=True):
    """One imported file of a courier. `counts` is a JSON object: rows by outcome."""

    id: str
    store_id: int
    carrier: str
    file_name: str
    file_hash: str
    rows_total: int
    counts: msgspec.Raw
    amount_dirhams: int
    fee_dirhams: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int


class RemittanceRow(msgspec.Struct, frozen=True):
    """One row of the file and what became of it; `number` counts as in the file, from 1."""

    remittance_id: str
    number: int
    store_id: int
    tracking_number: str
    amount_dirhams: int
    fee_dirhams: int
    paid_on: str | None
    outcome: Outcome
    expected_dirhams: int | None
    shipment_id: str | None


class NothingToCollect(Conflict):
    """No courier has to bring cash for this order now."""

    code = "COD_NOT_EXPECTED"
    words = Words(
        "No cash is to be collected for this order now.",
        "لا يوجد مبلغ مطلوب تحصيله لهذا الطلب الآن.",
    )


class AlreadyCollected(Conflict):
    """The cash of this order was collected before."""

    code = "COD_ALREADY_COLLECTED"
    words = Words(
        "The cash of this order was collected already.", "تم تحصيل مبلغ هذا الطلب من قبل."
    )


class CaseClosed(Conflict):
    """The case is resolved, or what it is about has changed."""

    code = "COD_CASE_CLOSED"
    words = Words(
        "This case is resolved, or its order was settled otherwise.",
        "هذه الحالة محلولة، أو تمت تسوية طلبها بطريقة أخرى.",
    )


class CaseNotFound(NotFound):
    """No such case in this store."""

    words = Words("There is no such case.", "لا توجد حالة بهذا الرقم.")


class RemittanceNotFound(NotFound):
    """No such import in this store."""

    words = Words("There is no such remittance.", "لا توجد حوالة بهذا الرقم.")


def state_of(shipment: Shipment, collections: Sequence[Collection]) -> State:
    """How far the cash of a parcel is; a collection without a parcel is the whole order's."""
    for collection in collections:
        if collection.shipment_id == shipment.id:
            return collection.state
    if not shipment.cod_dirhams:
        return "none"
    for collection in collections:
        if collection.shipment_id is None:
            return collection.state
    if shipment.status in ("returned", "cancelled", "lost"):
        return "failed"
    return "refused" if shipment.status == "returning" else "pending_collection"


def kind_of(amount_dirhams: int, expected_dirhams: int, stage: CaseStage) -> CaseKind:
    """What is wrong with an amount that is not the expected one."""
    if amount_dirhams > expected_dirhams:
        return "over"
    if amount_dirhams == 0 and stage == "collection":
        return "refused"
    return "partial" if stage == "collection" else "short"


def closed(case: Case, resolution: Resolution, by: str, note: str | None, at: datetime) -> Case:
    """The case decided."""
    return msgspec.structs.replace(
        case,
        state="resolved",
        resolution=resolution,
        note=note,
        resolved_at=at,
        resolved_by=by,
        version=case.version + 1,
    )


def accepted(case: Case) -> dict[str, int]:
    """What the books say when people take a case's amount for the expected one."""
    if case.stage == "collection":
        return collected(case.carrier, case.amount_dirhams, case.expected_dirhams)
    return remitted(case.carrier, case.expected_dirhams, case.amount_dirhams, case.fee_dirhams)


def collected(carrier: str, amount_dirhams: int, expected_dirhams: int) -> dict[str, int]:
    """Cash went from the buyer to the courier."""
    return {
        f"courier:{carrier}": amount_dirhams,
        "receivable": -expected_dirhams,
        "cod_short": expected_dirhams - amount_dirhams,
    }


def remitted(
    carrier: str, held_dirhams: int, amount_dirhams: int, fee_dirhams: int
) -> dict[str, int]:
    """Cash went from the courier to the merchant: `amount_dirhams` of it, less the fee kept."""
    return {
        f"courier:{carrier}": -held_dirhams,
        "cash": amount_dirhams - fee_dirhams,
        "courier_fees": fee_dirhams,
        "cod_short": held_dirhams - amount_dirhams,
    }

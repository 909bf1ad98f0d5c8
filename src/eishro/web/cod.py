"""Cash on delivery: what couriers collected and still have, and what is in dispute. What they hand
over is in `remittances.py`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from eishro.domain.orders.model import PaymentStatus
from eishro.domain.shipping import cod_sql
from eishro.domain.shipping.cod import (
    Case,
    CaseKind,
    CaseStage,
    Collection,
    CollectionState,
    Resolution,
)
from eishro.errors import Words
from eishro.flows.collect_cash import Cash, Counted, record_collection
from eishro.flows.resolve_cash import resolve_case
from eishro.web.routes import Call, Page, Reply
from eishro.web.shipments import CarrierName
from eishro.web.wire import Dinars, Instant, Note, dinars

ShipmentId = Annotated[str, Meta(pattern=r"^shp_[0-9a-z]{26}$")]


class CollectBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a courier says it took; without `shipmentId` for all that is still due."""

    amount: Dinars
    courier: CarrierName | None = None
    collected_at: Instant | None = None
    shipment_id: ShipmentId | None = None


class CaseBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """`accept` takes the amount for the expected one, `dismiss` books nothing."""

    resolution: Resolution
    note: Note | None = None


class CaseQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which cases."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    state: Literal["open", "resolved"] | None = None


class CollectionView(msgspec.Struct, frozen=True, rename="camel"):
    """Cash a courier took."""

    id: str
    order_id: str
    shipment_id: str | None
    courier: str
    state: CollectionState
    amount: Decimal
    expected: Decimal
    fee: Decimal
    short: Decimal
    collected_at: datetime
    remitted_at: datetime | None


class CaseView(msgspec.Struct, frozen=True, rename="camel"):
    """An amount that was not the expected one, and what was decided."""

    id: str
    order_id: str
    shipment_id: str | None
    remittance_id: str | None
    courier: str
    kind: CaseKind
    stage: CaseStage
    state: Literal["open", "resolved"]
    expected: Decimal
    amount: Decimal
    fee: Decimal
    resolution: Resolution | None
    note: str | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


class CollectedView(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the cash: booked, or kept for people as a case."""

    order_id: str
    state: Literal["collected", "disputed"]
    payment_status: PaymentStatus
    collections: list[CollectionView]
    case: CaseView | None


class TillView(msgspec.Struct, frozen=True, rename="camel"):
    """One courier's cash."""

    courier: str
    collected: Decimal
    remitted: Decimal
    outstanding: Decimal
    late: Decimal
    late_count: int


class CodView(msgspec.Struct, frozen=True, rename="camel"):
    """The store's cash in couriers' hands; `late` lists the oldest first, at most 100."""

    couriers: list[TillView]
    late: list[CollectionView]
    late_days: int


async def collect(call: Call, body: CollectBody) -> Reply:
    """A courier has taken the order's cash, or another amount, which people look at."""
    cash = Cash(
        amount_dirhams=body.amount.dirhams,
        shipment_id=body.shipment_id,
        courier=body.courier.key if body.courier else None,
        collected_at=body.collected_at.at if body.collected_at else None,
    )

    def view(counted: Counted) -> Reply:
        if counted.case is None:
            return Reply(_counted_view(counted))
        words = Words(
            "The amount differs; the case is kept for a decision.",
            "المبلغ مختلف؛ تم حفظ الحالة لاتخاذ قرار.",
        )
        return Reply(_counted_view(counted), message=words)

    once = call.once(view)
    order_id = call.params["order_id"]
    return once.reply(await record_collection(call.shop, order_id, cash, call.actor, once))


def _counted_view(counted: Counted) -> CollectedView:
    return CollectedView(
        order_id=counted.order.id,
        state=counted.state,
        payment_status=counted.order.payment_status,
        collections=[_collection_view(c) for c in counted.collections],
        case=None if counted.case is None else case_view(counted.case),
    )


async def overview(call: Call) -> Reply:
    """What each courier collected, handed over and still has."""
    late = call.shop.clock.now() - call.shop.rules.cod_late
    tills = await cod_sql.list_tills(call.shop.db, call.store, late)
    shown = [
        TillView(
            till.carrier,
            dinars(till.collected_dirhams),
            dinars(till.remitted_dirhams),
            dinars(till.outstanding_dirhams),
            dinars(till.late_dirhams),
            till.late_count,
        )
        for till in tills
    ]
    listed = await cod_sql.list_late(call.shop.db, call.store, late)
    days = call.shop.rules.cod_late.days
    return Reply(CodView(shown, [_collection_view(c) for c in listed], days))


async def list_cases(call: Call, query: CaseQuery) -> Reply:
    """Amounts that were not the expected ones, newest first."""
    offset = (query.page - 1) * query.limit
    found = await cod_sql.list_cases(call.shop.db, call.store, query.state, query.limit, offset)
    total = await cod_sql.count_cases(call.shop.db, call.store, query.state)
    return Reply([case_view(c) for c in found], page=Page(query.page, query.limit, total))


async def resolve(call: Call, body: CaseBody) -> Reply:
    """Decide a case."""
    once = call.once(lambda case: Reply(case_view(case)))
    case = await resolve_case(
        call.shop,
        call.store,
        call.params["case_id"],
        body.resolution,
        body.note,
        call.actor,
        once,
    )
    return once.reply(case)


def _collection_view(collection: Collection) -> CollectionView:
    return CollectionView(
        id=collection.id,
        order_id=collection.order_id,
        shipment_id=collection.shipment_id,
        courier=collection.carrier,
        state=collection.state,
        amount=dinars(collection.amount_dirhams),
        expected=dinars(collection.expected_dirhams),
        fee=dinars(collection.fee_dirhams),
        short=dinars(collection.short_dirhams),
        collected_at=collection.collected_at,
        remitted_at=collection.remitted_at,
    )


def case_view(case: Case) -> CaseView:
    """The case as the API shows it."""
    return CaseView(
        id=case.id,
        order_id=case.order_id,
        shipment_id=case.shipment_id,
        remittance_id=case.remittance_id,
        courier=case.carrier,
        kind=case.kind,
        stage=case.stage,
        state=case.state,
        expected=dinars(case.expected_dirhams),
        amount=dinars(case.amount_dirhams),
        fee=dinars(case.fee_dirhams),
        resolution=case.resolution,
        note=case.note,
        created_at=case.created_at,
        resolved_at=case.resolved_at,
        resolved_by=case.resolved_by,
    )

"""Money that waits to be placed."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from eishro.domain.suspense import sql as suspense
from eishro.domain.suspense.model import SuspenseItem
from eishro.errors import Invalid, Words
from eishro.flows import settle_suspense
from eishro.web.books import OrderId
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import IntegerId, Note, dinars


class SuspenseQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page; `all` shows what has been placed, too."""

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    show: Literal["waiting", "all"] = "waiting"


class AdminSuspenseQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page of what waits in every store."""

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class AssignBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Who looks after it: one of the store's people, an admin, or null for the platform."""

    user_id: IntegerId | None


class PlaceMoneyBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where the money goes: `apply` pays `orderId` with it, `refund` gives it back."""

    action: Literal["apply", "refund"]
    order_id: OrderId | None = None
    reason: Note | None = None


class ProposalView(msgspec.Struct, frozen=True, rename="camel"):
    """What to do with the money, as `resolve` takes it, and why."""

    action: Literal["apply", "refund"]
    reason: str


class SuspenseView(msgspec.Struct, frozen=True, rename="camel"):
    """Money of one receipt; `orderId` is the order whose payment brought it."""

    id: str
    store_id: int
    payment_id: str
    order_id: str
    provider: str
    provider_reference: str
    amount: Decimal
    currency: str
    reason: str
    status: str
    owner: str
    due_at: datetime
    is_overdue: bool
    opened_at: datetime
    resolution: str | None
    resolved_order_id: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    proposal: ProposalView | None


async def list_of_store(call: Call, query: SuspenseQuery) -> Reply:
    """What waits in the store, by deadline."""
    found, total = await suspense.list_items(
        call.shop.db,
        call.store,
        query.limit,
        (query.page - 1) * query.limit,
        waiting=query.show == "waiting",
    )
    return Reply([_view(call, one) for one in found], page=Page(query.page, query.limit, total))


async def list_all(call: Call, query: AdminSuspenseQuery) -> Reply:
    """What waits anywhere, overdue first."""
    found, total = await suspense.list_waiting(
        call.shop.db, query.limit, (query.page - 1) * query.limit
    )
    return Reply([_view(call, one) for one in found], page=Page(query.page, query.limit, total))


async def assign(call: Call, body: AssignBody) -> Reply:
    """Name who looks after it."""
    await _refuse_stale(call)
    item = await settle_suspense.assign_item(
        call.shop, call.store, call.params["suspense_id"], body.user_id, call.actor
    )
    return Reply(_view(call, item))


async def resolve(call: Call, body: PlaceMoneyBody) -> Reply:
    """Give the money its place; the same again changes nothing."""
    await _refuse_stale(call)
    where = (call.shop, call.store, call.params["suspense_id"])
    if body.action == "refund":
        reason = body.reason or "money that no order waits for"
        item = await settle_suspense.give_back(*where, reason, call.actor)
    elif body.order_id is None:
        raise Invalid({"orderId": Words("Name the order to pay.", "اذكر الطلب المراد سداده.")})
    else:
        item = await settle_suspense.apply_to_order(*where, body.order_id, call.actor)
    return Reply(_view(call, item))


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        seen = await suspense.get_item(call.shop.db, call.store, call.params["suspense_id"])
        refuse_stale(call, _view(call, seen))


def _view(call: Call, item: SuspenseItem) -> SuspenseView:
    shown = {
        name: getattr(item, name)
        for name in SuspenseView.__struct_fields__
        if name not in ("amount", "owner", "is_overdue", "proposal")
    }
    is_late = item.status != "resolved" and item.due_at < call.door.clock.now()
    return SuspenseView(
        **shown,
        amount=dinars(item.amount_dirhams),
        owner="platform" if item.assigned_to is None else f"user:{item.assigned_to}",
        is_overdue=is_late,
        proposal=_proposal(call, item),
    )


def _proposal(call: Call, item: SuspenseItem) -> ProposalView | None:
    found = item.proposal
    if found is None:
        return None
    return ProposalView(
        action="refund" if found.action == "refund" else "apply",
        reason=found.why.in_(call.language),
    )

"""What a store looks at in orders, and the queue of those that wait for somebody to look."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.risk import sql as risk
from eishro.domain.risk.model import (
    COUNT_MAX,
    HOURS_MAX,
    Code,
    Effect,
    Finding,
    Review,
    RiskRules,
    State,
    explain,
)
from eishro.domain.stores import sql as stores
from eishro.flows import review_orders
from eishro.web.books import OrderId
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import VISIBLE, Dinars, Note, dinars, optional_dinars

Hours = Annotated[int, Meta(ge=1, le=HOURS_MAX)]
Most = Annotated[int, Meta(ge=1, le=COUNT_MAX)]
Why = Annotated[str, Meta(min_length=3, max_length=500, pattern=VISIBLE)]
_AMOUNTS = ("cod_review_above", "new_buyer_review_above")


class RiskRulesBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Rules to change; null switches one off, what is left out stays. Above so many orders of one
    phone in `phoneHours` an order waits for a review or is refused; so to one address. A card that
    paid for more phones, or a phone with more refused payments before a good one, asks for a
    review, and so do amounts. `refusals…From` counts deliveries that a phone has refused, for
    orders in cash.
    """

    phone_hours: Hours | UnsetType = UNSET
    phone_review_above: Most | None | UnsetType = UNSET
    phone_refuse_above: Most | None | UnsetType = UNSET
    address_hours: Hours | UnsetType = UNSET
    address_review_above: Most | None | UnsetType = UNSET
    card_hours: Hours | UnsetType = UNSET
    card_review_above: Most | None | UnsetType = UNSET
    declines_hours: Hours | UnsetType = UNSET
    declines_review_above: Most | None | UnsetType = UNSET
    cod_review_above: Dinars | None | UnsetType = UNSET
    new_buyer_review_above: Dinars | None | UnsetType = UNSET
    refusals_review_from: Most | None | UnsetType = UNSET
    refusals_refuse_from: Most | None | UnsetType = UNSET

    def change(self) -> dict[str, int | None]:
        """The members that were sent, as the store keeps them."""
        sent: dict[str, int | None] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is UNSET:
                continue
            if name in _AMOUNTS:
                sent[f"{name}_dirhams"] = value.dirhams if value else None
            else:
                sent[name] = value
        return sent


class RiskRulesView(msgspec.Struct, frozen=True, rename="camel"):
    """The rules that the store's orders meet. Where `countsWindows` is false the installation has
    its limits off, and nothing is counted by phone, address or card.
    """

    phone_hours: int
    phone_review_above: int | None
    phone_refuse_above: int | None
    address_hours: int
    address_review_above: int | None
    card_hours: int
    card_review_above: int | None
    declines_hours: int
    declines_review_above: int | None
    cod_review_above: Decimal | None
    new_buyer_review_above: Decimal | None
    refusals_review_from: int | None
    refusals_refuse_from: int | None
    counts_windows: bool


class FindingView(msgspec.Struct, frozen=True, rename="camel"):
    """What a rule found: `message` says it in a sentence, `facts` are its numbers."""

    code: Code
    effect: Effect
    message: str
    facts: Mapping[str, Decimal]


class ReviewView(msgspec.Struct, frozen=True, rename="camel"):
    """An order that somebody should look at; `paymentId` is the payment that brought it to light.
    `closed` it is where its order was cancelled or expired meanwhile.
    """

    id: str
    order_id: str
    payment_id: str | None
    state: State
    findings: list[FindingView]
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


class OrderReviewQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which reviews of the store, and which page of them."""

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    state: State | None = None
    order_id: OrderId | None = None


class ApproveOrderBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why it may go on."""

    reason: Note | None = None


class RejectOrderBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why it may not; the buyer is not told."""

    reason: Why


async def read_rules(call: Call) -> Reply:
    """The rules that the store's orders meet."""
    return Reply(await _rules(call))


async def change_rules(call: Call, body: RiskRulesBody) -> Reply:
    """Change some of them."""
    if has_condition(call):
        refuse_stale(call, await _rules(call))
    rules = await review_orders.set_risk_rules(call.shop, call.store, body.change(), call.actor)
    return Reply(_rules_view(call, rules))


async def list_reviews(call: Call, query: OrderReviewQuery) -> Reply:
    """The store's reviews, newest first."""
    found, total = await risk.list_reviews(
        call.shop.db,
        call.store,
        query.state,
        query.order_id,
        query.limit,
        (query.page - 1) * query.limit,
    )
    shown = [_view(call, review) for review in found]
    return Reply(shown, page=Page(query.page, query.limit, total))


async def read_review(call: Call) -> Reply:
    """One review with everything that was found."""
    review = await risk.get_review(call.shop.db, call.store, call.params["review_id"])
    return Reply(_view(call, review))


async def approve(call: Call, body: ApproveOrderBody) -> Reply:
    """The order goes on; the same again changes nothing."""
    await _refuse_stale(call)
    where = (call.shop, call.store, call.params["review_id"])
    return Reply(_view(call, await review_orders.approve_review(*where, body.reason, call.actor)))


async def reject(call: Call, body: RejectOrderBody) -> Reply:
    """The order is cancelled; the same again changes nothing."""
    await _refuse_stale(call)
    where = (call.shop, call.store, call.params["review_id"])
    return Reply(_view(call, await review_orders.reject_review(*where, body.reason, call.actor)))


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        seen = await risk.get_review(call.shop.db, call.store, call.params["review_id"])
        refuse_stale(call, _view(call, seen))


async def _rules(call: Call) -> RiskRulesView:
    store = await stores.get_store(call.shop.db, call.store)
    return _rules_view(call, review_orders.rules_of(call.shop, store))


def _rules_view(call: Call, rules: RiskRules) -> RiskRulesView:
    shown = {
        name: getattr(rules, name)
        for name in RiskRules.__struct_fields__
        if not name.endswith("_dirhams")
    }
    return RiskRulesView(
        **shown,
        cod_review_above=optional_dinars(rules.cod_review_above_dirhams),
        new_buyer_review_above=optional_dinars(rules.new_buyer_review_above_dirhams),
        counts_windows=call.shop.rules.risk_windows,
    )


def _view(call: Call, review: Review) -> ReviewView:
    shown = {
        name: getattr(review, name) for name in ReviewView.__struct_fields__ if name != "findings"
    }
    return ReviewView(
        **shown, findings=[_finding_view(call, finding) for finding in review.found()]
    )


def _finding_view(call: Call, finding: Finding) -> FindingView:
    facts = {
        name.removesuffix("Dirhams"): dinars(value) if name.endswith("Dirhams") else Decimal(value)
        for name, value in finding.facts.items()
    }
    return FindingView(
        code=finding.code,
        effect=finding.effect,
        message=explain(finding).in_(call.language),
        facts=facts,
    )

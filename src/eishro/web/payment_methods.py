"""Ways to pay: what a store offers, why others are not offered, and how the gateways are."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from eishro.domain.payments.choice import Reason
from eishro.domain.payments.health import Rest, State
from eishro.domain.stores import sql as stores
from eishro.flows.choose_method import Choice, every_method, offered_methods
from eishro.web.products import PriceText, dirhams_of
from eishro.web.routes import Call, Reply
from eishro.web.wire import dinars


class MethodQuery(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be paid, in dinars, and in which currency it is to be settled."""

    amount: PriceText | None = None
    currency: Literal["LYD", "USD"] | None = None


class ReasonView(msgspec.Struct, frozen=True, rename="camel"):
    """`code` is for programs and never changes: `amount_too_small`, `amount_too_large`,
    `amount_step`, `gateway_silent`; to the store's people also `not_chosen`, `no_credentials`,
    `no_account`, `no_rate`.
    """

    code: str
    message: str


class MethodView(msgspec.Struct, frozen=True, rename="camel"):
    """A way to pay that the store offers. It carries dinars from `least` to `most` in steps of
    `step`, to the dirham; where it does not do now, `unavailable` says why.
    """

    method: str
    kind: str
    name: str
    name_en: str
    currency: str
    asks: tuple[str, ...]
    least: Decimal
    most: Decimal
    step: Decimal
    is_available: bool
    unavailable: ReasonView | None


class ExplainedMethodView(msgspec.Struct, frozen=True, rename="camel"):
    """A way to pay that the platform knows, and everything that speaks against it now."""

    method: str
    kind: str
    name: str
    name_en: str
    currency: str
    provider: str | None
    is_offered: bool
    is_available: bool
    reasons: tuple[ReasonView, ...]


class GatewayHealthView(msgspec.Struct, frozen=True, rename="camel"):
    """An account at a gateway: the platform's, or that of a store's credentials. `state` is
    `closed` (payments may begin), `open` (they are held back until `retryAt`) or `half_open` (one
    may try).
    """

    provider: str
    credentials_id: str | None
    state: State
    silent_since: datetime | None
    retry_at: datetime | None


async def list_methods(call: Call, query: MethodQuery) -> Reply:
    """What the store offers; what does not do now is marked, not left out."""
    store = await stores.get_store(call.shop.db, call.store)
    choices = await offered_methods(call.shop, store, dirhams_of(query.amount))
    return Reply([_view(call, choice) for choice in choices if _is_in(choice, query)])


async def explain_methods(call: Call, query: MethodQuery) -> Reply:
    """Everything the platform knows, with all that speaks against it in this store."""
    store = await stores.get_store(call.shop.db, call.store)
    choices = await every_method(call.shop, store, dirhams_of(query.amount))
    return Reply([_explained(call, choice) for choice in choices if _is_in(choice, query)])


async def list_health(call: Call) -> Reply:
    """The platform's own accounts, and those of stores that have not answered lately."""
    desk = call.shop.gateways
    rests = await desk.health.rests()
    names = (desk.catalog.keys() & set(call.shop.providers)) | rests.keys()
    return Reply([_health(call, name, rests.get(name)) for name in sorted(names)])


def _health(call: Call, account: str, rest: Rest | None) -> GatewayHealthView:
    provider, _, credentials_id = account.partition(":")
    return GatewayHealthView(
        provider=provider,
        credentials_id=credentials_id or None,
        state="closed" if rest is None else rest.state(call.shop.clock.now()),
        silent_since=None if rest is None else rest.since,
        retry_at=None if rest is None else rest.until,
    )


def _is_in(choice: Choice, query: MethodQuery) -> bool:
    return query.currency in (None, choice.method.currency)


def _view(call: Call, choice: Choice) -> MethodView:
    method = choice.method
    return MethodView(
        method=method.method,
        kind=method.kind,
        name=method.name if call.language == "ar" else method.name_en,
        name_en=method.name_en,
        currency=method.currency,
        asks=method.asks,
        least=dinars(method.least_dirhams),
        most=dinars(choice.most_dirhams),
        step=dinars(method.step_dirhams),
        is_available=not choice.reasons,
        unavailable=_reason(call, choice.reasons[0]) if choice.reasons else None,
    )


def _explained(call: Call, choice: Choice) -> ExplainedMethodView:
    method = choice.method
    return ExplainedMethodView(
        method=method.method,
        kind=method.kind,
        name=method.name if call.language == "ar" else method.name_en,
        name_en=method.name_en,
        currency=method.currency,
        provider=method.provider,
        is_offered=choice.is_offered,
        is_available=choice.is_offered and not choice.reasons,
        reasons=tuple(_reason(call, reason) for reason in choice.reasons),
    )


def _reason(call: Call, reason: Reason) -> ReasonView:
    return ReasonView(reason.code, reason.words.in_(call.language))

"""Which ways to pay there are for an amount in a store now, and why the others are not among them.

Only looked up: who starts a payment is checked again (`start_payment.py`).
"""

import msgspec

from eishro.domain.orders.model import COD
from eishro.domain.payments import credentials
from eishro.domain.payments.choice import (
    NO_ACCOUNT,
    NO_CREDENTIALS,
    NO_RATE,
    NOT_CHOSEN,
    Reason,
    amount_reason,
    silent_reason,
)
from eishro.domain.payments.health import account_name
from eishro.domain.payments.port import PaymentMethod
from eishro.domain.stores.model import NONE_OWN, Store, StoreSettings
from eishro.flows.beneficiary import can_pay_into
from eishro.flows.place_order import methods_of
from eishro.flows.shop import Shop


class Choice(msgspec.Struct, frozen=True):
    """A way to pay. `is_offered`: by the store, for some amount, at some time; `reasons` say why it
    does not do now (none: it does). `most_dirhams` is what it carries in this store.
    """

    method: PaymentMethod
    is_offered: bool
    reasons: tuple[Reason, ...]
    most_dirhams: int


async def offered_methods(shop: Shop, store: Store, dirhams: int | None) -> list[Choice]:
    """What the store offers, in the platform's order; `dirhams` None: whatever is to be paid."""
    settings, at = store.settings_value(), shop.clock.now()
    accounts, rests = await _accounts(shop, store), await shop.gateways.health.rests()
    choices = []
    for method in methods_of(shop, store):
        name = method.provider or ""
        rest = rests.get(account_name(name, accounts.get(name)))
        reasons = _amount(method, settings, dirhams)
        if rest is not None and rest.state(at) == "open":
            reasons.append(silent_reason(rest.seconds_left(at)))
        choices.append(Choice(method, True, tuple(reasons), _most(method, settings)))
    return choices


async def every_method(shop: Shop, store: Store, dirhams: int | None) -> list[Choice]:
    """The same, and after it all that the platform knows and the store does not offer."""
    choices = await offered_methods(shop, store, dirhams)
    settings = store.settings_value()
    names = {choice.method.method for choice in choices}
    known = (*shop.methods, *(m for g in shop.gateways.catalog.values() for m in g.methods))
    for method in known:
        if method.method in names:
            continue
        names.add(method.method)
        reasons = _absences(shop, store, settings, method) + _amount(method, settings, dirhams)
        choices.append(Choice(method, False, tuple(reasons), _most(method, settings)))
    return choices


async def _accounts(shop: Shop, store: Store) -> dict[str, str]:
    """Ids of the store's own credentials by gateway."""
    if store.own_gateways == NONE_OWN:
        return {}
    return {one.provider: one.id for one in await credentials.list_credentials(shop.db, store.id)}


def _amount(method: PaymentMethod, settings: StoreSettings, dirhams: int | None) -> list[Reason]:
    if dirhams is None:
        return []
    reason = amount_reason(method, dirhams, _most(method, settings))
    return [] if reason is None else [reason]


def _most(method: PaymentMethod, settings: StoreSettings) -> int:
    mine = settings.cod_most_dirhams if method.method == COD else None
    return method.most_dirhams if mine is None else min(mine, method.most_dirhams)


def _absences(
    shop: Shop, store: Store, settings: StoreSettings, method: PaymentMethod
) -> list[Reason]:
    """Why the store does not offer it; never nothing."""
    found = []
    if settings.payment_methods and method.method not in settings.payment_methods:
        found.append(NOT_CHOSEN)
    if method.currency != "LYD" and shop.rules.usd is None:
        found.append(NO_RATE)
    if not can_pay_into(shop, settings, method):
        found.append(NO_ACCOUNT)
    own = msgspec.json.decode(store.own_gateways, type=list[str])
    ways = {m.provider for m in shop.methods if m.method == method.method} or {method.provider}
    if not any(way is None or way in shop.providers or way in own for way in ways):
        found.append(NO_CREDENTIALS)
    return found

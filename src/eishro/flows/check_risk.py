"""Check orders for risk: when they are placed, when their buyer chooses cash, when they are paid.

A store without rules costs nothing here. Refused deliveries are one read, orders of the phone and
to the address another, with the guard that makes a number exact under a race where a rule refuses
by it.
What asks for a review is placed and held: nobody confirms or ships it before the review is decided
(flows/review_orders.py). What the store's own people place by hand is not checked.

Counts are as old as the read. Only the refusing number is guarded; a review more or less does not
matter.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Statement
from eishro.domain.orders.model import COD, Order
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Receipt
from eishro.domain.risk import sql as risk
from eishro.domain.risk.model import (
    REFUSALS_DAYS,
    Finding,
    OrderSignals,
    PaymentSignals,
    Review,
    RiskRules,
    address_key,
    card_key,
    count_refusals,
    judge_order,
    judge_payment,
    refusal_of,
    rules_in_force,
    subjects_of,
)
from eishro.domain.shipping.shipments import Shipment
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store
from eishro.flows.parcels import Load
from eishro.flows.price_order import PlaceOrder
from eishro.flows.shop import SYSTEM, Shop
from eishro.ids import first_id, text_id

KEYS = "risk"  # the purpose of the keys that phones, addresses and cards are hashed with
_BACK = ("returning", "returned")
_PICKUP = "pickup"
_NEVER = "p"  # above every order's id


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is judged by; `address` is None where nothing is delivered to one."""

    store_id: int
    phone: str
    address: str | None
    total_dirhams: int
    is_cod: bool


class Checked(msgspec.Struct, frozen=True):
    """What was found of an order, none of which refuses it, and whom it counts for."""

    findings: tuple[Finding, ...] = ()
    addresses: tuple[str, ...] = ()

    def statements(self, order: Order, actor: Actor, at: datetime) -> list[Statement]:
        """For the batch that places the order, behind its insert."""
        return [
            *risk.count_event(risk.WINDOWED, order.store_id, order.id, self.addresses, at),
            *(_opened(order, self.findings, None, actor, at) if self.findings else ()),
        ]


_NOTHING = Checked()


async def check_order(
    shop: Shop, store: Store, command: PlaceOrder, total_dirhams: int, guards: dict[str, int]
) -> Checked:
    """Judge an order before it is placed.

    Args:
        guards: takes the guards (`holding.move_guards`) that the order's batch has to move.

    Raises:
        OrderNotAccepted, CashNotAccepted
    """
    rules = _rules(shop, store)
    if rules is None:
        return _NOTHING
    is_picked_up = command.shipping_method == _PICKUP
    asked = Asked(
        store_id=command.store_id,
        phone=command.customer_phone,
        address=None
        if is_picked_up or rules.address_review_above is None
        else address_key(command.city_code, command.area, command.address),
        total_dirhams=total_dirhams,
        is_cod=command.payment_method == COD,
    )
    return await _judge(shop, rules, asked, guards)


async def check_cash(shop: Shop, order: Order) -> Checked:
    """Judge an order whose buyer chooses cash after all; one that is looked at already is not.

    Raises:
        CashNotAccepted
    """
    if order.is_held or order.payment_method == COD:
        return _NOTHING
    rules = _rules(shop, await stores.get_store(shop.db, order.store_id))
    if rules is None:
        return _NOTHING
    asked = Asked(
        store_id=order.store_id,
        phone=order.customer_phone,
        address=None,
        total_dirhams=order.total_dirhams,
        is_cod=True,
    )
    return await _judge(shop, rules.of_cash(), asked, {})


async def check_paid(
    shop: Shop, order: Order, payment: Payment, receipts: Sequence[Receipt], at: datetime
) -> tuple[Order, list[Statement]]:
    """The order, held if the way it was paid asks for a review, and what has to be written for
    that. The money is here and stays: nothing is refused.
    """
    rules = _rules(shop, await stores.get_store(shop.db, order.store_id))
    if rules is None or (rules.card_review_above, rules.declines_review_above) == (None, None):
        return order, []
    masks = [receipt.details.get("card") for receipt in receipts]
    card = next(filter(None, map(card_key, masks)), None)
    cards: list[str] = []
    where, others, declines = (shop.db, order.store_id, order.customer_phone), 0, 0
    if card is not None and rules.card_review_above is not None:
        cards = _subjects(shop, "card", order.store_id, card)
        since = _since(shop, risk.WINDOWED, rules.card_hours)
        others = await risk.count_other_phones(*where, cards, since)
    if rules.declines_review_above is not None:
        since = _since(shop, "ord", rules.declines_hours)
        declines = await risk.count_declines(*where, since)
    statements = risk.count_event(risk.WINDOWED, order.store_id, order.id, cards, at)
    findings = judge_payment(rules, PaymentSignals(others, declines))
    if not findings:
        return order, statements
    known = await risk.find_open_review(shop.db, order.store_id, order.id)
    if known is None:
        statements += _opened(order, findings, payment.id, SYSTEM, at)
    else:
        more = known.find_more(findings, payment.id)
        statements += [risk.save_review(more, seen=known), _noted(order, findings, SYSTEM, at)]
    return msgspec.structs.replace(order, is_held=True), statements


def note_parcel(
    shop: Shop, load: Load, before: Shipment, after: Shipment, at: datetime
) -> list[Statement]:
    """A parcel that was to be paid at the door turns back: its buyer has refused a delivery, in
    every store's eyes. Who took one of the order's parcels has not.
    """
    order = load.order
    refusers = _subjects(shop, "refused", order.customer_phone) if order.customer_phone else []
    others = {one.status for one in load.live if one.id != after.id}
    if after.status == "delivered" and load.is_cod and others.intersection(_BACK):
        return [risk.take_back(order.store_id, order.id, refusers)]
    turns_back = after.status in _BACK and before.status not in _BACK
    is_owed = load.is_cod and before.cod_dirhams > 0 and not load.is_collected(before)
    if not turns_back or not is_owed or "delivered" in others:
        return []
    return risk.count_event(risk.REFUSED, order.store_id, order.id, refusers, at)


def note_return(shop: Shop, load: Load, at: datetime) -> list[Statement]:
    """The same of an order that is said to be back as a whole."""
    order, statuses = load.order, {one.status for one in load.live}
    is_owed = load.is_cod and load.is_unpaid and not load.collections
    if order.status != "shipped" or not is_owed or not order.customer_phone:
        return []
    if "delivered" in statuses or statuses.intersection(_BACK):  # told by its parcels
        return []
    refusers = _subjects(shop, "refused", order.customer_phone)
    return risk.count_event(risk.REFUSED, order.store_id, order.id, refusers, at)


async def closing_review(shop: Shop, order: Order, actor: Actor, at: datetime) -> list[Statement]:
    """The order is cancelled: nobody needs to look at it any more."""
    if not order.is_held:
        return []
    seen = await risk.find_open_review(shop.db, order.store_id, order.id)
    if seen is None:
        return []
    return [risk.save_review(seen.decide("closed", actor.name, None, at), seen=seen)]


def _rules(shop: Shop, store: Store) -> RiskRules | None:
    """The rules that orders of the store meet; None: there are none."""
    if store.risk_rules is None and not shop.rules.risk_by_default:
        return None
    return rules_in_force(
        store.risk_rules,
        has_defaults=shop.rules.risk_by_default,
        counts_windows=shop.rules.risk_windows,
    )


async def _judge(shop: Shop, rules: RiskRules, asked: Asked, guards: dict[str, int]) -> Checked:
    addresses: list[str] = []
    if asked.address is not None:
        addresses = _subjects(shop, "address", asked.store_id, asked.address)
    signals = await _signals(shop, rules, asked, addresses, guards)
    findings = judge_order(rules, signals, asked.total_dirhams, is_cod=asked.is_cod)
    refusal = refusal_of(findings)
    if refusal is not None:
        raise refusal
    return Checked(findings, tuple(addresses))


async def _signals(
    shop: Shop, rules: RiskRules, asked: Asked, addresses: list[str], guards: dict[str, int]
) -> OrderSignals:
    """Read what a rule asks for, and nothing else."""
    signals = OrderSignals(good_orders=1)
    above = rules.new_buyer_review_above_dirhams
    is_much = above is not None and asked.total_dirhams > above
    counts_phone = (rules.phone_review_above, rules.phone_refuse_above) != (None, None)
    if counts_phone or addresses or is_much:
        since = {
            "ordered_since": _since(shop, "ord", rules.phone_hours),
            "known_since": "ord_" if is_much else _NEVER,
            "sent_since": _since(shop, risk.WINDOWED, rules.address_hours),
        }
        guard = ""
        if rules.phone_refuse_above is not None:
            guard = f"risk:{_subjects(shop, 'guard', asked.store_id, asked.phone)[0][:5]}"
        seen = await risk.count_orders(
            shop.db, asked.store_id, asked.phone, addresses, guard, since
        )
        if guard:  # of two stores that share one, it guards from the first count
            guards.setdefault(guard, seen.guard_version)
        signals = OrderSignals(seen.phone_orders, seen.address_orders, seen.good_orders)
    counts_refusals = (rules.refusals_review_from, rules.refusals_refuse_from) != (None, None)
    if asked.is_cod and counts_refusals:
        refusers = _subjects(shop, "refused", asked.phone)
        if found := await risk.list_refusals(shop.db, refusers):
            since_year = _since(shop, risk.REFUSED, 24 * REFUSALS_DAYS)
            refusals = count_refusals(found, asked.store_id, since_year)
            signals = msgspec.structs.replace(signals, refusals=refusals)
    return signals


def _subjects(shop: Shop, kind: str, *of: object) -> list[str]:
    return subjects_of(shop.keyring.derive_all(KEYS), kind, *of)


def _since(shop: Shop, prefix: str, hours: int) -> str:
    return first_id(prefix, shop.clock.now() - timedelta(hours=hours))


def _opened(
    order: Order,
    findings: Sequence[Finding],
    payment_id: str | None,
    actor: Actor,
    at: datetime,
) -> list[Statement]:
    review = Review(
        id=text_id("rev", at),
        store_id=order.store_id,
        order_id=order.id,
        payment_id=payment_id,
        state="open",
        findings=msgspec.Raw(msgspec.json.encode(findings)),
        opened_at=at,
        decided_at=None,
        decided_by=None,
        reason=None,
        version=1,
    )
    return [
        risk.insert_review(review),
        outbox.publish("order.held", order.id, at, store_id=order.store_id),
        _noted(order, findings, actor, at),
    ]


def _noted(order: Order, findings: Sequence[Finding], actor: Actor, at: datetime) -> Statement:
    """For the trail, not for the order's history: its buyer reads that."""
    codes = sorted({finding.code for finding in findings})
    return audit.record(
        actor, "order.held", order.id, at, store_id=order.store_id, findings=",".join(codes)
    )

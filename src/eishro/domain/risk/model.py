"""Rules, signals, findings and reviews as values. Pure: no clock, no database."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, Invalid, NotFound, Words
from eishro.money import decimal_from_dirhams
from eishro.text import normalise

HOURS_MAX = 168  # of a window in which something is counted
COUNT_MAX = 1_000  # that a limit may say, and that is counted to
REFUSALS_DAYS = 365  # as long a refused delivery counts
ADDRESS_LENGTH_MIN = 12  # letters; what is shorter is a quarter, not somebody's door
CARD_DIGITS_MIN = 8  # that a mask must show; with fewer it is many people's card

Effect = Literal["review", "refuse"]
State = Literal["open", "approved", "rejected", "closed"]
Code = Literal[
    "PHONE_ORDERS",
    "ADDRESS_ORDERS",
    "CARD_PHONES",
    "REFUSED_PAYMENTS",
    "COD_AMOUNT",
    "NEW_BUYER_AMOUNT",
    "REFUSED_DELIVERIES",
]


class RiskRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a store looks at; None switches a rule off. `..._above` is the most that is fine, and
    `..._from` the least that is not. Only `..._refuse_...` refuses, everything else asks for a
    review.
    """

    phone_hours: int = 24
    phone_review_above: int | None = None  # orders of one phone in so many hours
    phone_refuse_above: int | None = None
    address_hours: int = 24
    address_review_above: int | None = None  # orders to one address
    card_hours: int = HOURS_MAX
    card_review_above: int | None = None  # phones that one card has paid for
    declines_hours: int = 24
    declines_review_above: int | None = None  # refused payments of one phone before a good one
    cod_review_above_dirhams: int | None = None
    new_buyer_review_above_dirhams: int | None = None
    refusals_review_from: int | None = None  # deliveries that a phone has refused; for COD alone
    refusals_refuse_from: int | None = None

    def check(self) -> None:
        """Nothing, if the rules fit together.

        Raises:
            Invalid: of all that do not.
        """
        faults: dict[str, Words] = {}
        review, refuse = self.phone_review_above, self.phone_refuse_above
        if review is not None and refuse is not None and refuse < review:
            faults["phoneRefuseAbove"] = _below("phoneReviewAbove")
        first, last = self.refusals_review_from, self.refusals_refuse_from
        if first is not None and last is not None and last < first:
            faults["refusalsRefuseFrom"] = _below("refusalsReviewFrom")
        if faults:
            raise Invalid(faults)

    def without_counts(self) -> "RiskRules":
        """The rules where nothing is counted in windows."""
        return msgspec.structs.replace(
            self,
            phone_review_above=None,
            phone_refuse_above=None,
            address_review_above=None,
            card_review_above=None,
            declines_review_above=None,
        )

    def of_cash(self) -> "RiskRules":
        """Those of them that an order meets when its buyer chooses cash after all."""
        return RiskRules(
            cod_review_above_dirhams=self.cod_review_above_dirhams,
            refusals_review_from=self.refusals_review_from,
            refusals_refuse_from=self.refusals_refuse_from,
        )


NO_RULES = RiskRules()
# Lenient: an honest buyer never meets one of them, and none refuses. Orders of a phone are not
# counted, since what one phone holds is limited over all stores already (orders/holding.py), nor
# are addresses: in Libya they are descriptions that neighbours share. So the usual order costs
# nothing, and one in cash a narrow read.
DEFAULT_RULES = RiskRules(
    card_review_above=3,
    declines_review_above=5,
    cod_review_above_dirhams=10_000_000,
    new_buyer_review_above_dirhams=5_000_000,
    refusals_review_from=3,
)


def rules_in_force(
    own: msgspec.Raw | None, *, has_defaults: bool, counts_windows: bool
) -> RiskRules:
    """The store's own rules, or the installation's; without windows where limits are off."""
    rules = DEFAULT_RULES if has_defaults else NO_RULES
    if own is not None:
        rules = msgspec.json.decode(own, type=RiskRules)
    return rules if counts_windows else rules.without_counts()


def subjects_of(keys: Sequence[bytes], kind: str, *of: object) -> list[str]:
    """Whom a row is about, as the keyed hash that stands there: one for each key, the one in use
    first. With `of` the store's number it means something in that store alone.
    """
    text = ":".join((kind, *map(str, of))).encode()
    return [hmac.digest(key, text, hashlib.sha256).hex()[:32] for key in keys]


def address_key(city_code: str, area: str | None, address: str) -> str | None:
    """An address as it is compared, however it was typed; None: too short to be one door's."""
    folded = normalise(f"{area or ''} {address}")
    if sum(letter.isalnum() for letter in folded) < ADDRESS_LENGTH_MIN:
        return None
    return f"{city_code} {folded}"


def card_key(mask: str | None) -> str | None:
    """A masked card as it is compared; None: it shows too little to tell cards apart."""
    kept = "".join(sign if sign.isdigit() else "*" for sign in (mask or "") if not sign.isspace())
    return kept if sum(sign.isdigit() for sign in kept) >= CARD_DIGITS_MIN else None


class Finding(msgspec.Struct, frozen=True):
    """What a rule found: the number that was met and the one that it was measured by."""

    code: Code
    effect: Effect
    facts: Mapping[str, int]


class OrderSignals(msgspec.Struct, frozen=True):
    """What is known of an order's buyer, without the order itself."""

    phone_orders: int = 0
    address_orders: int = 0
    good_orders: int = 0  # paid or delivered, among the newest
    refusals: int = 0


class Refusal(msgspec.Struct, frozen=True):
    """An order that was refused at the door; the event's id tells when."""

    id: str
    store_id: int
    order_id: str


def count_refusals(found: Sequence[Refusal], store_id: int, since: str) -> int:
    """The store's own orders that were refused since the event id, and one for each other store
    that had any: nobody's word counts more than once elsewhere.
    """
    young = [one for one in found if one.id >= since]
    own = {one.order_id for one in young if one.store_id == store_id}
    others = {one.store_id for one in young if one.store_id != store_id}
    return len(own) + len(others)


class PaymentSignals(msgspec.Struct, frozen=True):
    """What is known of how an order was paid: other phones that the card paid for, and refused
    attempts of the phone.
    """

    other_phones: int = 0
    declines: int = 0


def judge_order(
    rules: RiskRules, signals: OrderSignals, total_dirhams: int, *, is_cod: bool
) -> tuple[Finding, ...]:
    """What speaks for looking at an order, or against taking it; the order counts itself."""
    found = [
        *_counted("PHONE_ORDERS", signals.phone_orders + 1, rules.phone_review_above,
                  rules.phone_hours, rules.phone_refuse_above),
        *_counted("ADDRESS_ORDERS", signals.address_orders + 1, rules.address_review_above,
                  rules.address_hours),
    ]  # fmt: skip
    if is_cod:
        found += _amount("COD_AMOUNT", total_dirhams, rules.cod_review_above_dirhams)
        found += _refused(rules, signals.refusals)
    if not signals.good_orders:
        found += _amount("NEW_BUYER_AMOUNT", total_dirhams, rules.new_buyer_review_above_dirhams)
    return tuple(found)


def judge_payment(rules: RiskRules, signals: PaymentSignals) -> tuple[Finding, ...]:
    """What speaks for looking at an order that was paid; its money is here and stays."""
    return (
        *_counted(
            "CARD_PHONES", signals.other_phones + 1, rules.card_review_above, rules.card_hours
        ),
        *_counted(
            "REFUSED_PAYMENTS",
            signals.declines,
            rules.declines_review_above,
            rules.declines_hours,
        ),
    )


def refusal_of(findings: Sequence[Finding]) -> Conflict | None:
    """The refusal that findings ask for. It says neither which limit was met nor how far it is."""
    codes = {finding.code for finding in findings if finding.effect == "refuse"}
    if not codes:
        return None
    return CashNotAccepted() if codes == {"REFUSED_DELIVERIES"} else OrderNotAccepted()


def explain(finding: Finding) -> Words:
    """The finding in a sentence for the store's people."""
    shown: dict[str, object] = {
        name: decimal_from_dirhams(value) if name.endswith("Dirhams") else value
        for name, value in finding.facts.items()
    }
    words = _SENTENCES[finding.code]
    return Words(words.en.format(**shown), words.ar.format(**shown))


class Review(msgspec.Struct, frozen=True):
    """An order that waits for somebody to look at it; `findings` is a JSON list of `Finding`.
    `payment_id` is the payment that was paid when something was found.
    """

    id: str
    store_id: int
    order_id: str
    payment_id: str | None
    state: State
    findings: msgspec.Raw
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    version: int

    def found(self) -> tuple[Finding, ...]:
        """The findings, decoded."""
        return msgspec.json.decode(self.findings, type=tuple[Finding, ...])

    def find_more(self, findings: Sequence[Finding], payment_id: str) -> "Review":
        """The open review with what a payment brought to light as well."""
        kept = msgspec.json.encode((*self.found(), *findings))
        return msgspec.structs.replace(self, findings=msgspec.Raw(kept), payment_id=payment_id)

    def decide(self, state: State, by: str, reason: str | None, at: datetime) -> "Review":
        """The review decided.

        Raises:
            ReviewDecided
        """
        if self.state != "open":
            raise ReviewDecided(details={"state": self.state})
        return msgspec.structs.replace(
            self, state=state, decided_at=at, decided_by=by, reason=reason
        )


class OrderNotAccepted(Conflict):
    """A hard limit of the store was met."""

    code = "ORDER_NOT_ACCEPTED"
    words = Words(
        "The store cannot take this order now; please contact it.",
        "لا يستطيع المتجر قبول هذا الطلب الآن؛ يرجى التواصل معه.",
    )


class CashNotAccepted(Conflict):
    """The store does not send this order to be paid at the door."""

    code = "COD_NOT_ACCEPTED"
    words = Words(
        "Cash on delivery is not possible for this order; please choose another method.",
        "الدفع عند الاستلام غير متاح لهذا الطلب؛ يرجى اختيار طريقة أخرى.",
    )


class ReviewNotFound(NotFound):
    """No such review in this store."""

    words = Words("There is no such review.", "لا توجد مراجعة كهذه.")


class ReviewDecided(Conflict):
    """Somebody has decided otherwise already."""

    code = "REVIEW_DECIDED"
    words = Words("This review has been decided already.", "تم البت في هذه المراجعة من قبل.")


def _counted(
    code: Code, count: int, review_above: int | None, hours: int, refuse_above: int | None = None
) -> list[Finding]:
    if refuse_above is not None and count > refuse_above:
        return [Finding(code, "refuse", {"count": count, "limit": refuse_above, "hours": hours})]
    if review_above is not None and count > review_above:
        return [Finding(code, "review", {"count": count, "limit": review_above, "hours": hours})]
    return []


def _amount(code: Code, dirhams: int, above: int | None) -> list[Finding]:
    if above is None or dirhams <= above:
        return []
    return [Finding(code, "review", {"amountDirhams": dirhams, "limitDirhams": above})]


def _refused(rules: RiskRules, count: int) -> list[Finding]:
    code: Code = "REFUSED_DELIVERIES"
    first, last = rules.refusals_review_from, rules.refusals_refuse_from
    if last is not None and count >= last:
        return [Finding(code, "refuse", {"count": count, "limit": last, "days": REFUSALS_DAYS})]
    if first is not None and count >= first:
        return [Finding(code, "review", {"count": count, "limit": first, "days": REFUSALS_DAYS})]
    return []


def _below(name: str) -> Words:
    return Words(f"must not be below {name}", f"يجب ألا يقل عن {name}")


_SENTENCES: Mapping[Code, Words] = {
    "PHONE_ORDERS": Words(
        "{count} orders of this phone within {hours} hours; more than {limit} are looked at.",
        "{count} طلبات من هذا الهاتف خلال {hours} ساعة؛ يراجع ما زاد على {limit}.",
    ),
    "ADDRESS_ORDERS": Words(
        "{count} orders to this address within {hours} hours; more than {limit} are looked at.",
        "{count} طلبات إلى هذا العنوان خلال {hours} ساعة؛ يراجع ما زاد على {limit}.",
    ),
    "CARD_PHONES": Words(
        "This card paid for {count} phones within {hours} hours; more than {limit} are looked at.",
        "دفعت هذه البطاقة لعدد {count} من الهواتف خلال {hours} ساعة؛ يراجع ما زاد على {limit}.",
    ),
    "REFUSED_PAYMENTS": Words(
        "{count} payments of this phone were refused within {hours} hours before one went "
        "through; more than {limit} are looked at.",
        "رُفضت {count} عمليات دفع من هذا الهاتف خلال {hours} ساعة قبل نجاح واحدة؛ "
        "يراجع ما زاد على {limit}.",
    ),
    "COD_AMOUNT": Words(
        "{amountDirhams} LYD in cash; orders above {limitDirhams} LYD are looked at.",
        "{amountDirhams} د.ل نقدا عند الاستلام؛ تراجع الطلبات التي تزيد على {limitDirhams} د.ل.",
    ),
    "NEW_BUYER_AMOUNT": Words(
        "{amountDirhams} LYD from a phone that has not paid for or received an order here yet; "
        "above {limitDirhams} LYD these are looked at.",
        "{amountDirhams} د.ل من هاتف لم يسبق له دفع طلب أو استلامه هنا؛ "
        "يراجع ما زاد على {limitDirhams} د.ل.",
    ),
    "REFUSED_DELIVERIES": Words(
        "This phone has refused {count} deliveries within {days} days; "
        "from {limit} on they are looked at.",
        "رفض صاحب هذا الهاتف استلام {count} طلبات خلال {days} يوما؛ تبدأ المراجعة من {limit}.",
    ),
}

"""Coupons and promotions as values, and what they take off a basket. Pure: no clock, no database.

How promotions combine:

1. Every automatic promotion is looked at: higher priority first, then the older one. One that
   does not fit (dates, limits, minimum, scope) is left out.
2. Those that may be combined (`is_stackable`) apply one after the other, each to what the earlier
   ones left; a combinable coupon comes after them.
3. One that may not be combined applies all alone, without the others and without the coupon, if
   that gives the buyer more than the combination. The same holds for such a coupon. Where two
   ways give the same, the combination wins, then the higher priority, then the older one.

The minimum looks at all goods before any discount. Nothing depends on the order of lines.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

import msgspec

from eishro.errors import Conflict, Words
from eishro.money import allocate
from eishro.trace import Step

WHOLE_BP = 10_000  # basis points: 100 %

Kind = Literal["percent", "fixed", "free_shipping", "buy_x_get_y"]
ScopeKind = Literal["all", "products", "categories"]
Reason = Literal[
    "unknown",
    "not_started",
    "ended",
    "exhausted",
    "customer_limit",
    "minimum",
    "scope",
    "inactive",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

_WORDS: dict[Reason, Words] = {
    "unknown": Words("There is no such code.", "لا يوجد رمز تخفيض كهذا."),
    "not_started": Words("This code is not valid yet.", "لم يبدأ سريان هذا الرمز بعد."),
    "ended": Words("This code has expired.", "انتهت صلاحية هذا الرمز."),
    "exhausted": Words("This code has been used up.", "استُنفد هذا الرمز."),
    "customer_limit": Words(
        "You have used this code as often as allowed.",
        "لقد استعملت هذا الرمز بالعدد المسموح به.",
    ),
    "minimum": Words(
        "The order is too small for this code.", "قيمة الطلب أقل من الحد الأدنى لهذا الرمز."
    ),
    "scope": Words(
        "This code is not for the goods in this order.", "هذا الرمز لا يشمل منتجات هذا الطلب."
    ),
    "inactive": Words("This code is switched off.", "هذا الرمز موقوف."),
}


class CouponUnusable(Conflict):
    """A code that cannot be used for this order; `details.reason` says why."""

    code = "COUPON_UNUSABLE"
    words = Words("This code cannot be used.", "لا يمكن استعمال هذا الرمز.")

    def __init__(self, reason: Reason) -> None:
        super().__init__(_WORDS[reason], details={"reason": reason})
        self.reason = reason


class Scope(msgspec.Struct, frozen=True):
    """Which goods: `ids` are products or categories, by `kind`; what is excluded always is."""

    kind: ScopeKind = "all"
    ids: tuple[int, ...] = ()
    excluded_product_ids: tuple[int, ...] = ()
    excluded_category_ids: tuple[int, ...] = ()

    def holds(self, item: "Item") -> bool:
        """True if the item is among the goods."""
        categories = set(item.category_ids)
        if item.product_id in self.excluded_product_ids:
            return False
        if not categories.isdisjoint(self.excluded_category_ids):
            return False
        if self.kind == "products":
            return item.product_id in self.ids
        return self.kind == "all" or not categories.isdisjoint(self.ids)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon (with a code) or an automatic promotion, as read; all that `reduce` looks at.

    `value` is basis points for `percent` and `buy_x_get_y`, dirhams for `fixed`, else 0. `used`
    counts towards `usage_limit`; `used_by_customer` is the buyer's own, towards
    `per_customer_limit`.
    """

    id: str
    store_id: int
    version: int
    code: str | None
    name: str | None
    kind: Kind
    value: int
    buy_quantity: int | None
    get_quantity: int | None
    uses_per_order_max: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    minimum_dirhams: int | None
    scope: Scope
    usage_limit: int | None
    per_customer_limit: int | None
    is_active: bool
    priority: int
    is_stackable: bool
    used: int = 0
    used_by_customer: int = 0


class Item(msgspec.Struct, frozen=True):
    """One line of a basket: `category_ids` are all categories that the product counts for."""

    position: int
    product_id: int
    variant_id: int
    category_ids: tuple[int, ...]
    unit_price_dirhams: int
    quantity: int

    @property
    def total_dirhams(self) -> int:
        """Before discounts."""
        return self.unit_price_dirhams * self.quantity


class Applied(msgspec.Struct, frozen=True):
    """A rule that was applied: what it took off, and whether it made delivery free."""

    rule: Rule
    dirhams: int
    frees_shipping: bool


class Reduction(msgspec.Struct, frozen=True):
    """What promotions do to a basket.

    `line_dirhams` is each item's discount, in the order of the items; its sum is
    `discount_dirhams`. `applied` are the rules whose use is to be counted.
    """

    line_dirhams: tuple[int, ...]
    discount_dirhams: int
    free_shipping: bool
    applied: tuple[Applied, ...]
    steps: tuple[Step, ...]

    @property
    def coupon_code(self) -> str | None:
        """The code of the coupon, if it was applied."""
        return next((a.rule.code for a in self.applied if a.rule.code is not None), None)


def subjects_of(phone: str, user_id: int | None) -> tuple[str, ...]:
    """By whom uses are counted: the phone (E.164), and the account of who is signed in."""
    by_phone = f"phone:{phone}"
    return (by_phone,) if user_id is None else (by_phone, f"user:{user_id}")


def reduce(
    items: Sequence[Item],
    promotions: Sequence[Rule],
    coupon: Rule | None,
    *,
    at: datetime,
    delivery_dirhams: int = 0,
) -> Reduction:
    """What the promotions and the coupon take off.

    Args:
        items: shape (lines,), quantities >= 1, prices >= 0.
        promotions: the store's automatic ones, in any order.
        at: the moment of the order.
        delivery_dirhams: what delivery would cost, to weigh free delivery against an amount.

    Raises:
        CouponUnusable: the coupon does not fit the basket or the moment.
    """
    order = sorted(range(len(items)), key=lambda n: _identity(items[n]))
    lines = [items[n] for n in order]
    steps: list[Step] = []
    fitting: list[Rule] = []
    for rule in sorted(promotions, key=lambda rule: (-rule.priority, rule.id)):
        reason = _why_not(rule, lines, at)
        if reason is None:
            fitting.append(rule)
        else:
            steps.append(_step(rule, reason))
    if coupon is not None:
        reason = _why_not(coupon, lines, at)
        if reason is not None:
            raise CouponUnusable(reason)
        fitting.append(coupon)
    ways = [
        [rule for rule in fitting if rule.is_stackable],
        *([rule] for rule in fitting if not rule.is_stackable),
    ]
    tried = [_apply(lines, way) for way in ways]
    best = max(tried, key=lambda way: way.worth(delivery_dirhams))  # the first of equals
    chosen = ways[tried.index(best)]
    steps += [_step(rule, "better_without") for rule in fitting if rule not in chosen]
    line_dirhams = [0] * len(items)
    for n, dirhams in zip(order, best.cuts, strict=True):
        line_dirhams[n] = dirhams
    return Reduction(
        line_dirhams=tuple(line_dirhams),
        discount_dirhams=sum(line_dirhams),
        free_shipping=best.frees_shipping,
        applied=best.applied,
        steps=(*steps, *best.steps),
    )


def _identity(item: Item) -> tuple[int, ...]:
    """Lines stand in an order of their own, so that leftover dirhams do not follow the buyer's."""
    return item.variant_id, item.product_id, item.unit_price_dirhams, item.quantity


def _why_not(rule: Rule, lines: Sequence[Item], at: datetime) -> Reason | None:
    """Why the rule does not fit; None: it does."""
    reason = _why_not_now(rule, at)
    if reason is not None:
        return reason
    pieces = sum(line.quantity for line in lines if rule.scope.holds(line))
    if pieces == 0:
        return "scope"
    goods = sum(line.total_dirhams for line in lines)
    if rule.minimum_dirhams is not None and goods < rule.minimum_dirhams:
        return "minimum"
    if rule.kind == "buy_x_get_y" and pieces < _set_size(rule):
        return "minimum"
    return None


def _why_not_now(rule: Rule, at: datetime) -> Reason | None:
    if not rule.is_active:
        return "inactive"
    if rule.starts_at is not None and at < rule.starts_at:
        return "not_started"
    if rule.ends_at is not None and at >= rule.ends_at:
        return "ended"
    if rule.usage_limit is not None and rule.used >= rule.usage_limit:
        return "exhausted"
    limit = rule.per_customer_limit
    return "customer_limit" if limit is not None and rule.used_by_customer >= limit else None


class _Way(msgspec.Struct, frozen=True):
    """One combination of rules, applied."""

    cuts: tuple[int, ...]
    frees_shipping: bool
    applied: tuple[Applied, ...]
    steps: tuple[Step, ...]

    def worth(self, delivery_dirhams: int) -> tuple[int, bool]:
        freed = delivery_dirhams if self.frees_shipping else 0
        return sum(self.cuts) + freed, self.frees_shipping


def _apply(lines: Sequence[Item], rules: Sequence[Rule]) -> _Way:
    left = [line.total_dirhams for line in lines]
    is_free = False
    applied: list[Applied] = []
    steps: list[Step] = []
    for rule in rules:
        cuts = _cuts(rule, lines, left)
        left = [before - cut for before, cut in zip(left, cuts, strict=True)]
        frees = rule.kind == "free_shipping" and not is_free
        if not frees and not any(cuts):
            steps.append(_step(rule, "nothing_left"))
            continue
        is_free = is_free or frees
        applied.append(Applied(rule, sum(cuts), frees))
        steps.append(_step(rule, "promotion" if rule.code is None else "coupon", sum(cuts)))
    gone = tuple(line.total_dirhams - rest for line, rest in zip(lines, left, strict=True))
    return _Way(gone, is_free, tuple(applied), tuple(steps))


def _cuts(rule: Rule, lines: Sequence[Item], left: Sequence[int]) -> list[int]:
    """What the rule takes off each line, of what is left of it."""
    if rule.kind == "free_shipping":
        return [0] * len(lines)
    if rule.kind == "buy_x_get_y":
        basis = _given(rule, lines, left)
    else:
        basis = [
            rest if rule.scope.holds(line) else 0 for line, rest in zip(lines, left, strict=True)
        ]
    whole = sum(basis)
    if whole == 0:
        return [0] * len(lines)
    total = min(rule.value, whole) if rule.kind == "fixed" else _part(whole, rule.value)
    return allocate(total, basis)


def _given(rule: Rule, lines: Sequence[Item], left: Sequence[int]) -> list[int]:
    """What is left of the pieces that a buyer gets cheaper: whole sets only, cheapest first."""
    within = [n for n, line in enumerate(lines) if rule.scope.holds(line)]
    sets = sum(lines[n].quantity for n in within) // _set_size(rule)
    if rule.uses_per_order_max is not None:
        sets = min(sets, rule.uses_per_order_max)
    pieces = sets * (rule.get_quantity or 0)
    basis = [0] * len(lines)
    for n in sorted(within, key=lambda n: (lines[n].unit_price_dirhams, n)):
        taken = min(pieces, lines[n].quantity)
        basis[n] = left[n] * taken // lines[n].quantity
        pieces -= taken
    return basis


def _set_size(rule: Rule) -> int:
    return max(1, (rule.buy_quantity or 0) + (rule.get_quantity or 0))


def _part(whole: int, basis_points: int) -> int:
    """The percentage, to the nearest dirham, half a dirham up."""
    return (2 * whole * basis_points + WHOLE_BP) // (2 * WHOLE_BP)


def _step(rule: Rule, reason: str, dirhams: int = 0) -> Step:
    facts: dict[str, int | str] = {
        "promotion": rule.id,
        "version": rule.version,
        "kind": rule.kind,
        "value": rule.value,
    }
    if rule.code is not None:
        facts["code"] = rule.code
    amount = "shippingCost" if rule.kind == "free_shipping" else "discount"
    return Step(amount, reason, dirhams, facts)

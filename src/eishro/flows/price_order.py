"""What an order costs: one calculation for the quote, the order, a draft and every later look.

    prices -> promotions, then the coupon -> the merchant's own discount -> delivery (or the
    merchant's own price of it) -> rounding of cash

`calculate` is pure: everything it needs is in `Inputs`, which is kept with the order as JSON, so
that the amounts can be computed again from what they were made of. Each step says why it is there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

import msgspec

from eishro.db.database import Database
from eishro.domain.discounts import model as discounts
from eishro.domain.discounts import sql as promotions
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Applied, Item, Reduction, Rule
from eishro.domain.orders.basket import basket_of, match
from eishro.domain.orders.model import COD, Basket, Offer, Priced, Wanted
from eishro.domain.shipping import rates
from eishro.domain.shipping.rates import DeliveryPlan
from eishro.domain.shipping.zones import Method
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import StoreNotFound
from eishro.errors import Invalid, Words
from eishro.flows.price_list import PricedStore
from eishro.money import allocate
from eishro.trace import Step


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A checked order request; the phone is E.164, the city a code of `shipping.cities`."""

    store_id: int
    items: tuple[Wanted, ...]
    customer_user_id: int | None
    customer_name: str
    customer_phone: str
    customer_email: str | None
    city_code: str
    area: str | None
    address: str
    shipping_notes: str | None
    shipping_method: str
    payment_method: str
    notes: str | None
    coupon_code: str | None = None
    # What only the store's own people may say (flows/draft_orders.py).
    manual_discount_dirhams: int = 0
    shipping_override_dirhams: int | None = None
    channel: str | None = None
    waits_for_goods: bool = False  # an exchange: it is paid by what comes back, not within an hour


class PricedItem(msgspec.Struct, frozen=True):
    """One line as the calculation sees it."""

    product_id: int
    variant_id: int
    category_ids: tuple[int, ...]
    unit_price_dirhams: int
    quantity: int
    weight_grams: int


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that amounts are made from. `plan` is the part of the store's delivery that covers
    the city; `promotions` are the automatic ones that were looked at.

    `manual_discount_dirhams` is the merchant's own discount, of which at most what is left of the
    goods counts; `shipping_override_dirhams` is the merchant's own price of delivery, whatever the
    plan says.
    """

    items: tuple[PricedItem, ...]
    promotions: tuple[Rule, ...]
    coupon: Rule | None
    plan: DeliveryPlan
    city_code: str
    method: str
    is_cod: bool
    at: datetime
    manual_discount_dirhams: int = 0
    shipping_override_dirhams: int | None = None


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the calculation gives; `line_discounts` has one amount for each item."""

    line_discounts: tuple[int, ...]
    subtotal_dirhams: int
    discount_dirhams: int
    shipping_dirhams: int
    total_dirhams: int
    weight_grams: int
    shipping_reason: str
    steps: tuple[Step, ...]
    applied: tuple[Applied, ...]


class Trace(msgspec.Struct, frozen=True):
    """What is kept with an order: what its amounts were made from, and each step's reason."""

    inputs: Inputs
    steps: tuple[Step, ...]


class PricedOrder(msgspec.Struct, frozen=True):
    """A basket with how it came about, and the promotions whose use is to be counted."""

    basket: Basket
    inputs: Inputs
    applied: tuple[Applied, ...]

    @property
    def coupon_code(self) -> str | None:
        """The coupon's code as the store spells it, if the coupon was applied."""
        return next((one.rule.code for one in self.applied if one.rule.code is not None), None)

    @property
    def trace(self) -> Trace:
        """As kept: of the automatic promotions only those that did something, since the others
        change nothing; the steps still say why they did not.
        """
        used = {one.rule.id for one in self.applied}
        kept = tuple(rule for rule in self.inputs.promotions if rule.id in used)
        return Trace(msgspec.structs.replace(self.inputs, promotions=kept), self.basket.steps)


def calculate(inputs: Inputs) -> Amounts:
    """The amounts.

    Raises:
        CouponUnusable: the coupon does not fit.
        NotServed: nothing is delivered there, or not in this way.
    """
    subtotal = sum(item.unit_price_dirhams * item.quantity for item in inputs.items)
    weight = sum(item.weight_grams * item.quantity for item in inputs.items)
    reduction = _with_manual(inputs, _reduce(inputs, subtotal, weight))
    goods = subtotal - reduction.discount_dirhams
    charge = _charge(inputs, goods, weight, is_cod=inputs.is_cod, is_free=reduction.free_shipping)
    if inputs.is_cod:
        charge = rates.rounded(charge, goods + charge.dirhams, inputs.plan.cod_rounding_dirhams)
    return Amounts(
        line_discounts=reduction.line_dirhams,
        subtotal_dirhams=subtotal,
        discount_dirhams=reduction.discount_dirhams,
        shipping_dirhams=charge.dirhams,
        total_dirhams=goods + charge.dirhams,
        weight_grams=weight,
        shipping_reason=charge.reason,
        steps=(*reduction.steps, *charge.steps),
        applied=reduction.applied,
    )


def _reduce(inputs: Inputs, subtotal: int, weight: int) -> Reduction:
    if not inputs.promotions and inputs.coupon is None:
        return Reduction((0,) * len(inputs.items), 0, False, (), ())
    # What free delivery is worth, to weigh it against an amount.
    undiscounted = _charge(inputs, subtotal, weight, is_cod=False, is_free=False)
    items = [
        Item(n, i.product_id, i.variant_id, i.category_ids, i.unit_price_dirhams, i.quantity)
        for n, i in enumerate(inputs.items)
    ]
    return discounts.reduce(
        items,
        inputs.promotions,
        inputs.coupon,
        at=inputs.at,
        delivery_dirhams=undiscounted.dirhams,
    )


def _with_manual(inputs: Inputs, reduction: Reduction) -> Reduction:
    """The merchant's own discount, spread over what is left of each line."""
    left = [
        item.unit_price_dirhams * item.quantity - cut
        for item, cut in zip(inputs.items, reduction.line_dirhams, strict=True)
    ]
    dirhams = min(inputs.manual_discount_dirhams, sum(left))
    if dirhams <= 0:
        return reduction
    # In an order of their own, so that leftover dirhams do not follow the order of the lines.
    order = sorted(range(len(left)), key=lambda n: inputs.items[n].variant_id)
    cuts = list(reduction.line_dirhams)
    for n, share in zip(order, allocate(dirhams, [left[n] for n in order]), strict=True):
        cuts[n] += share
    facts: dict[str, int | str] = {"givenDirhams": inputs.manual_discount_dirhams}
    return msgspec.structs.replace(
        reduction,
        line_dirhams=tuple(cuts),
        discount_dirhams=reduction.discount_dirhams + dirhams,
        steps=(*reduction.steps, Step("discount", "manual_discount", dirhams, facts)),
    )


def _charge(
    inputs: Inputs, goods: int, weight: int, *, is_cod: bool, is_free: bool
) -> rates.DeliveryCharge:
    own = inputs.shipping_override_dirhams
    if own is None:
        return rates.charge(
            inputs.plan,
            inputs.city_code,
            inputs.method,
            goods_dirhams=goods,
            weight_grams=weight,
            is_cod=is_cod,
            is_free=is_free,
        )
    return rates.DeliveryCharge(
        method=cast("Method", inputs.method),
        zone_id=None,
        dirhams=own,
        steps=(Step(rates.AMOUNT, "manual_rate", own),),
    )


async def price_order(
    db: Database, command: PlaceOrder, priced: PricedStore, offers: Sequence[Offer], at: datetime
) -> PricedOrder:
    """What the order costs at this store and these offers.

    Read here and not guarded by the order's batch: shelves, where a promotion asks for them
    (milliseconds old). The coupon and counted uses are guarded by `uses.use`.

    Raises:
        Invalid, OutOfStock, StoreNotFound, CouponUnusable.
    """
    if not priced.store.is_active:
        raise StoreNotFound()
    is_cod = command.payment_method == COD
    try:
        lines = match(command.items, offers)
    except Invalid as error:  # every fault of the order is told at once
        if command.shipping_override_dirhams is not None:
            raise
        where = (priced.plan, command.city_code, command.shipping_method)
        raise Invalid({**error.faults, **rates.faults_of(*where, is_cod=is_cod)}) from None
    rules, coupon = await _rules(db, command, priced)
    products = [line.offer.product_id for line in lines]
    looked_at = (*rules, *((coupon,) if coupon else ()))
    shelves = await shelves_of(db, command.store_id, products, looked_at)
    inputs = Inputs(
        items=tuple(
            PricedItem(
                product_id=line.offer.product_id,
                variant_id=line.offer.variant_id,
                category_ids=shelves.get(line.offer.product_id, ()),
                unit_price_dirhams=line.offer.unit_price_dirhams,
                quantity=line.quantity,
                weight_grams=line.offer.weight_grams,
            )
            for line in lines
        ),
        promotions=tuple(rules),
        coupon=coupon,
        plan=rates.plan_for_city(priced.plan, command.city_code),
        city_code=command.city_code,
        method=command.shipping_method,
        is_cod=is_cod,
        at=at,
        manual_discount_dirhams=command.manual_discount_dirhams,
        shipping_override_dirhams=command.shipping_override_dirhams,
    )
    amounts = calculate(inputs)
    _refuse_excess(inputs, amounts)
    return PricedOrder(_basket(lines, amounts), inputs, amounts.applied)


def _refuse_excess(inputs: Inputs, amounts: Amounts) -> None:
    given = inputs.manual_discount_dirhams
    if given and given != sum(s.dirhams for s in amounts.steps if s.reason == "manual_discount"):
        raise Invalid(
            {
                "manualDiscount": Words(
                    "must be at most what the goods cost", "يجب ألا يزيد على ثمن البضاعة"
                )
            }
        )


def recompute(trace: msgspec.Raw) -> Amounts:
    """The amounts again, from a kept trace."""
    return calculate(msgspec.json.decode(trace, type=Trace).inputs)


async def _rules(
    db: Database, command: PlaceOrder, priced: PricedStore
) -> tuple[list[Rule], Rule | None]:
    """The automatic promotions and the coupon, with this buyer's own uses where they count."""
    coupon = None
    if command.coupon_code is not None:
        coupon = await promotions.get_coupon(db, command.store_id, command.coupon_code)
    wanted = [*priced.promotions, *([coupon] if coupon else [])]
    subjects = discounts.subjects_of(command.customer_phone, command.customer_user_id)
    known = await uses.with_customer(db, command.store_id, wanted, subjects)
    return (known[:-1], known[-1]) if coupon else (known, None)


async def shelves_of(
    db: Database, store_id: int, product_ids: list[int], rules: Sequence[Rule]
) -> Mapping[int, tuple[int, ...]]:
    """All categories that each product counts for, those above its own included; nothing where no
    rule asks for them.
    """
    if not any(_asks_for_categories(rule) for rule in rules):
        return {}
    parents = {c.id: c.parent_id for c in await stores.list_categories(db, store_id)}
    found: dict[int, set[int]] = {}
    for shelf in await stores.list_shelves(db, product_ids):
        category: int | None = shelf.category.id
        mine = found.setdefault(shelf.product_id, set())
        while category is not None and category not in mine:
            mine.add(category)
            category = parents.get(category)
    return {product: tuple(sorted(categories)) for product, categories in found.items()}


def _asks_for_categories(rule: Rule) -> bool:
    return rule.scope.kind == "categories" or bool(rule.scope.excluded_category_ids)


def _basket(lines: Sequence[Priced], amounts: Amounts) -> Basket:
    return basket_of(
        [
            msgspec.structs.replace(line, discount_dirhams=cut)
            for line, cut in zip(lines, amounts.line_discounts, strict=True)
        ],
        discount_dirhams=amounts.discount_dirhams,
        shipping_dirhams=amounts.shipping_dirhams,
        shipping_reason=amounts.shipping_reason,
        steps=amounts.steps,
        weight_grams=amounts.weight_grams,
    )

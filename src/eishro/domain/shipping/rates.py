"""What delivery costs, and why: pure functions over everything of a store that decides it.

The most specific zone that covers the city decides alone: a method that it does not have is not
offered there, even where a wider zone has it. A store without active zones has one rate for every
city. Collecting at the store's own address costs nothing and needs no zone.
"""

from collections.abc import Iterable

import msgspec

from eishro.domain.shipping.zones import (
    METHODS,
    Method,
    PerKilogram,
    Rate,
    WeightStep,
    Zone,
    places_over,
)
from eishro.errors import Invalid, Words
from eishro.trace import Step

AMOUNT = "shippingCost"  # what the steps here are part of
COD_ROUNDINGS = (0, 250, 500, 1000)  # dirhams: notes and coins that people carry


class Pickup(msgspec.Struct, frozen=True):
    """The store lets buyers collect; `address` says where."""

    address: str | None = None


class DeliveryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a store that delivery is priced from; as JSON it can be kept and recomputed.

    `fallback` is the rate where no zone covers the city, None: nothing is delivered there.
    """

    zones: tuple[Zone, ...] = ()
    fallback: Rate | None = None
    pickup: Pickup | None = None
    cod_rounding_dirhams: int = 0


class DeliveryCharge(msgspec.Struct, frozen=True):
    """What delivery by one method costs; `steps` add up to `dirhams`."""

    method: Method
    zone_id: str | None
    dirhams: int
    steps: tuple[Step, ...]

    @property
    def reason(self) -> str:
        """The step that says most: why it is free, else where the rate is from."""
        for step in reversed(self.steps):
            if step.reason.startswith("free_"):
                return step.reason
        return self.steps[0].reason


class DeliveryOption(msgspec.Struct, frozen=True, kw_only=True):
    """A method that a buyer may choose, with its price."""

    charge: DeliveryCharge
    zone_name: str | None
    zone_name_en: str | None
    free_above_dirhams: int | None
    is_cod_allowed: bool
    days_min: int | None
    days_max: int | None
    pickup_address: str | None

    @property
    def method(self) -> Method:
        """Its name in orders."""
        return self.charge.method


class NotServed(Invalid):
    """The store does not deliver there, or not in this way."""


class _Found(msgspec.Struct, frozen=True):
    rate: Rate
    zone: Zone | None
    is_own_pickup: bool = False


def store_plan(
    zones: Iterable[Zone],
    *,
    rate_dirhams: int,
    free_above_dirhams: int | None,
    pickup: Pickup | None = None,
    cod_rounding_dirhams: int = 0,
) -> DeliveryPlan:
    """The plan of a store: its active zones, or its one rate where it has none."""
    active = tuple(zone for zone in zones if zone.is_active)
    fallback = Rate(method="standard", dirhams=rate_dirhams, free_above_dirhams=free_above_dirhams)
    return DeliveryPlan(
        zones=active,
        fallback=None if active else fallback,
        pickup=pickup,
        cod_rounding_dirhams=cod_rounding_dirhams,
    )


def plan_for_city(plan: DeliveryPlan, city_code: str) -> DeliveryPlan:
    """The part of the plan that prices this city: small enough to be kept with an order."""
    zone = _zone_of(plan, city_code)
    return msgspec.structs.replace(
        plan,
        zones=() if zone is None else (msgspec.structs.replace(zone, places=(city_code,)),),
        fallback=plan.fallback if zone is None else None,
    )


def options(
    plan: DeliveryPlan, city_code: str, *, goods_dirhams: int, weight_grams: int, is_cod: bool
) -> tuple[DeliveryOption, ...]:
    """The methods a buyer in this city may choose; none: the store does not deliver there."""
    found = [_find(plan, city_code, method) for method in METHODS]
    return tuple(
        DeliveryOption(
            charge=_charge(each, goods_dirhams, weight_grams, is_cod=is_cod, is_free=False),
            zone_name=each.zone.name if each.zone else None,
            zone_name_en=each.zone.name_en if each.zone else None,
            free_above_dirhams=each.rate.free_above_dirhams,
            is_cod_allowed=each.rate.is_cod_allowed,
            days_min=each.rate.days_min,
            days_max=each.rate.days_max,
            pickup_address=plan.pickup.address if plan.pickup and each.is_own_pickup else None,
        )
        for each in found
        if each is not None and (each.rate.is_cod_allowed or not is_cod)
    )


def charge(
    plan: DeliveryPlan,
    city_code: str,
    method: str,
    *,
    goods_dirhams: int,
    weight_grams: int,
    is_cod: bool,
    is_free: bool = False,
) -> DeliveryCharge:
    """What delivery costs.

    Args:
        goods_dirhams: what the buyer pays for the goods; decides what is free from a threshold on.
        is_free: a promotion pays for it; a fee for cash on delivery stays.

    Raises:
        NotServed
    """
    found = _find(plan, city_code, method)
    if found is None or (is_cod and not found.rate.is_cod_allowed):
        raise NotServed(faults_of(plan, city_code, method, is_cod=is_cod))
    return _charge(found, goods_dirhams, weight_grams, is_cod=is_cod, is_free=is_free)


def faults_of(plan: DeliveryPlan, city_code: str, method: str, *, is_cod: bool) -> dict[str, Words]:
    """Why an order cannot be delivered so, by the member of its body; empty if it can."""
    found = _find(plan, city_code, method)
    if found is None:
        if method == "pickup":
            return {"shipping.method": _NO_PICKUP}
        if _rates_over(plan, _zone_of(plan, city_code)):
            return {"shipping.method": _NO_METHOD}
        return {"shipping.city": _NO_CITY}
    if is_cod and not found.rate.is_cod_allowed:
        return {"payment.method": _NO_COD}
    return {}


def cod_rounding(total_dirhams: int, step: int) -> int:
    """What is added so that a total paid in cash is a multiple of `step` (0: nothing is)."""
    return -total_dirhams % step if step else 0


def rounded(charged: DeliveryCharge, total_dirhams: int, step: int) -> DeliveryCharge:
    """The charge with what rounds up an order's total, which already counts the charge."""
    added = cod_rounding(total_dirhams, step)
    if not added:
        return charged
    why = Step(AMOUNT, "cod_rounding", added, {"totalDirhams": total_dirhams, "toDirhams": step})
    return msgspec.structs.replace(
        charged, dirhams=charged.dirhams + added, steps=(*charged.steps, why)
    )


def _zone_of(plan: DeliveryPlan, city_code: str) -> Zone | None:
    for place in places_over(city_code):
        covering = [zone for zone in plan.zones if zone.is_active and place in zone.places]
        if covering:
            # There is one; were there more, their order must not matter.
            return min(covering, key=lambda zone: zone.id)
    return None


def _find(plan: DeliveryPlan, city_code: str, method: str) -> _Found | None:
    if method == "pickup" and plan.pickup is not None:
        return _Found(_COLLECTED, None, is_own_pickup=True)
    zone = _zone_of(plan, city_code)
    for rate in _rates_over(plan, zone):
        if rate.method == method:
            return _Found(rate, zone)
    return None


def _rates_over(plan: DeliveryPlan, zone: Zone | None) -> tuple[Rate, ...]:
    if zone is not None:
        return zone.rates
    return () if plan.fallback is None else (plan.fallback,)


def _charge(
    found: _Found, goods_dirhams: int, weight_grams: int, *, is_cod: bool, is_free: bool
) -> DeliveryCharge:
    rate, zone = found.rate, found.zone
    if found.is_own_pickup:
        steps = [Step(AMOUNT, "pickup", 0)]
    elif zone is None:
        steps = [Step(AMOUNT, "store_rate", rate.dirhams)]
    else:
        facts: dict[str, int | str] = {"zoneId": zone.id, "zone": zone.name, "method": rate.method}
        steps = [Step(AMOUNT, "zone_rate", rate.dirhams, facts)]
    steps += _for_weight(rate.weight_steps, rate.per_kilogram, weight_grams)
    steps += _freed(rate, sum(step.dirhams for step in steps), goods_dirhams, is_free=is_free)
    if is_cod and rate.cod_fee_dirhams:
        steps.append(Step(AMOUNT, "cod_fee", rate.cod_fee_dirhams))
    return DeliveryCharge(
        method=rate.method,
        zone_id=zone.id if zone else None,
        dirhams=sum(step.dirhams for step in steps),
        steps=tuple(steps),
    )


def _for_weight(
    weight_steps: tuple[WeightStep, ...], per_kilogram: PerKilogram | None, weight_grams: int
) -> list[Step]:
    steps: list[Step] = []
    if weight_steps:
        fitting = (step for step in weight_steps if weight_grams <= step.up_to_grams)
        reached = next(fitting, weight_steps[-1])
        if reached.dirhams:
            facts: dict[str, int | str] = {
                "weightGrams": weight_grams,
                "upToGrams": reached.up_to_grams,
            }
            steps.append(Step(AMOUNT, "weight_step", reached.dirhams, facts))
    if per_kilogram is not None:
        started = -(-max(0, weight_grams - per_kilogram.above_grams) // 1000)
        if started and per_kilogram.dirhams:
            facts = {
                "weightGrams": weight_grams,
                "aboveGrams": per_kilogram.above_grams,
                "kilograms": started,
            }
            steps.append(Step(AMOUNT, "weight_kilograms", started * per_kilogram.dirhams, facts))
    return steps


def _freed(rate: Rate, dirhams: int, goods_dirhams: int, *, is_free: bool) -> list[Step]:
    """The step that takes it all away again, if something makes it free."""
    threshold = rate.free_above_dirhams
    if threshold is not None and goods_dirhams >= threshold:
        facts: dict[str, int | str] = {"goodsDirhams": goods_dirhams, "fromDirhams": threshold}
        return [Step(AMOUNT, "free_above_threshold", -dirhams, facts)]
    if is_free:
        return [Step(AMOUNT, "free_by_promotion", -dirhams)]
    return []


_COLLECTED = Rate(method="pickup", dirhams=0)
_NO_CITY = Words("The store does not deliver to this city.", "المتجر لا يوصل إلى هذه المدينة.")
_NO_METHOD = Words(
    "The store does not deliver to this city by this method.",
    "المتجر لا يوصل إلى هذه المدينة بهذه الطريقة.",
)
_NO_PICKUP = Words(
    "Orders of this store cannot be collected.", "لا يمكن استلام طلبات هذا المتجر من مقره."
)
_NO_COD = Words(
    "Cash on delivery is not offered for this city and method.",
    "الدفع عند الاستلام غير متاح لهذه المدينة وبهذه الطريقة.",
)

"""What delivery costs: the closest zone decides, weight never makes it cheaper, steps add up."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.domain.shipping import rates
from eishro.domain.shipping.cities import CITIES, DISTRICTS
from eishro.domain.shipping.rates import (
    COD_ROUNDINGS,
    DeliveryCharge,
    DeliveryPlan,
    NotServed,
    Pickup,
    charge,
    cod_rounding,
    options,
    plan_for_city,
    rounded,
    store_plan,
)
from eishro.domain.shipping.zones import (
    METHODS,
    PerKilogram,
    Rate,
    WeightStep,
    Zone,
    place_name,
    places_over,
)
from tests.conftest import SEED

AT = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
PLACES = (
    *(city.code for city in CITIES), *(district.code for district in DISTRICTS),
    "west", "east", "south", "*",
)  # fmt: skip
CITY = st.sampled_from([city.code for city in CITIES])
DIRHAMS = st.integers(0, 10**6)
GRAMS = st.integers(0, 50_000)


def a_zone(zone_id: str, *places: str, active: bool = True, **rate: Any) -> Zone:
    rate.setdefault("method", "standard")
    rate.setdefault("dirhams", 10_000)
    return Zone(
        id=zone_id, store_id=1, name=f"منطقة {zone_id}", name_en=zone_id, places=places,
        rates=(Rate(**rate),), is_active=active, position=0, created_at=AT, updated_at=AT,
        version=1,
    )  # fmt: skip


def cost(plan: DeliveryPlan, city: str = "tripoli", method: str = "standard", **with_: Any) -> Any:
    with_ = {"goods_dirhams": 50_000, "weight_grams": 0, "is_cod": False, **with_}
    return charge(plan, city, method, **with_)


def in_short(charged: DeliveryCharge) -> list[tuple[str, int]]:
    return [(step.reason, step.dirhams) for step in charged.steps]


@st.composite
def rates_of(draw: st.DrawFn, method: str) -> Rate:
    grams = sorted(draw(st.sets(st.integers(1, 40_000), max_size=5)))
    extras = sorted(draw(st.lists(DIRHAMS, min_size=len(grams), max_size=len(grams))))
    return Rate(
        method=method,  # type: ignore[arg-type]
        dirhams=draw(DIRHAMS),
        free_above_dirhams=draw(st.none() | DIRHAMS),
        weight_steps=tuple(map(WeightStep, grams, extras)),
        per_kilogram=draw(st.none() | st.builds(PerKilogram, GRAMS, DIRHAMS)),
        cod_fee_dirhams=draw(DIRHAMS),
        is_cod_allowed=draw(st.booleans()),
    )


@st.composite
def plans(draw: st.DrawFn) -> DeliveryPlan:
    """Zones that share no place, as the flow sees to it."""
    places = draw(st.lists(st.sampled_from(PLACES), unique=True, max_size=40))
    zones = []
    for number in range(draw(st.integers(0, 6))):
        size = draw(st.integers(0, 10))
        mine, places = places[:size], places[size:]
        methods = draw(st.lists(st.sampled_from(METHODS), unique=True, max_size=3))
        zone = msgspec.structs.replace(
            a_zone(f"zon_{number}", *mine, active=draw(st.booleans())),
            rates=tuple(draw(rates_of(method)) for method in methods),
        )
        zones.append(zone)
    return store_plan(
        zones,
        rate_dirhams=draw(DIRHAMS),
        free_above_dirhams=draw(st.none() | DIRHAMS),
        pickup=draw(st.none() | st.just(Pickup("شارع الجمهورية"))),
        cod_rounding_dirhams=draw(st.sampled_from(COD_ROUNDINGS)),
    )


def asked(plan: DeliveryPlan, city: str, method: str, **with_: Any) -> DeliveryCharge | str:
    """The charge, or the member that is refused."""
    try:
        return cost(plan, city, method, **with_)  # type: ignore[no-any-return]
    except NotServed as refused:
        (field,) = refused.faults
        return field


@seed(SEED)
@given(plans(), CITY, st.sampled_from(METHODS), DIRHAMS, GRAMS, st.booleans(), st.booleans())
def test_a_charge_is_never_negative_and_its_steps_add_up(
    plan: DeliveryPlan, city: str, method: str, goods: int, grams: int, is_cod: bool, is_free: bool
) -> None:
    charged = asked(
        plan, city, method, goods_dirhams=goods, weight_grams=grams, is_cod=is_cod, is_free=is_free
    )
    if isinstance(charged, str):
        assert charged in ("shipping.city", "shipping.method", "payment.method")
        return
    assert charged.dirhams == sum(step.dirhams for step in charged.steps) >= 0
    assert {step.amount for step in charged.steps} == {"shippingCost"}
    assert charged.reason in {step.reason for step in charged.steps}
    total = goods + charged.dirhams
    after = rounded(charged, total, plan.cod_rounding_dirhams)
    assert after.dirhams == sum(step.dirhams for step in after.steps) >= charged.dirhams
    assert (goods + after.dirhams) % (plan.cod_rounding_dirhams or 1) == 0


@seed(SEED)
@given(plans(), CITY, st.sampled_from(METHODS), DIRHAMS, GRAMS, GRAMS, st.booleans())
def test_a_heavier_parcel_is_never_cheaper(
    plan: DeliveryPlan, city: str, method: str, goods: int, light: int, more: int, is_cod: bool
) -> None:
    with_ = {"goods_dirhams": goods, "is_cod": is_cod}
    first = asked(plan, city, method, weight_grams=light, **with_)
    second = asked(plan, city, method, weight_grams=light + more, **with_)
    if isinstance(first, str):
        assert second == first
    else:
        assert isinstance(second, DeliveryCharge)
        assert first.dirhams <= second.dirhams


@seed(SEED)
@given(plans(), CITY, st.sampled_from(METHODS), st.integers())
def test_the_order_of_zones_and_places_makes_no_difference(
    plan: DeliveryPlan, city: str, method: str, shuffle: int
) -> None:
    turn = random.Random(shuffle)
    zones = [
        msgspec.structs.replace(z, places=tuple(turn.sample(z.places, len(z.places))))
        for z in plan.zones
    ]
    turn.shuffle(zones)
    other = msgspec.structs.replace(plan, zones=tuple(zones))
    assert asked(other, city, method) == asked(plan, city, method)


@seed(SEED)
@given(plans(), CITY, st.booleans())
def test_the_closest_zone_that_covers_a_city_decides_alone(
    plan: DeliveryPlan, city: str, is_cod: bool
) -> None:
    by_place = {place: zone for zone in plan.zones for place in zone.places}
    closest = next((by_place[p] for p in places_over(city) if p in by_place), None)
    found = options(plan, city, goods_dirhams=1, weight_grams=1, is_cod=is_cod)
    delivered = {each.method: each for each in found if each.charge.zone_id is not None}
    if closest is None:
        assert delivered == {}
        return
    expected = {
        rate.method
        for rate in closest.rates
        if (rate.is_cod_allowed or not is_cod) and not (plan.pickup and rate.method == "pickup")
    }
    assert set(delivered) == expected
    assert {each.charge.zone_id for each in delivered.values()} <= {closest.id}


@seed(SEED)
@given(plans(), CITY, DIRHAMS, GRAMS, st.booleans())
def test_options_are_exactly_what_can_be_charged(
    plan: DeliveryPlan, city: str, goods: int, grams: int, is_cod: bool
) -> None:
    with_: dict[str, Any] = {"goods_dirhams": goods, "weight_grams": grams, "is_cod": is_cod}
    found = {each.method: each.charge for each in options(plan, city, **with_)}
    for method in METHODS:
        charged = asked(plan, city, method, **with_)
        assert found.get(method, charged) == charged
        assert (method in found) is isinstance(charged, DeliveryCharge)


@seed(SEED)
@given(plans(), CITY, st.sampled_from(METHODS), DIRHAMS, GRAMS, st.booleans())
def test_a_plan_that_was_kept_as_json_prices_the_same(
    plan: DeliveryPlan, city: str, method: str, goods: int, grams: int, is_cod: bool
) -> None:
    with_ = {"goods_dirhams": goods, "weight_grams": grams, "is_cod": is_cod}
    expected = asked(plan, city, method, **with_)
    for each in (plan, plan_for_city(plan, city)):
        kept = msgspec.json.decode(msgspec.json.encode(each), type=DeliveryPlan)
        assert kept == each
        assert asked(kept, city, method, **with_) == expected


@seed(SEED)
@given(st.integers(0, 10**12), st.sampled_from(COD_ROUNDINGS))
def test_cash_is_rounded_up_and_by_less_than_a_step(total: int, step: int) -> None:
    added = cod_rounding(total, step)
    assert 0 <= added < (step or 1)
    assert (total + added) % (step or 1) == 0


def test_city_beats_district_beats_region_beats_the_rest() -> None:
    zones = [
        a_zone("rest", "*", dirhams=4), a_zone("region", "west", dirhams=3),
        a_zone("district", "LY-TB", dirhams=2), a_zone("city", "tajoura", dirhams=1),
    ]  # fmt: skip
    plan = store_plan(zones, rate_dirhams=99, free_above_dirhams=None)
    of = {city: cost(plan, city).dirhams for city in ("tajoura", "tripoli", "misrata", "sabha")}
    assert of == {"tajoura": 1, "tripoli": 2, "misrata": 3, "sabha": 4}
    # A code that an older list of cities had is somewhere in the country.
    assert cost(plan, "gone").dirhams == 4


def test_a_zone_that_is_switched_off_is_not_there() -> None:
    off = a_zone("off", "tripoli", dirhams=1, active=False)
    rest = a_zone("rest", "*", dirhams=4)
    for zones in ([off, rest], [rest, off]):
        plan = store_plan(zones, rate_dirhams=99, free_above_dirhams=None)
        assert cost(plan).dirhams == 4
    assert in_short(cost(store_plan([off], rate_dirhams=99, free_above_dirhams=None))) == [
        ("store_rate", 99)
    ]


@pytest.mark.parametrize(
    ("goods", "threshold", "dirhams"),
    [
        (99_999, 100_000, 10_000), (100_000, 100_000, 0), (100_001, 100_000, 0),
        (100_000, None, 10_000), (1, 0, 0), (0, 0, 0), (0, 1, 10_000),
    ],
)  # fmt: skip
def test_delivery_is_free_from_the_threshold_on(
    goods: int, threshold: int | None, dirhams: int
) -> None:
    plan = store_plan([], rate_dirhams=10_000, free_above_dirhams=threshold)
    charged = cost(plan, goods_dirhams=goods)
    assert charged.dirhams == dirhams
    assert charged.reason == ("store_rate" if dirhams else "free_above_threshold")


@pytest.mark.parametrize(
    ("grams", "extra"),
    [
        (0, 0), (1_000, 0), (1_001, 2_000), (5_000, 2_000), (5_001, 7_000), (20_000, 7_000),
        (20_001, 8_000), (21_000, 8_000), (21_001, 9_000),
    ],
)  # fmt: skip
def test_weight_costs_its_step_and_each_started_kilogram_above(grams: int, extra: int) -> None:
    zone = a_zone(
        "z", "*",
        weight_steps=(WeightStep(1_000, 0), WeightStep(5_000, 2_000), WeightStep(9_000, 7_000)),
        per_kilogram=PerKilogram(20_000, 1_000),
    )  # fmt: skip
    plan = store_plan([zone], rate_dirhams=0, free_above_dirhams=None)
    assert cost(plan, weight_grams=grams).dirhams == 10_000 + extra


def test_what_is_free_is_not_the_fee_for_cash() -> None:
    zone = a_zone(
        "z", "*", free_above_dirhams=100_000, cod_fee_dirhams=3_000,
        per_kilogram=PerKilogram(0, 500),
    )  # fmt: skip
    plan = store_plan([zone], rate_dirhams=0, free_above_dirhams=None)
    whole = [("zone_rate", 10_000), ("weight_kilograms", 1_000)]
    heavy: dict[str, Any] = {"weight_grams": 1_500, "is_cod": True}
    fee = ("cod_fee", 3_000)
    assert in_short(cost(plan, **heavy)) == [*whole, fee]
    free = cost(plan, goods_dirhams=100_000, **heavy)
    assert in_short(free) == [*whole, ("free_above_threshold", -11_000), fee]
    assert (free.dirhams, free.reason) == (3_000, "free_above_threshold")
    promoted = cost(plan, is_free=True, **heavy)
    assert in_short(promoted) == [*whole, ("free_by_promotion", -11_000), fee]
    assert in_short(cost(plan, weight_grams=1_500, is_free=True))[-1][1] == -11_000


def test_collecting_costs_nothing_and_needs_no_zone() -> None:
    tripoli = a_zone("z", "tripoli", cod_fee_dirhams=3_000)
    plan = store_plan(
        [tripoli], rate_dirhams=0, free_above_dirhams=None, pickup=Pickup("شارع الجمهورية")
    )
    for city in ("tripoli", "sabha"):
        charged = cost(plan, city, "pickup", weight_grams=10**6, is_cod=True)
        assert in_short(charged) == [("pickup", 0)]
    (only,) = options(plan, "sabha", goods_dirhams=0, weight_grams=0, is_cod=True)
    assert (only.method, only.pickup_address) == ("pickup", "شارع الجمهورية")


def test_collecting_at_a_carrier_s_office_costs_what_the_zone_says() -> None:
    office = a_zone("z", "LY-SB", method="pickup", dirhams=5_000)
    plan = store_plan([office], rate_dirhams=0, free_above_dirhams=None)
    assert in_short(cost(plan, "sabha", "pickup")) == [("zone_rate", 5_000)]
    assert asked(plan, "sabha", "standard") == "shipping.method"
    assert asked(plan, "tripoli", "pickup") == "shipping.method"


def test_what_is_not_served_is_named() -> None:
    west = a_zone("w", "west", is_cod_allowed=False)
    nowhere = msgspec.structs.replace(a_zone("k", "kufra"), rates=())
    plan = store_plan([west, nowhere], rate_dirhams=1, free_above_dirhams=None)
    assert asked(plan, "benghazi", "standard") == "shipping.city"
    assert asked(plan, "kufra", "standard") == "shipping.city"
    assert asked(plan, "tripoli", "express") == "shipping.method"
    assert asked(plan, "tripoli", "pickup") == "shipping.method"
    assert asked(plan, "tripoli", "by drone") == "shipping.method"
    assert asked(plan, "tripoli", "standard", is_cod=True) == "payment.method"
    assert options(plan, "tripoli", goods_dirhams=0, weight_grams=0, is_cod=True) == ()
    for field, words in rates.faults_of(plan, "kufra", "standard", is_cod=False).items():
        assert field == "shipping.city"
        assert words.en != words.ar
    assert asked(store_plan([], rate_dirhams=1, free_above_dirhams=None), "sabha", "express") == (
        "shipping.method"
    )


def test_every_place_has_a_name_in_both_languages() -> None:
    for place in PLACES:
        assert place_name(place).en != place_name(place).ar
    assert place_name("gone") == ("gone", "gone")

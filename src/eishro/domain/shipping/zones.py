"""A store's delivery zones as values: which places, by which methods, for how much. Pure.

A place is the code of a city (`misrata`), of a district (`LY-BA`), a region (`west`, `east`,
`south`) or `*`, the rest of the country. A place stands in one active zone at most, so that a
city has one price; of the zones that cover a city the one that names it most closely counts.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args

import msgspec

from eishro.domain.shipping.cities import CITIES, DISTRICTS, Region, find_city
from eishro.errors import NotFound, Words

ZONES_MAX = 50  # in one store
PLACES_MAX = 200  # in one zone
WEIGHT_STEPS_MAX = 20  # of one rate
WEIGHT_GRAMS_MAX = 10_000_000  # of one step: ten tonnes
DAYS_MAX = 90

REST = "*"  # the rest of the country
Method = Literal["standard", "express", "pickup"]
METHODS: tuple[Method, ...] = get_args(Method)

_REGIONS: tuple[str, ...] = get_args(Region)
_DISTRICTS = {district.code: district for district in DISTRICTS}
_CITIES = {city.code: city for city in CITIES}


class WeightStep(msgspec.Struct, frozen=True):
    """Parcels of up to so many grams cost so much on top of the rate."""

    up_to_grams: int
    dirhams: int


class PerKilogram(msgspec.Struct, frozen=True):
    """Each started kilogram above a weight costs so much on top of the rate."""

    above_grams: int
    dirhams: int


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What one method costs in a zone.

    `weight_steps` rise in grams and never fall in dirhams; a parcel heavier than the last one
    costs as much as the last, and `per_kilogram` where that is set. From `free_above_dirhams` of
    goods on the rate and the weight cost nothing; the fee for cash on delivery stays.
    """

    method: Method
    dirhams: int
    free_above_dirhams: int | None = None
    weight_steps: tuple[WeightStep, ...] = ()
    per_kilogram: PerKilogram | None = None
    cod_fee_dirhams: int = 0
    is_cod_allowed: bool = True
    days_min: int | None = None
    days_max: int | None = None


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone of a store, with at most one rate a method."""

    id: str
    store_id: int
    name: str
    name_en: str | None
    places: tuple[str, ...]
    rates: tuple[Rate, ...]
    is_active: bool
    position: int
    created_at: datetime
    updated_at: datetime
    version: int


class ZoneNotFound(NotFound):
    """No such zone in this store."""

    words = Words("There is no such delivery zone.", "لا توجد منطقة توصيل بهذا الرقم.")


def find_place(text: str) -> str | None:
    """The place that a person or a program means, or None.

    Takes `*`, a region, the ISO code of a district (which stands for all of it, other than in an
    address), or whatever `cities.find_city` knows.
    """
    bare = text.strip()
    if bare == REST or bare.lower() in _REGIONS:
        return bare.lower()
    if bare.upper() in _DISTRICTS:
        return bare.upper()
    city = find_city(bare)
    return None if city is None else city.code


def place_name(place: str) -> Words:
    """The place in both languages; a code of an older list is shown as it is."""
    if place in _REGION_NAMES:
        return _REGION_NAMES[place]
    known = _CITIES.get(place) or _DISTRICTS.get(place)
    return Words(place, place) if known is None else Words(known.name_en, known.name_ar)


@functools.lru_cache(maxsize=500)  # there are fewer cities
def places_over(city_code: str) -> tuple[str, ...]:
    """The places that cover a city, the closest first: itself, its district, its region, `*`."""
    city = _CITIES.get(city_code)
    if city is None:
        return (city_code, REST)
    return (city.code, city.district, _DISTRICTS[city.district].region, REST)


def faults_of_places(places: Sequence[str], others: Iterable[Zone]) -> dict[str, Words]:
    """What is wrong with the places of a zone, by their index.

    Args:
        others: the store's other zones that are active; empty for a zone that is not.
    """
    taken = {place: zone.name for zone in others for place in zone.places}
    faults: dict[str, Words] = {}
    seen: set[str] = set()
    for index, place in enumerate(places):
        named = place_name(place)
        if place in seen:
            faults[f"places[{index}]"] = Words(
                f"{named.en} ({place}) is in this zone already.",
                f"{named.ar} ({place}) موجودة في هذه المنطقة بالفعل.",
            )
        elif place in taken:
            faults[f"places[{index}]"] = Words(
                f"{named.en} ({place}) is in the active zone «{taken[place]}» already.",
                f"{named.ar} ({place}) موجودة في المنطقة المفعلة «{taken[place]}» بالفعل.",
            )
        seen.add(place)
    return faults


def faults_of_rates(rates: Sequence[Rate]) -> dict[str, Words]:
    """What is wrong with the rates of a zone, by their index."""
    faults: dict[str, Words] = {}
    methods: set[str] = set()
    for index, rate in enumerate(rates):
        at = f"rates[{index}]"
        if rate.method in methods:
            faults[f"{at}.method"] = Words(
                "Another rate of this zone is for the same method.",
                "سعر آخر في هذه المنطقة للطريقة نفسها.",
            )
        methods.add(rate.method)
        if (rate.days_min or 0) > (DAYS_MAX if rate.days_max is None else rate.days_max):
            faults[f"{at}.daysMax"] = Words(
                "must not be less than daysMin", "يجب ألا يقل عن daysMin"
            )
        faults.update(_faults_of_steps(at, rate.weight_steps))
    return faults


def _faults_of_steps(at: str, steps: Sequence[WeightStep]) -> Mapping[str, Words]:
    faults: dict[str, Words] = {}
    for index in range(1, len(steps)):
        before, step = steps[index - 1], steps[index]
        if step.up_to_grams <= before.up_to_grams:
            faults[f"{at}.weightSteps[{index}].upToGrams"] = Words(
                "must be more than in the step before", "يجب أن يزيد عن الدرجة السابقة"
            )
        if step.dirhams < before.dirhams:
            faults[f"{at}.weightSteps[{index}].extra"] = Words(
                "must not be less than in the step before", "يجب ألا يقل عن الدرجة السابقة"
            )
    return faults


_REGION_NAMES = {
    "west": Words("West", "المنطقة الغربية"),
    "east": Words("East", "المنطقة الشرقية"),
    "south": Words("South", "المنطقة الجنوبية"),
    REST: Words("The rest of Libya", "بقية مناطق ليبيا"),
}

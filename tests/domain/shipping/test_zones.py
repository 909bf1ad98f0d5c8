"""Zones as values: places however they are spelled, and what is wrong with a zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.shipping.cities import CITIES, DISTRICTS
from eishro.domain.shipping.zones import (
    Rate,
    WeightStep,
    faults_of_places,
    faults_of_rates,
    find_place,
    places_over,
)
from tests.domain.shipping.test_rates import a_zone


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("*", "*"), (" * ", "*"), ("west", "west"), ("East", "east"), ("LY-BA", "LY-BA"),
        ("ly-sb", "LY-SB"), ("مصراته", "misrata"), ("Benghazi", "benghazi"), ("Al Jawf", "kufra"),
        ("north", None), ("LY-XX", None), ("", None), ("**", None), ("Paris", None),
    ],
)  # fmt: skip
def test_places_are_understood(typed: str, place: str | None) -> None:
    assert find_place(typed) == place


@given(st.text(max_size=60))
def test_any_text_is_a_place_or_none(typed: str) -> None:
    place = find_place(typed)
    assert place is None or find_place(place) == place


def test_every_city_is_covered_by_its_district_and_region() -> None:
    regions = {district.code: district.region for district in DISTRICTS}
    for city in CITIES:
        assert places_over(city.code) == (city.code, city.district, regions[city.district], "*")
    assert places_over("gone") == ("gone", "*")


def test_a_place_stands_in_one_active_zone_and_the_fault_names_it() -> None:
    others = [a_zone("zon_1", "tripoli", "east"), a_zone("zon_2", "*")]
    faults = faults_of_places(("misrata", "tripoli", "LY-TB", "misrata", "*"), others)
    assert set(faults) == {"places[1]", "places[3]", "places[4]"}
    assert "Tripoli (tripoli)" in faults["places[1]"].en
    assert "طرابلس" in faults["places[1]"].ar
    assert "منطقة zon_1" in faults["places[1]"].en
    # A district beside one of its cities is no overlap: the city's zone is closer.
    assert faults_of_places(("LY-TB",), others) == {}


def test_every_fault_of_the_rates_is_named_at_once() -> None:
    falling = (WeightStep(1_000, 5), WeightStep(1_000, 4), WeightStep(2_000, 4))
    faults = faults_of_rates(
        [
            Rate(method="standard", dirhams=1, days_min=1, days_max=1),
            Rate(method="express", dirhams=1, days_min=3, days_max=2, weight_steps=falling),
            Rate(method="standard", dirhams=1, days_min=90),
        ]
    )
    assert set(faults) == {
        "rates[1].daysMax", "rates[1].weightSteps[1].upToGrams", "rates[1].weightSteps[1].extra",
        "rates[2].method",
    }  # fmt: skip

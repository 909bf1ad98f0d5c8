"""The places of Libya, and finding them however they are spelled."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.shipping.cities import CITIES, DISTRICTS, City, find_city
from eishro.text import slugify

# ISO 3166-2:LY
ISO_CODES = re.findall("..", "BABUDRGTJAJGJIJUKFMBMIMJMQNLNQSBSRTBWAWDWSZA")


def test_districts_are_those_of_the_standard() -> None:
    assert sorted(district.code for district in DISTRICTS) == [f"LY-{code}" for code in ISO_CODES]


def test_every_district_has_its_seat_among_its_own_cities() -> None:
    by_code = {city.code: city for city in CITIES}
    for district in DISTRICTS:
        assert by_code[district.seat].district == district.code
        assert find_city(district.code.lower()) is by_code[district.seat]


def test_codes_are_unique_slugs_of_the_english_names() -> None:
    assert len({city.code for city in CITIES}) == len(CITIES) >= 105
    for city in CITIES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", city.code)
        assert city.code == slugify(city.name_en)


@pytest.mark.parametrize("city", CITIES, ids=lambda city: city.code)
def test_every_spelling_finds_its_own_city_and_no_other(city: City) -> None:
    for spelling in (city.code, city.name_ar, city.name_en, *city.aliases):
        for typed in (spelling, spelling.upper(), f" {spelling} ", spelling.replace(" ", "-")):
            assert find_city(typed) is city
        assert find_city(spelling.replace(" ", "")) is city
    assert find_city(city.name_ar.removeprefix("ال")) is city
    assert find_city(f"Al {city.name_en}") is city


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("مصراته", "misrata"),
        ("مصراتة", "misrata"),
        ("Misurata", "misrata"),
        ("اجدابيا", "ajdabiya"),
        ("أجدابيا", "ajdabiya"),
        ("صبراته", "sabratha"),
        ("القره بوللي", "garabulli"),
        ("القرةبوللي", "garabulli"),
        ("قصر بن غاشير", "qasr-bin-ghashir"),
        ("قصر بن غشير", "qasr-bin-ghashir"),
        ("Zletin", "zliten"),
        ("Khums", "khoms"),
        ("Alkhoms", "khoms"),
        ("AL-KHOMS", "khoms"),
        ("Az Zawiyah", "zawiya"),
        ("el-Beida", "bayda"),
        ("بيضاء", "bayda"),
        ("طَرَابُلُس", "tripoli"),
        ("بن غازي", "benghazi"),
        ("سوق الجمعه", "souq-al-jumaa"),
        ("Al Jawf", "kufra"),
        ("LY-JG", "gharyan"),
        ("LY-JA", "bayda"),
    ],
)
def test_common_spellings_are_understood(typed: str, code: str) -> None:
    found = find_city(typed)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    "typed",
    ["", " ", "-", "ال", "Al", "Paris", "القاهرة", "LY-XX", "LY", "الجبل الأخضر", "x" * 999],
)
def test_other_text_is_no_city(typed: str) -> None:
    assert find_city(typed) is None


@given(st.text(max_size=100))
def test_any_text_is_answered_without_an_error(typed: str) -> None:
    assert find_city(typed) in (None, *CITIES)

"""Carriers: the spellings of one have one key, and nobody else's."""

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.domain.shipping.carriers import carrier_key
from tests.conftest import SEED


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("amyal", "amyal|AMYAL|Amyal Express|أميال|اميال|شركة أميال للشحن|اميال اكسبريس|am yal"),
        ("vanex", "Vanex|فانكس|VanEx Delivery|شركة فانكس|van-ex"),
        ("d-express", "D-Express|d express|dexpress|دي اكسبريس|دي إكسبريس"),
        ("darb", "Darb|درب|Darb Sabil|درب السبيل"),
        ("miaar", "Miaar|معيار|شركة معيار"),
        ("camex", "CAMEX|كامكس"),
        ("manual", "manual|يدوي"),
    ],
)
def test_spellings_of_one_carrier_have_one_key(key: str, names: str) -> None:
    assert {carrier_key(name) for name in names.split("|")} == {key}


def test_others_are_carriers_by_their_own_names() -> None:
    assert carrier_key("صقر الجنوب") == carrier_key("صَقر  الجنوب") == "صقر-الجنوب"
    assert carrier_key("Green Box Express") == carrier_key("green-box") == "green-box"
    assert carrier_key("Express Delivery") == "express-delivery"
    assert carrier_key("!!") == ""


@seed(SEED)
@given(st.text(max_size=40))
def test_a_key_is_its_own_key(name: str) -> None:
    key = carrier_key(name)
    assert carrier_key(key) == key

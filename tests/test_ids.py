"""Ids: sorted by time, never twice, and codes that people can read to each other."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.ids import first_id, last_id, readable_code, text_id
from tests.conftest import SEED

START = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
MOMENTS = st.datetimes(
    datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC), allow_imaginary=False
)


@pytest.mark.parametrize("prefix", ["ord", "pay", "evt"])
def test_an_id_is_its_prefix_and_26_sortable_characters(prefix: str) -> None:
    kind, _, rest = text_id(prefix, START).partition("_")
    assert kind == prefix
    assert len(rest) == 26
    assert set(rest) <= set("0123456789abcdefghjkmnpqrstvwxyz")


@seed(SEED)
@given(MOMENTS, MOMENTS)
def test_later_ids_sort_behind_earlier_ones(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    if second - first > timedelta(milliseconds=1):
        assert text_id("ord", first) < text_id("ord", second)


@seed(SEED)
@given(MOMENTS)
def test_an_id_has_one_length_at_any_time(at: datetime) -> None:
    assert len(text_id("ord", at)) == 30


def test_ids_of_one_instant_are_all_different_and_share_their_time() -> None:
    made = [text_id("ord", START) for _ in range(20_000)]
    assert len(set(made)) == len(made)
    # 48 of the 130 bits are the time: nine whole characters.
    assert len({one[: len("ord_") + 9] for one in made}) == 1
    assert len({one[-8:] for one in made}) > 19_000, "the rest is random"


def test_what_was_made_in_a_stretch_of_time_lies_between_its_first_and_last_id() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    step = timedelta(milliseconds=1)
    for _ in range(50):
        assert first_id("ord", at) < text_id("ord", at) < last_id("ord", at)
        assert last_id("ord", at - step) < text_id("ord", at) < first_id("ord", at + step)
    ever = datetime.max.replace(tzinfo=UTC)
    assert first_id("ord", datetime.min.replace(tzinfo=UTC)) < text_id("ord", at)
    assert text_id("ord", at) < last_id("ord", ever)


def test_the_zone_a_time_is_written_in_does_not_matter() -> None:
    from eishro.clock import TRIPOLI

    there = text_id("ord", START.astimezone(TRIPOLI))
    assert there[:13] == text_id("ord", START)[:13]


@pytest.mark.parametrize("length", [1, 5, 8, 16, 36])
def test_a_code_for_people_has_no_look_alikes(length: int) -> None:
    seen = set("".join(readable_code(length) for _ in range(500)))
    assert {len(readable_code(length)) for _ in range(20)} == {length}
    assert not seen & set("01OIL")
    assert not seen & set("AEU"), "no vowel that could spell a word"
    assert seen <= set("23456789BCDFGHJKMNPQRSTVWXYZ")


def test_codes_of_an_order_number_s_length_hardly_ever_meet() -> None:
    made = {readable_code(8) for _ in range(5_000)}
    assert len(made) >= 4_999

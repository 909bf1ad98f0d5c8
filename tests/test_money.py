"""Money: decimals at the doors, whole dirhams inside, nothing lost when an amount is split."""

from decimal import Decimal

import pytest
from hypothesis import example, given, seed
from hypothesis import strategies as st

from eishro import money
from eishro.money import DIRHAMS_MAX, allocate, decimal_from_dirhams, dirhams_from_decimal
from tests.conftest import SEED

AMOUNTS = st.integers(-DIRHAMS_MAX, DIRHAMS_MAX)
WEIGHTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=100).filter(any)


def test_a_dinar_is_a_thousand_dirhams() -> None:
    assert money.EXPONENTS["LYD"] == 3
    assert dirhams_from_decimal(Decimal("25.5")) == 25_500
    assert str(decimal_from_dirhams(25_500)) == "25.500"
    assert str(decimal_from_dirhams(0)) == "0.000"
    assert str(decimal_from_dirhams(-1)) == "-0.001"


@seed(SEED)
@given(AMOUNTS)
@example(DIRHAMS_MAX)
@example(-DIRHAMS_MAX)
@example(1)
def test_every_amount_survives_the_way_out_and_in(dirhams: int) -> None:
    shown = decimal_from_dirhams(dirhams)
    assert shown.as_tuple().exponent == -3
    assert dirhams_from_decimal(shown) == dirhams
    assert dirhams_from_decimal(Decimal(str(shown))) == dirhams


@seed(SEED)
@given(AMOUNTS, st.integers(1, 12))
def test_zeros_behind_the_third_decimal_say_nothing(dirhams: int, zeros: int) -> None:
    assert dirhams_from_decimal(Decimal(f"{decimal_from_dirhams(dirhams)}{'0' * zeros}")) == dirhams


@seed(SEED)
@given(st.integers(1 - DIRHAMS_MAX, DIRHAMS_MAX - 1), st.integers(1, 9), st.integers(0, 11))
def test_a_fourth_decimal_is_refused_and_not_rounded(dirhams: int, digit: int, zeros: int) -> None:
    with pytest.raises(ValueError, match="decimals"):
        dirhams_from_decimal(Decimal(f"{decimal_from_dirhams(dirhams)}{'0' * zeros}{digit}"))


@pytest.mark.parametrize(
    "text",
    ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1000000000.001", "-1000000000.001", "1e10",
     "1e300", "-1e300"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        dirhams_from_decimal(Decimal(text))


def test_the_largest_amount_is_exact_everywhere() -> None:
    assert DIRHAMS_MAX * 1000 < 2**53
    assert dirhams_from_decimal(Decimal("1e9")) == DIRHAMS_MAX


@seed(SEED)
@given(AMOUNTS, WEIGHTS)
def test_a_split_amount_adds_up_and_each_part_is_its_share(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert len(parts) == len(weights)
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        # Never a whole dirham away from the exact share, and never on the other side of zero.
        assert abs(part * whole - total * weight) < whole
        assert part * total >= 0
        assert weight or not part


@seed(SEED)
@given(AMOUNTS, WEIGHTS)
def test_a_refund_is_split_as_its_payment_was(total: int, weights: list[int]) -> None:
    assert allocate(-total, weights) == [-part for part in allocate(total, weights)]


@seed(SEED)
@given(AMOUNTS, WEIGHTS)
def test_equal_weights_get_equal_parts_but_for_one_dirham(total: int, weights: list[int]) -> None:
    parts = [abs(part) for part in allocate(total, [7] * len(weights))]
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True), "the first lines take what is left over"


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1], [-5, 10], [-1]])
def test_weights_that_share_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(100, weights)

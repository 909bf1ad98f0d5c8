"""What may still come back, and what it is worth: no dirham is lost or given twice."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.returns.model import Asked, Bought, check_asked, is_late, worth
from eishro.errors import Invalid

_NOW = datetime(2026, 11, 27, tzinfo=UTC)


@given(st.integers(0, 10**12), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_all_pieces_together_are_worth_what_was_paid(net: int, parts: list[int]) -> None:
    bought = Bought(1, "x", sum(parts), net)
    arrived, shares = 0, []
    for quantity in parts:
        shares.append(worth(bought, arrived, quantity))
        arrived += quantity
    assert sum(shares) == net
    assert min(shares) >= 0


@given(st.integers(1, 100), st.integers(0, 100), st.integers(1, 100))
def test_never_more_comes_back_than_was_bought(bought: int, taken: int, asked: int) -> None:
    line = {1: Bought(1, "x", bought, 1_000)}
    if taken + asked <= bought:
        check_asked([Asked(1, asked)], line, {1: taken})
        return
    with pytest.raises(Invalid) as refused:
        check_asked([Asked(1, asked)], line, {1: taken})
    assert set(refused.value.faults) == {"lines[0].quantity"}


def test_every_fault_is_told_at_once() -> None:
    line = {1: Bought(1, "x", 2, 1_000), 2: Bought(2, "y", 1, 1_000)}
    with pytest.raises(Invalid) as refused:
        check_asked([Asked(1, 1), Asked(1, 1), Asked(9, 1), Asked(2, 5)], line, {})
    assert set(refused.value.faults) == {
        "lines[1].variantId", "lines[2].variantId", "lines[3].quantity",
    }  # fmt: skip


def test_the_time_begins_with_the_delivery() -> None:
    window = timedelta(days=14)
    assert not is_late(None, _NOW, window)
    assert not is_late(_NOW - window, _NOW, window)
    assert is_late(_NOW - window - timedelta(seconds=1), _NOW, window)

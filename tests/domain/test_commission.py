"""The platform's share: whole dirhams, never more than agreed, given back to the last one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.ledger.commission import commission_added, commission_back, commission_of

_RATES = st.integers(0, 10_000)
_AMOUNTS = st.integers(0, 10**12)


@given(_AMOUNTS, _RATES)
def test_a_share_is_rounded_down_by_less_than_a_dirham(amount: int, rate: int) -> None:
    share = commission_of(amount, rate)
    assert 0 <= share <= amount
    assert 0 <= amount * rate - share * 10_000 < 10_000
    assert commission_added(rate, 0, amount) == {"commission": share, "platform_fees": -share}


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), _RATES)
def test_refunds_in_pieces_give_back_exactly_the_whole_share(pieces: list[int], rate: int) -> None:
    total, before, given_back = sum(pieces), 0, 0
    for piece in pieces:
        back = commission_back(total, rate, before, piece)
        assert back >= 0
        before += piece
        given_back += back
        # What is kept is at any time the share of what is left.
        assert commission_of(total, rate) - given_back == commission_of(total - before, rate)
    assert given_back == commission_of(total, rate)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), _RATES)
def test_two_refunds_give_back_what_one_would(
    left: int, first: int, second: int, rate: int
) -> None:
    total = left + first + second
    apart = commission_back(total, rate, 0, first) + commission_back(total, rate, first, second)
    assert apart == commission_back(total, rate, 0, first + second)


@pytest.mark.parametrize(
    ("amount", "rate", "share"),
    [(35_500, 250, 887), (1, 9_999, 0), (1, 10_000, 1), (99, 100, 0), (100, 100, 1), (0, 250, 0)],
)
def test_shares_of_some_amounts(amount: int, rate: int, share: int) -> None:
    assert commission_of(amount, rate) == share


def test_nonsense_is_a_fault() -> None:
    for amount, rate in ((-1, 100), (1, -1), (1, 10_001)):
        with pytest.raises(ValueError, match="no share"):
            commission_of(amount, rate)
    for before, now in ((0, 101), (60, 41), (-1, 1), (0, -1), (101, 0)):
        with pytest.raises(ValueError, match="cannot be refunded"):
            commission_back(100, 250, before, now)

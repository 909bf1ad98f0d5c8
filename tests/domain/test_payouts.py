"""Bank details and the two people of a payout, without a database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.payouts.iban import masked, normalise_iban
from eishro.domain.payouts.model import (
    Payout,
    PayoutNotPossible,
    PayoutTooEarly,
    TwoPeopleNeeded,
    available_of,
)

AT = datetime(2026, 1, 15, tzinfo=UTC)
IBAN = "LY83002048000020100120361"


def _payout(**members: object) -> Payout:
    known: dict[str, object] = {
        "id": "pyo_1", "store_id": 1, "amount_dirhams": 5, "status": "requested",
        "beneficiary": "x", "bank": "y", "iban": IBAN, "requested_by": 1, "requested_at": AT,
        "not_before": AT, "approved_by": None, "approved_at": None, "paid_by": None,
        "paid_at": None, "reference": None, "closed_by": None, "closed_at": None,
        "reason": None, "version": 1,
    }  # fmt: skip
    return Payout(**{**known, **members})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", [IBAN, "ly83 0020 4800 0020 1001 2036 1", "LY٨٣٠٠٢٠٤٨٠٠٠٠٢٠١٠٠١٢٠٣٦١"]
)
def test_an_iban_is_welcome_as_people_write_it(text: str) -> None:
    assert normalise_iban(text) == IBAN


@pytest.mark.parametrize(
    "text", ["LY5802500008510081121000", "LY5802500810085121000", "", "LY", "DE" + IBAN[2:]]
)
def test_what_is_no_libyan_iban_is_refused(text: str) -> None:
    assert normalise_iban(text) is None


@given(st.integers(2, 24), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(place: int, off: int) -> None:
    wrong = str((int(IBAN[place]) + off) % 10)
    assert normalise_iban(IBAN[:place] + wrong + IBAN[place + 1 :]) is None


@given(st.text())
def test_any_text_is_an_iban_or_none(text: str) -> None:
    assert normalise_iban(text) is None or len(normalise_iban(text) or "") == 25


def test_a_mask_shows_its_ends_alone() -> None:
    assert masked(IBAN) == "LY83…0361"


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_no_person_does_two_steps_in_a_row(asked: int, approves: int, pays: int) -> None:
    payout = _payout(requested_by=asked)
    try:
        paid = payout.approve(approves, AT).pay(pays, AT, "FT")
    except TwoPeopleNeeded:
        assert asked == approves or approves == pays
    else:
        assert asked != approves != pays
        assert (paid.status, paid.paid_by, paid.reference) == ("paid", pays, "FT")


def test_it_waits_after_a_change_of_the_bank_account() -> None:
    payout = _payout(not_before=AT + timedelta(hours=1))
    with pytest.raises(PayoutTooEarly):
        payout.approve(2, AT)
    assert payout.approve(2, AT + timedelta(hours=1)).status == "approved"


def test_steps_have_an_order() -> None:
    approved = _payout(status="approved", approved_by=2)
    wrongs: tuple[Callable[[], Payout], ...] = (
        lambda: _payout().pay(2, AT, "x"),
        lambda: approved.approve(3, AT),
        lambda: approved.close("cancelled", 1, AT, None),
        lambda: _payout(status="paid").close("rejected", 1, AT, "x"),
        lambda: _payout(status="cancelled").approve(2, AT),
    )
    for wrong in wrongs:
        with pytest.raises(PayoutNotPossible):
            wrong()
    assert approved.close("rejected", 2, AT, "x").status == "rejected"


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_nobody_may_ask_for_less_than_nothing(owed: int, waiting: int) -> None:
    assert available_of(owed, waiting) == max(0, owed - waiting)

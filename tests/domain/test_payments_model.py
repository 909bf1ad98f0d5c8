"""Payment attempts as values: what answers make of them, whatever comes and how often."""

import itertools
import typing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.domain.payments.model import (
    NEWS_PAUSES,
    PAID_SWEEP_DAYS_MAX,
    SETTLED,
    SWEEP_DAYS,
    SWEEP_PAUSES,
    Payment,
    Status,
)
from eishro.domain.payments.port import Answer, Failed, Paid, Receipt, Unknown
from tests.conftest import SEED

AT = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
LATER = AT + timedelta(seconds=30)
TOTAL = 35_500
STATUSES: tuple[Status, ...] = typing.get_args(Status)
UNSETTLED = [status for status in STATUSES if status not in SETTLED]


def a_payment(**members: Any) -> Payment:
    payment = Payment(
        id="pay_1",
        store_id=1,
        order_id="ord_1",
        method="moamalat",
        provider="moamalat",
        reference="R" * 16,
        amount_dirhams=TOTAL,
        currency="LYD",
        status="action_required",
        action=None,
        failure=None,
        review=None,
        return_url=None,
        checks=0,
        news_checks=0,
        next_check_at=AT + SWEEP_PAUSES[0],
        expires_at=AT + timedelta(hours=1),
        created_at=AT,
        updated_at=AT,
        version=1,
    )
    return msgspec.structs.replace(payment, **members)


def paid(*amounts: int, currency: str = "LYD") -> Paid:
    return Paid(
        tuple(
            Receipt(
                provider_reference=f"t{number}",
                terminal="T1",
                amount_dirhams=amount,
                currency=currency,
            )
            for number, amount in enumerate(amounts)
        )
    )


def apart_from_the_look(payment: Payment) -> Payment:
    """Without what every question leaves behind: when and how often it was asked."""
    return msgspec.structs.replace(
        payment, checks=0, news_checks=0, next_check_at=None, updated_at=AT
    )


@pytest.mark.parametrize("status", UNSETTLED)
def test_the_exact_amount_pays_from_any_open_or_closed_state(status: Status) -> None:
    after = a_payment(status=status, failure="No funds").answered(paid(TOTAL), LATER)
    assert (after.status, after.failure, after.review) == ("paid", None, None)
    # Once more on each of three days: the payer may have paid it twice.
    looks = []
    while after.next_check_at is not None:
        looks.append(after.next_check_at - AT)
        after = after.answered(paid(TOTAL), after.next_check_at)
    assert looks == [timedelta(days=days) for days in (1, 2, 3)]


@pytest.mark.parametrize("status", UNSETTLED)
@pytest.mark.parametrize(
    "answer",
    [
        paid(TOTAL - 1), paid(TOTAL + 1), paid(1), paid(TOTAL * 1000), paid(0),
        paid(TOTAL // 2, TOTAL // 2), paid(TOTAL, currency="USD"), paid(TOTAL, currency="lyd"),
        paid(),
    ],
    ids=repr,
)  # fmt: skip
def test_another_amount_or_currency_is_for_people_to_look_at(status: Status, answer: Paid) -> None:
    after = a_payment(status=status).answered(answer, LATER)
    assert (after.status, after.review) == ("unknown", "amount_differs")


def test_one_exact_receipt_among_others_pays() -> None:
    for answer in (paid(TOTAL, TOTAL), paid(1, TOTAL), paid(TOTAL, 1)):
        assert a_payment().answered(answer, LATER).status == "paid"


@pytest.mark.parametrize("status", sorted(SETTLED))
@pytest.mark.parametrize("answer", [paid(TOTAL), paid(1), paid(), Failed("no"), Unknown("?")])
def test_settled_never_goes_back(status: Status, answer: Answer) -> None:
    before = a_payment(status=status, review="paid_already")
    after = before.answered(answer, LATER)
    assert apart_from_the_look(after) == apart_from_the_look(before)
    assert after.next_check_at == AT + timedelta(days=1)
    assert before.closed("expired", LATER) == before
    assert before.told(LATER) == before


@pytest.mark.parametrize("status", UNSETTLED)
def test_unknown_says_nothing(status: Status) -> None:
    before = a_payment(status=status)
    after = before.answered(Unknown("HTTP 500"), LATER)
    assert apart_from_the_look(after) == apart_from_the_look(before)
    assert after.next_check_at == AT + SWEEP_PAUSES[0], "the question stays open"


@pytest.mark.parametrize("status", UNSETTLED)
def test_a_no_fails_what_was_open_and_leaves_what_was_closed(status: Status) -> None:
    after = a_payment(status=status).answered(Failed("Insufficient funds" * 50), LATER)
    closed = {"cancelled", "expired", "failed"}
    assert after.status == (status if status in closed else "failed")
    assert after.failure is not None
    assert 0 < len(after.failure) <= 200
    assert after.next_check_at is not None, "another card may still pay it"


@pytest.mark.parametrize("answer", [paid(TOTAL), paid(1), Failed("no"), Unknown("?")])
def test_a_repeat_changes_nothing(answer: Answer) -> None:
    once = a_payment().answered(answer, LATER)
    again = once.answered(answer, LATER)
    assert apart_from_the_look(again) == apart_from_the_look(once)


@pytest.mark.parametrize("status", STATUSES)
def test_closing_keeps_money_and_everything_else(status: Status) -> None:
    before = a_payment(status=status)
    for to in ("cancelled", "expired"):
        after = before.closed(to, LATER)
        assert after.status == (status if status in SETTLED else to)
        assert after.next_check_at == before.next_check_at, "late money is still noticed"


AMOUNTS = st.sampled_from([TOTAL, TOTAL, TOTAL - 1, TOTAL + 1, 1, 0])
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Failed, st.text(max_size=300)),
    st.builds(Unknown, st.just("?")),
    st.lists(AMOUNTS, max_size=3).map(lambda amounts: paid(*amounts)),
)
EVENTS = st.lists(
    st.one_of(ANSWERS, st.sampled_from(["cancelled", "expired", "told"])), max_size=30
)


@seed(SEED)
@given(EVENTS, st.lists(st.integers(0, 100_000), min_size=30, max_size=30))
def test_whatever_comes_money_is_neither_lost_nor_invented(
    events: list[Any], seconds: list[int]
) -> None:
    payment, at = a_payment(), AT
    for event, pause in zip(events, seconds, strict=False):
        at += timedelta(seconds=pause)
        before = payment
        if event == "told":
            payment = payment.told(at)
        elif event in ("cancelled", "expired"):
            payment = payment.closed(event, at)
        else:
            payment = payment.answered(event, at)
        # Paid means an exact receipt was shown, now or before; and once paid, always paid.
        shown = isinstance(event, Paid) and any(payment.is_exact(r) for r in event.receipts)
        assert (payment.status == "paid") is (before.status == "paid" or shown)
        # Money that pays nothing never goes unnoticed.
        if isinstance(event, Paid) and payment.status != "paid":
            assert payment.review == "amount_differs"
        assert payment.review is None or payment.review == "amount_differs"
        assert (before.review is None) or payment.review == before.review
        assert (payment.amount_dirhams, payment.order_id) == (TOTAL, "ord_1")
        assert payment.checks == before.checks + (not isinstance(event, str))
        last = payment.created_at + timedelta(days=PAID_SWEEP_DAYS_MAX + 1)
        assert (
            payment.next_check_at is None
            or payment.status not in SETTLED
            or (payment.next_check_at <= last)
        )


@seed(SEED)
@given(st.permutations([paid(TOTAL), Failed("no"), Unknown("?"), Failed("again"), paid(TOTAL)]))
def test_the_order_in_which_answers_arrive_does_not_matter(answers: list[Answer]) -> None:
    payment = a_payment()
    for answer in answers:
        payment = payment.answered(answer, LATER)
    assert (payment.status, payment.failure, payment.review) == ("paid", None, None)


def _asked_at(payment: Payment) -> list[timedelta]:
    """When a payment is asked about if the gateway never knows, from its beginning on."""
    asked: list[timedelta] = []
    while payment.next_check_at is not None:
        asked.append(payment.next_check_at - AT)
        payment = payment.answered(Unknown("?"), payment.next_check_at)
        assert len(asked) < 50
    return asked


def test_a_payment_without_news_is_asked_about_ever_more_rarely_and_then_no_more() -> None:
    asked = _asked_at(a_payment())
    assert tuple(asked[: len(SWEEP_PAUSES)]) == SWEEP_PAUSES
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert timedelta(days=SWEEP_DAYS) <= asked[-1] < timedelta(days=SWEEP_DAYS + 1)


def test_after_news_a_payment_is_asked_about_at_once_and_then_as_before() -> None:
    payment = a_payment().told(AT)
    pauses = []
    for _ in NEWS_PAUSES:
        assert payment.next_check_at is not None
        pauses.append(payment.next_check_at - payment.updated_at)
        payment = payment.answered(Unknown("?"), payment.next_check_at)
    assert tuple(pauses) == NEWS_PAUSES
    assert payment.news_checks == 0
    assert payment.next_check_at == AT + SWEEP_PAUSES[0]


@pytest.mark.parametrize("days", [0, 1, 30, 400])
def test_news_is_looked_into_however_late_it_comes(days: int) -> None:
    at = AT + timedelta(days=days)
    told = a_payment(status="expired", next_check_at=None).told(at)
    assert told.next_check_at == at + NEWS_PAUSES[0]
    assert told.answered(paid(TOTAL), at + NEWS_PAUSES[0]).status == "paid"


def test_a_last_question_that_nobody_answered_is_asked_again() -> None:
    late = AT + timedelta(days=SWEEP_DAYS, hours=1)
    silent = a_payment().answered(Unknown("no reply", is_unreachable=True), late)
    assert silent.next_check_at == late + timedelta(days=1)
    assert a_payment().answered(Unknown("not found"), late).next_check_at is None
    end = AT + timedelta(days=PAID_SWEEP_DAYS_MAX)
    assert a_payment().answered(Unknown("no reply", is_unreachable=True), end).next_check_at is None

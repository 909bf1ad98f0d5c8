"""Rules are met exactly at their limits, whatever the numbers; every finding explains itself."""

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.risk.model import (
    DEFAULT_RULES,
    NO_RULES,
    CashNotAccepted,
    Code,
    Finding,
    OrderNotAccepted,
    OrderSignals,
    PaymentSignals,
    Refusal,
    Review,
    ReviewDecided,
    RiskRules,
    address_key,
    card_key,
    count_refusals,
    explain,
    judge_order,
    judge_payment,
    refusal_of,
    rules_in_force,
    subjects_of,
)
from eishro.errors import Invalid

_most = st.none() | st.integers(1, 30)
_dirhams = st.none() | st.integers(0, 1_000)
_rules = st.builds(
    RiskRules,
    phone_review_above=_most,
    phone_refuse_above=_most,
    address_review_above=_most,
    card_review_above=_most,
    declines_review_above=_most,
    cod_review_above_dirhams=_dirhams,
    new_buyer_review_above_dirhams=_dirhams,
    refusals_review_from=_most,
    refusals_refuse_from=_most,
)
_counts = st.integers(0, 40)
_signals = st.builds(OrderSignals, _counts, _counts, st.integers(0, 1), _counts)
_AT = datetime(2026, 11, 28, tzinfo=UTC)


@given(_rules, _signals, st.integers(0, 2_000), st.booleans())
def test_more_of_anything_is_never_looked_at_less(
    rules: RiskRules, signals: OrderSignals, dirhams: int, is_cod: bool
) -> None:
    rank = {"review": 1, "refuse": 2}

    def worst(found: tuple[Finding, ...]) -> dict[str, int]:
        return {finding.code: rank[finding.effect] for finding in found}

    found = worst(judge_order(rules, signals, dirhams, is_cod=is_cod))
    more = OrderSignals(
        signals.phone_orders + 1,
        signals.address_orders + 1,
        signals.good_orders,
        signals.refusals + 1,
    )
    after = worst(judge_order(rules, more, dirhams + 1, is_cod=True))
    assert all(after[code] >= effect for code, effect in found.items())


@given(st.integers(1, 50), st.integers(0, 60))
def test_a_limit_is_the_most_that_is_fine_and_the_order_counts_itself(most: int, seen: int) -> None:
    rules = RiskRules(phone_review_above=most, address_review_above=most, card_review_above=most)
    found = judge_order(rules, OrderSignals(seen, seen), 0, is_cod=False)
    assert bool(found) == (seen + 1 > most)
    assert bool(judge_payment(rules, PaymentSignals(seen))) == (seen + 1 > most)
    rules = RiskRules(refusals_review_from=most)
    refused = judge_order(rules, OrderSignals(refusals=seen), 0, is_cod=True)
    assert bool(refused) == (seen >= most)
    assert not judge_order(rules, OrderSignals(refusals=seen), 0, is_cod=False)


@given(_signals, st.integers(0, 10**12), st.booleans())
def test_without_rules_nothing_is_found_and_the_usual_ones_refuse_nobody(
    signals: OrderSignals, dirhams: int, is_cod: bool
) -> None:
    assert judge_order(NO_RULES, signals, dirhams, is_cod=is_cod) == ()
    assert judge_payment(NO_RULES, PaymentSignals(99, 99)) == ()
    assert refusal_of(judge_order(DEFAULT_RULES, signals, dirhams, is_cod=is_cod)) is None


def test_an_ordinary_order_meets_none_of_the_usual_rules() -> None:
    assert judge_order(DEFAULT_RULES, OrderSignals(2, 2, 0, 0), 450_000, is_cod=True) == ()


@given(_rules)
def test_rules_that_contradict_each_other_are_told_all_at_once(rules: RiskRules) -> None:
    phone = (rules.phone_refuse_above or 99) < (rules.phone_review_above or 0)
    refusals = (rules.refusals_refuse_from or 99) < (rules.refusals_review_from or 0)
    expected = {"phoneRefuseAbove"} if phone else set()
    expected |= {"refusalsRefuseFrom"} if refusals else set()
    if not expected:
        rules.check()
        return
    with pytest.raises(Invalid) as seen:
        rules.check()
    assert set(seen.value.faults) == expected


def test_every_finding_has_words_with_its_numbers_in_both_languages() -> None:
    facts = {"count": 21, "limit": 20, "hours": 24, "days": 365}
    facts |= {"amountDirhams": 21_500, "limitDirhams": 20_000}
    for code in get_args(Code):
        words = explain(Finding(code, "review", facts))
        for text in words:
            assert "{" not in text
            assert "21" in text
            assert "20" in text
    assert "21.500" in explain(Finding("COD_AMOUNT", "review", facts)).ar


def test_a_refusal_names_no_limit_and_cash_alone_where_cash_alone_is_refused() -> None:
    cash = Finding("REFUSED_DELIVERIES", "refuse", {"count": 5})
    phone = Finding("PHONE_ORDERS", "refuse", {"count": 51})
    assert isinstance(refusal_of([cash]), CashNotAccepted)
    for found in ([phone], [cash, phone]):
        refusal = refusal_of(found)
        assert isinstance(refusal, OrderNotAccepted)
        assert not refusal.details
        assert not any(sign.isdigit() for text in refusal.words for sign in text)
    assert refusal_of([Finding("COD_AMOUNT", "review", {})]) is None


def test_rules_of_a_store_count_before_the_installation_s() -> None:
    own = RiskRules(phone_review_above=2, cod_review_above_dirhams=5)
    raw = msgspec.Raw(msgspec.json.encode(own))
    assert rules_in_force(raw, has_defaults=True, counts_windows=True) == own
    without = rules_in_force(raw, has_defaults=True, counts_windows=False)
    assert without == RiskRules(cod_review_above_dirhams=5)
    assert rules_in_force(None, has_defaults=True, counts_windows=True) == DEFAULT_RULES
    assert rules_in_force(None, has_defaults=False, counts_windows=True) == NO_RULES
    # Rules that a later version adds are off for those who set theirs before.
    old = msgspec.Raw(b'{"phone_review_above": 2}')
    assert rules_in_force(old, has_defaults=True, counts_windows=True).card_review_above is None


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5), st.booleans()), max_size=40))
def test_another_store_is_one_voice_however_often_it_speaks(
    said: list[tuple[int, int, bool]],
) -> None:
    found = [Refusal(f"rkr_{2 if young else 0}", s, f"ord_{s}{n}") for s, n, young in said]
    count = count_refusals(found, 1, "rkr_1")
    young = [(s, n) for s, n, is_young in said if is_young]
    assert count == len({n for s, n in young if s == 1}) + len({s for s, _ in young if s != 1})
    assert count <= 5 + 3


def test_a_subject_needs_the_key_and_says_whose_it_is_to_nobody() -> None:
    keys = [b"a" * 32, b"b" * 32]
    new, old = subjects_of(keys, "refused", "+218912345678")
    assert new != old
    assert subjects_of(keys[1:], "refused", "+218912345678") == [old]
    assert "912345678" not in new
    assert len({new, *subjects_of(keys[:1], "card", "+218912345678")}) == 2
    assert subjects_of(keys, "address", 1, "x") != subjects_of(keys, "address", 2, "x")


@pytest.mark.parametrize(
    ("mask", "key"),
    [
        ("512345******1234", "512345******1234"),
        ("5123 45XX XXXX 1234", "512345******1234"),
        ("512345••••••1234", "512345******1234"),
        ("************1234", None),
        ("", None),
        (None, None),
    ],
)
def test_a_mask_is_a_card_if_it_shows_enough(mask: str | None, key: str | None) -> None:
    assert card_key(mask) == key


def test_an_address_is_folded_and_belongs_to_its_city() -> None:
    one = address_key("tripoli", None, "شارع الجمهورية، عمارة ١٢")
    assert one == address_key("tripoli", "شارع الجمهوريه،", "عمارة  12")
    assert one != address_key("benghazi", None, "شارع الجمهورية، عمارة ١٢")
    assert address_key("tripoli", "المركز", "سوق") is None


def test_a_review_is_decided_once() -> None:
    review = Review(
        id="rev_1", store_id=1, order_id="ord_1", payment_id=None, state="open",
        findings=msgspec.Raw(b"[]"), opened_at=_AT, decided_at=None, decided_by=None,
        reason=None, version=1,
    )  # fmt: skip
    done = review.decide("approved", "user:1", None, _AT)
    assert (done.state, done.decided_by, done.decided_at) == ("approved", "user:1", _AT)
    with pytest.raises(ReviewDecided):
        done.decide("rejected", "user:2", "x", _AT)

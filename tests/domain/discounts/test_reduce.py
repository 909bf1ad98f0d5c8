"""What coupons and promotions take off: examples, and what holds for every basket."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.discounts.model import (
    REASONS,
    CouponUnusable,
    Item,
    Reduction,
    Rule,
    Scope,
    reduce,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def rule(name: str = "prm_a", **members: Any) -> Rule:
    """10 % off everything, unless told otherwise."""
    return Rule(
        **{
            "id": name, "store_id": 1, "version": 1, "code": None, "name": None,
            "kind": "percent", "value": 1_000, "buy_quantity": None, "get_quantity": None,
            "uses_per_order_max": None, "starts_at": None, "ends_at": None,
            "minimum_dirhams": None, "scope": Scope(), "usage_limit": None,
            "per_customer_limit": None, "is_active": True, "priority": 0, "is_stackable": True,
            **members,
        }
    )  # fmt: skip


def coupon(**members: Any) -> Rule:
    return rule("prm_coupon", **{"code": "EID", **members})


def item(product: int, price: int, quantity: int = 1, *categories: int) -> Item:
    return Item(product, product, product, categories, price, quantity)


def off(items: list[Item], promotions: list[Rule], code: Rule | None = None) -> Reduction:
    return reduce(items, promotions, code, at=NOW)


def test_nothing_is_taken_off_without_promotions() -> None:
    assert off([item(1, 1_000)], []) == Reduction((0,), 0, False, (), ())


def test_a_percentage_is_shared_by_the_lines_and_rounded_once() -> None:
    reduction = off([item(1, 333), item(2, 333), item(3, 339)], [rule(value=1_250)])
    assert reduction.discount_dirhams == 126  # of 1005, 125.625
    assert sum(reduction.line_dirhams) == 126


def test_half_a_dirham_is_rounded_up() -> None:
    assert off([item(1, 5)], [rule()]).discount_dirhams == 1


def test_an_amount_is_never_more_than_the_goods() -> None:
    reduction = off([item(1, 400), item(2, 600)], [rule(kind="fixed", value=5_000)])
    assert reduction.line_dirhams == (400, 600)
    assert off([item(1, 0)], [rule(kind="fixed", value=5_000)]).applied == ()


def test_only_goods_of_the_scope_get_cheaper() -> None:
    items = [item(1, 1_000, 1, 7), item(2, 1_000, 1, 8), item(3, 1_000, 1, 7, 9)]
    by_category = rule(scope=Scope("categories", (7,), (), (9,)))
    assert off(items, [by_category]).line_dirhams == (100, 0, 0)
    by_product = rule(scope=Scope("products", (1, 2), (2,)))
    assert off(items, [by_product]).line_dirhams == (100, 0, 0)
    everything_else = rule(scope=Scope("all", (), (1,), (9,)))
    assert off(items, [everything_else]).line_dirhams == (0, 100, 0)


def test_buy_two_get_one_gives_the_cheapest_of_whole_sets() -> None:
    free = rule(kind="buy_x_get_y", value=10_000, buy_quantity=2, get_quantity=1)
    assert off([item(1, 3_000, 2), item(2, 1_000, 1)], [free]).line_dirhams == (0, 1_000)
    # Five pieces are one set, seven are two: the two cheapest of all seven.
    assert off([item(1, 3_000, 4), item(2, 1_000, 1)], [free]).line_dirhams == (0, 1_000)
    assert off([item(1, 3_000, 6), item(2, 1_000, 1)], [free]).line_dirhams == (3_000, 1_000)
    once = msgspec.structs.replace(free, uses_per_order_max=1, value=5_000)
    assert off([item(1, 3_000, 6), item(2, 1_000, 1)], [once]).line_dirhams == (0, 500)
    assert off([item(1, 3_000, 2)], [free]).steps[0].reason == "minimum"


def test_free_delivery_takes_nothing_off_the_goods() -> None:
    reduction = off([item(1, 1_000)], [rule(kind="free_shipping", value=0)])
    assert (reduction.free_shipping, reduction.discount_dirhams) == (True, 0)
    assert [a.frees_shipping for a in reduction.applied] == [True]


def test_a_second_free_delivery_is_not_used_up() -> None:
    both = [rule(name, kind="free_shipping", value=0) for name in ("prm_a", "prm_b")]
    reduction = off([item(1, 1_000)], both)
    assert [a.rule.id for a in reduction.applied] == ["prm_a"]
    assert [s.reason for s in reduction.steps] == ["promotion", "nothing_left"]


def test_combinable_ones_follow_each_other_by_priority_and_the_coupon_comes_last() -> None:
    first = rule("prm_z", kind="fixed", value=500, priority=5)
    second = rule("prm_a")
    reduction = off([item(1, 1_500)], [second, first], coupon(value=5_000))
    assert [(a.rule.id, a.dirhams) for a in reduction.applied] == [
        ("prm_z", 500), ("prm_a", 100), ("prm_coupon", 450),
    ]  # fmt: skip
    assert reduction.coupon_code == "EID"


def test_one_that_stands_alone_wins_only_with_more() -> None:
    alone = rule("prm_b", value=2_000, is_stackable=False)
    together = [rule("prm_a"), rule("prm_c", kind="fixed", value=100)]
    assert [a.rule.id for a in off([item(1, 2_000)], [alone, *together]).applied] == ["prm_b"]
    # 300 of 1500 both ways: the combination.
    reduction = off(
        [item(1, 1_500)], [alone, rule("prm_a"), rule("prm_c", kind="fixed", value=150)]
    )
    assert [a.rule.id for a in reduction.applied] == ["prm_a", "prm_c"]
    assert reduction.steps[0].reason == "better_without"


def test_of_two_that_stand_alone_the_higher_priority_wins_a_tie() -> None:
    pair = [
        rule("prm_a", is_stackable=False),
        rule("prm_b", is_stackable=False, priority=1),
    ]
    for promotions in (pair, pair[::-1]):
        assert [a.rule.id for a in off([item(1, 1_000)], promotions).applied] == ["prm_b"]


def test_a_coupon_that_stands_alone_is_left_out_where_the_buyer_does_better_without() -> None:
    code = coupon(value=500, is_stackable=False)
    reduction = off([item(1, 1_000)], [rule()], code)
    assert (reduction.discount_dirhams, reduction.coupon_code) == (100, None)
    reduction = off([item(1, 1_000)], [rule()], msgspec.structs.replace(code, value=2_000))
    assert (reduction.discount_dirhams, reduction.coupon_code) == (200, "EID")


def test_free_delivery_is_weighed_by_what_delivery_costs() -> None:
    free = rule("prm_a", kind="free_shipping", value=0, is_stackable=False)
    cheaper = rule("prm_b")
    items = [item(1, 10_000)]
    dear = reduce(items, [free, cheaper], None, at=NOW, delivery_dirhams=5_000)
    cheap = reduce(items, [free, cheaper], None, at=NOW, delivery_dirhams=500)
    assert (dear.free_shipping, cheap.free_shipping) == (True, False)


UNUSABLE = {
    "inactive": coupon(is_active=False),
    "not_started": coupon(starts_at=NOW + DAY),
    "ended": coupon(ends_at=NOW),
    "exhausted": coupon(usage_limit=3, used=3),
    "customer_limit": coupon(per_customer_limit=1, used_by_customer=1),
    "minimum": coupon(minimum_dirhams=1_001),
    "scope": coupon(scope=Scope("products", (2,))),
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_a_coupon_that_does_not_fit_is_refused_with_the_reason(reason: str) -> None:
    with pytest.raises(CouponUnusable) as refused:
        off([item(1, 1_000)], [], UNUSABLE[reason])
    assert refused.value.details == {"reason": reason}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_a_promotion_that_does_not_fit_is_left_out_and_says_why(reason: str) -> None:
    automatic = msgspec.structs.replace(UNUSABLE[reason], code=None)
    reduction = off([item(1, 1_000)], [automatic])
    assert (reduction.discount_dirhams, reduction.applied) == (0, ())
    assert [step.reason for step in reduction.steps] == [reason]


def test_every_reason_has_words_in_both_languages() -> None:
    said = [CouponUnusable(reason).words for reason in REASONS]
    assert set(REASONS) == {*UNUSABLE, "unknown"}
    assert len({w.en for w in said}) == len({w.ar for w in said}) == len(REASONS)


def test_the_minimum_is_reached_exactly_and_counts_all_goods_before_discounts() -> None:
    code = coupon(minimum_dirhams=1_000, scope=Scope("products", (1,)))
    assert off([item(1, 400), item(2, 600)], [rule()], code).coupon_code == "EID"


SCOPES = st.builds(
    Scope,
    st.sampled_from(["all", "products", "categories"]),
    st.lists(st.integers(1, 5), max_size=3).map(tuple),
    st.lists(st.integers(1, 5), max_size=1).map(tuple),
    st.lists(st.integers(1, 5), max_size=1).map(tuple),
)
FEW = st.none() | st.integers(1, 3)


@st.composite
def rules(draw: st.DrawFn, number: int, code: str | None) -> Rule:
    kind = draw(st.sampled_from(["percent", "fixed", "free_shipping", "buy_x_get_y"]))
    is_sets = kind == "buy_x_get_y"
    value = {"fixed": st.integers(1, 50_000), "free_shipping": st.just(0)}
    return rule(
        f"prm_{number}",
        code=code,
        kind=kind,
        value=draw(value.get(kind, st.integers(1, 10_000))),
        buy_quantity=draw(st.integers(1, 3)) if is_sets else None,
        get_quantity=draw(st.integers(1, 3)) if is_sets else None,
        uses_per_order_max=draw(FEW) if is_sets else None,
        minimum_dirhams=draw(st.none() | st.integers(0, 20_000)),
        scope=draw(SCOPES),
        usage_limit=draw(FEW),
        used=draw(st.integers(0, 3)),
        priority=draw(st.integers(-1, 1)),
        is_stackable=draw(st.booleans()),
    )


PROMOTIONS = st.integers(0, 5).flatmap(
    lambda count: st.tuples(*(rules(number, None) for number in range(count)))
)
COUPONS = st.none() | rules(9, "EID")
ITEMS = st.lists(
    st.builds(
        Item,
        st.just(0),
        st.integers(1, 5),
        st.integers(1, 40),
        st.lists(st.integers(1, 5), max_size=2, unique=True).map(tuple),
        st.integers(0, 100_000),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda line: line.variant_id,
)


def tried(items: list[Item], promotions: tuple[Rule, ...], code: Rule | None) -> Reduction | str:
    try:
        return reduce(items, promotions, code, at=NOW)
    except CouponUnusable as refused:
        return refused.reason


@given(ITEMS, PROMOTIONS, COUPONS)
def test_no_dirham_is_lost_and_no_line_costs_less_than_nothing(
    items: list[Item], promotions: tuple[Rule, ...], code: Rule | None
) -> None:
    reduction = tried(items, promotions, code)
    if isinstance(reduction, str):
        return
    for line, dirhams in zip(items, reduction.line_dirhams, strict=True):
        assert 0 <= dirhams <= line.total_dirhams
    assert sum(reduction.line_dirhams) == reduction.discount_dirhams
    assert sum(a.dirhams for a in reduction.applied) == reduction.discount_dirhams
    assert sum(step.dirhams for step in reduction.steps) == reduction.discount_dirhams
    # Every rule that was looked at is accounted for, once.
    named = [step.facts["promotion"] for step in reduction.steps]
    assert sorted(map(str, named)) == sorted(r.id for r in (*promotions, *filter(None, [code])))


@given(ITEMS, PROMOTIONS, COUPONS, st.randoms(use_true_random=False))
def test_neither_the_order_of_lines_nor_that_of_promotions_matters(
    items: list[Item], promotions: tuple[Rule, ...], code: Rule | None, random: Any
) -> None:
    reduction = tried(items, promotions, code)
    shuffled, others = list(items), list(promotions)
    random.shuffle(shuffled)
    random.shuffle(others)
    again = tried(shuffled, tuple(others), code)
    if isinstance(reduction, str) or isinstance(again, str):
        assert reduction == again
        return
    by_variant = dict(zip((i.variant_id for i in items), reduction.line_dirhams, strict=True))
    assert by_variant == dict(
        zip((i.variant_id for i in shuffled), again.line_dirhams, strict=True)
    )
    assert (again.applied, again.steps) == (reduction.applied, reduction.steps)


@given(ITEMS, PROMOTIONS)
def test_no_single_way_of_combining_gives_the_buyer_more(
    items: list[Item], promotions: tuple[Rule, ...]
) -> None:
    best = reduce(items, promotions, None, at=NOW).discount_dirhams
    together = tuple(r for r in promotions if r.is_stackable)
    alone = [(r,) for r in promotions if not r.is_stackable]
    ways = [reduce(items, way, None, at=NOW).discount_dirhams for way in [together, *alone]]
    assert best == max(ways)


@given(ITEMS, PROMOTIONS, COUPONS)
def test_a_stored_calculation_can_be_made_again(
    items: list[Item], promotions: tuple[Rule, ...], code: Rule | None
) -> None:
    stored = msgspec.json.encode([items, promotions, code])
    kind = tuple[list[Item], tuple[Rule, ...], Rule | None]
    read = msgspec.json.decode(stored, type=kind)
    assert tried(*read) == tried(items, promotions, code)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 3))
def test_sets_give_what_counting_single_pieces_gives(
    quantities: list[int], buy: int, get: int
) -> None:
    items = [item(n, 100 * (n + 1), quantity) for n, quantity in enumerate(quantities)]
    pieces = sorted(itertools.chain(*([i.unit_price_dirhams] * i.quantity for i in items)))
    given_away = sum(pieces[: len(pieces) // (buy + get) * get])
    free = rule(kind="buy_x_get_y", value=10_000, buy_quantity=buy, get_quantity=get)
    assert off(items, [free]).discount_dirhams == given_away

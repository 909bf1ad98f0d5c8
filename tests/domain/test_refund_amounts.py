"""How much goes back: however it is cut, the parts sum to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.payments.refund_amounts import (
    Amounts,
    RefundableLine,
    RefundWanted,
    Standing,
    WantedLine,
    divide,
    measure,
    worth_of,
)
from eishro.domain.payments.refunds import RefundedLine, RefundTooLarge
from eishro.errors import Invalid

_CUTS = st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=12)
_LINES = st.lists(
    st.tuples(st.integers(min_value=0, max_value=1_000_000), _CUTS), min_size=1, max_size=5
)


def _line(position: int, net: int, quantity: int, refunded: int = 0) -> RefundableLine:
    return RefundableLine(position, 100 + position, quantity, net, refunded)


@given(net=st.integers(min_value=0, max_value=10**12), cuts=_CUTS)
def test_piece_by_piece_a_line_comes_to_what_was_paid_for_it(net: int, cuts: list[int]) -> None:
    quantity, gone, total = sum(cuts), 0, 0
    for pieces in cuts:
        worth = worth_of(_line(0, net, quantity, gone), pieces)
        assert worth >= 0
        gone, total = gone + pieces, total + worth
    assert total == net


@given(lines=_LINES, delivery=st.integers(min_value=0, max_value=50_000))
def test_lines_in_turns_and_then_delivery_come_to_all_that_was_paid(
    lines: list[tuple[int, list[int]]], delivery: int
) -> None:
    goods = sum(net for net, _ in lines)
    opened = goods_gone = 0
    gone = [0] * len(lines)
    turns = max(len(cuts) for _, cuts in lines)
    for turn in range(turns):
        wanted = tuple(
            WantedLine(cuts[turn], position=position)
            for position, (_, cuts) in enumerate(lines)
            if turn < len(cuts)
        )
        known = [_line(p, net, sum(cuts), gone[p]) for p, (net, cuts) in enumerate(lines)]
        standing = Standing(goods + delivery, opened, goods - goods_gone, delivery)
        try:
            amounts = measure(RefundWanted(reason="x", lines=wanted), standing, known)
        except (Invalid, RefundTooLarge):
            # Nothing was paid for these pieces.
            assert sum(worth_of(known[w.position or 0], w.quantity) for w in wanted) == 0
            amounts = None
        for line in wanted:
            gone[line.position or 0] += line.quantity
        if amounts is not None:
            assert sum(line.dirhams for line in amounts.lines) == amounts.goods_dirhams
            assert amounts.delivery_dirhams == 0
            opened += amounts.amount_dirhams
            goods_gone += amounts.goods_dirhams
    assert opened == goods
    if delivery:
        standing = Standing(goods + delivery, opened, 0, delivery)
        rest = measure(RefundWanted(reason="x", delivery=True), standing, [])
        assert rest.amount_dirhams == rest.delivery_dirhams == delivery


@given(
    captured=st.integers(min_value=1, max_value=10**9),
    delivery=st.integers(min_value=0, max_value=10**9),
    amounts=st.lists(st.integers(min_value=1, max_value=10**9), max_size=8),
)
def test_amounts_never_come_to_more_than_came(
    captured: int, delivery: int, amounts: list[int]
) -> None:
    goods_left, delivery_left = captured - min(captured, delivery), min(captured, delivery)
    opened = 0
    for amount in amounts:
        standing = Standing(captured, opened, goods_left, delivery_left)
        try:
            made = measure(RefundWanted(reason="x", amount_dirhams=amount), standing, [])
        except RefundTooLarge:
            assert amount > captured - opened
            continue
        assert made.goods_dirhams + made.delivery_dirhams == made.amount_dirhams == amount
        assert 0 <= made.delivery_dirhams <= delivery_left
        assert 0 <= made.goods_dirhams <= goods_left
        opened += amount
        goods_left -= made.goods_dirhams
        delivery_left -= made.delivery_dirhams
    if opened < captured:
        rest = measure(
            RefundWanted(reason="x"), Standing(captured, opened, goods_left, delivery_left), []
        )
        assert rest.amount_dirhams == captured - opened
        assert (rest.goods_dirhams, rest.delivery_dirhams) == (goods_left, delivery_left)


def test_more_pieces_than_are_left_are_refused_with_what_is_left() -> None:
    standing = Standing(3_000, 0, 3_000, 0)
    with pytest.raises(RefundTooLarge) as refused:
        measure(
            RefundWanted(reason="x", lines=(WantedLine(3, position=0),)),
            standing,
            [_line(0, 3_000, 3, 1)],
        )
    assert refused.value.details["lines"] == [{"position": 0, "left": 2}]


def test_a_line_for_which_nothing_was_paid_cannot_go_back() -> None:
    with pytest.raises(Invalid):
        measure(
            RefundWanted(reason="x", lines=(WantedLine(1, position=0),)),
            Standing(3_000, 0, 3_000, 0),
            [_line(0, 0, 1)],
        )


def test_delivery_can_be_added_to_lines() -> None:
    made = measure(
        RefundWanted(reason="x", lines=(WantedLine(1, variant_id=100),), delivery=True),
        Standing(3_500, 0, 3_000, 500),
        [_line(0, 3_000, 2)],
    )
    assert (made.goods_dirhams, made.delivery_dirhams) == (1_500, 500)


@given(
    lines=st.lists(st.integers(min_value=0, max_value=10**9), max_size=5),
    delivery=st.integers(min_value=0, max_value=50_000),
    cuts=st.lists(st.integers(min_value=1, max_value=10**9), max_size=4),
)
def test_a_refund_cut_by_payments_loses_no_dirham(
    lines: list[int], delivery: int, cuts: list[int]
) -> None:
    goods = sum(lines)
    named = tuple(RefundedLine(p, 100 + p, 2, dirhams) for p, dirhams in enumerate(lines))
    whole = Amounts(goods + delivery, goods, delivery, named)
    parts, left = [], whole.amount_dirhams
    for cut in [*cuts, left]:
        parts += [min(cut, left)] if left else []
        left -= min(cut, left)
    pieces = divide(whole, parts)
    assert [piece.amount_dirhams for piece in pieces] == parts
    assert sum(piece.goods_dirhams for piece in pieces) == goods
    assert sum(piece.delivery_dirhams for piece in pieces) == delivery
    for number, piece in enumerate(pieces):
        assert piece.goods_dirhams >= 0 <= piece.delivery_dirhams
        assert piece.goods_dirhams + piece.delivery_dirhams == piece.amount_dirhams
        assert len(piece.lines) == (0 if number else len(named))
        if piece.lines:
            assert sum(line.dirhams for line in piece.lines) == piece.goods_dirhams

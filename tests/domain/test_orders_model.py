"""Orders as values: what they cost, and which status may follow which."""

import typing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from eishro.domain.orders.basket import basket_of, match
from eishro.domain.orders.model import (
    MOVES,
    Basket,
    InvalidTransition,
    Offer,
    Order,
    OutOfStock,
    PaymentStatus,
    Status,
    Wanted,
)
from eishro.errors import Invalid
from eishro.money import DIRHAMS_MAX
from tests.conftest import SEED

AT = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)
STATUSES: tuple[Status, ...] = typing.get_args(Status)
PAYMENT_STATUSES: tuple[PaymentStatus, ...] = typing.get_args(PaymentStatus)
# The drawing of `domain/orders/__init__.py`, arrow by arrow.
ARROWS = {
    ("pending", "confirmed"), ("confirmed", "processing"), ("processing", "shipped"),
    ("shipped", "delivered"), ("pending", "cancelled"), ("confirmed", "cancelled"),
    ("processing", "cancelled"), ("shipped", "returned"), ("delivered", "returned"),
}  # fmt: skip
RATE = 10_000  # dirhams for delivery


def an_order(**members: Any) -> Order:
    order = Order(
        id="ord_1",
        store_id=1,
        number="ABCD2345",
        customer_user_id=None,
        status="pending",
        payment_status="pending",
        fulfilment_status="unfulfilled",
        customer_name="فاطمة علي",
        customer_phone="+218912345678",
        customer_email=None,
        city_code="tripoli",
        area=None,
        address="شارع الجمهورية",
        shipping_notes=None,
        shipping_method="standard",
        payment_method="moamalat",
        notes=None,
        subtotal_dirhams=25_500,
        discount_dirhams=0,
        shipping_dirhams=10_000,
        total_dirhams=35_500,
        expires_at=AT + timedelta(hours=1),
        created_at=AT,
        updated_at=AT,
        version=1,
    )
    return msgspec.structs.replace(order, **members)


def an_offer(variant_id: int = 1, **members: Any) -> Offer:
    offer = Offer(
        variant_id=variant_id,
        product_id=variant_id,
        product_version=1,
        name="قميص",
        options=msgspec.Raw(b"{}"),
        sku=None,
        unit_price_dirhams=25_500,
        available=None,
        is_sold=True,
    )
    return msgspec.structs.replace(offer, **members)


@pytest.mark.parametrize("to", STATUSES)
@pytest.mark.parametrize("seen", STATUSES)
def test_only_the_drawn_arrows_are_moves(seen: Status, to: Status) -> None:
    order = an_order(status=seen)
    if (seen, to) in ARROWS:
        after = order.move(to, LATER)
        assert (after.status, after.updated_at, after.created_at) == (to, LATER, AT)
        assert after.total_dirhams == order.total_dirhams
        return
    with pytest.raises(InvalidTransition) as refused:
        order.move(to, LATER)
    assert refused.value.code == "INVALID_TRANSITION"
    assert refused.value.details == {"from": seen, "to": to, "allowed": list(MOVES[seen])}


def test_every_status_has_its_moves() -> None:
    assert set(MOVES) == set(STATUSES)
    assert {(seen, to) for seen in MOVES for to in MOVES[seen]} == ARROWS


def test_goods_follow_the_order() -> None:
    order = an_order(status="processing", payment_status="paid")
    shipped = order.move("shipped", LATER)
    assert [
        o.fulfilment_status
        for o in (order, shipped, shipped.move("delivered", LATER), shipped.move("returned", LATER))
    ] == ["unfulfilled", "fulfilled", "fulfilled", "returned"]
    assert order.move("cancelled", LATER).fulfilment_status == "unfulfilled"


@pytest.mark.parametrize("seen", STATUSES)
def test_stock_is_held_until_it_is_shipped_or_given_back(seen: Status) -> None:
    assert an_order(status=seen).holds_stock is (seen in {"pending", "confirmed", "processing"})


@pytest.mark.parametrize("payment_status", PAYMENT_STATUSES)
@pytest.mark.parametrize("seen", STATUSES)
def test_money_is_welcome_while_an_order_lives_and_is_unpaid(
    seen: Status, payment_status: PaymentStatus
) -> None:
    welcome = payment_status in {"pending", "failed"} and seen not in {"cancelled", "returned"}
    assert an_order(status=seen, payment_status=payment_status).is_payable is welcome


def test_an_order_confirmed_by_hand_still_waits_for_its_money() -> None:
    order = an_order()
    assert order.move("confirmed", LATER).expires_at == order.expires_at
    assert order.move("confirmed", LATER).move("processing", LATER).expires_at is None
    assert order.move("cancelled", LATER).expires_at is None


@pytest.mark.parametrize("seen", [s for s in STATUSES if s not in ("cancelled", "returned")])
def test_a_paid_order_confirms_itself_and_waits_no_more(seen: Status) -> None:
    paid = an_order(status=seen).pay(LATER)
    assert paid.status == ("confirmed" if seen == "pending" else seen)
    assert (paid.payment_status, paid.expires_at, paid.is_payable) == ("paid", None, False)


def priced(wanted: list[Wanted], offers: list[Offer], shipping: int = RATE) -> Basket:
    return basket_of(
        match(wanted, offers),
        discount_dirhams=0,
        shipping_dirhams=shipping,
        shipping_reason="store_rate",
    )


@st.composite
def baskets(draw: st.DrawFn) -> tuple[list[Wanted], list[Offer], int]:
    count = draw(st.integers(1, 20))
    offers = [
        an_offer(
            variant_id,
            unit_price_dirhams=draw(st.integers(0, 10**7)),
            available=draw(st.none() | st.integers(10_000, 10**6)),
        )
        for variant_id in range(1, count + 1)
    ]
    wanted = [Wanted(o.product_id, draw(st.integers(1, 10_000)), o.variant_id) for o in offers]
    return wanted, offers, draw(st.integers(0, 10**6))


@seed(SEED)
@given(baskets(), st.randoms(use_true_random=False))
def test_an_order_s_amounts_add_up(
    basket: tuple[list[Wanted], list[Offer], int], shuffled: Any
) -> None:
    wanted, offers, delivery = basket
    found = priced(wanted, offers, delivery)
    each = {o.variant_id: o.unit_price_dirhams for o in offers}
    assert [line.total_dirhams for line in found.lines] == [
        w.quantity * each[w.product_id] for w in wanted
    ]
    assert found.subtotal_dirhams == sum(line.total_dirhams for line in found.lines)
    assert found.shipping_dirhams == delivery
    assert (
        found.total_dirhams
        == found.subtotal_dirhams - found.discount_dirhams + found.shipping_dirhams
    )
    # Neither the basket's order nor the catalogue's changes what is paid.
    shuffled.shuffle(offers)
    shuffled.shuffle(wanted)
    assert priced(wanted, offers, delivery).total_dirhams == found.total_dirhams


@seed(SEED)
@given(baskets())
def test_a_basket_split_in_two_costs_the_same_without_delivery(
    basket: tuple[list[Wanted], list[Offer], int],
) -> None:
    wanted, offers, _ = basket
    parts = [part for part in (wanted[::2], wanted[1::2]) if part]
    together = priced(wanted, offers, 0).total_dirhams
    assert together == sum(priced(part, offers, 0).total_dirhams for part in parts)


@pytest.mark.parametrize(("available", "wanted"), [(0, 1), (4, 5), (1, 10_000)])
def test_more_than_there_is_cannot_be_bought(available: int, wanted: int) -> None:
    with pytest.raises(OutOfStock) as refused:
        priced([Wanted(1, wanted)], [an_offer(available=available)])
    assert refused.value.details == {"items": [{"productId": 1, "variantId": 1}]}


def test_exactly_what_there_is_can_be_bought_and_untracked_goods_never_run_out() -> None:
    offers = [an_offer(1, available=5), an_offer(2, available=None)]
    found = priced([Wanted(1, 5), Wanted(2, 10_000)], offers)
    assert [line.quantity for line in found.lines] == [5, 10_000]


def test_every_position_that_ran_short_is_named() -> None:
    offers = [an_offer(n, available=n) for n in (1, 2, 3)]
    with pytest.raises(OutOfStock) as refused:
        priced([Wanted(n, 2) for n in (1, 2, 3)], offers)
    assert refused.value.details == {"items": [{"productId": 1, "variantId": 1}]}


def test_every_faulty_position_is_named_at_once() -> None:
    two = [an_offer(2), an_offer(3, product_id=2)]
    wanted = [
        Wanted(1, 1),  # fine
        Wanted(9, 1),  # no such product
        Wanted(2, 1),  # which of the two?
        Wanted(2, 1, 77),  # no such variant
        Wanted(1, 1, 1),  # once more
        Wanted(4, 1),  # taken off sale
    ]
    with pytest.raises(Invalid) as refused:
        priced(wanted, [an_offer(1), *two, an_offer(4, is_sold=False)])
    assert set(refused.value.faults) == {
        "items[1].productId", "items[2].variantId", "items[3].variantId", "items[4].variantId",
        "items[5].productId",
    }  # fmt: skip


def test_a_product_with_one_variant_needs_no_choice() -> None:
    (line,) = priced([Wanted(5, 2)], [an_offer(50, product_id=5)]).lines
    assert (line.offer.variant_id, line.quantity) == (50, 2)


def test_a_variant_of_another_product_is_not_sold_under_this_one() -> None:
    with pytest.raises(Invalid):
        priced([Wanted(1, 1, 2)], [an_offer(1), an_offer(2)])


def test_a_total_beyond_the_largest_amount_is_refused_to_the_dirham() -> None:
    most = an_offer(unit_price_dirhams=DIRHAMS_MAX - 1)
    assert priced([Wanted(1, 1)], [most], 1).total_dirhams == DIRHAMS_MAX
    with pytest.raises(Invalid) as refused:
        priced([Wanted(1, 1)], [an_offer(unit_price_dirhams=DIRHAMS_MAX)], 1)
    assert set(refused.value.faults) == {"items"}

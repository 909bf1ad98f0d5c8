"""Parcels as values: which moves are possible, what late news does, what a parcel is worth."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.domain.shipping.shipments import (
    MOVES,
    STATUSES,
    NothingLeftToShip,
    Ordered,
    Shipment,
    ShipmentMoveRefused,
    Status,
    pack,
)

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_FINAL = {"delivered", "returned", "cancelled", "lost"}


def _shipment(status: Status = "created") -> Shipment:
    return Shipment(
        "shp_1", 1, "ord_1", "amyal", None, None, status, 10, 0, 10, None, None, _AT, _AT, 1
    )


def test_every_status_has_its_moves_and_four_are_final() -> None:
    assert set(MOVES) == set(STATUSES)
    assert {status for status in STATUSES if not MOVES[status]} == _FINAL


@given(st.lists(st.sampled_from([*STATUSES, None]), max_size=12))
def test_news_never_moves_a_final_state_nor_a_parcel_back_to_its_beginning(
    news: list[Status | None],
) -> None:
    shipment = _shipment()
    for number, status in enumerate(news):
        before = shipment
        shipment = shipment.hear(status, _AT + timedelta(hours=number))
        if before.is_final:
            assert shipment is before
        if shipment.status != before.status:
            assert shipment.status == status != "created"
        assert shipment.hear(shipment.status, _AT) is shipment  # a repeat says nothing new


@pytest.mark.parametrize("seen", STATUSES)
@pytest.mark.parametrize("asked", STATUSES)
def test_people_may_type_only_moves_that_are_drawn(seen: Status, asked: Status) -> None:
    shipment = _shipment(seen)
    if asked == seen:
        assert shipment.move(asked, _AT) is shipment
    elif asked in MOVES[seen]:
        assert shipment.move(asked, _AT).status == asked
    else:
        with pytest.raises(ShipmentMoveRefused):
            shipment.move(asked, _AT)


def test_a_refused_parcel_may_still_be_on_its_way_back() -> None:
    refused = _shipment("out_for_delivery").move("returning", _AT)
    assert not refused.may_collect and not refused.is_final
    assert refused.move("returned", _AT).is_final


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 90_000)), min_size=1, max_size=6),
    st.integers(0, 20_000),
    st.data(),
)
def test_all_parcels_together_are_worth_the_order(
    wanted: list[tuple[int, int]], shipping: int, data: st.DataObject
) -> None:
    """However an order is cut into parcels, no dirham is lost or asked for twice."""
    lines = [Ordered(i, 100 + i, q, q * price) for i, (q, price) in enumerate(wanted)]
    subtotal = sum(line.total_dirhams for line in lines)
    net = subtotal - data.draw(st.integers(0, subtotal))
    shipped: dict[int, int] = {}
    goods, delivery = 0, 0
    is_last = False
    while not is_last:
        rest = {x.position: x.quantity - shipped.get(x.position, 0) for x in lines}
        some = {
            100 + position: data.draw(st.integers(1, left))
            for position, left in rest.items()
            if left and data.draw(st.booleans())
        }
        packed = pack(lines, shipped, some or None, (net - goods, shipping - delivery), net)
        is_last = packed.is_last
        for position, quantity in packed.pieces.items():
            shipped[position] = shipped.get(position, 0) + quantity
        assert packed.goods_dirhams >= 0
        goods += packed.goods_dirhams
        delivery += packed.delivery_dirhams
        assert goods <= net and delivery == shipping
    assert (goods, delivery) == (net, shipping)
    assert shipped == {line.position: line.quantity for line in lines}
    with pytest.raises(NothingLeftToShip):
        pack(lines, shipped, None, (0, 0), net)


def test_more_than_is_left_is_refused_and_says_what_is_left() -> None:
    lines = [Ordered(0, 100, 3, 3_000)]
    with pytest.raises(NothingLeftToShip) as refused:
        pack(lines, {0: 2}, {100: 2}, (1_000, 0), 3_000)
    assert refused.value.details == {"items": [{"variantId": 100, "left": 1}]}


def test_a_shipment_is_compared_whole() -> None:
    assert msgspec.structs.replace(_shipment(), status="lost") != _shipment()

"""Shipments as values: the states of a parcel, its moves, what goes into it. Pure.

    created -> picked_up -> in_transit -> out_for_delivery -> delivered
       |           any of these -> returning -> returned      (or lost)
    cancelled

Carriers skip states, so every later one may follow; delivered, returned, cancelled and lost are
final. What a carrier pushes late or twice never moves a parcel back (`hear`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args

import msgspec

from eishro.errors import Conflict, NotFound, Words
from eishro.money import allocate

Status = Literal[
    "created",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "returning",
    "returned",
    "cancelled",
    "lost",
]
STATUSES: tuple[Status, ...] = get_args(Status)
MANUAL = "manual"  # the carrier of parcels that the merchant brings along without naming one

MOVES: Mapping[Status, tuple[Status, ...]] = {
    "created": (
        "picked_up",
        "in_transit",
        "out_for_delivery",
        "delivered",
        "returning",
        "returned",
        "cancelled",
        "lost",
    ),
    "picked_up": ("in_transit", "out_for_delivery", "delivered", "returning", "returned", "lost"),
    "in_transit": ("out_for_delivery", "delivered", "returning", "returned", "lost"),
    # A buyer who was not there: back to the branch, and out again.
    "out_for_delivery": ("in_transit", "delivered", "returning", "returned", "lost"),
    "returning": ("returned", "lost"),
    "delivered": (),
    "returned": (),
    "cancelled": (),
    "lost": (),
}


class Shipment(msgspec.Struct, frozen=True):
    """A parcel's row. What the goods in it and their delivery cost the buyer is fixed when it is
    made; `cod_dirhams` is what the courier collects, 0 if nothing. `carrier` is the carrier's key.
    """

    id: str
    store_id: int
    order_id: str
    carrier: str
    service: str | None
    tracking_number: str | None
    status: Status
    goods_dirhams: int
    delivery_dirhams: int
    cod_dirhams: int
    fee_dirhams: int | None
    note: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    carrier_name: str | None = None

    @property
    def shown_carrier(self) -> str:
        """The carrier's name as it was typed, or its key."""
        return self.carrier_name or self.carrier

    @property
    def is_final(self) -> bool:
        """True if nothing more happens to it."""
        return not MOVES[self.status]

    @property
    def value_dirhams(self) -> int:
        """The part of the order's total that this parcel stands for."""
        return self.goods_dirhams + self.delivery_dirhams

    @property
    def may_collect(self) -> bool:
        """True while its courier may still bring cash for it."""
        return self.status not in ("returning", "returned", "cancelled", "lost")

    def move(self, to: Status, at: datetime) -> "Shipment":
        """The parcel in another status; in the same one it is left as it is.

        Raises:
            ShipmentMoveRefused: the move is not in `MOVES`.
        """
        if to == self.status:
            return self
        if to not in MOVES[self.status]:
            raise ShipmentMoveRefused(self.status, to)
        return msgspec.structs.replace(self, status=to, updated_at=at)

    def hear(self, to: Status | None, at: datetime) -> "Shipment":
        """What becomes of it when its carrier says `to` (None: a word we do not know): late,
        repeated and unknown news changes nothing.
        """
        if to is None or to not in MOVES[self.status]:
            return self
        return msgspec.structs.replace(self, status=to, updated_at=at)


class ShipmentLine(msgspec.Struct, frozen=True):
    """Pieces of one of the order's lines in one parcel."""

    shipment_id: str
    position: int
    store_id: int
    quantity: int


class ShipmentEvent(msgspec.Struct, frozen=True):
    """Something that was said about a parcel: in the carrier's word, and in ours if we know it."""

    shipment_id: str
    id: str
    store_id: int
    raw_status: str
    status: Status | None
    source: str
    note: str | None
    at: datetime


class ShipmentMoveRefused(Conflict):
    """The shipment cannot go from its status to the one asked for."""

    code = "INVALID_TRANSITION"

    def __init__(self, seen: Status, asked: Status) -> None:
        super().__init__(
            Words(
                f"A shipment that is {seen} cannot become {asked}.",
                f"لا يمكن نقل الشحنة من الحالة {seen} إلى الحالة {asked}.",
            ),
            details={"from": seen, "to": asked, "allowed": list(MOVES[seen])},
        )


class ShipmentNotFound(NotFound):
    """No such shipment that the caller may know of."""

    words = Words("There is no such shipment.", "لا توجد شحنة بهذا الرقم.")


class NothingLeftToShip(Conflict):
    """More pieces than the order still has to ship."""

    code = "NOTHING_LEFT_TO_SHIP"
    words = Words(
        "The order has fewer pieces left to ship.",
        "عدد القطع المتبقية للشحن في الطلب أقل من ذلك.",
    )


class TrackingNumberTaken(Conflict):
    """Another shipment of the store has this carrier's tracking number."""

    code = "TRACKING_NUMBER_TAKEN"
    words = Words(
        "Another shipment of this carrier has this tracking number.",
        "رقم التتبع هذا مستخدم لشحنة أخرى لدى شركة الشحن نفسها.",
    )


class ShipmentHasCash(Conflict):
    """Cash was collected for the shipment, so it cannot be cancelled."""

    code = "SHIPMENT_HAS_CASH"
    words = Words(
        "Cash was collected for this shipment; it cannot be cancelled.",
        "تم تحصيل مبلغ هذه الشحنة؛ لا يمكن إلغاؤها.",
    )


class PartlyShipped(Conflict):
    """An order of which a part is on its way cannot be cancelled as a whole."""

    code = "ORDER_PARTLY_SHIPPED"
    words = Words(
        "A part of this order is shipped; cancel or return its shipments first.",
        "تم شحن جزء من هذا الطلب؛ ألغ شحناته أو أرجعها أولا.",
    )


class Ordered(msgspec.Struct, frozen=True):
    """One of the order's lines, as far as shipping it goes."""

    position: int
    variant_id: int
    quantity: int
    total_dirhams: int


class Packed(msgspec.Struct, frozen=True):
    """What goes into a new parcel: pieces by position, and their part of the order's amounts."""

    pieces: dict[int, int]
    goods_dirhams: int
    delivery_dirhams: int
    is_last: bool


def pack(
    lines: Sequence[Ordered],
    shipped: Mapping[int, int],
    wanted: Mapping[int, int] | None,
    left: tuple[int, int],
    net_dirhams: int,
) -> Packed:
    """What a parcel of these pieces holds and is worth.

    The first parcel carries the delivery's price; the parcel that ships the last piece is worth
    what is left of the goods, so that all parcels together are worth the order's total.

    Args:
        lines: of the order.
        shipped: pieces in its live parcels, by position.
        wanted: pieces by variant; None is all that is left.
        left: goods and delivery in dirhams that no live parcel stands for yet.
        net_dirhams: what all goods cost after discounts.

    Raises:
        NothingLeftToShip: more than is left, or nothing at all.
    """
    rest = {line.position: line.quantity - shipped.get(line.position, 0) for line in lines}
    by_variant = {line.variant_id: line.position for line in lines}
    if wanted is None:
        pieces = {position: quantity for position, quantity in rest.items() if quantity > 0}
    else:
        pieces = {by_variant[variant]: quantity for variant, quantity in wanted.items()}
    over = [p for p, quantity in pieces.items() if quantity > rest[p]]
    if over or not pieces:
        variants = {line.position: line.variant_id for line in lines}
        items = [{"variantId": variants[p], "left": max(0, rest[p])} for p in over]
        raise NothingLeftToShip(details={"items": items})
    goods_left, delivery_left = left
    is_last = all(quantity == pieces.get(position, 0) for position, quantity in rest.items())
    goods = goods_left
    if not is_last:
        goods = min(goods_left, _share(lines, pieces, net_dirhams))
    return Packed(pieces, goods, delivery_left, is_last)


def _share(lines: Sequence[Ordered], pieces: Mapping[int, int], net_dirhams: int) -> int:
    """What the pieces cost of the goods' net price, rounded down line by line."""
    weights = [line.total_dirhams for line in lines]
    if not any(weights):
        return 0
    nets = allocate(net_dirhams, weights)
    return sum(
        net * pieces.get(line.position, 0) // line.quantity
        for line, net in zip(lines, nets, strict=True)
    )

"""Returns as values: the allowed moves, what may still come back, what it is worth. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.errors import Conflict, Invalid, NotFound, Words

Status = Literal["requested", "approved", "rejected", "received", "closed"]
Outcome = Literal["restocked", "written_off"]

RETURNS_MAX = 100  # of one order
MOVES: Mapping[Status, tuple[Status, ...]] = {
    "requested": ("approved", "rejected"),
    "approved": ("received",),
    "rejected": (),
    "received": ("closed",),
    "closed": (),
}
RETURNABLE = ("shipped", "delivered")  # statuses of an order
ARRIVED: tuple[Status, ...] = ("received", "closed")


class Wish(msgspec.Struct, frozen=True):
    """A position of what is wanted in exchange."""

    product_id: int
    variant_id: int | None
    quantity: int


class Return(msgspec.Struct, frozen=True):
    """A return's row. `replacement` is a JSON list of wishes, `replacement_dirhams` what the order
    placed for them costs; `refund_dirhams` is fixed when the goods are received, and 0 before.
    """

    id: str
    store_id: int
    order_id: str
    status: Status
    reason: str | None
    decision: str | None
    replacement: msgspec.Raw
    replacement_order_id: str | None
    replacement_dirhams: int | None
    refund_dirhams: int
    created_at: datetime
    updated_at: datetime
    version: int

    def move(self, to: Status, at: datetime) -> "Return":
        """The return in another status.

        Raises:
            InvalidMove: the move is not in `MOVES`.
        """
        if to not in MOVES[self.status]:
            raise InvalidMove(self.status, to)
        return msgspec.structs.replace(self, status=to, updated_at=at)

    def wishes(self) -> tuple[Wish, ...]:
        """What is wanted in exchange; empty if nothing is."""
        return msgspec.json.decode(self.replacement, type=tuple[Wish, ...])


class ReturnLine(msgspec.Struct, frozen=True):
    """Pieces of one variant that come back; `outcome` None until they are received.

    `amount_dirhams` is their share of what was paid for the order's line, after discounts.
    """

    return_id: str
    variant_id: int
    store_id: int
    name: str
    quantity: int
    reason: str | None
    outcome: Outcome | None
    amount_dirhams: int


class Bought(msgspec.Struct, frozen=True):
    """What an order's line says of a variant: pieces, and what they cost after discounts."""

    variant_id: int
    name: str
    quantity: int
    net_dirhams: int


class Asked(msgspec.Struct, frozen=True):
    """One position of what a buyer wants to give back."""

    variant_id: int
    quantity: int
    reason: str | None = None


class InvalidMove(Conflict):
    """The return cannot go from its status to the one asked for."""

    code = "INVALID_TRANSITION"

    def __init__(self, seen: Status, asked: Status) -> None:
        super().__init__(
            Words(
                f"A return that is {seen} cannot become {asked}.",
                f"لا يمكن نقل الإرجاع من الحالة {seen} إلى الحالة {asked}.",
            ),
            details={"from": seen, "to": asked, "allowed": list(MOVES[seen])},
        )


class NotReturnable(Conflict):
    """The order was not shipped, was cancelled, or has come back already."""

    words = Words(
        "Only a shipped or delivered order can be returned.",
        "لا يمكن إرجاع إلا طلب تم شحنه أو تسليمه.",
    )


class TooLate(Conflict):
    """The buyer's time to give things back is over."""

    words = Words("The time for returning this order is over.", "انتهت مدة إرجاع هذا الطلب.")


class TooManyReturns(Conflict):
    """An order has at most `RETURNS_MAX` returns, the rejected ones included."""

    words = Words("This order has too many returns.", "لهذا الطلب عدد كبير جدا من الإرجاعات.")


class NoExchange(Conflict):
    """An exchange of an order whose money was to come online and did not."""

    words = Words(
        "This order is not paid, so nothing can be exchanged for it; return it and order again.",
        "هذا الطلب غير مدفوع فلا يمكن استبداله؛ أرجعه واطلب من جديد.",
    )


class ReturnNotFound(NotFound):
    """No such return that the caller may know of."""

    words = Words("There is no such return.", "لا يوجد إرجاع بهذا الرقم.")


def check_asked(
    asked: Sequence[Asked], bought: Mapping[int, Bought], taken: Mapping[int, int]
) -> None:
    """Whether all this may come back.

    Args:
        bought: the order's lines by variant.
        taken: pieces by variant in returns that were not rejected.

    Raises:
        Invalid: a variant that was not bought, the same one twice, more than what is left.
    """
    faults: dict[str, Words] = {}
    seen: set[int] = set()
    for position, line in enumerate(asked):
        known = bought.get(line.variant_id)
        if known is None:
            faults[f"lines[{position}].variantId"] = Words(
                "This is not in the order.", "هذا ليس من الطلب."
            )
        elif line.variant_id in seen:
            faults[f"lines[{position}].variantId"] = Words(
                "This is named already; raise its quantity.", "مذكور بالفعل؛ زد الكمية."
            )
        elif line.quantity > (left := known.quantity - taken.get(line.variant_id, 0)):
            faults[f"lines[{position}].quantity"] = Words(
                f"At most {left} can still be returned.", f"يمكن إرجاع {left} على الأكثر."
            )
        seen.add(line.variant_id)
    if faults:
        raise Invalid(faults)


def worth(bought: Bought, arrived: int, quantity: int) -> int:
    """What `quantity` more pieces are worth in dirhams when `arrived` have come back before.

    The shares of all pieces of a line sum to what was paid for it, however they come back.
    """
    before = bought.net_dirhams * arrived // bought.quantity
    return bought.net_dirhams * (arrived + quantity) // bought.quantity - before


def is_late(delivered_at: datetime | None, now: datetime, window: timedelta) -> bool:
    """True if a buyer may no longer ask; an order that is not delivered yet is never late."""
    return delivered_at is not None and now > delivered_at + window

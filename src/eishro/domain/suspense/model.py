"""Items of suspense as values."""

from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words

Status = Literal["open", "assigned", "resolved"]
Resolution = Literal["apply_to_order", "refund"]


class Proposal(msgspec.Struct, frozen=True):
    """What to do with the money, and why; people decide."""

    action: Resolution
    why: Words


# As a rule it goes back to whoever sent it: nobody ordered anything for it.
_PROPOSALS = {
    "paid_already": Words(
        "The order had been paid before this money came: give it back.",
        "كان الطلب مدفوعا قبل وصول هذا المبلغ: يُقترح رده.",
    ),
    "order_closed": Words(
        "The order was closed when this money came: give it back, or pay another order of the same "
        "buyer with it.",
        "كان الطلب مغلقا عند وصول هذا المبلغ: يُقترح رده، أو سداد طلب آخر للمشتري نفسه به.",
    ),
    "amount_differs": Words(
        "It is not the amount that the order waits for: give it back and have the order paid anew.",
        "ليس هذا هو المبلغ الذي ينتظره الطلب: يُقترح رده وإعادة سداد الطلب.",
    ),
}


def _foreign(currency: str) -> Words:
    """Whatever else speaks against it: no order in dinars takes such money."""
    return Words(
        f"It came in {currency}, and no order in dinars takes that: give the same sum back in "
        f"{currency}, and have the order paid anew.",
        f"وصل المبلغ بعملة {currency} ولا يُسدد به طلب بالدينار: يُقترح رد المبلغ نفسه بعملة "
        f"{currency} وإعادة سداد الطلب.",
    )


class SuspenseItem(msgspec.Struct, frozen=True):
    """Money of one receipt that waits to be placed.

    `provider`, `terminal` and `provider_reference` name the receipt, `order_id` the order whose
    payment brought it. `assigned_to` None is the platform.
    """

    id: str
    store_id: int
    payment_id: str
    order_id: str
    provider: str
    terminal: str
    provider_reference: str
    amount_dirhams: int
    currency: str
    reason: str
    status: Status
    assigned_to: int | None
    due_at: datetime
    opened_at: datetime
    resolution: Resolution | None
    resolved_order_id: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    version: int

    def assign(self, user_id: int | None) -> "SuspenseItem":
        """The item in somebody's hands; None gives it back to the platform.

        Raises:
            SuspenseResolved
        """
        self.must_wait()
        return msgspec.structs.replace(
            self, assigned_to=user_id, status="open" if user_id is None else "assigned"
        )

    def resolve(
        self, resolution: Resolution, by: str, at: datetime, order_id: str | None = None
    ) -> "SuspenseItem":
        """The item placed; `order_id` is where its money went.

        Raises:
            SuspenseResolved
        """
        self.must_wait()
        return msgspec.structs.replace(
            self,
            status="resolved",
            resolution=resolution,
            resolved_order_id=order_id,
            resolved_by=by,
            resolved_at=at,
        )

    @property
    def proposal(self) -> Proposal | None:
        """What to do with it; None once that is decided, or where nothing can be said."""
        words = _PROPOSALS.get(self.reason)
        if words is not None and self.currency != "LYD":
            words = _foreign(self.currency)
        return None if self.status == "resolved" or words is None else Proposal("refund", words)

    def must_wait(self) -> None:
        """Nothing, while the money waits.

        Raises:
            SuspenseResolved
        """
        if self.status == "resolved":
            raise SuspenseResolved()


class SuspenseNotFound(NotFound):
    """No such item that the caller may know of."""

    words = Words("There is no such money in suspense.", "لا يوجد مبلغ معلق كهذا.")


class SuspenseResolved(Conflict):
    """The money has been placed already."""

    code = "SUSPENSE_RESOLVED"
    words = Words("This money has been placed already.", "تمت تسوية هذا المبلغ من قبل.")


class SuspenseDoesNotFit(Conflict):
    """The order does not wait for exactly this money."""

    code = "SUSPENSE_DOES_NOT_FIT"
    words = Words(
        "This order does not wait for exactly this amount.", "هذا الطلب لا ينتظر هذا المبلغ بعينه."
    )

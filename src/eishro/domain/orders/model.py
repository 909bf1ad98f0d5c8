"""Orders as values: the amounts, the allowed moves, the checks. Pure: no clock, no database."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words
from eishro.text import ERASED
from eishro.trace import Step

LINES_MAX = 100
QUANTITY_MAX = 10_000  # pieces in one line
NUMBER_LENGTH = 8

Status = Literal[
    "pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "returned"
]
PaymentStatus = Literal["pending", "paid", "failed", "partially_refunded", "refunded", "voided"]
CAPTURED: frozenset[PaymentStatus] = frozenset({"paid", "partially_refunded", "refunded", "voided"})
FulfilmentStatus = Literal["unfulfilled", "partial", "fulfilled", "returned"]

MOVES: Mapping[Status, tuple[Status, ...]] = {
    "pending": ("confirmed", "cancelled"),
    "confirmed": ("processing", "cancelled"),
    "processing": ("shipped", "cancelled"),
    "shipped": ("delivered", "returned"),
    "delivered": ("returned",),
    "cancelled": (),
    "returned": (),
}
FINAL_STATUSES: tuple[Status, ...] = ("delivered", "cancelled", "returned")
COD = "cod"  # cash to the courier
OFFLINE_METHODS = (COD,)  # methods whose orders wait for the merchant, not for money


class Order(msgspec.Struct, frozen=True):
    """An order's row; amounts in dirhams, LYD. `expires_at` is set while an online order is
    unpaid, or one to be paid on delivery unconfirmed. `commission_bp` is the platform's share in
    basis points, fixed at the time of sale; `refunds_opened_dirhams` is what refunds come to,
    `refunded_dirhams` what of that has left. `due_dirhams` is what the buyer still owes for it,
    `paid_dirhams` the money that came and is the order's; `revision` counts the changes that made
    an invoice void. `is_held`: somebody has to look at it before it is confirmed or shipped.
    """

    id: str
    store_id: int
    number: str
    customer_user_id: int | None
    status: Status
    payment_status: PaymentStatus
    fulfilment_status: FulfilmentStatus
    customer_name: str
    customer_phone: str
    customer_email: str | None
    city_code: str
    area: str | None
    address: str
    shipping_notes: str | None
    shipping_method: str
    payment_method: str
    notes: str | None
    subtotal_dirhams: int
    discount_dirhams: int
    shipping_dirhams: int
    total_dirhams: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    weight_grams: int = 0
    coupon_code: str | None = None
    commission_bp: int = 0
    refunds_opened_dirhams: int = 0
    refunded_dirhams: int = 0
    due_dirhams: int = 0
    paid_dirhams: int = 0
    revision: int = 0
    is_held: bool = False

    @property
    def is_payable(self) -> bool:
        """True while money for it is welcome."""
        return self.payment_status in ("pending", "failed") and self.status not in (
            "cancelled",
            "returned",
        )

    @property
    def is_captured(self) -> bool:
        """True if its money came, whatever has gone back since."""
        return self.payment_status in CAPTURED

    @property
    def holds_stock(self) -> bool:
        """True while its pieces are reserved and not yet shipped."""
        return self.status in ("pending", "confirmed", "processing")

    def check_editable(self) -> None:
        """Its items and address can still be changed.

        Raises:
            NotEditable, OrderPaid
        """
        if not self.holds_stock or self.fulfilment_status != "unfulfilled":
            raise NotEditable(details={"status": self.status})
        is_as_paid = (
            self.payment_status == "paid"
            and self.paid_dirhams == self.total_dirhams
            and self.refunds_opened_dirhams == 0
        )
        if not (self.is_payable or is_as_paid):
            raise OrderPaid(details={"paymentStatus": self.payment_status})

    def check_released(self) -> None:
        """Nothing, unless somebody has to look at it first.

        Raises:
            OrderHeld
        """
        if self.is_held:
            raise OrderHeld()

    def release(self, at: datetime) -> "Order":
        """The order that somebody has looked at; one that is paid confirms itself."""
        is_waiting = self.status == "pending" and self.payment_status == "paid"
        return msgspec.structs.replace(
            self,
            is_held=False,
            status="confirmed" if is_waiting else self.status,
            updated_at=at,
        )

    def move(self, to: Status, at: datetime) -> "Order":
        """The order in another status.

        Raises:
            InvalidTransition: the move is not in `MOVES`.
            OrderHeld: it is to go on, and somebody has to look at it first.
        """
        if to not in MOVES[self.status]:
            raise InvalidTransition(self.status, to)
        if to in ("confirmed", "processing", "shipped"):
            self.check_released()
        fulfilment: FulfilmentStatus = self.fulfilment_status
        if to in ("shipped", "delivered"):
            fulfilment = "fulfilled"
        elif to == "returned":
            fulfilment = "returned"
        # Who pays on delivery is waited for until the merchant has confirmed, who pays online
        # until the money is there.
        keeps_waiting = (
            to == "confirmed"
            and self.payment_status != "paid"
            and self.payment_method not in OFFLINE_METHODS
        )
        return msgspec.structs.replace(
            self,
            status=to,
            fulfilment_status=fulfilment,
            expires_at=self.expires_at if keeps_waiting else None,
            updated_at=at,
        )

    def refund(self, dirhams: int, captured_dirhams: int, at: datetime) -> "Order":
        """The order after this much of `captured_dirhams` has left again."""
        refunded = self.refunded_dirhams + dirhams
        whole = refunded >= captured_dirhams
        return msgspec.structs.replace(
            self,
            payment_status="refunded" if whole else "partially_refunded",
            refunded_dirhams=refunded,
            updated_at=at,
        )

    def pay(self, at: datetime) -> "Order":
        """The order paid in full; a pending one confirms itself, unless it is held."""
        confirms = self.status == "pending" and not self.is_held
        return msgspec.structs.replace(
            self,
            payment_status="paid",
            status="confirmed" if confirms else self.status,
            expires_at=None,
            updated_at=at,
        )

    def receive(self, dirhams: int, at: datetime) -> "Order":
        """The order with this much more of its money here; paid once nothing is due."""
        after = msgspec.structs.replace(
            self,
            paid_dirhams=self.paid_dirhams + dirhams,
            due_dirhams=self.due_dirhams - dirhams,
            updated_at=at,
        )
        return after.pay(at) if after.due_dirhams == 0 else after

    def reprice(self, total_before: int, at: datetime) -> tuple["Order", int]:
        """The order whose total was another one before, and what it has too much now: more than
        came is due, less than came goes back.
        """
        due = self.due_dirhams + self.total_dirhams - total_before
        excess = max(0, -due)
        after = msgspec.structs.replace(
            self, due_dirhams=due + excess, paid_dirhams=self.paid_dirhams - excess
        )
        if due > 0 and self.payment_status == "paid":
            after = msgspec.structs.replace(after, payment_status="pending")
        elif due <= 0 and after.is_payable and self.paid_dirhams:
            after = after.pay(at)
        return after, excess

    def owe_no_more(self) -> "Order":
        """The order of which nothing is expected any more; what came for it is its payment."""
        came = self.paid_dirhams > 0 and self.payment_status in ("pending", "failed")
        return msgspec.structs.replace(
            self, due_dirhams=0, payment_status="paid" if came else self.payment_status
        )

    def without_buyer(self, at: datetime) -> "Order":
        """The order with nothing in it that names or finds a person; goods, amounts, city and
        dates stay, and the account's number.
        """
        return msgspec.structs.replace(
            self,
            customer_name=ERASED,
            customer_phone="",
            customer_email=None,
            area=None,
            address=ERASED,
            shipping_notes=None,
            notes=None,
            updated_at=at,
        )


class Line(msgspec.Struct, frozen=True):
    """One line, as it was when ordered. `options` is the variant's JSON object.

    `total_dirhams` is before discounts; `discount_dirhams` is the line's share of them.
    """

    order_id: str
    position: int
    store_id: int
    product_id: int
    variant_id: int
    name: str
    options: msgspec.Raw
    sku: str | None
    unit_price_dirhams: int
    quantity: int
    total_dirhams: int
    discount_dirhams: int = 0
    weight_grams: int = 0


class HistoryEntry(msgspec.Struct, frozen=True):
    """One thing that happened to an order: who, what, why."""

    order_id: str
    id: str
    store_id: int
    event: str
    status: str
    actor: str
    note: str | None
    at: datetime


class InvalidTransition(Conflict):
    """The order cannot go from its status to the one asked for."""

    code = "INVALID_TRANSITION"

    def __init__(self, seen: Status, asked: Status) -> None:
        super().__init__(
            Words(
                f"An order that is {seen} cannot become {asked}.",
                f"لا يمكن نقل الطلب من الحالة {seen} إلى الحالة {asked}.",
            ),
            details={"from": seen, "to": asked, "allowed": list(MOVES[seen])},
        )


class OrderHeld(Conflict):
    """Somebody has to look at the order before it goes on."""

    code = "ORDER_HELD"
    words = Words(
        "This order waits for a review; approve or reject it first.",
        "هذا الطلب في انتظار المراجعة؛ اقبله أو ارفضه أولا.",
    )


class OrderPaid(Conflict):
    """Some of its money went back, or it was paid otherwise than with what it costs."""

    code = "ORDER_PAID"
    words = Words(
        "Money of this order was refunded or is in question; place another order instead.",
        "أُرجع جزء من مبلغ هذا الطلب أو هو محل خلاف، فلا يمكن تعديله؛ سجل طلبا آخر.",
    )


class NotEditable(Conflict):
    """The order is closed, or some of it has left the house."""

    code = "NOT_EDITABLE"
    words = Words(
        "Only an order of which nothing has been shipped can be changed.",
        "لا يمكن تعديل الطلب بعد شحن شيء منه أو إغلاقه.",
    )


class OutOfStock(Conflict):
    """Fewer pieces left than asked for."""

    code = "OUT_OF_STOCK"
    words = Words(
        "Some items are not available in the quantity you want.",
        "بعض المنتجات غير متوفرة بالكمية المطلوبة.",
    )


class OrderNotFound(NotFound):
    """No such order that the caller may know of."""

    words = Words("There is no such order.", "لا يوجد طلب بهذا الرقم.")


class Wanted(msgspec.Struct, frozen=True):
    """One position of the basket as the buyer sent it."""

    product_id: int
    quantity: int
    variant_id: int | None = None


class Offer(msgspec.Struct, frozen=True):
    """What the catalogue says of a variant now; `available` None is untracked."""

    variant_id: int
    product_id: int
    product_version: int
    name: str
    options: msgspec.Raw
    sku: str | None
    unit_price_dirhams: int
    available: int | None
    is_sold: bool
    weight_grams: int = 0


class Priced(msgspec.Struct, frozen=True):
    """One basket position with its offer and amounts; the total is before the discount."""

    offer: Offer
    quantity: int
    total_dirhams: int
    discount_dirhams: int = 0


class Basket(msgspec.Struct, frozen=True):
    """The whole calculation, with the reason of each amount that has one."""

    lines: tuple[Priced, ...]
    subtotal_dirhams: int
    discount_dirhams: int
    shipping_dirhams: int
    total_dirhams: int
    reasons: dict[str, str]
    steps: tuple[Step, ...] = ()
    weight_grams: int = 0

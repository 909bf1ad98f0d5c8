"""Refunds as values: what an answer of the gateway makes of one. Pure.

requested -> sending -> done | failed | unknown
    |          ^          failed -> requested (again) | done (by hand)
    |          +--------- unknown (asked about before anything is sent again)
    +-> manual -> done    unknown -> manual when the gateway never becomes clear
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.domain.payments.port import (
    RefundAnswer,
    Refunded,
    RefundLater,
    RefundRefused,
    RefundUnknown,
)
from eishro.errors import Conflict, NotFound, Words
from eishro.money import decimal_from_dirhams

RefundStatus = Literal["requested", "sending", "done", "failed", "unknown", "manual"]
# `excess` is money that an order does not cost any more, `exchange` what pays another order.
RefundKind = Literal["refund", "void", "manual", "suspense", "excess", "exchange"]
Through = Literal["gateway", "cash", "exchange"]

UNDER_WAY: frozenset[RefundStatus] = frozenset({"sending", "unknown"})
REFUNDS_MAX = 100  # of one order
# Who sends has this long before others ask what became of it.
SENDING = timedelta(minutes=3)
BUSY_PAUSE = timedelta(seconds=30)  # while another refund of the same money is under way
PAUSE_FIRST = timedelta(seconds=15)
PAUSE_MAX = timedelta(hours=6)
LATER_TRIES_MAX = 30
UNKNOWN_DAYS_MAX = 7
FAILURE_LENGTH_MAX = 300


class RefundedLine(msgspec.Struct, frozen=True):
    """Pieces of a line in a refund, and their part of its amount."""

    position: int
    variant_id: int
    quantity: int
    dirhams: int


class Refund(msgspec.Struct, frozen=True):
    """One refund's row. `provider`, `terminal` and `receipt_reference` name the money that came
    (none: it came as cash); `through` is the way it left. `sent_at` is when a call for it may
    have left last, `next_try_at` when somebody looks after it. `paid_order_id` is the order that
    the money of an exchange pays now.
    """

    id: str
    store_id: int
    order_id: str
    payment_id: str | None
    provider: str | None
    terminal: str | None
    receipt_reference: str | None
    amount_dirhams: int
    goods_dirhams: int
    delivery_dirhams: int
    lines: msgspec.Raw
    reason: str
    status: RefundStatus
    kind: RefundKind
    through: Through | None
    provider_reference: str | None
    failure: str | None
    requested_by: str
    completed_by: str | None
    note: str | None
    attempts: int
    sent_at: datetime | None
    next_try_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    paid_order_id: str | None = None

    @property
    def receipt_key(self) -> tuple[str | None, str | None, str | None]:
        """The money it gives back."""
        return self.provider, self.terminal, self.receipt_reference

    @property
    def is_of_order(self) -> bool:
        """True if it gives back what the order costs, not money in suspense or too much of it."""
        return self.kind not in ("suspense", "excess")

    @property
    def is_of_payment(self) -> bool:
        """True if it gives back what paid an order once."""
        return self.kind != "suspense"

    @property
    def leaves(self) -> bool:
        """True if its money goes to the buyer, not to another order."""
        return self.kind != "exchange"

    def lines_value(self) -> tuple[RefundedLine, ...]:
        """The lines, decoded."""
        return msgspec.json.decode(self.lines, type=tuple[RefundedLine, ...])

    def sending(self, at: datetime) -> "Refund":
        """The intent, before anything leaves."""
        return self._changed(
            at, status="sending", attempts=self.attempts + 1, sent_at=at, next_try_at=at + SENDING
        )

    def waiting(self, at: datetime) -> "Refund":
        """Put off, since another refund of the same money is under way."""
        return self._changed(at, next_try_at=at + BUSY_PAUSE)

    def answered(
        self, answer: RefundAnswer, at: datetime, sent_before: datetime | None
    ) -> "Refund":
        """The refund after what the gateway says; what is done stays done.

        Args:
            sent_before: its `sent_at` before the call that is answered.
        """
        if isinstance(answer, Refunded):
            return self._done(answer, at)
        if self.status != "sending":
            return self  # somebody else has heard the answer
        if isinstance(answer, RefundUnknown):
            return self._unknown(answer, at, sent_before)
        if isinstance(answer, RefundLater):
            return self._later(answer, at, sent_before)
        is_refused = isinstance(answer, RefundRefused)
        return self._ended(at, "failed" if is_refused else "manual", answer.reason)

    def asked_again(self, at: datetime) -> "Refund":
        """A failed refund is to be sent once more.

        Raises:
            RefundNotOpen
        """
        if self.status != "failed":
            raise RefundNotOpen(self.status)
        return self._changed(at, status="requested", failure=None, attempts=0, next_try_at=at)

    def completed(
        self, by: str, note: str, reference: str | None, through: Through, at: datetime
    ) -> "Refund":
        """Done by people, outside or in the gateway's own portal.

        Raises:
            RefundNotOpen
        """
        if self.status not in ("manual", "failed"):
            raise RefundNotOpen(self.status)
        return self._changed(
            at,
            status="done",
            kind="manual" if self.is_of_order else self.kind,
            through=through,
            provider_reference=reference,
            completed_by=by,
            note=note,
            next_try_at=None,
        )

    def _done(self, answer: Refunded, at: datetime) -> "Refund":
        if self.status == "done":
            return self
        return self._changed(
            at,
            status="done",
            kind="void" if answer.was_void and self.is_of_order else self.kind,
            through="gateway",
            provider_reference=answer.reference,
            failure=None,
            next_try_at=None,
        )

    def _unknown(
        self, answer: RefundUnknown, at: datetime, sent_before: datetime | None
    ) -> "Refund":
        if at >= self.created_at + timedelta(days=UNKNOWN_DAYS_MAX):
            return self._ended(at, "manual", answer.reason)
        return self._changed(
            at,
            status="unknown",
            failure=answer.reason[:FAILURE_LENGTH_MAX],
            sent_at=self.sent_at if answer.sent else sent_before,
            next_try_at=at + self._pause(),
        )

    def _later(self, answer: RefundLater, at: datetime, sent_before: datetime | None) -> "Refund":
        if sent_before is not None:  # an earlier call may still come true
            return self._unknown(RefundUnknown(answer.reason, sent=False), at, sent_before)
        if self.attempts >= LATER_TRIES_MAX:
            return self._ended(at, "failed", answer.reason)
        return self._changed(
            at,
            status="requested",
            failure=answer.reason[:FAILURE_LENGTH_MAX],
            sent_at=None,
            next_try_at=max(at, answer.after) if answer.after else at + self._pause(),
        )

    def _pause(self) -> timedelta:
        doublings = min(max(self.attempts - 1, 0), 20)
        return min(PAUSE_FIRST * (1 << doublings), PAUSE_MAX)

    def _ended(self, at: datetime, status: RefundStatus, reason: str) -> "Refund":
        failure = reason[:FAILURE_LENGTH_MAX] or None
        return self._changed(at, status=status, failure=failure, next_try_at=None)

    def _changed(self, at: datetime, **changes: object) -> "Refund":
        return msgspec.structs.replace(self, updated_at=at, **changes)


class RefundNotFound(NotFound):
    """No such refund of this order."""

    words = Words("There is no such refund.", "لا يوجد استرجاع بهذا الرقم.")


class RefundNotOpen(Conflict):
    """What is asked for does not fit how far the refund got."""

    code = "INVALID_TRANSITION"

    def __init__(self, status: RefundStatus) -> None:
        super().__init__(
            Words(
                f"This cannot be done with a refund that is {status}.",
                f"لا يمكن القيام بذلك لاسترجاع حالته {status}.",
            ),
            details={"status": status},
        )


class RefundTooLarge(Conflict):
    """More than what came and has not gone back; `details.remaining` says what is left."""

    code = "REFUND_TOO_LARGE"

    def __init__(self, remaining_dirhams: int, **details: object) -> None:
        remaining = decimal_from_dirhams(remaining_dirhams)
        super().__init__(
            Words(
                f"No more than LYD {remaining} can still be refunded.",
                f"لا يمكن استرجاع أكثر من {remaining} د.ل.",
            ),
            # As it is: the encoder of errors would write a decimal as text.
            details={"remaining": msgspec.Raw(str(remaining).encode()), **details},
        )


class TooManyRefunds(Conflict):
    """An order has a limited number of refunds."""

    words = Words(
        f"An order can have {REFUNDS_MAX} refunds at most.",
        f"لا يمكن أن يكون للطلب أكثر من {REFUNDS_MAX} عملية استرجاع.",
    )


class NotInSuspense(Conflict):
    """This money paid an order, or goes back already."""

    words = Words("This money does not wait in suspense.", "هذا المبلغ ليس ضمن المبالغ المعلقة.")

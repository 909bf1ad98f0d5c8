"""Payouts and bank accounts as values, and who may do what with them."""

from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words
from eishro.money import decimal_from_dirhams

Status = Literal["requested", "approved", "paid", "rejected", "cancelled"]
OPEN: tuple[Status, ...] = ("requested", "approved")


class BankAccount(msgspec.Struct, frozen=True):
    """Where a store's money goes. `version` moves with every payout, too."""

    store_id: int
    beneficiary: str
    bank: str
    iban: str
    changed_by: int
    changed_at: datetime
    version: int


class Payout(msgspec.Struct, frozen=True):
    """One payout, with the bank details as they were when it was requested.

    `requested_by`, `approved_by`, `paid_by` and `closed_by` are the persons who did it; an admin
    who acts for somebody is the admin. It is not approved before `not_before`.
    """

    id: str
    store_id: int
    amount_dirhams: int
    status: Status
    beneficiary: str
    bank: str
    iban: str
    requested_by: int
    requested_at: datetime
    not_before: datetime
    approved_by: int | None
    approved_at: datetime | None
    paid_by: int | None
    paid_at: datetime | None
    reference: str | None
    closed_by: int | None
    closed_at: datetime | None
    reason: str | None
    version: int

    def approve(self, by: int, at: datetime) -> "Payout":
        """The payout approved.

        Raises:
            PayoutNotPossible, TwoPeopleNeeded, PayoutTooEarly.
        """
        self._must_be("requested", "approved")
        if by == self.requested_by:
            raise TwoPeopleNeeded()
        if at < self.not_before:
            raise PayoutTooEarly(self.not_before)
        return msgspec.structs.replace(self, status="approved", approved_by=by, approved_at=at)

    def pay(self, by: int, at: datetime, reference: str) -> "Payout":
        """The payout sent; `reference` is the bank's.

        Raises:
            PayoutNotPossible, TwoPeopleNeeded.
        """
        self._must_be("approved", "paid")
        if by == self.approved_by:
            raise TwoPeopleNeeded()
        return msgspec.structs.replace(
            self, status="paid", paid_by=by, paid_at=at, reference=reference
        )

    def close(
        self, as_: Literal["rejected", "cancelled"], by: int, at: datetime, reason: str | None
    ) -> "Payout":
        """The payout given up: by the platform, or by the store while nobody has approved it.

        Raises:
            PayoutNotPossible
        """
        if self.status not in OPEN or (as_ == "cancelled" and self.status != "requested"):
            raise PayoutNotPossible(self.status, as_)
        return msgspec.structs.replace(self, status=as_, closed_by=by, closed_at=at, reason=reason)

    def _must_be(self, status: Status, to: Status) -> None:
        if self.status != status:
            raise PayoutNotPossible(self.status, to)


def available_of(owed_dirhams: int, open_dirhams: int) -> int:
    """What a store may ask for: what it is owed and has not asked for yet, never below zero."""
    return max(0, owed_dirhams - open_dirhams)


class PayoutNotFound(NotFound):
    """No such payout that the caller may know of."""

    words = Words("There is no such payout.", "لا توجد دفعة تحويل كهذه.")


class BankAccountMissing(Conflict):
    """A payout needs to know where it goes."""

    code = "BANK_ACCOUNT_MISSING"
    words = Words("Enter the store's bank account first.", "أدخل الحساب المصرفي للمتجر أولا.")


class PayoutNotPossible(Conflict):
    """The payout cannot go from its status to the one asked for."""

    code = "INVALID_TRANSITION"

    def __init__(self, seen: Status, asked: Status) -> None:
        super().__init__(
            Words(
                f"A payout that is {seen} cannot become {asked}.",
                f"لا يمكن نقل دفعة التحويل من الحالة {seen} إلى الحالة {asked}.",
            ),
            details={"from": seen, "to": asked},
        )


class TwoPeopleNeeded(Conflict):
    """Whoever did the step before may not do this one."""

    code = "TWO_PEOPLE_NEEDED"
    words = Words("Somebody else has to do this step.", "يجب أن يقوم شخص آخر بهذه الخطوة.")


class PayoutTooEarly(Conflict):
    """The bank account was changed a short time ago."""

    code = "PAYOUT_TOO_EARLY"

    def __init__(self, not_before: datetime) -> None:
        super().__init__(
            Words(
                "The bank account was changed a short time ago; approve this later.",
                "تم تغيير الحساب المصرفي قبل وقت قصير؛ وافق على هذا لاحقا.",
            ),
            details={"notBefore": not_before},
        )


class PayoutNotCovered(Conflict):
    """More than the platform owes the store and has not promised yet."""

    code = "PAYOUT_NOT_COVERED"

    def __init__(self, available_dirhams: int) -> None:
        super().__init__(
            Words(
                "The store's balance does not cover this payout.",
                "رصيد المتجر لا يغطي دفعة التحويل هذه.",
            ),
            details={"available": decimal_from_dirhams(available_dirhams)},
        )

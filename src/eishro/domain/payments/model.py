"""Payment attempts as values: what an answer of the gateway makes of them. Pure."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.domain.payments.port import Answer, Failed, Intent, Paid, Receipt, Unknown
from eishro.domain.payments.transfers import PROVIDER as TRANSFER
from eishro.errors import Conflict, Forbidden, Invalid, NotFound, Words

Status = Literal[
    "created",
    "action_required",
    "processing",
    "paid",
    "failed",
    "cancelled",
    "expired",
    "unknown",
    "partially_refunded",
    "refunded",
    "voided",
]
SETTLED: frozenset[Status] = frozenset({"paid", "partially_refunded", "refunded", "voided"})
_OPEN: frozenset[Status] = frozenset({"created", "action_required", "processing", "unknown"})

# When a payment is asked about without news: after each of these pauses, then once a day until
# `SWEEP_DAYS` have passed (payments.md 1.9: a lost completion call).
SWEEP_PAUSES = tuple(timedelta(minutes=m) for m in (2, 5, 15, 60))
SWEEP_DAILY = timedelta(hours=24)
SWEEP_DAYS = 3
# A paid attempt is asked about on each of these days still: the payer may have paid it twice.
PAID_SWEEP_DAYS = (1, 2, 3)
CODE_TRIES_MAX = 5
CODE_SILENCE = timedelta(minutes=2)  # longer than any call with a code may take
BY_HAND = "by_hand"  # the terminal of money that people found in a gateway's own pages
PAID_SWEEP_DAYS_MAX = 14  # where the gateway does not answer
# After news that the gateway could not confirm yet: look again this soon.
NEWS_PAUSES = tuple(timedelta(seconds=s) for s in (1, 1, 2, 5, 15, 60))


class Payment(msgspec.Struct, frozen=True):
    """One attempt. `reference` is what the gateway knows it by; `action` the JSON the payer's
    page needs; `review` says why people should look at it; `checks` counts questions asked.
    `wire_minor` is what the gateway asks for in minor units of a `currency` that is not LYD, at
    `rate_micro` dinars for a million of its units, known from `rate_source`. `session` is sealed:
    what the adapter is told again; `code_tries` counts one-time codes sent. `credentials_id` names
    the store's own credentials it was begun with, None the platform's; `is_own_account`: it is
    transferred to an account of the store's.
    """

    id: str
    store_id: int
    order_id: str
    method: str
    provider: str
    reference: str
    amount_dirhams: int
    currency: str
    status: Status
    action: msgspec.Raw | None
    failure: str | None
    review: str | None
    return_url: str | None
    checks: int
    news_checks: int
    next_check_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    wire_minor: int | None = None
    rate_micro: int | None = None
    rate_source: str | None = None
    session: str | None = None
    code_tries: int = 0
    credentials_id: str | None = None
    is_own_account: bool = False

    @property
    def account(self) -> str:
        """Where its money stands in the books: at the platform's gateway account, which is owed to
        the store, or at the store's own, which is not.
        """
        return f"{'own' if self.is_store_s_own else 'clearing'}:{self.provider}"

    @property
    def is_store_s_own(self) -> bool:
        """True where the store itself gets the money: nobody owes it to the store."""
        return self.credentials_id is not None or self.is_own_account

    @property
    def intent(self) -> Intent:
        """What its adapter may know."""
        return Intent(
            reference=self.reference,
            amount_dirhams=self.amount_dirhams,
            created_at=self.created_at,
            method=self.method,
            currency=self.currency,
            wire_minor=self.wire_minor,
            code_try=self.code_tries,
        )

    @property
    def is_final(self) -> bool:
        """True when the payer has nothing left to do with it."""
        return self.status in SETTLED or self.status in ("failed", "cancelled", "expired")

    @property
    def waits_for_payer(self) -> bool:
        """True while the payer may act on it; a refused card may be followed by another."""
        return self.status in ("action_required", "failed", "processing")

    @property
    def may_be_charged(self) -> bool:
        """True where a code was sent, or a transfer shown, and no clear answer has come: paying
        again could be twice.
        """
        has_acted = self.code_tries > 0 or self.provider == TRANSFER
        in_flight = self.status == "processing" and has_acted
        return in_flight or (self.status == "unknown" and self.review == "no_answer")

    def answered(self, answer: Answer, at: datetime) -> "Payment":
        """The payment after the gateway's answer; `paid` never goes back.

        Money with another amount or currency leaves it `unknown`, marked for review.
        """
        if self.status in SETTLED:
            following = self._look_for_more(at)
            last = self.created_at + timedelta(days=PAID_SWEEP_DAYS_MAX)
            if following is None and isinstance(answer, Unknown) and at < last:
                following = at + SWEEP_DAILY  # nobody answered: that was no look
            return self._checked(at, following=following)
        if isinstance(answer, Paid):
            seen = self._checked(at, following=self._look_for_more(at))
            if any(self.is_exact(receipt) for receipt in answer.receipts):
                return msgspec.structs.replace(seen, status="paid", failure=None)
            return msgspec.structs.replace(seen, status="unknown", review="amount_differs")
        if isinstance(answer, Failed):
            # An explicit no. The payer may still try another card in the same window, so it goes
            # on being asked about, and money that comes later counts.
            status: Status = "failed" if self.status in _OPEN else self.status
            return msgspec.structs.replace(
                self._checked(at, following=self._next_check(at)),
                status=status,
                failure=answer.reason[:200],
            )
        following = self._next_check(at)
        last = self.created_at + timedelta(days=PAID_SWEEP_DAYS_MAX)
        if following is None and answer.is_unreachable and at < last:
            following = at + SWEEP_DAILY  # nobody answered: that was no look
        seen = self._checked(at, following=following)
        # A code that was sent and never answered: a crash, or a gateway that fell silent.
        is_late = at >= self.updated_at + CODE_SILENCE
        if self.status == "processing" and self.code_tries and is_late:
            return seen.in_the_dark(at)
        return seen

    def says_as_much_as(self, other: "Payment") -> bool:
        """True if nothing but the count of questions differs."""
        counted = msgspec.structs.replace(
            self,
            checks=other.checks,
            news_checks=other.news_checks,
            updated_at=other.updated_at,
        )
        return counted == other

    def sending_code(self, at: datetime) -> "Payment":
        """A one-time code is about to be sent: from now on it may have been charged.

        Raises:
            NoCodeExpected, TooManyCodes.
        """
        if self.status != "action_required":
            raise NoCodeExpected()
        if self.code_tries >= CODE_TRIES_MAX:
            raise TooManyCodes()
        return msgspec.structs.replace(
            self, status="processing", code_tries=self.code_tries + 1, updated_at=at
        )

    def code_refused(self, at: datetime, *, was_sent: bool = True) -> "Payment":
        """Nothing was charged: another code may follow, up to a limit; an unsent one is no try."""
        tries = self.code_tries if was_sent else self.code_tries - 1
        if tries >= CODE_TRIES_MAX:
            return msgspec.structs.replace(
                self, status="failed", failure="too many codes", updated_at=at
            )
        return msgspec.structs.replace(
            self, status="action_required", code_tries=tries, updated_at=at
        )

    def in_the_dark(self, at: datetime) -> "Payment":
        """It may have been charged and the gateway cannot be asked: people have to look."""
        return msgspec.structs.replace(
            self, status="unknown", review=self.review or "no_answer", updated_at=at
        )

    def shown(self, at: datetime, until: datetime | None) -> "Payment":
        """The payer has shown a transfer: people look at it, until then at the latest. What is
        over stays so, and is looked at all the same.
        """
        if self.status not in ("action_required", "processing", "failed"):
            return msgspec.structs.replace(self, updated_at=at)
        return msgspec.structs.replace(
            self,
            status="processing",
            failure=None,
            expires_at=until,
            next_check_at=until,
            updated_at=at,
        )

    def looked_at(self, at: datetime) -> "Payment":
        """People have seen why it was flagged."""
        return msgspec.structs.replace(self, review=None, updated_at=at)

    def closed(self, status: Status, at: datetime) -> "Payment":
        """The attempt given up by the payer or by time; late money is still noticed. What may have
        been charged stays what it is.
        """
        if self.status == "unknown" and self.review == "no_answer":
            return self
        if self.status == "processing" and self.code_tries:
            return self  # a code is on its way
        if self.status in SETTLED or self.status == status:
            return self
        return msgspec.structs.replace(self, status=status, updated_at=at)

    def told(self, at: datetime) -> "Payment":
        """News arrived that the gateway does not confirm yet: look again very soon."""
        if self.status in SETTLED:
            return self
        return msgspec.structs.replace(self, news_checks=1, next_check_at=at + NEWS_PAUSES[0])

    def given_back(self, dirhams: int, at: datetime, *, as_void: bool) -> "Payment":
        """The payment after `dirhams` of it, all refunds together, have gone back."""
        if self.status not in SETTLED or dirhams <= 0:
            return self
        status: Status = "partially_refunded"
        if dirhams >= self.amount_dirhams:
            status = "voided" if as_void else "refunded"
        return msgspec.structs.replace(self, status=status, updated_at=at)

    def is_exact(self, receipt: Receipt) -> bool:
        """True if the money is what this attempt asked for, to the dirham."""
        asked = (self.amount_dirhams, self.currency, self.wire_minor)
        return (receipt.amount_dirhams, receipt.currency, receipt.wire_minor) == asked

    def _checked(self, at: datetime, following: datetime | None) -> "Payment":
        news = self.news_checks + 1 if 0 < self.news_checks < len(NEWS_PAUSES) else 0
        return msgspec.structs.replace(
            self,
            checks=self.checks + 1,
            news_checks=news,
            next_check_at=following,
            updated_at=at,
        )

    def _look_for_more(self, at: datetime) -> datetime | None:
        """When to ask again although money has come; the same instant whoever asks meanwhile."""
        for days in PAID_SWEEP_DAYS:
            if self.created_at + timedelta(days=days) > at:
                return self.created_at + timedelta(days=days)
        return None

    def _next_check(self, at: datetime) -> datetime | None:
        if 0 < self.news_checks < len(NEWS_PAUSES):
            return at + NEWS_PAUSES[self.news_checks]
        if at >= self.created_at + timedelta(days=SWEEP_DAYS):
            return None
        for pause in SWEEP_PAUSES:
            if self.created_at + pause > at:
                return self.created_at + pause
        return at + SWEEP_DAILY


class StoredReceipt(msgspec.Struct, frozen=True):
    """Money that came, once for each of the gateway's transactions. `applied` says whether it
    paid its order; if not, `reason` says why it waits in suspense.
    """

    provider: str
    terminal: str
    provider_reference: str
    store_id: int
    payment_id: str
    amount_dirhams: int
    currency: str
    applied: bool
    reason: str | None
    details: msgspec.Raw
    at: datetime
    wire_minor: int | None = None


class News(msgspec.Struct, frozen=True):
    """A notification as received; `outcome` is set when it is worked off. `proof` is an answer, as
    JSON. `dedupe_key` and `body_hash` (of the payment it names) tell when it comes again.
    """

    id: str
    provider: str
    dedupe_key: str
    body_hash: str
    reference: str | None
    kind: str
    raw: msgspec.Raw
    received_at: datetime
    outcome: str | None
    proof: msgspec.Raw | None = None


class PaymentNotFound(NotFound):
    """No such payment."""

    words = Words("There is no such payment.", "لا توجد عملية دفع بهذا الرقم.")


class NotPayable(Conflict):
    """The order is paid, cancelled or otherwise closed."""

    words = Words("This order does not wait for a payment.", "هذا الطلب لا ينتظر أي دفعة.")


class MethodNotOffered(Invalid):
    """The store does not offer this method."""

    def __init__(self, field: str) -> None:
        super().__init__(
            {field: Words("The store does not offer this method.", "المتجر لا يوفر هذه الطريقة.")}
        )


class NoCodeExpected(Conflict):
    """The payment waits for no one-time code (any more)."""

    words = Words("This payment does not wait for a code.", "عملية الدفع هذه لا تنتظر رمز تحقق.")


class TooManyCodes(Conflict):
    """Wrong codes were sent too often."""

    words = Words(
        "Too many wrong codes; please begin the payment again.",
        "رموز خاطئة كثيرة؛ يرجى بدء الدفع من جديد.",
    )


class PlatformSays(Forbidden):
    """The money would be the platform's to owe: a store's word is no proof of it."""

    words = Words(
        "This money comes to the platform's account; only the platform says that it came.",
        "تصل هذه الأموال إلى حساب المنصة؛ والمنصة وحدها تؤكد وصولها.",
    )


class MayBeCharged(Conflict):
    """An earlier attempt may have been charged: another now could be paid twice."""

    code = "PAYMENT_UNCLEAR"
    words = Words(
        "An earlier attempt may have been charged; its outcome is being cleared up.",
        "ربما تم الخصم في محاولة سابقة؛ يجري التحقق من نتيجتها.",
    )


class TotalDiffers(Conflict):
    """Paid this way the order would cost something else."""

    code = "TOTAL_DIFFERS"

    def __init__(self, now: str, then: str) -> None:
        super().__init__(
            Words(
                f"Paid in cash this order would cost {then} LYD instead of {now}; "
                "place it again with cash on delivery.",
                f"عند الدفع نقدا يصبح إجمالي هذا الطلب {then} د.ل بدلا من {now}؛ "
                "سجل الطلب من جديد بالدفع عند الاستلام.",
            ),
            details={"total": now, "totalInCash": then},
        )


class AmountNotCarried(Invalid):
    """The method cannot carry this amount."""

    def __init__(self, field: str) -> None:
        super().__init__(
            {
                field: Words(
                    "This method cannot carry the order's total.",
                    "لا يمكن دفع إجمالي هذا الطلب بهذه الطريقة.",
                )
            }
        )

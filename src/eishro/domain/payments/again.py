"""Paying anew on the page of an attempt that is over, so that nothing is charged twice. Pure.

Who holds an attempt's address may begin another on the same order when it has failed, was given up
or has run out, or while it waits for a one-time code, without which nothing is charged. Whatever
may still be charged comes first: an attempt of unknown outcome, or one that a gateway's own page or
window can finish at any moment.
"""

from collections.abc import Sequence

import msgspec

from eishro.domain.payments.model import MayBeCharged, Payment, Status
from eishro.errors import Conflict, Words

OVER: frozenset[Status] = frozenset({"failed", "cancelled", "expired"})
_IN_THE_DARK: frozenset[Status] = frozenset({"created", "processing", "unknown"})


class AttemptOpen(Conflict):
    """Another attempt at the same order waits for its payer: that one is to be gone on with."""

    code = "PAYMENT_OPEN"
    words = Words(
        "This order has another payment that is still open; please go on with that one.",
        "لهذا الطلب عملية دفع أخرى ما زالت مفتوحة؛ يرجى متابعتها.",
    )


def going_on(payment_id: str, attempts: Sequence[Payment]) -> Payment | None:
    """The attempt that comes before any new one: this one or another of the order; None where
    another may begin. `attempts` are all of the order's, newest first.
    """
    for one in attempts:
        if one.status in _IN_THE_DARK:
            return one
    return next((one for one in attempts if _is_open(one, payment_id)), None)


def refuse_beside(payment_id: str, attempts: Sequence[Payment]) -> None:
    """Nothing begins beside what may be charged.

    Raises:
        MayBeCharged, AttemptOpen: with the `paymentId` to go on with.
    """
    first = going_on(payment_id, attempts)
    if first is None:
        return
    details = {"paymentId": first.id}
    if first.status in _IN_THE_DARK:
        raise MayBeCharged(details=details)
    raise AttemptOpen(details=details)


def given_up(attempts: Sequence[Payment]) -> list[Payment]:
    """What is closed when another begins: a refused card must not be followed by a second one in
    the window of a page that was left open, and no code may be typed for an older attempt.
    """
    return [one for one in attempts if one.status == "failed" or _waits_for_code(one)]


def _is_open(payment: Payment, payment_id: str) -> bool:
    """A transfer that nobody has shown, or cash, is no hindrance, unless it is asked for itself."""
    if payment.status != "action_required" or _waits_for_code(payment):
        return False
    return payment.id == payment_id or _kind_of(payment) != "offline"


def _waits_for_code(payment: Payment) -> bool:
    return payment.status == "action_required" and _kind_of(payment) == "otp"


def _kind_of(payment: Payment) -> str:
    if payment.action is None:
        return ""
    action = msgspec.json.decode(payment.action)
    return str(action.get("kind", "")) if isinstance(action, dict) else ""

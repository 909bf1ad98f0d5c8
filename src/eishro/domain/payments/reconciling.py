"""A gateway's own list beside ours: what is missing, extra or different, and what to do. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from eishro.domain.payments.port import GatewayTransaction, SaidOfTransaction

Kind = Literal[
    "missing",  # the gateway took money that we do not know
    "extra",  # we booked money that the gateway does not list
    "amount",  # both know it, with other amounts
    "status",  # the gateway has refused or undone what we hold for paid
    "refund_missing",  # the gateway gave money back that we do not know
    "refund_extra",  # we booked a refund that the gateway does not list
]
PROPOSALS: dict[Kind, str] = {
    "missing": "ask the gateway about the payment; without a payment, look whose money it is",
    "extra": "ask the gateway about it; if it does not know it, reverse it with the gateway",
    "amount": "compare with the gateway's statement; the difference waits in suspense",
    "status": "ask the gateway; if the money went back, record the refund",
    "refund_missing": "record the refund on its order, done in the gateway's portal",
    "refund_extra": "ask the gateway; if it did not go out, send it again",
}


# Asked about one that it does not list, the gateway says this of it.
PROPOSALS_OF_EXTRA: dict[SaidOfTransaction, str] = {
    "paid": "the gateway says it is paid, but does not list it: ask when it settles",
    "declined": "the gateway says it was declined: reverse it with the gateway",
    "absent": "the gateway does not know it: reverse it with the gateway",
}


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """Money that we know, one way or the other. `dirhams` are worth; of another currency,
    `wire_minor` is what is compared.
    """

    kind: Literal["sale", "refund"]
    provider_reference: str
    reference: str | None
    payment_id: str | None
    order_id: str | None
    dirhams: int
    at: datetime
    wire_minor: int | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing on which the two lists do not agree; amounts in dirhams."""

    kind: Kind
    provider_reference: str
    reference: str | None
    payment_id: str | None
    order_id: str | None
    ours_dirhams: int | None
    theirs_dirhams: int | None
    proposal: str


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a day's comparison gave. `terminal` is the account at the gateway."""

    provider: str
    terminal: str
    day: date
    matched: int
    differences: tuple[Difference, ...]


def compare(
    day_ours: Iterable[Booked],
    known: Sequence[Booked],
    day_theirs: Sequence[GatewayTransaction],
    around_theirs: Sequence[GatewayTransaction],
) -> tuple[int, list[Difference]]:
    """How many agree, and every difference.

    Args:
        day_ours: what we booked on the day.
        known: what we know of the gateway's transactions of the day, whenever it was booked.
        day_theirs: the gateway's transactions of the day.
        around_theirs: those of the day and of the days beside it, for what was noticed later.
    """
    by_id = {(one.kind, one.provider_reference): one for one in known}
    listed = {(_side(one), one.provider_reference): one for one in around_theirs}
    found: list[Difference] = []
    matched = 0
    for theirs in day_theirs:
        side = _side(theirs)
        if side is None:
            continue
        ours = by_id.get((side, theirs.provider_reference))
        difference = _of_theirs(theirs, ours, side)
        if difference is not None:
            found.append(difference)
        elif ours is not None:
            matched += 1
    for booked in day_ours:
        if (booked.kind, booked.provider_reference) not in listed:
            kind: Kind = "extra" if booked.kind == "sale" else "refund_extra"
            found.append(_difference(kind, booked, None))
    return matched, found


def _of_theirs(
    theirs: GatewayTransaction, ours: Booked | None, side: Literal["sale", "refund"]
) -> Difference | None:
    """What is different about one of their transactions."""
    if theirs.status != "approved":
        is_held = ours is not None and side == "sale"
        return _difference("status", ours, theirs) if is_held else None
    if ours is None:
        return _difference("missing" if side == "sale" else "refund_missing", None, theirs)
    same = (
        ours.wire_minor == theirs.wire_minor
        if theirs.wire_minor is not None
        else ours.dirhams == theirs.amount_dirhams
    )
    return None if same else _difference("amount", ours, theirs)


def _side(one: GatewayTransaction) -> Literal["sale", "refund"] | None:
    if one.kind == "sale":
        return "sale"
    return "refund" if one.kind in ("refund", "void") else None


def _difference(kind: Kind, ours: Booked | None, theirs: GatewayTransaction | None) -> Difference:
    named = theirs.provider_reference if theirs is not None else ""
    return Difference(
        kind=kind,
        provider_reference=ours.provider_reference if ours is not None else named,
        reference=theirs.reference if theirs is not None else ours.reference if ours else None,
        payment_id=None if ours is None else ours.payment_id,
        order_id=None if ours is None else ours.order_id,
        ours_dirhams=None if ours is None else ours.dirhams,
        theirs_dirhams=None if theirs is None else theirs.amount_dirhams,
        proposal=PROPOSALS[kind],
    )

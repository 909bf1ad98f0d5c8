"""What the ledger's reads give, and what follows from balances. Pure."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from eishro.errors import Invalid, Words

CLEARING = "clearing:"
# With the clearing accounts, what the platform owes a store; the four are credits.
_OWED = frozenset({"suspense", "refunds_due", "platform_fees", "payouts"})

Balances = Mapping[str, int]


class Entry(msgspec.Struct, frozen=True):
    """One line of a transaction; a debit is positive."""

    transaction_id: str
    position: int
    account: str
    dirhams: int
    reason: str
    order_id: str | None
    payment_id: str | None
    at: datetime


class Movement(msgspec.Struct, frozen=True):
    """What happened to one account in a month, for one reason."""

    reason: str
    account: str
    dirhams: int


class Statement(msgspec.Struct, frozen=True):
    """One month of a store: balances at its beginning, movements, balances at its end."""

    opening: dict[str, int]
    movements: tuple[Movement, ...]
    closing: dict[str, int]


class MonthAhead(Invalid):
    """A statement is about a month that has begun."""

    def __init__(self) -> None:
        super().__init__({"month": Words("must have begun", "يجب أن يكون قد بدأ")})


def owed_of(balances: Balances) -> int:
    """What the platform owes the store; negative after refunds that followed a payout."""
    return sum(
        dirhams
        for account, dirhams in balances.items()
        if account in _OWED or account.startswith(CLEARING)
    )


def statement_of(sums: list[Movement]) -> Statement:
    """The statement made of sums by reason and account; the opening's reason is empty."""
    opening = {one.account: one.dirhams for one in sums if not one.reason}
    movements = tuple(
        sorted(
            (one for one in sums if one.reason and one.dirhams),
            key=lambda one: (one.reason, one.account),
        )
    )
    closing = dict(opening)
    for one in movements:
        closing[one.account] = closing.get(one.account, 0) + one.dirhams
    return Statement(_without_zeros(opening), movements, _without_zeros(closing))


def _without_zeros(balances: dict[str, int]) -> dict[str, int]:
    return {account: dirhams for account, dirhams in sorted(balances.items()) if dirhams}

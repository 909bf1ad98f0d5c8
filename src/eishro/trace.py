"""Why an amount is what it is: the steps of a calculation, kept beside its result."""

import msgspec


class Step(msgspec.Struct, frozen=True):
    """One step of an amount, in dirhams; negative takes away.

    `amount` names the member that it is part of (`shippingCost`), `reason` is a stable word, and
    `facts` are what it was decided from. The steps of one amount add up to it.
    """

    amount: str
    reason: str
    dirhams: int
    facts: dict[str, int | str] = {}

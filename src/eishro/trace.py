"""One step of a calculation, so that everybody can see why an amount is what it is."""

import msgspec


class Step(msgspec.Struct, frozen=True):
    """`amount` names what the step is about, `reason` says why; `facts` is what it looked at."""

    amount: str
    reason: str
    dirhams: int
    facts: dict[str, int | str] = {}

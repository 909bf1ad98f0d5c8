"""The steps of a payment's life: what the suite proves of a gateway, and what it cannot do.

The same rule decides whether a test of the suite runs for a gateway and what the table in
`docs/reference/payment-features.md` says of it, so the two cannot differ.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, Protocol, TypeVar, cast

# What a gateway may be able to do. `news`: it tells the shop by itself; `query`: it can be asked.
Feature = Literal["news", "query", "decline", "cancel", "refund", "partial_refund"]
Fault = Literal[
    "silent",  # no news, neither from the gateway nor from the browser
    "twice",  # every piece of news twice
    "reordered",  # the later news first
    "wrong amount",  # another amount than was asked for
    "forged",  # news that the gateway did not make
    "down",  # answers nothing usable
    "charged, then silent",  # the money is taken, and the answer to that call is lost
]
Step = Literal[
    "start",
    "success",
    "nobody acts",
    "decline",
    "cancel",
    "expiry",
    "restart",
    "duplicate",
    "reordered",
    "forged",
    "silence",
    "charged in silence",
    "wrong amount",
    "down",
    "refund in full",
    "refund in part",
    "refund too much",
]
STEPS: Mapping[Step, str] = {
    "start": "Start: an action for the exact amount",
    "success": "Success: paid once, books and log agree",
    "nobody acts": "Nobody acts: not paid",
    "decline": "Decline, then another attempt pays",
    "cancel": "Cancelled by the payer",
    "expiry": "Expiry: late money waits in suspense",
    "restart": "Restart in the middle",
    "duplicate": "The same news twice counts once",
    "reordered": "News in the wrong order",
    "forged": "Forged news moves nothing",
    "silence": "No news: the shop asks by itself",
    "charged in silence": "Charged, answer lost: unclear, then resolved",
    "wrong amount": "Another amount never pays the order",
    "down": "Service down: nothing is decided",
    "refund in full": "Refund of all, once",
    "refund in part": "Refund of a part",
    "refund too much": "Refund of more than was paid: refused",
}
# What a gateway, or its simulator, has to be able to do for the step.
_FEATURES: Mapping[Step, Feature] = {
    "decline": "decline",
    "cancel": "cancel",
    "reordered": "news",
    "silence": "query",
    "refund in full": "refund",
    "refund in part": "partial_refund",
}
_FAULTS: Mapping[Step, Fault] = {
    "reordered": "reordered",
    "silence": "silent",
    "charged in silence": "charged, then silent",
    "wrong amount": "wrong amount",
    "down": "down",
}
# Where the gateway cannot, these are proven all the same: people do it, and the suite shows that
# nothing is lost or paid twice meanwhile.
BY_PEOPLE: frozenset[Step] = frozenset({"silence", "refund in full", "refund in part"})


class Able(Protocol):
    """What is said of a gateway; `noes` has the reason for every step that it does not have."""

    method: str
    features: frozenset[Feature]
    faults: Mapping[Fault, Mapping[str, Any]]
    noes: Mapping[Step, str]


def can(cashier: Able, step: Step) -> bool:
    """Whether the gateway has this step by itself."""
    feature, fault = _FEATURES.get(step), _FAULTS.get(step)
    return (feature is None or feature in cashier.features) and (
        fault is None or fault in cashier.faults
    )


def by_people(cashier: Able, step: Step) -> bool:
    """Whether what the gateway cannot is proven to become people's task."""
    fault = _FAULTS.get(step)
    return step in BY_PEOPLE and (fault is None or fault in cashier.faults)


Test = TypeVar("Test", bound=Callable[..., Coroutine[Any, Any, None]])


def shows(step: Step) -> Callable[[Test], Test]:
    """A test of the suite that proves a step; it passes unseen where the gateway has no such step."""

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        async def run(life: object, till: Any, **more: object) -> None:
            if by_people(till.cashier, step) or can(till.cashier, step):
                await test(life, till, **more)

        run.__dict__["step"] = step
        return cast("Test", run)

    return mark


def steps_of(life: type) -> set[Step]:
    """The steps that a class of tests has a test for."""
    members = (member for _, member in inspect.getmembers(life))
    return {member.step for member in members if hasattr(member, "step")}


def cell(life: type, cashier: Able, step: Step) -> Literal["yes", "by people", "no"]:
    """What the suite proves of a step."""
    if step not in steps_of(life):
        return "no"
    if can(cashier, step):
        return "yes"
    return "by people" if by_people(cashier, step) else "no"

"""What an operation is done to, and several of them at one moment."""

import asyncio
from collections.abc import Awaitable, Callable

from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.errors import ShopError
from tests.simulation.universe import Universe

YOUNG = 30  # orders and attempts
TRIES = 20  # looks for one that fits


class Nothing(ShopError):
    """There is nothing yet that this could be done to."""


def some_order(universe: Universe) -> str:
    """A young order mostly, since there things happen; an old one now and then."""
    recent = universe.live[-YOUNG:] if universe.rng.random() < 0.9 else universe.live
    if not recent:
        raise Nothing
    return universe.rng.choice(recent)


async def fitting_order(universe: Universe, fits: Callable[[Order], bool]) -> str:
    """An order that this can be done to; now and then any order at all."""
    for _ in range(TRIES):
        order_id = some_order(universe)
        if universe.rng.random() < 0.02:
            return order_id
        if fits(await orders.get_order(universe.shop.db, order_id)):
            return order_id
    raise Nothing


def some_attempt(universe: Universe) -> str:
    """A payment attempt, likewise."""
    recent = universe.attempts[-YOUNG:] if universe.rng.random() < 0.9 else universe.attempts
    if not recent:
        raise Nothing
    return universe.rng.choice(recent)


async def fitting_attempt(universe: Universe, fits: Callable[[Payment], bool]) -> Payment:
    """An attempt that this can be done to."""
    for _ in range(TRIES):
        payment = await payments.get_payment(universe.shop.db, some_attempt(universe))
        if fits(payment):
            return payment
    raise Nothing


async def at_once(*calls: Awaitable[object]) -> None:
    """At the same moment; if all of them were refused, so is the operation."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    refused = [outcome for outcome in outcomes if isinstance(outcome, ShopError)]
    if len(refused) == len(outcomes):
        raise refused[0]

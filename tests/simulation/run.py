"""One simulation: a seed, a number of operations, a database. The seed decides everything that is
drawn; two tasks of one moment may still meet in another order when it is replayed.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from eishro.db import outbox
from eishro.db.opening import open_database
from eishro.errors import ShopError
from eishro.jobs.schedule import run_once
from tests.shops import open_world
from tests.simulation.afterwards import give_by_hand, waiting_refunds
from tests.simulation.crashes import Crash
from tests.simulation.ears import listening
from tests.simulation.invariants import Watch
from tests.simulation.operations import OPERATIONS, Operation
from tests.simulation.universe import Universe

CRASH_ONE_IN = 30  # operations end with the death of their process
COMMITS_TO_DEATH_MAX = 6
LAST_WORDS_SECONDS = 10
DAYS_TO_REST = 18  # a paid attempt is looked at for up to a fortnight


class Failed(AssertionError):
    """Something did not hold; says how to see it again."""


async def simulate(
    database_url: str,
    folder: Path,
    seed: int,
    operations: int,
    tell: Callable[[Universe], None] = lambda _: None,
) -> Universe:
    """Run it, and look after each step.

    Args:
        tell: called after every operation.

    Raises:
        Failed: naming seed, step and operation.
    """
    rng = random.Random(seed)
    random.seed(seed)  # the pauses of flows that meet
    async with open_world(database_url, folder) as world:
        db = await open_database(database_url)
        try:
            universe = Universe(db, folder, rng)
            with listening() as ears:
                watch = Watch(universe, ears)
                watch.begin()
                await universe.open_stores(world)
                for number in range(operations):
                    operation = rng.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
                    try:
                        await _step(universe, watch, operation)
                    except Exception as error:
                        raise Failed(
                            f"SEED={seed}: operation {number} ({operation.__name__}): {error!r}"
                        ) from error
                    tell(universe)
                try:
                    await _come_to_rest(universe, watch)
                except Exception as error:
                    raise Failed(f"SEED={seed}: at rest: {error!r}") from error
            return universe
        finally:
            await db.aclose()


async def _step(universe: Universe, watch: Watch, operation: Operation) -> None:
    # One millisecond at least, so that the ids of a step sort behind those of the step before.
    universe.clock.turn(timedelta(milliseconds=universe.rng.randint(1, 2_000)))
    watch.begin()
    if universe.rng.randrange(CRASH_ONE_IN) == 0:
        universe.db.dies_in = universe.rng.randint(1, COMMITS_TO_DEATH_MAX)
    running = asyncio.all_tasks()
    try:
        await operation(universe)
    except ShopError:
        universe.count(universe.refused, operation.__name__)
    except Crash:
        pass
    if universe.db.is_dead:
        # What was on its way to the database when the process died may arrive, but now.
        left = asyncio.all_tasks() - running
        if left:
            await asyncio.wait(left, timeout=LAST_WORDS_SECONDS)
        universe.crashes += 1
        universe.start()
    universe.db.dies_in = None
    universe.count(universe.done, operation.__name__)
    await watch.look()


async def _come_to_rest(universe: Universe, watch: Watch) -> None:
    """Everybody behaves from now on, people give what waits for their hands (a return that came at
    the very end asks for cash only now), and time passes until nothing is left to do.
    """
    universe.gateway.faults = False
    for _ in range(DAYS_TO_REST * 12):
        universe.clock.turn(timedelta(seconds=1))
        watch.begin()
        for refund in await waiting_refunds(universe):
            await give_by_hand(universe, refund, is_in_portal=False)
        await watch.look()
        universe.clock.turn(timedelta(hours=2))
        watch.begin()
        while await run_once(universe.shop):
            pass
        await watch.look()
    due = await universe.db.all(outbox.DUE, now=universe.clock.now(), limit=1)
    assert due == [], "an event that nobody works off"
    await watch.look_at_rest()

"""The short form of `make simulate`: a random shop with faults and crashes, from one seed that is
always the same (`EISHRO_TEST_SIMULATION` for another); looking for new faults is `make simulate`'s.
"""

import os
from pathlib import Path

import pytest

from tests.simulation.operations import OPERATIONS
from tests.simulation.run import simulate

pytestmark = pytest.mark.anyio

OPERATIONS_IN_ALL = 5_000
SEED = int(os.environ.get("EISHRO_TEST_SIMULATION", "1"))
# Every operation comes off often enough to mean something; those that need much to have happened
# before come off 40 to 60 times, the others more than 80 times. The quotas are more than five
# standard deviations below.
QUOTA, QUOTA_OF_LATE, CRASHES = 10, 2, 5
LATE = {
    "ask_for_money",
    "bring_back",
    "collect",
    "place_by_hand",
    "refund",
    "rush",
    "see_to_refunds",
}


async def test_money_and_stock_are_conserved_whatever_happens(
    database_url: str, tmp_path: Path
) -> None:
    universe = await simulate(database_url, tmp_path, SEED, OPERATIONS_IN_ALL)
    assert universe.crashes > CRASHES
    for operation in OPERATIONS:
        name = operation.__name__
        successes = universe.done[name] - universe.refused.get(name, 0)
        quota = QUOTA_OF_LATE if name in LATE else QUOTA
        assert successes > quota, (name, universe.refused)

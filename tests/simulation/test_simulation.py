"""The short form of `make simulate`: a random shop with faults and crashes, from this run's seed."""

from pathlib import Path

import pytest

from tests.conftest import SEED
from tests.simulation.operations import OPERATIONS
from tests.simulation.run import simulate

pytestmark = pytest.mark.anyio

OPERATIONS_IN_ALL = 5_000


async def test_money_and_stock_are_conserved_whatever_happens(
    database_url: str, tmp_path: Path
) -> None:
    universe = await simulate(database_url, tmp_path, SEED, OPERATIONS_IN_ALL)
    assert universe.crashes > 10
    for operation in OPERATIONS:
        name = operation.__name__
        # Every operation comes off often enough to mean something.
        assert universe.done[name] - universe.refused.get(name, 0) > 10, (name, universe.refused)

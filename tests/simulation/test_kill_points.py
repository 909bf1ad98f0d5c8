"""Killed at every commit of buying, paying and refunding, before it and after it: the sweep finishes
what can be finished, the story told again ends as if nothing had happened, and the books balance.
"""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.stock import sql as stock
from eishro.jobs.schedule import run_once
from tests.shops import World, open_world
from tests.simulation.doomed import PaperGateway, story, world_of

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
COMMITS_MAX = 30  # more than the story has; the test ends where it comes through
COMMITS_MIN = 7  # of the story: fewer, and something of it did not happen


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_story_cut_short_at_any_commit_ends_well(
    database_url: str, tmp_path: Path, moment: str
) -> None:
    async with open_world(database_url, tmp_path) as world:
        merchant = await world.merchant()
        assert merchant.store is not None
        survived = False
        for commit in range(1, COMMITS_MAX):
            state = await world.product(merchant.store.id, stock=10)
            folder = tmp_path / str(commit)
            folder.mkdir()
            cast = (state.product.store_id, state.product.id, state.variants[0].id)
            (folder / "cast.json").write_bytes(msgspec.json.encode(cast))
            died = _run(database_url, folder, commit, moment)
            await _look(world, folder, cast)
            if not died:
                survived = True
                break
        assert survived, "the story has more commits than were tried"
        assert commit > COMMITS_MIN


def _run(url: str, folder: Path, commit: int, moment: str) -> bool:
    """Whether the process died of it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.doomed", url, str(folder), str(commit), moment],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr[-2000:]
    return done.returncode == -9


async def _look(world: World, folder: Path, cast: tuple[int, int, int]) -> None:
    gateway = PaperGateway(folder)
    gateway.recall()
    after = world_of(world, gateway)
    world.clock.turn(timedelta(seconds=30))
    while await run_once(after.shop):
        pass
    assert await find_faults(world.db) == []
    order_id = await story(after.shop, gateway, folder.name, cast[0], cast[1:])
    while await run_once(after.shop):
        pass
    order = await orders.get_order(world.db, order_id)
    assert (order.payment_status, order.status) == ("refunded", "confirmed")
    assert list(gateway.paper.taken.values()) == [order.total_dirhams], "paid once"
    back = [dirhams for _, dirhams, _ in gateway.paper.given]
    assert back == [order.total_dirhams], "given back once"
    (left,) = await stock.list_stock(world.db, [cast[1]])
    assert (left.available, left.held, left.sold) == (8, 2, 0)
    assert await find_faults(world.db) == []

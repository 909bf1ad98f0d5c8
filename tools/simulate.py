"""A long random simulation of shops with faults and crashes, on SQLite and on PostgreSQL.

    python tools/simulate.py [--seed N] [--ops N] [--databases sqlite,postgresql]

Prints the seed first; the same seed draws the same operations. Exit code 0 only if everything held.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from eishro.db import migrate  # noqa: E402
from eishro.db.opening import open_database  # noqa: E402
from tests.servers.postgres import Postgres  # noqa: E402
from tests.simulation.run import Failed, simulate  # noqa: E402
from tests.simulation.universe import Universe  # noqa: E402

PROGRESS_EVERY = 1_000  # operations


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--ops", type=int, default=100_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    options = parser.parse_args()
    print(f"SEED={options.seed} OPS={options.ops}", flush=True)
    for engine in options.databases.split(","):
        with tempfile.TemporaryDirectory() as folder, _database(engine, Path(folder)) as url:
            started = time.monotonic()
            try:
                universe = asyncio.run(_run(url, Path(folder), options.seed, options.ops))
            except Failed as failed:
                traceback.print_exception(failed)
                print(f"FAIL {engine}: {failed}")
                print(f"replay: make simulate SEED={options.seed} OPS={options.ops}")
                return 1
            print(f"ok   {engine}: {_summary(universe, time.monotonic() - started)}")
            for name, done in sorted(universe.done.items()):
                print(f"     {name}: {done - universe.refused.get(name, 0)} of {done}")
    return 0


def _summary(universe: Universe, seconds: float) -> str:
    done = sum(universe.done.values())
    return (
        f"{done} operations, {sum(universe.refused.values())} refused, {universe.crashes} crashes, "
        f"{len(universe.live)} orders, {len(universe.gateway.taken)} payments, "
        f"{len(universe.gateway.given)} refunds in {seconds:.0f} s, {done / seconds:.0f} a second"
    )


async def _run(url: str, folder: Path, seed: int, operations: int) -> Universe:
    db = await open_database(url)
    await migrate.migrate(db)
    await db.aclose()

    started = time.monotonic()

    def tell(universe: Universe) -> None:
        done = sum(universe.done.values())
        if done % PROGRESS_EVERY == 0:
            print(f"     {done} of {operations}, {time.monotonic() - started:.0f} s", flush=True)

    return await simulate(url, folder, seed, operations, tell)


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'shop.db'}"
        return
    server = Postgres()
    try:
        server.start()
        yield server.create_database()
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())

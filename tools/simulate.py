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

PROGRESS_EVERY = 5_000


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
                print(f"FAIL {engine}: {failed}")
                print(f"replay: make simulate SEED={options.seed} OPS={options.ops}")
                return 1
            seconds = time.monotonic() - started
            done = sum(universe.done.values())
            refused = sum(universe.refused.values())
            print(
                f"ok   {engine}: {done} operations, {refused} refused, {universe.crashes} crashes, "
                f"{len(universe.live)} orders, {len(universe.gateway.taken)} payments "
                f"in {seconds:.0f} s"
            )
    return 0


async def _run(url: str, folder: Path, seed: int, operations: int) -> Universe:
    db = await open_database(url)
    await migrate.migrate(db)
    await db.aclose()

    def tell(done: int) -> None:
        if done % PROGRESS_EVERY == 0:
            print(f"     {done} of {operations}", flush=True)

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

"""`python -m bench`: start both servers on equal data, interleave rounds, print ratios, store them.

Exit code 0 only when both gave the same answers, nothing failed, and every acknowledged order is
in its database. The ratios themselves do not decide: they are reported as they are.
"""

import argparse
import contextlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec

from bench import checks, report
from bench.checks import Tally
from bench.data import Goods, build
from bench.load import Run, Work, drive
from bench.machine import BenchError, cores, describe, require, usage
from bench.report import Start, Summary
from bench.servers import HERE, NAMES, Name, Server, install_reference, node_folder, running
from bench.setup_time import measure_setup

ROOT = HERE.parent
RESULTS = HERE / "results"
WARM_UP_SECONDS = 1
# A round in which somebody else used more of the machine is measured again, whatever it showed,
# so many times at most; what is left of it is kept and says so.
OTHERS_SHARE_MAX = 0.10
TRIES = 3
_READS: tuple[Work, ...] = ("product", "list")


class Plan(msgspec.Struct, frozen=True):
    """What to measure."""

    goods: Goods
    rounds: int
    seconds: int
    names: tuple[Name, ...]
    placements: tuple[bool, ...]  # pinned or not


class Bench:
    """One measurement: collects runs, starts and faults."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.runs: list[Run] = []
        self.disturbed: list[Run] = []  # of rounds that were measured again
        self.starts: dict[Name, list[Start]] = {}
        self.faults: list[str] = []
        self._folder = folder
        self._data = folder / "data" / "eishro.db"
        self._copies = 0

    def measure(self) -> None:
        """Everything of the plan, pinned before unpinned."""
        print(f"data: {self.plan.goods.products} products …", flush=True)
        self._data.parent.mkdir()
        build(self._data, self.plan.goods)
        if len(self.plan.names) == len(NAMES):
            self._compare()
        for pinned in self.plan.placements:
            self._measure_reads(pinned=pinned)
            self._measure_orders(pinned=pinned)

    def _compare(self) -> None:
        """Both servers on copies of their own, thrown away afterwards."""
        with (
            self._server("eishro", pinned=True) as ours,
            self._server("reference", pinned=True) as theirs,
        ):
            found = list(checks.compare(ours, theirs, self.plan.goods))
        self.faults += found
        print("answers: " + (f"{len(found)} differences" if found else "the same"), flush=True)

    def _measure_reads(self, *, pinned: bool) -> None:
        with contextlib.ExitStack() as stack:
            servers = [
                stack.enter_context(self._server(name, pinned=pinned)) for name in self.plan.names
            ]
            for server in servers:
                for work in _READS:
                    self._drive(server, work, 0, pinned=pinned)
            for number in range(1, self.plan.rounds + 1):
                for work in _READS:
                    self._round(
                        [partial(self._drive, s, work, number, pinned=pinned) for s in servers]
                    )

    def _measure_orders(self, *, pinned: bool) -> None:
        for number in range(1, self.plan.rounds + 1):
            self._round(
                [partial(self._place_orders, n, number, pinned=pinned) for n in self.plan.names]
            )

    def _place_orders(self, name: Name, number: int, *, pinned: bool) -> Run:
        """One run of orders on a fresh copy, and what it left in the database."""
        with self._server(name, pinned=pinned) as server:
            if pinned:
                rss = usage(server.pid).rss_bytes / 1_000_000
                start = Start(round(server.start_seconds, 3), round(rss, 1))
                self.starts.setdefault(name, []).append(start)
            warm_up = self._drive(server, "order", 0, pinned=pinned)
            run = self._drive(server, "order", number, pinned=pinned)
        acknowledged = warm_up.acknowledged + run.acknowledged
        tally = Tally(acknowledged, checks.count_orders(server.database), 2)
        found = list(checks.check_orders(server.database, tally))
        self.faults += [f"{name}, order round {number}: {fault}" for fault in found]
        shutil.rmtree(server.database.parent)
        return run

    @contextlib.contextmanager
    def _server(self, name: Name, *, pinned: bool) -> Iterator[Server]:
        self._copies += 1
        folder = self._folder / f"{name}-{self._copies}"
        with running(name, self._data, folder, pinned=pinned) as server:
            yield server

    def _drive(self, server: Server, work: Work, number: int, *, pinned: bool) -> Run:
        seconds = self.plan.seconds if number else WARM_UP_SECONDS
        run = drive(server, work, self.plan.goods, seconds, number, pinned=pinned, run=f"r{number}")
        if run.failures:
            self.faults.append(
                f"{run.server}, {run.work} round {run.number}: {run.failures} failures"
                f" of {run.counts.requests} requests"
            )
        return run

    def _round(self, steps: list[Callable[[], Run]]) -> None:
        """Measure the servers one after the other; again where the machine was not ours.

        A failure counts in any case.
        """
        for attempt in range(1, TRIES + 1):
            runs = []
            for step in steps:
                runs.append(step())
                _show(runs[-1])
            if attempt == TRIES or all(run.others_share <= OTHERS_SHARE_MAX for run in runs):
                self.runs += runs
                return
            print("       disturbed, measured again", flush=True)
            self.disturbed += runs


def _show(run: Run) -> None:
    print(
        f"{'pinned' if run.pinned else 'free':6} {run.work:7} round {run.number} "
        f"{run.server:9} {run.per_second:8.0f}/s  p99 {run.counts.p99 / 1000:7.2f} ms  "
        f"{run.cpu_microseconds:6.0f} µs CPU  others {run.others_share:.0%}",
        flush=True,
    )


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    arguments = _parser().parse_args()
    try:
        if arguments.setup:
            print(report.to_json(measure_setup(ROOT)).decode(), end="")
            return 0
        return _measure(arguments)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="rounds of each kind of work (default 3)")
    add("--seconds", type=int, default=5, help="seconds of each run (default 5)")
    add("--quick", action="store_true", help="one round of 2 s; the stored result stays")
    add("--products", type=int, default=10_000, help="products (default 10000)")
    add("--stores", type=int, default=10, help="stores they are spread over (default 10)")
    add("--seed", type=int, default=1, help="of the data and the requests (default 1)")
    add("--only", choices=NAMES, help="one server alone, without ratios")
    add("--pinned-only", action="store_true", help="leave out the unpinned rounds")
    add("--setup", action="store_true", help="instead: time `make setup` to the first answer")
    return parser


def _measure(arguments: argparse.Namespace) -> int:
    cores()
    require("wrk", "wrk")
    require("taskset", "util-linux")
    install_reference()
    plan = Plan(
        goods=Goods(arguments.products, arguments.stores, arguments.seed),
        rounds=1 if arguments.quick else arguments.rounds,
        seconds=2 if arguments.quick else arguments.seconds,
        names=(arguments.only,) if arguments.only else NAMES,
        placements=(True,) if arguments.pinned_only else (True, False),
    )
    # In the project and not in /tmp, which may be memory: durability must cost what it costs.
    folder = ROOT / ".cache" / "bench" / str(os.getpid())
    folder.mkdir(parents=True)
    try:
        machine = describe(folder)
        bench = Bench(plan, folder)
        bench.measure()
    finally:
        shutil.rmtree(folder)
    summary = Summary(
        at=datetime.now(UTC).replace(microsecond=0),
        commit=_commit(),
        versions=_versions(),
        machine=machine,
        goods=plan.goods,
        rounds=plan.rounds,
        seconds=plan.seconds,
        comparisons=report.compare_runs(bench.runs),
        starts={name: report.median_start(found) for name, found in bench.starts.items()},
        disturbed_runs=len(bench.disturbed),
        faults=bench.faults,
    )
    is_whole = len(plan.names) == len(NAMES) and not arguments.quick
    _store(summary, bench, latest=is_whole and not arguments.pinned_only)
    print("\n" + report.to_markdown(summary), end="")
    return 1 if summary.faults else 0


def _store(summary: Summary, bench: Bench, *, latest: bool) -> None:
    raw = RESULTS / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    everything = {"summary": summary, "runs": bench.runs, "disturbed": bench.disturbed}
    name = f"{summary.at:%Y%m%dT%H%M%SZ}.json"
    (raw / name).write_bytes(report.to_json(everything))
    if latest:
        (RESULTS / "latest.json").write_bytes(report.to_json(summary))
        (RESULTS / "latest.md").write_text(report.to_markdown(summary))


def _commit() -> str:
    """The short id of what was measured; a plus sign for changes that are not committed."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "src", "bench")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def _versions() -> dict[str, str]:
    node = subprocess.run(
        [node_folder() / "bin" / "node", "--version"], capture_output=True, text=True, check=True
    )
    package = msgspec.json.decode((HERE / "package.json").read_bytes())
    return {
        "Python": platform.python_version(),
        **{name: version(name) for name in ("falcon", "granian", "apsw")},
        "Node": node.stdout.strip().removeprefix("v"),
        **package["dependencies"],
    }


if __name__ == "__main__":
    sys.exit(main())

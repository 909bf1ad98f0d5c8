"""One measurement under way: its servers, its runs, its faults, and the rounds that were
disturbed and made again."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import checks
from bench.checks import Tally
from bench.contenders import Contender
from bench.load import CONNECTIONS, Run, Work, drive
from bench.plan import Part, Plan
from bench.servers import Server, Source, drop_copy, running

# A round in which somebody else used more of the machine is measured again, whatever it showed,
# so many times at most; what is left of it is kept and says so.
OTHERS_SHARE_MAX = 0.10
TRIES = 3
# Work that writes gets a fresh copy of the data for every run.
WRITING: tuple[Work, ...] = ("order", "mixed")


class Session:
    """Collects what is measured; `source` is what servers get copies of."""

    def __init__(self, plan: Plan, folder: Path, source: Source) -> None:
        self.plan = plan
        self.folder = folder
        self.source = source
        self.runs: list[tuple[Part, Run]] = []
        self.disturbed: list[Run] = []  # of rounds that were measured again
        self.faults: list[str] = []
        self._again_seconds = 0.0
        self._copies = 0

    @contextlib.contextmanager
    def server(
        self, contender: Contender, *, pinned: bool, source: Source | None = None
    ) -> Iterator[Server]:
        """A running contender on a fresh copy of the data, which stays until `drop_copy`."""
        self._copies += 1
        folder = self.folder / f"{contender.name}-{self._copies}"
        with running(contender, source or self.source, folder, pinned=pinned) as server:
            yield server

    def measure(
        self, part: Part, contenders: Sequence[Contender], works: Sequence[Work], *, pinned: bool
    ) -> None:
        """Rounds of each kind of work, contender after contender within a round."""
        reading = [work for work in works if work not in WRITING]
        if reading and contenders:
            self._measure_reads(part, contenders, reading, pinned=pinned)
        for work in works:
            if work in WRITING:
                for number in range(1, self.plan.rounds + 1):
                    self._round(
                        part, [_step(self._write_once, c, work, number, pinned) for c in contenders]
                    )

    def fault(self, text: str) -> None:
        """Note a fault: it makes the whole measurement fail."""
        print(f"       FAULT {text}", flush=True)
        self.faults.append(text)

    def _measure_reads(
        self, part: Part, contenders: Sequence[Contender], works: Sequence[Work], *, pinned: bool
    ) -> None:
        with contextlib.ExitStack() as stack:
            servers = [
                stack.enter_context(self.server(contender, pinned=pinned))
                for contender in contenders
            ]
            if self.plan.warm_up_seconds:
                for server in servers:
                    for work in works:
                        self.drive(server, work, 0, pinned=pinned)
            for number in range(1, self.plan.rounds + 1):
                for work in works:
                    self._round(part, [_step(self.drive, s, work, number, pinned) for s in servers])
        for server in servers:
            drop_copy(server)

    def _write_once(self, contender: Contender, work: Work, number: int, *, pinned: bool) -> Run:
        """One run of work that writes, on a fresh copy, and what it left in the database."""
        acknowledged = runs = 0
        with self.server(contender, pinned=pinned) as server:
            numbers = (0, number) if self.plan.warm_up_seconds else (number,)
            for each in numbers:
                run = self.drive(server, work, each, pinned=pinned)
                runs += 1
                # Of mixed work wrk knows only what it sent: the last of each connection may be
                # without an answer.
                acknowledged += run.acknowledged if work == "order" else run.counts.orders
        where = f"{contender.name}, {work} round {number}"
        if work == "order":
            self.check_orders(server, Tally(acknowledged, runs), where)
        else:
            least = max(0, acknowledged - runs * CONNECTIONS)
            self.check_orders(server, Tally(least, runs), where)
        drop_copy(server)
        return run

    def check_orders(self, server: Server, tally: Tally, where: str) -> None:
        """Note what is wrong in the database of a server that has stopped."""
        for found in checks.check_orders(server.database, tally):
            self.fault(f"{where}: {found}")

    def drive(self, server: Server, work: Work, number: int, *, pinned: bool) -> Run:
        """One run of wrk; number 0 is the warm-up. Failures are faults in any case."""
        seconds = self.plan.seconds if number else self.plan.warm_up_seconds
        run = drive(server, work, self.plan.goods, seconds, number, pinned=pinned, run=f"r{number}")
        if run.failures:
            self.fault(
                f"{run.server}, {run.work} round {run.number}: {run.failures} failures"
                f" of {run.counts.requests} requests"
            )
        return run

    def may_repeat(self, seconds: float) -> bool:
        """Whether there is time left to make something again; if so, it is spent."""
        if self._again_seconds + seconds > self.plan.again_seconds:
            return False
        self._again_seconds += seconds
        print("       disturbed, measured again", flush=True)
        return True

    def _round(self, part: Part, steps: list[Callable[[], Run]]) -> None:
        """Measure one after the other; again where the machine was not ours."""
        for attempt in range(1, TRIES + 1):
            begun = time.monotonic()
            runs = []
            for step in steps:
                runs.append(step())
                _show(part, runs[-1])
            quiet = all(run.others_share <= OTHERS_SHARE_MAX for run in runs)
            seconds = time.monotonic() - begun
            if quiet or attempt == TRIES or not self.may_repeat(seconds):
                self.runs += [(part, run) for run in runs]
                return
            self.disturbed += runs


def _step(
    act: Callable[..., Run], target: Server | Contender, work: Work, number: int, pinned: bool
) -> Callable[[], Run]:
    return lambda: act(target, work, number, pinned=pinned)


def _show(part: Part, run: Run) -> None:
    print(
        f"{part:9} {'pinned' if run.pinned else 'free':6} {run.work:11} {run.number} "
        f"{run.server:16} {run.per_second:8.0f}/s  p99 {run.counts.p99 / 1000:7.2f} ms  "
        f"{run.cpu_microseconds:6.0f} µs CPU  others {run.others_share:.0%}",
        flush=True,
    )

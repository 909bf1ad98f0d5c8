"""A whole measurement, as it is stored."""

from datetime import datetime

import msgspec

from bench.data import Goods
from bench.footprint import Memory, Start
from bench.growth import Point
from bench.machine import Machine
from bench.medians import Median
from bench.openloop import Proof
from bench.parts import BareLoop
from bench.plan import Part
from bench.tails import Tail, Waiting


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found; parts that were not measured are empty."""

    at: datetime
    commit: str
    versions: dict[str, str]
    machine: Machine
    postgres_file_system: str | None
    goods: Goods
    parts: tuple[Part, ...]
    rounds: int
    seconds: int
    minutes: float
    medians: list[Median]
    bare_loops: list[BareLoop]
    generator: Proof | None
    waiting: list[Waiting]
    tails: list[Tail]
    growth: list[Point]
    memory: list[Memory]
    starts: list[Start]
    disturbed_runs: int
    faults: list[str]

    def median(self, part: Part, work: str, server: str, *, pinned: bool = True) -> Median | None:
        """One contender's median, or None where it was not measured."""
        for median in self.medians:
            if (median.part, median.work, median.server, median.pinned) == (
                part,
                work,
                server,
                pinned,
            ):
                return median
        return None

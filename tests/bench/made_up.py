"""Made-up measurements: nothing here is timed."""

from datetime import UTC, datetime

import msgspec

from bench.data import Goods
from bench.growth import GrowthWork, Point
from bench.load import Counts, Run, Work
from bench.machine import Machine
from bench.medians import medians_of
from bench.plan import PARTS, Part
from bench.results import Summary


def run(
    work: Work,
    server: str,
    per_second: int,
    *,
    pinned: bool = True,
    cpu_microseconds: float = 100.0,
    refused: int = 0,
    bytes_each: int = 2_000,
) -> Run:
    counts = Counts(
        requests=per_second + refused,
        microseconds=1_000_000,
        bytes=bytes_each * (per_second + refused),
        refused=refused,
        connect=0,
        read=0,
        write=0,
        timeout=0,
        p50=1_000,
        p90=2_000,
        p99=3_000,
        max=4_000,
        orders=0,
    )
    return Run(
        work=work,
        server=server,
        pinned=pinned,
        number=1,
        counts=counts,
        cpu_seconds=cpu_microseconds * (per_second + refused) / 1_000_000,
        database_cpu_seconds=0.0,
        rss_bytes=100_000_000,
        others_share=0.0,
    )


def summary(*runs: tuple[Part, Run]) -> Summary:
    return Summary(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        commit="abc1234",
        versions={"Python": "3.11"},
        machine=Machine("a processor", 2, "6.1", "ext4", 200, 0.1),
        postgres_file_system=None,
        goods=Goods(),
        parts=PARTS,
        rounds=3,
        seconds=3,
        minutes=1.0,
        medians=medians_of(runs),
        bare_loops=[],
        generator=None,
        waiting=[],
        tails=[],
        growth=[],
        memory=[],
        starts=[],
        disturbed_runs=0,
        faults=[],
    )


def point(work: GrowthWork, products: int, per_second: float, orders: int = 0) -> Point:
    return Point(
        work=work,
        products=products,
        orders=orders,
        per_second=per_second,
        p50_milliseconds=1.0,
        p99_milliseconds=2.0,
        rss_megabytes=100.0,
    )


def grown(*points: Point) -> Summary:
    return msgspec.structs.replace(summary(), growth=list(points))

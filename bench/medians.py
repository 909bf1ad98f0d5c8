"""From runs to medians and ratios."""

import statistics
from collections.abc import Callable, Sequence

import msgspec

from bench.load import Run, Work
from bench.plan import Part


class Median(msgspec.Struct, frozen=True):
    """One contender at one kind of work: medians over the rounds, and the slowest and fastest."""

    part: Part
    work: Work
    server: str
    pinned: bool
    rounds: int
    per_second: float
    per_second_least: float
    per_second_most: float
    p50_milliseconds: float
    p90_milliseconds: float
    p99_milliseconds: float
    cpu_microseconds: float
    database_cpu_microseconds: float
    rss_megabytes: float
    failures: int
    others_share: float


def medians_of(runs: Sequence[tuple[Part, Run]]) -> list[Median]:
    """One for each part, work, placement and contender, in the order they were measured."""
    groups: dict[tuple[Part, Work, bool, str], list[Run]] = {}
    for part, run in runs:
        groups.setdefault((part, run.work, run.pinned, run.server), []).append(run)
    return [_median(part, found) for (part, _, _, _), found in groups.items()]


def _median(part: Part, runs: Sequence[Run]) -> Median:
    def median(value: Callable[[Run], float], digits: int = 1) -> float:
        return round(statistics.median(value(run) for run in runs), digits)

    return Median(
        part=part,
        work=runs[0].work,
        server=runs[0].server,
        pinned=runs[0].pinned,
        rounds=len(runs),
        per_second=median(lambda run: run.per_second),
        per_second_least=round(min(run.per_second for run in runs), 1),
        per_second_most=round(max(run.per_second for run in runs), 1),
        p50_milliseconds=median(lambda run: run.counts.p50 / 1_000, 2),
        p90_milliseconds=median(lambda run: run.counts.p90 / 1_000, 2),
        p99_milliseconds=median(lambda run: run.counts.p99 / 1_000, 2),
        cpu_microseconds=median(lambda run: run.cpu_microseconds),
        database_cpu_microseconds=median(lambda run: run.database_cpu_microseconds),
        rss_megabytes=median(lambda run: run.rss_bytes / 1_000_000),
        failures=sum(run.failures for run in runs),
        others_share=median(lambda run: run.others_share, 3),
    )

"""From runs to medians and ratios, as a table for people and JSON for programs."""

import statistics
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from bench.data import Goods
from bench.load import CONNECTIONS, WORKS, Run, Work
from bench.machine import Machine
from bench.servers import NAMES, Name

TITLES: dict[Work, str] = {
    "product": "product by id",
    "list": "list of 20 with total",
    "order": "place an order (durable)",
}
_NOTE = (
    "Ratios are EISHRO's to the reference's: of req/s more is better, of CPU less. *Others* "
    "is how much of the machine somebody else used meanwhile (the kernel's writing included); "
    "above some percent the row says little."
)
COLUMNS = ("req/s", "p50 ms", "p90 ms", "p99 ms", "CPU µs", "RSS MB")


class Median(msgspec.Struct, frozen=True):
    """One server at one kind of work: medians over the rounds, and the slowest and fastest."""

    per_second: float
    per_second_least: float
    per_second_most: float
    p50_milliseconds: float
    p90_milliseconds: float
    p99_milliseconds: float
    cpu_microseconds: float
    rss_megabytes: float
    failures: int
    others_share: float


class Comparison(msgspec.Struct, frozen=True):
    """Both servers at one kind of work. Ratios are ours to the reference's; of requests a
    second more is better, of processor time less. Latencies get no ratio: see README.md."""

    work: Work
    pinned: bool
    servers: dict[Name, Median]
    requests_ratio: float | None
    requests_ratio_least: float | None
    requests_ratio_most: float | None
    cpu_ratio: float | None


class Start(msgspec.Struct, frozen=True):
    """A server's start on existing data, pinned: seconds to the first answer, memory then."""

    seconds: float
    rss_megabytes: float


class Summary(msgspec.Struct, frozen=True):
    """A whole measurement, as it is stored."""

    at: datetime
    commit: str
    versions: dict[str, str]
    machine: Machine
    goods: Goods
    rounds: int
    seconds: int
    comparisons: list[Comparison]
    starts: dict[Name, Start]
    disturbed_runs: int
    faults: list[str]


def compare_runs(runs: Sequence[Run]) -> list[Comparison]:
    """Medians and ratios of every kind of work, pinned first."""
    found = []
    for pinned in (True, False):
        for work in WORKS:
            here = [run for run in runs if run.work == work and run.pinned is pinned]
            if here:
                found.append(_comparison(work, here, pinned=pinned))
    return found


def _comparison(work: Work, runs: Sequence[Run], *, pinned: bool) -> Comparison:
    by_name = {name: [run for run in runs if run.server == name] for name in NAMES}
    servers = {name: _median(found) for name, found in by_name.items() if found}
    ours, theirs = servers.get("eishro"), servers.get("reference")
    rounds: list[float] = []
    if ours and theirs:
        rounds = [
            one.per_second / other.per_second
            for one, other in zip(by_name["eishro"], by_name["reference"], strict=True)
            if other.per_second
        ]

    def ratio(value: Callable[[Median], float]) -> float | None:
        if ours is None or theirs is None or not value(theirs):
            return None
        return round(value(ours) / value(theirs), 3)

    return Comparison(
        work=work,
        pinned=pinned,
        servers=servers,
        requests_ratio=ratio(lambda m: m.per_second),
        requests_ratio_least=round(min(rounds), 3) if rounds else None,
        requests_ratio_most=round(max(rounds), 3) if rounds else None,
        cpu_ratio=ratio(lambda m: m.cpu_microseconds),
    )


def _median(runs: Sequence[Run]) -> Median:
    def median(value: Callable[[Run], float], digits: int = 1) -> float:
        return round(statistics.median(value(run) for run in runs), digits)

    return Median(
        per_second=median(lambda run: run.per_second),
        per_second_least=round(min(run.per_second for run in runs), 1),
        per_second_most=round(max(run.per_second for run in runs), 1),
        p50_milliseconds=median(lambda run: run.counts.p50 / 1_000, 2),
        p90_milliseconds=median(lambda run: run.counts.p90 / 1_000, 2),
        p99_milliseconds=median(lambda run: run.counts.p99 / 1_000, 2),
        cpu_microseconds=median(lambda run: run.cpu_microseconds),
        rss_megabytes=median(lambda run: run.rss_bytes / 1_000_000),
        failures=sum(run.failures for run in runs),
        others_share=median(lambda run: run.others_share, 3),
    )


def to_markdown(summary: Summary) -> str:
    """The measurement as a page."""
    m, goods = summary.machine, summary.goods
    versions = ", ".join(f"{name} {version}" for name, version in summary.versions.items())
    conditions = (
        f"{m.processor}, {m.cores} cores, Linux {m.kernel}, {m.file_system}, append and fsync "
        f"{m.sync_microseconds} µs, load before {m.load_before:.2f}. {goods.products} products "
        f"in {goods.stores} stores, {CONNECTIONS} connections, medians of {summary.rounds} "
        f"rounds of {summary.seconds} s."
    )
    lines = [
        "# Side by side",
        "",
        f"{summary.at:%Y-%m-%d %H:%M} UTC, commit {summary.commit}. {versions}.",
        "",
        conditions,
        "",
    ]
    for pinned in (True, False):
        rows = [row for row in summary.comparisons if row.pinned is pinned]
        if rows:
            title = "Server on one core, load on the other" if pinned else "Not pinned"
            lines += [f"## {title}", "", *_table(rows), ""]
    if summary.starts:
        lines += ["## Start on existing data", ""]
        lines += [
            f"- {name}: first answer after {start.seconds:.2f} s, {start.rss_megabytes:.0f} MB"
            for name, start in summary.starts.items()
        ]
        lines.append("")
    lines += [_NOTE, ""]
    if summary.disturbed_runs:
        lines += [f"{summary.disturbed_runs} runs were disturbed by others and made again.", ""]
    lines += ["## Faults", "", *([f"- {fault}" for fault in summary.faults] or ["None."]), ""]
    return "\n".join(lines)


def _table(rows: Sequence[Comparison]) -> list[str]:
    head = "| Work | Server | " + " | ".join(COLUMNS) + " | rounds req/s | others | failures |"
    lines = [head, "|---|---|" + "---:|" * (len(COLUMNS) + 3)]
    for row in rows:
        for name, m in row.servers.items():
            lines.append(
                f"| {TITLES[row.work]} | {name} | {m.per_second:.0f} | {m.p50_milliseconds:.1f} "
                f"| {m.p90_milliseconds:.1f} | {m.p99_milliseconds:.1f} | {m.cpu_microseconds:.0f} | {m.rss_megabytes:.0f} "
                f"| {m.per_second_least:.0f}–{m.per_second_most:.0f} "
                f"| {m.others_share:.0%} | {m.failures} |"
            )
        if row.requests_ratio is not None:
            lines.append(
                f"| | **ratio** | **{row.requests_ratio:.2f}×** | | | "
                f"| {_times(row.cpu_ratio)} | | {_times(row.requests_ratio_least)}–"
                f"{_times(row.requests_ratio_most)} | | |"
            )
    return lines


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}×"


def median_start(starts: Sequence[Start]) -> Start:
    """The start in the middle, by its seconds."""
    return sorted(starts, key=lambda start: start.seconds)[len(starts) // 2]


def to_json(value: Any) -> bytes:
    """Readable JSON, two spaces."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"

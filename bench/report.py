"""The measurement as a page for people: goals first, then every number behind them."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from bench.contenders import CONTENDERS
from bench.goals import Verdict, judge
from bench.load import CONNECTIONS, HOT_PRODUCTS
from bench.medians import Median
from bench.plan import Part
from bench.results import Summary
from bench.servers import CACHE_MEGABYTES, CACHE_SECONDS

TITLES: dict[str, str] = {
    "product": "product by id",
    "list": "list of 20 with total",
    "order": "place an order (durable)",
    "mixed": "70 products, 20 lists, 10 orders",
    "hot_product": f"product by id, {HOT_PRODUCTS} of them",
    "hot_list": "first pages of the stores",
    "revalidate": "304 revalidation",
}
_PARTS: dict[Part, str] = {
    "reads": "Reads, nothing cached",
    "cache": f"Reads, caches warm (EISHRO {CACHE_MEGABYTES} MB; references' TTL {CACHE_SECONDS} s)",
    "orders": "Orders",
    "mixed": "Mixed",
    "postgres": "On PostgreSQL",
}
_ENGINES = {contender.name: contender.engine for contender in CONTENDERS}
COLUMNS = ("req/s", "slowest–fastest", "p50 ms", "p99 ms", "CPU µs", "RSS MB", "others")
_NOTES = (
    "Ratios are EISHRO's requests a second to the other's, pinned rounds; *not pinned* stands "
    "beside them and is not judged. *Others* is how much of the machine somebody else used "
    "meanwhile (the kernel's writing included); above some percent the row says little. p99 of "
    "the tables is of a closed loop, which flatters a slow server; the goals' p99 is of the fixed "
    "schedule below."
)


def to_markdown(summary: Summary) -> str:
    """The whole page."""
    lines = ["# Side by side", "", *_conditions(summary), ""]
    lines += ["## Goals", "", *_goals(judge(summary)), "", _NOTES, ""]
    for part, title in _PARTS.items():
        medians = [median for median in summary.medians if median.part == part]
        if medians:
            lines += [f"## {title}", "", *_medians(medians), ""]
            if part == "orders":
                lines += [*_bare_loops(summary), ""]
    lines += _waiting(summary)
    lines += _tails(summary)
    lines += _growth(summary)
    lines += _footprint(summary)
    if summary.disturbed_runs:
        lines += [f"{summary.disturbed_runs} runs were disturbed by others and made again.", ""]
    lines += ["## Faults", "", *([f"- {fault}" for fault in summary.faults] or ["None."]), ""]
    return "\n".join(lines)


def _conditions(summary: Summary) -> Iterator[str]:
    machine, goods = summary.machine, summary.goods
    versions = ", ".join(f"{name} {version}" for name, version in summary.versions.items())
    yield f"{summary.at:%Y-%m-%d %H:%M} UTC, commit {summary.commit}. {versions}."
    yield ""
    text = (
        f"{machine.processor}, {machine.cores} cores, Linux {machine.kernel}, "
        f"{machine.file_system}, append and fsync {machine.sync_microseconds} µs, load before "
        f"{machine.load_before:.2f}. "
    )
    if summary.postgres_file_system is not None:
        text += f"PostgreSQL on {summary.postgres_file_system}. "
    yield (
        f"{text}{goods.products} products in {goods.stores} stores, {CONNECTIONS} connections, "
        f"medians of {summary.rounds} rounds of {summary.seconds} s; {summary.minutes:.0f} minutes."
    )


def _goals(verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return ["None can be judged: the parts they need were not measured."]
    lines = [
        "| Work | Beside | Measured | Not pinned | Goal | Reached |",
        "|---|---|---:|---:|---|---|",
    ]
    for verdict in verdicts:
        reached = "yes" if verdict.reached else "**no**"
        if verdict.stretched:
            reached = "yes, stretch too"
        lines.append(
            f"| {verdict.work} | {verdict.against} | {verdict.measured} | {verdict.unpinned} "
            f"| {verdict.goal} | {reached} |"
        )
    reached_count = sum(verdict.reached for verdict in verdicts)
    return [*lines, "", f"{reached_count} of {len(verdicts)} reached."]


def _medians(medians: Sequence[Median]) -> list[str]:
    on_postgres = any(_ENGINES.get(median.server) == "postgresql" for median in medians)
    columns = [*COLUMNS, "PostgreSQL CPU µs"] if on_postgres else [*COLUMNS]
    lines = [
        "| Work | Placement | Server | " + " | ".join(columns) + " |",
        "|---|---|---|" + "---:|" * len(columns),
    ]
    # Work by work, those measured together below each other.
    order = {work: number for number, work in enumerate(TITLES)}
    for m in sorted(medians, key=lambda m: (not m.pinned, order[m.work])):
        line = (
            f"| {TITLES[m.work]} | {'pinned' if m.pinned else 'free'} | {m.server} "
            f"| {m.per_second:.0f} | {m.per_second_least:.0f}–{m.per_second_most:.0f} "
            f"| {m.p50_milliseconds:.2f} | {m.p99_milliseconds:.1f} | {m.cpu_microseconds:.0f} "
            f"| {m.rss_megabytes:.0f} | {m.others_share:.0%} |"
        )
        lines.append(line + (f" {m.database_cpu_microseconds:.0f} |" if on_postgres else ""))
    return lines


def _bare_loops(summary: Summary) -> list[str]:
    return [
        f"- {loop.name}: {loop.per_second:.0f} orders/s, {loop.cpu_microseconds:.0f} µs CPU each"
        for loop in summary.bare_loops
    ]


def _waiting(summary: Summary) -> list[str]:
    if not summary.waiting:
        return []
    lines = ["## On a fixed schedule, at half of what each could do", ""]
    proof = summary.generator
    if proof is not None:
        quarter, half = (timing.p99 / 1_000 for timing in (proof.quarter, proof.half))
        text = (
            "The generator alone, against a server that does nothing: at most "
            f"{proof.ceiling_per_second:.0f} requests/s; p99 {quarter:.2f} ms at a quarter of "
            f"that, {half:.2f} ms at half."
        )
        lines += [text, ""]
    lines += [
        "| Work | Server | requests/s | p50 ms | p99 ms | p99.9 ms | max ms | late ms | others |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for w in summary.waiting:
        lines.append(
            f"| {TITLES[w.work]} | {w.server} | {w.rate:.0f} | {w.p50 / 1_000:.2f} "
            f"| {w.p99 / 1_000:.2f} | {w.p999 / 1_000:.2f} | {w.max / 1_000:.1f} "
            f"| {w.lag_p99 / 1_000:.2f} | {w.others_share:.0%} |"
        )
    lines += ["", "*Late*: p99 of how late the generator itself sent; it is in the times."]
    return [*lines, ""]


def _tails(summary: Summary) -> list[str]:
    if not summary.tails:
        return []
    lines = ["## Reads beside other work (p99, fixed schedule)", ""]
    lines += [
        "| Server | reads/s | quiet ms | while ordering ms | orders/s | 20 sign in ms | logins/s |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for tail in summary.tails:
        logins = "" if tail.logins is None else f"{tail.logins / 1_000:.2f}"
        rate = "" if tail.logins_per_second is None else f"{tail.logins_per_second:.1f}"
        lines.append(
            f"| {tail.server} | {tail.reads_per_second:.0f} | {tail.quiet / 1_000:.2f} "
            f"| {tail.orders / 1_000:.2f} | {tail.orders_per_second:.0f} | {logins} | {rate} |"
        )
    return [*lines, ""]


def _growth(summary: Summary) -> list[str]:
    if not summary.growth:
        return []
    lines = ["## Growth", "", "![Time of a request as the shop grows](growth.svg)", ""]
    lines += [
        "| Work | Products | Orders | req/s | p50 ms | p99 ms | RSS MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for p in summary.growth:
        lines.append(
            f"| {TITLES[p.work]} | {p.products} | {p.orders} | {p.per_second:.0f} "
            f"| {p.p50_milliseconds:.2f} | {p.p99_milliseconds:.2f} | {p.rss_megabytes:.0f} |"
        )
    return [*lines, ""]


def _footprint(summary: Summary) -> list[str]:
    lines = []
    if summary.memory:
        lines += [
            "## Memory",
            "",
            "| Server | Products | at rest: RSS MB | PSS MB | after load: RSS MB | PSS MB |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for m in summary.memory:
            lines.append(
                f"| {m.server} | {m.products} | {m.rest_rss:.0f} | {m.rest_pss:.0f} "
                f"| {m.loaded_rss:.0f} | {m.loaded_pss:.0f} |"
            )
        lines.append("")
    if summary.starts:
        lines += ["## Start on existing data", ""]
        lines += [
            f"- {s.server}, {s.products} products: first answer after {s.seconds:.2f} s "
            f"(slowest of {s.starts}: {s.seconds_most:.2f} s)"
            for s in summary.starts
        ]
        lines.append("")
    return lines


def to_json(value: Any) -> bytes:
    """Readable JSON, two spaces."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"

"""The page of the payments part."""

from typing import TYPE_CHECKING

from bench.gateway import SADAD_SECONDS
from bench.session import OTHERS_SHARE_MAX

if TYPE_CHECKING:
    from bench.payments import Flood, Numbers, Plan

GOAL_TIMES = 2.0  # reads beside a flood against quiet ones
GOAL_SECONDS = 60.0  # for 10,000 payments


def page(found: "Numbers", plan: "Plan") -> str:
    """All of it as Markdown."""
    machine = found.machine
    lines = [
        "# Payments",
        "",
        (
            f"{found.at:%Y-%m-%d %H:%M} UTC, {found.commit}. {machine.processor}, {machine.cores}"
            f" cores, {machine.file_system}, load before {machine.load_before:.2f}."
        ),
        "",
        *_caution(found),
        (
            "EISHRO on SQLite, no response cache, server on the first core, load and gateways on the"
            f" second. {plan.payments:,} payments of each of two gateways wait for their money:"
            " Moamalat's are asked about at the gateway, Plutu's are proven by the signature."
        ),
        "",
        "## News, closed loop",
        "",
        "| Gateway | News | a second | p50 ms | p99 ms | CPU µs |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.provider} | {'forged' if one.is_forged else 'true'} | {one.per_second:,.0f}"
        f" | {one.p50 / 1000:.2f} | {one.p99 / 1000:.2f} | {one.cpu_microseconds:,.0f} |"
        for one in found.takings
    ]
    lines += [
        "",
        "64 connections. A true one is in the database before its answer; its payment is worked",
        "off after it, beside the next ones; processor time is that of the whole way.",
        "",
        "## Starting a payment",
        "",
        "| Method | gateway's own p50 ms | beyond it p50 ms | p99 ms |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {one.method} | {one.gateway_p50:.2f} | {one.beyond_p50:.2f} | {one.beyond_p99:.2f} |"
        for one in found.startings
    ]
    lines += [
        "",
        f"One client, {plan.starts} payments of each. Moamalat's parameters are signed here; Sadad",
        f"is asked for a code, and the gateway takes {SADAD_SECONDS * 1000:.0f} ms for it.",
        "",
        "## A flood",
        "",
        "1,000 notifications a second on a schedule, half of them forged, beside reads at a quarter",
        f"of saturation; medians of {plan.rounds} rounds of {plan.seconds} s. The goal for reads is",
        "2 × quiet; the goal for true news is that each has paid its order.",
        "",
        (
            "| Gateway | reads a second | quiet p99 ms | beside p99 ms | × | news p99 ms"
            " | true sent | paid | forged refused | settled after s | others |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_flood_row(one) for one in found.floods]
    lines += [
        "",
        "## A day compared",
        "",
        "`eishro reconcile` as a command, from its start to its end; the goal is 60 s for 10,000.",
        "",
        "| Way | payments | seconds |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {one.way} | {one.payments:,} | {_marked(one.seconds, GOAL_SECONDS)} |"
        for one in found.comparings
    ]
    lines += ["", *(f"**Fault**: {fault}" for fault in found.faults)]
    return "\n".join(lines).rstrip() + "\n"


def _caution(found: "Numbers") -> list[str]:
    """A word of warning where somebody else used the machine, too."""
    most = max((one.others_share for one in found.floods), default=0.0)
    if most <= OTHERS_SHARE_MAX:
        return []
    return [f"**Others used up to {most:.0%} of the machine meanwhile: times say little.**", ""]


def _flood_row(one: "Flood") -> str:
    times = one.flood_p99 / max(1, one.quiet_p99)
    cells = (
        one.provider,
        f"{one.reads_per_second:,.0f}",
        f"{one.quiet_p99 / 1000:.2f}",
        f"{one.flood_p99 / 1000:.2f}",
        _marked(times, GOAL_TIMES),
        f"{one.news_p99 / 1000:.2f}",
        f"{one.sent:,}",
        f"{one.paid:,}",
        f"{one.forged:,}",
        f"{one.settled_seconds:.1f}",
        f"{one.others_share:.0%}",
    )
    return "| " + " | ".join(cells) + " |"


def _marked(value: float, most: float) -> str:
    return f"{value:.2f}" if value <= most else f"**{value:.2f}**"

"""`python -m bench`: start the contenders on equal data, interleave rounds, print ratios beside
the goals, store them.

Exit code 0 only when all gave the same answers, nothing failed, and every acknowledged order is
in its database. The ratios themselves do not decide: they are reported as they are.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from bench import report
from bench.chart import growth_chart
from bench.contenders import CONTENDERS, HONO_BUN
from bench.data import Goods
from bench.footprint import measure_memory, measure_starts
from bench.goals import GROWTH_TIMES
from bench.growth import measure_growth
from bench.growth_data import kept
from bench.machine import BenchError, cores, describe, file_system, require
from bench.medians import medians_of
from bench.openloop import prove
from bench.packages import HERE, ROOT, bun, node, require_references
from bench.parts import FIELDS, compare_answers, measure_part, run_bare_loops
from bench.plan import PARTS, Part, Plan, quick, whole
from bench.postgres import FOLDER as POSTGRES_FOLDER
from bench.results import Summary
from bench.session import Session
from bench.setup_time import measure_setup
from bench.tails import measure_open, measure_tails

RESULTS = HERE / "results"


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    arguments = _parser().parse_args()
    try:
        if arguments.setup:
            print(report.to_json(measure_setup(ROOT)).decode(), end="")
            return 0
        return _measure(_plan(arguments))
    except (BenchError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--parts", default=",".join(PARTS), help="parts to measure, with commas (default all)")
    add("--only", default="", help="contenders to measure, with commas (default all)")
    add("--rounds", type=int, default=3, help="rounds of each kind of work (default 3)")
    add("--seconds", type=int, default=3, help="seconds of each run (default 3)")
    add("--quick", action="store_true", help="a smoke run; the stored result stays")
    add("--products", type=int, default=10_000, help="products (default 10000)")
    add("--stores", type=int, default=10, help="stores they are spread over (default 10)")
    add("--seed", type=int, default=1, help="of the data and the requests (default 1)")
    add("--pinned-only", action="store_true", help="leave out the unpinned rounds")
    add("--setup", action="store_true", help="instead: time `make setup` to the first answer")
    return parser


def _plan(arguments: argparse.Namespace) -> Plan:
    goods = Goods(arguments.products, arguments.stores, arguments.seed)
    plan = quick(goods) if arguments.quick else whole(goods, arguments.rounds, arguments.seconds)
    parts = _chosen(arguments.parts, PARTS)
    only = _chosen(arguments.only, tuple(contender.name for contender in CONTENDERS))
    open_parts = plan.open_parts
    if set(parts) & set(FIELDS):
        open_parts = tuple(part for part in open_parts if part in parts)
    return msgspec.structs.replace(
        plan,
        parts=parts,
        only=only,
        open_parts=open_parts,
        placements=(True,) if arguments.pinned_only else plan.placements,
    )


def _chosen(text: str, known: tuple[Any, ...]) -> tuple[Any, ...]:
    """The names in a text with commas, in the order in which they are known."""
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    if wanted - set(known):
        raise BenchError(f"{', '.join(sorted(wanted - set(known)))}: not one of {', '.join(known)}")
    return tuple(name for name in known if name in wanted)


def _measure(plan: Plan) -> int:
    cores()
    require("wrk", "wrk")
    require("taskset", "util-linux")
    require_references()
    begun = time.monotonic()
    # In the project and not in /tmp, which may be memory: durability must cost what it costs.
    folder = ROOT / ".cache" / "bench" / str(os.getpid())
    folder.mkdir(parents=True)
    try:
        machine = describe(folder)
        session = Session(plan, folder, kept(plan.goods))
        found = _run_parts(session)
    finally:
        shutil.rmtree(folder)
    summary = Summary(
        at=datetime.now(UTC).replace(microsecond=0),
        commit=_commit(),
        versions=_versions(plan),
        machine=machine,
        postgres_file_system=file_system(POSTGRES_FOLDER) if "postgres" in plan.parts else None,
        goods=plan.goods,
        parts=plan.parts,
        rounds=plan.rounds,
        seconds=plan.seconds,
        minutes=round((time.monotonic() - begun) / 60, 1),
        medians=medians_of(session.runs),
        disturbed_runs=len(session.disturbed),
        faults=session.faults,
        **found,
    )
    _store(summary, session)
    print("\n" + report.to_markdown(summary), end="")
    return 1 if summary.faults else 0


def _run_parts(session: Session) -> dict[str, Any]:
    """Every part in its order; what is no run, by the summary's members."""
    plan = session.plan

    def wants(part: Part) -> bool:
        return part in plan.parts

    if any(wants(part) for part in FIELDS):
        compare_answers(session)
    for part in FIELDS:
        if wants(part):
            measure_part(session, part)
    return {
        "bare_loops": run_bare_loops(session) if wants("orders") else [],
        "generator": prove(seconds=plan.seconds) if wants("open") or wants("tail") else None,
        "waiting": measure_open(session) if wants("open") else [],
        "tails": measure_tails(session) if wants("tail") else [],
        "growth": measure_growth(session) if wants("growth") else [],
        "memory": measure_memory(session) if wants("memory") else [],
        "starts": measure_starts(session) if wants("start") else [],
    }


def _store(summary: Summary, session: Session) -> None:
    """Keep every run; the latest result only of a whole measurement."""
    plan = session.plan
    raw = RESULTS / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    everything = {"summary": summary, "runs": session.runs, "disturbed": session.disturbed}
    name = f"{summary.at:%Y%m%dT%H%M%SZ}"
    (raw / f"{name}.json").write_bytes(report.to_json(everything))
    (raw / f"{name}.md").write_text(report.to_markdown(summary))
    chart = growth_chart(summary.growth, GROWTH_TIMES)
    if chart is not None:
        (raw / f"{name}-growth.svg").write_text(chart)
    is_whole = plan == whole(plan.goods, plan.rounds, plan.seconds)
    if is_whole and chart is not None:
        (RESULTS / "latest.json").write_bytes(report.to_json(summary))
        (RESULTS / "latest.md").write_text(report.to_markdown(summary))
        (RESULTS / "growth.svg").write_text(chart)


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


def _versions(plan: Plan) -> dict[str, str]:
    package = msgspec.json.decode((HERE / "package.json").read_bytes())
    programs = {"Node": node()} | ({"Bun": bun()} if plan.takes(HONO_BUN) else {})
    return {
        "Python": platform.python_version(),
        **{name: version(name) for name in ("falcon", "httptools", "granian", "apsw", "asyncpg")},
        **{name: _ask_version(program) for name, program in programs.items()},
        **package["dependencies"],
    }


def _ask_version(program: Path) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("v")


if __name__ == "__main__":
    sys.exit(main())

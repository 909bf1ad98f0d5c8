"""The parts that compare contenders under closed-loop load, and the bare loop of orders."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence

import msgspec

from bench import checks
from bench.checks import Tally
from bench.contenders import (
    BARE,
    BARE_LOOP,
    BARE_LOOP_SINGLE,
    EISHRO,
    EISHRO_CACHE,
    EISHRO_POSTGRES,
    FASTIFY_NODE,
    HONO_BUN,
    HONO_NODE,
    HONO_NODE_CACHE,
    HONO_POSTGRES,
    Contender,
)
from bench.load import Work
from bench.machine import BenchError, cores, require
from bench.packages import ROOT
from bench.plan import Part
from bench.postgres import running_postgres
from bench.postgres_data import fill
from bench.servers import drop_copy
from bench.session import Session

GROUP = 256  # orders in one commit of the bare loop, EISHRO's cap of a group

# Who is measured at what in which part, references first within a round.
FIELDS: dict[Part, tuple[tuple[Contender, ...], tuple[Work, ...]]] = {
    "reads": ((HONO_NODE, HONO_BUN, FASTIFY_NODE, BARE, EISHRO), ("product", "list")),
    "cache": (
        (HONO_NODE, HONO_NODE_CACHE, HONO_BUN, EISHRO_CACHE),
        ("hot_product", "hot_list", "revalidate"),
    ),
    "orders": ((HONO_NODE, HONO_BUN, FASTIFY_NODE, EISHRO), ("order",)),
    "mixed": ((HONO_NODE, HONO_NODE_CACHE, HONO_BUN, EISHRO, EISHRO_CACHE), ("mixed",)),
    "postgres": ((HONO_POSTGRES, EISHRO_POSTGRES), ("product", "list", "order")),
}


class BareLoop(msgspec.Struct, frozen=True):
    """The bare loop of orders: medians over its rounds."""

    name: str
    per_second: float
    cpu_microseconds: float


def compare_answers(session: Session) -> None:
    """Every contender against EISHRO without a cache: the same answers, or it is a fault."""
    takes = session.plan.takes
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(session.server(EISHRO, pinned=False))
        servers = [ours]
        for other in takes(EISHRO_CACHE, HONO_NODE, HONO_NODE_CACHE, HONO_BUN, FASTIFY_NODE, BARE):
            servers.append(stack.enter_context(session.server(other, pinned=False)))
            found = list(checks.compare(ours, servers[-1], session.plan.goods))
            for fault in found:
                session.fault(fault)
            said = f"{len(found)} differences" if found else "the same"
            print(f"answers of {other.name}: {said}", flush=True)
    for server in servers:
        drop_copy(server)


def measure_part(session: Session, part: Part) -> None:
    """One of the parts in `FIELDS`, pinned before unpinned."""
    contenders, works = FIELDS[part]
    for pinned in session.plan.placements:
        taken = session.plan.takes(*contenders)
        if part == "postgres":
            _measure_postgres(session, taken, works, pinned=pinned)
        else:
            session.measure(part, taken, works, pinned=pinned)


def _measure_postgres(
    session: Session, contenders: Sequence[Contender], works: Sequence[Work], *, pinned: bool
) -> None:
    with on_postgres(session, pinned=pinned):
        if len(contenders) == 2 and pinned:
            _compare_on_postgres(session)
        session.measure("postgres", contenders, works, pinned=pinned)


@contextlib.contextmanager
def on_postgres(session: Session, *, pinned: bool) -> Iterator[None]:
    """A PostgreSQL server with the rows of the session's file, which servers then get."""
    before = session.source
    with running_postgres(pinned=pinned) as postgres:
        fill(postgres, before.file)
        session.source = msgspec.structs.replace(before, postgres=postgres)
        try:
            yield
        finally:
            session.source = before


def _compare_on_postgres(session: Session) -> None:
    with (
        session.server(EISHRO_POSTGRES, pinned=False) as ours,
        session.server(HONO_POSTGRES, pinned=False) as theirs,
    ):
        found = list(checks.compare(ours, theirs, session.plan.goods))
    for fault in found:
        session.fault(fault)
    said = f"{len(found)} differences" if found else "the same"
    print(f"answers on PostgreSQL: {said}", flush=True)
    for server in (ours, theirs):
        drop_copy(server)


def run_bare_loops(session: Session) -> list[BareLoop]:
    """The bare transaction loop on the first core, grouped and one by one."""
    found: dict[str, list[tuple[float, float]]] = {BARE_LOOP: [], BARE_LOOP_SINGLE: []}
    for number in range(1, session.plan.rounds + 1):
        for name, group in ((BARE_LOOP, GROUP), (BARE_LOOP_SINGLE, 1)):
            found[name].append(_run_bare_loop(session, name, group, number))
    return [
        BareLoop(
            name,
            round(statistics.median(rate for rate, _ in runs), 1),
            round(statistics.median(cpu for _, cpu in runs), 1),
        )
        for name, runs in found.items()
    ]


def _run_bare_loop(session: Session, name: str, group: int, number: int) -> tuple[float, float]:
    """Orders a second, and processor microseconds of one."""
    goods, seconds = session.plan.goods, session.plan.seconds
    folder = session.folder / f"{name}-{number}"
    folder.mkdir()
    database = folder / "eishro.db"
    shutil.copyfile(session.source.file, database)
    os.sync()
    command = [require("taskset", "util-linux"), "-c", str(cores()[0]), sys.executable]
    command += ["-m", "bench.bare.orders", str(database), f"--group={group}"]
    command += [f"--seconds={seconds}", f"--products={goods.products}", f"--stores={goods.stores}"]
    command += [f"--seed={goods.seed * 1_000 + number}"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"the bare loop failed:\n{done.stderr[-1_000:]}")
    said = json.loads(done.stdout)
    placed = int(said["orders"])
    for fault in checks.check_orders(str(database), Tally(placed, runs=0)):
        session.fault(f"{name}: {fault}")
    shutil.rmtree(folder)
    rate, cpu = placed / said["seconds"], said["cpu_seconds"] / max(1, placed) * 1_000_000
    print(f"orders    pinned bare loop  {number} {name:16} {rate:8.0f}/s", flush=True)
    return rate, cpu

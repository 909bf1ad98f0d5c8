"""What a server takes: memory at rest and after load, and the time to its first answer."""

import statistics
import time

import msgspec

from bench.contenders import EISHRO_CACHE, FASTIFY_NODE, HONO_BUN, HONO_NODE, Contender
from bench.growth_data import kept
from bench.load import Work, drive
from bench.machine import usage
from bench.servers import Source, drop_copy
from bench.session import Session

_REST_SECONDS = 3.0  # after the first answer, before memory is called at rest
_LOAD: tuple[Work, ...] = ("product", "list", "mixed")


class Memory(msgspec.Struct, frozen=True):
    """Megabytes of a server's process tree. Resident memory counts shared pages once for each
    process, the proportional share (`pss`) once."""

    server: str
    products: int
    rest_rss: float
    rest_pss: float
    loaded_rss: float
    loaded_pss: float


class Start(msgspec.Struct, frozen=True):
    """Seconds from the start of the program to its first answer on existing data: the median of
    several, and the slowest."""

    server: str
    products: int
    seconds: float
    seconds_most: float
    starts: int


def measure_memory(session: Session) -> list[Memory]:
    """At the size that memory is judged at, with EISHRO's default cache."""
    return [_measure_memory(session, c) for c in session.plan.takes(HONO_NODE, EISHRO_CACHE)]


def _measure_memory(session: Session, contender: Contender) -> Memory:
    goods = msgspec.structs.replace(session.plan.goods, products=session.plan.loaded_products)
    with session.server(contender, pinned=True, source=kept(goods)) as server:
        time.sleep(_REST_SECONDS)
        rest = usage(server.pid, shared=True)
        for number, work in enumerate(_LOAD, 1):
            run = drive(
                server, work, goods, session.plan.seconds, number, pinned=True, run=f"m{number}"
            )
            if run.failures:
                session.fault(f"memory, {contender.name}, {work}: {run.failures} failures")
        loaded = usage(server.pid, shared=True)
    drop_copy(server)
    sizes = (rest.rss_bytes, rest.pss_bytes, loaded.rss_bytes, loaded.pss_bytes)
    found = Memory(contender.name, goods.products, *(round(size / 1_000_000, 1) for size in sizes))
    print(
        f"memory    {contender.name:16} at rest {found.rest_rss:.0f} MB,"
        f" after load {found.loaded_rss:.0f} MB",
        flush=True,
    )
    return found


def measure_starts(session: Session) -> list[Start]:
    """Starts on the measured data, and EISHRO's on the large data as well."""
    plan = session.plan
    contenders = plan.takes(HONO_NODE, HONO_BUN, FASTIFY_NODE, EISHRO_CACHE)
    cases = [(c, session.source, plan.goods.products) for c in contenders]
    if EISHRO_CACHE in contenders:
        goods = msgspec.structs.replace(plan.goods, products=plan.loaded_products)
        cases.append((EISHRO_CACHE, kept(goods), goods.products))
    seconds: list[list[float]] = [[] for _ in cases]
    for _ in range(plan.starts):
        for (contender, source, _), found in zip(cases, seconds, strict=True):
            found.append(_start_once(session, contender, source))
    starts = [
        Start(
            contender.name,
            products,
            round(statistics.median(found), 3),
            round(max(found), 3),
            len(found),
        )
        for (contender, _, products), found in zip(cases, seconds, strict=True)
    ]
    for start in starts:
        print(f"start     {start.server:16} {start.products:8} products {start.seconds:.2f} s")
    return starts


def _start_once(session: Session, contender: Contender, source: Source) -> float:
    with session.server(contender, pinned=True, source=source) as server:
        pass
    drop_copy(server)
    return server.start_seconds

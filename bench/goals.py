"""The goals, and what was measured beside each. They are of the pinned rounds; what the same row
was without pinning is shown, not judged."""

import math
from collections.abc import Iterator

import msgspec

from bench import contenders as c
from bench.contenders import Contender
from bench.load import Work
from bench.plan import Part
from bench.results import Summary

P99_GOALS: tuple[tuple[Part, Work, str, float], ...] = (
    ("reads", "product", "product by id", 5.0),
    ("reads", "list", "list of 20", 15.0),
    ("orders", "order", "order", 25.0),
)
REVALIDATION_MICROSECONDS = 45.0
LOADED_MEGABYTES = 200.0
REST_MEGABYTES = 100.0
GROWTH_TIMES = 2.0
TAIL_TIMES = 2.0
START_SECONDS = 1.5
ORDER_OF_BARE_LOOP = 0.6
_CLOSE = 1e-6  # what arithmetic may be off by


class Ratio(msgspec.Struct, frozen=True):
    """A goal of so many times the requests a second of another contender."""

    part: Part
    work: Work
    title: str
    ours: Contender
    theirs: Contender
    least: float
    stretch: float | None = None


_PRODUCT = "product by id, cache off"
_LIST = "list of 20 with total, cache off"
_HOT_PRODUCT = "product by id, cache warm"
_HOT_LIST = "list of 20, cache warm"
_ORDER = "durable order"
_MIXED = "mixed 70/20/10"

RATIOS = (
    Ratio("reads", "product", _PRODUCT, c.EISHRO, c.HONO_NODE, 1.5, 1.8),
    Ratio("reads", "product", _PRODUCT, c.EISHRO, c.HONO_BUN, 0.85),
    Ratio("reads", "product", _PRODUCT, c.EISHRO, c.BARE, 0.6, 0.8),
    Ratio("reads", "list", _LIST, c.EISHRO, c.HONO_NODE, 1.8),
    Ratio("reads", "list", _LIST, c.EISHRO, c.HONO_BUN, 1.3),
    Ratio("reads", "list", _LIST, c.EISHRO, c.BARE, 0.85),
    Ratio("cache", "hot_product", _HOT_PRODUCT, c.EISHRO_CACHE, c.HONO_NODE, 3.0),
    Ratio("cache", "hot_product", _HOT_PRODUCT, c.EISHRO_CACHE, c.HONO_NODE_CACHE, 1.3),
    Ratio("cache", "hot_product", _HOT_PRODUCT, c.EISHRO_CACHE, c.HONO_BUN, 1.5),
    Ratio("cache", "hot_list", _HOT_LIST, c.EISHRO_CACHE, c.HONO_NODE, 8.0),
    Ratio("cache", "hot_list", _HOT_LIST, c.EISHRO_CACHE, c.HONO_NODE_CACHE, 1.3),
    Ratio("cache", "hot_list", _HOT_LIST, c.EISHRO_CACHE, c.HONO_BUN, 1.5),
    Ratio("orders", "order", _ORDER, c.EISHRO, c.HONO_NODE, 5.0, 8.0),
    Ratio("orders", "order", _ORDER, c.EISHRO, c.HONO_BUN, 2.5),
    Ratio("mixed", "mixed", _MIXED, c.EISHRO_CACHE, c.HONO_NODE, 2.3),
    Ratio("mixed", "mixed", _MIXED, c.EISHRO_CACHE, c.HONO_BUN, 1.1),
    Ratio(
        "postgres", "product", "PostgreSQL: product by id", c.EISHRO_POSTGRES, c.HONO_POSTGRES, 1.0
    ),
    Ratio("postgres", "list", "PostgreSQL: list of 20", c.EISHRO_POSTGRES, c.HONO_POSTGRES, 1.0),
    Ratio(
        "postgres", "order", "PostgreSQL: durable order", c.EISHRO_POSTGRES, c.HONO_POSTGRES, 2.5
    ),
)


class Verdict(msgspec.Struct, frozen=True):
    """One goal with what was measured; texts carry their units."""

    work: str
    against: str
    measured: str
    unpinned: str
    goal: str
    reached: bool
    stretched: bool = False


def judge(summary: Summary) -> list[Verdict]:
    """Every goal that this measurement can say something about, in the order of the design."""
    return [
        *_ratios(summary),
        *_revalidation(summary),
        *_bare_loop(summary),
        *_waiting(summary),
        *_tails(summary),
        *_memory(summary),
        *_growth(summary),
        *_start(summary),
    ]


def _ratios(summary: Summary) -> Iterator[Verdict]:
    for goal in RATIOS:
        pinned = _ratio(summary, goal, pinned=True)
        unpinned = _ratio(summary, goal, pinned=False)
        if pinned is None:
            continue
        wanted = f"≥ {goal.least:g}×"
        if goal.stretch is not None:
            wanted += f", stretch {goal.stretch:g}×"
        yield Verdict(
            work=goal.title,
            against=goal.theirs.name,
            measured=_times(pinned),
            unpinned="" if unpinned is None else _times(unpinned),
            goal=wanted,
            reached=pinned >= goal.least,
            stretched=goal.stretch is not None and pinned >= goal.stretch,
        )


def _ratio(summary: Summary, goal: Ratio, *, pinned: bool) -> float | None:
    ours, theirs = (
        summary.median(goal.part, goal.work, contender.name, pinned=pinned)
        for contender in (goal.ours, goal.theirs)
    )
    if ours is None or theirs is None or not theirs.per_second:
        return None
    return ours.per_second / theirs.per_second


def _times(ratio: float) -> str:
    """Rounded down, so that a goal just missed does not look reached; limits are rounded up."""
    return f"{math.floor(ratio * 100 + _CLOSE) / 100:.2f}×"


def _most(
    work: str, measured: float, most: float, unit: str, against: str = "", digits: int = 0
) -> Verdict:
    """A goal of at most so much."""
    shown = math.ceil(measured * 10**digits - _CLOSE) / 10**digits
    text = f"{shown:.{digits}f} {unit}"
    return Verdict(work, against, text, "", f"≤ {most:g} {unit}", measured <= most)


def _revalidation(summary: Summary) -> Iterator[Verdict]:
    found = summary.median("cache", "revalidate", c.EISHRO_CACHE.name)
    if found is not None:
        cpu = found.cpu_microseconds
        yield _most("304 revalidation, CPU", cpu, REVALIDATION_MICROSECONDS, "µs", digits=1)


def _bare_loop(summary: Summary) -> Iterator[Verdict]:
    ours = summary.median("orders", "order", c.EISHRO.name)
    bare = [loop for loop in summary.bare_loops if loop.name == c.BARE_LOOP]
    if ours is None or not bare or not bare[0].per_second:
        return
    share = ours.per_second / bare[0].per_second
    goal = f"≥ {ORDER_OF_BARE_LOOP:g}×"
    yield Verdict(_ORDER, c.BARE_LOOP, _times(share), "", goal, share >= ORDER_OF_BARE_LOOP)


def _waiting(summary: Summary) -> Iterator[Verdict]:
    for part, work, title, most in P99_GOALS:
        for found in summary.waiting:
            if (found.part, found.work, found.server) == (part, work, c.EISHRO.name):
                against = f"{found.rate:.0f}/s"
                name = f"p99 at half saturation: {title}"
                yield _most(name, found.p99 / 1_000, most, "ms", against, digits=2)


def _tails(summary: Summary) -> Iterator[Verdict]:
    for tail in summary.tails:
        if tail.server != c.EISHRO.name or not tail.quiet:
            continue
        against = f"quiet: {tail.quiet / 1_000:.2f} ms"
        for name, p99 in (("orders are placed", tail.orders), ("20 sign in", tail.logins)):
            if p99 is not None:
                title = f"p99 of reads while {name}"
                yield _most(title, p99 / tail.quiet, TAIL_TIMES, "× quiet", against, digits=2)


def _memory(summary: Summary) -> Iterator[Verdict]:
    for found in summary.memory:
        if found.server == c.EISHRO_CACHE.name:
            size = f"{found.products} products"
            yield _most("RSS after load", found.loaded_rss, LOADED_MEGABYTES, "MB", size)
            yield _most("RSS at rest", found.rest_rss, REST_MEGABYTES, "MB", size)


def _growth(summary: Summary) -> Iterator[Verdict]:
    for axis in ("products", "orders"):
        points = [p for p in summary.growth if axis == "products" or p.orders]
        points = [p for p in points if axis == "orders" or not p.orders]
        for work in ("product", "list", "order"):
            line = [point for point in points if point.work == work]
            if len(line) < 2 or not line[-1].per_second:
                continue
            least, most = (getattr(point, axis) for point in (line[0], line[-1]))
            times = line[0].per_second / line[-1].per_second
            title = f"growth of {axis} to {most}: {work}"
            yield _most(title, times, GROWTH_TIMES, "× the time", f"{least}", digits=2)


def _start(summary: Summary) -> Iterator[Verdict]:
    for found in summary.starts:
        if found.server == c.EISHRO_CACHE.name:
            size = f"{found.products} products"
            yield _most("start to first answer", found.seconds, START_SECONDS, "s", size, digits=2)

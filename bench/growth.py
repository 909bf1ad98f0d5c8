"""What becomes of reads and orders when there is a hundred times as much."""

import statistics
from typing import Literal

import msgspec

from bench.contenders import EISHRO
from bench.data import Goods
from bench.growth_data import kept
from bench.load import Run, drive
from bench.servers import Server, drop_copy
from bench.session import OTHERS_SHARE_MAX, TRIES, Session

CLIENTS = 4  # few: what one request costs, not what queueing adds
GrowthWork = Literal["product", "list", "order"]
WORKS: tuple[GrowthWork, ...] = ("product", "list", "order")


class Point(msgspec.Struct, frozen=True):
    """EISHRO without a cache at one size: medians over the rounds."""

    work: GrowthWork
    products: int
    orders: int
    per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    rss_megabytes: float


def measure_growth(session: Session) -> list[Point]:
    """Points at growing numbers of products, then of orders, the smallest of each first."""
    plan = session.plan
    if EISHRO not in plan.takes(EISHRO):
        return []
    sizes = [(products, 0) for products in plan.sizes]
    sizes += [(plan.sizes[0], orders) for orders in plan.order_sizes]
    found = []
    for products, orders in sizes:
        found += _measure_size(session, products, orders)
    return found


def _measure_size(session: Session, products: int, orders: int) -> list[Point]:
    goods = msgspec.structs.replace(session.plan.goods, products=products)
    runs: dict[GrowthWork, list[Run]] = {work: [] for work in WORKS}
    with session.server(EISHRO, pinned=True, source=kept(goods, orders)) as server:
        for number in range(session.plan.rounds + 1):
            for work in WORKS:
                seconds = session.plan.seconds if number else session.plan.warm_up_seconds
                if not seconds:
                    continue
                run = _run(session, server, work, goods, seconds, number)
                if number:
                    runs[work].append(run)
                    _show(goods, orders, run)
    drop_copy(server)
    return [_point(work, goods, orders, found) for work, found in runs.items()]


def _run(
    session: Session, server: Server, work: GrowthWork, goods: Goods, seconds: int, number: int
) -> Run:
    """One run; again, on later keys, where the machine was not ours."""
    for attempt in range(1, TRIES + 1):
        run = drive(
            server,
            work,
            goods,
            seconds,
            number,
            pinned=True,
            run=f"g{number}-{attempt}",
            connections=CLIENTS,
        )
        if run.failures:
            session.fault(f"growth, {goods.products} products, {work}: {run.failures} failures")
        quiet = run.others_share <= OTHERS_SHARE_MAX
        if quiet or attempt == TRIES or not session.may_repeat(seconds):
            break
        session.disturbed.append(run)
    return run


def _point(work: GrowthWork, goods: Goods, orders: int, runs: list[Run]) -> Point:
    return Point(
        work=work,
        products=goods.products,
        orders=orders,
        per_second=round(statistics.median(run.per_second for run in runs), 1),
        p50_milliseconds=round(statistics.median(run.counts.p50 for run in runs) / 1_000, 3),
        p99_milliseconds=round(statistics.median(run.counts.p99 for run in runs) / 1_000, 3),
        rss_megabytes=round(max(run.rss_bytes for run in runs) / 1_000_000, 1),
    )


def _show(goods: Goods, orders: int, run: Run) -> None:
    print(
        f"growth    {goods.products:8} products {orders:8} orders  {run.work:8}"
        f" {run.per_second:8.0f}/s  p99 {run.counts.p99 / 1000:7.2f} ms"
        f"  others {run.others_share:.0%}",
        flush=True,
    )

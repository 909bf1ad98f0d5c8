"""How long people wait: p99 on a fixed schedule at half saturation, and what orders and logins do
to those who only read."""

import statistics
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from bench.checks import Tally
from bench.contenders import EISHRO, HONO_NODE, Contender
from bench.load import Work
from bench.openloop import Schedule, Stream, Timing, send
from bench.parts import FIELDS, on_postgres
from bench.plan import Part
from bench.servers import Server, drop_copy
from bench.session import OTHERS_SHARE_MAX, WRITING, Session

SHARE = 0.5  # of the measured saturation
TAIL_SHARE = 0.25  # of saturation, for reads and for orders beside them
LOGINS = 20  # people signing in at the same time, each again as soon as it is done
_TRIES = 2
_Beside = Literal["quiet", "logins", "orders"]


class Waiting(msgspec.Struct, frozen=True):
    """One kind of work on a fixed schedule, pinned; times in microseconds from the intended
    sending. `lag_p99` is how late the generator was itself."""

    part: Part
    work: Work
    server: str
    rate: float
    p50: int
    p99: int
    p999: int
    max: int
    lag_p99: int
    others_share: float


class Tail(msgspec.Struct, frozen=True):
    """p99 of product reads in microseconds at one rate: alone, before any order; while people
    sign in; while orders are placed and those before are worked off. Medians over the rounds."""

    server: str
    reads_per_second: float
    orders_per_second: float
    quiet: float
    orders: float
    logins: float | None
    logins_per_second: float | None


def measure_open(session: Session) -> list[Waiting]:
    """Every contender at half of what it did in its own part; parts that were not measured before
    are saturated here first."""
    found: list[Waiting] = []
    for part in session.plan.open_parts:
        contenders, works = FIELDS[part]
        taken = session.plan.takes(*contenders)
        if part == "postgres" and taken:
            with on_postgres(session, pinned=True):
                found += _measure_field(session, part, taken, works)
        else:
            found += _measure_field(session, part, taken, works)
    return found


def _measure_field(
    session: Session, part: Part, contenders: Sequence[Contender], works: Sequence[Work]
) -> list[Waiting]:
    found = []
    for contender in contenders:
        reading = [work for work in works if work not in WRITING]
        if reading:
            with session.server(contender, pinned=True) as server:
                for work in reading:
                    rate = SHARE * _saturation(session, part, server, work)
                    found.append(_wait(session, part, server, work, rate))
            drop_copy(server)
        for work in works:
            if work in WRITING:
                found.append(_wait_writing(session, part, contender, work))
    return found


def _wait_writing(session: Session, part: Part, contender: Contender, work: Work) -> Waiting:
    """On a copy of its own, which is checked afterwards."""
    created: list[int] = []
    runs = 0
    with session.server(contender, pinned=True) as server:
        if session.plan.warm_up_seconds:
            warm = session.drive(server, work, 0, pinned=True)
            runs += 1
            created.append(warm.acknowledged if work == "order" else 0)
        saturation = _measured(session, part, contender.name, work)
        if saturation is None:
            run = session.drive(server, work, 1, pinned=True)
            saturation, runs = run.per_second, runs + 1
            created.append(run.acknowledged if work == "order" else 0)
        rate = SHARE * saturation
        waiting = _wait(session, part, server, work, rate, created)
    tally = Tally(sum(created), runs, in_flight=10**6 if work == "mixed" else 64)
    session.check_orders(server, tally, f"{contender.name}, {work} on a schedule")
    drop_copy(server)
    return waiting


def _saturation(session: Session, part: Part, server: Server, work: Work) -> float:
    known = _measured(session, part, server.name, work)
    if known is not None:
        if session.plan.warm_up_seconds:
            session.drive(server, work, 0, pinned=True)
        return known
    return session.drive(server, work, 1, pinned=True).per_second


def _measured(session: Session, part: Part, name: str, work: Work) -> float | None:
    """The median of what this contender did, pinned, in an earlier part."""
    rates = [
        run.per_second
        for of, run in session.runs
        if (of, run.server, run.work, run.pinned) == (part, name, work, True)
    ]
    return statistics.median(rates) if rates else None


def _wait(
    session: Session,
    part: Part,
    server: Server,
    work: Work,
    rate: float,
    created: list[int] | None = None,
) -> Waiting:
    """On a schedule at this rate; once more where the machine was not ours."""
    for attempt in range(1, _TRIES + 1):
        schedule = _send(session, server, [Stream(work, rate)], f"open-{attempt}")
        timing = schedule.streams[0]
        if created is not None:
            created.append(timing.created)
        print(
            f"open      {work:11} {server.name:16} at {rate:6.0f}/s  p50 {timing.p50 / 1000:6.2f}"
            f"  p99 {timing.p99 / 1000:7.2f} ms  others {schedule.others_share:.0%}",
            flush=True,
        )
        quiet = schedule.others_share <= OTHERS_SHARE_MAX
        if quiet or attempt == _TRIES or not session.may_repeat(session.plan.seconds):
            break
    return Waiting(
        part=part,
        work=work,
        server=server.name,
        rate=round(rate, 1),
        p50=timing.p50,
        p99=timing.p99,
        p999=timing.p999,
        max=timing.max,
        lag_p99=schedule.lag_p99,
        others_share=schedule.others_share,
    )


def _send(session: Session, server: Server, streams: Sequence[Stream], run: str) -> Schedule:
    seconds = session.plan.seconds
    schedule = send(server, streams, session.plan.goods, seconds=seconds, run=run)
    for timing in schedule.streams:
        if timing.failures:
            session.fault(
                f"{server.name}, {timing.name} on a schedule: {timing.failures} failures"
                f" of {timing.sent} requests"
            )
    return schedule


def measure_tails(session: Session) -> list[Tail]:
    """Reads at a quarter of saturation: alone, beside people who sign in, and beside orders at a
    quarter of theirs. The references have no sign-in."""
    return [_measure_tail(session, c) for c in session.plan.takes(HONO_NODE, EISHRO)]


def _measure_tail(session: Session, contender: Contender) -> Tail:
    """No order comes before the last of the quiet runs: what orders leave behind (mails, seals of
    the audit trail) is worked off for a long while, and quiet is without it."""
    times: dict[_Beside, list[Timing]] = {"quiet": [], "logins": [], "orders": []}
    signed_in: list[float] = []
    with session.server(contender, pinned=True) as server:
        reads = session.drive(server, "product", 1, pinned=True).per_second * TAIL_SHARE
        for number in range(1, session.plan.rounds + 1):
            times["quiet"] += _read(session, server, reads, "quiet", number)[:1]
            if contender.is_ours:
                login = Stream("login", 0, LOGINS)
                found = _read(session, server, reads, "logins", number, login)
                times["logins"] += found[:1]
                signed_in.append(found[1].per_second)
        orders = session.drive(server, "order", 1, pinned=True).per_second * TAIL_SHARE
        for number in range(1, session.plan.rounds + 1):
            order = Stream("order", orders)
            times["orders"] += _read(session, server, reads, "orders", number, order)[:1]
    drop_copy(server)
    p99 = _median_of(lambda timing: timing.p99)
    return Tail(
        server=contender.name,
        reads_per_second=round(reads, 1),
        orders_per_second=round(orders, 1),
        quiet=p99(times["quiet"]),
        orders=p99(times["orders"]),
        logins=p99(times["logins"]) if times["logins"] else None,
        logins_per_second=round(statistics.median(signed_in), 2) if signed_in else None,
    )


def _read(
    session: Session, server: Server, rate: float, beside: _Beside, number: int, *others: Stream
) -> list[Timing]:
    """One run of reads, and of the streams beside them."""
    streams = [Stream("product", rate), *others]
    schedule = _send(session, server, streams, f"{beside}-{number}")
    timing = schedule.streams[0]
    print(
        f"tail      reads, {beside:7} {server.name:16} at {timing.per_second:6.0f}/s"
        f"  p50 {timing.p50 / 1000:6.2f}  p99 {timing.p99 / 1000:7.2f} ms"
        f"  others {schedule.others_share:.0%}",
        flush=True,
    )
    return schedule.streams


def _median_of(value: Callable[[Timing], float]) -> Callable[[Sequence[Timing]], float]:
    return lambda timings: statistics.median(value(timing) for timing in timings)

"""`python -m bench.payments`: news of payments, starting payments, a flood, and a day compared.

EISHRO on SQLite with three gateways set up (`gateway.py` is their side). Measured in one run:

* how many notifications a second it takes, true and forged, and p99, closed loop;
* what starting a payment costs beyond the gateway's own time;
* reads at a quarter of saturation, quiet and while 1,000 notifications a second come, half of them
  forged; and whether every true one has paid its order in the end;
* `eishro reconcile` over the payments of the day, by the gateway's own list and by a statement.

Writes bench/results/payments.md and .json, and every run into results/raw. Exit code 1 when a true
notification is lost, a forged one is believed, or the comparison is wrong; numbers do not decide.
"""

import argparse
import contextlib
import csv
import http.client
import json
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.contenders import EISHRO
from bench.crowd import post_all, write_requests
from bench.data import Goods
from bench.growth_data import FOLDER, kept
from bench.load import drive
from bench.machine import BenchError, Machine, cores, describe, free_port, require, usage
from bench.openloop import Schedule, Stream, Timing, send
from bench.packages import ROOT
from bench.payments_page import page
from bench.payments_stock import (
    PROVIDERS,
    Due,
    Provider,
    count_left,
    count_paid,
    count_stored,
    news_of,
    payment_of,
    place_orders,
    settings,
    stock,
)
from bench.servers import Server, Source, get, running, stop
from bench.tails import TAIL_SHARE
from eishro.clock import TRIPOLI
from eishro.money import decimal_from_dirhams

RESULTS = Path(__file__).parent / "results"
FLOOD_PER_SECOND = 1_000  # half of them true
SETTLED_SECONDS_MAX = 900.0  # until every true one has paid its order
_PLANTED = 3  # differences of each kind between the gateway's list and the books


class Taking(msgspec.Struct, frozen=True):
    """Notifications of one kind, closed loop; times in microseconds. `cpu_microseconds` is the
    server's processor time for one, until its payment is paid."""

    provider: Provider
    is_forged: bool
    per_second: float
    p50: int
    p99: int
    cpu_microseconds: float


class Starting(msgspec.Struct, frozen=True):
    """Payments begun one after the other; milliseconds beyond the gateway's own time."""

    method: str
    gateway_p50: float
    beyond_p50: float
    beyond_p99: float


class Flood(msgspec.Struct, frozen=True):
    """Reads beside a flood of one gateway's news; medians of the rounds, microseconds."""

    provider: Provider
    reads_per_second: float
    quiet_p50: float
    quiet_p99: float
    flood_p50: float
    flood_p99: float
    news_p99: float
    sent: int
    forged: int
    paid: int
    settled_seconds: float
    others_share: float


class Comparing(msgspec.Struct, frozen=True):
    """`eishro reconcile` as a command, from its start to its end."""

    way: str
    payments: int
    seconds: float


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found."""

    at: datetime
    commit: str
    machine: Machine
    takings: list[Taking]
    startings: list[Starting]
    floods: list[Flood]
    comparings: list[Comparing]
    faults: list[str]


class Plan(msgspec.Struct, frozen=True):
    """How much of it."""

    rounds: int
    seconds: int
    starts: int
    closed: int  # notifications of one gateway that the closed loop may send
    wanted: int = 0  # payments that are compared at least

    @property
    def flooded(self) -> int:
        """True notifications of one gateway's flood, a second of warm-up in each round."""
        return self.rounds * (self.seconds + 2) * FLOOD_PER_SECOND // 2

    @property
    def payments(self) -> int:
        """Of each gateway."""
        return max(self.wanted, self.flooded + self.closed)


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.payments", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a smoke run; the page stays")
    given = parser.parse_args()
    plan = Plan(given.rounds, given.seconds, 500, 2_500, 10_000)
    if given.quick:
        plan = Plan(1, 1, 50, 500)
    folder = FOLDER.parent / "payments"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        found = Measurement(plan, folder).run()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    raw = RESULTS / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.format(msgspec.json.encode(found))
    (raw / f"payments-{found.at:%Y%m%dT%H%M%SZ}.json").write_bytes(content)
    text = page(found, plan)
    if not given.quick:
        (RESULTS / "payments.json").write_bytes(content + b"\n")
        (RESULTS / "payments.md").write_text(text, encoding="utf-8")
    print("\n" + text, end="")
    return 1 if found.faults else 0


class Measurement:
    """One run: the shop's file, the gateways' side, and what was found so far."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.goods = Goods(10_000, 10, 1)
        self.faults: list[str] = []
        self.used: dict[Provider, int] = dict.fromkeys(PROVIDERS, 0)
        self.gateway_port = free_port()
        self.more = settings(self.gateway_port)
        self.due: dict[Provider, list[Due]] = {}

    def run(self) -> Numbers:
        """Everything, in an order in which nothing disturbs what comes after it."""
        machine = describe(self.folder)
        with self._gateway():
            source, self.due = stock(
                kept(self.goods), self.folder, self.goods, self.plan.payments, self.more
            )
            print(f"payments: {self.plan.payments} of each gateway wait", flush=True)
            with running(
                EISHRO, source, self.folder / "run", pinned=True, in_place=True, more=self.more
            ) as server:
                reads = drive(server, "product", self.goods, 3, 1, pinned=True, run="p").per_second
                startings = [self._start(server, method) for method in ("moamalat", "sadad")]
                takings, floods = [], []
                for provider in PROVIDERS:
                    takings += [
                        self._take(server, provider, is_forged=forged) for forged in (True, False)
                    ]
                    floods.append(self._flood(server, provider, reads * TAIL_SHARE))
                self._pay_rest(server)
                stored = count_stored(server.database)
            if stored != (expected := sum(self.used.values())):
                self.faults.append(f"{stored} notifications are stored, {expected} were answered")
            comparings = self._compare(source)
        return Numbers(
            at=datetime.now(UTC).replace(microsecond=0),
            commit=_commit(),
            machine=machine,
            takings=takings,
            startings=startings,
            floods=floods,
            comparings=comparings,
            faults=self.faults,
        )

    @contextlib.contextmanager
    def _gateway(self) -> Iterator[None]:
        pin = [require("taskset", "util-linux"), "-c", str(cores()[1])]
        command = [*pin, sys.executable, "-m", "bench.gateway", str(self.gateway_port)]
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        try:
            for _ in range(500):
                with contextlib.suppress(OSError):
                    get(self.gateway_port, "/times")
                    break
                time.sleep(0.02)
            yield
        finally:
            stop(process)

    def _start(self, server: Server, method: str) -> Starting:
        """One after the other, so that each is paired with what the gateway took for it."""
        orders = place_orders(server.port, self.goods, self.plan.starts + 10, method)
        payer = {"phone": "0913632323", "birthYear": 1991} if method == "sadad" else {}
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        taken = []
        for order in orders:
            path, body, headers = payment_of(order, method, **payer)
            content = json.dumps(body)
            begun = time.perf_counter()
            headers["Content-Type"] = "application/json"
            connection.request("POST", path, content, headers)
            reply = connection.getresponse()
            said = reply.read()
            taken.append(time.perf_counter() - begun)
            if reply.status != 201:
                raise BenchError(f"{method}: {reply.status} {said[:200]!r}")
        theirs = json.loads(get(self.gateway_port, "/times")[2])["seconds"]
        theirs = theirs if method == "sadad" else [0.0] * len(taken)
        beyond = [1_000 * (ours - its) for ours, its in zip(taken, theirs, strict=True)][10:]
        found = Starting(
            method,
            1_000 * statistics.median(theirs),
            statistics.median(beyond),
            statistics.quantiles(beyond, n=100)[98],
        )
        print(
            f"start     {method:9} beyond the gateway p50 {found.beyond_p50:6.2f}"
            f"  p99 {found.beyond_p99:6.2f} ms",
            flush=True,
        )
        return found

    def _next(self, provider: Provider, count: int) -> list[Due]:
        """The next ones, which the gateway has taken money for."""
        first = self.used[provider]
        found = self.due[provider][first : first + count]
        if provider == "moamalat":
            sales = [(one.reference, one.transaction_id, one.dirhams) for one in found]
            post_all(self.gateway_port, [("/sales", sales, {})], 1)
        return found

    def _take(self, server: Server, provider: Provider, *, is_forged: bool) -> Taking:
        count = self.plan.closed
        due = self.due[provider][:count] * 4 if is_forged else self._next(provider, count)
        file = self._file(provider, due, is_forged=is_forged)
        seconds = max(1, self.plan.seconds - 1)
        before = usage(server.pid).cpu_seconds
        stream = Stream("prepared", 0, file=str(file))
        timing = self._send(server, [stream], seconds, warm_seconds=0).streams[0]
        self._judge(provider, timing, is_forged=is_forged)
        self._settle(server, provider)
        cpu = (usage(server.pid).cpu_seconds - before) * 1_000_000 / max(1, timing.sent)
        kind = "forged" if is_forged else "true"
        print(
            f"news      {provider:9} {kind:7} {timing.per_second:7.0f}/s  p50"
            f" {timing.p50 / 1000:6.2f}  p99 {timing.p99 / 1000:7.2f} ms  cpu {cpu:5.0f} us",
            flush=True,
        )
        rate = round(timing.per_second, 1)
        return Taking(provider, is_forged, rate, timing.p50, timing.p99, round(cpu, 1))

    def _flood(self, server: Server, provider: Provider, rate: float) -> Flood:
        quiet: list[Timing] = []
        beside: list[Timing] = []
        news: list[Timing] = []
        others, first, forged = [], self.used[provider], 0
        half = FLOOD_PER_SECOND // 2
        settled = 0.0
        for number in range(1, self.plan.rounds + 1):
            self._rest(server)
            alone = self._send(server, [Stream("product", rate)], self.plan.seconds)
            due = self._next(provider, half * (self.plan.seconds + 2))
            streams = [Stream("product", rate)] + [
                Stream("prepared", half, file=str(self._file(provider, due, is_forged=is_forged)))
                for is_forged in (False, True)
            ]
            flood = self._send(server, streams, self.plan.seconds)
            quiet.append(alone.streams[0])
            beside.append(flood.streams[0])
            news += flood.streams[1:]
            others += [alone.others_share, flood.others_share]
            self._judge(provider, flood.streams[1], is_forged=False)
            self._judge(provider, flood.streams[2], is_forged=True)
            forged += flood.streams[2].sent
            settled = max(settled, self._settle(server, provider))
            print(
                f"flood     {provider:9} round {number}  reads p99 {quiet[-1].p99 / 1000:6.2f} →"
                f" {beside[-1].p99 / 1000:7.2f} ms, settled after {settled:.1f} s,"
                f" others {others[-1]:.0%}",
                flush=True,
            )
        sent = self.used[provider] - first
        paid = count_paid(server.database, self.due[provider][first : first + sent])
        return Flood(
            provider=provider,
            reads_per_second=round(rate, 1),
            quiet_p50=statistics.median(one.p50 for one in quiet),
            quiet_p99=statistics.median(one.p99 for one in quiet),
            flood_p50=statistics.median(one.p50 for one in beside),
            flood_p99=statistics.median(one.p99 for one in beside),
            news_p99=statistics.median(one.p99 for one in news),
            sent=sent,
            forged=forged,
            paid=paid,
            settled_seconds=round(settled, 1),
            others_share=max(others),
        )

    def _settle(self, server: Server, provider: Provider) -> float:
        """Wait until every true notification has paid its order; how long it took."""
        told = self.due[provider][: self.used[provider]]
        begun = time.monotonic()
        while (paid := count_paid(server.database, told)) < len(told):
            if time.monotonic() - begun > SETTLED_SECONDS_MAX:
                left = len(told) - paid
                self.faults.append(f"{provider}: {left} of {len(told)} have paid nothing yet")
                break
            time.sleep(0.5)
        return time.monotonic() - begun

    def _rest(self, server: Server) -> None:
        """Let the server finish what follows payments: quiet is when it has nothing to do."""
        for _ in range(int(SETTLED_SECONDS_MAX / 0.5)):
            if count_left(server.database) == 0:
                return
            time.sleep(0.5)
        self.faults.append("events or seals are left undone")

    def _pay_rest(self, server: Server) -> None:
        """Bring the news of all that still wait, so that there is a day to compare."""
        for provider in PROVIDERS:
            left = len(self.due[provider]) - self.used[provider]
            due = self._next(provider, left)
            path = [news_of(provider, one) for one in due]
            post_all(server.port, path)
            self.used[provider] += left
            self._settle(server, provider)

    def _judge(self, provider: Provider, timing: Timing, *, is_forged: bool) -> None:
        """Every true one is taken, every forged one is refused for its signature."""
        if is_forged and timing.unauthenticated != timing.sent:
            said = f"{timing.sent - timing.unauthenticated} forged ones were not refused"
            self.faults.append(f"{provider}: {said}")
        if not is_forged:
            self.used[provider] += timing.sent
            if timing.failures:
                self.faults.append(f"{provider}: {timing.failures} true ones were not taken")

    def _file(self, provider: Provider, due: Sequence[Due], *, is_forged: bool) -> Path:
        file = self.folder / ("forged.json" if is_forged else "true.json")
        write_requests(file, [news_of(provider, one, is_forged=is_forged) for one in due])
        return file

    def _send(
        self, server: Server, streams: Sequence[Stream], seconds: int, warm_seconds: int = 1
    ) -> Schedule:
        return send(
            server,
            streams,
            self.goods,
            seconds=seconds,
            warm_seconds=warm_seconds,
            run="payments",
        )

    def _compare(self, source: Source) -> list[Comparing]:
        """The day by the gateway's own list, and by a statement with differences planted."""
        found = [self._reconcile(source, "moamalat", "the gateway's own list", [])]
        statement = self.folder / "statement.csv"
        told = self.due["plutu"][: self.used["plutu"]]
        today = datetime.now(TRIPOLI).strftime("%Y-%m-%d %H:%M")
        with statement.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("transaction", "reference", "amount", "currency", "date"))
            for number, one in enumerate(told[_PLANTED:]):
                dirhams = one.dirhams + (1_000 if number < _PLANTED else 0)
                amount = decimal_from_dirhams(dirhams)
                rows.writerow((one.transaction_id, one.reference, amount, "LYD", today))
        way = ["--statement", str(statement)]
        return [*found, self._reconcile(source, "plutu", "a statement (CSV)", way, _PLANTED)]

    def _reconcile(
        self, source: Source, provider: Provider, way: str, more: list[str], planted: int = 0
    ) -> Comparing:
        program = ROOT / ".cache" / "bench" / "runtime" / "bin" / "eishro"
        day = datetime.now(TRIPOLI).date().isoformat()
        command = [
            str(program),
            "reconcile",
            "--provider",
            provider,
            "--date",
            day,
            "--format",
            "json",
        ]
        begun = time.monotonic()
        done = subprocess.run(
            [*command, *more],
            env=self._environment(source),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        seconds = time.monotonic() - begun
        if done.returncode not in (0, 1) or not done.stdout:
            raise BenchError(f"eishro reconcile: {done.stderr[-1_000:]}")
        self._judge_reports(provider, json.loads(done.stdout), planted)
        print(f"reconcile {provider:9} {self.used[provider]} in {seconds:.1f} s", flush=True)
        return Comparing(f"{provider}: {way}", self.used[provider], round(seconds, 1))

    def _judge_reports(self, provider: Provider, reports: list[Any], planted: int) -> None:
        matched = sum(report["matched"] for report in reports)
        kinds = sorted(one["kind"] for report in reports for one in report["differences"])
        expected = ["amount"] * planted + ["extra"] * planted
        if (matched, kinds) != (self.used[provider] - 2 * planted, expected):
            self.faults.append(f"{provider}: {matched} agree, {len(kinds)} differ: {kinds[:9]}")

    def _environment(self, source: Source) -> dict[str, str]:
        return {
            "EISHRO_ENV": "production",
            "EISHRO_DATA_DIR": str(source.file.parent),
            "EISHRO_DATABASE_URL": f"sqlite:///{source.file}",
            "EISHRO_PUBLIC_URL": "https://bench.invalid",
            "EISHRO_SECRET_KEYS": secrets.token_urlsafe(48),
            **self.more,
        }


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main())

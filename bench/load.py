"""Load by wrk: one run is some seconds of one kind of work on one server, closed loop."""

import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from bench.data import Goods
from bench.machine import BenchError, Usage, busy_seconds, cores, require, usage
from bench.servers import Server, get

Work = Literal["product", "list", "order", "mixed", "hot_product", "hot_list", "revalidate"]
CONNECTIONS = 64
TIMEOUT_SECONDS = 10  # an answer that takes longer is a failure
HOT_PRODUCTS = 1_000  # a cache is asked for these alone: it holds them, and keeps them
_TAGGED_PRODUCTS = 100
_ANSWER_304_BYTES_MAX = 600  # headers alone; wrk does not tell 200 from 304, sizes do
_SCRIPTS = Path(__file__).parent / "wrk"
_SCRIPT: dict[Work, str] = {"hot_product": "product", "hot_list": "list"}
_MARK = "SUMMARY "


class Counts(msgspec.Struct, frozen=True):
    """What wrk saw. Latencies are microseconds; `refused` are answers of 400 and above, `orders`
    the orders that were sent (the last of them perhaps not answered)."""

    requests: int
    microseconds: int
    bytes: int
    refused: int
    connect: int
    read: int
    write: int
    timeout: int
    p50: int
    p90: int
    p99: int
    max: int
    orders: int


class Run(msgspec.Struct, frozen=True):
    """One run: what was done, what wrk saw, what the server's process tree used.

    `database_cpu_seconds` is PostgreSQL's. `others_share` is how much of the whole machine
    somebody else used meanwhile, 0 to 1 (the kernel's own work included): where it is large, the
    run says little.
    """

    work: Work
    server: str
    pinned: bool
    number: int
    counts: Counts
    cpu_seconds: float
    database_cpu_seconds: float
    rss_bytes: int
    others_share: float

    @property
    def acknowledged(self) -> int:
        """Requests that were answered with success."""
        return self.counts.requests - self.counts.refused

    @property
    def per_second(self) -> float:
        """Successful answers in a second."""
        return self.acknowledged / (self.counts.microseconds / 1_000_000)

    @property
    def cpu_microseconds(self) -> float:
        """Processor time of the server for one answer."""
        return self.cpu_seconds * 1_000_000 / max(1, self.counts.requests)

    @property
    def database_cpu_microseconds(self) -> float:
        """Processor time of PostgreSQL for one answer."""
        return self.database_cpu_seconds * 1_000_000 / max(1, self.counts.requests)

    @property
    def failures(self) -> int:
        """Answers that were no success, and requests that broke."""
        c = self.counts
        broken = c.refused + c.connect + c.read + c.write + c.timeout
        too_long = self.work == "revalidate" and c.bytes > c.requests * _ANSWER_304_BYTES_MAX
        return broken + (c.requests if too_long else 0)


class Meter:
    """Processor time of a server, of its database and of everybody else, from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = usage(server.pid)
        self._database = self._database_seconds()
        self._busy, self._load = busy_seconds(), _children_seconds()

    def read(self, seconds: float) -> tuple[Usage, float, float]:
        """The server's use (seconds since the start), its database's seconds, and the others'
        share of the machine over `seconds`; commands that ran meanwhile must have ended."""
        after = usage(self._server.pid)
        used = Usage(after.cpu_seconds - self._before.cpu_seconds, after.rss_bytes)
        database = self._database_seconds() - self._database
        load = _children_seconds() - self._load
        others = busy_seconds() - self._busy - used.cpu_seconds - database - load
        share = others / (seconds * (os.cpu_count() or 1))
        return used, database, round(max(0.0, share), 3)

    def _database_seconds(self) -> float:
        postgres = self._server.postgres
        return 0.0 if postgres is None else usage(postgres.pid).cpu_seconds


def drive(
    server: Server,
    work: Work,
    goods: Goods,
    seconds: int,
    number: int,
    *,
    pinned: bool,
    run: str,
    connections: int = CONNECTIONS,
) -> Run:
    """Drive one kind of work and measure it.

    Args:
        number: of the round; all servers get the same requests in the same round.
        pinned: the load to the second core, beside a server pinned to the first.
        run: the front of the idempotency keys, never used before on this database.
    Raises:
        BenchError: wrk failed.
    """
    products = min(goods.products, HOT_PRODUCTS) if work == "hot_product" else goods.products
    command = [require("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--latency", f"--timeout={TIMEOUT_SECONDS}s"]
    if pinned:
        command = [require("taskset", "util-linux"), "-c", str(cores()[1]), *command]
    command += ["-s", str(_SCRIPTS / f"{_SCRIPT.get(work, work)}.lua"), server.url, "--"]
    command += [f"seed={goods.seed * 1_000 + number}", f"products={products}"]
    command += [f"stores={goods.stores}", f"run={run}"]
    with tempfile.NamedTemporaryFile("w", suffix=".tags") as tags:
        if work == "revalidate":
            _write_tags(server, goods, Path(tags.name))
            command.append(f"tags={tags.name}")
        meter = Meter(server)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 60, check=False
        )
    _, mark, summary = done.stdout.partition(_MARK)
    if done.returncode != 0 or not mark:
        raise BenchError(f"wrk failed: {command}\n{done.stdout[-1_000:]}{done.stderr[-1_000:]}")
    counts = msgspec.json.decode(summary, type=Counts)
    used, database, others = meter.read(counts.microseconds / 1_000_000)
    return Run(
        work=work,
        server=server.name,
        pinned=pinned,
        number=number,
        counts=counts,
        cpu_seconds=used.cpu_seconds,
        database_cpu_seconds=database,
        rss_bytes=used.rss_bytes,
        others_share=others,
    )


def _write_tags(server: Server, goods: Goods, path: Path) -> None:
    """Ids and tags of some products, as this server answers them now."""
    lines = []
    for product_id in range(1, min(goods.products, _TAGGED_PRODUCTS) + 1):
        _, headers, _ = get(server.port, f"/api/products/{product_id}")
        lines.append(f"{product_id} {headers['etag']}\n")
    path.write_text("".join(lines))


def _children_seconds() -> float:
    """Processor time of the commands we ran to their end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

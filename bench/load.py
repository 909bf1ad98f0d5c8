"""Load by wrk: one run is some seconds of one kind of work on one server."""

import os
import resource
import subprocess
from pathlib import Path
from typing import Literal

import msgspec

from bench.data import Goods
from bench.machine import BenchError, busy_seconds, cores, require, usage
from bench.servers import Name, Server

Work = Literal["product", "list", "order"]
WORKS: tuple[Work, ...] = ("product", "list", "order")
CONNECTIONS = 64
TIMEOUT_SECONDS = 10  # an answer that takes longer is a failure
_SCRIPTS = Path(__file__).parent / "wrk"
_MARK = "SUMMARY "


class Counts(msgspec.Struct, frozen=True):
    """What wrk saw. Latencies are microseconds; `refused` are answers of 400 and above."""

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


class Run(msgspec.Struct, frozen=True):
    """One run: what was done, what wrk saw, what the server's process tree used.

    `others_share` is how much of the whole machine somebody else used meanwhile, 0 to 1 (the
    kernel's own work included): where it is large, the run says little.
    """

    work: Work
    server: Name
    pinned: bool
    number: int
    counts: Counts
    cpu_seconds: float
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
    def failures(self) -> int:
        """Answers that were no success, and requests that broke."""
        c = self.counts
        return c.refused + c.connect + c.read + c.write + c.timeout


def drive(
    server: Server, work: Work, goods: Goods, seconds: int, number: int, *, pinned: bool, run: str
) -> Run:
    """Drive one kind of work and measure it.

    Args:
        number: of the round; both servers get the same requests in the same round.
        pinned: the load to the second core, beside a server pinned to the first.
        run: the front of the idempotency keys, never used before on this database.
    Raises:
        BenchError: wrk failed.
    """
    command = [require("wrk", "wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    command += ["--latency", f"--timeout={TIMEOUT_SECONDS}s"]
    if pinned:
        command = [require("taskset", "util-linux"), "-c", str(cores()[1]), *command]
    command += ["-s", str(_SCRIPTS / f"{work}.lua"), server.url, "--"]
    command += [f"seed={goods.seed * 1_000 + number}", f"products={goods.products}"]
    command += [f"stores={goods.stores}", f"run={run}"]
    before, busy, load = usage(server.pid), busy_seconds(), _children_seconds()
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    after = usage(server.pid)
    cpu_seconds = after.cpu_seconds - before.cpu_seconds
    others = busy_seconds() - busy - cpu_seconds - (_children_seconds() - load)
    _, mark, summary = done.stdout.partition(_MARK)
    if done.returncode != 0 or not mark:
        raise BenchError(f"wrk failed: {command}\n{done.stdout[-1_000:]}{done.stderr[-1_000:]}")
    counts = msgspec.json.decode(summary, type=Counts)
    whole = counts.microseconds / 1_000_000 * (os.cpu_count() or 1)
    return Run(
        work=work,
        server=server.name,
        pinned=pinned,
        number=number,
        counts=counts,
        cpu_seconds=cpu_seconds,
        rss_bytes=after.rss_bytes,
        others_share=round(max(0.0, others / whole), 3),
    )


def _children_seconds() -> float:
    """Processor time of the commands we ran to their end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

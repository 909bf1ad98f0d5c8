"""Load on a fixed schedule by our own generator, and the check of the generator itself."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.data import PASSWORD, Goods, email_of
from bench.load import CONNECTIONS, HOT_PRODUCTS, Meter
from bench.machine import BenchError, cores, free_port, require
from bench.packages import node
from bench.servers import Server, get, stop

_FOLDER = Path(__file__).parent / "generator"
_TAGGED_PRODUCTS = 100
_NULL_BYTES = 2_500  # the weight of one product's answer
_LINK_SECONDS_MAX = 10.0
_NICE = -18


class Stream(msgspec.Struct, frozen=True):
    """A kind of work at a rate a second; 0 is a closed loop, as fast as answers come. `file` holds
    the requests of the work `prepared`."""

    work: str
    rate: float
    connections: int = CONNECTIONS
    file: str = ""


class Timing(msgspec.Struct, frozen=True):
    """One stream as the generator saw it: microseconds from the intended sending to the answer.

    `created` are answers of 201, `unauthenticated` of 401 (failures, too); `sent` counts the
    warm-up, `per_second` does not.
    """

    name: str
    sent: int
    created: int
    failures: int
    per_second: float
    p50: int
    p90: int
    p99: int
    p999: int
    max: int
    unauthenticated: int = 0


class Schedule(msgspec.Struct, frozen=True):
    """One run of the generator. `lag_p99` is how late it was itself, in microseconds."""

    streams: list[Timing]
    lag_p99: int
    others_share: float = 0.0


class Proof(msgspec.Struct, frozen=True):
    """The generator against a server that does nothing: what it can send at most, and what it
    adds at a quarter and at half of that."""

    ceiling_per_second: float
    quarter: Timing
    half: Timing


def send(
    server: Server,
    streams: Sequence[Stream],
    goods: Goods,
    *,
    seconds: int,
    warm_seconds: int = 1,
    run: str,
    pinned: bool = True,
) -> Schedule:
    """Send the streams together to a server; `run` as in `load.drive`.

    Raises:
        BenchError: the generator failed.
    """
    described = [
        _describe(server, stream, goods, f"{run}-{number}") for number, stream in enumerate(streams)
    ]
    meter, begun = Meter(server), time.monotonic()
    # A database server has a part of the core that the generator spins on.
    alone = server.postgres is None
    found = _run(server.port, described, seconds, warm_seconds, pinned=pinned, alone=alone)
    _, _, others = meter.read(time.monotonic() - begun)
    return msgspec.structs.replace(found, others_share=others)


def prove(*, seconds: int) -> Proof:
    """Check the generator against an idle server of our own on the first core."""
    port = free_port()
    pin = [require("taskset", "util-linux"), "-c", str(cores()[0])]
    command = [*pin, str(node()), str(_FOLDER / "null.mjs"), str(port), str(_NULL_BYTES)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        _await(port)

        def run(rate: float) -> Timing:
            stream = {"name": "product", "work": "product", "rate": rate, "seed": 1}
            stream |= {"connections": CONNECTIONS, "products": 1_000, "stores": 10}
            return _run(port, [stream], seconds, 1, pinned=True).streams[0]

        ceiling = run(0).per_second
        return Proof(round(ceiling), run(ceiling / 4), run(ceiling / 2))
    finally:
        stop(process)


def _await(port: int) -> None:
    deadline = time.monotonic() + _LINK_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            get(port, "/")
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise BenchError("the null server does not answer")


def _describe(server: Server, stream: Stream, goods: Goods, run: str) -> dict[str, Any]:
    hot = stream.work == "hot_product"
    described: dict[str, Any] = {
        "name": stream.work,
        "work": stream.work,
        "rate": stream.rate,
        "connections": stream.connections,
        "seed": goods.seed,
        "products": min(goods.products, HOT_PRODUCTS) if hot else goods.products,
        "stores": goods.stores,
        "run": run,
    }
    if stream.work == "login":
        emails = [email_of(number) for number in range(1, goods.stores + 1)]
        described |= {"emails": emails, "password": PASSWORD}
    if stream.work == "prepared":
        described["file"] = stream.file
    if stream.work == "revalidate":
        ids = range(1, min(goods.products, _TAGGED_PRODUCTS) + 1)
        described["tags"] = [(i, get(server.port, f"/api/products/{i}")[1]["etag"]) for i in ids]
    return described


def _run(
    port: int,
    streams: list[dict[str, Any]],
    seconds: int,
    warm_seconds: int,
    *,
    pinned: bool,
    alone: bool = True,
) -> Schedule:
    plan = {"port": port, "seconds": seconds, "warm_seconds": warm_seconds, "streams": streams}
    # V8's own threads would take turns with the one that spins, on the one core that it has.
    command = [str(node()), "--single-threaded", str(_FOLDER / "generator.mjs"), json.dumps(plan)]
    if pinned:
        command = [require("taskset", "util-linux"), "-c", str(cores()[1]), *command]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        if alone:
            _prefer(process.pid)
        output, errors = process.communicate(timeout=seconds + warm_seconds + 60)
    finally:
        stop(process)
    if process.returncode != 0:
        raise BenchError(f"the generator failed:\n{output[-500:]}{errors[-1_000:]}")
    return msgspec.json.decode(output, type=Schedule)


def _prefer(pid: int) -> None:
    """Let nothing else of this machine interrupt it, where we may say so: its pauses would count as
    the server's. Also among groups of processes, which the kernel weighs by themselves.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(_NICE))

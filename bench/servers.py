"""The contenders as processes: each started on a fresh copy of the data, and stopped."""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from bench.contenders import Contender
from bench.machine import BenchError, cores, free_port, require, tree
from bench.packages import HERE, ROOT, bun, node
from bench.postgres import Postgres
from bench.postgres_data import TEMPLATE

# Limits are on and never reached: an hour of the fastest server would not get there.
RATE = 1_000_000_000
CACHE_MEGABYTES = 32  # EISHRO's default
CACHE_SECONDS = 60  # what the references' cache keeps
_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 20.0


class Source(msgspec.Struct, frozen=True):
    """The data that servers get copies of: SQLite's file (`cities.json` beside it), and for those
    on PostgreSQL the server that holds the same rows."""

    file: Path
    postgres: Postgres | None = None

    @property
    def cities(self) -> Path:
        """The cities that the references are told."""
        return self.file.with_name("cities.json")


class Server(msgspec.Struct, frozen=True):
    """A running server. `database` is a file's path or a URL; `start_seconds` is from its start
    to its first answer."""

    contender: Contender
    pid: int
    port: int
    database: str
    start_seconds: float
    postgres: Postgres | None = None

    @property
    def name(self) -> str:
        """The contender's name."""
        return self.contender.name

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running(
    contender: Contender,
    source: Source,
    folder: Path,
    *,
    pinned: bool,
    in_place: bool = False,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """A server on its own copy of the data, stopped at the end. The copy stays: a file in the
    folder; a database is dropped by `drop_copy`.

    Args:
        folder: a new folder for the copy, the log and what else the server writes.
        pinned: to the first core; else it may use all of them.
        in_place: on the source's own file, which it may change.
        more: further settings.
    Raises:
        BenchError: it does not answer in time; the message holds the end of its log.
    """
    folder.mkdir(parents=True)
    database = str(source.file) if in_place else _copy(contender, source, folder)
    port = free_port()
    command, environment = _command(contender, port, folder, database, source)
    environment |= more
    if pinned:
        command = [require("taskset", "util-linux"), "-c", str(cores()[0]), *command]
    log = folder / "server.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        seconds = _first_answer(process, port, started, log)
        postgres = source.postgres if contender.engine == "postgresql" else None
        yield Server(contender, process.pid, port, database, seconds, postgres)
    finally:
        stop(process)


def drop_copy(server: Server) -> None:
    """Remove the copy of a server that has been stopped."""
    if server.postgres is not None:
        server.postgres.drop(server.database.rpartition("/")[2])
    else:
        shutil.rmtree(Path(server.database).parent)


def _copy(contender: Contender, source: Source, folder: Path) -> str:
    if contender.engine == "sqlite":
        database = folder / "eishro.db"
        shutil.copyfile(source.file, database)
        os.sync()  # the copy's pages must not be written out while orders are measured
        return str(database)
    if source.postgres is None:
        raise BenchError(f"{contender.name} needs PostgreSQL")
    return source.postgres.copy(TEMPLATE, folder.name.replace("-", "_"))


def _command(
    contender: Contender, port: int, folder: Path, database: str, source: Source
) -> tuple[list[str], dict[str, str]]:
    environment = _environment()
    if contender.program == "eishro":
        environment |= _settings(contender, folder, database)
        program = ROOT / ".cache" / "bench" / "runtime" / "bin" / "eishro"  # tools/install.py
        return [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)], environment
    environment["BENCH_DATABASE"] = database
    if contender.program == "bare":
        return [sys.executable, "-m", "bench.bare", str(port)], environment
    environment |= {
        "NODE_ENV": "production",
        "BENCH_FRAMEWORK": contender.program,
        "BENCH_CITIES": str(source.cities),
        "BENCH_PORT": str(port),
        "BENCH_SECRET": secrets.token_urlsafe(32),
        "BENCH_RATE": str(RATE),
        "BENCH_CACHE_SECONDS": str(CACHE_SECONDS if contender.cached else 0),
    }
    runtime = bun() if contender.runtime == "bun" else node()
    return [str(runtime), str(HERE / "reference" / "server.mjs")], environment


def _settings(contender: Contender, folder: Path, database: str) -> dict[str, str]:
    """EISHRO's: production, everything on, limits that are counted but never reached."""
    is_file = contender.engine == "sqlite"
    return {
        "EISHRO_ENV": "production",
        "EISHRO_DATA_DIR": str(folder),
        "EISHRO_DATABASE_URL": f"sqlite:///{database}" if is_file else database,
        "EISHRO_PUBLIC_URL": "https://bench.invalid",
        "EISHRO_SECRET_KEYS": secrets.token_urlsafe(32),
        "EISHRO_RATE_LIMIT_AUTHENTICATED": f"{RATE}/hour",
        "EISHRO_RATE_LIMIT_ANONYMOUS": f"{RATE}/hour",
        "EISHRO_RATE_LIMIT_PAYMENTS": f"{RATE}/hour",
        "EISHRO_RESPONSE_CACHE_MB": str(CACHE_MEGABYTES if contender.cached else 0),
    }


def _environment() -> dict[str, str]:
    """Ours without settings of EISHRO or Node, so that only what is written here counts."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EISHRO_", "NODE_", "BUN_", "BENCH_", "UV_THREADPOOL"))
    }


def _first_answer(process: subprocess.Popen[bytes], port: int, started: float, log: Path) -> float:
    while time.perf_counter() - started < _START_SECONDS_MAX and process.poll() is None:
        try:
            if get(port, "/api/products/1")[0] == 200:
                return time.perf_counter() - started
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.01)
    tail = log.read_text(errors="replace")[-2_000:]
    raise BenchError(f"the server does not answer: {process.args!r}\n{tail}")


def get(
    port: int, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """GET from a server: status, headers by lower-case name, body."""
    return _ask(port, "GET", path, None, headers or {})


def post(port: int, path: str, body: object, key: str) -> tuple[int, dict[str, str], bytes]:
    """POST JSON under an idempotency key."""
    content = json.dumps(body).encode()
    return _ask(
        port, "POST", path, content, {"Content-Type": "application/json", "Idempotency-Key": key}
    )


def _ask(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()
    finally:
        connection.close()


def stop(process: subprocess.Popen[Any]) -> None:
    """Ask it to end; what of its tree is left after a while is ended by its id."""
    members = tree(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        process.wait()

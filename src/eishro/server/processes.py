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
    work: Work,
    count: int,
    stop_seconds: float,
    settled_seconds: float = SETTLED_SECONDS,
    let_go: Callable[[], object] = lambda: None,
) -> int:
    """Run `work` in so many processes until told to stop by SIGINT or SIGTERM; the exit code.

    One that ends by itself is started again; after a rest, if it had just been started. Where none
    of the others has lived longer, either, all are ended, and the code is 1. Those that need longer
    than `stop_seconds` to stop are killed.

    `let_go` is called before the processes are told to stop. What this process holds open as well,
    a socket above all, is not closed before: clients would wait for nobody.
    """
    family = _Family(work, settled_seconds, let_go)
    for _ in range(count):
        family.start()
    while family.goes_on:
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
    family, watched = _Family(work, settled_seconds, lambda: None), _Source(source)
    family.start()
    has_reloaded = False
    while True:
        family.look(stop_seconds)
        if family.goes_on:
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

    def __init__(self, work: Work, settled_seconds: float, let_go: Callable[[], object]) -> None:
        self._work = work
        self._settled_seconds = settled_seconds
        self._let_go = let_go
        self._tie, self._held = os.pipe()
        self.members: dict[int, float] = {}
        self._missing: list[float] = []  # when each is to be started again
        self.was_told = False
        self.begin()
        # Who starts this process may ignore it; then the dead are gone before they are counted.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _ENDING:
            signal.signal(number, self._told)

    def begin(self) -> None:
        """Forget how the last ones have ended."""
        self.code = 0
        self._stops_at: float | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there are members, or will be."""
        return bool(self.members or self._missing)

    def start(self) -> None:
        """Start one more.

        Raises:
            OSError: the system has no place for it.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the two must find this process knowing its child, and the child ready
        # to be ended; else nobody would end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            child = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            raise
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
            self._missing.clear()
            self._let_go()
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
        for due in tuple(self._missing):
            if due <= time.monotonic():
                self._missing.remove(due)
                self._start_again()
        if self._stops_at is not None and time.monotonic() > self._stops_at + stop_seconds:
            self._tell(signal.SIGKILL)

    def _ended(self, child: int, code: int, lived_seconds: float) -> None:
        if self._stops_at is not None:
            return
        _LOG.error("worker_ended", pid=child, code=code)
        now = time.monotonic()
        if lived_seconds > self._settled_seconds:
            self._missing.append(now)
        elif any(now - started > self._settled_seconds for started in self.members.values()):
            # One request may have ended it twice; that is no reason to end those that serve.
            self._missing.append(now + self._settled_seconds)
        else:
            self.code = 1
            self.stop()

    def _start_again(self) -> None:
        try:
            self.start()
        except OSError as error:  # short of memory, as when its forerunner was ended for it
            _LOG.error("cannot_start_worker", error=str(error))
            self._missing.append(time.monotonic() + self._settled_seconds)

    def _told(self, *_: object) -> None:
        self.was_told = True

    def _tell(self, number: signal.Signals) -> None:
        for child in self.members:
            os.kill(child, number)

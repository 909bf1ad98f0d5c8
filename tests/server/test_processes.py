"""Several processes, and one that starts anew, as processes of their own that do hardly anything."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 30.0

# Each process says that it is there by a file of its id, then waits for the end of its parent.
SCRIPT = """
import os, select, signal, sys, time
from pathlib import Path
from eishro.server.processes import run_many, run_reloading

folder, how = Path(sys.argv[1]), sys.argv[2]

def work(tie):
    if (folder / "source" / "broken.py").exists():
        raise RuntimeError("does not start")
    if (folder / "stubborn").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif how == "gracious":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    new = folder / f"{os.getpid()}.new"
    new.write_text("")
    new.rename(folder / f"{os.getpid()}.here")
    select.select([tie], [], [])

if how == "reload":
    code = run_reloading(work, folder / "source", 0.5, 0.3)
else:
    code = run_many(work, 2, 0.5, 0.3 if how != "hasty" else 60.0)
sys.exit(code)
"""


class Parent:
    """The script, and those that it has started."""

    def __init__(self, folder: Path, how: str) -> None:
        self.folder = folder
        (folder / "script.py").write_text(SCRIPT)
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, folder / "script.py", folder, how], stdout=log, stderr=log
            )

    def children(self) -> set[int]:
        """Those that run and have said so."""
        named = {int(file.stem) for file in self.folder.glob("*.here")}
        return {child for child in named if runs(child)}

    def reached(self, is_so: Callable[[], bool]) -> None:
        """Wait for something to happen."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)

    def tell(self, number: signal.Signals) -> int:
        """Send it a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def runs(process: int) -> bool:
    """Whether it is there, and no corpse."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Parent]]:
    started: list[Parent] = []

    def begin(how: str) -> Parent:
        started.append(Parent(tmp_path, how))
        return started[-1]

    yield begin
    for parent in started:
        children = parent.children()
        parent.process.kill()
        parent.process.wait()
        parent.reached(lambda: not any(runs(child) for child in children))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", ["many", "gracious"])
def test_told_to_stop_all_end(
    start: Callable[[str], Parent], how: str, number: signal.Signals
) -> None:
    parent = start(how)
    parent.reached(lambda: len(parent.children()) == 2)
    assert parent.tell(number) == 0
    assert parent.children() == set()


def test_told_twice_all_end(start: Callable[[str], Parent]) -> None:
    parent = start("gracious")
    parent.reached(lambda: len(parent.children()) == 2)
    parent.process.send_signal(signal.SIGTERM)
    assert parent.tell(signal.SIGTERM) == 0
    assert parent.children() == set()


def test_those_that_do_not_stop_are_killed(start: Callable[[str], Parent], tmp_path: Path) -> None:
    (tmp_path / "stubborn").write_text("")
    stubborn = start("many")
    stubborn.reached(lambda: len(stubborn.children()) == 2)
    began = time.monotonic()
    assert stubborn.tell(signal.SIGTERM) == 0
    assert time.monotonic() - began >= 0.5
    assert stubborn.children() == set()


def test_one_that_is_killed_is_started_again(start: Callable[[str], Parent]) -> None:
    parent = start("many")
    parent.reached(lambda: len(parent.children()) == 2)
    victim, other = sorted(parent.children())
    time.sleep(0.4)  # else it counts as one that cannot start
    os.kill(victim, signal.SIGKILL)
    parent.reached(lambda: len(parent.children()) == 2 and victim not in parent.children())
    assert other in parent.children()
    assert parent.tell(signal.SIGTERM) == 0
    assert parent.children() == set()


@pytest.mark.parametrize("how", ["hasty", "reload"])
def test_one_that_cannot_start_ends_all(
    start: Callable[[str], Parent], tmp_path: Path, how: str
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "broken.py").write_text("")
    assert start(how).process.wait(PATIENCE_SECONDS) == 1


def test_one_that_ends_as_soon_as_it_is_there_ends_all(start: Callable[[str], Parent]) -> None:
    parent = start("hasty")
    parent.reached(lambda: len(parent.children()) == 2)
    os.kill(min(parent.children()), signal.SIGKILL)
    assert parent.process.wait(PATIENCE_SECONDS) == 1
    assert parent.children() == set()


def test_none_outlives_the_one_that_started_them(start: Callable[[str], Parent]) -> None:
    parent = start("many")
    parent.reached(lambda: len(parent.children()) == 2)
    parent.tell(signal.SIGKILL)
    parent.reached(lambda: not parent.children())


def test_a_changed_file_starts_it_anew(start: Callable[[str], Parent], tmp_path: Path) -> None:
    source = tmp_path / "source" / "deep"
    source.mkdir(parents=True)
    (source / "one.py").write_text("")
    parent = start("reload")
    parent.reached(lambda: len(parent.children()) == 1)
    first = parent.children()
    (source / "one.txt").write_text("no source")
    time.sleep(0.7)
    assert parent.children() == first
    os.utime(source / "one.py", ns=(1, 1))
    parent.reached(lambda: len(parent.children()) == 1 and parent.children() != first)
    second = parent.children()
    (source / "two.py").write_text("")
    parent.reached(lambda: len(parent.children()) == 1 and parent.children() != second)
    assert parent.tell(signal.SIGTERM) == 0
    assert parent.children() == set()


def test_a_change_that_breaks_it_is_waited_out(
    start: Callable[[str], Parent], tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    parent = start("reload")
    parent.reached(lambda: len(parent.children()) == 1)
    broken = tmp_path / "source" / "broken.py"
    broken.write_text("")
    parent.reached(lambda: "does not start" in parent.log.read_text())
    parent.reached(lambda: not parent.children())
    broken.unlink()
    parent.reached(lambda: len(parent.children()) == 1)
    broken.write_text("")
    parent.reached(lambda: not parent.children())
    assert parent.tell(signal.SIGINT) == 0


def test_a_new_process_reads_its_modules_anew() -> None:
    """It has been split from one that had imported them as they were."""
    code = (
        "import eishro.money as before\n"
        "from eishro.cli.server import forget_modules\n"
        "forget_modules()\n"
        "import eishro.money as after\n"
        "assert after is not before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

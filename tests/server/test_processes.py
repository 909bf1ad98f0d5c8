"""Several processes, and one that starts anew, as processes of their own that do hardly anything."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eishro.cli import server

PATIENCE_SECONDS = 30.0

# Each process says that it is there by a file of its id, then waits for the end of its parent.
SCRIPT = """
import os, select, signal, socket, sys, time
from pathlib import Path
from eishro.server.processes import run_many, run_reloading

folder, how = Path(sys.argv[1]), sys.argv[2]
door = socket.create_server(("127.0.0.1", 0))
(folder / "port").write_text(str(door.getsockname()[1]))
if how == "deaf":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
fork = os.fork

def fork_if_there_is_a_place():
    if (folder / "full").exists():
        raise BlockingIOError("no place")
    return fork()

os.fork = fork_if_there_is_a_place

def work(tie):
    door.close()
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
    seconds = {"hasty": (0.5, 60.0), "patient": (20.0, 0.3)}.get(how, (0.5, 0.3))
    code = run_many(work, 2, *seconds, let_go=door.close)
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


def is_listening(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except OSError:
        return False
    return True


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


@pytest.mark.parametrize("how", ["many", "deaf"])
def test_one_that_is_killed_is_started_again(start: Callable[[str], Parent], how: str) -> None:
    """Whoever has started the parent may have let it ignore how its children end."""
    parent = start(how)
    parent.reached(lambda: len(parent.children()) == 2)
    victim, other = sorted(parent.children())
    time.sleep(0.4)  # else it counts as one that cannot start
    os.kill(victim, signal.SIGKILL)
    parent.reached(lambda: len(parent.children()) == 2 and victim not in parent.children())
    assert other in parent.children()
    assert parent.tell(signal.SIGTERM) == 0
    assert parent.children() == set()


def test_one_that_is_killed_again_at_once_does_not_end_the_others(
    start: Callable[[str], Parent],
) -> None:
    parent = start("many")
    parent.reached(lambda: len(parent.children()) == 2)
    victim, other = sorted(parent.children())
    time.sleep(0.4)
    seen = {victim, other}
    for _ in range(2):
        os.kill(victim, signal.SIGKILL)
        parent.reached(lambda: len(parent.children()) == 2 and not parent.children() <= seen)
        assert other in parent.children()
        (victim,) = parent.children() - {other}
        seen.add(victim)
    assert parent.tell(signal.SIGTERM) == 0
    assert parent.children() == set()


def test_a_parent_that_waits_for_its_children_to_stop_keeps_no_door_open(
    start: Callable[[str], Parent], tmp_path: Path
) -> None:
    """Its clients would be connected, and wait for nobody."""
    (tmp_path / "stubborn").write_text("")
    parent = start("patient")
    parent.reached(lambda: len(parent.children()) == 2)
    address = ("127.0.0.1", int((tmp_path / "port").read_text()))
    socket.create_connection(address).close()
    parent.process.send_signal(signal.SIGTERM)
    parent.reached(lambda: not is_listening(address))
    assert len(parent.children()) == 2
    for child in parent.children():
        os.kill(child, signal.SIGKILL)
    assert parent.process.wait(PATIENCE_SECONDS) == 0


def test_the_server_s_own_door_is_closed_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = address = free.getsockname()
    seen: list[bool] = []

    def run(*_: Any, let_go: Callable[[], object]) -> int:
        seen.append(is_listening(address))
        let_go()
        seen.append(is_listening(address))
        return 0

    monkeypatch.setattr(server, "run_many", run)
    monkeypatch.setattr(server, "warn", lambda _: None)
    monkeypatch.setattr(server, "raise_open_files", lambda: 1_024)
    settings: Any = SimpleNamespace(is_embedded=False, env="development", header_seconds=1.0)
    with pytest.raises(SystemExit):
        server.run_server(settings, "none:none", host, port, 2)
    assert seen == [True, False]


def test_without_a_place_for_a_process_it_is_started_later(
    start: Callable[[str], Parent], tmp_path: Path
) -> None:
    parent = start("many")
    parent.reached(lambda: len(parent.children()) == 2)
    (tmp_path / "full").write_text("")
    time.sleep(0.4)
    for child in parent.children():
        os.kill(child, signal.SIGKILL)
    parent.reached(lambda: "cannot_start_worker" in parent.log.read_text())
    assert parent.process.poll() is None
    (tmp_path / "full").unlink()
    parent.reached(lambda: len(parent.children()) == 2)
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

"""What the measurements stand on: processes, ports, processor time, the disk."""

import os
import random
import re
import shutil
import socket
import statistics
import time
from pathlib import Path

import msgspec

PORT_MIN, PORT_MAX = 20_000, 32_000  # below the range the system gives to outgoing connections
_TICKS = os.sysconf("SC_CLK_TCK")
_SYNCS = 50


class BenchError(Exception):
    """The measurement cannot be made or did not hold; the message says why and what to do."""


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured. `sync_microseconds` is the median of an append and fsync."""

    processor: str
    cores: int
    kernel: str
    file_system: str
    sync_microseconds: int
    load_before: float


class Usage(msgspec.Struct, frozen=True):
    """A process and its children: processor seconds so far, memory now.

    Resident memory counts pages that processes share once for each of them; the proportional
    share (`pss_bytes`) counts them once.
    """

    cpu_seconds: float
    rss_bytes: int
    pss_bytes: int = 0


def require(program: str, package: str) -> str:
    """The program's path.

    Raises:
        BenchError: it is not installed; the message names the Debian package.
    """
    found = shutil.which(program)
    if found is None:
        raise BenchError(f"{program} is missing: apt-get install -y {package} (as root)")
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    for _ in range(1_000):
        port = random.randint(PORT_MIN, PORT_MAX)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError(f"no free port between {PORT_MIN} and {PORT_MAX}")


def cores() -> tuple[int, int]:
    """One core for the server and another for the load.

    Raises:
        BenchError: there is only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("two cores are needed: one for the server, one for the load")
    return usable[0], usable[1]


def tree(pid: int) -> list[int]:
    """The process and all below it that live now, parents first."""
    found = [pid]
    for seen in found:
        for tasks in Path(f"/proc/{seen}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in tasks.read_text().split())
            except OSError:
                continue  # ended while we looked
    return found


def usage(pid: int, *, shared: bool = False) -> Usage:
    """Processor time and memory of the process tree (children that ended included).

    `shared`: the proportional share as well, which takes the kernel a while to sum up.
    """
    ticks, rss, pss = 0, 0, 0
    for member in tree(pid):
        try:
            stat = Path(f"/proc/{member}/stat").read_text()
            status = Path(f"/proc/{member}/status").read_text()
            sums = Path(f"/proc/{member}/smaps_rollup").read_text() if shared else ""
        except OSError:
            continue
        # Behind the name, which may hold spaces: fields 14 to 17 of proc(5).
        fields = stat.rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
        resident = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        rss += int(resident[1]) * 1024 if resident else 0
        proportional = re.search(r"^Pss:\s+(\d+) kB", sums, re.MULTILINE)
        pss += int(proportional[1]) * 1024 if proportional else 0
    return Usage(ticks / _TICKS, rss, pss)


def busy_seconds() -> float:
    """Processor seconds that anybody on this machine has used so far, all cores together; time
    the host took away (steal) counts as used."""
    fields = [int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / _TICKS


def describe(folder: Path) -> Machine:
    """This machine, and the disk under `folder`."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        kernel=os.uname().release,
        file_system=file_system(folder),
        sync_microseconds=_sync_microseconds(folder),
        load_before=os.getloadavg()[0],
    )


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else os.uname().machine


def file_system(folder: Path) -> str:
    """The type of the file system that holds the folder; memory would make durability a joke."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            return after.split()[0]
    return "unknown"


def _sync_microseconds(folder: Path) -> int:
    path = folder / "sync-probe"
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            start = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - start)
    path.unlink()
    return round(statistics.median(seconds) * 1_000_000)

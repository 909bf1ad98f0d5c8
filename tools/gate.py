"""The gate: format, lint, types, imports, dependencies, generated pages, tests, in this order.

    python tools/gate.py [--no-tests]

Prints one line a step and names the first that fails; the checks run two at a time, the tests
after all of them. Whole logs are kept in .cache/gate/. Needs only the standard library and the
project's environment.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LOGS = ROOT / ".cache" / "gate"
TAIL_LINES = 60
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux keeps it in memory; pytest makes folders of its own
MEMORY_MIN = 2_000_000_000  # bytes


class Step(NamedTuple):
    """One check: its name and its command."""

    name: str
    command: tuple[str, ...]


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


CHECKS = (
    Step("format", _tool("ruff", "format", "--check", ".")),
    Step("lint", _tool("ruff", "check", ".")),
    Step("types", _tool("mypy")),
    Step("imports", _tool("lint-imports")),
    Step("dependencies", _tool("deptry", "src")),
    Step("reference pages", _tool("python", "tools/reference.py", "--check")),
)
# Two processes, a file's tests in one of them: they share its servers and its order. Which files
# come first says tests/conftest.py.
TESTS = Step("tests", _tool("pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"))


class Outcome(NamedTuple):
    """What became of a step."""

    step: Step
    code: int
    seconds: float

    @property
    def log(self) -> Path:
        return LOGS / f"{self.step.name.replace(' ', '-')}.log"


def main() -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    failed = None
    for outcome in _outcomes(with_tests="--no-tests" not in sys.argv[1:]):
        word = "ok  " if outcome.code == 0 else "FAIL"
        print(f"{word} {outcome.step.name:<16} {outcome.seconds:6.1f} s", flush=True)
        if outcome.code != 0 and failed is None:
            failed = outcome
        if outcome.step is TESTS and outcome.code == 0:
            print(outcome.log.read_text(errors="replace").splitlines()[-1])
    if failed is None:
        return 0
    lines = failed.log.read_text(errors="replace").splitlines()
    print(f"\nFailed step: {failed.step.name} (whole log: {failed.log.relative_to(ROOT)})\n")
    print("\n".join(lines[-TAIL_LINES:]))
    return 1


def _outcomes(*, with_tests: bool) -> Iterator[Outcome]:
    """In the order of the steps; no tests after a check that failed."""
    is_green = True
    with ThreadPoolExecutor(2) as threads:
        for outcome in threads.map(_run, CHECKS):
            is_green = is_green and outcome.code == 0
            yield outcome
    if is_green and with_tests:
        yield _run(TESTS)


def _run(step: Step) -> Outcome:
    started = time.monotonic()
    outcome = Outcome(step, 0, 0)
    with outcome.log.open("w") as output:
        code = subprocess.run(
            step.command,
            cwd=ROOT,
            env={**os.environ, **_folders()},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    return Outcome(step, code, time.monotonic() - started)


def _folders() -> dict[str, str]:
    """Where tests make their folders: in memory if there is room, since some make hundreds."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_MIN:
        return {}
    return {"PYTEST_DEBUG_TEMPROOT": str(MEMORY)}


if __name__ == "__main__":
    sys.exit(main())

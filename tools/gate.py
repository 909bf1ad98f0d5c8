"""The gate: format, lint, types, imports, dependencies, generated pages, tests, in this order.

    python tools/gate.py [--no-tests]

Prints one line a step, stops at the first that fails and names it first in its summary. Whole
logs are kept in .cache/gate/. Needs only the standard library and the project's environment.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LOGS = ROOT / ".cache" / "gate"
TAIL_LINES = 60


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
# Two processes, a file's tests in one of them: they share its servers and its order.
TESTS = Step("tests", _tool("pytest", "-n", "2", "--dist", "loadfile"))


def main() -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    steps = CHECKS if "--no-tests" in sys.argv[1:] else (*CHECKS, TESTS)
    for step in steps:
        started = time.monotonic()
        log = LOGS / f"{step.name.replace(' ', '-')}.log"
        code = _run(step, log)
        seconds = time.monotonic() - started
        print(f"{'ok  ' if code == 0 else 'FAIL'} {step.name:<16} {seconds:6.1f} s", flush=True)
        lines = log.read_text(errors="replace").splitlines()
        if code != 0:
            print(f"\nFailed step: {step.name} (whole log: {log.relative_to(ROOT)})\n")
            print("\n".join(lines[-TAIL_LINES:]))
            return 1
        if step is TESTS:
            print(lines[-1] if lines else "no output")
    return 0


def _run(step: Step, log: Path) -> int:
    with log.open("w") as output:
        return subprocess.run(
            step.command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())

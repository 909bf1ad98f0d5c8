"""How long a newcomer waits: from `make setup` in a fresh clone to the first answer.

The clone holds what is committed, its caches are empty, and packages come from the registries
as they do for anybody; so this also measures the network.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from bench.machine import BenchError, free_port
from bench.servers import get, stop

_SETUP_SECONDS_MAX = 1_800.0
_ANSWER_SECONDS_MAX = 300.0


class SetupTime(msgspec.Struct, frozen=True):
    """Seconds of `make setup`, then from `eishro dev` to the first list of demo products."""

    setup_seconds: float
    first_answer_seconds: float
    megabytes: float


def measure_setup(root: Path) -> SetupTime:
    """Clone, set up and start in a temporary folder, which is removed.

    Raises:
        BenchError: a step failed; the message holds the end of its output.
    """
    with tempfile.TemporaryDirectory(prefix="eishro-setup-") as name:
        folder = Path(name)
        clone = folder / "eishro"
        _run(["git", "clone", "--quiet", "--no-hardlinks", str(root), str(clone)], folder, {})
        caches = folder / "caches"
        environment = {
            variable: str(caches / tool)
            for variable, tool in (
                ("XDG_CACHE_HOME", "xdg"),
                ("PIP_CACHE_DIR", "pip"),
                ("UV_CACHE_DIR", "uv"),
                ("npm_config_cache", "npm"),
            )
        }
        started = time.perf_counter()
        _run(["make", "setup"], clone, environment)
        ready = time.perf_counter()
        answered = _first_answer(clone, environment)
        size = sum(path.lstat().st_size for path in clone.rglob("*") if path.is_file())
        return SetupTime(
            round(ready - started, 1), round(answered - ready, 1), round(size / 1_000_000, 1)
        )


def _first_answer(clone: Path, environment: dict[str, str]) -> float:
    port = free_port()
    command = [str(clone / ".venv/bin/eishro"), "dev", "--port", str(port)]
    log = clone / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=clone,
            env=_clean(environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.perf_counter() + _ANSWER_SECONDS_MAX
        while time.perf_counter() < deadline and process.poll() is None:
            try:
                status, _, body = get(port, "/api/products?limit=1")
                if status == 200 and b'"variants"' in body:
                    return time.perf_counter()
            except OSError:
                pass
            time.sleep(0.05)
        raise BenchError(f"eishro dev does not answer:\n{log.read_text()[-2_000:]}")
    finally:
        stop(process)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_clean(environment),
        capture_output=True,
        text=True,
        timeout=_SETUP_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"{command} failed:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")


def _clean(environment: dict[str, str]) -> dict[str, str]:
    """Ours without the shop's settings and this virtual environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("EISHRO_") and name not in {"VIRTUAL_ENV", "PYTHONPATH"}
    }
    return {**kept, **environment}

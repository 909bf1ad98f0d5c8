"""Build `edge/python_modules/`: everything the Worker imports, and nothing else.

    python tools/edge_bundle.py [--wheel FILE …]

Wheels named in `edge/requirements*.txt` (exact versions, with hashes) are fetched once into
`.tools/edge/`, unpacked and pruned; then this project's package is laid beside them, without what
only servers use. The folder is made anew each time and kept out of version control.
`--wheel` lays further wheels beside them: before a deployment, the one of bcrypt that Pyodide
builds, which the package index does not have.
"""

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EDGE = ROOT / "edge"
TARGET = EDGE / "python_modules"
CACHE = ROOT / ".tools" / "edge"

# The platforms whose wheels are taken. The runtime is CPython 3.14 on WebAssembly.
_WASM = ("--platform", "pyemscripten_2026_0_wasm32", "--abi", "cp314")
_ANY = ("--platform", "manylinux_2_17_x86_64", "--abi", "cp314")
GROUPS = {
    "requirements.txt": _WASM,
    "requirements-python-part.txt": _ANY,
    "requirements-test.txt": _WASM,
}

# What is left out, and why. Patterns of paths below python_modules/.
PRUNED = {
    "*.dist-info/*": "what installers read",
    "*/__pycache__/*": "byte code of another Python",
    "*.pyi": "types for checkers",
    "*.pyx": "sources of native code that is not used",
    "*.pxd": "sources of native code that is not used",
    "*.c": "sources of native code that is not used",
    "falcon/cyutil/*": "sources of native code that is not used",
    "falcon/bench/*": "measurements",
    "falcon/cmd/*": "commands for people",
    "falcon/testing/*": "a client for tests",
    "falcon/vendor/*/tests/*": "tests",
    "sqlalchemy/orm/*": "the ORM, which this project does not use",
    "sqlalchemy/testing/*": "tests",
    "sqlalchemy/cyextension/*": "native code",
    "sqlalchemy/dialects/mssql/*": "another database",
    "sqlalchemy/dialects/mysql/*": "another database",
    "sqlalchemy/dialects/oracle/*": "another database",
    "sqlalchemy/ext/asyncio/*": "SQLAlchemy's engine and ORM",
    "sqlalchemy/ext/declarative/*": "SQLAlchemy's ORM",
    "sqlalchemy/ext/mypy/*": "types for checkers",
    "tzdata/zoneinfo/*": "other time zones than Libya's",
    "eishro/cli/*": "the operator's commands",
    "eishro/sandbox/*": "simulators and demo stores",
    "eishro/db/migrations/*.py": "applied by wrangler; the names alone are looked at",
    "eishro/db/migrations/script.py.mako": "Alembic's template",
    "eishro/adapters/bcrypt_hasher.py": "threads",
    "eishro/adapters/http.py": "sockets",
    "eishro/adapters/cache/redis.py": "sockets",
    "eishro/adapters/files/s3.py": "sockets",
    "eishro/adapters/files/folder.py": "a disk",
    "eishro/adapters/mail/smtp.py": "sockets",
    "eishro/adapters/mail/outbox.py": "a disk",
    "eishro/adapters/sms/outbox.py": "a disk",
    "eishro/db/sqlite.py": "threads",
    "eishro/db/postgres*.py": "sockets",
}
# Kept although a pattern above would drop them.
KEPT = (
    "tzdata/zoneinfo/Africa/Tripoli",
    "tzdata/zoneinfo/__init__.py",
    "tzdata/zoneinfo/Africa/__init__.py",
    "eishro/db/migrations/__init__.py",
    "eishro/db/migrations/versions/__init__.py",
)
_NATIVE = "*.so"


class Failed(Exception):
    """What went wrong, in words for a terminal."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build edge/python_modules/.")
    parser.add_argument("--wheel", type=Path, action="append", default=[], metavar="FILE")
    try:
        files = build(parser.parse_args().wheel)
    except Failed as failure:
        print(f"edge bundle: {failure}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in files)
    print(f"edge bundle: {len(files)} files, {size / 1e6:.1f} MB in edge/python_modules")
    return 0


def build(more: Sequence[Path] = ()) -> list[Path]:
    """Make the folder anew, with `more` wheels; its files."""
    shutil.rmtree(TARGET, ignore_errors=True)
    for group in ("requirements.txt", "requirements-python-part.txt"):
        keeps_native = group == "requirements.txt"
        for wheel in fetch(group):
            _unpack(wheel, TARGET, keeps_native=keeps_native)
    for wheel in more:
        if not wheel.is_file():
            raise Failed(f"there is no wheel {wheel}")
        _unpack(wheel, TARGET, keeps_native=True)
    source = ROOT / "src"
    for path in sorted((source / "eishro").rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_file() and not _is_pruned(name):
            _write(TARGET / name, path.read_bytes())
    _note_revisions()
    return [path for path in TARGET.rglob("*") if path.is_file()]


def fetch(group: str) -> list[Path]:
    """The wheels of one requirements file, from the cache or the package index.

    Raises:
        Failed: the index has no such wheel, or its hash is another.
    """
    requirements = EDGE / group
    key = hashlib.sha256(requirements.read_bytes() + repr(GROUPS[group]).encode()).hexdigest()
    folder = CACHE / f"{requirements.stem}-{key[:16]}"
    if not folder.exists():
        incoming = folder.with_suffix(f".incoming-{os.getpid()}")
        shutil.rmtree(incoming, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--python-version", "3.14"]
        command += ["--implementation", "cp", "--abi", "abi3", "--abi", "none", *GROUPS[group]]
        command += ["--dest", str(incoming), "-r", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            shutil.rmtree(incoming, ignore_errors=True)
            raise Failed(f"{group} could not be fetched:\n{done.stderr.strip()[-1500:]}")
        incoming.rename(folder)
    return sorted(folder.glob("*.whl"))


def unpack_all(group: str, target: Path) -> None:
    """All files of a group's wheels, unpruned, into a folder that is made anew."""
    shutil.rmtree(target, ignore_errors=True)
    for wheel in fetch(group):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)


def _unpack(wheel: Path, target: Path, *, keeps_native: bool) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            is_native = fnmatch.fnmatch(name, _NATIVE)
            if name.endswith("/") or _is_pruned(name) or (is_native and not keeps_native):
                continue
            _write(target / name, archive.read(name))


def _is_pruned(name: str) -> bool:
    return name not in KEPT and any(fnmatch.fnmatch(name, pattern) for pattern in PRUNED)


def _note_revisions() -> None:
    """Empty files with the revisions' names: `migrate.head()` reads the newest from them."""
    versions = ROOT / "src" / "eishro" / "db" / "migrations" / "versions"
    for path in versions.glob("[0-9]*.py"):
        _write(TARGET / "eishro" / "db" / "migrations" / "versions" / path.name, b"")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())

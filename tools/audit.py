"""Let tools that others wrote look for holes: known ones, in the source, in a running server.

    python tools/audit.py [step …]

Steps: install, dependencies, source, schemathesis, bait, sqlmap, wapiti, mutants; all of them
without arguments. The server that they need starts with the first that asks it. Prints one line a
step, goes on after a failing one, names those at the end, and ends with 1 if there were any. What
the tools said is kept in .cache/audit/reports/. EISHRO_TEST_SEED repeats a run of schemathesis.

The scanners (two are under the GPL) live in .cache/audit/venv and are run as commands only.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from audit_shop import Shop, Target, broken_door, running_shop, targets

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
FOLDER = ROOT / ".cache" / "audit"
TOOLS = FOLDER / "venv" / "bin"
REPORTS = FOLDER / "reports"
LOCK = ROOT / "requirements" / "audit.txt"
SEED = int(os.environ.get("EISHRO_TEST_SEED") or secrets.randbelow(2**32))

SECONDS_MAX = 1_800  # for a command that has no limit of its own
SCHEMATHESIS_SECONDS = 120  # for each kind of caller
SQLMAP_SECONDS = 120  # for each address
WAPITI_SECONDS = 20  # for each kind of attack
SHOWN_LINES = 40

# What bandit says of src/ and why it stands: so many of a rule in a file. Anything else fails.
KNOWN_IN_SOURCE = {
    ("B104", "src/eishro/cli/dev.py"): (1, "an address to look up, not to listen on"),
    ("B105", "src/eishro/settings.py"): (1, "the gateway's published test key; refused in use"),
    ("B105", "src/eishro/web/access.py"): (1, "the name of a purpose"),
    ("B106", "src/eishro/flows/erase_person.py"): (1, "no password: no hash equals it"),
    ("B106", "src/eishro/flows/sign_in_with.py"): (2, "no password: no hash equals it"),
    ("B311", "src/eishro/db/postgres.py"): (1, "jitter between tries"),
    ("B311", "src/eishro/flows/shop.py"): (1, "jitter between tries"),
    ("B608", "src/eishro/db/postgres_part.py"): (1, "numbers of parameters"),
    ("B608", "src/eishro/db/postgres_plan.py"): (1, "positions in a batch"),
    ("B608", "src/eishro/db/search.py"): (2, "compiled fragments; values stay parameters"),
    ("B608", "src/eishro/db/statements.py"): (3, "names of columns; values stay parameters"),
    ("B608", "src/eishro/edge/d1_plan.py"): (1, "names of columns; values stay parameters"),
}
# What wapiti says and why it stands: kind, and what its words begin with.
KNOWN_OF_WAPITI = {
    ("Cross Site Request Forgery", "CSRF token 'token' might be easy to predict"):
        "the token is the mail's; the one it saw is the one it had made up itself",
    ("Clickjacking Protection", "X-Frame-Options is not set"):
        "Content-Security-Policy says frame-ancestors 'none', which replaced it",
}  # fmt: skip
# Those that need no browser and nothing outside. Left out: `backup` (breaks on addresses with a
# ~), `ssl` and `https_redirect` (a proxy's), `ssrf`, `xxe`, `log4shell` and `takeover` (they ask a
# server of wapiti's makers), and those for other people's software.
WAPITI_MODULES = (
    "cookieflags", "crlf", "csp", "csrf", "exec", "file", "http_headers", "ldap",
    "permanentxss", "redirect", "sql", "timesql", "upload", "xss",
)  # fmt: skip


class Failed(Exception):
    """What was found or went wrong, in words for a terminal."""


def main() -> int:
    steps = sys.argv[1:] or list(STEPS)
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        print(f"unknown step: {', '.join(unknown)}; there are: {', '.join(STEPS)}")
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    failed = {}
    with _SHOP:
        for name in steps:
            started = time.monotonic()
            try:
                verdict, remark = "ok  ", STEPS[name]()
            except Failed as failure:
                verdict, remark = "FAIL", "see below"
                failed[name] = str(failure)
            print(f"{verdict} {name:<13} {time.monotonic() - started:6.1f} s  {remark}", flush=True)
    for name, said in failed.items():
        print(f"\nFailed step: {name}\n\n{said}")
    return 1 if failed else 0


def install() -> str:
    """The scanners, exactly as locked, in an environment that nothing else uses."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = FOLDER / "installed.sha256"
    if stamp.exists() and stamp.read_text() == wanted and (TOOLS / "sqlmap").exists():
        return _versions()
    stamp.unlink(missing_ok=True)
    uv, venv = str(BIN / "uv"), str(FOLDER / "venv")
    _run("install", [uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, venv])
    python, options = str(TOOLS / "python"), ["--quiet", "--require-hashes", "-r", str(LOCK)]
    try:
        _run("install", [uv, "pip", "install", "--python", python, *options])
    except Failed:  # where uv is set up for another index, pip takes over, as in setup.sh
        _run("install", [python, "-m", "pip", "install", *options])
    stamp.write_text(wanted)
    return _versions()


def dependencies() -> str:
    """Known holes of what is installed: what PyPI's own list has on each locked version."""
    found: list[str] = []
    unknown = Counter[str]()
    for name in ("runtime", "test"):
        for package in _advisories(name):
            if "skip_reason" in package:
                unknown[name] += 1
            else:
                unknown["checked"] += 1
            found += [
                f"{package['name']} {package.get('version')}: {hole['id']}, fixed in "
                f"{', '.join(hole['fix_versions']) or 'nothing yet'}"
                for hole in package.get("vulns", ())
            ]
    if found:
        raise Failed("\n".join(sorted(set(found))))
    checked = unknown.pop("checked", 0)
    if not checked:
        return "the list of advisories is not reachable: not checked"
    missed = f"; not known there and not checked: {unknown.total()}" if unknown else ""
    return f"{checked} versions without known holes{missed}"


def _advisories(name: str) -> list[dict[str, Any]]:
    """What pip-audit says of each package of a lock file; an empty list without a service."""
    report = REPORTS / f"dependencies-{name}.json"
    report.unlink(missing_ok=True)
    lock = str(ROOT / "requirements" / f"{name}.txt")
    options = ["--disable-pip", "--require-hashes", "--vulnerability-service", "pypi"]
    options += ["--timeout", "15", "--progress-spinner", "off", "-f", "json", "-o", str(report)]
    # It ends with 1 where it found something, and where nobody answered.
    said = _run(f"dependencies-{name}", [_tool("pip-audit"), *options, "-r", lock], codes=(0, 1))
    if report.exists() and report.stat().st_size:
        return list(json.loads(report.read_text())["dependencies"])
    if "ConnectionError" in said or "could not connect" in said.lower() or "timed out" in said:
        return []
    raise Failed(_end(said))


def source() -> str:
    """bandit over src/: nothing but what is known, and all of that."""
    report = REPORTS / "source.json"
    options = ["-q", "-r", "src", "-f", "json", "-o", str(report)]
    _run("source", [_tool("bandit"), *options], codes=(0, 1))
    said = json.loads(report.read_text())
    if said["errors"]:
        raise Failed("\n".join(f"{e['filename']}: {e['reason']}" for e in said["errors"]))
    counts = Counter((result["test_id"], result["filename"]) for result in said["results"])
    known = {key: count for key, (count, _) in KNOWN_IN_SOURCE.items()}
    faults = [
        f"{result['filename']}:{result['line_number']}: {result['test_id']} {result['issue_text']}"
        for result in said["results"]
        if counts[result["test_id"], result["filename"]]
        > known.get((result["test_id"], result["filename"]), 0)
    ]
    faults += [
        f"{path}: {rule} is listed {count} times and found {counts[rule, path]} times"
        for (rule, path), count in known.items()
        if counts[rule, path] < count
    ]
    if faults:
        raise Failed("\n".join(faults))
    lines = said["metrics"]["_totals"]["loc"]
    return f"{lines} lines; {counts.total()} findings, each known with its reason"


def schemathesis() -> str:
    """All checks over the description, as a guest and as a merchant, from the printed seed."""
    shop = _SHOP.get()
    token = shop.merchant("schemathesis")
    remarks, failures = [], []
    for who, headers in (("guest", []), ("merchant", [f"Authorization: Bearer {token}"])):
        try:
            remarks.append(f"{who} {_made_up_requests(shop, who, headers)}")
        except Failed as failure:
            failures.append(f"As a {who}, seed {SEED}:\n{failure}")
    if not shop.is_signed_in(token):
        failures.append(f"The merchant was signed out on the way, seed {SEED}: try another one.")
    failures += shop.new_faults()
    if failures:
        raise Failed("\n\n".join(failures))
    return f"requests: {', '.join(remarks)}; seed {SEED}"


def _made_up_requests(shop: Shop, who: str, headers: list[str]) -> str:
    """How many requests schemathesis made."""
    options = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    options += ["--phases", "examples,coverage,fuzzing,stateful", "--no-color"]
    options += ["--max-examples", "25", "--max-time", str(SCHEMATHESIS_SECONDS)]
    options += ["--seed", str(SEED), "--suppress-health-check", "all", "--warnings", "off"]
    # It would end the session that asks the others.
    options += ["--exclude-path", "/api/auth/logout", "--continue-on-failure"]
    options += [part for header in headers for part in ("--header", header)]
    config = ["--config-file", str(ROOT / "tools" / "schemathesis.toml")]
    command = [str(BIN / "st"), *config, "run", f"{shop.url}/openapi.json", *options]
    said = _run(f"schemathesis-{who}", command, cwd=FOLDER)
    made = re.search(r"(\d+) generated", said)
    if made is None:
        raise Failed(_end(said))
    return made[1]


def bait() -> str:
    """sqlmap finds a door that is broken on purpose; its silence elsewhere means something."""
    with broken_door() as url:
        said = _run("bait", _sqlmap_command(url, Target("bait", "")))
    if "identified the following injection point" not in said:
        raise Failed(f"sqlmap did not see it:\n{_end(said)}")
    return "found, as it must be"


def sqlmap() -> str:
    """Every parameter of every target, with the payloads for all databases that sqlmap knows."""
    shop = _SHOP.get()
    asked = targets(shop)
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda target: _inject(shop, target), asked))
    faults = [fault for count in counts if isinstance(count, str) for fault in [count]]
    faults += shop.new_faults()
    if faults:
        raise Failed("\n\n".join(faults))
    tried = sum(count for count in counts if isinstance(count, int))
    return f"{len(asked)} targets, {tried} parameters: none can be injected into"


def _inject(shop: Shop, target: Target) -> int | str:
    """How many parameters were tried in vain, or what is wrong."""
    name = "sqlmap-" + re.sub(r"\W+", "-", target.name)
    try:
        said = _run(name, _sqlmap_command(shop.url + target.path, target))
    except Failed as failure:
        return f"{target.name}: {failure}"
    tried = re.findall(r"testing for SQL injection on (.+)", said)
    if tried and "all tested parameters do not appear to be injectable" in said:
        return len(tried)
    return f"{target.name}: injectable, or not tried to the end\n{_end(said)}"


def _sqlmap_command(url: str, target: Target) -> list[str]:
    options = ["--batch", "--disable-coloring", "--flush-session", "--skip-waf", "--level", "2"]
    options += ["--risk", "1", "--ignore-code", "*", "--time-limit", str(SQLMAP_SECONDS)]
    # A new address for each request: guesses at passwords are counted by address.
    options += ["--tamper", "xforwardedfor", "--output-dir", str(REPORTS / "sqlmap" / target.name)]
    if target.body is not None:
        body = json.dumps(target.body, ensure_ascii=False)
        options += ["--data", body, "-H", "Content-Type: application/json"]
    if target.method:
        options += ["--method", target.method]
    if target.only:
        options += ["-p", target.only]
    options += [part for header in target.headers for part in ("-H", header)]
    return [_tool("sqlmap"), "-u", url, *options]


def wapiti() -> str:
    """wapiti over the pages and the described API, as a merchant."""
    shop = _SHOP.get()
    token = shop.merchant("wapiti")
    report = REPORTS / "wapiti.json"
    report.unlink(missing_ok=True)
    pages = ("docs", "reset-password?token=abc&lang=ar", "invitation?token=abc&lang=en")
    options = ["-u", f"{shop.url}/", "--swagger", f"{shop.url}/openapi.json", "--scope", "domain"]
    options += [part for page in pages for part in ("-s", f"{shop.url}/{page}")]
    # The gateway's simulator is not there where people pay.
    options += ["-x", f"{shop.url}/sandbox/*", "-x", f"{shop.url}/api/auth/logout"]
    options += ["-m", ",".join(WAPITI_MODULES), "-H", f"Authorization: Bearer {token}"]
    options += ["--max-scan-time", "120", "--max-attack-time", str(WAPITI_SECONDS)]
    options += ["--flush-session", "--no-bugreport", "-f", "json", "-o", str(report)]
    # Else it writes into the home folder.
    for option in ("--store-session", "--store-config"):
        options += [option, str(FOLDER / "wapiti")]
    said = _run("wapiti", [_tool("wapiti"), *options])
    if not report.exists():
        raise Failed(_end(said))
    faults = [*_unknown_to_us(json.loads(report.read_text())), *shop.new_faults()]
    faults += re.findall(r"^\w+Error: .+", said, re.MULTILINE)  # a module that broke
    if faults:
        raise Failed("\n".join(faults))
    pages_found = json.loads(report.read_text())["infos"]["crawled_pages_nbr"]
    cut = ", ".join(re.findall(r"time was reached for module (\w+)", said)) or "none"
    return f"{pages_found} addresses, {len(WAPITI_MODULES)} attacks, cut short: {cut}"


def _unknown_to_us(report: dict[str, Any]) -> Iterable[str]:
    """What wapiti found and `KNOWN_OF_WAPITI` does not explain."""
    for kind, found in {**report["vulnerabilities"], **report["anomalies"]}.items():
        for one in found:
            words = str(one["info"])
            if not any(k == kind and words.startswith(w) for k, w in KNOWN_OF_WAPITI):
                yield f"{kind}: {one['method']} {one['path']} {one['parameter']}: {words}"


def mutants() -> str:
    """Every store filter, taken out in turn, is missed by a test."""
    tests = ROOT / "tests" / "security" / "test_mutants.py"
    if not tests.exists():
        return "there is no such test: not checked"
    command = [sys.executable, "-m", "pytest", str(tests), "-p", "no:cacheprovider"]
    said = _run("mutants", command, {"EISHRO_TEST_MUTANTS": "all"})
    return said.strip().splitlines()[-1]


STEPS: Mapping[str, Callable[[], str]] = {
    step.__name__: step
    for step in (install, dependencies, source, schemathesis, bait, sqlmap, wapiti, mutants)
}


class _ShopOfTheRun:
    """The server that all steps share, started by the first that asks for it."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._shop: Shop | None = None

    def __enter__(self) -> None:
        self._stack.__enter__()

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def get(self) -> Shop:
        if self._shop is None:
            started = time.monotonic()
            self._shop = self._stack.enter_context(running_shop())
            seconds = time.monotonic() - started
            print(f"ok   {'server':<13} {seconds:6.1f} s  demo stores on SQLite", flush=True)
        return self._shop


_SHOP = _ShopOfTheRun()


def _tool(name: str) -> str:
    program = TOOLS / name
    if not program.exists():
        raise Failed(f"{name} is missing: run the step install")
    return str(program)


def _versions() -> str:
    """What is locked, of the tools themselves."""
    names = ("pip-audit", "bandit", "sqlmap", "wapiti3")
    listed = _run("install", [str(BIN / "uv"), "pip", "freeze", "--python", str(TOOLS / "python")])
    return ", ".join(line for line in listed.splitlines() if line.split("==")[0] in names)


def _run(
    name: str,
    command: list[str],
    more: Mapping[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
    cwd: Path = ROOT,
) -> str:
    """What a command said, which is also kept as a report."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "NO_COLOR": "1", **(more or {})},
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(f"no end after {SECONDS_MAX} s: {' '.join(command[:4])}") from late
    (REPORTS / f"{name}.log").write_text(done.stdout)
    if done.returncode not in codes:
        raise Failed(_end(done.stdout))
    return done.stdout


def _end(said: str) -> str:
    lines = said.strip().splitlines()[-SHOWN_LINES:]
    return "\n".join(line[:300] for line in lines)


if __name__ == "__main__":
    sys.exit(main())

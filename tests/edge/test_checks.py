"""Runs the checks that live inside Pyodide: port contracts and bad input."""

import os
import subprocess
from pathlib import Path

from tests.conftest import SEED
from tests.contracts.database import DatabaseContract
from tests.contracts.files import FilesContract
from tests.contracts.key_value import KeyValueContract
from tests.edge.conftest import needs_platform
from tests.edge.platform import ROOT, command, tool
from tests.servers.ports import free_port

pytestmark = needs_platform
SECONDS_MAX = 200


def run(*modules: str, folder: Path) -> str:
    """The output of these modules' checks, run inside Pyodide."""
    tool("edge_bundle").unpack_all("requirements-test.txt", folder / "site")
    wanted = command(
        "checks",
        mounts={"/site": folder / "site"},
        modules=[f"tests.edge.runtime.{module}" for module in modules],
        path=["/repository/tests/edge/runtime", "/worker", "/bundle", "/site", "/repository"],
        echoPort=free_port(),
        seed=SEED,
    )
    done = subprocess.run(
        wanted,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def promises_of(suite: type) -> int:
    """How many tests pytest would make of a contract."""
    tests = [member for name, member in vars(suite).items() if name.startswith("test_")]
    marks = [
        [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"] for test in tests
    ]
    return sum(len(found[0].args[1]) if found else 1 for found in marks)


def test_ports_keep_every_promise_of_their_contracts(tmp_path: Path) -> None:
    said = run("checks_ports", folder=tmp_path).splitlines()
    for suite, contract in (
        ("TestD1", DatabaseContract),
        ("TestKv", KeyValueContract),
        ("TestKvInTheIsolate", KeyValueContract),
        ("TestR2", FilesContract),
    ):
        assert f"{suite}: {promises_of(contract)} passed" in said


def test_what_goes_wrong_is_named_and_writes_nothing(tmp_path: Path) -> None:
    said = run("checks_bad_input", folder=tmp_path).splitlines()
    source = (ROOT / "tests" / "edge" / "runtime" / "checks_bad_input.py").read_text("utf-8")
    count = source.count("\nasync def test_")
    assert f"checks_bad_input: {count} passed" in said

"""Runs the checks that live inside Pyodide: port contracts and bad input."""

import os
import subprocess
from pathlib import Path

from tests.conftest import SEED
from tests.edge.conftest import needs_platform
from tests.edge.platform import command, tool
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


def test_ports_keep_their_contracts(tmp_path: Path) -> None:
    assert "passed" in run("checks_ports", folder=tmp_path)


def test_what_goes_wrong_is_named_and_writes_nothing(tmp_path: Path) -> None:
    assert "passed" in run("checks_bad_input", folder=tmp_path)

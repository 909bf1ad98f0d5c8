"""What every test may ask for: the event loop, a seed for randomness, and real servers."""

import os
import random
import secrets
from collections.abc import Iterator

import pytest

from tests.servers.postgres import Postgres
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.smtp import SmtpServer
from tests.servers.valkey import Valkey

# Their assertions fail with values, as those in test files do.
pytest.register_assert_rewrite("tests.contracts")

SEED = int(os.environ.get("EISHRO_TEST_SEED") or secrets.randbelow(2**32))
_REPEAT = f"random tests used EISHRO_TEST_SEED={SEED}"


def pytest_report_header() -> str:
    return _REPEAT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # A quiet run has no header, and a failed one must say how to repeat it.
    if not terminalreporter.showheader and terminalreporter.stats.get("failed"):
        terminalreporter.write_line(_REPEAT)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness of this test alone: the run's seed and the test's name decide it."""
    return random.Random(f"{SEED}:{request.node.nodeid}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    server = SeaweedFS()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    server = SmtpServer()
    server.start()
    yield server
    server.stop()

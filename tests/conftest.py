"""What every test may ask for: the event loop, a seed for randomness, and real servers."""

import asyncio
import os
import random
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from eishro.db import migrate
from eishro.db.opening import open_database
from tests.servers.postgres import Postgres
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.smtp import SmtpServer
from tests.servers.valkey import Valkey
from tests.shops import World, open_world

# Their assertions fail with values, as those in test files do.
pytest.register_assert_rewrite("tests.contracts")

# Both engines at the gate; `sqlite` alone while writing.
DATABASES = os.environ.get("EISHRO_TEST_DATABASES", "sqlite,postgresql").split(",")
SEED = int(os.environ.get("EISHRO_TEST_SEED") or secrets.randbelow(2**32))
# The processes that share one run's tests share its seed; they are started after this line.
os.environ["EISHRO_TEST_SEED"] = str(SEED)
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


@pytest.fixture(params=DATABASES)
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, migrated: dict[str, str]
) -> Iterator[str]:
    """A migrated, empty database of each engine."""
    if request.param == "sqlite":
        path = tmp_path / "shop.db"
        shutil.copyfile(_migrated(migrated, "sqlite", request), path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database(template=_migrated(migrated, "postgresql", request))
    yield url
    server.drop_database(url)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Migrated databases to copy from, by engine; filled at first use."""
    return {"folder": str(tmp_path_factory.mktemp("migrated"))}


def _migrated(found: dict[str, str], engine: str, request: pytest.FixtureRequest) -> str:
    if engine not in found:
        if engine == "sqlite":
            path = Path(found["folder"]) / "shop.db"
            asyncio.run(_migrate(f"sqlite:///{path}"))
            found[engine] = str(path)
        else:
            url = request.getfixturevalue("postgres").create_database()
            asyncio.run(_migrate(url))
            found[engine] = url
    return found[engine]


async def _migrate(url: str) -> None:
    db = await open_database(url)
    await migrate.migrate(db)
    await db.aclose()


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A whole shop on each engine."""
    async with open_world(database_url, tmp_path) as opened:
        yield opened

"""What every test may ask for: the event loop, a seed for randomness, and real servers."""

import asyncio
import os
import random
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from eishro.db import migrate
from eishro.db.opening import open_database
from tests.servers.emptied import EmptiedDatabase
from tests.servers.postgres import Postgres
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.smtp import SmtpServer
from tests.servers.valkey import Valkey
from tests.shops import World, open_world

# Their assertions fail with values, as those in test files do.
pytest.register_assert_rewrite("tests.contracts")

# How long an example takes, or is thought of, says something about the machine's other work alone.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")

# Both engines at the gate; `sqlite` alone while writing.
_MEMORY = Path("/dev/shm")  # Linux keeps it in memory
_ROOM_MIN = 1_000_000_000  # bytes
DATABASES = os.environ.get("EISHRO_TEST_DATABASES", "sqlite,postgresql").split(",")
SEED = int(os.environ.get("EISHRO_TEST_SEED") or secrets.randbelow(2**32))
# The processes that share one run's tests share its seed; they are started after this line.
os.environ["EISHRO_TEST_SEED"] = str(SEED)
_REPEAT = f"random tests used EISHRO_TEST_SEED={SEED}"


# Whole files go to one process or the other, in this order and then as they come: none that takes
# long is left for the end, when one process would wait for the other.
_LONG = (
    "stories/test_schemathesis.py",
    "security/test_mutants.py",
    "simulation/test_simulation.py",
    "web/test_bad_values.py",
    "web/test_schemathesis.py",
)


def pytest_report_header() -> str:
    return _REPEAT


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return  # one process alone
    places = {Path(__file__).parent / name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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
def database_url(request: pytest.FixtureRequest, migrated: dict[str, str]) -> Iterator[str]:
    """A migrated, empty database of each engine."""
    if request.param == "sqlite":
        folder: Path = request.getfixturevalue("memory")
        path = folder / "shop.db"
        shutil.copyfile(_migrated(migrated, "sqlite", request), path)
        yield f"sqlite:///{path}"
        for left in folder.iterdir():
            left.unlink()
    elif "world" in request.fixturenames:
        emptied: EmptiedDatabase = request.getfixturevalue("emptied")
        yield emptied.take()
        emptied.give_back()
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create_database(template=_migrated(migrated, "postgresql", request))
        yield url
        server.drop_database(url)


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A folder for one database, in memory if there is room: nothing there waits for a disk."""
    room = shutil.disk_usage(_MEMORY).free if _MEMORY.is_dir() else 0
    inside = _MEMORY if room > _ROOM_MIN and os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="eishro-tests-", dir=inside) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def emptied(
    request: pytest.FixtureRequest, postgres: Postgres, migrated: dict[str, str]
) -> Iterator[EmptiedDatabase]:
    """A database of PostgreSQL for one test after the other."""
    found = EmptiedDatabase(postgres, _migrated(migrated, "postgresql", request))
    yield found
    found.close()


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

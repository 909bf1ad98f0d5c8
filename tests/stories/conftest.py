"""Whole shops for stories: the real command, real databases, the gateway's simulator."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.ports import free_port
from tests.servers.postgres import Postgres
from tests.stories.command import Installation, ShopServer
from tests.stories.people import Story

DATABASES = os.environ.get("EISHRO_TEST_DATABASES", "sqlite,postgresql").split(",")


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated data folder with the demo stores, to copy from. Making it takes seconds, so the
    processes that share one run's tests share it."""
    ours = tmp_path_factory.getbasetemp()
    everybodys = ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours
    made = everybodys / "seeded.txt"
    with (everybodys / "seeded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            installation = Installation(tmp_path_factory.mktemp("seeded"))
            for command in ("migrate", "seed"):
                done = installation.run(command)
                assert done.returncode == 0, done.stderr
            made.write_text(str(installation.folder))
        return Path(made.read_text())


@pytest.fixture(scope="session", params=DATABASES)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, seeded: Path
) -> Iterator[Story]:
    """`eishro dev` as `make run` starts it; on PostgreSQL `eishro serve` with a gateway that
    stands on an origin of its own, as in life."""
    folder = tmp_path_factory.mktemp(request.param) / "data"
    shutil.copytree(seeded, folder)
    if request.param == "sqlite":
        server = ShopServer(Installation(folder), "dev")
        server.start()
        yield from _story(server.installation, server, server)
        return
    database: Postgres = request.getfixturevalue("postgres")
    url, port = database.create_database(), free_port()
    # The gateway is another installation's sandbox; its notifications go to the shop.
    gateway = ShopServer(
        Installation(folder, {"EISHRO_PUBLIC_URL": f"http://127.0.0.1:{port}"}), "dev"
    )
    simulator = f"{gateway.url}/sandbox/moamalat"
    installation = Installation(
        tmp_path_factory.mktemp("serve"),
        {
            "EISHRO_DATABASE_URL": url,
            "EISHRO_MOAMALAT_BASE_URL": f"{simulator}/cube/paylink.svc/api/",
            "EISHRO_MOAMALAT_LIGHTBOX_URL": f"{simulator}/js/lightbox.js",
        },
    )
    migrated = installation.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    gateway.start()
    server = ShopServer(installation, "serve", port=port)
    server.start()
    yield from _story(installation, server, gateway)
    database.drop_database(url)


def _story(installation: Installation, server: ShopServer, gateway: ShopServer) -> Iterator[Story]:
    story = Story(installation, server.url, gateway.url)
    try:
        yield story
    finally:
        story.close()
        server.stop()
        if gateway is not server:
            gateway.stop()


@pytest.fixture
def story(shop: Story) -> Iterator[Story]:
    """A running shop whose gateway behaves."""
    shop.gateway_does()
    yield shop
    shop.gateway_does()

"""A local Worker beside a gateway; only `make edge-test` brings what these need."""

import os
from collections.abc import Iterator

import pytest

from tests.edge.platform import LocalPlatform
from tests.servers.ports import free_port
from tests.stories.command import Installation, ShopServer, wait_for
from tests.stories.people import Basket, Json, Story

needs_platform = pytest.mark.skipif(
    not os.environ.get("EISHRO_TEST_EDGE"), reason="run by `make edge-test`"
)


# The background turns each minute on the platform; here each second, on WebAssembly.
PATIENCE_SECONDS = 30.0


class EdgeStory(Story):
    """A story whose shop is a Worker."""

    platform: LocalPlatform

    def wait_until_paid(self, basket: Basket) -> Json:
        """The order, paid; in the edge's time."""

        def paid() -> Json | None:
            order = self.read(basket)
            return order if order["paymentStatus"] == "paid" else None

        return wait_for(paid, PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStory]:
    port = free_port()
    # The gateway is another installation's sandbox; its notifications go to the Worker.
    gateway = ShopServer(
        Installation(
            tmp_path_factory.mktemp("gateway"), {"EISHRO_PUBLIC_URL": f"http://127.0.0.1:{port}"}
        ),
        "dev",
    )
    simulator = f"{gateway.url}/sandbox/moamalat"
    platform = LocalPlatform(
        tmp_path_factory.mktemp("worker"),
        port,
        EISHRO_MOAMALAT_BASE_URL=f"{simulator}/cube/paylink.svc/api/",
        EISHRO_MOAMALAT_LIGHTBOX_URL=f"{simulator}/js/lightbox.js",
    )
    try:
        gateway.start()
        platform.start()
        story = EdgeStory(gateway.installation, platform.url, gateway.url)
        story.platform = platform
        yield story
        story.close()
    finally:
        platform.stop()
        gateway.stop()


@pytest.fixture
def story(edge: EdgeStory) -> Iterator[EdgeStory]:
    """The Worker with a gateway that behaves."""
    edge.gateway_does()
    yield edge
    edge.gateway_does()

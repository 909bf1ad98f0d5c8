"""Clients that are slow or say nothing: others are served meanwhile, and they are shown the door."""

import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.stories.command import Installation, ShopServer

STALLED = 2_500
DEADLINE_SECONDS = 6
QUICK_SECONDS = 2.0  # a busy machine's idea of it; without room for others it is the deadline
_OPEN_FILES = STALLED + 500

_LINE = b"POST /api/auth/login HTTP/1.1\r\nHost: shop.example\r\n"
_HEAD = _LINE + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
_CHUNKED = _LINE + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_GET = b"GET /api/stores HTTP/1.1\r\nHost: shop.example\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopServer]:
    """A server started with as few open files as a login shell gives, and short deadlines."""
    installation = Installation(
        tmp_path_factory.mktemp("limits"),
        {
            "EISHRO_BODY_SECONDS": str(DEADLINE_SECONDS),
            "EISHRO_HEADER_SECONDS": str(DEADLINE_SECONDS),
        },
    )
    assert installation.run("migrate").returncode == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _OPEN_FILES:
        pytest.skip(f"this user may open {hard} files, the test needs {_OPEN_FILES}")
    server = ShopServer(installation, "serve")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        server.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(_OPEN_FILES, soft), hard))
        yield server
    finally:
        server.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    "beginnings",
    [
        pytest.param([b"", _LINE], id="heads"),
        pytest.param([_HEAD, _HEAD + b'{"email":', _CHUNKED + b"5\r\nab", _GET], id="bodies"),
        pytest.param([_GET + b"Content-Length: 5\r\n\r\n"], id="a body that GET does not have"),
    ],
)
def test_stalled_clients_hold_nobody_up_and_are_dropped_in_time(
    server: ShopServer, connections: ExitStack, beginnings: list[bytes]
) -> None:
    stalled = []
    for number in range(STALLED):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_SECONDS)
        stalled.append(connections.enter_context(client))
        client.sendall(beginnings[number % len(beginnings)])
    for _ in range(3):
        asked = time.monotonic()
        reply = httpx.get(f"{server.url}/api/stores", trust_env=False, timeout=DEADLINE_SECONDS)
        assert reply.status_code == 200
        assert time.monotonic() - asked < QUICK_SECONDS
    last_words = _until_closed(stalled, DEADLINE_SECONDS + 6)
    assert len(last_words) == STALLED
    for number, words in enumerate(last_words):
        has_whole_head = b"\r\n\r\n" in beginnings[number % len(beginnings)]
        assert words.startswith(b"HTTP/1.1 408 " if has_whole_head else b"")
        assert (b'"REQUEST_TIMEOUT"' in words) == has_whole_head


def test_a_client_that_keeps_sending_a_little_is_dropped_all_the_same(server: ShopServer) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.5) as client:
        client.sendall(_HEAD)
        words = b""
        while not words:
            client.sendall(b" ")
            try:
                words = client.recv(1_000)
            except TimeoutError:
                assert time.monotonic() - began < DEADLINE_SECONDS + 6
    assert words.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began > DEADLINE_SECONDS - 1


def test_a_connection_serves_several_requests(server: ShopServer) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for _ in range(2):
            client.get("/health/live")
            sent = client.post("/api/auth/login", json={"email": "a@b.ly", "password": "wrong"})
            assert sent.status_code == 401
        pool = client._transport._pool  # type: ignore[attr-defined]  # noqa: SLF001
        assert len(pool.connections) == 1
        assert "Request Count: 4" in repr(pool.connections[0])


def _until_closed(clients: list[socket.socket], seconds: float) -> list[bytes]:
    """What each connection still said before the server closed it."""
    said = dict.fromkeys(clients, b"")
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < until, f"{len(selector.get_map())} are still open"
            for key, _ in selector.select(0.5):
                client = next(c for c in (key.fileobj,) if isinstance(c, socket.socket))
                try:
                    part = client.recv(10_000)
                except ConnectionResetError:
                    part = b""
                said[client] += part
                if not part:
                    selector.unregister(client)
    return list(said.values())

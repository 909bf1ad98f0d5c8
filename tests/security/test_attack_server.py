"""Attacks on the running server's socket: enormous and packed bodies, heads, smuggled requests, paths."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.stories.command import Installation, ShopServer

SECRET = "what-nobody-outside-may-read"  # noqa: S105 - a word to look for
HUNDRED_MB = 100_000_000
BODY_MAX = 1_000_000  # the setting's default
_PATHS = (
    "/media/../eishro.db", "/media/../../secret.txt", "/media/..%2f..%2fsecret.txt",
    "/media/%2e%2e/%2e%2e/secret.txt", "/media/%2e%2e%2f%2e%2e%2fsecret.txt", "/media/..%252f..%252fsecret.txt",
    "/media/....//....//secret.txt", "/media/..\\..\\secret.txt", "/media/..%5c..%5csecret.txt",
    "/media//etc/passwd", "/media/%2fetc%2fpasswd", "/media/demo/../../../secret.txt", "/media/.",
    "/media/..", "/media/%00", "/media/a%00.webp", "/media/..%c0%af..%c0%afsecret.txt",
    "/media/.incoming/x", "/media/%ef%bc%8e%ef%bc%8e/secret.txt", "/media/file:///etc/passwd",
    "/assets/../pay.py", "/assets/..%2frendering.py", "/assets/%2e%2e/__init__.py", "/assets//etc/passwd",
    "/docs/../../secret.txt", "/docs/..%2f__init__.py", "/docs/%2e%2e/%2e%2e/secret.txt",
    "//etc/passwd", "/../secret.txt", "/.env", "/.git/config", "/eishro.db", "/secret.key",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopServer]:
    folder = tmp_path_factory.mktemp("attacked") / "data"
    folder.mkdir()
    for place in (folder.parent, folder, folder / "files"):
        place.mkdir(exist_ok=True)
        (place / "secret.txt").write_text(SECRET)
    (folder / "files" / "secret.txt").unlink()
    installation = Installation(folder)
    assert installation.run("migrate").returncode == 0
    server = ShopServer(installation, "serve")
    server.start()
    yield server
    server.stop()


def _send(server: ShopServer, *parts: bytes) -> bytes:
    """All that comes back on one connection; what the server no longer reads is not sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass  # shown the door on the way
        answer = b""
        try:
            while len(answer) < 1_000_000 and (more := connection.recv(65_536)):
                answer += more
        except OSError:
            pass
        return answer


def _get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: shop.example", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _memory_kb(server: ShopServer) -> int:
    """What the server's processes hold together."""
    group, total = server.pid, 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * 4
        except (OSError, IndexError):
            continue
    return total


def _is_well(server: ShopServer) -> bool:
    return httpx.get(f"{server.url}/api/stores", trust_env=False).status_code == 200


@pytest.mark.parametrize("path", _PATHS)
def test_no_path_leads_out_of_the_files(server: ShopServer, path: str) -> None:
    answer = _send(server, _get(path))
    head = answer.partition(b"\r\n")[0]
    assert head.split(b" ")[1] in (b"400", b"401", b"404"), head
    for word in (SECRET.encode(), b"root:", b"SQLite format", b"import "):
        assert word not in answer


def test_a_body_of_100_mb_is_refused_and_not_kept(server: ShopServer) -> None:
    before = _memory_kb(server)
    head = (
        "POST /api/auth/login HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n"
        "Content-Type: application/json\r\n"
    )
    told = f"{head}Content-Length: {HUNDRED_MB}\r\n\r\n".encode()
    piece = b"x" * 1_000_000
    answer = _send(server, told, *([piece] * 100))
    assert not answer or b" 413 " in answer.partition(b"\r\n")[0]
    chunk = b"f4240\r\n" + piece + b"\r\n"
    answer = _send(server, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *([chunk] * 100))
    assert not answer or b" 413 " in answer.partition(b"\r\n")[0]
    assert _is_well(server)
    assert _memory_kb(server) - before < 50_000


def test_a_packed_body_is_not_unpacked(server: ShopServer) -> None:
    body = json.dumps({"email": "a@example.ly", "password": " " * 50_000_000}).encode()
    packed = gzip.compress(body, 1)
    assert len(packed) < BODY_MAX
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip"):
        reply = httpx.post(
            f"{server.url}/api/auth/login",
            content=packed,
            headers={"Content-Encoding": coding, "Content-Type": "application/json"},
            trust_env=False,
            timeout=20,
        )
        assert reply.status_code in (400, 415), coding
        assert reply.json()["error"]["code"] in ("BAD_REQUEST", "UNSUPPORTED_MEDIA_TYPE")


def test_bodies_that_come_by_drops_hold_nobody_up_and_are_cut_off(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """`tests/cli/test_server_limits.py` does the same with thousands, and with heads."""
    seconds = 4
    folder = tmp_path_factory.mktemp("slow")
    installation = Installation(folder, {"EISHRO_BODY_SECONDS": str(seconds)})
    assert installation.run("migrate").returncode == 0
    slow = ShopServer(installation, "serve")
    slow.start()
    head = (
        b"POST /api/auth/login HTTP/1.1\r\nHost: shop.example\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    try:
        drops = [socket.create_connection(("127.0.0.1", slow.port), timeout=20) for _ in range(200)]
        for one in drops:
            one.sendall(head)
        asked = time.monotonic()
        assert _is_well(slow)
        assert time.monotonic() - asked < seconds - 1
        for _ in range(2):
            time.sleep(0.5)
            for one in drops:
                one.sendall(b" ")
        for one in drops:
            assert b" 408 " in one.recv(1_000).partition(b"\r\n")[0]
            one.close()
        assert _is_well(slow)
    finally:
        slow.stop()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([f"X-Header-{n}: x" for n in range(10_000)], id="ten thousand headers"),
        pytest.param([f"X-Header: {'x' * 2_000_000}"], id="a header of two megabytes"),
        pytest.param([f"Cookie: {'a=b; ' * 100_000}"], id="a hundred thousand cookies"),
        pytest.param(["X-Bad Header: x"], id="a name with a space"),
        pytest.param(["X-Null: a\x00b"], id="a zero byte"),
    ],
)
def test_an_impossible_head_is_refused(server: ShopServer, headers: list[str]) -> None:
    answer = _send(server, _get("/api/stores", *headers))
    assert not answer or answer.split(b" ")[1] in (b"400", b"431"), answer[:100]
    assert _is_well(server)


def test_an_address_without_end_is_refused(server: ShopServer) -> None:
    for path in ("/api/products?q=" + "x" * 1_000_000, "/api/products/" + "9" * 100_000):
        answer = _send(server, _get(path))
        assert not answer or answer.split(b" ")[1] in (b"400", b"404", b"414", b"431", b"422")
    assert _is_well(server)


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param(["Content-Length: 4", "Transfer-Encoding: chunked"], id="length and chunks"),
        pytest.param(["Content-Length: 4", "Content-Length: 40"], id="two lengths"),
        pytest.param(["Transfer-Encoding: chunked, identity"], id="chunks not last"),
        pytest.param(["Transfer-Encoding: xchunked"], id="an unknown coding"),
        pytest.param(["Content-Length: +4"], id="a signed length"),
    ],
)
def test_a_request_hidden_in_another_is_not_answered(
    server: ShopServer, lengths: list[str]
) -> None:
    """Whatever a proxy in front may have thought where the body ends: one answer at most."""
    hidden = "GET /openapi.json HTTP/1.1\r\nHost: shop.example\r\nX: "
    lines = [
        "POST /api/auth/login HTTP/1.1",
        "Host: shop.example",
        "Content-Type: application/json",
    ]
    request = "\r\n".join([*lines, *lengths]) + "\r\n\r\n0\r\n\r\n" + hidden
    answer = _send(server, request.encode() + b"\r\nConnection: close\r\n\r\n")
    assert b'"openapi"' not in answer
    assert _is_well(server)


def test_old_and_strange_protocols_break_nothing(server: ShopServer) -> None:
    for words in (
        b"GET /api/stores HTTP/0.9\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\x00", b"\x00" * 1_000, b"\r\n" * 50,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
        b"TRACE /api/stores HTTP/1.1\r\nHost: x\r\nCookie: a=secret\r\nConnection: close\r\n\r\n",
        b"GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
    ):  # fmt: skip
        with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            try:
                answer = connection.recv(65_536)
            except OSError:
                answer = b""
        assert b" 200 " not in answer.partition(b"\r\n")[0] or words.startswith(b"GET /api"), words
        assert b"secret" not in answer
    assert _is_well(server)

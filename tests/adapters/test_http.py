"""Outward HTTP against a real socket that behaves well, badly, or not at all."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from eishro.adapters.http import HttpxHttp
from eishro.outward import NoReply
from tests.servers.certificates import make_certificate
from tests.servers.ports import free_port

pytestmark = pytest.mark.anyio

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Gateway:
    """A server that reads whole requests, keeps them, and answers as `answer` says."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/pay"
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Answer = write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        self._conversations: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append((first, headers, body))
                await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._conversations.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def hang_up(self) -> None:
        for conversation in list(self._conversations):
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)


def write(*parts: bytes, pause_seconds: float = 0, hang_up: bool = False) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_seconds)
        if hang_up:
            raise ConnectionError

    return answer


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", gateway.port)
    yield gateway
    server.close()
    await gateway.hang_up()
    await server.wait_closed()


@pytest.fixture
async def http() -> AsyncIterator[HttpxHttp]:
    http = HttpxHttp()
    yield http
    await http.aclose()


async def test_a_body_goes_out_as_json_and_the_answer_comes_back(
    http: HttpxHttp, gateway: Gateway
) -> None:
    gateway.answer = write(b"HTTP/1.1 201 Created\r\nContent-Length: 11\r\n\r\n", b'{"ok":true}')
    reply = await http.post_json(
        gateway.url, {"amount": 25500, "name": "سلمى"}, headers={"Authorization": "Bearer t"}
    )
    assert reply == (201, b'{"ok":true}')
    ((line, headers, body),) = gateway.requests
    assert line == "POST /pay HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer t"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("eishro/")
    assert json.loads(body) == {"amount": 25500, "name": "سلمى"}


async def test_a_form_goes_out_as_browsers_send_it(http: HttpxHttp, gateway: Gateway) -> None:
    reply = await http.post_form(gateway.url, {"code": "a b&c", "name": "سلمى"})
    assert reply == (200, b"{}")
    ((line, headers, body),) = gateway.requests
    assert line == "POST /pay HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {"code": ["a b&c"], "name": ["سلمى"]}


async def test_a_get_has_no_body_and_the_same_bounds(http: HttpxHttp, gateway: Gateway) -> None:
    reply = await http.get(f"{gateway.url}?a=1", headers={"Authorization": "Bearer t"})
    assert reply == (200, b"{}")
    ((line, headers, body),) = gateway.requests
    assert (line, body) == ("GET /pay?a=1 HTTP/1.1", b"")
    assert headers["authorization"] == "Bearer t"
    assert "content-type" not in headers
    with pytest.raises(NoReply, match="1 bytes"):
        await http.get(gateway.url, limit_bytes=1)
    gateway.answer = write(
        f"HTTP/1.1 302 X\r\nLocation: {gateway.url}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert (await http.get(gateway.url)).status == 302
    gateway.answer = write(b"", pause_seconds=60)
    with pytest.raises(NoReply) as nothing:
        await http.get(gateway.url, timeout_seconds=0.1)
    assert nothing.value.sent


@pytest.mark.parametrize("status", [302, 307, 400, 404, 500, 503])
async def test_a_redirect_or_an_error_is_an_answer_like_any_other(
    http: HttpxHttp, gateway: Gateway, status: int
) -> None:
    gateway.answer = write(
        f"HTTP/1.1 {status} X\r\nLocation: {gateway.url}\r\nContent-Length: 1\r\n\r\nx".encode()
    )
    assert await http.post_json(gateway.url, {}) == (status, b"x")
    assert len(gateway.requests) == 1


async def test_an_adapter_may_name_its_own_content_type(http: HttpxHttp, gateway: Gateway) -> None:
    await http.post_json(gateway.url, {}, headers={"content-type": "application/vnd.x+json"})
    assert gateway.requests[0][1]["content-type"] == "application/vnd.x+json"


async def test_cookies_are_not_kept_between_calls(http: HttpxHttp, gateway: Gateway) -> None:
    gateway.answer = write(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: session=other-store\r\nContent-Length: 0\r\n\r\n"
    )
    for _ in range(2):
        await http.post_json(gateway.url, {})
    assert [headers.get("cookie") for _, headers, _ in gateway.requests] == [None, None]


async def test_proxies_and_passwords_of_the_environment_are_not_used(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    http = HttpxHttp()
    await http.post_json(gateway.url, {})
    await http.aclose()
    assert "authorization" not in gateway.requests[0][1]


async def test_nobody_listening_means_not_sent(http: HttpxHttp) -> None:
    with pytest.raises(NoReply) as nothing:
        await http.post_json(f"http://127.0.0.1:{free_port()}/", {})
    assert not nothing.value.sent


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
async def test_a_wrong_address_means_not_sent(http: HttpxHttp, url: str) -> None:
    with pytest.raises(NoReply) as nothing:
        await http.post_json(url, {})
    assert not nothing.value.sent


async def test_a_line_break_in_a_header_is_not_sent(http: HttpxHttp, gateway: Gateway) -> None:
    with pytest.raises(NoReply) as nothing:
        await http.post_json(gateway.url, {}, headers={"X-Key": "a\r\nX-Admin: yes"})
    assert not nothing.value.sent
    assert gateway.requests == []


async def test_an_unknown_certificate_means_not_sent(http: HttpxHttp, tmp_path: Path) -> None:
    gateway = Gateway()
    _, context = make_certificate(tmp_path)
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", gateway.port, ssl=context)
    with pytest.raises(NoReply, match="(?i)certificate") as nothing:
        await http.post_json(gateway.url.replace("http:", "https:"), {})
    assert not nothing.value.sent
    assert gateway.requests == []
    server.close()
    await gateway.hang_up()
    await server.wait_closed()


async def test_a_name_that_nobody_knows_means_not_sent(http: HttpxHttp) -> None:
    with pytest.raises(NoReply) as nothing:
        await http.post_json("http://gateway.invalid/", {})
    assert not nothing.value.sent


async def test_a_server_that_hangs_up_before_it_was_told_anything_may_have_been(
    http: HttpxHttp, gateway: Gateway
) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", port := free_port())
    # Connected, so bytes may have been written: what is not proven counts as sent.
    with pytest.raises(NoReply) as nothing:
        await http.post_json(f"http://127.0.0.1:{port}/", {})
    assert nothing.value.sent
    server.close()
    await server.wait_closed()


async def test_a_queue_of_calls_without_a_free_connection_means_not_sent(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eishro.adapters.http.CONNECTIONS_MAX", 1)
    http, gateway.answer = HttpxHttp(), write(b"", pause_seconds=60)
    first = asyncio.ensure_future(http.post_json(gateway.url, {}))
    while not gateway.requests:
        await asyncio.sleep(0.001)
    with pytest.raises(NoReply) as nothing:
        await http.post_json(gateway.url, {}, timeout_seconds=0.1)
    assert not nothing.value.sent
    assert len(gateway.requests) == 1
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await http.aclose()


async def test_silence_after_the_request_means_perhaps_sent(
    http: HttpxHttp, gateway: Gateway
) -> None:
    gateway.answer = write(b"", pause_seconds=60)
    with pytest.raises(NoReply) as nothing:
        await http.post_json(gateway.url, {}, timeout_seconds=0.1)
    assert nothing.value.sent
    assert len(gateway.requests) == 1


async def test_a_dripping_answer_is_cut_off_in_time(http: HttpxHttp, gateway: Gateway) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    gateway.answer = write(head, *[b"x"] * 1000, pause_seconds=0.02)
    async with asyncio.timeout(2):
        with pytest.raises(NoReply) as nothing:
            await http.post_json(gateway.url, {}, timeout_seconds=0.2)
    assert nothing.value.sent


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
)
async def test_a_broken_answer_means_perhaps_sent(
    http: HttpxHttp, gateway: Gateway, broken: bytes
) -> None:
    gateway.answer = write(broken, hang_up=True)
    with pytest.raises(NoReply) as nothing:
        await http.post_json(gateway.url, {})
    assert nothing.value.sent


async def test_an_answer_is_cut_off_at_its_limit(http: HttpxHttp, gateway: Gateway) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    gateway.answer = write(head + b"x" * 1000)
    assert len((await http.post_json(gateway.url, {}, limit_bytes=1000)).body) == 1000
    with pytest.raises(NoReply, match="999 bytes") as nothing:
        await http.post_json(gateway.url, {}, limit_bytes=999)
    assert nothing.value.sent


async def test_the_limit_counts_unpacked_bytes(http: HttpxHttp, gateway: Gateway) -> None:
    bomb = gzip.compress(bytes(1_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    gateway.answer = write(head.encode() + bomb)
    with pytest.raises(NoReply):
        await http.post_json(gateway.url, {}, limit_bytes=100_000)


async def test_after_every_kind_of_fault_the_next_call_succeeds(
    http: HttpxHttp, gateway: Gateway
) -> None:
    good = gateway.answer
    for fault in (write(b"", pause_seconds=60), write(b"", hang_up=True), write(b"nonsense\r\n")):
        gateway.answer = fault
        with pytest.raises(NoReply):
            await http.post_json(gateway.url, {}, timeout_seconds=0.1)
        gateway.answer = good
        assert await http.post_json(gateway.url, {}) == (200, b"{}")


async def test_fifty_calls_go_out_at_once(http: HttpxHttp, gateway: Gateway) -> None:
    replies = await asyncio.gather(*(http.post_json(gateway.url, {"n": n}) for n in range(50)))
    assert [reply.status for reply in replies] == [200] * 50
    assert len(gateway.requests) == 50


async def test_silence_is_told_from_what_is_our_own_doing(
    http: HttpxHttp, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that answers too much is there; one we had no connection for was never asked."""
    with pytest.raises(NoReply) as refused:
        await http.get(f"http://127.0.0.1:{free_port()}/")
    assert refused.value.is_silence
    with pytest.raises(NoReply) as large:
        await http.get(gateway.url, limit_bytes=1)
    assert not large.value.is_silence
    for url, headers in ((gateway.url, {"X": "a\nb"}), ("http://127.0.0.1:99999/", None)):
        with pytest.raises(NoReply) as unusable:
            await http.get(url, headers=headers)
        assert not unusable.value.is_silence
    monkeypatch.setattr("eishro.adapters.http.CONNECTIONS_MAX", 1)
    narrow = HttpxHttp()
    gateway.requests.clear()
    gateway.answer = write(b"", pause_seconds=600)
    first = asyncio.ensure_future(narrow.get(gateway.url, timeout_seconds=600))
    while not gateway.requests:
        await asyncio.sleep(0.001)
    with pytest.raises(NoReply) as waited:
        await narrow.get(gateway.url, timeout_seconds=0.05)
    assert not waited.value.is_silence
    first.cancel()
    gateway.requests.clear()
    with pytest.raises(NoReply) as silent:
        await http.get(gateway.url, timeout_seconds=0.2)
    assert silent.value.is_silence
    await narrow.aclose()


async def test_a_silent_host_takes_only_so_many_connections_and_leaves_the_others_theirs(
    http: HttpxHttp, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eishro.adapters.http.CONNECTIONS_OF_ONE_MAX", 2)
    silent = Gateway()
    silent.answer = write(b"", pause_seconds=600)
    server = await asyncio.start_server(silent.serve, "127.0.0.1", silent.port)
    asked = [asyncio.ensure_future(http.get(silent.url, timeout_seconds=600)) for _ in range(3)]
    while len(silent.requests) < 2:
        await asyncio.sleep(0.001)
    with pytest.raises(NoReply) as waited:
        await http.get(silent.url, timeout_seconds=0.05)
    assert not waited.value.sent
    assert not waited.value.is_silence
    assert len(silent.requests) == 2
    assert await http.get(gateway.url) == (200, b"{}")
    for one in asked:
        one.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    silent.answer = write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert await http.get(silent.url) == (200, b"{}"), "its places are free again"
    server.close()
    await silent.hang_up()
    await server.wait_closed()

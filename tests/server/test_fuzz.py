"""Whatever bytes come, in whatever pieces; and requests of all kinds, answered exactly."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.hosting import GET, Answer, Hosting, Place, body_of, chunked, get, post, until

pytestmark = pytest.mark.anyio

_FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_GRAMMAR = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"HEAD * HTTP/1.0\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\r",
        b"Content-Length: 5\r\n", b"Content-Length: 70000\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n",
        b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n",
        b"5;ext=1\r\nhello\r\n", b"X: " + b"y" * 5_000 + b"\r\n", b"z" * 70_000, b"\x00", b"\xff\xfe", GET, post(b"hello"),
        chunked(b"hello", b"you"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
)  # fmt: skip
_BYTES = st.lists(st.one_of(_GRAMMAR, st.binary(max_size=40)), max_size=14).map(b"".join)
_ENDS = st.sampled_from(["half close", "close", "reset", "read on"])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in zip(places, places[1:], strict=False)]


_CUTS = st.lists(st.integers(0, 200_000), max_size=8)


async def careless(scope: Any, receive: Any, send: Any) -> None:
    """Reads some of the bodies, answers in one way or the other, and fails at times."""
    if scope["method"] == "POST" and scope["path"] == "/a":
        await body_of(receive)
    if scope["query_string"]:
        raise RuntimeError("at times")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"some", "more_body": True})
    await send({"type": "http.response.body", "body": b"thing"})


@_FEW
@given(data=_BYTES, cuts=_CUTS, end=_ENDS)
async def test_no_bytes_break_the_server(
    hosting: Hosting, data: bytes, cuts: list[int], end: str
) -> None:
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, fault: faults.append(fault))
    place = hosting.places[0] if hosting.places else await _start(hosting)
    client = await hosting.connect(place)
    try:
        await client.send(*pieces(data, cuts))
        if end == "half close":
            client.half_close()
            await client.rest()
        elif end == "read on":
            while b"HTTP/1.1" in await asyncio.wait_for(client.more(), 0.01):
                pass
    except OSError:
        pass  # the server has had enough
    if end == "reset":
        client.reset()
    client.close()
    hosting.forget(client)
    await until(lambda: not place.server.connections and not place.server.refusals)
    assert (await hosting.ask(place, GET)).status == 200
    await until(lambda: not place.server.connections)
    loop.set_exception_handler(before)
    assert faults == []


async def _start(hosting: Hosting) -> Place:
    return await hosting.start(careless, linger_seconds=0.02, pipelined=5, unread_bytes=1_000)


_METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
_BODIES = st.one_of(st.none(), st.binary(max_size=300), st.just(b"b" * 90_000))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    """A method, a body, and the request on the wire."""
    method, body = draw(_METHODS), draw(_BODIES)
    extra = draw(st.sampled_from([(), ("Connection: Upgrade", "Upgrade: h2c"), ("X: y",)]))
    if body is None:
        return method, b"", get("/p?q=1", *extra, method=method)
    if draw(st.booleans()):
        whole = post(body, *extra, path="/p?q=1")
    else:
        size = draw(st.integers(1, 40_000 if len(body) > 300 else 300))
        parts = [body[n : n + size] for n in range(0, len(body), size)]
        whole = chunked(*parts, lines=extra, path="/p?q=1")
    return method, body, whole.replace(b"POST", method.encode(), 1)


@_FEW
@given(asked=st.lists(requests(), min_size=1, max_size=8), cuts=_CUTS, is_pipelined=st.booleans())
async def test_requests_of_all_kinds_are_answered_exactly_and_in_order(
    hosting: Hosting,
    asked: list[tuple[str, bytes, bytes]],
    cuts: list[int],
    is_pipelined: bool,
) -> None:
    place = hosting.places[0] if hosting.places else await hosting.start(unread_bytes=1_000)
    client = await hosting.connect(place)
    sending = asyncio.ensure_future(asyncio.sleep(0))
    if is_pipelined:
        everything = b"".join(wire for _, _, wire in asked)
        sending = asyncio.ensure_future(client.send(*pieces(everything, cuts)))
    for method, body, wire in asked:
        if not is_pipelined:
            sending = asyncio.ensure_future(client.send(*pieces(wire, cuts)))
        found: Answer = await client.answer(method)
        expected = b"" if method == "HEAD" else method.encode() + b" /p?q=1 " + body
        assert (found.status, found.body) == (200, expected)
        await sending
    assert "connection" not in found.headers
    client.close()
    hosting.forget(client)

"""Requests on a connection: heads, bodies, order, and what is refused."""

import asyncio
from typing import Any

import pytest
import structlog

from eishro.cli.address import CannotListen, bind
from eishro.server import head
from eishro.server.connection import Connection
from eishro.server.exchange import WHOLE_ANSWER, Exchange
from tests.server.hosting import (
    GET,
    Gate,
    Hosting,
    answer,
    body_of,
    chunked,
    echo,
    get,
    post,
    until,
)

pytestmark = pytest.mark.anyio


async def headers_back(scope: Any, receive: Any, send: Any) -> None:
    lines = b"\n".join(b"%b=%b" % header for header in scope["headers"])
    await answer(send, lines)


async def test_an_answer_is_dated_and_the_connection_is_kept(hosting: Hosting) -> None:
    client = await hosting.connect(await hosting.start())
    for n in range(3):
        await client.send(get(f"/{n}?q={n}"))
        found = await client.answer()
        assert found.body == f"GET /{n}?q={n} ".encode()
        assert found.headers["date"].endswith(" GMT")
        assert "connection" not in found.headers


async def test_a_head_may_come_byte_by_byte(hosting: Hosting) -> None:
    client = await hosting.connect(await hosting.start())
    request = post(b"hello", "X-Empty:", "X-Other:  ")
    await client.send(*(request[n : n + 1] for n in range(len(request))))
    assert (await client.answer()).body == b"POST / hello"


async def test_requests_sent_at_once_are_answered_in_order(hosting: Hosting) -> None:
    gate = Gate()
    client = await hosting.connect(await hosting.start(gate))
    requests = [post(b"x" * n, path=f"/{n}") for n in range(10)]
    requests += [chunked(b"ab", b"c" * n, path=f"/{n}") for n in range(10)]
    await client.send(b"".join(requests))
    await gate.reached(lambda: gate.begun == 1)
    gate.opened.set()
    for n in range(10):
        assert (await client.answer()).body == b"POST /%d " % n + b"x" * n
    for n in range(10):
        assert (await client.answer()).body == b"POST /%d ab" % n + b"c" * n


async def test_requests_are_answered_one_at_a_time(hosting: Hosting) -> None:
    gate = Gate()
    client = await hosting.connect(await hosting.start(gate))
    await client.send(GET * 3)
    await gate.reached(lambda: gate.begun == 1)
    await client.send(GET)
    await asyncio.sleep(0.05)
    assert gate.begun == 1
    gate.opened.set()
    for _ in range(4):
        assert (await client.answer()).status == 200


async def test_a_broken_request_does_not_cost_those_before_it_their_answers(
    hosting: Hosting,
) -> None:
    gate = Gate()
    for broken in (b"NONSENSE\r\n\r\n", post(b"") + b"\x00", chunked()[:-5] + b"zz\r\n"):
        client = await hosting.connect(await hosting.start(gate))
        await client.send(get("/1") + get("/2") + broken)
        gate.opened.set()
        assert (await client.answer()).body == b"GET /1 "
        assert (await client.answer()).body == b"GET /2 "
        assert b" 200 " not in (await client.rest()).partition(b"\r\n")[0] or b"\0" in broken


async def test_more_requests_at_once_than_allowed_end_the_connection(hosting: Hosting) -> None:
    gate = Gate()
    client = await hosting.connect(await hosting.start(gate, pipelined=5))
    await client.send(GET * 20)
    gate.opened.set()
    answers = (await client.rest()).split(b"HTTP/1.1 200 OK")
    assert len(answers) - 1 == 6
    assert b"connection: close" in answers[-1]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\nHost: x\n\n", 400, id="bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\nB: c\r\n\r\n", 400, id="one of them"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rB: c\r\n\r\n", 400, id="a bare return"),
        pytest.param(get("/", "A: b\r\n c"), 400, id="a folded header"),
        pytest.param(get("/", "A : b"), 400, id="a space before the colon"),
        pytest.param(get("/", ": b"), 400, id="a header without a name"),
        pytest.param(get("/", "A: \x00"), 400, id="a zero byte"),
        pytest.param(get("/", "A: \x01"), 400, id="a control character"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(get("/", "Host: other.example"), 400, id="two hosts"),
        pytest.param(get("/", "Host: other.example", version="1.0"), 400, id="two hosts, old"),
        pytest.param(get(version="2.0"), 505, id="version 2"),
        pytest.param(get(version="0.9"), 505, id="version 0.9"),
        pytest.param(get(version="1.7"), 400, id="version 1.7"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="h2 at once"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00", 400, id="TLS"),
        pytest.param(get("shop.example:443", method="CONNECT"), 400, id="CONNECT"),
        pytest.param(get("/tunnel", method="CONNECT"), 400, id="CONNECT to a path"),
        pytest.param(get("/\x00"), 400, id="a zero byte in the path"),
        pytest.param("GET /قميص HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400, id="a raw path"),
        pytest.param(get("http://[::1/x"), 400, id="half an address"),
        pytest.param(get("relative"), 400, id="a path that hangs in the air"),
        pytest.param(chunked(lines=("Content-Length: 4",)), 400, id="length and chunks"),
        pytest.param(post(b"abcd", "Content-Length: 4"), 400, id="a length twice"),
        pytest.param(post(b"abcd", "Content-Length: 5"), 400, id="two lengths"),
        pytest.param(get("/", "Content-Length: 4, 4"), 400, id="lengths in a list"),
        pytest.param(get("/", "Content-Length: +4"), 400, id="a signed length"),
        pytest.param(get("/", "Content-Length:"), 400, id="an empty length"),
        pytest.param(get("/", "Content-Length: " + "9" * 30), 400, id="a length without end"),
        pytest.param(get("/", "Transfer-Encoding: identity"), 501, id="chunks not last"),
        pytest.param(get("/", "Transfer-Encoding: chunked, gzip"), 400, id="chunks first"),
        pytest.param(get("/", "Transfer-Encoding: gzip, chunked"), 501, id="packed chunks"),
        pytest.param(get("/", "Transfer-Encoding: \x0bchunked"), 400, id="a strange space"),
        pytest.param(chunked(b"ab").replace(b"2\r\n", b"2\n"), 400, id="a chunk's line feed"),
        pytest.param(chunked(b"ab").replace(b"2\r\n", b"-2\r\n"), 400, id="a signed chunk"),
        pytest.param(chunked(b"ab").replace(b"2\r\n", b"f" * 17 + b"\r\n"), 400, id="a huge chunk"),
        pytest.param(chunked(b"ab").replace(b"ab", b"abc"), 400, id="a chunk that is longer"),
    ],
)
async def test_what_could_be_understood_in_two_ways_is_refused(
    hosting: Hosting, request_: bytes, status: int
) -> None:
    """Nobody acts on it, and what stands behind it is no request of its own."""
    acted: list[bytes] = []

    async def act(scope: Any, receive: Any, send: Any) -> None:
        acted.append(await body_of(receive))
        await answer(send)

    place = await hosting.start(act)
    client = await hosting.connect(place)
    await client.send(request_ + get("/hidden"))
    found = await client.answer()
    assert (found.status, found.body) == (status, b"")
    assert found.headers["connection"] == "close"
    assert "date" in found.headers
    assert await client.rest() == b""
    assert acted == []
    assert (await hosting.ask(place, GET)).status == 200


@pytest.mark.parametrize("size", [1, 1_000, 100_000])
async def test_a_head_beyond_its_limit_is_refused(hosting: Hosting, size: int) -> None:
    place = await hosting.start(head_bytes=2_000)
    lines = [f"X-{n}: {'x' * 40}" for n in range(90)]
    for request in (
        get("/" + "x" * 3_000),
        get("/", "X: " + "x" * 3_000),
        get("/", "X" * 3_000 + ": x"),
        get("/", *lines),
        get("/", "X: " + "x" * 3_000)[:-2],
    ):
        if size == 100_000 and request.endswith(b"x\r\n"):
            continue  # cannot be told from one that comes to its end with the next piece
        client = await hosting.connect(place)
        await client.send(*(request[n : n + size] for n in range(0, len(request), size)))
        assert (await client.answer()).status == 431
        client.close()


async def test_a_body_behind_a_head_does_not_count_as_head(hosting: Hosting) -> None:
    client = await hosting.connect(await hosting.start(head_bytes=2_000))
    body = b"x" * 50_000
    for request in (post(body), chunked(*[b"y" * 10] * 5_000)):
        await client.send(request[:30], request[30:])
        assert (await client.answer()).status == 200


async def test_a_hundred_headers_pass_and_one_more_does_not(hosting: Hosting) -> None:
    place = await hosting.start(headers_back)
    lines = [f"X-{n}: {n}" for n in range(99)]
    assert (await hosting.ask(place, get("/", *lines))).body.count(b"\n") == 99
    assert (await hosting.ask(place, get("/", *lines, "One: more"))).status == 431


async def test_headers_keep_their_bytes_and_their_order(hosting: Hosting) -> None:
    place = await hosting.start(headers_back)
    client = await hosting.connect(place)
    await client.send(
        b"GET / HTTP/1.1\r\nHOST: x\r\nX-Empty:\r\nA: \xff\xfe\r\nA: two  words\r\n\r\n"
    )
    assert (await client.answer()).body == b"host=x\nx-empty=\na=\xff\xfe\na=two  words"


async def test_addresses_are_read_in_all_their_forms(hosting: Hosting) -> None:
    scopes: list[Any] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await answer(send)

    client = await hosting.connect(await hosting.start(note))
    for target, path, query, host in (
        ("/%D9%82%20a?x=%20&y", "/ق a", b"x=%20&y", b"shop.example"),
        ("/%ff%00", "/\ufffd\0", b"", b"shop.example"),
        ("/a#b?c", "/a", b"", b"shop.example"),
        ("http://u:p@other.example:8080/a?b#c", "/a", b"b", b"other.example:8080"),
        ("http://other.example?b", "/", b"b", b"other.example"),
        ("*", "*", b"", b"shop.example"),
        ("//evil.example/a", "//evil.example/a", b"", b"shop.example"),
    ):
        await client.send(get(target, method="OPTIONS"))
        assert (await client.answer()).status == 200
        scope = scopes.pop()
        assert (scope["path"], scope["query_string"]) == (path, query)
        assert dict(scope["headers"])[b"host"] == host
        assert [name for name, _ in scope["headers"]].count(b"host") == 1
        assert scope["client"] == client.socket.getsockname()
    assert scope["type"] == "http"
    assert scope["http_version"] == "1.1"


async def test_a_request_for_another_protocol_is_answered_in_this_one(hosting: Hosting) -> None:
    """With its body, which the parser by itself would have taken for that protocol."""
    client = await hosting.connect(await hosting.start())
    h2c = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
    socket_ = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    await client.send(get("/1", *socket_))
    assert (await client.answer()).body == b"GET /1 "
    await client.send(post(b"a body", *h2c, path="/2"))
    assert (await client.answer()).body == b"POST /2 a body"
    await client.send(chunked(b"in", b"pieces", lines=h2c) + get("/3", *socket_) + get("/4"))
    assert (await client.answer()).body == b"POST / inpieces"
    assert (await client.answer()).body == b"GET /3 "
    assert (await client.answer()).body == b"GET /4 "
    request = post(b"slowly", *h2c)
    await client.send(*(request[n : n + 1] for n in range(len(request))))
    assert (await client.answer()).body == b"POST / slowly"


async def test_old_clients_are_answered_and_closed(hosting: Hosting) -> None:
    place = await hosting.start()
    for request in (
        b"GET / HTTP/1.0\r\n\r\n",
        get(version="1.0"),
        get("/", "Connection: keep-alive", version="1.0"),
        get("/", "Connection: close"),
    ):
        client = await hosting.connect(place)
        await client.send(request)
        found = await client.answer()
        assert (found.body, found.headers["connection"]) == (b"GET / ", "close")
        assert await client.rest() == b""


async def test_an_answer_of_unknown_length_is_chunked_or_ends_with_the_connection(
    hosting: Hosting,
) -> None:
    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    place = await hosting.start(stream)
    found = await hosting.ask(place, GET)
    assert (found.headers["transfer-encoding"], found.body) == ("chunked", b"onetwo")
    found = await hosting.ask(place, get(version="1.0"))
    assert found.body == b"onetwo"
    assert "transfer-encoding" not in found.headers


async def test_answers_without_a_body_have_none(hosting: Hosting) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        status = int(scope["path"][1:])
        length = [(b"content-length", b"5")] if scope["query_string"] else []
        await answer(send, b"hello" if status == 200 else b"", status, *length)

    client = await hosting.connect(await hosting.start(app))
    await client.send(get("/200", method="HEAD") + get("/200?l", method="HEAD"))
    assert (await client.answer("HEAD")).headers["content-length"] == "5"
    assert (await client.answer("HEAD")).headers["content-length"] == "5"
    await client.send(get("/201", method="HEAD") + get("/204") + get("/204?l") + get("/304?l"))
    assert "content-length" not in (await client.answer("HEAD")).headers
    assert "content-length" not in (await client.answer()).headers
    assert "content-length" not in (await client.answer()).headers
    assert (await client.answer()).headers["content-length"] == "5"
    await client.send(get("/200"))
    assert (await client.answer()).body == b"hello"


async def test_a_client_that_says_no_more_still_hears_the_answers(hosting: Hosting) -> None:
    gate = Gate()
    place = await hosting.start(gate)
    client = await hosting.connect(place)
    await client.send(get("/1") + get("/2") + post(b"never whole", path="/3")[:-1])
    client.half_close()
    await gate.reached(lambda: gate.begun == 1)
    gate.opened.set()
    assert (await client.answer()).body == b"GET /1 "
    assert (await client.answer()).body == b"GET /2 "
    assert await client.rest() == b""
    await gate.reached(lambda: gate.begun == gate.ended + gate.cancelled)
    assert gate.ended == 2


async def test_after_its_last_words_the_answer_is_the_last_one(hosting: Hosting) -> None:
    gate = Gate()
    place = await hosting.start(gate)
    client = await hosting.connect(place)
    await client.send(get("/1"))
    await gate.reached(lambda: gate.begun == 1)
    client.half_close()
    (connection,) = place.server.connections
    await until(lambda: connection._is_leaving)
    gate.opened.set()
    assert (await client.answer()).headers["connection"] == "close"
    assert await client.rest() == b""


async def test_a_client_that_comes_and_goes_costs_nothing(hosting: Hosting) -> None:
    place = await hosting.start()
    for beginning in (b"", b"GET", GET[:-2], post(b"abc")[:-1]):
        client = await hosting.connect(place)
        await client.send(beginning)
        client.half_close()
        assert await client.rest() == b""
        client = await hosting.connect(place)
        await client.send(beginning)
        client.reset()
    await until(lambda: not place.server.connections)


async def test_a_connection_says_nothing_for_so_long_and_is_closed(hosting: Hosting) -> None:
    place = await hosting.start(head_seconds=0.2)
    silent, kept = await hosting.connect(place), await hosting.connect(place)
    began = asyncio.get_running_loop().time()
    await kept.send(GET)
    await kept.answer()
    assert await silent.rest() == b""
    assert await kept.rest() == b""
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_head_has_its_whole_time_however_late_it_begins(hosting: Hosting) -> None:
    place = await hosting.start(head_seconds=1.0)
    client = await hosting.connect(place)
    await client.send(GET)
    await client.answer()
    (connection,) = place.server.connections
    first = connection.deadline
    await asyncio.sleep(0.05)
    await client.send(GET[:20])
    await until(lambda: connection.deadline > first)
    second = connection.deadline
    await client.send(GET[20:30], GET[30:31])
    await asyncio.sleep(0.05)
    assert connection.deadline == second, "it does not begin again with every byte"


async def test_a_request_under_way_has_no_deadline(hosting: Hosting) -> None:
    gate = Gate()
    client = await hosting.connect(await hosting.start(gate, head_seconds=0.1, take_seconds=0.1))
    await client.send(GET + GET)
    await asyncio.sleep(0.4)
    gate.opened.set()
    assert (await client.answer()).status == 200
    assert (await client.answer()).status == 200


async def test_a_connection_too_many_is_told_to_come_back(hosting: Hosting) -> None:
    place = await hosting.start(connections=2, refusals=1)
    first, second = await hosting.connect(place), await hosting.connect(place)
    await first.send(GET)
    await first.answer()
    await second.send(GET)
    await second.answer()
    third = await hosting.connect(place)
    await third.send(post(b"x" * 100_000))  # nobody reads it, and still the answer is heard
    found = await third.answer()
    assert (found.status, found.headers["retry-after"]) == (503, "1")
    fourth = await hosting.connect(place)
    try:
        assert await fourth.rest() == b""
    except ConnectionResetError:
        pass
    assert await third.rest() == b""
    third.close()
    second.close()
    await until(lambda: len(place.server.connections) == 1 and not place.server.refusals)
    assert (await hosting.ask(place, GET)).status == 200


async def test_clients_of_the_sixth_version_are_served(hosting: Hosting) -> None:
    async def who(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["client"][0].encode())

    try:
        bind("::1", 0).close()
    except CannotListen as error:  # a machine without that version; there is nothing to serve
        pytest.skip(str(error))
    place = await hosting.start(who, host="::1")
    assert (await hosting.ask(place, GET)).body == b"::1"


async def test_the_date_goes_on(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    place = await hosting.start()
    now = 1_000_000_000.0
    monkeypatch.setattr("eishro.server.serving.time.time", lambda: now)
    await until(lambda: b"2001" in place.server.date)
    assert (await hosting.ask(place, GET)).headers["date"] == "Sun, 09 Sep 2001 01:46:40 GMT"


async def test_a_fault_within_the_parser_ends_one_connection(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await hosting.start()
    with monkeypatch.context() as patched:
        patched.setattr(head, "unquote", lambda text: 1 // 0)
        assert (await hosting.ask(place, get("/%20"))).status == 400
    assert (await hosting.ask(place, get("/%20"))).status == 200


async def test_a_look_at_the_deadlines_that_fails_is_not_the_last(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await hosting.start(head_seconds=0.1)
    client = await hosting.connect(place)
    await until(lambda: bool(place.server.connections))
    (connection,) = place.server.connections
    with monkeypatch.context() as patched, structlog.testing.capture_logs() as logs:
        patched.setattr(type(connection), "expire", lambda self: 1 // 0)
        await until(lambda: any(line["event"] == "sweep_fault" for line in logs))
    assert await client.rest() == b""


async def test_requests_leave_no_circles(hosting: Hosting) -> None:
    import gc

    place = await hosting.start(echo)
    await hosting.ask(place, GET)
    gc.collect()
    gc.disable()
    try:
        client = await hosting.connect(place)
        for _ in range(20):
            await client.send(post(b"abc"))
            await client.answer()
        client.close()
        await until(lambda: not place.server.connections)
        found = gc.get_objects()
        kinds = {type(one).__name__ for one in found}
        alive = [one for one in found if isinstance(one, Exchange | Connection)]
        assert not alive, kinds
    finally:
        gc.enable()


async def test_a_whole_answer_is_sent_as_it_is(hosting: Hosting) -> None:
    async def whole(scope: Any, receive: Any, send: Any) -> None:
        assert WHOLE_ANSWER in scope["extensions"]
        body = scope["path"].encode()
        lines = b"etag: %b\r\ncontent-length: %d\r\n" % (body, len(body))
        await send({"type": WHOLE_ANSWER, "status": 200, "lines": lines, "body": body})

    client = await hosting.connect(await hosting.start(whole))
    await client.send(get("/1") + get("/2") + get("/3", "Connection: close"))
    for path in ("/1", "/2", "/3"):
        found = await client.answer()
        assert (found.status, found.body, found.headers["etag"]) == (200, path.encode(), path)
        assert found.headers["date"].endswith(" GMT")
        assert found.headers.get("connection") == ("close" if path == "/3" else None)
    assert await client.rest() == b""


async def test_a_whole_answer_is_the_only_one(hosting: Hosting) -> None:
    async def twice(scope: Any, receive: Any, send: Any) -> None:
        message = {"type": WHOLE_ANSWER, "status": 200, "lines": b"content-length: 1\r\n"}
        await send({**message, "body": b"1"})
        await send({**message, "body": b"2"})

    client = await hosting.connect(await hosting.start(twice))
    for _ in range(2):
        await client.send(get())
        assert (await client.answer()).body == b"1"


async def test_a_whole_answer_to_half_a_request_is_the_last_one(hosting: Hosting) -> None:
    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        lines = b"content-length: 0\r\n"
        await send({"type": WHOLE_ANSWER, "status": 413, "lines": lines, "body": b""})

    client = await hosting.connect(await hosting.start(hasty))
    await client.send(post(b"x" * 10)[:-5])
    found = await client.answer()
    assert (found.status, found.headers["connection"]) == (413, "close")
    assert await client.rest() == b""

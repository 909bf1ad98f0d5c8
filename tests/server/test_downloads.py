"""Answers: framing, faults of the application, and clients that take them slowly or not at all."""

import asyncio
from typing import Any

import pytest
import structlog

from eishro.server.connection import Connection
from tests.server.hosting import GET, Gate, Hosting, answer, get, until

pytestmark = pytest.mark.anyio

START = {"type": "http.response.start", "status": 200, "headers": []}
MANY = 3_000_000


def stream_of(size: int, sent: list[int], piece: int = 50_000) -> Any:
    """An application that streams so many bytes, and notes how far it has come."""

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", str(size).encode())
        await send({**START, "headers": [length]})
        for at in range(0, size, piece):
            await send({"type": "http.response.body", "body": b"x" * piece, "more_body": True})
            sent.append(at + piece)
        await send({"type": "http.response.body"})

    return stream


async def whole(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x" * MANY)


@pytest.mark.parametrize("lines", [(), ("Connection: close",)], ids=["kept", "closed"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_slow_client_gets_everything(
    hosting: Hosting, lines: tuple[str, ...], is_stream: bool
) -> None:
    """It takes many times as long as any deadline, but takes of it all the time."""
    size = MANY
    app = stream_of(size, [], 100_000) if is_stream else whole
    limits: dict[str, Any] = {
        "take_seconds": 0.1,
        "head_seconds": 0.1,
        "linger_seconds": 0.05,
        "take_bytes": 1,
    }
    place = await hosting.start(app, **limits)
    client = await hosting.connect(place, receive_bytes=4_096)
    await client.send(get("/", *lines))
    loop = asyncio.get_running_loop()
    found, until_then = b"", loop.time() + 10 * limits["take_seconds"]
    while len(found) < size and (more := await client.more(10_000)):
        found += more
        if loop.time() < until_then:
            assert len(found) < size, "it was not slow at all"
            await asyncio.sleep(0.02)
    found += await client.rest()
    assert len(found.partition(b"\r\n\r\n")[2]) == size


@pytest.mark.parametrize("lines", [(), ("Connection: close",)], ids=["kept", "closed"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_client_that_takes_nothing_is_closed(
    hosting: Hosting, lines: tuple[str, ...], is_stream: bool
) -> None:
    size = 20_000_000
    sent: list[int] = []

    async def large(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"x" * size)

    app = stream_of(size, sent) if is_stream else large
    place = await hosting.start(app, take_seconds=0.15, linger_seconds=0.1)
    client = await hosting.connect(place, receive_bytes=4_096)
    await client.send(get("/", *lines))
    await until(lambda: bool(place.server.connections))
    await until(lambda: not place.server.connections)
    assert sum(sent[-1:]) < size, "the rest was not made for nobody"


async def test_a_client_that_takes_too_little_is_closed(hosting: Hosting) -> None:
    place = await hosting.start(stream_of(20_000_000, []), take_seconds=0.1, take_bytes=1_000_000)
    client = await hosting.connect(place, receive_bytes=4_096)
    await client.send(GET)
    await until(lambda: bool(place.server.connections))
    while place.server.connections:
        await client.more(100)
        await asyncio.sleep(0.01)


async def test_what_waits_for_a_client_is_bounded(hosting: Hosting) -> None:
    sent: list[int] = []
    place = await hosting.start(stream_of(100_000_000, sent))
    client = await hosting.connect(place, receive_bytes=4_096)
    await client.send(GET)
    await until(lambda: len(sent) > 0)
    (connection,) = place.server.connections
    await until(lambda: connection.room() is not None)
    before = -1
    while before != len(sent):
        before = len(sent)
        await asyncio.sleep(0.05)
    assert connection._transport.get_write_buffer_size() < 200_000


async def test_those_that_do_not_take_a_kept_document_share_it(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy each would be gigabytes, for thousands of clients that send one line."""
    document, written = b"x" * MANY, list[bytes]()
    write = Connection.write

    def note(connection: Connection, data: bytes) -> None:
        written.append(data)
        write(connection, data)

    async def show(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, document)

    monkeypatch.setattr(Connection, "write", note)
    place = await hosting.start(show)
    client = await hosting.connect(place)
    for method in ("GET", "HEAD", "GET"):
        await client.send(get(method=method))
        found = await client.answer(method)
        assert found.body == (b"" if method == "HEAD" else document)
        assert found.headers["content-length"] == str(MANY)
    assert sum(data is document for data in written) == 2
    assert sum(map(len, written)) < 2 * MANY + 1_000


async def test_a_client_cannot_pile_up_answers_that_it_does_not_take(hosting: Hosting) -> None:
    """Neither by requests that wait, nor by one after the other."""
    gate = Gate(whole)
    gate.opened.set()
    place = await hosting.start(gate, take_seconds=0.3)
    client = await hosting.connect(place, receive_bytes=4_096)
    await client.send(GET * 50)
    await until(lambda: gate.begun > 0)
    (connection,) = place.server.connections
    await until(lambda: connection.room() is not None)
    assert connection._transport.get_write_buffer_size() < 2 * MANY
    assert gate.begun < 10
    begun = gate.begun
    with pytest.raises((BlockingIOError, ConnectionError)):
        for _ in range(1_000):
            client.socket.send(GET * 1_000)
    await asyncio.sleep(0.05)
    assert gate.begun == begun
    await until(lambda: not place.server.connections)


async def test_no_request_is_begun_while_an_answer_waits_to_be_taken(hosting: Hosting) -> None:
    gate = Gate(whole)
    gate.opened.set()
    place = await hosting.start(gate)
    client = await hosting.connect(place, receive_bytes=4_096)
    await client.send(GET)
    await until(lambda: gate.ended == 1)
    (connection,) = place.server.connections
    assert connection.room() is not None
    await client.send(GET)
    await until(lambda: bool(connection._queue))
    assert gate.begun == 1
    for _ in range(2):
        assert len((await client.answer()).body) == MANY


async def test_who_says_no_more_may_wait_for_the_rest_of_an_answer(hosting: Hosting) -> None:
    async def pause(scope: Any, receive: Any, send: Any) -> None:
        await stream_of(MANY, [])(
            scope, receive, lambda message: send({**message, **more(message)})
        )
        await asyncio.sleep(0.3)
        await send({"type": "http.response.body"})

    def more(message: Any) -> Any:
        return {} if message["type"] == "http.response.start" else {"more_body": True}

    place = await hosting.start(pause, take_seconds=0.1, linger_seconds=0.1)
    client = await hosting.connect(place)
    await client.send(GET)
    client.half_close()
    assert len((await client.answer()).body) == MANY
    assert await client.rest() == b""


async def test_requests_wait_for_answers_to_be_taken_and_are_answered_then(
    hosting: Hosting,
) -> None:
    client = await hosting.connect(await hosting.start(whole), receive_bytes=4_096)
    await client.send(GET * 5)
    client.half_close()
    for _ in range(5):
        assert len((await client.answer()).body) == MANY
    assert await client.rest() == b""


async def test_a_stream_to_nobody_ends(hosting: Hosting) -> None:
    gone = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 9_999, "more_body": True})
                await asyncio.sleep(0)
        except OSError:
            gone.set()
            raise

    place = await hosting.start(endless)
    client = await hosting.connect(place)
    with structlog.testing.capture_logs() as logs:
        await client.send(GET)
        await client.more()
        client.reset()
        async with asyncio.timeout(10):
            await gone.wait()
        await until(lambda: not place.server.connections)
    assert logs == [], "it is no fault of the application's"


async def _none(scope: Any, receive: Any, send: Any) -> None:
    return None


async def _raise(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("broken")


async def _head_then_raise(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    raise RuntimeError("broken")


async def _of_a_cancelled_future(scope: Any, receive: Any, send: Any) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def _body_first(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"x"})


async def _too_much(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"hello", 200, (b"content-length", b"4"))


async def _on_the_way(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"", 101)


async def _unknown_message(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.zerocopysend", "file": 1})


async def _line_break(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x", 200, (b"location", b"/\r\nset-cookie: a=b"))


async def _line_feed(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x", 200, (b"x\n", b"y"))


async def _return(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x", 200, (b"x", b"y\rz: z"))


async def _bad_length(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"x", 200, (b"content-length", b"one"))


@pytest.mark.parametrize(
    "broken",
    [_none, _raise, _head_then_raise, _of_a_cancelled_future, _body_first, _too_much, _on_the_way,
     _unknown_message, _line_break, _line_feed, _return, _bad_length],
    ids=lambda app: app.__name__,
)  # fmt: skip
async def test_a_fault_before_the_answer_is_a_plain_one(hosting: Hosting, broken: Any) -> None:
    client = await hosting.connect(await hosting.start(broken))
    with structlog.testing.capture_logs() as logs:
        await client.send(GET * 2)
        found = await client.answer()
        assert (found.status, found.body, found.headers["connection"]) == (500, b"", "close")
        assert await client.rest() == b""
    assert [line["event"] for line in logs] in (["application_fault"], ["answer_left_open"])


async def _stop(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"part", "more_body": True})


async def _stop_and_raise(scope: Any, receive: Any, send: Any) -> None:
    await _stop(scope, receive, send)
    raise RuntimeError("broken")


async def _too_little(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"part", 200, (b"content-length", b"5"))


async def _too_much_later(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await send({"type": "http.response.body", "body": b"more"})


@pytest.mark.parametrize(
    "broken", [_stop, _stop_and_raise, _too_little, _too_much_later], ids=lambda app: app.__name__
)
async def test_an_answer_that_breaks_off_is_seen_to_break_off(
    hosting: Hosting, broken: Any
) -> None:
    client = await hosting.connect(await hosting.start(broken))
    await client.send(GET * 2)
    with pytest.raises(EOFError):
        await client.answer()


async def test_a_fault_after_the_answer_harms_nobody(hosting: Hosting) -> None:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"good")
        await answer(send, b"twice")

    client = await hosting.connect(await hosting.start(late))
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            await client.send(GET)
            assert (await client.answer()).body == b"good"
    assert [line["event"] for line in logs] == ["application_fault"] * 2


async def test_an_unknown_status_is_answered(hosting: Hosting) -> None:
    async def odd(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"x", 599)

    assert (await hosting.ask(await hosting.start(odd), GET)).status == 599

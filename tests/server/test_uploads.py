"""Bodies of requests: whole or not at all, no faster than they are read, and invited where asked."""

import asyncio
from typing import Any

import pytest

from tests.server.hosting import (
    GET,
    Client,
    Gate,
    Hosting,
    answer,
    body_of,
    chunked,
    echo,
    get,
    post,
    until,
)  # fmt: skip

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post(b"x" * 1_000)[:-1], id="a length"),
        pytest.param(chunked(b"x" * 1_000)[:-1], id="chunks"),
        pytest.param(chunked(b"x" * 1_000)[:-5], id="chunks without an end"),
        pytest.param(post(b"x" * 10)[:-10], id="a head alone"),
    ],
)
@pytest.mark.parametrize("end", [Client.reset, Client.close, Client.half_close])
async def test_half_a_body_is_never_acted_upon(hosting: Hosting, request_: bytes, end: Any) -> None:
    """A client that breaks off, crashes or says that nothing more comes: the work is cancelled."""
    acted, begun, ended = [], asyncio.Event(), asyncio.Event()

    async def act(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        try:
            acted.append(await body_of(receive))
            await answer(send)
        finally:
            ended.set()

    client = await hosting.connect(await hosting.start(act))
    await client.send(request_)
    await begun.wait()
    end(client)
    async with asyncio.timeout(10):
        await ended.wait()
    assert acted == []


async def test_a_body_that_turns_into_nonsense_is_never_acted_upon(hosting: Hosting) -> None:
    acted, begun = [], asyncio.Event()

    async def act(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        acted.append(await body_of(receive))

    client = await hosting.connect(await hosting.start(act))
    await client.send(chunked(b"good")[:-5])
    await begun.wait()
    await client.send(b"bad\n")
    assert (await client.answer()).status == 400
    assert await client.rest() == b""
    assert acted == []


async def test_who_swallows_the_cancelling_cannot_spoil_the_refusal(hosting: Hosting) -> None:
    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await body_of(receive)
        except asyncio.CancelledError:
            await answer(send, b"done all the same")

    place = await hosting.start(stubborn, linger_seconds=0.1)
    client = await hosting.connect(place)
    await client.send(chunked(b"good")[:-5], b"bad\n", GET)
    assert (await client.answer()).status == 400
    assert await client.rest() == b""
    await until(lambda: not place.server.connections)


async def test_a_whole_request_is_done_though_nobody_waits_for_the_answer(
    hosting: Hosting,
) -> None:
    """Money may have moved for it; and the next request would ask what has become of it."""
    gate = Gate()
    place = await hosting.start(gate)
    client = await hosting.connect(place)
    await client.send(post(b"whole"))
    await gate.reached(lambda: gate.begun == 1)
    client.reset()
    gate.opened.set()
    await gate.reached(lambda: gate.ended == 1)
    await until(lambda: not place.server.connections)


async def test_the_application_is_told_that_its_client_has_gone(hosting: Hosting) -> None:
    told = asyncio.Event()

    async def wait(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        assert await receive() == {"type": "http.disconnect"}
        told.set()

    client = await hosting.connect(await hosting.start(wait))
    await client.send(post(b"abc"))
    await asyncio.sleep(0.02)
    client.reset()
    async with asyncio.timeout(10):
        await told.wait()


async def test_no_more_of_a_body_is_taken_than_is_read(hosting: Hosting) -> None:
    gate = Gate()
    place = await hosting.start(gate, unread_bytes=10_000)
    client = await hosting.connect(place)
    size = 20_000_000
    sending = asyncio.create_task(client.send(post(b"x" * size)))
    await gate.reached(lambda: gate.begun == 1)
    (connection,) = place.server.connections
    await until(lambda: connection._is_paused)
    await asyncio.sleep(0.05)
    assert connection._reading is not None
    assert connection._reading.unread_bytes < 300_000, "a piece of the network's at most"
    assert not sending.done()
    gate.opened.set()
    await sending
    assert len((await client.answer()).body) == size + len(b"POST / ")


async def test_a_body_nobody_reads_does_not_deafen_the_connection(hosting: Hosting) -> None:
    async def shrug(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await answer(send, b"no")

    client = await hosting.connect(await hosting.start(shrug, unread_bytes=1_000))
    for _ in range(3):
        await client.send(post(b"x" * 5_000))
        found = await client.answer()
        assert found.body == b"no"
        if "connection" in found.headers:  # it came in two pieces
            assert await client.rest() == b""
            client = await hosting.connect(hosting.places[0])


async def test_who_is_refused_before_the_end_of_a_body_hears_it(hosting: Hosting) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await answer(send, b"too large", 413)

    client = await hosting.connect(await hosting.start(refuse, linger_seconds=10.0))
    await client.send(get("/", "Content-Length: 8000000", method="POST"))
    await client.send(*[b"x" * 100_000] * 60)
    found = await client.answer()
    assert (found.status, found.body, found.headers["connection"]) == (413, b"too large", "close")
    await client.send(*[b"x" * 100_000] * 10)
    assert await client.rest() == b""


async def test_who_goes_on_sending_is_not_listened_to_for_ever(hosting: Hosting) -> None:
    place = await hosting.start(linger_seconds=0.1)
    client = await hosting.connect(place)
    await client.send(b"nonsense\r\n\r\n")
    assert (await client.answer()).status == 400
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(10):
            while True:
                await client.send(b"x" * 1_000)
                await asyncio.sleep(0.01)
    await until(lambda: not place.server.connections)


async def test_a_client_that_asks_first_is_invited(hosting: Hosting) -> None:
    client = await hosting.connect(await hosting.start())
    request = post(b"body", "Expect: 100-continue")
    for _ in range(2):
        await client.send(request[:-4])
        assert (await client.answer()).status == 100
        await client.send(request[-4:])
        assert (await client.answer()).body == b"POST / body"
    await client.send(request)  # did not wait
    found = await client.answer()
    assert (found if found.status == 200 else await client.answer()).body == b"POST / body"


async def test_an_invitation_stands_behind_the_answers_before_it(hosting: Hosting) -> None:
    gate = Gate()
    client = await hosting.connect(await hosting.start(gate))
    await client.send(get("/1") + post(b"body", "Expect: 100-continue")[:-4])
    await gate.reached(lambda: gate.begun == 1)
    gate.opened.set()
    assert (await client.answer()).body == b"GET /1 "
    assert (await client.answer()).status == 100
    await client.send(b"body")
    assert (await client.answer()).body == b"POST / body"


async def test_who_is_not_wanted_is_not_invited(hosting: Hosting) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"no", 413)

    client = await hosting.connect(await hosting.start(refuse))
    await client.send(post(b"body", "Expect: 100-continue")[:-4])
    assert (await client.rest()).count(b"HTTP/1.1") == 1


async def test_an_invitation_never_stands_within_an_answer(hosting: Hosting) -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        body = await body_of(receive)
        await send({"type": "http.response.body", "body": body})

    client = await hosting.connect(await hosting.start(early))
    await client.send(post(b"body", "Expect: 100-continue")[:-4])
    await client.send(b"body")
    assert (await client.answer()).body == b"begunbody"


async def test_an_old_client_is_not_invited(hosting: Hosting) -> None:
    client = await hosting.connect(await hosting.start())
    head = get("/", "Expect: 100-continue", "Content-Length: 4", version="1.0", method="POST")
    await client.send(head)
    await asyncio.sleep(0.02)
    await client.send(b"body")
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("size", [10, 1_000])
async def test_words_between_the_parts_of_a_body_are_bounded(hosting: Hosting, size: int) -> None:
    """Extensions of chunks and what follows the last one: nobody asks for them."""
    place = await hosting.start(head_bytes=5_000)
    beginning = get("/", "Transfer-Encoding: chunked", method="POST")
    for endless in (
        b"4;x=" + b"y" * 20_000,
        b"0\r\nX: " + b"y" * 20_000,
        b"0\r\n" + b"X: y\r\n" * 9_000,
    ):
        client = await hosting.connect(place)
        try:
            await client.send(beginning)
            await client.send(*(endless[n : n + size] for n in range(0, len(endless), size)))
            assert (await client.answer()).status == 431
        except ConnectionError:
            pass  # it has not waited for the end
        client.close()
        await until(lambda: not place.server.connections)


async def test_short_words_between_the_parts_of_a_body_are_passed_over(hosting: Hosting) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        names = b",".join(name for name, _ in scope["headers"])
        await answer(send, await body_of(receive) + b" " + names)

    client = await hosting.connect(await hosting.start(app))
    beginning = get("/", "Transfer-Encoding: chunked", method="POST")
    for _ in range(2):
        await client.send(beginning + b'2;a=b;c="d"\r\nab\r\n1\r\nc\r\n0\r\nX-Later: x\r\n\r\n')
        assert (await client.answer()).body == b"abc host,transfer-encoding"


async def test_tiny_chunks_arrive_whole(hosting: Hosting) -> None:
    client = await hosting.connect(await hosting.start(echo, head_bytes=1_000))
    await client.send(chunked(*[b"x"] * 20_000))
    assert (await client.answer()).body == b"POST / " + b"x" * 20_000

"""The deadline of request bodies, in front of the application."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, cast

import pytest

from eishro.cli.application import SLOWEST_BYTES_A_SECOND, BodyDeadline
from eishro.web.errors import BodyTooSlow

Message = dict[str, Any]


class Client:
    """Sends what it has and then nothing more; keeps what it is answered."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self.answers: list[Message] = []

    async def receive(self) -> Message:
        if not self._messages:
            await asyncio.get_running_loop().create_future()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.answers.append(message)


def _part(content: bytes, *, is_last: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": not is_last}


def _scope(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http", "headers": list(headers)}


async def _read_twice(_: Any, receive: Any, send: Any) -> None:
    """An application that reads two messages and answers."""
    await receive()
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _ask(client: Client, headers: Iterable[tuple[bytes, bytes]], app: Any) -> None:
    # No time at all: what is there is taken, what is waited for is late.
    await BodyDeadline(app, 0)(_scope(*headers), client.receive, client.send)


@pytest.mark.parametrize("header", [(b"content-length", b"9"), (b"transfer-encoding", b"chunked")])
async def test_a_body_that_does_not_arrive_is_refused_in_the_one_error_shape(
    header: tuple[bytes, bytes],
) -> None:
    client = Client(_part(b"half"))
    shown = [(b"accept-language", b"ar"), (b"x-request-id", b"my-own-request")]
    await _ask(client, [header, *shown], _read_twice)
    start, end = client.answers
    headers = dict(start["headers"])
    body = json.loads(end["body"])
    assert start["status"] == 408
    assert headers[b"x-request-id"] == b"my-own-request"
    assert headers[b"content-length"] == str(len(end["body"])).encode()
    assert (body["success"], body["error"]["code"]) == (False, "REQUEST_TIMEOUT")
    assert body["error"]["message"] == BodyTooSlow.words.ar


async def test_a_body_that_is_there_is_in_time() -> None:
    client = Client(_part(b"one"), _part(b"two", is_last=True))
    await _ask(client, [(b"content-length", b"6")], _read_twice)
    assert client.answers[0]["status"] == 200


async def test_a_body_that_comes_slowly_but_steadily_is_waited_for() -> None:
    parts = [_part(b"x" * SLOWEST_BYTES_A_SECOND * 10), _part(b"late", is_last=True)]

    async def receive() -> Message:
        if len(parts) == 1:
            await asyncio.sleep(0.02)
        return parts.pop(0)

    client, app = Client(), cast("Any", _read_twice)
    headers = [(b"content-length", b"40004")]
    await BodyDeadline(app, 0)(_scope(*headers), receive, client.send)
    assert client.answers[0]["status"] == 200


async def test_an_answer_of_the_application_s_own_goes_first() -> None:
    async def careful(_: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
        except BodyTooSlow:
            await send({"type": "http.response.start", "status": 499, "headers": []})

    client = Client()
    await _ask(client, [(b"content-length", b"6")], careful)
    assert [answer["status"] for answer in client.answers] == [499]


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"3")]])
async def test_after_the_body_a_client_may_be_silent(headers: list[tuple[bytes, bytes]]) -> None:
    client = Client(_part(b"", is_last=True))
    waiting = asyncio.ensure_future(_ask(client, headers, _read_twice))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    waiting.cancel()
    assert client.answers == []

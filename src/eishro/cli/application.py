"""What the server's processes load: the application behind the deadline of request bodies.

Falcon waits for a body's first bytes before it looks for a route, so the deadline stands in front
of it: a client that sends a head and then nothing would otherwise be waited for without end.
"""

import asyncio
import os
from typing import Any

from eishro import app
from eishro.clock import SystemClock
from eishro.settings import load
from eishro.web.errors import BodyTooSlow, error_body, status_of
from eishro.web.headers import language_from, request_id_from

# What comes so fast is waited for: a photograph from a weak network is no attack. Who wants to hold
# memory for long must send so much for each connection, all the time.
SLOWEST_BYTES_A_SECOND = 4_000
_BODY_HEADERS = (b"content-length", b"transfer-encoding")


def create() -> "BodyDeadline":
    """The application of this environment's settings."""
    return BodyDeadline(app.create(), load(os.environ).body_seconds)


def create_dev() -> "BodyDeadline":
    """The application of `eishro dev`, with the sandbox beside it."""
    return BodyDeadline(app.create_dev(), load(os.environ, is_dev=True).body_seconds)


class BodyDeadline:
    """An ASGI layer: a request's whole body arrives within `seconds` and what its size takes at
    `SLOWEST_BYTES_A_SECOND`, or it is refused.

    The stream raises `BodyTooSlow`; what the application does not answer itself is answered here.
    The server closes a connection whose body was not read to its end.
    """

    def __init__(self, inner: app.Application, seconds: int) -> None:
        self._inner = inner
        self._seconds = seconds

    async def __call__(self, scope: app.Scope, receive: app.Receive, send: app.Send) -> None:
        if scope["type"] != "http" or not any(
            name in _BODY_HEADERS for name, _ in scope["headers"]
        ):
            await self._inner(scope, receive, send)
            return
        try:
            await self._inner(scope, _Body(receive, self._seconds).receive, send)
        except BodyTooSlow as refusal:
            await _refuse(refusal, scope, send)


class _Body:
    """`receive` with a deadline until the body has ended."""

    def __init__(self, receive: app.Receive, seconds: int) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + seconds
        self._has_ended = False

    async def receive(self) -> Any:
        if self._has_ended:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow() from None
        self._has_ended = not message.get("more_body", False)
        self._until += len(message.get("body", b"")) / SLOWEST_BYTES_A_SECOND
        return message


async def _refuse(refusal: BodyTooSlow, scope: app.Scope, send: app.Send) -> None:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    at = SystemClock().now()
    body = error_body(
        refusal, language_from(headers.get(b"accept-language", b"").decode("latin-1")), at
    )
    request_id = request_id_from(headers.get(b"x-request-id"), at)
    await send(
        {
            "type": "http.response.start",
            "status": status_of(refusal),
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"x-request-id", request_id.encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})

"""Outward HTTP calls of a Worker, through `fetch`: the port `outward.Http`."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from eishro import __version__
from eishro.edge import runtime
from eishro.outward import HttpReply, NoReply

_HEADERS = {
    "User-Agent": f"eishro/{__version__}",
    "Content-Type": "application/json",
    "Accept": "application/json",
}


class FetchHttp:
    """POST through the runtime's `fetch`; no redirect is followed, nothing is cached or kept."""

    async def post_json(
        self,
        url: str,
        body: Mapping[str, object],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """POST `body` as JSON; a redirect is an answer like any other.

        Raises:
            NoReply: no complete answer within the time and size given. `fetch` does not tell how
                far it got, so what it refuses counts as sent, unless the address is unusable.
        """
        if not url.startswith(("https://", "http://")):
            raise NoReply("not an address of HTTP", sent=False)
        abort = runtime.js().AbortController.new()
        options = runtime.to_js(
            {
                "method": "POST",
                "redirect": "manual",
                "headers": {**_HEADERS, **(headers or {})},
                "body": msgspec.json.encode(body).decode(),
            }
        )
        options.signal = abort.signal
        try:
            async with asyncio.timeout(timeout_seconds):
                reply = await runtime.js().fetch(url, options)
                return HttpReply(int(reply.status), await _read(reply, limit_bytes))
        except TimeoutError as fault:
            raise NoReply("timed out", sent=True) from fault
        except runtime.js_error() as fault:
            raise NoReply(f"{fault}", sent=True) from fault
        finally:
            abort.abort()

    async def aclose(self) -> None:
        """Nothing stays open."""


async def _read(reply: Any, limit_bytes: int) -> bytes:
    if runtime.is_nothing(reply.body):
        return b""
    received = bytearray()
    reader = reply.body.getReader()
    while True:
        part = await reader.read()
        if part.done:
            return bytes(received)
        received += runtime.bytes_from_js(part.value)
        if len(received) > limit_bytes:
            raise NoReply(f"more than {limit_bytes} bytes", sent=True)

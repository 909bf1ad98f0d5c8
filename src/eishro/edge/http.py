"""Outward HTTP calls of a Worker, through `fetch`: the port `outward.Http`."""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from eishro import __version__
from eishro.edge import runtime
from eishro.outward import HttpReply, NoReply

_HEADERS = {
    "user-agent": f"eishro/{__version__}",
    "accept": "application/json",
}
_JSON = {"content-type": "application/json"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class FetchHttp:
    """Calls through the runtime's `fetch`; no redirect is followed, nothing is cached or kept."""

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """GET the address; errors as in `post_json`."""
        return await _ask({"method": "GET"}, url, {}, headers, timeout_seconds, limit_bytes)

    async def send(
        self,
        method: Literal["POST", "PUT"],
        url: str,
        content: bytes,
        *,
        headers: Mapping[str, str],
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """Send `content`, UTF-8 text, as it is; errors as in `post_json`."""
        options = {"method": method, "body": content.decode()}
        return await _ask(options, url, {}, headers, timeout_seconds, limit_bytes)

    async def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """POST `form` as a browser sends one; errors as in `post_json`."""
        options = {"method": "POST", "body": urlencode(form)}
        return await _ask(options, url, _FORM, headers, timeout_seconds, limit_bytes)

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
        options = {"method": "POST", "body": msgspec.json.encode(body).decode()}
        return await _ask(options, url, _JSON, headers, timeout_seconds, limit_bytes)

    async def aclose(self) -> None:
        """Nothing stays open."""


async def _ask(
    request: Mapping[str, str],
    url: str,
    content_type: Mapping[str, str],
    headers: Mapping[str, str] | None,
    timeout_seconds: float,
    limit_bytes: int,
) -> HttpReply:
    if not url.startswith(("https://", "http://")):
        raise NoReply("not an address of HTTP", sent=False, is_silence=False)
    # Names in one case: two spellings of one header would be sent as one with two values.
    own = {name.lower(): value for name, value in (headers or {}).items()}
    abort = runtime.js().AbortController.new()
    options = runtime.to_js(
        {**request, "redirect": "manual", "headers": {**_HEADERS, **content_type, **own}}
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
            raise NoReply(f"more than {limit_bytes} bytes", sent=True, is_silence=False)

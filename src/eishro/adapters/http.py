"""Outward HTTP calls of a server, through httpx: the port `outward.Http`.

No redirect is followed and no cookie kept, neither proxies nor passwords are taken from the
environment or from .netrc: a call carries what its adapter wrote and goes where it said.
"""

import asyncio
import functools
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import httpx
import msgspec

from eishro import __version__
from eishro.outward import HttpReply, NoReply

CONNECT_SECONDS_MAX = 5.0
CONNECTIONS_MAX = 400
CONNECTIONS_OF_ONE_MAX = 50  # to one host: one that does not answer leaves room for the others
KEEPALIVE_SECONDS = 5.0  # short, since a gateway that hangs up first leaves us with "unknown"

_HEADERS = {
    "User-Agent": f"eishro/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a small compressed body can be a very large one
}
_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class HttpxHttp:
    """One pool of connections for all adapters; `aclose` it at the end."""

    def __init__(self) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(
            headers=_HEADERS,
            cookies=no_cookies,
            limits=httpx.Limits(
                max_connections=CONNECTIONS_MAX, keepalive_expiry=KEEPALIVE_SECONDS
            ),
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(),
        )
        self._rooms = WeakValueDictionary[str, asyncio.Semaphore]()  # of hosts that are spoken to

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """GET the address; times, sizes and errors as in `post_json`."""
        asked = httpx.Headers(headers)
        return await self._ask("GET", url, None, asked, timeout_seconds, limit_bytes)

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
        """Send `content` as it is; times, sizes and errors as in `post_json`."""
        asked = httpx.Headers(headers)
        return await self._ask(method, url, content, asked, timeout_seconds, limit_bytes)

    async def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 30.0,
        limit_bytes: int = 4_000_000,
    ) -> HttpReply:
        """POST `form` as a browser sends one; times, sizes and errors as in `post_json`."""
        asked = httpx.Headers({**_FORM, **(headers or {})})
        content = urlencode(form).encode()
        return await self._ask("POST", url, content, asked, timeout_seconds, limit_bytes)

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

        Args:
            timeout_seconds: for everything, from the first packet to the last byte; connecting
                has `CONNECT_SECONDS_MAX` of it.
            limit_bytes: of the body, unpacked.

        Raises:
            NoReply: no complete answer within the time and size given.
        """
        asked = httpx.Headers(_JSON)
        asked.update(headers)  # an adapter may name a type of its own, however it writes the name
        content = msgspec.json.encode(body)
        return await self._ask("POST", url, content, asked, timeout_seconds, limit_bytes)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _ask(
        self,
        method: str,
        url: str,
        content: bytes | None,
        headers: httpx.Headers,
        timeout_seconds: float,
        limit_bytes: int,
    ) -> HttpReply:
        progress = _Progress()
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(
                    method, url, content, headers, timeout_seconds, limit_bytes, progress
                )
        except TimeoutError as fault:
            raise NoReply("timed out", sent=progress.sent, is_silence=progress.began) from fault
        except httpx.LocalProtocolError as fault:  # e.g. a line break in a header: not written
            raise NoReply(
                f"the request cannot be written: {fault}", sent=False, is_silence=False
            ) from fault
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as fault:
            raise NoReply(
                f"{type(fault).__name__}: {fault}", sent=progress.sent, is_silence=progress.began
            ) from fault

    async def _exchange(
        self,
        method: str,
        url: str,
        content: bytes | None,
        headers: httpx.Headers,
        timeout_seconds: float,
        limit_bytes: int,
        progress: "_Progress",
    ) -> HttpReply:
        target = httpx.URL(url)
        if not 0 <= (target.port or 0) < 65_536:  # which httpx lets the socket trip over
            raise httpx.InvalidURL("no such port")
        timeout = httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS_MAX, timeout_seconds))
        calling = self._client.stream(
            method,
            target,
            content=content,
            headers=headers,
            timeout=timeout,
            extensions={"trace": progress.note},
        )
        async with self._room_for(target.netloc.decode()), calling as reply:
            received = bytearray()
            async for part in reply.aiter_bytes():
                received += part
                if len(received) > limit_bytes:
                    raise NoReply(f"more than {limit_bytes} bytes", sent=True, is_silence=False)
            return HttpReply(reply.status_code, bytes(received))

    def _room_for(self, host: str) -> asyncio.Semaphore:
        room = self._rooms.get(host)
        if room is None:
            self._rooms[host] = room = asyncio.Semaphore(CONNECTIONS_OF_ONE_MAX)
        return room


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The authorities whose certificates we take; reading them costs tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)


class _Progress:
    """How far a request got: from the moment its first byte is written, it may have arrived. One
    that never began waited for a connection of ours, or had an address that cannot be used.
    """

    def __init__(self) -> None:
        self.began = False
        self.sent = False

    async def note(self, event: str, _details: object) -> None:
        """Called by httpx's transport at each step."""
        self.began = True
        if event.endswith("send_request_headers.started"):
            self.sent = True

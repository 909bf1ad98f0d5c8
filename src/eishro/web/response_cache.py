"""Public answers kept as bytes, in front of everything else.

Kept are answers of public GET routes to callers without credentials, under path, query and
language. An answer of one store is checked against the store's version row at every use, which
whoever changes what the public sees moves in the same batch: it is right across processes and
has no life time. An answer over several stores lives `WebRules.staleness_seconds`. The timestamp is
spliced in; the ETag covers the data alone. Limits count every request as without a cache.

Requests that wait in the same turn of the event loop share one look at a store's version: all of
them had come before it, so none is answered what was outdated when it was sent.

An answer's lines are rendered once, when it is kept; a server that takes whole answers
(`eishro.server.exchange`) gets them as they are, others get ASGI's pairs.
"""

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any

from eishro.addresses import network_of
from eishro.db.database import DatabaseBusy
from eishro.db.keyvalue import KeyValueUnavailable
from eishro.domain.stores import sql as stores
from eishro.server.exchange import WHOLE_ANSWER
from eishro.web import wire
from eishro.web.headers import (
    NO_CONTENT,
    address_behind,
    allow_origin,
    language_from,
    matches_etag,
    request_id_from,
    security_headers,
)
from eishro.web.routes import Call, Door, Rate, Reply, unfinished

ENTRY_BYTES_MAX = 1_000_000  # a larger answer is not kept
SLOT = "eishro.slot"  # where the scope carries the place for an answer
_OVERHEAD = 400  # bytes of an entry besides its own, about
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-order-token"})

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Entry:
    """An answer up to its timestamp, and what says whether it is still right. `lines` of its head
    are those that are the same for everybody.
    """

    __slots__ = ("body", "etag", "lines", "made", "store_id", "version")

    def __init__(self, body: bytes, etag: str, store_id: int | None, version: int) -> None:
        self.body = body
        self.lines = b""
        self.etag = etag
        self.store_id = store_id
        self.version = version
        self.made = monotonic()


class Slot:
    """Goes down with a request; comes back with what may be kept of the answer."""

    __slots__ = ("entry",)

    def __init__(self) -> None:
        self.entry: Entry | None = None


def offer(call: Call, reply: Reply, data: bytes, etag: str) -> None:
    """Called where an answer is made: keep it, if it is everybody's."""
    slot: Slot | None = call.request.scope.get(SLOT)
    if slot is None or not call.route.is_kept or call.caller is not None or reply.status != 200:
        return
    # The version was read with the data or before, never after.
    if call.store_id is not None and call.version is None:
        return
    slot.entry = Entry(
        unfinished(data, reply, call.language), etag, call.store_id, call.version or 0
    )


class ResponseCache:
    """The ASGI layer; `bytes_max` bounds what one process keeps, oldest use goes first."""

    def __init__(self, app: App, door: Door, bytes_max: int) -> None:
        self._app = app
        self._door = door
        self._bytes_max = bytes_max
        always = security_headers(is_secure=door.rules.is_secure)
        self._always = _rendered(
            [
                (b"content-type", b"application/json"),
                (b"cache-control", b"no-cache"),
                *((name.lower().encode(), value.encode()) for name, value in always),
                (b"content-security-policy", NO_CONTENT.encode()),
            ]
        )
        self._bytes = 0
        self._entries: OrderedDict[tuple[str, bytes, bool], Entry] = OrderedDict()
        self._seen: dict[int, int | None] = {}  # versions of stores, in this turn of the loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not _CREDENTIALS.isdisjoint(headers):
            await self._app(scope, receive, send)
            return
        is_arabic = language_from(headers.get(b"accept-language", b"").decode("latin-1")) == "ar"
        key = (scope["path"], scope["query_string"], is_arabic)
        entry = self._entries.get(key)
        if entry is not None and await self._answer(key, entry, scope, headers, send):
            return
        slot = scope[SLOT] = Slot()
        await self._app(scope, receive, send)
        if slot.entry is not None:
            self._keep(key, slot.entry)

    async def _answer(
        self,
        key: tuple[str, bytes, bool],
        entry: Entry,
        scope: Scope,
        headers: dict[bytes, bytes],
        send: Send,
    ) -> bool:
        """Answer from the entry, if it is still right and the caller within the limits."""
        is_right = await self._is_right(entry)
        is_kept = self._entries.get(key) is entry  # others may have found it outdated meanwhile
        if not is_right:
            if is_kept:
                self._drop(key)
            return False
        if is_kept:
            self._entries.move_to_end(key)
        rules, now = self._door.rules, self._door.clock.now()
        shown = headers.get(b"if-none-match")
        is_known = shown is not None and matches_etag(shown.decode("latin-1"), entry.etag)
        limits = b""
        if not is_known and rules.anonymous is not None:  # 304 is outside the rate limits
            counted = await self._count(rules.anonymous, scope)
            if counted is None:
                return False
            limits = counted
        lines = b"%bx-request-id: %b\r\n%b%b" % (
            entry.lines,
            request_id_from(headers.get(b"x-request-id"), now).encode(),
            _origin_lines(rules.cors_origins, headers.get(b"origin")),
            limits,
        )
        if is_known:
            await _send_whole(scope, send, 304, lines, b"")
            return True
        body = b"".join((entry.body, wire.encode(now), b"}"))
        lines += b"content-length: %d\r\n" % len(body)
        await _send_whole(scope, send, 200, lines, body)
        return True

    async def _is_right(self, entry: Entry) -> bool:
        store_id = entry.store_id
        if store_id is None:
            return monotonic() < entry.made + self._door.rules.staleness_seconds
        seen = self._seen
        if store_id in seen:
            return seen[store_id] == entry.version
        if not seen:
            # Runs before whatever is received from now on, and after all that waits already.
            asyncio.get_running_loop().call_soon(self._look_again)
        try:
            version = await stores.find_version(self._door.shop.db, store_id)
        except DatabaseBusy:
            return False
        seen[store_id] = version  # nobody's any more where a turn has passed meanwhile
        return version == entry.version

    def _look_again(self) -> None:
        self._seen = {}

    def _counter(self, scope: Scope) -> str:
        client = scope.get("client")
        address = client[0] if client else "unknown"
        proxies = self._door.rules.trusted_proxies
        if proxies:
            # Each proxy may have written a line of its own.
            hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            address = address_behind(address, b",".join(hops).decode("latin-1"), proxies)
        return f"rate:general:a{network_of(address)}"

    async def _count(self, rate: Rate, scope: Scope) -> bytes | None:
        """Count the request; what the answer says of it, None beyond the limit."""
        try:
            counter = self._counter(scope)
            count = await self._door.shop.kv.increment(counter, rate.seconds)
        except KeyValueUnavailable:
            return b""  # without counters the shop goes on selling
        if count.value > rate.requests:
            return None
        return b"ratelimit-limit: %d\r\nratelimit-remaining: %d\r\nratelimit-reset: %d\r\n" % (
            rate.requests,
            rate.requests - count.value,
            max(1, int(count.seconds_left + 0.999)),
        )

    def _keep(self, key: tuple[str, bytes, bool], entry: Entry) -> None:
        if len(entry.body) > min(ENTRY_BYTES_MAX, self._bytes_max):
            return
        self._drop(key)
        entry.lines = b"%betag: %b\r\n" % (self._always, entry.etag.encode())
        self._entries[key] = entry
        self._bytes += _cost(key, entry)
        while self._bytes > self._bytes_max:
            oldest, dropped = self._entries.popitem(last=False)
            self._bytes -= _cost(oldest, dropped)

    def _drop(self, key: tuple[str, bytes, bool]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _cost(key, entry)


def _rendered(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


@functools.lru_cache(maxsize=100)
def _origin_lines(origins: tuple[str, ...], origin: bytes | None) -> bytes:
    """What a browser of this origin needs; what caches have to tell answers apart by."""
    headers: Headers = []
    vary = b"Accept-Language, Authorization"
    if origins:
        vary += allow_origin(origins, origin, headers)
    return _rendered([*headers, (b"vary", vary)])


async def _send_whole(scope: Scope, send: Send, status: int, lines: bytes, body: bytes) -> None:
    if WHOLE_ANSWER in scope.get("extensions", ()):
        await send({"type": WHOLE_ANSWER, "status": status, "lines": lines, "body": body})
        return
    headers = [line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1]]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _cost(key: tuple[str, bytes, bool], entry: Entry) -> int:
    return len(entry.body) + len(entry.lines) + len(key[0]) + len(key[1]) + _OVERHEAD

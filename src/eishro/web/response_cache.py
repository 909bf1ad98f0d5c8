"""Public answers kept as bytes, in front of everything else.

Kept are answers of public GET routes to callers without credentials, under path, query and
language. An answer of one store is checked against the store's version row at every use, which
whoever changes what the public sees moves in the same batch: it is right across processes and
has no life time. An answer over several stores lives `WebRules.staleness_seconds`. The timestamp is
spliced in; the ETag covers the data alone. Limits count every request as without a cache.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any

from eishro.addresses import network_of
from eishro.db.database import DatabaseBusy
from eishro.db.keyvalue import KeyValueUnavailable
from eishro.domain.stores import sql as stores
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
_OVERHEAD = 400  # bytes of an entry besides its body, about
_CREDENTIALS = (b"authorization", b"x-api-key", b"x-order-token")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Entry:
    """An answer up to its timestamp, and what says whether it is still right."""

    __slots__ = ("body", "etag", "made", "store_id", "version")

    def __init__(self, body: bytes, etag: str, store_id: int | None, version: int) -> None:
        self.body = body
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
        self._always: Headers = [
            (name.lower().encode(), value.encode())
            for name, value in (*always, ("Content-Security-Policy", NO_CONTENT))
        ]
        self._bytes = 0
        self._entries: OrderedDict[tuple[str, bytes, bool], Entry] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if any(name in headers for name in _CREDENTIALS):
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
        if not await self._is_right(entry):
            self._drop(key)
            return False
        self._entries.move_to_end(key)
        door, now = self._door, self._door.clock.now()
        answer: Headers = [
            (b"content-type", b"application/json"),
            (b"x-request-id", request_id_from(headers.get(b"x-request-id"), now).encode()),
            (b"etag", entry.etag.encode()),
            (b"cache-control", b"no-cache"),
            *self._always,
        ]
        vary = b"Accept-Language, Authorization"
        if door.rules.cors_origins:
            vary += allow_origin(door.rules.cors_origins, headers.get(b"origin"), answer)
        answer.append((b"vary", vary))
        shown = headers.get(b"if-none-match")
        if shown is not None and matches_etag(shown.decode("latin-1"), entry.etag):
            # Outside the rate limits, so not even counted.
            await send({"type": "http.response.start", "status": 304, "headers": answer})
            await send({"type": "http.response.body", "body": b""})
            return True
        rate = door.rules.anonymous
        if rate is not None and not await self._count(rate, scope, headers, answer):
            return False
        body = b"".join((entry.body, wire.encode(now), b"}"))
        answer.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": answer})
        await send({"type": "http.response.body", "body": body})
        return True

    async def _is_right(self, entry: Entry) -> bool:
        if entry.store_id is None:
            return monotonic() < entry.made + self._door.rules.staleness_seconds
        try:
            version = await stores.find_version(self._door.shop.db, entry.store_id)
        except DatabaseBusy:
            return False
        return version == entry.version

    def _counter(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        client = scope.get("client")
        peer = client[0] if client else "unknown"
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        address = address_behind(peer, forwarded, self._door.rules.trusted_proxies)
        return f"rate:general:a{network_of(address)}"

    async def _count(
        self, rate: Rate, scope: Scope, headers: dict[bytes, bytes], answer: Headers
    ) -> bool:
        """Count the request and say so in the answer; False: beyond the limit."""
        try:
            counter = self._counter(scope, headers)
            count = await self._door.shop.kv.increment(counter, rate.seconds)
        except KeyValueUnavailable:
            return True  # without counters the shop goes on selling
        if count.value > rate.requests:
            return False
        left = max(1, int(count.seconds_left + 0.999))
        answer += [
            (b"ratelimit-limit", str(rate.requests).encode()),
            (b"ratelimit-remaining", str(rate.requests - count.value).encode()),
            (b"ratelimit-reset", str(left).encode()),
        ]
        return True

    def _keep(self, key: tuple[str, bytes, bool], entry: Entry) -> None:
        if len(entry.body) > min(ENTRY_BYTES_MAX, self._bytes_max):
            return
        self._drop(key)
        self._entries[key] = entry
        self._bytes += _cost(key, entry)
        while self._bytes > self._bytes_max:
            oldest, dropped = self._entries.popitem(last=False)
            self._bytes -= _cost(oldest, dropped)

    def _drop(self, key: tuple[str, bytes, bool]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _cost(key, entry)


def _cost(key: tuple[str, bytes, bool], entry: Entry) -> int:
    return len(entry.body) + len(key[0]) + len(key[1]) + _OVERHEAD

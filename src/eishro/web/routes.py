"""What a row of the route table is, and what handlers get and give."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import falcon.asgi
import msgspec

from eishro.clock import Clock
from eishro.db import idempotency
from eishro.db.audit import Actor
from eishro.db.statements import Statement
from eishro.domain.accounts.model import Caller
from eishro.domain.accounts.tokens import AccessTokens
from eishro.errors import Words
from eishro.flows.shop import Shop
from eishro.web import wire

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")

RateClass = Literal["general", "payments", "none"]


class Rate(msgspec.Struct, frozen=True):
    """So many requests in so many seconds."""

    requests: int
    seconds: int


class WebRules(msgspec.Struct, frozen=True, kw_only=True):
    """What settings say about the door. A rate of None is off."""

    authenticated: Rate | None = Rate(1000, 3600)
    anonymous: Rate | None = Rate(100, 3600)
    payments: Rate | None = Rate(50, 3600)
    body_bytes_max: int = 1_000_000
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    is_development: bool = False
    is_secure: bool = False  # people come by https
    response_cache_bytes: int = 0
    staleness_seconds: float = 1.0  # of kept answers over several stores


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """The shop and what only the HTTP door needs."""

    shop: Shop
    tokens: AccessTokens
    rules: WebRules
    clock: Clock
    background: Callable[[Awaitable[object]], None]
    # What gateways are asked because of browsers and have not answered yet, and since when.
    questions: dict[asyncio.Future[Any], tuple[str, datetime]] = msgspec.field(default_factory=dict)


class Page(msgspec.Struct, frozen=True):
    """A list's place in the whole."""

    page: int
    limit: int
    total: int
    next_cursor: str | None = None


DONE = Words("Done.", "تم.")


class Reply(msgspec.Struct, frozen=True):
    """A handler's answer inside the envelope."""

    data: object
    status: int = 200
    message: Words = DONE
    page: Page | None = None


class Raw(msgspec.Struct, frozen=True):
    """A handler's answer as it is, without the envelope (pages, files, gateway replies)."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = {}


class Call:
    """One request on its way through a route."""

    __slots__ = (
        "address",
        "body_bytes",
        "caller",
        "door",
        "found",
        "idempotency_key",
        "is_refused",
        "language",
        "once_answer",
        "params",
        "request",
        "request_id",
        "route",
        "session_id",
        "store_id",
        "version",
    )

    def __init__(
        self,
        door: Door,
        route: "Route",
        request: falcon.asgi.Request,
        params: Mapping[str, str],
        request_id: str,
        address: str,
        language: str,
    ) -> None:
        self.door = door
        self.route = route
        self.request = request
        self.params = params
        self.request_id = request_id
        self.address = address
        self.language = language
        self.caller: Caller | None = None
        self.session_id: str | None = None
        self.store_id: int | None = None
        # The version of the store's public answers, read with or before what is answered.
        self.version: int | None = None
        self.found: dict[str, Any] = {}
        # What was asked for is not the caller's, also where the answer says that it is not there.
        self.is_refused = False
        self.idempotency_key: str | None = None
        self.body_bytes = b""
        self.once_answer: tuple[int, bytes] | None = None

    @property
    def shop(self) -> Shop:
        """The assembled application."""
        return self.door.shop

    @property
    def actor(self) -> Actor:
        """Who acts, for the audit trail."""
        name = self.caller.name if self.caller else "guest"
        return Actor(name=name, request_id=self.request_id, address=self.address)

    @property
    def store(self) -> int:
        """The store the route is about; set by the route's permission."""
        if self.store_id is None:
            raise LookupError("this route has no store")
        return self.store_id

    def once(self, view: Callable[[Any], Reply]) -> "RequestOnce":
        """The request's idempotency key for a flow; `view` makes the answer of its result."""
        return RequestOnce(self, view)


class RequestOnce:
    """`Once` for a request: keeps the very bytes that are answered."""

    def __init__(self, call: Call, view: Callable[[Any], Reply]) -> None:
        self._call = call
        self._view = view
        self._kept: tuple[object, Reply] | None = None

    def claim(self, result: object) -> tuple[Statement, ...]:
        """Statements that take the key and keep the answer; none without a key."""
        call = self._call
        if call.idempotency_key is None:
            return ()
        now = call.door.clock.now()
        reply = self._view(result)
        self._kept = result, reply
        body = envelope(reply, call.language, now)
        call.once_answer = (reply.status, body)
        sealed = call.route.has_secret
        kept = call.shop.keyring.seal("idempotency", body) if sealed else body.decode()
        return idempotency.claim(
            idempotency_scope(call),
            call.idempotency_key,
            fingerprint(call.body_bytes),
            (reply.status, kept),
            sealed=sealed,
            now=now,
            expires_at=now + call.shop.rules.idempotency,
        )

    def reply(self, result: object) -> Reply:
        """The answer for the handler to return."""
        if self._kept is not None and self._kept[0] is result:
            return self._kept[1]
        return self._view(result)


Handler = Callable[..., Awaitable[Reply | Raw]]
Check = Callable[[Call], Awaitable[None]]


class Needs(msgspec.Struct, frozen=True):
    """Who may come in: a name for the docs and the matrix test, and the check itself.

    `before_faults` is what a quick check left to the handler; it is made up for before faults of
    the body are told. `ignores_identity`: it makes no difference who asks. `takes_order_token`: who
    shows an order's token comes in with it.
    """

    name: str
    check: Check
    before_faults: Check | None = None
    ignores_identity: bool = False
    takes_order_token: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `web/api.py`.

    `body` and `query` are structs handed to the handler by that name; `answer` is the type of
    `data` (for OpenAPI). `is_kept` answers to strangers follow the store's version row alone (or
    no store), so the response cache may keep them. `has_secret` answers are kept sealed for
    idempotent repeats. `form`: the fields beside the part `file` of a multipart form, which the
    handler reads itself (`web/forms.py`). `may_redirect`: a browser may be sent elsewhere instead
    of answered. `also` is another type that a query parameter asks for.
    """

    method: str
    path: str
    handler: Handler
    needs: Needs
    summary: str
    tag: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    rate: RateClass = "general"
    idempotent: bool = False
    has_secret: bool = False
    is_public_read: bool = False
    is_kept: bool = False
    is_enveloped: bool = True
    takes_raw_body: bool = False
    form: type[msgspec.Struct] | None = None
    may_redirect: bool = False
    also: str | None = None


def fingerprint(body: bytes) -> str:
    """What makes two requests with one key the same request."""
    return hashlib.sha256(body).hexdigest()


def idempotency_scope(call: Call) -> str:
    """Whose key it is and for what: caller (or guest), method and path, the store by its id."""
    who = call.caller.name if call.caller else "guest"
    params = dict(call.params)
    if "store_id" in params and call.store_id is not None:
        params["store_id"] = str(call.store_id)
    place = _PARAMETER.sub(lambda found: params[found[1]], call.route.path)
    return f"{who} {call.request.method} {place}"


def envelope(reply: Reply, language: str, at: datetime) -> bytes:
    """The success shape of api.md."""
    return wrap(wire.encode(reply.data), reply, language, at)


def wrap(data: bytes, reply: Reply, language: str, at: datetime) -> bytes:
    """The envelope around data that is encoded already."""
    return b"".join((unfinished(data, reply, language), wire.encode(at), b"}"))


def unfinished(data: bytes, reply: Reply, language: str) -> bytes:
    """The envelope up to its timestamp, which is the last thing in it."""
    message = wire.encode(reply.message.in_(language))
    page = b"" if reply.page is None else b',"pagination":' + _pagination(reply.page)
    return b"".join(
        (
            b'{"success":true,"data":',
            data,
            page,
            b',"message":',
            message,
            b',"timestamp":',
        )
    )


def _pagination(page: Page) -> bytes:
    shown: dict[str, object] = {
        "page": page.page,
        "limit": page.limit,
        "total": page.total,
        "totalPages": -(-page.total // page.limit),
    }
    if page.next_cursor is not None:
        shown["nextCursor"] = page.next_cursor
    return wire.encode(shown)

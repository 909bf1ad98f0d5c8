"""From a Falcon request to a handler and back: the same steps for every route.

request id → address → session → rate limit → permission → idempotent repeat → body → handler →
envelope. Every refusal leaves through `web/errors.py`; anything else that is raised is a fault
of ours, logged with the request id.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import falcon
import falcon.asgi
import msgspec
import structlog

from eishro.addresses import network_of
from eishro.db import idempotency
from eishro.db.keyvalue import KeyValueUnavailable
from eishro.db.statements import Batch
from eishro.domain.accounts import api_keys
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import TokenExpired
from eishro.errors import Forbidden, Invalid, Limited, NotFound, ShopError, Unauthenticated
from eishro.flows import refusals
from eishro.keyring import BadSeal
from eishro.web import response_cache, wire
from eishro.web.errors import (
    BadRequest,
    KeyReused,
    PayloadTooLarge,
    UnsupportedMediaType,
    error_body,
    fault_body,
    status_of,
)
from eishro.web.faults import expected, find_faults, is_text
from eishro.web.headers import address_behind, language_from, matches_etag, request_id_from
from eishro.web.routes import (
    Call,
    Door,
    Rate,
    Raw,
    Reply,
    Route,
    fingerprint,
    idempotency_scope,
    wrap,
)

_LOG = structlog.get_logger("eishro.web")
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")
_JSON = "application/json"
SUBJECT_LENGTH_MAX = 200  # of a path in the trail
BUSY_RETRY_SECONDS = 5


class Dispatcher:
    """Carries requests through one route; made once for each row of the table."""

    def __init__(self, door: Door, route: Route) -> None:
        self._door = door
        self._route = route
        self._decoder = wire.decoder_for(route.body) if route.body else None
        self._shows_one_thing = (
            route.method in ("GET", "PUT")
            and isinstance(route.answer, type)
            and issubclass(route.answer, msgspec.Struct)
        )
        self._has_required_members = route.body is not None and any(
            field.required for field in msgspec.structs.fields(route.body)
        )

    async def __call__(
        self, request: falcon.asgi.Request, response: falcon.asgi.Response, **params: str
    ) -> None:
        door = self._door
        door.shop.traffic.requests += 1
        call = Call(
            door,
            self._route,
            request,
            params,
            request_id_of(request, door),
            address_of(request, door.rules.trusted_proxies),
            language_of(request),
        )
        response.set_header("X-Request-ID", call.request_id)
        # Every line logged on the way, background work included, carries the id.
        structlog.contextvars.bind_contextvars(request_id=call.request_id)
        try:
            if any(not value.isprintable() for value in params.values()):
                raise NotFound()  # no id holds control characters, and no database takes them
            answer = await self._answer(call, response)
            await self._send(call, response, answer)
        except ShopError as refusal:
            send_refusal(refusal, call.language, door, response)
        except falcon.HTTPError:  # a header that Falcon cannot read, met while handling
            send_refusal(BadRequest(), call.language, door, response)
        except Exception:  # noqa: BLE001 - the last net: the caller learns nothing but the id
            _LOG.exception("fault", path=request.path)
            response.status = 500
            response.content_type = _JSON
            response.data = fault_body(call.request_id, call.language, door.clock.now())

    async def _answer(self, call: Call, response: falcon.asgi.Response) -> Reply | Raw:
        route = self._route
        failed: Unauthenticated | None = None
        try:
            await identify(call)
        except Unauthenticated as error:
            failed = error  # still counted against the address, then refused
        if route.rate != "none":
            await self._limit(call, response)
        if failed is not None and not _may_be_nobody(call):
            if not isinstance(failed, TokenExpired):
                await _note_refusal(call, "credential")
            raise failed
        try:
            await route.needs.check(call)
        except ShopError as refusal:
            if call.is_refused or isinstance(refusal, Forbidden):
                await _note_refusal(call, "permission")
            raise
        if route.method in ("POST", "PUT", "DELETE"):
            call.body_bytes = await read_body(call)
        if route.idempotent:
            return await self._once(call, response)
        return await self._handle(call)

    async def _once(self, call: Call, response: falcon.asgi.Response) -> Reply | Raw:
        """Handle the request; a repeat gets the stored answer instead of any refusal.

        Nothing is looked up first: the claim in the batch refuses a repeat, and so does
        whatever else a repeat may meet (the last piece is gone, the account is there).
        """
        key = call.request.get_header("Idempotency-Key")
        if key is None:
            return await self._handle(call)
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise BadRequest(details={"Idempotency-Key": "1 to 200 visible characters"})
        call.idempotency_key = key
        try:
            answer = await self._handle(call)
        except ShopError:
            repeat = await self._repeat(call, response)
            if repeat is not None:
                return repeat
            raise
        if call.once_answer is not None:
            status, body = call.once_answer
            return Raw(body, status=status)
        # Nothing was left to do: the request that did it may have been this one.
        return await self._repeat(call, response) or answer

    async def _repeat(self, call: Call, response: falcon.asgi.Response) -> Raw | None:
        stored = await call.shop.db.one(
            idempotency.FIND,
            scope=idempotency_scope(call),
            key=call.idempotency_key,
            now=call.door.clock.now(),
        )
        if stored is None:
            return None
        if stored.fingerprint != fingerprint(call.body_bytes):
            raise KeyReused()
        response.set_header("Idempotent-Replayed", "true")
        if not stored.is_sealed:
            return Raw(stored.body.encode(), status=stored.status)
        try:
            return Raw(call.shop.keyring.open("idempotency", stored.body), status=stored.status)
        except BadSeal as error:
            raise KeyReused() from error

    async def _handle(self, call: Call) -> Reply | Raw:
        values: dict[str, Any] = {}
        if self._decoder is not None:
            try:
                values["body"] = self._decode(call, self._decoder)
            except ShopError:
                if self._route.needs.before_faults is not None:
                    await self._route.needs.before_faults(call)
                raise
        if self._route.query is not None:
            values["query"] = read_query(self._route.query, call.request)
        return await self._route.handler(call, **values)

    def _decode(self, call: Call, decoder: "msgspec.json.Decoder[Any]") -> object:
        body = call.body_bytes
        if not body and not self._has_required_members:
            body = b"{}"
        sent = call.request.content_type
        if sent is not None and sent.partition(";")[0].strip().lower() != _JSON:
            raise UnsupportedMediaType()
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError, ArithmeticError):
            pass
        try:
            value = wire.decode_any(body)
        except (msgspec.DecodeError, ValueError, RecursionError, ArithmeticError) as error:
            raise BadRequest() from error
        if not isinstance(value, dict):
            raise BadRequest()
        raise Invalid(find_faults(self._route.body, value))

    async def _limit(self, call: Call, response: falcon.asgi.Response) -> None:
        rate = self._rate(call)
        if rate is None:
            return
        who = f"u{call.caller.name}" if call.caller else f"a{network_of(call.address)}"
        key = f"rate:{self._route.rate}:{who}"
        try:
            count = await call.shop.kv.increment(key, rate.seconds)
        except KeyValueUnavailable:
            # Without counters the shop goes on selling; the outage is seen in the logs.
            _LOG.warning("rate_limit_unavailable")
            return
        call.found["rate_key"] = (key, rate.seconds)
        seconds_left = max(1, int(count.seconds_left + 0.999))
        response.set_header("RateLimit-Limit", str(rate.requests))
        response.set_header("RateLimit-Remaining", str(max(0, rate.requests - count.value)))
        response.set_header("RateLimit-Reset", str(seconds_left))
        if count.value > rate.requests:
            raise Limited(seconds_left)

    def _rate(self, call: Call) -> Rate | None:
        rules = self._door.rules
        if self._route.rate == "payments":
            return rules.payments
        return rules.authenticated if call.caller else rules.anonymous

    async def _send(self, call: Call, response: falcon.asgi.Response, answer: Reply | Raw) -> None:
        if isinstance(answer, Raw):
            response.status = answer.status
            response.content_type = answer.content_type
            response.data = answer.body
            for name, value in answer.headers.items():
                # Falcon sets no cookie this way, but appends one.
                if name == "Set-Cookie":
                    response.append_header(name, value)
                else:
                    response.set_header(name, value)
            tag = answer.headers.get("ETag")
            if tag and matches_etag(call.request.get_header("If-None-Match"), tag):
                response.status, response.data = 304, None
                await self._uncount(call)
            return
        response.status = answer.status
        response.content_type = _JSON
        data = wire.encode(answer.data)
        if self._route.method == "GET" and self._route.is_public_read:
            tag = etag_of(data)
            response.set_header("ETag", tag)
            response.set_header("Cache-Control", "no-cache")
            response.set_header("Vary", "Accept-Language, Authorization")
            response_cache.offer(call, answer, data, tag)
            if matches_etag(call.request.get_header("If-None-Match"), tag):
                response.status = 304
                await self._uncount(call)
                return
        elif self._shows_one_thing:
            # What `If-Match` of the next change may name.
            response.set_header("ETag", etag_of(data))
        response.data = wrap(data, answer, call.language, self._door.clock.now())

    async def _uncount(self, call: Call) -> None:
        """An answer of 304 is outside the rate limits."""
        if "rate_key" in call.found:
            key, seconds = call.found["rate_key"]
            try:
                await call.shop.kv.increment(key, seconds, -1)
            except KeyValueUnavailable:
                _LOG.warning("rate_limit_unavailable")


async def _note_refusal(call: Call, wrong: str) -> None:
    """A line of the trail: of the store's own for its people, else of the platform's."""
    knows = call.caller is not None and call.caller.works_in(call.store_id)
    subject = f"{call.request.method} {call.request.path}"[:SUBJECT_LENGTH_MAX]
    await refusals.note(
        call.shop, call.actor, wrong, subject, store_id=call.store_id if knows else None
    )


def _may_be_nobody(call: Call) -> bool:
    """True where a dead access token does not matter: signing in, refreshing, webhooks, health;
    and for who shows an order's token, a guest whatever else the client sends along.
    """
    needs = call.route.needs
    if needs.takes_order_token and call.request.get_header("X-Order-Token"):
        return True
    return needs.ignores_identity and not call.route.is_public_read


def send_refusal(
    refusal: ShopError, language: str, door: Door, response: falcon.asgi.Response
) -> None:
    """The error shape with its status and headers."""
    response.status = status_of(refusal)
    response.content_type = _JSON
    if isinstance(refusal, Limited):
        response.set_header("Retry-After", str(refusal.retry_after_seconds))
    elif response.status == 503:  # gateways bring their news again
        response.set_header("Retry-After", str(BUSY_RETRY_SECONDS))
    if isinstance(refusal, Unauthenticated):
        response.set_header("WWW-Authenticate", "Bearer")
    response.data = error_body(refusal, language, door.clock.now())


async def identify(call: Call) -> None:
    """Find the caller behind an API key, or a bearer token: its signature, then its live session.

    Raises:
        Unauthenticated: a key or token was shown that is not (or no longer) good.
        BadRequest: one of each was shown.
    """
    header = call.request.get_header("Authorization")
    key = call.request.get_header("X-API-Key")
    if key is not None:
        if header is not None:
            raise BadRequest(details={"X-API-Key": "not together with Authorization"})
        await _identify_key(call, key)
        return
    if header is None:
        return
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated()
    now = call.door.clock.now()
    claims = call.door.tokens.read(token.strip(), now)
    call.caller = await accounts.find_caller(call.shop.db, claims.session_id, now)
    if call.caller is None:
        raise Unauthenticated()
    call.session_id = claims.session_id


async def _identify_key(call: Call, shown: str) -> None:
    now = call.door.clock.now()
    key = await api_keys.find_key(call.shop.db, shown, now)
    if key is None:
        raise Unauthenticated()
    call.caller = api_keys.caller_of(key)
    if key.last_used_at is None or now - key.last_used_at >= api_keys.LAST_USE_EVERY:
        call.door.background(call.shop.db.commit(Batch(api_keys.note_use(key, now))))


async def read_body(call: Call) -> bytes:
    """The whole body, at most the limit.

    Raises:
        PayloadTooLarge: by its own length or while reading.
        BodyTooSlow: from the stream, where the server in front keeps a deadline.
    """
    limit = call.door.rules.body_bytes_max
    length = call.request.content_length
    if length is not None and length > limit:
        raise PayloadTooLarge()
    body = bytearray()
    async for chunk in call.request.stream:
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge()
    return bytes(body)


def read_query(kind: type[msgspec.Struct], request: falcon.asgi.Request) -> object:
    """The query's parameters as a struct; text is read as what the members need.

    Raises:
        Invalid: every faulty parameter by name.
    """
    values = wire.query_values(kind, request.params)
    # msgspec would read the word "null" as "not given" where that is allowed.
    types = wire.members_of(kind)
    nulls = {
        name: expected(types[name])
        for name, value in values.items()
        if isinstance(value, str) and value.lower() == "null" and not is_text(types[name])
    }
    try:
        if not nulls:
            return msgspec.convert(values, kind, strict=False, dec_hook=wire.read_hook)
    except (msgspec.ValidationError, ValueError, ArithmeticError):
        pass
    raise Invalid({**find_faults(kind, values, strict=False), **nulls})


def request_id_of(request: falcon.asgi.Request, door: Door) -> str:
    """The caller's own id where it is a plain one, else a new one."""
    return request_id_from(request.get_header("X-Request-ID"), door.clock.now())


def language_of(request: falcon.asgi.Request) -> str:
    """`ar` where Arabic is preferred, else `en`."""
    return language_from(request.get_header("Accept-Language") or "")


def address_of(request: falcon.asgi.Request, trusted_proxies: tuple[str, ...]) -> str:
    """The client's address; forwarding headers count only behind a trusted proxy."""
    peer = str(request.remote_addr or "unknown")
    return address_behind(peer, request.get_header("X-Forwarded-For") or "", trusted_proxies)


def etag_of(data: bytes) -> str:
    """A strong tag of the data alone; the envelope's timestamp does not count."""
    return '"' + hashlib.blake2b(data, digest_size=12).hexdigest() + '"'


def headers_of(request: falcon.asgi.Request) -> Mapping[str, str]:
    """The request's headers with lower-case names."""
    return {name.lower(): value for name, value in request.headers.items()}

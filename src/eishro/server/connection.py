"""A client's connection: requests are read in order and answered in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Protocol
from urllib.parse import unquote

import httptools

from eishro.server.exchange import Application, Exchange, plain_answer
from eishro.server.limits import Limits

NEVER = float("inf")
LINGER_SECONDS = 2.0  # for a client that still sends what nobody will read, so it hears why
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_TOO_LARGE, _BAD, _BUSY = 431, 400, 503


class Hall(Protocol):
    """The server, as its connections know it."""

    application: Application
    limits: Limits
    date: bytes
    connections: "set[Connection]"
    is_closing: bool

    def forget(self, connection: "Connection") -> None:
        """The connection is closed."""


class _Refused(Exception):
    """Raised within the parser to stop it."""


class Connection(asyncio.Protocol):
    """Reads requests by llhttp, and lets the application answer one after the other.

    `deadline` is the moment, by the loop's clock, at which `expire` is called.
    """

    __slots__ = (
        "_client",
        "_drained",
        "_exchange",
        "_hall",
        "_head_bytes",
        "_headers",
        "_in_head",
        "_is_leaving",
        "_is_paused",
        "_loop",
        "_parser",
        "_pending_bytes",
        "_queue",
        "_reading",
        "_status",
        "_transport",
        "_unsent_bytes",
        "_url",
        "deadline",
    )

    def __init__(self, hall: Hall, loop: asyncio.AbstractEventLoop) -> None:
        self._hall = hall
        self._loop = loop
        self._transport: asyncio.Transport
        # The two know each other; the circle is cut when the connection is lost.
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._client: tuple[str, int] | None = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0  # of the address and the headers read so far
        self._pending_bytes: int | None = None  # of pieces that ended within this head
        self._in_head = True
        self._status = _BAD  # what a parser that stops is answered
        self._exchange: Exchange | None = None  # the one being answered
        self._reading: Exchange | None = None  # the one whose body is being read
        self._queue: deque[Exchange] = deque()
        self._is_paused = False
        self._is_leaving = False  # nothing more is read
        self._drained: asyncio.Future[None] | None = None
        self._unsent_bytes = 0
        self.deadline = NEVER

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being answered."""
        return self._exchange is None

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is of no class of asyncio
        transport = self._transport
        hall = self._hall
        if len(hall.connections) >= hall.limits.connections or hall.is_closing:
            self._is_leaving = True
            transport.write(plain_answer(_BUSY, b"retry-after: 1"))
            transport.close()
            return
        hall.connections.add(self)
        address = transport.get_extra_info("peername")
        self._client = (str(address[0]), int(address[1])) if address else None
        self.deadline = self._loop.time() + hall.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._hall.forget(self)
        self.deadline = NEVER
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        for exchange in (self._exchange, *self._queue):
            if exchange is not None:
                exchange.lose()
        self._queue.clear()
        self._parser = None

    def data_received(self, data: bytes) -> None:
        if self._is_leaving or self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stop_reading()  # it is answered as if it had not asked
            return
        except httptools.HttpParserError:
            self._refuse()
            return
        if self._in_head:
            # The parser keeps what it cannot tell yet. What came before this head in the piece in
            # which it begins does not count.
            self._pending_bytes = (
                0 if self._pending_bytes is None else self._pending_bytes + len(data)
            )
            if self._pending_bytes > self._hall.limits.head_bytes:
                self._status = _TOO_LARGE
                self._refuse()

    def eof_received(self) -> bool:
        if self._exchange is None or (self._reading is not None and not self._reading.is_whole):
            return False  # nothing to answer, or it never will be whole: close
        self._stop_reading()
        return True

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()
        self.deadline = self._loop.time() + self._hall.limits.take_seconds

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        self._await_next()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # behind a chunked body; nobody asked for it
        self._head_bytes += len(name) + len(value)
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        limits = self._hall.limits
        self._pending_bytes = None
        if len(self._headers) > limits.headers or self._head_bytes > limits.head_bytes:
            raise self._stop(_TOO_LARGE)
        if len(self._queue) >= limits.pipelined:
            raise self._stop(_BAD)
        exchange = self._read_head()
        self._reading = exchange
        if self._exchange is None:
            self._begin(exchange)
        else:
            self._queue.append(exchange)
            self.set_reading()

    def on_body(self, part: bytes) -> None:
        if self._reading is not None:
            self._reading.feed(part)
            if self._reading.unread_bytes > self._hall.limits.unread_bytes:
                self.set_reading()

    def on_message_complete(self) -> None:
        if self._reading is not None:
            self._reading.close_body()
            self._reading = None
        self._in_head = True

    def _read_head(self) -> Exchange:
        """The request behind the head that has just been read."""
        parser = self._parser
        assert parser is not None  # noqa: S101 - it has just called
        url = self._url
        if not url.startswith(b"/"):
            url = self._within(url)
        raw_path, _, query = url.partition(b"#")[0].partition(b"?")
        try:
            path = raw_path.decode("ascii")
        except UnicodeDecodeError:
            path = raw_path.decode("utf-8", "replace")
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": parser.get_http_version(),
            "method": parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": None,
        }
        keeps_alive = parser.should_keep_alive() and scope["http_version"] == "1.1"
        exchange = Exchange(self, scope, keeps_alive=keeps_alive and not self._hall.is_closing)
        for name, value in self._headers:
            if name == b"expect" and value.lower() == b"100-continue":
                exchange.wants_invitation = True
        return exchange

    def _within(self, url: bytes) -> bytes:
        """The path and query of `http://…/path?query`, which clients of proxies send, or `*`."""
        if url == b"*":
            return url
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            raise self._stop(_BAD) from None
        if parsed.schema is None:  # CONNECT host:port
            raise self._stop(_BAD)
        query = b"?" + parsed.query if parsed.query else b""
        return (parsed.path or b"/") + query

    def _stop(self, status: int) -> _Refused:
        self._status = status
        return _Refused()

    # Answering.

    def _begin(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.deadline = NEVER
        exchange.task = self._loop.create_task(exchange.run(self._hall.application))

    def end(self, exchange: Exchange) -> None:
        """The exchange's answer is sent: the next one, or the end of the connection."""
        self._exchange = None
        if self._transport.is_closing():
            return
        if not exchange.is_whole or not exchange.keeps_alive:
            self._queue.clear()
            self._leave(lingers=not exchange.is_whole)
        elif self._queue:
            self._begin(self._queue.popleft())
            self.set_reading()
        elif self._is_leaving:
            self._leave()
        else:
            self._await_next()

    def _await_next(self) -> None:
        if self._is_leaving or self._drained is not None:
            return  # the deadline is for what the client has to take
        idle = self._exchange is None
        self.deadline = self._loop.time() + self._hall.limits.head_seconds if idle else NEVER

    @property
    def date(self) -> bytes:
        """The header line."""
        return self._hall.date

    def write(self, data: bytes) -> None:
        """Send, or keep until the client takes it."""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def room(self) -> Awaitable[None] | None:
        """What to wait for before sending more."""
        return self._drained

    def invite(self) -> None:
        """Tell a client that asks first to send its body."""
        self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def set_reading(self) -> None:
        """Read from the network only what has a place."""
        is_full = (
            self._reading is not None
            and self._reading.unread_bytes > self._hall.limits.unread_bytes
        )
        must_pause = not self._is_leaving and (bool(self._queue) or is_full)
        if must_pause != self._is_paused and not self._transport.is_closing():
            self._is_paused = must_pause
            if must_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # Leaving.

    def close_soon(self) -> None:
        """The server stops: close now, or after what is being answered."""
        if self._exchange is None:
            self._transport.close()
            return
        for exchange in (self._exchange, *self._queue):
            exchange.keeps_alive = False

    def drop(self) -> None:
        """Close now, whatever is under way."""
        self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed; who takes an answer slowly, but takes of it, may go on."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent or unsent == self._unsent_bytes:
            self._transport.abort()
            return
        self._unsent_bytes = unsent
        self.deadline = self._loop.time() + self._hall.limits.take_seconds

    def _refuse(self) -> None:
        """What came is not a request: answer what was, then say so and leave."""
        broken, self._reading = self._reading, None
        if self._exchange is not None and broken is not self._exchange:
            if broken is not None:
                self._queue.remove(broken)
            self._stop_reading()
            return
        if self._exchange is not None:  # its body ends in nonsense
            self._exchange.lose()
            has_started, self._exchange = self._exchange.has_started, None
            if has_started:
                self._transport.abort()
                return
        self.write(plain_answer(self._status))
        self._leave(lingers=True)

    def _stop_reading(self) -> None:
        """Nothing more is read; what has been read whole is still answered."""
        self._is_leaving = True
        self.set_reading()
        last = self._queue[-1] if self._queue else self._exchange
        if last is None:
            self._leave()
        else:
            last.keeps_alive = False

    def _leave(self, *, lingers: bool = False) -> None:
        """Say no more, and close when the client has heard everything. One that still sends must
        be listened to for that: an answer behind which the connection breaks is lost.
        """
        self._is_leaving = True
        self._reading = None
        self.set_reading()
        if self._transport.is_closing():
            return
        self.deadline = self._loop.time() + LINGER_SECONDS
        if lingers and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

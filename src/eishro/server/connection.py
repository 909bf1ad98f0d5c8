"""A client's connection: requests are read in order and answered in order."""

import asyncio
import contextlib
import fcntl
import sys
import termios
from collections import deque
from collections.abc import Awaitable
from typing import Protocol

import httptools

from eishro.server.exchange import Application, Exchange, plain_answer
from eishro.server.head import Headers, Refused, check_headers, scope_of, size_of, without_upgrade
from eishro.server.limits import Limits

NEVER = float("inf")
_BAD, _TOO_LARGE, _BUSY = 400, 431, 503
_UNKNOWN_BYTES = sys.maxsize


class Hall(Protocol):
    """The server, as its connections know it. `refusals` are of those that are too many."""

    application: Application
    limits: Limits
    date: bytes
    connections: "set[Connection]"
    refusals: "set[Connection]"
    is_closing: bool

    def forget(self, connection: "Connection") -> None:
        """The connection is closed, and nothing is done for it any more."""


class Connection(asyncio.Protocol):
    """Reads requests by llhttp, and lets the application answer one after the other.

    `deadline` is the moment, by the loop's clock, at which `expire` is called.
    """

    __slots__ = (
        "_client",
        "_drained",
        "_exchange",
        "_hall",
        "_has_left",
        "_headers",
        "_in_head",
        "_is_leaving",
        "_is_paused",
        "_is_split",
        "_loop",
        "_parser",
        "_pending_bytes",
        "_piece_bytes",
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
        self._parser = httptools.HttpRequestParser(self)
        self._client: tuple[str, int] | None = None
        self._url = b""
        self._headers: Headers = []
        self._piece_bytes = 0  # of what has just come from the network
        self._is_split = False  # whether the head that is read began before that
        self._pending_bytes: int | None = None  # of pieces that brought nothing to an end
        self._in_head = True
        self._status = _BAD  # what a parser that stops is answered
        self._exchange: Exchange | None = None  # the one being answered
        self._reading: Exchange | None = None  # the one whose body is being read
        self._queue: deque[Exchange] = deque()
        self._is_paused = False
        self._is_leaving = False  # nothing more is read
        self._has_left = False  # nor is anything more said
        self._drained: asyncio.Future[None] | None = None  # there while answers wait for the client
        self._unsent_bytes = _UNKNOWN_BYTES  # when the deadline was set
        self.deadline = NEVER

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is of no class of asyncio
        transport = self._transport
        hall = self._hall
        address = transport.get_extra_info("peername")
        if not address or hall.is_closing:
            transport.abort()  # who has gone already has no address to be counted by
            return
        self._client = (str(address[0]), int(address[1]))
        if len(hall.connections) < hall.limits.connections:
            hall.connections.add(self)
            self.deadline = self._loop.time() + hall.limits.head_seconds
        elif len(hall.refusals) < hall.limits.refusals:
            hall.refusals.add(self)
            self.write(plain_answer(_BUSY, hall.date, b"retry-after: 1\r\n"))
            self._leave(lingers=True)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.deadline = NEVER
        self._is_leaving = self._has_left = True
        self._reading = None
        self._queue.clear()
        with contextlib.suppress(AttributeError):
            del self._parser
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        exchange = self._exchange
        if exchange is None or exchange.task is None:
            self._hall.forget(self)
            return
        exchange.lose()
        # Who stops the server waits for what is done for those that are gone, too.
        exchange.task.add_done_callback(lambda _: self._hall.forget(self))

    def data_received(self, data: bytes) -> None:
        if self._is_leaving:
            return
        self._piece_bytes = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as pause:
            self._read_plainly(data[pause.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse()
            return
        # The parser keeps what it cannot tell yet: a part of a head, of a chunk's size or of what
        # follows the last chunk. What came in the piece in which such begins does not count.
        self._is_split = True
        pending = self._pending_bytes
        if pending is None:
            self._pending_bytes = 0
            return
        if not pending and self._in_head and self._exchange is None and self._drained is None:
            self.deadline = self._loop.time() + self._hall.limits.head_seconds
        self._pending_bytes = pending + len(data)
        if self._pending_bytes > self._hall.limits.head_bytes:
            self._status = _TOO_LARGE
            self._refuse()

    def eof_received(self) -> bool:
        broken, self._reading = self._reading, None
        if broken is not None and broken is not self._exchange:
            self._queue.remove(broken)
        if self._exchange is None and not self._queue:
            return False
        if broken is not None and broken is self._exchange:
            return False  # it never will be whole
        self._stop_reading()
        return True

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()
        self._set_deadline(self._hall.limits.take_seconds)

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._exchange is not None:
            self.deadline = NEVER
        elif not self._has_left:
            self._go_on()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._is_split = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # and not behind a chunked body, where nobody asked for it
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._pending_bytes = None
        limits, parser = self._hall.limits, self._parser
        may_be_large = self._is_split or self._piece_bytes > limits.head_bytes
        if len(self._headers) > limits.headers or (
            may_be_large and size_of(self._url, self._headers) > limits.head_bytes
        ):
            raise self._stop(_TOO_LARGE)
        if len(self._queue) >= limits.pipelined:
            raise self._stop(_BAD)
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise self._stop(_BAD)
            return  # it pauses behind the head, see `_read_plainly`
        version = parser.get_http_version()
        try:
            waits = check_headers(self._headers, version)
            scope = scope_of(parser, self._url, self._headers, self._client, version)
        except Refused as refusal:
            raise self._stop(refusal.status) from None
        keeps_alive = version == "1.1" and parser.should_keep_alive() and not self._hall.is_closing
        exchange = self._reading = Exchange(self, scope, keeps_alive=keeps_alive)
        exchange.wants_invitation = waits
        if self._exchange is None and self._drained is None:
            self._begin(exchange)
        else:
            self._queue.append(exchange)
            self.set_reading()

    def on_body(self, part: bytes) -> None:
        self._pending_bytes = None
        if self._reading is not None:
            self._reading.feed(part)
            if self._reading.unread_bytes > self._hall.limits.unread_bytes:
                self.set_reading()

    def on_message_complete(self) -> None:
        self._pending_bytes = None
        self._in_head = True
        if self._reading is not None:
            self._reading.close_body()
            self._reading = None
            if self._is_paused:
                self.set_reading()

    def _stop(self, status: int) -> Refused:
        self._status = status
        return Refused(status)

    def _read_plainly(self, rest: bytes) -> None:
        """Read a request for another protocol as if it had not asked. The parser has taken what
        follows its head for that protocol; a new one takes it for a body, where the head says so.
        """
        head = without_upgrade(self._parser, self._url, self._headers)
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    # Answering.

    def _begin(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.deadline = NEVER
        exchange.task = self._loop.create_task(exchange.run(self._hall.application))

    def end(self, exchange: Exchange) -> None:
        """The exchange's answer is sent: the next one, or the end of the connection."""
        if exchange is not self._exchange:
            return  # refused meanwhile
        self._exchange = None
        if self._transport.is_closing():
            return
        if exchange.is_whole and exchange.keeps_alive:
            self._go_on()
            return
        lingers = not exchange.is_whole or bool(self._queue)
        self._queue.clear()
        self._leave(lingers=lingers)

    def _go_on(self) -> None:
        if self._drained is not None:
            return  # what is there to take is taken first: no client can pile up answers
        if self._queue:
            self._begin(self._queue.popleft())
            self.set_reading()
        elif self._is_leaving:
            self._leave()
        else:
            self.deadline = self._loop.time() + self._hall.limits.head_seconds
            self._unsent_bytes = _UNKNOWN_BYTES

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds
        self._unsent_bytes = _UNKNOWN_BYTES

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

    def end_soon(self) -> None:
        """The server stops: what is being answered is the last."""
        for exchange in (self._exchange, *self._queue):
            if exchange is not None:
                exchange.keeps_alive = False

    def close_idle(self) -> None:
        """The server stops: close now, unless something is being answered."""
        if self._exchange is None:
            self._queue.clear()
            self._is_leaving = self._has_left = True
            self._transport.close()

    def drop(self) -> None:
        """Close now, whatever is under way."""
        self._transport.abort()
        if self._exchange is not None and self._exchange.task is not None:
            self._exchange.task.cancel()

    def expire(self) -> None:
        """The deadline has passed; who takes an answer slowly, but takes of it, may go on."""
        unsent, limits = self._untaken_bytes(), self._hall.limits
        if not unsent or self._unsent_bytes - unsent < limits.take_bytes:
            self._transport.abort()
            return
        self._unsent_bytes = unsent
        self.deadline = self._loop.time() + limits.take_seconds

    def _untaken_bytes(self) -> int:
        """What waits here and in the system, whose part may be all that a slow client moves."""
        unsent = self._transport.get_write_buffer_size()
        with contextlib.suppress(OSError, AttributeError):  # closed already, or another system
            descriptor = self._transport.get_extra_info("socket").fileno()
            told = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
            unsent += int.from_bytes(told, sys.byteorder)
        return unsent

    def _refuse(self) -> None:
        """What came is not a request: answer what was, then say so and leave."""
        broken, self._reading = self._reading, None
        if broken is not None and broken is self._exchange:  # its body ends in nonsense
            self._exchange = None
            broken.lose()
            if broken.has_started:
                self._transport.abort()
                return
        elif broken is not None:
            self._queue.remove(broken)
        if self._exchange is not None or self._queue:
            self._stop_reading()
            return
        self.write(plain_answer(self._status, self._hall.date))
        self._leave(lingers=True)

    def _stop_reading(self) -> None:
        """Nothing more is read; what has been read whole is still answered."""
        self._is_leaving = True
        self.set_reading()
        last = self._queue[-1] if self._queue else self._exchange
        if last is not None:
            last.keeps_alive = False

    def _leave(self, *, lingers: bool = False) -> None:
        """Say no more, and close when the client has heard everything."""
        self._is_leaving = self._has_left = True
        self._reading = None
        self.set_reading()
        if self._transport.is_closing():
            return
        self._set_deadline(self._hall.limits.linger_seconds)
        if lingers and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

"""One request and its answer, as an ASGI application sees them.

Beyond ASGI it takes whole answers, whose lines are rendered already: a message of the type
`eishro.whole_answer` (an extension in the scope) with `status`, `lines` and `body`. Lines are not
looked at again: whoever renders them lets no line break of a client in, and says the length.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Protocol

import structlog

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Application = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

_LOG = structlog.get_logger("eishro.server")
_FIRST_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
_FINAL = 200  # below are words on the way to an answer
_EMPTY = 204
# A larger body is not joined to its head: where it is the same for everybody, as a document kept
# by the application is, those that take their answer slowly wait with it and not with a copy each.
_JOINED_BYTES = 16_384
WHOLE_ANSWER = "eishro.whole_answer"  # the message's type, and the extension's name
_BODILESS = frozenset({_EMPTY, 304})


class ClientGone(OSError):
    """There is nobody to send to any more."""


def plain_answer(status: int, *lines: bytes) -> bytes:
    """A whole answer without a body, the last one of its connection."""
    last = b"content-length: 0\r\nconnection: close\r\n\r\n"
    return b"".join((_FIRST_LINES[status], *lines, last))


class Wire(Protocol):
    """What an exchange needs of its connection."""

    @property
    def date(self) -> bytes:
        """The header line."""

    def write(self, data: bytes) -> None:
        """Send, or keep until the client takes it."""

    def room(self) -> Awaitable[None] | None:
        """What to wait for before sending more; None where there is room."""

    def set_reading(self) -> None:
        """Something of a body has been taken: read on, if nothing else waits."""

    def invite(self) -> None:
        """Tell a client that asks first to send its body."""

    def end(self, exchange: "Exchange") -> None:
        """The answer has been sent."""


class Exchange:
    """A request that has been read to the end of its head, and its answer.

    `scope` is ASGI's. `keeps_alive`: whether another request may follow on the connection.
    """

    __slots__ = (
        "_body",
        "_headers",
        "_is_chunked",
        "_is_told",
        "_left",
        "_waiter",
        "_wire",
        "has_ended",
        "has_started",
        "is_gone",
        "is_whole",
        "keeps_alive",
        "scope",
        "status",
        "task",
        "unread_bytes",
        "wants_invitation",
    )

    def __init__(self, wire: Wire, scope: Scope, *, keeps_alive: bool) -> None:
        self._wire = wire
        self.scope = scope
        self.keeps_alive = keeps_alive
        self.wants_invitation = False
        self.task: asyncio.Task[None] | None = None
        self._body: list[bytes] = []
        self.unread_bytes = 0
        self.is_whole = False  # the body has come to its end
        self._is_told = False  # and the application has been told
        self.is_gone = False  # nobody listens any more
        self._waiter: asyncio.Future[None] | None = None
        self.status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self.has_started = False  # something of the answer has been sent
        self.has_ended = False
        self._is_chunked = False
        self._left: int | None = None  # bytes that the head has promised

    async def run(self, application: Application) -> None:
        """Let the application answer; what it leaves open ends with the connection."""
        try:
            await application(self.scope, self.receive, self.send)
        except ClientGone:
            pass
        except asyncio.CancelledError:
            # What the application waited for may have been cancelled, and not this task.
            if self.is_gone or self.task is None or self.task.cancelling():
                raise
            _LOG.exception("application_fault", path=self.scope["path"])
        except Exception:  # noqa: BLE001 - whatever it was, the server goes on
            _LOG.exception("application_fault", path=self.scope["path"])
        else:
            if not self.has_ended and not self.is_gone:
                _LOG.error("answer_left_open", path=self.scope["path"])
        if not self.has_ended:
            self._fail()

    def _fail(self) -> None:
        self.keeps_alive = False
        if not self.has_started and not self.is_gone:
            self.has_started = True
            self._wire.write(plain_answer(500, self._wire.date))
        self._end()

    # What the connection brings.

    def feed(self, part: bytes) -> None:
        """A part of the body."""
        self._body.append(part)
        self.unread_bytes += len(part)
        self._wake()

    def close_body(self) -> None:
        """The body has come to its end."""
        self.is_whole = True
        self._wake()

    def lose(self) -> None:
        """The client is gone. Where its body has not come whole, nothing has been done, and
        nothing is: half a file must not be taken for a file.
        """
        if self.is_gone:
            return
        self.is_gone = True
        if not self.is_whole and self.task is not None:
            self.task.cancel()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the application calls.

    async def receive(self) -> Message:
        """The next part of the body; `http.disconnect` when there is nobody to answer."""
        while not (self._body or self.is_whole) or self._is_told:
            if self.is_gone or self.has_ended:
                return {"type": "http.disconnect"}
            if self.wants_invitation:
                self.wants_invitation = False
                if not self.has_started:  # else it would stand in the middle of the answer
                    self._wire.invite()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        parts, self._body = self._body, []
        self._is_told = self.is_whole
        if self.unread_bytes:
            self.unread_bytes = 0
            self._wire.set_reading()
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return {"type": "http.request", "body": body, "more_body": not self._is_told}

    async def send(self, message: Message) -> None:
        """Send a part of the answer, waiting while the client does not take it.

        Raises:
            RuntimeError: not what HTTP or ASGI allow at this point.
            ClientGone: the rest of the answer need not be made.
        """
        if message["type"] == WHOLE_ANSWER:
            self._send_whole(message["status"], message["lines"], message["body"])
            return
        if message["type"] == "http.response.start":
            self._note_start(message)
            return
        if not self.status or self.has_ended or message["type"] != "http.response.body":
            raise RuntimeError("a body outside an answer")
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self.is_gone:
            for part in self._rendered(body, more=more):
                self._wire.write(part)
            self.has_started = True
            while more and not self.is_gone and (room := self._wire.room()) is not None:
                await room
        if not more:
            if self._left:
                self.keeps_alive = False  # less than the head has promised
            self._end()
        elif self.is_gone:
            raise ClientGone()

    def _note_start(self, message: Message) -> None:
        if self.status or message["status"] < _FINAL:
            raise RuntimeError("an answer has begun already, or cannot begin like this")
        self.status = message["status"]
        self._headers = message.get("headers") or []
        if self.status == _EMPTY:
            self._headers = [one for one in self._headers if one[0] != b"content-length"]

    def _send_whole(self, status: int, lines: bytes, body: bytes) -> None:
        if self.status:
            raise RuntimeError("an answer has begun already")
        self.status = status
        self.has_started = True
        if not self.is_whole:
            self.keeps_alive = False  # nobody will read the rest
        if not self.is_gone:
            end = b"\r\n" if self.keeps_alive else b"connection: close\r\n\r\n"
            head = (_FIRST_LINES[status], lines, self._wire.date, end)
            self._wire.write(b"".join((*head, b"" if self.scope["method"] == "HEAD" else body)))
        self._end()

    def _rendered(self, body: bytes, *, more: bool) -> tuple[bytes, ...]:
        head = b""
        if not self.has_started:
            # Of an empty answer to HEAD nobody knows what GET would be answered.
            is_known = not more and (body or self.scope["method"] != "HEAD")
            head = self._head(len(body) if is_known else None)
        if self.scope["method"] == "HEAD" or self.status in _BODILESS:
            self._left = None
            return (head,)
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return (head + chunk + (b"" if more else b"0\r\n\r\n"),)
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("more than the head has promised")
        return (head, body) if len(body) > _JOINED_BYTES else (head + body,)

    def _head(self, length: int | None) -> bytes:
        """The answer's head; `length` of the whole body, where it is known."""
        lines = [_FIRST_LINES.get(self.status) or b"HTTP/1.1 %d \r\n" % self.status]
        promised = None
        for name, value in self._headers:
            if name == b"content-length":
                promised = int(value)
            lines += (name, b": ", value, b"\r\n")
        count = len(self._headers) + 3
        self._left = promised
        if promised is None and self.status not in _BODILESS:
            if length is not None:
                lines.append(b"content-length: %d\r\n" % length)
            elif self.scope["http_version"] == "1.1":
                self._is_chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keeps_alive = False
                count -= 1
        else:
            count -= 1
        lines.append(self._wire.date)
        if not self.is_whole:
            self.keeps_alive = False  # nobody will read the rest
        if not self.keeps_alive:
            lines.append(b"connection: close\r\n")
            count += 1
        head = b"".join(lines)
        if head.count(b"\n") != count or head.count(b"\r") != count:
            raise RuntimeError("a header of the answer holds a line break")
        return head + b"\r\n"

    def _end(self) -> None:
        self.has_ended = True
        self._wake()
        self._wire.end(self)

"""From a JavaScript Request to ASGI and back to a JavaScript Response.

The body is read from its stream only as far as the application asks, so that a limit on its size
ends the reading. Answers are collected and sent whole; none of this application's is a stream.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from eishro.edge import runtime

Message = MutableMapping[str, Any]
AsgiApp = Callable[..., Awaitable[None]]

_ADDRESS = "cf-connecting-ip"  # set by Cloudflare; what a client sends under this name is replaced
_WITHOUT_BODY = frozenset({204, 205, 304})


async def answer(app: AsgiApp, request: Any, headers: Mapping[str, str]) -> Any:
    """The application's answer to a Request, as a Response; `headers` are added to it."""
    body = _Body(request)
    reply = _Reply()
    await app(scope_of(request), body.receive, reply.send)
    return reply.response(headers)


def scope_of(request: Any) -> dict[str, Any]:
    """The ASGI scope of a Request."""
    url = urlsplit(str(request.url))
    fields = [(str(name).lower(), str(value)) for name, value in request.headers.entries()]
    address = next((value for name, value in fields if name == _ADDRESS), "unknown")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": str(request.method),
        "scheme": url.scheme,
        "path": path_of(request),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), _latin(value)) for name, value in fields],
        "client": (address, 0),
        "server": (url.hostname or "", url.port or (443 if url.scheme == "https" else 80)),
    }


def path_of(request: Any) -> str:
    """The path of a Request, decoded."""
    return unquote_to_bytes(urlsplit(str(request.url)).path).decode(errors="replace")


def header_of(request: Any, name: str) -> str | None:
    """A header of a Request, or None."""
    value = request.headers.get(name)
    return None if runtime.is_nothing(value) else str(value)


def _latin(value: str) -> bytes:
    return value.encode("latin-1", errors="replace")


class _Body:
    """ASGI's `receive`: one message for each chunk of the stream."""

    def __init__(self, request: Any) -> None:
        self._reader = None if runtime.is_nothing(request.body) else request.body.getReader()

    async def receive(self) -> Message:
        if self._reader is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        part = await self._reader.read()
        if part.done:
            self._reader = None
            return {"type": "http.request", "body": b"", "more_body": False}
        body = runtime.bytes_from_js(part.value)
        return {"type": "http.request", "body": body, "more_body": True}


class _Reply:
    """ASGI's `send`: collects the answer."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
            self._headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def response(self, headers: Mapping[str, str]) -> Any:
        """The collected answer as a Response."""
        fields = runtime.js().Headers.new()
        for name, value in self._headers:
            fields.append(name.decode("latin-1"), value.decode("latin-1"))
        for title, text in headers.items():
            fields.set(title, text)
        options = runtime.to_js({"status": self._status})
        options.headers = fields
        if self._status in _WITHOUT_BODY:
            return runtime.js().Response.new(None, options)
        return runtime.js().Response.new(runtime.bytes_to_js(bytes(self._body)), options)

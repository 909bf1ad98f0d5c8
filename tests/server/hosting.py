"""Small applications on a server of the test's own, and clients that may be as odd as they like."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from eishro.cli.address import bind
from eishro.server.limits import Limits
from eishro.server.serving import Server

PATIENCE_SECONDS = 20.0  # of a test with a busy machine; nothing waits that long when all is well
TURNS_TO_ENTER = 5  # of the loop, until the server has let a client in
GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
Http = Callable[[Any, Any, Any], Awaitable[None]]


def get(path: str = "/", *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    """A request without a body."""
    head = [f"{method} {path} HTTP/{version}", "Host: shop.example", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def post(body: bytes, *lines: str, path: str = "/") -> bytes:
    """A request with a body of known length."""
    return get(path, *lines, f"Content-Length: {len(body)}", method="POST") + body


def chunked(*parts: bytes, lines: tuple[str, ...] = (), path: str = "/") -> bytes:
    """A request with a body in chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
    return get(path, *lines, "Transfer-Encoding: chunked", method="POST") + body


async def body_of(receive: Any) -> bytes:
    """A request's whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request", message
        body, more = body + message["body"], message["more_body"]
    return body


async def answer(send: Any, body: bytes = b"", status: int = 200, *headers: Any) -> None:
    """A whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the request's method, address and body."""
    body = await body_of(receive)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    await answer(send, b"%b %b %b" % (scope["method"].encode(), target, body))


class Gate:
    """An application that waits for the test; `begun` and `ended` count its requests."""

    def __init__(self, inner: Http = echo) -> None:
        self._inner = inner
        self.begun, self.ended, self.cancelled = 0, 0, 0
        self.changed = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        self.changed.set()
        try:
            await self.opened.wait()
            await self._inner(scope, receive, send)
            self.ended += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.changed.set()

    async def reached(self, is_so: Callable[[], bool]) -> None:
        """Until a count is what it should be."""
        await until(is_so, self.changed)


async def until(is_so: Callable[[], bool], changed: asyncio.Event | None = None) -> None:
    """Wait for something that nobody announces, or that `changed` does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():
            if changed is None:
                await asyncio.sleep(0.005)
            else:
                changed.clear()
                await changed.wait()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection, byte by byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._loop = asyncio.get_running_loop()
        self._kept = b""

    async def send(self, *parts: bytes) -> None:
        """Each part by itself, as far as the server takes them."""
        for part in parts:
            await self._loop.sock_sendall(self.socket, part)
            if len(parts) > 1:
                await asyncio.sleep(0)

    async def more(self, count: int = 65_536) -> bytes:
        """What comes next; empty at the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._loop.sock_recv(self.socket, count)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        found = self._kept
        self._kept = b""
        while more := await self.more():
            found += more
        return found

    async def answer(self, method: str = "GET") -> Answer:
        """The next answer, by its own framing.

        Raises:
            EOFError: it ends in the middle, or there is none.
        """
        head = await self._until(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines), f"a header twice: {lines}"
        status = int(first.split(" ")[1])
        if method == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        elif "content-length" in headers:
            body = await self._exactly(int(headers["content-length"]))
        else:
            body = await self.rest()
        return Answer(status, headers, body)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._until(b"\r\n"), 16):
            body += await self._exactly(size)
            assert await self._exactly(2) == b"\r\n"
        assert await self._exactly(2) == b"\r\n"
        return body

    async def _until(self, end: bytes) -> bytes:
        while end not in self._kept:
            await self._fill()
        found, _, self._kept = self._kept.partition(end)
        return found + end

    async def _exactly(self, count: int) -> bytes:
        while len(self._kept) < count:
            await self._fill()
        found, self._kept = self._kept[:count], self._kept[count:]
        return found

    async def _fill(self) -> None:
        more = await self.more()
        if not more:
            raise EOFError(self._kept)
        self._kept += more

    def half_close(self) -> None:
        """Say that nothing more will come."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Be gone, as after a crash."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


class Place(NamedTuple):
    """A running server."""

    server: Server
    address: Any
    serving: "asyncio.Task[None]"

    async def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        self.server.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.serving


class Hosting:
    """Servers and clients of one test."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._clients: list[Client] = []

    async def start(self, http: Http = echo, *, host: str = "127.0.0.1", **limits: Any) -> Place:
        """A server of the application, with these limits."""
        started = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await http(scope, receive, send)
                return
            while True:
                word = (await receive())["type"]
                await send({"type": f"{word}.complete"})
                started.set()
                if word == "lifespan.shutdown":
                    return

        listening = bind(host, 0)
        address = listening.getsockname()
        server = Server(application, Limits(**{"stop_seconds": 5.0, **limits}))
        place = Place(server, address, asyncio.create_task(server.serve(listening)))
        self.places.append(place)
        await started.wait()
        return place

    async def connect(self, place: Place, *, receive_bytes: int | None = None) -> Client:
        """A client; `receive_bytes` bounds what its system keeps for it."""
        family = socket.AF_INET6 if ":" in place.address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        client = Client(sock)
        self._clients.append(client)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(sock, place.address)
        for _ in range(TURNS_TO_ENTER):  # so that what is sent in pieces is read in pieces
            await asyncio.sleep(0)
        return client

    def forget(self, client: Client) -> None:
        """It is closed already."""
        self._clients.remove(client)

    async def ask(self, place: Place, request: bytes) -> Answer:
        """One request on a connection of its own."""
        client = await self.connect(place)
        await client.send(request)
        found = await client.answer()
        client.close()
        self.forget(client)
        return found

    async def close(self) -> None:
        """Every client goes, every server stops, and nobody is left on a server."""
        for client in self._clients:
            client.close()
        for place in self.places:
            if not place.serving.done():
                await place.stop()
            assert not place.server.connections
            assert not place.server.refusals

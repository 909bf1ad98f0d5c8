"""An ASGI application served in the running event loop, until it is told to stop."""

import asyncio
import contextlib
import socket
import time
from email.utils import formatdate
from typing import Any

from eishro.server.connection import Connection
from eishro.server.exchange import Application, Message
from eishro.server.limits import Limits

BACKLOG = 2_048  # connections that the system keeps for us until we look
SWEEP_SECONDS = 0.5  # between looks at the deadlines
_ASGI = {"version": "3.0", "spec_version": "2.0"}


class CannotStart(Exception):
    """The application does not start; it has said why."""


class Server:
    """One application and its connections. `date` is the answers' header line, a second old at
    most.
    """

    def __init__(self, application: Application, limits: Limits) -> None:
        self.application = application
        self.limits = limits
        self.connections: set[Connection] = set()
        self.is_closing = False
        self.date = _date_line()
        self._stopped = asyncio.Event()
        self._emptied = asyncio.Event()

    def stop(self) -> None:
        """Take no more requests, finish those under way, and return from `serve`."""
        self._stopped.set()

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""
        self.connections.discard(connection)
        if not self.connections:
            self._emptied.set()

    async def serve(self, listening: socket.socket) -> None:
        """Answer on the socket, which is bound and is closed at the end, until `stop`.

        Raises:
            CannotStart: nothing was answered.
        """
        loop = asyncio.get_running_loop()
        life = _Lifespan(self.application)
        try:
            await life.begin()
        except CannotStart:
            listening.close()
            raise
        acceptor = await loop.create_server(
            lambda: Connection(self, loop), sock=listening, backlog=BACKLOG
        )
        sweep = loop.create_task(self._sweep(loop))
        try:
            await self._stopped.wait()
        finally:
            acceptor.close()
            await self._finish()
            sweep.cancel()
            await life.end()

    async def _finish(self) -> None:
        """Let requests under way come to their end, within the limit."""
        self.is_closing = True
        self._emptied.clear()
        for connection in tuple(self.connections):
            connection.close_soon()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), self.limits.stop_seconds)
        for connection in tuple(self.connections):
            connection.drop()

    async def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.date = _date_line()
            now = loop.time()
            for connection in tuple(self.connections):
                if connection.deadline < now:
                    connection.expire()


def _date_line() -> bytes:
    return b"date: %s\r\n" % formatdate(time.time(), usegmt=True).encode()


class _Lifespan:
    """The application's start and end, as ASGI has it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._words: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Future[Any]

    async def begin(self) -> None:
        """Let the application open what it needs.

        Raises:
            CannotStart
        """
        scope = {"type": "lifespan", "asgi": _ASGI}
        application = self._application(scope, self._words.get, self._answers.put)
        self._task = asyncio.ensure_future(application)
        if await self._say("startup") != "lifespan.startup.complete":
            raise CannotStart()

    async def end(self) -> None:
        """Let the application close what it has opened."""
        await self._say("shutdown")

    async def _say(self, word: str) -> str:
        """What it answers; empty where it has ended without a word."""
        await self._words.put({"type": f"lifespan.{word}"})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            return ""
        return str(answer.result()["type"])

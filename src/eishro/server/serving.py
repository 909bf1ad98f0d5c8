"""An ASGI application served in the running event loop, until it is told to stop."""

import asyncio
import contextlib
import socket
import time
from email.utils import formatdate
from typing import Any

import structlog

from eishro.server.accepting import Acceptor
from eishro.server.connection import Connection
from eishro.server.exchange import Application, Message
from eishro.server.limits import Limits

BACKLOG = 2_048  # connections that the system keeps for us until we look
SWEEP_SECONDS = 0.5  # between looks at the deadlines
LAST_SECONDS = 0.1  # for requests that are on their way already when the server is told to stop
CANCEL_SECONDS = 1.0  # for what has been cut off to tidy up
_ASGI = {"version": "3.0", "spec_version": "2.0"}
_LOG = structlog.get_logger("eishro.server")


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
        self.refusals: set[Connection] = set()
        self.is_closing = False
        self.date = _date_line()
        self._stopped = asyncio.Event()
        self._emptied = asyncio.Event()

    def stop(self) -> None:
        """Take no more requests, finish those under way, and return from `serve`."""
        self._stopped.set()

    def forget(self, connection: Connection) -> None:
        """The connection is closed, and nothing is done for it any more."""
        self.connections.discard(connection)
        self.refusals.discard(connection)
        if not self.connections:
            self._emptied.set()

    async def serve(self, listening: socket.socket) -> None:
        """Answer on the socket, which is bound and is closed at the end, until `stop`.

        Raises:
            CannotStart: nothing was answered.
        """
        life = _Lifespan(self.application)
        try:
            if await life.begin(self._stopped):
                await self._answer(listening)
        finally:
            listening.close()
            await life.end(self.limits.close_seconds)

    async def _answer(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        acceptor = Acceptor(listening, BACKLOG, lambda: Connection(self, loop))
        sweep = loop.create_task(self._sweep(loop))
        try:
            await self._stopped.wait()
        finally:
            await acceptor.close()
            await self._finish()
            sweep.cancel()

    async def _finish(self) -> None:
        """Let requests under way come to their end, within the limit.

        Were idle connections closed at once, busy clients would lose what they have just sent, and
        could not know whether it was done.
        """
        self.is_closing = True
        for connection in tuple(self.refusals):
            connection.drop()
        for connection in tuple(self.connections):
            connection.end_soon()
        await self._empty(LAST_SECONDS)
        for connection in tuple(self.connections):
            connection.close_idle()
        await self._empty(self.limits.stop_seconds)
        for connection in tuple(self.connections):
            connection.drop()
        await self._empty(CANCEL_SECONDS)

    async def _empty(self, seconds: float) -> None:
        self._emptied.clear()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), seconds)

    async def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self._look(loop.time())
            except Exception:  # noqa: BLE001 - without it nobody would be closed any more
                _LOG.exception("sweep_fault")

    def _look(self, now: float) -> None:
        self.date = _date_line()
        for connection in (*self.connections, *self.refusals):
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

    async def begin(self, stopped: asyncio.Event) -> bool:
        """Let the application open what it needs; False when told to stop meanwhile.

        Raises:
            CannotStart
        """
        scope = {"type": "lifespan", "asgi": _ASGI}
        application = self._application(scope, self._words.get, self._answers.put)
        self._task = asyncio.ensure_future(application)
        told = asyncio.ensure_future(stopped.wait())
        answer = await self._say("startup", or_until=told)
        told.cancel()
        if answer == "lifespan.startup.complete":
            return True
        if answer or self._task.done():
            raise CannotStart()
        self._task.cancel()  # told to stop
        return False

    async def end(self, seconds: float) -> None:
        """Let the application close what it has opened."""
        if self._task.done():
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._say("shutdown"), seconds)

    async def _say(self, word: str, or_until: asyncio.Future[Any] | None = None) -> str:
        """What it answers; empty where it has ended without a word, or something else has come."""
        await self._words.put({"type": f"lifespan.{word}"})
        answer = asyncio.ensure_future(self._answers.get())
        ends = [self._task] if or_until is None else [self._task, or_until]
        await asyncio.wait([answer, *ends], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            return ""
        return str(answer.result()["type"])

"""Taking connections that wait on a socket, several at a turn of the loop.

The loop's own server takes one at a turn. A turn answers everybody who is there already, so with
64 clients that came together the last was let in after two thousand answers to the others.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import structlog

AT_A_TURN = 16  # not all: where several processes share the socket, each shall have some
REST_SECONDS = 0.05  # when the system can give no more, of descriptors or memory mostly
SAY_SECONDS = 10.0  # between words about that
_LOG = structlog.get_logger("eishro.server")


class Acceptor:
    """Lets in who comes to `listening`, until `close`. `make` gives each connection its protocol.

    Args:
        listening: bound; is made to listen.
        backlog: connections that the system keeps until they are taken.
    """

    def __init__(
        self, listening: socket.socket, backlog: int, make: Callable[[], asyncio.Protocol]
    ) -> None:
        self._listening = listening
        self._backlog = backlog
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._says_at = self._loop.time()
        listening.setblocking(False)
        listening.listen(backlog)
        self._open()

    async def close(self) -> None:
        """Let in who waits already and nobody else, and let go of the socket; who was let in has
        a protocol then. Those that wait count themselves as connected, and may have asked.
        """
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._listening)
        with contextlib.suppress(OSError):
            self._let_in(self._backlog)
        self._listening.close()
        if self._entering:
            await asyncio.wait(self._entering)

    def _open(self) -> None:
        self._rest = None
        self._loop.add_reader(self._listening, self._take)

    def _take(self) -> None:
        try:
            self._let_in(AT_A_TURN)
        except OSError as error:
            self._pause(error)

    def _let_in(self, most: int) -> None:
        for _ in range(most):
            try:
                client, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue  # gone again
            client.setblocking(False)
            task = self._loop.create_task(self._enter(client))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    def _pause(self, error: OSError) -> None:
        """The socket stays readable: looking again at once would only burn the processor. Looking
        late would let in by drops those that wait, though all descriptors were free again.
        """
        now = self._loop.time()
        if now >= self._says_at:
            self._says_at = now + SAY_SECONDS
            _LOG.error("cannot_accept", error=str(error))
        self._loop.remove_reader(self._listening)
        self._rest = self._loop.call_later(REST_SECONDS, self._open)

    async def _enter(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, client)
        except OSError:  # gone before it was let in
            client.close()

"""The order in which requests begin: reads at once, the others one at a turn of the event loop.

What changes something is decided in one go, ten times as long as a read takes. Begun as they come,
five of them would hold up every read that comes meanwhile; begun one at a turn, each waits hardly
longer, and reads go between them.
"""

import asyncio
from collections import deque

from eishro.server.exchange import Application, Exchange

_AT_ONCE = frozenset({"GET", "HEAD", "OPTIONS"})


class Lane:
    """Begins exchanges of one application."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._waiting: deque[Exchange] = deque()
        self._turns: asyncio.Task[None] | None = None

    def begin(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        """Let the application answer, now or in its turn; not one whose client has gone by then."""
        if exchange.scope["method"] in _AT_ONCE:
            exchange.task = loop.create_task(exchange.run(self._application))
            return
        self._waiting.append(exchange)
        if self._turns is None:
            self._turns = loop.create_task(self._take_turns(loop))

    async def _take_turns(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._waiting:
                exchange = self._waiting.popleft()
                if not exchange.is_gone:
                    exchange.task = loop.create_task(exchange.run(self._application))
                await asyncio.sleep(0)
        finally:
            self._turns = None

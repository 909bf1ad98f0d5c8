"""What a process does about stored news beside its requests: how much of it at once.

Notifications may come by the thousand in a second. Each is stored before it is answered; what
follows (asking the gateway, paying the order) waits here for its turn, so that those who read or
order do not wait for it. What finds the room full is left to the sweep: nothing is lost by that.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

TURNS_AT_ONCE = 1  # pieces of news at the database; each more takes turns from requests
IN_HAND_MAX = 2_000  # pieces of news that a process has taken on
BUSY_SECONDS = 0.002  # how long a turn of the loop takes where requests are waiting
PAUSE_SECONDS_MAX = 0.05


class NewsRoom:
    """The pieces of news that this process has in hand, and whose turn it is."""

    def __init__(self) -> None:
        self._in_hand: set[str] = set()
        self._turns = asyncio.Semaphore(TURNS_AT_ONCE)

    def take(self, news_id: str) -> bool:
        """Take it on; False where somebody here has it, or there is no room."""
        if news_id in self._in_hand or len(self._in_hand) >= IN_HAND_MAX:
            return False
        self._in_hand.add(news_id)
        return True

    def let_go(self, news_id: str) -> None:
        """It is worked off, or left to the sweep."""
        self._in_hand.discard(news_id)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One's turn at the database; nobody waits for a gateway inside.

        Where a turn of the event loop takes long, requests are waiting: they go first.
        """
        async with self._turns:
            begun = time.monotonic()
            await asyncio.sleep(0)
            taken = time.monotonic() - begun
            if taken > BUSY_SECONDS:
                await asyncio.sleep(min(2 * taken, PAUSE_SECONDS_MAX))
            yield

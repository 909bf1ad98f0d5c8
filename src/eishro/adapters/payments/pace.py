"""Keeping to a gateway's limit of calls a minute, across processes and restarts."""

import asyncio
from collections.abc import Awaitable, Callable

from eishro.clock import Clock
from eishro.domain.payments.port import Stamps

PER_MINUTE_MIN = 6
WAIT_SECONDS_MAX = 20.0  # for one's slot; a longer wait means that the clock was set back

Sleep = Callable[[float], Awaitable[None]]


class Pace:
    """Turns for calls to one endpoint: a third of the minute's calls may go at once, the others
    are spaced so that no minute holds more than all of them.

    Args:
        name: of the endpoint and the account, without secrets.
        per_minute: `PER_MINUTE_MIN` or more.
    """

    def __init__(
        self, stamps: Stamps, clock: Clock, sleep: Sleep, name: str, per_minute: int
    ) -> None:
        self._stamps = stamps
        self._clock = clock
        self._sleep = sleep
        # Slots are counted in intervals of this limit, so another limit counts apart.
        self._name = f"{name}:{per_minute}"
        self._at_once = per_minute // 3
        self._interval = 60 / (per_minute - self._at_once)
        self._turn = asyncio.Lock()

    async def turn(self) -> bool:
        """Wait for one's turn; False where it does not come."""
        async with self._turn:
            now = self._clock.now().timestamp()
            least = int(now / self._interval) - self._at_once + 1
            slot = await self._stamps.next(self._name, least)
            wait = slot * self._interval - now
            if wait > WAIT_SECONDS_MAX:
                return False
            if wait > 0:
                await self._sleep(wait)
            return True

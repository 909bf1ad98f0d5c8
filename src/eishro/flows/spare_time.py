"""Time of the event loop that requests leave for work which nobody waits for.

Background work shares one thread with requests, so each piece of it holds up whoever comes
meanwhile. Pieces are short, and between two of them stands a pause: a short one while the loop has
time, a longer one while requests take much of it. What is left waits; requests do not.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

# Pauses grow where both hold: others take this share of the loop's time, and so many requests come
# in a second (else the others are only more of such work).
BUSY_SHARE = 0.4
BUSY_REQUESTS = 200
LOOK_SECONDS = 0.02  # of pauses, before a judgement: less would judge single requests

# Of this thread's processor; where that cannot be known (in a browser's runtime) none is used.
_used = getattr(time, "thread_time", lambda: 0.0)


class Traffic:
    """How many requests have come to this process."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests = 0


class SpareTime:
    """Pauses for one kind of work; `shortest` and `longest` are seconds."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._pause = shortest
        self._paused = 0.0
        self._taken = 0.0
        self._came = 0

    async def pause(self, traffic: Traffic) -> None:
        """Leave the loop to others for a while."""
        used, at, before = _used(), time.monotonic(), traffic.requests
        await asyncio.sleep(self._pause)
        self._came += traffic.requests - before
        self._taken += _used() - used
        self._paused += time.monotonic() - at
        if self._paused >= LOOK_SECONDS:
            self._judge()

    def _judge(self) -> None:
        is_busy = (
            self._taken > BUSY_SHARE * self._paused and self._came > BUSY_REQUESTS * self._paused
        )
        self._paused = self._taken = 0.0
        self._came = 0
        pause = 2 * self._pause if is_busy else self._pause / 2
        self._pause = min(max(pause, self._shortest), self._longest)


class Turns:
    """Turns at the database for one kind of work: so many at once, begun one by one with a pause
    before each, so that what they compute is spread while what they write shares a commit.
    """

    def __init__(self, at_once: int, shortest: float, longest: float) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._door = asyncio.Lock()
        self._spare_time = SpareTime(shortest, longest)

    @contextlib.asynccontextmanager
    async def turn(self, traffic: Traffic) -> AsyncIterator[None]:
        """One's turn; nobody waits for a gateway inside."""
        async with self._room:
            async with self._door:
                await self._spare_time.pause(traffic)
            yield

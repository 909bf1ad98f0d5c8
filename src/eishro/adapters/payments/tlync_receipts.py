"""Asking T-Lync for receipts: within its limit of calls, one call for all who ask alike.

Callers with the same reference share one call, but never one that was sent before they asked.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from eishro.adapters.payments.pace import Pace
from eishro.domain.payments.port import Answer, Intent, Unknown

WAITING_MAX = 60  # references; beyond it the answer is Unknown, and the shop asks again later

_CLOSING = Unknown("the shop is closing", is_unreachable=True)  # nobody was asked
_LOG = structlog.get_logger("eishro.tlync")


class Receipts:
    """One store's questions; `ask_gateway` sends one and never raises for what comes back."""

    def __init__(self, ask_gateway: Callable[[Intent], Awaitable[Answer]], pace: Pace) -> None:
        self._ask_gateway = ask_gateway
        self._pace = pace
        self._waiting: dict[str, asyncio.Task[Answer]] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._is_closed = False

    async def ask(self, intent: Intent) -> Answer:
        """What became of the attempt, asked after this call began."""
        if self._is_closed:
            return _CLOSING
        task = self._waiting.get(intent.reference)
        if task is None:
            if len(self._waiting) >= WAITING_MAX:
                return Unknown("too many questions are waiting", is_unreachable=True)
            task = asyncio.get_running_loop().create_task(self._answer(intent))
            self._waiting[intent.reference] = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            # Whoever gives up waiting takes the answer from nobody else.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return _CLOSING
            raise

    async def aclose(self) -> None:
        """Stop; who waits is told `Unknown`."""
        self._is_closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._waiting.clear()

    async def _answer(self, intent: Intent) -> Answer:
        try:
            try:
                may_go = await self._pace.turn()
            finally:
                # Who asks from now on wants a newer answer.
                del self._waiting[intent.reference]
            if not may_go:
                return Unknown("too many questions to this gateway", is_unreachable=True)
            return await self._ask_gateway(intent)
        except Exception:  # noqa: BLE001 - whatever happened, money is not decided by it
            _LOG.exception("tlync_question_failed", reference=intent.reference)
            return Unknown("asking failed", is_unreachable=True)

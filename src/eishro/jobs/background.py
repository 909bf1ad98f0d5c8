"""The background of a process that lives on: the schedule's steps beside each other, and what
requests leave behind.

A lane for each kind of work: mails do not wait for gateways, nor orders that expire for either.
"""

import asyncio
import functools
from collections.abc import Awaitable, Coroutine

import structlog

from eishro.errors import ShopError
from eishro.flows.flag_late_cash import flag_late_cash
from eishro.flows.shop import Shop
from eishro.flows.spare_time import SpareTime
from eishro.jobs.ask_gateways import SWEEPS, Sweeping
from eishro.jobs.schedule import TIDY_EVERY, expire_unpaid_orders, tidy_up
from eishro.jobs.seal_audit import seal_audit
from eishro.jobs.step import Step, attempt
from eishro.jobs.work_off_events import handle_events

_LOG = structlog.get_logger("eishro.jobs")

TURN_SECONDS = 0.5  # of a lane: from the beginning of a turn to that of the next
PAUSE_SECONDS_MIN = 0.1  # after a turn that took long
TASKS_MAX = 6_000  # a process has beside its requests; what comes then is left to the sweep
# Between the beginnings of two events beside requests: a hundred of them spread over a second let
# nobody wait, the same at one go is a tenth of a second for everybody who comes then.
EVENTS_APART_SECONDS = 0.009
EVENTS_APART_SECONDS_MAX = 0.04  # while there is much to answer

# Each a lane, beside events and what waits for gateways.
LANES: tuple[tuple[Step, float], ...] = (
    (expire_unpaid_orders, TURN_SECONDS),
    (flag_late_cash, TURN_SECONDS),
    (seal_audit, TURN_SECONDS),
    (tidy_up, TIDY_EVERY.total_seconds()),
)


class Background:
    """The lanes and the tasks a process runs beside its requests; closed at shut-down."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop.at_leisure()
        self._tasks: set[asyncio.Future[object]] = set()
        self._lanes: list[asyncio.Task[None]] = []
        self._sweepings = [Sweeping(sweep) for sweep in SWEEPS]

    def start(self) -> None:
        """Begin turning."""
        spare_time = SpareTime(EVENTS_APART_SECONDS, EVENTS_APART_SECONDS_MAX)
        events = functools.partial(handle_events, spare_time=spare_time)
        self._open("handle_events", events, TURN_SECONDS)
        for sweeping in self._sweepings:
            self._open(sweeping.name, sweeping.begin, TURN_SECONDS)
        for step, seconds in LANES:
            self._open(step.__name__, step, seconds)

    def add(self, work: Awaitable[object]) -> None:
        """Let work go on after its request is answered; what it raises is logged.

        Where there is too much of it already, work that has not begun is dropped: all of it is
        written down before, or done by the next request, so that a turn of the loop finds it.
        """
        if len(self._tasks) >= TASKS_MAX and isinstance(work, Coroutine):
            work.close()
            _LOG.warning("background_full", tasks=len(self._tasks))
            return
        task = asyncio.ensure_future(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Stop turning; give work under way a moment to finish."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for sweeping in self._sweepings:
            await sweeping.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
        for task in self._tasks:
            task.cancel()

    async def _logged(self, work: Awaitable[object]) -> object:
        try:
            return await work
        except ShopError as error:
            _LOG.warning("background_refused", code=error.code)
        except Exception:  # noqa: BLE001 - nobody waits for it; the sweep tries again
            _LOG.exception("background_fault")
        return None

    def _open(self, name: str, step: Step, seconds: float) -> None:
        lane = self._turn_forever(name, step, seconds)
        self._lanes.append(asyncio.get_running_loop().create_task(lane))

    async def _turn_forever(self, name: str, step: Step, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await attempt(name, step(self._shop))
            await asyncio.sleep(max(begun + seconds - loop.time(), PAUSE_SECONDS_MIN))

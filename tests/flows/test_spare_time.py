"""Work that can wait leaves the event loop to requests while they need it."""

import asyncio
import time

import pytest

from eishro.flows import spare_time
from eishro.flows.spare_time import BUSY_REQUESTS, BUSY_SHARE, SpareTime, Traffic, Turns

SHORTEST, LONGEST = 0.001, 0.064


class Loop:
    """A loop in which pauses take no time, and others take a share of each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.used = 0.0
        self.share = self.requests_a_second = 0.0
        self.traffic = Traffic()
        self.pauses: list[float] = []
        monkeypatch.setattr(spare_time, "_used", lambda: self.used)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self.used += self.share * seconds
        self.traffic.requests += round(self.requests_a_second * seconds)

    async def last_of(self, count: int, room: SpareTime) -> float:
        for _ in range(count):
            await room.pause(self.traffic)
        return self.pauses[-1]


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


async def test_pauses_grow_while_requests_take_much_and_shrink_afterwards(loop: Loop) -> None:
    room = SpareTime(SHORTEST, LONGEST)
    assert await loop.last_of(100, room) == SHORTEST
    loop.share, loop.requests_a_second = 1.5 * BUSY_SHARE, 3_000
    assert await loop.last_of(100, room) == LONGEST
    loop.share = loop.requests_a_second = 0
    assert await loop.last_of(100, room) == SHORTEST


@pytest.mark.parametrize(
    ("share", "requests_a_second"),
    [
        pytest.param(0.5 * BUSY_SHARE, 10_000, id="many small requests"),
        pytest.param(1.0, BUSY_REQUESTS / 2, id="other work of this kind"),
    ],
)
async def test_what_is_not_many_requests_taking_much_delays_nothing(
    loop: Loop, share: float, requests_a_second: float
) -> None:
    loop.share, loop.requests_a_second = share, requests_a_second
    assert await loop.last_of(200, SpareTime(SHORTEST, LONGEST)) == SHORTEST


async def test_turns_begin_one_by_one_and_go_on_together(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, traffic = Turns(3, SHORTEST, LONGEST), Traffic()
    sleep, end = asyncio.sleep, asyncio.Event()
    pausing = inside = begun = 0
    paused_together: set[int] = set()
    began_after_a_pause: list[int] = []

    async def pause(seconds: float) -> None:
        nonlocal pausing
        pausing += 1
        paused_together.add(pausing)
        await sleep(seconds)
        pausing -= 1
        began_after_a_pause.append(0)

    async def work() -> None:
        nonlocal inside, begun
        async with turns.turn(traffic):
            begun += 1
            began_after_a_pause[-1] += 1
            inside += 1
            await end.wait()
            inside -= 1

    monkeypatch.setattr(asyncio, "sleep", pause)
    tasks = [asyncio.create_task(work()) for _ in range(7)]
    while begun < 3:
        await sleep(0)
    for _ in range(20):
        await sleep(0)
    assert (begun, inside) == (3, 3), "no fourth begins while three go on"
    end.set()
    await asyncio.gather(*tasks)
    assert paused_together == {1}
    assert began_after_a_pause == [1] * 7

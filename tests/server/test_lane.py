"""Reads begin at once, what changes something in its turn."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from eishro.server.exchange import Exchange
from eishro.server.lane import Lane


class Nowhere:
    """The connection of a client that takes everything and is never heard of."""

    date = b"date: now\r\n"

    def write(self, data: bytes) -> None: ...

    def room(self) -> Awaitable[None] | None:
        return None

    def set_reading(self) -> None: ...

    def invite(self) -> None: ...

    def end(self, exchange: Exchange) -> None: ...


class Begun:
    """An application that notes what is begun."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


def _exchange(method: str, path: str) -> Exchange:
    scope = {"type": "http", "method": method, "path": path, "http_version": "1.1"}
    exchange = Exchange(Nowhere(), scope, keeps_alive=True)
    exchange.close_body()
    return exchange


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_read_does_not_wait_for_the_changes_that_came_before_it() -> None:
    begun, loop = Begun(), asyncio.get_running_loop()
    lane = Lane(begun)
    for number in range(5):
        lane.begin(_exchange("POST", f"/change/{number}"), loop)
    lane.begin(_exchange("GET", "/read"), loop)
    await _turns(2)
    assert "/read" in begun.paths
    assert len(begun.paths) <= 3
    await _turns(10)
    assert [path for path in begun.paths if path != "/read"] == [f"/change/{n}" for n in range(5)]


async def test_all_that_waits_gets_its_turn_however_much_is_read() -> None:
    begun, loop = Begun(), asyncio.get_running_loop()
    lane = Lane(begun)
    for number in range(5):
        lane.begin(_exchange("DELETE", f"/change/{number}"), loop)
    for _ in range(7):
        for _ in range(20):
            lane.begin(_exchange("GET", "/read"), loop)
        await _turns(1)
    assert begun.paths.count("/read") >= 100
    assert sum(path.startswith("/change/") for path in begun.paths) == 5


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    begun, loop = Begun(), asyncio.get_running_loop()
    lane = Lane(begun)
    gone = _exchange("POST", "/gone")
    lane.begin(_exchange("POST", "/first"), loop)
    lane.begin(gone, loop)
    gone.lose()
    await _turns(5)
    assert begun.paths == ["/first"]
    lane.begin(_exchange("POST", "/later"), loop)
    await _turns(3)
    assert begun.paths == ["/first", "/later"]

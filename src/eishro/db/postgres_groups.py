"""Group commit: batches of one family that wait at the same time go to the server together.

A batch is sent at once while fewer than `STATEMENTS_AT_ONCE` are under way; whoever comes later
waits for a place, and all that wait and change different rows share the next statement. A batch
that changes a row which is being changed waits here, not on the server with everybody it came
with. Nobody overtakes a batch that waits for the same row.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from eishro.db.database import DatabaseBusy
from eishro.db.postgres_plan import Bound

STATEMENTS_AT_ONCE = 2  # one is made ready while the server works on the other
GROUP_BATCHES_MAX = 32  # in one statement; more would only lengthen the tail
WAITING_MAX = 10_000  # batches; beyond it callers are told to come back
LOOKED_AT_MAX = 200  # batches that are looked at for one statement


class _Waiting(NamedTuple):
    bound: Bound
    done: "asyncio.Future[bool]"


# Applies batches in one statement: True, or False if nothing was applied and each must be tried
# alone. What it raises concerns all of them.
Apply = Callable[[list[Bound]], Awaitable[bool]]


class Groups:
    """Puts batches together; at most `STATEMENTS_AT_ONCE` calls of `apply` at a time."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply
        self._waiting: deque[_Waiting] = deque()
        self._changing: set[Hashable] = set()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def commit(self, bound: Bound) -> bool:
        """True once the batch is applied; False: nothing was, and it must be tried alone."""
        if len(self._waiting) >= WAITING_MAX:
            raise DatabaseBusy()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(bound, loop.create_future())
        self._waiting.append(waiting)
        if self._under_way < STATEMENTS_AT_ONCE:
            self._under_way += 1
            task = loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting.done

    async def aclose(self) -> None:
        """Wait until everything that was given is answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _work(self) -> None:
        try:
            while group := self._next_group():
                await self._commit_group(group)
        finally:
            self._under_way -= 1

    async def _commit_group(self, group: list[_Waiting]) -> None:
        try:
            applied = await self._apply([each.bound for each in group])
        except Exception as error:  # noqa: BLE001 - whatever it was, everyone must hear of it
            for each in group:
                if not each.done.done():
                    each.done.set_exception(error)
        else:
            for each in group:
                if not each.done.done():
                    each.done.set_result(applied)
        finally:
            for each in group:
                self._changing -= each.bound.keys
                each.done.cancel()  # if this very task was cut off

    def _next_group(self) -> list[_Waiting]:
        """The batch that waits longest and can go, with those of its family that can go along."""
        group: list[_Waiting] = []
        kept: list[_Waiting] = []
        blocked = set(self._changing)
        for _ in range(min(len(self._waiting), LOOKED_AT_MAX)):
            each = self._waiting.popleft()
            if each.done.done():  # the caller is gone
                continue
            is_free = blocked.isdisjoint(each.bound.keys)
            if is_free and (not group or self._goes_with(each, group)):
                group.append(each)
                self._changing |= each.bound.keys
                if len(group) == GROUP_BATCHES_MAX:
                    break
            else:
                kept.append(each)
            blocked |= each.bound.keys
        self._waiting.extendleft(reversed(kept))
        return group

    @staticmethod
    def _goes_with(each: _Waiting, group: list[_Waiting]) -> bool:
        plan = group[0].bound.plan
        return each.bound.plan is plan and plan.is_shared

"""Reads that many callers ask at the same time go to the server in one statement.

A small read costs the driver, the server and the event loop more than its rows do. So a query that
is `together` is sent at once while fewer than `STATEMENTS_AT_ONCE` of it are under way; whoever
comes later waits for a place, and all who wait are answered by the next statement. Each is answered
with what was read after it had asked.

The statement runs the query for the values of each, which come from arrays:

    SELECT v.n, q.* FROM (SELECT unnest($1::VARCHAR[]) AS p1, …) AS v, LATERAL (the query) AS q
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from eishro.db.compiled import CompiledRead
from eishro.db.database import DatabaseBusy

STATEMENTS_AT_ONCE = 2  # of one query: one is made ready while the server works on the other
CALLERS_MAX = 64  # in one statement
WAITING_MAX = 10_000  # callers; beyond it they are told to come back

_PARAMETER = re.compile(r"\$(\d+)::(INTEGER|BIGINT|VARCHAR)\b(?![\[(])")

Row = Any  # the driver's
# Sends a statement with its parameters.
Fetch = Callable[[str, list[object]], Awaitable[list[Row]]]


class _Asking(NamedTuple):
    values: list[object]  # as the query takes them
    done: "asyncio.Future[list[Row] | None]"

    def tell(self, answer: list[Row] | DatabaseBusy | None) -> None:
        if self.done.done():  # the caller is gone
            return
        if isinstance(answer, DatabaseBusy):
            self.done.set_exception(answer)
        else:
            self.done.set_result(answer)


class SharedRead:
    """One query and those who ask it just now."""

    def __init__(self, read: CompiledRead, fetch: Fetch) -> None:
        self._fetch = fetch
        self._alone = read.text
        self._together = text_together(read)
        self._asking: deque[_Asking] = deque()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop alone would not keep them
        self._at_rest = asyncio.Event()

    async def ask(self, values: list[object]) -> list[Row] | None:
        """The rows for these values; None: the statement of several failed, so ask alone.

        Raises:
            DatabaseBusy: too many wait, or the server is busy or away.
            What `fetch` raises, if nobody else was in its statement.
        """
        if len(self._asking) >= WAITING_MAX:
            raise DatabaseBusy()
        if self._under_way == STATEMENTS_AT_ONCE:
            asking = _Asking(values, asyncio.get_running_loop().create_future())
            self._asking.append(asking)
            return await asking.done
        self._begin()
        try:
            return await self._fetch(self._alone, values)
        finally:
            self._end()

    async def aclose(self) -> None:
        """Wait until everybody is answered."""
        if self._under_way:
            await self._at_rest.wait()

    def _begin(self) -> None:
        self._under_way += 1
        self._at_rest.clear()

    def _end(self) -> None:
        """A statement is answered, or its task was cut off: whoever waits is next."""
        self._under_way -= 1
        if self._asking:
            self._begin()
            task = asyncio.get_running_loop().create_task(self._answer_who_wait())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: self._end())
        elif not self._under_way:
            self._at_rest.set()

    async def _answer_who_wait(self) -> None:
        while self._asking:
            count = min(len(self._asking), CALLERS_MAX)
            await self._answer([self._asking.popleft() for _ in range(count)])

    async def _answer(self, group: list[_Asking]) -> None:
        group = [one for one in group if not one.done.done()]  # who is still there
        answers: list[list[Row] | DatabaseBusy | None]
        try:
            answers = [*await self._read(group)] if group else []
        except DatabaseBusy:  # concerns all of them: to ask again alone would make it busier
            answers = [DatabaseBusy() for _ in group]
        except Exception:  # noqa: BLE001 - each asks alone, and hears what concerns it
            answers = [None for _ in group]
        except BaseException:  # this very task was cut off
            for one in group:
                one.done.cancel()
            raise
        for one, answer in zip(group, answers, strict=True):
            one.tell(answer)

    async def _read(self, group: list[_Asking]) -> list[list[Row]]:
        arrays: list[object] = [list(v) for v in zip(*(one.values for one in group), strict=True)]
        answers: list[list[Row]] = [[] for _ in group]
        for number, *row in await self._fetch(self._together, arrays):
            answers[number - 1].append(row)
        return answers


def text_together(read: CompiledRead) -> str:
    """The query for many callers; the first column is whose row it is, from 1.

    Raises:
        ValueError: the query takes no value, or one that is no plain number or text.
    """
    types = {int(number): kind for number, kind in _PARAMETER.findall(read.text)}
    query = _PARAMETER.sub(lambda found: f"v.p{found[1]}", read.text)
    if not types or re.search(r"\$\d", query):
        raise ValueError(f"cannot be asked together: {read.text}")
    arrays = ", ".join(f"unnest(${n}::{kind}[]) AS p{n}" for n, kind in sorted(types.items()))
    return (
        f"SELECT v.n, q.* FROM (SELECT {arrays}, generate_subscripts($1::{types[1]}[], 1) AS n) "  # noqa: S608
        f"AS v, LATERAL ({query}) AS q"
    )

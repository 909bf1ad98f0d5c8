"""What belongs to one invocation of the Worker: its session with D1, its ids, its afterwork.

One isolate serves many requests at once, but nothing that waits may be shared between them: the
runtime ties every promise to the request that made it. So sessions, reserved ids and the count of
statements live here, found through a context variable that tasks of the same request inherit.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from eishro.db.database import Database
from eishro.db.id_blocks import IntegerIds
from eishro.domain.payments.port import PaymentProvider
from eishro.edge.d1_limits import STATEMENTS_MAX, InvocationSpent

Later = Callable[[Awaitable[object]], None]


class Invocation:
    """One request or cron turn.

    Args:
        later: lets work go on after the answer (`waitUntil`).
        bookmark: where the caller's last session with D1 ended; None begins at the primary.
        place: the name of the database that this invocation works on (see `places.py`).
    """

    def __init__(self, later: Later, bookmark: str | None = None, place: str | None = None) -> None:
        self.later = later
        self.bookmark = bookmark
        self.place = place
        self.sessions: dict[str, Any] = {}
        self.providers: dict[str, PaymentProvider] = {}
        self._ids: dict[Database, IntegerIds] = {}
        self._statements_left = STATEMENTS_MAX

    def spend(self, statements: int) -> None:
        """Count statements before they are sent.

        Raises:
            InvocationSpent: more than one invocation may send; nothing of this was sent.
        """
        if statements > self._statements_left:
            raise InvocationSpent()
        self._statements_left -= statements

    def ids_of(self, db: Database) -> IntegerIds:
        """The invocation's own blocks of integer ids: an isolate's would be shared by a lock."""
        if db not in self._ids:
            self._ids[db] = IntegerIds(db)
        return self._ids[db]


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def current() -> Invocation | None:
    """The invocation this code runs for; None outside of one (tests, set-up)."""
    return _current.get()


def enter(invocation: Invocation) -> None:
    """Make it the current one for this task and those it starts."""
    _current.set(invocation)


def later(work: Awaitable[object]) -> None:
    """Let work go on after the current invocation's answer."""
    invocation = current()
    if invocation is None:
        raise LookupError("there is no invocation whose answer this could follow")
    invocation.later(work)


class InvocationIds(IntegerIds):
    """Integer ids from blocks that each invocation reserves for itself."""

    async def next(self, name: str) -> int:
        """One fresh id, above 0."""
        invocation = current()
        if invocation is None:
            return await super().next(name)
        return await invocation.ids_of(self._db).next(name)

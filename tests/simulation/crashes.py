"""A process that may die at any commit: everything it still wanted to do is lost with it."""

import random
from typing import TypeVar

from eishro.db.database import Database
from eishro.db.statements import Batch, Query

T = TypeVar("T")


class Crash(BaseException):
    """The process is dead. No handler of ours catches it, as none catches SIGKILL."""


class Trail:
    """What the batches of a step named: ids of orders, drafts, promotions and payouts."""

    def __init__(self) -> None:
        self.batches = 0
        self._ids: set[str] = set()

    def begin(self) -> None:
        """Forget the step before."""
        self.batches = 0
        self._ids.clear()

    def note(self, batch: Batch) -> None:
        """Remember whom a batch is about, whether it will be applied or not."""
        self.batches += 1
        for statement in batch:
            for values in statement.values:
                self._ids.update(value for value in values.values() if isinstance(value, str))

    def of(self, kind: str) -> list[str]:
        """The ids of one kind (`ord`, `drf`, `prm`, `pyo`) that were named."""
        return [one for one in self._ids if one.startswith(f"{kind}_")]


class MortalDatabase:
    """The `Database` port of one process's life. `dies_in` commits from now it dies, before the
    batch is applied or just after it; from then on every call dies, whoever makes it.
    """

    def __init__(self, db: Database, rng: random.Random, trail: Trail) -> None:
        self.engine = db.engine
        self.is_dead = False
        self.dies_in: int | None = None
        self._db = db
        self._rng = rng
        self._trail = trail

    def _live(self) -> None:
        if self.is_dead:
            raise Crash

    async def one(self, query: Query[T], **values: object) -> T | None:
        self._live()
        return await self._db.one(query, **values)

    async def all(self, query: Query[T], **values: object) -> list[T]:
        self._live()
        return await self._db.all(query, **values)

    async def commit(self, batch: Batch) -> None:
        self._live()
        self._trail.note(batch)
        if self.dies_in is None:
            await self._db.commit(batch)
            return
        self.dies_in -= 1
        if self.dies_in > 0:
            await self._db.commit(batch)
            return
        self.is_dead = True
        if self._rng.random() < 0.5:
            await self._db.commit(batch)
        raise Crash

    async def run_script(self, script: str) -> None:
        await self._db.run_script(script)

    async def aclose(self) -> None:
        await self._db.aclose()

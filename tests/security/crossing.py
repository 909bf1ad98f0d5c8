"""A database that notes the filtered statements it is asked, and may try each on the neighbour."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from eishro.db.database import Database
from eishro.db.statements import Batch, Query, Statement, Write
from tests.security.inventory import store_values
from tests.security.street import Trespass, rows_of

T = TypeVar("T")


class RecordingDatabase:
    """Notes the filtered statements that pass; `neighbour` sends each for that store first."""

    def __init__(self, db: Database, ours: int, neighbour: int | None = None) -> None:
        self.engine = db.engine
        self.used: dict[int, Query[Any] | Write] = {}
        self._db = db
        self._ours = ours
        self._neighbour = neighbour
        self._turn = asyncio.Lock()
        self.trespass: Trespass | None = None  # kept, since a door turns exceptions into answers

    async def one(self, query: Query[T], **values: object) -> T | None:
        await self._note_read(query, values)
        return await self._db.one(query, **values)

    async def all(self, query: Query[T], **values: object) -> list[T]:
        await self._note_read(query, values)
        return await self._db.all(query, **values)

    async def commit(self, batch: Batch) -> None:
        filtered = [statement for statement in batch if store_values(statement.write)]
        self.used.update((id(statement.write), statement.write) for statement in filtered)
        crossed = [
            Statement(statement.write, (values,), statement.rows, statement.otherwise)
            for statement in filtered
            for own in statement.values
            if (values := self._crossed(statement.write, own)) is not None
        ]
        async with self._turn:  # what another task writes meanwhile is no trespass
            if crossed:
                await self._cross_writes(crossed)
            await self._db.commit(batch)

    async def run_script(self, script: str) -> None:
        await self._db.run_script(script)

    async def aclose(self) -> None:
        await self._db.aclose()

    async def _note_read(self, query: Query[Any], values: dict[str, object]) -> None:
        if not store_values(query):
            return
        self.used[id(query)] = query
        if (crossed := self._crossed(query, values)) is None:
            return
        own = {msgspec.json.encode(row) for row in await self._db.all(query, **values)}
        seen = {msgspec.json.encode(row) for row in await self._db.all(query, **crossed)}
        if own & seen - {b"0"}:  # a count of nothing shows nothing
            self.trespass = Trespass(f"sent for the neighbour, it found {own & seen}")

    async def _cross_writes(self, statements: list[Statement]) -> None:
        before = await rows_of(self._db, self._ours)
        for statement in statements:
            # What refuses it is the guard or the schema: both are fine here.
            with contextlib.suppress(Exception):
                await self._db.commit(Batch(statement))
        if await rows_of(self._db, self._ours) != before:
            self.trespass = Trespass("sent for the neighbour, it changed our rows")

    def _crossed(
        self, statement: Query[Any] | Write, values: Mapping[str, object]
    ) -> dict[str, object] | None:
        names = store_values(statement)
        if self._neighbour is None or any(values.get(name) != self._ours for name in names):
            return None
        return {**values, **dict.fromkeys(names, self._neighbour)}

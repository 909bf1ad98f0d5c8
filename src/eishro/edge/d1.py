"""Cloudflare D1: the `Database` port on a D1 binding.

Reads are prepared statements, a commit is one `batch()`, which D1 applies whole or not at all.
Inside an invocation everything goes through one session, so that a read sees what the same
request wrote, and a caller who shows the bookmark of an earlier answer sees at least that.
Facts: Cloudflare's "D1 Database" binding reference and "D1 read replication" (read in 2026).
"""

from typing import Any, TypeVar

import structlog

from eishro.db.compiled import compile_read
from eishro.db.database import CommitUnknown, DatabaseBusy
from eishro.db.statements import Batch, Query
from eishro.edge import runtime
from eishro.edge.d1_limits import STATEMENTS_MAX, BeyondD1Limit, check_statement
from eishro.edge.d1_plan import ENGINE, GUARD, Plan, Step, plan
from eishro.edge.d1_scripts import split_script
from eishro.edge.invocation import current

T = TypeVar("T")

_LOG = structlog.get_logger("eishro.edge.d1")

FIRST_PRIMARY = "first-primary"
# Refused before it began: nothing was applied.
_BUSY = ("overloaded", "queued for too long", "Cannot resolve D1 DB", "not currently importing")
# Cut off on the way: a batch may have been applied.
_BROKEN = ("Network connection lost", "reset", "exceeded timeout", "storage operation", "internal")


class D1Fault(Exception):
    """D1 refused a statement in a way that no guard stands for: a fault of ours."""


class MissingTable(D1Fault):
    """A table or column is not there: a migration has not been applied."""


class D1Database:
    """The `Database` port on one D1 binding; `name` is the binding's, for messages."""

    engine = ENGINE

    def __init__(self, binding: Any, name: str = "DB") -> None:
        self._binding = binding
        self.name = name

    async def one(self, query: Query[T], **values: object) -> T | None:
        rows = await self.all(query, **values)
        if len(rows) > 1:
            raise ValueError("one() found more than one row")
        return rows[0] if rows else None

    async def all(self, query: Query[T], **values: object) -> list[T]:
        read = compile_read(query, ENGINE)
        parameters = read.bind(values)
        check_statement(read.text, parameters, read.names)
        database = self._session(1)
        try:
            found = runtime.from_js(await _bound(database, read.text, parameters).raw())
        except runtime.js_error() as error:
            raise self._fault(str(error), is_commit=False) from error
        return [read.row(row) for row in found]

    async def commit(self, batch: Batch) -> None:
        planned = plan(batch)
        if not planned.steps:
            return
        if len(planned.steps) > STATEMENTS_MAX:
            raise BeyondD1Limit("statements of a batch", len(planned.steps), STATEMENTS_MAX)
        database = self._session(len(planned.steps))
        try:
            await _run(database, planned.steps)
        except runtime.js_error() as error:
            message = str(error)
            otherwise = planned.error_of(message)
            if otherwise is None and planned.suspects(message):
                otherwise = await self._whose(database, planned, message)
            raise (otherwise or self._fault(message, is_commit=True)) from error

    async def rows(self, sql: str, parameters: list[object]) -> list[list[Any]]:
        """The rows of one statement of our own, a write with RETURNING among them."""
        check_statement(sql, parameters)
        database = self._session(1)
        try:
            found: list[list[Any]] = runtime.from_js(await _bound(database, sql, parameters).raw())
        except runtime.js_error() as error:
            raise self._fault(str(error), is_commit=False) from error
        return found

    async def run_script(self, script: str) -> None:
        """Apply a migration script as one batch."""
        statements = split_script(script)
        for statement in statements:
            check_statement(statement, [])
        try:
            await self._binding.batch(
                runtime.ffi().to_js([self._binding.prepare(s) for s in statements])
            )
        except runtime.js_error() as error:
            raise self._fault(str(error), is_commit=True) from error

    async def aclose(self) -> None:
        """A binding needs no closing."""

    def _session(self, statements: int) -> Any:
        """The invocation's session, or the binding itself outside of one."""
        invocation = current()
        if invocation is None:
            return self._binding
        invocation.spend(statements)
        session = invocation.sessions.get(self.name)
        if session is None:
            session = self._binding.withSession(invocation.bookmark or FIRST_PRIMARY)
            invocation.sessions[self.name] = session
        return session

    async def _whose(self, database: Any, planned: Plan, message: str) -> Exception | None:
        """Which of several statements met the taken key.

        The batch is sent again up to each of them, with a guard behind that always fails: nothing
        is ever applied, and the first that meets the key is the one.
        """
        for step in planned.suspects(message):
            stop = Step(GUARD, [0, -1], step.of)
            try:
                await _run(database, [*planned.until(step), stop])
            except runtime.js_error() as error:
                if "UNIQUE constraint failed" in str(error):
                    return step.of.otherwise
        return None

    def _fault(self, message: str, *, is_commit: bool) -> Exception:
        if (
            "no such table" in message
            or "no such column" in message
            or "no column named" in message
        ):
            return MissingTable(
                f"D1 binding {self.name}: {message}; apply the migrations: "
                "wrangler d1 migrations apply"
            )
        if "SQLITE_CONSTRAINT" in message:
            return D1Fault(f"D1 binding {self.name}: {message}")
        if any(text in message for text in _BUSY):
            _LOG.warning("d1_busy", binding=self.name, error=message[:200])
            return DatabaseBusy()
        if any(text in message for text in _BROKEN):
            _LOG.warning("d1_broken", binding=self.name, error=message[:200])
            return CommitUnknown() if is_commit else DatabaseBusy()
        return D1Fault(f"D1 binding {self.name}: {message}")


def _bound(database: Any, sql: str, parameters: list[object]) -> Any:
    prepared = database.prepare(sql)
    return prepared.bind.apply(prepared, runtime.to_js(parameters)) if parameters else prepared


async def _run(database: Any, steps: list[Step]) -> None:
    bound = [_bound(database, step.sql, step.parameters) for step in steps]
    await database.batch(runtime.ffi().to_js(bound))

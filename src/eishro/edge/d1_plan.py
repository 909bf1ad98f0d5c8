"""From a guarded batch to what D1's `batch()` takes: texts, values, and who failed.

After each statement that must touch a number of rows stands a guard that aborts the whole batch
where `changes()` is another number; the failing check carries the guard's position. Like inserts
become one statement that reads its rows from one JSON parameter, so that neither 100 parameters
nor a thousand statements are soon reached. Nothing here talks to D1.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.compiled import compile_write
from eishro.db.statements import Batch, Statement
from eishro.edge.d1_limits import VALUE_BYTES_MAX, BeyondD1Limit, check_statement, check_text
from eishro.edge.tables import GUARDS_MAX

ENGINE = "sqlite"
GUARD = "INSERT INTO edge_guards (position) SELECT ? WHERE changes() <> ?"

# An INSERT of bound values alone, perhaps with the tail that `insert_once` and `upsert` give.
_PLAIN_INSERT = re.compile(
    r"INSERT INTO (?P<table>\w+) \((?P<columns>[^)]*)\) VALUES \(\?(?:, \?)*\)"
    r"(?P<tail> ON CONFLICT [^?]*)?",
    re.DOTALL,
)
_FAILED_GUARD = re.compile(r"CHECK constraint failed: guard_(\d+)\b")
_TAKEN = re.compile(r"UNIQUE constraint failed: (?:index ')?(\w+)")
# A chunk of rows for one JSON parameter stays well below what one value may be.
_CHUNK_BYTES_MAX = VALUE_BYTES_MAX // 2
_BRACKETS_BYTES = 2


class Step(msgspec.Struct, frozen=True):
    """One statement of the plan; `guards` is the batch's statement that it guards or is."""

    sql: str
    parameters: list[object]
    of: Statement


class Plan(msgspec.Struct, frozen=True):
    """Everything for one `batch()`; `guarded[n]` is the statement that guard number n watches."""

    steps: list[Step]
    guarded: list[Statement]

    def error_of(self, message: str) -> Exception | None:
        """The `otherwise` that this failure of the batch means, if it means one.

        A unique key taken under an unguarded statement, or under one of several that could have
        met it, gives None: `suspects` then says who to ask.
        """
        failed = _FAILED_GUARD.search(message)
        if failed is not None:
            statement = self.guarded[int(failed.group(1))]
            return statement.otherwise or ValueError(f"guard failed: {text_of(statement)}")
        suspects = self.suspects(message)
        if len({id(s.of) for s in suspects}) == 1:
            return suspects[0].of.otherwise
        return None

    def suspects(self, message: str) -> list[Step]:
        """Steps that write the table whose unique key was taken and do not put up with it."""
        taken = _TAKEN.search(message)
        if taken is None:
            return []
        return [
            step
            for step in self.steps
            if table_of(step.of) == taken.group(1)
            and step.sql != GUARD
            and "ON CONFLICT DO NOTHING" not in step.sql
        ]

    def until(self, step: Step) -> list[Step]:
        """The steps up to and including this one."""
        return self.steps[: self.steps.index(step) + 1]


def plan(batch: Batch) -> Plan:
    """What to send for the batch, checked against D1's limits.

    Raises:
        BeyondD1Limit: a limit is exceeded; nothing was sent.
        KeyError: a value is missing: a fault of the caller.
    """
    steps: list[Step] = []
    guarded: list[Statement] = []
    for statement in batch:
        if statement.rows is None and len(statement.values) > 1:
            steps.extend(_several(statement))
            continue
        for values in statement.values:
            steps.append(_one(statement, values))
            if statement.rows is not None:
                if len(guarded) == GUARDS_MAX:
                    raise BeyondD1Limit("guarded statements", len(guarded) + 1, GUARDS_MAX)
                steps.append(Step(GUARD, [len(guarded), statement.rows], statement))
                guarded.append(statement)
    return Plan(steps, guarded)


def json_text(value: object) -> str:
    """A value as JSON, for parameters that SQL reads with `json_each`."""
    return msgspec.json.encode(value).decode()


def table_of(statement: Statement) -> str:
    """The table that a statement writes."""
    target: Any = statement.write.sql.table
    return str(target.name) if isinstance(target, sa.Table) else ""


def text_of(statement: Statement) -> str:
    """The statement's SQL, for messages."""
    return compile_write(statement.write, ENGINE).text


def _one(statement: Statement, values: Mapping[str, object]) -> Step:
    write = compile_write(statement.write, ENGINE)
    sql = write.text
    if statement.rows is not None and sql.startswith("INSERT ") and "ON CONFLICT" not in sql:
        # A taken key then touches no row, and the guard behind it says whose it was.
        sql += " ON CONFLICT DO NOTHING"
    parameters = write.bind(values)
    check_statement(sql, parameters, write.names)
    return Step(sql, parameters, statement)


def _several(statement: Statement) -> Iterator[Step]:
    """Like inserts as rows of JSON parameters; other writes one by one."""
    write = compile_write(statement.write, ENGINE)
    plain = _PLAIN_INSERT.fullmatch(write.text)
    if plain is None:
        for values in statement.values:
            yield _one(statement, values)
        return
    columns = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(write.names)))
    # WHERE true parts the SELECT from a conflict clause. Only compiled fragments enter the text.
    sql = (
        f"INSERT INTO {plain['table']} ({plain['columns']}) "  # noqa: S608
        f"SELECT {columns} FROM json_each(?) WHERE true{plain['tail'] or ''}"
    )
    rows = []
    for values in statement.values:
        row = write.bind(values)
        check_statement(write.text, row, write.names)
        rows.append(json_text(row))
    for chunk in _chunks(rows):
        text = f"[{','.join(chunk)}]"
        check_text(text, f"the rows of {plain['table']}")
        yield Step(sql, [text], statement)


def _chunks(rows: list[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = _BRACKETS_BYTES
    for row in rows:
        row_bytes = len(row.encode()) + 1
        if chunk and size + row_bytes > _CHUNK_BYTES_MAX:
            yield chunk
            chunk, size = [], _BRACKETS_BYTES
        chunk.append(row)
        size += row_bytes
    if chunk:
        yield chunk

"""Statements compiled once for an engine: text, order of parameters, conversions."""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from eishro.db.search import SearchText, fts5_expression, tsquery_expression
from eishro.db.statements import ListOf, Query, Write
from eishro.db.tenancy import gated
from eishro.db.types import RowType

# One dialect object each for the life of the process; `qmark` is what SQLite and D1 take.
DIALECTS: Mapping[str, sa.Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": asyncpg.dialect(),  # type: ignore[no-untyped-call]
}

_Convert = Callable[[Any], Any]


class Compiled:
    """SQL text for one engine and how values enter it."""

    __slots__ = ("_converts", "_pick", "constants", "names", "text")

    def __init__(
        self,
        text: str,
        names: tuple[str, ...],
        converts: tuple[_Convert | None, ...],
        constants: Mapping[str, object],
    ) -> None:
        self.text = text
        self.names = names
        self.constants = constants
        # One call into C picks all values; only the few that change are looked at one by one.
        self._pick = _picker(names)
        self._converts = tuple(
            (position, convert) for position, convert in enumerate(converts) if convert is not None
        )

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order the text wants them, as the driver wants them.

        Raises:
            KeyError: a value is missing: a fault of the caller.
        """
        if self.constants:
            values = {**self.constants, **values}
        bound: list[object] = [*self._pick(values)]
        for position, convert in self._converts:
            value = bound[position]
            if value is not None:
                bound[position] = convert(value)
        return bound


class CompiledRead(Compiled):
    """A compiled SELECT; `row` turns a driver's row into what the query promises."""

    __slots__ = ("_into", "_readers")

    def __init__(
        self, base: Compiled, into: Callable[..., Any], readers: tuple[tuple[int, _Convert], ...]
    ) -> None:
        super().__init__(base.text, base.names, (), base.constants)
        self._converts = base._converts
        self._into = into
        self._readers = readers

    def row(self, row: Any) -> Any:
        """One result of the query's `into`."""
        if not self._readers:
            return self._into(*row)
        columns = [*row]
        for position, convert in self._readers:
            value = columns[position]
            if value is not None:
                columns[position] = convert(value)
        return self._into(*columns)


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, object]], Iterable[object]]:
    if len(names) > 1:
        return operator.itemgetter(*names)
    if not names:
        return lambda _: ()
    (name,) = names
    return lambda values: (values[name],)


def compile_write(write: Write, engine: str) -> Compiled:
    """The write for `engine`, compiled at its first use."""
    found: Compiled | None = write.compiled.get(engine)
    if found is None:
        found = write.compiled[engine] = _compile(write.sql, engine)
    return found


def compile_read(query: Query[Any], engine: str) -> CompiledRead:
    """The query for `engine`, compiled at its first use.

    Raises:
        NoTenant: PostgreSQL is not told whose rows it may show: a fault of the caller.
    """
    found: CompiledRead | None = query.compiled.get(engine)
    if found is None:
        readers = tuple(
            (position, column.type.from_row)
            for position, column in enumerate(query.select.selected_columns)
            if isinstance(column.type, RowType)
        )
        base = _compile(query.select, engine)
        if engine == "postgresql" and (select := gated(query, base.names)) is not None:
            base = _compile(select, engine)
        found = query.compiled[engine] = CompiledRead(base, query.into, readers)
    return found


def _compile(sql: Any, engine: str) -> Compiled:
    compiled = sql.compile(dialect=DIALECTS[engine])
    names = tuple(compiled.positiontup or ())
    converts = tuple(_converter(compiled.binds[name], engine) for name in names)
    # Literals of the statement itself (`status = 'active'`) are bound like any other value.
    constants = {
        name: compiled.binds[name].value for name in names if not compiled.binds[name].required
    }
    return Compiled(str(compiled), names, converts, constants)


def _converter(bind: sa.BindParameter[Any], engine: str) -> _Convert | None:
    kind = bind.type
    if isinstance(kind, RowType):
        convert: _Convert = kind.to_row
        return convert
    if isinstance(kind, ListOf):
        return list if engine == "postgresql" else _json_array
    if isinstance(kind, SearchText):
        return tsquery_expression if engine == "postgresql" else fts5_expression
    return None


def _json_array(items: object) -> str:
    return msgspec.json.encode(items).decode()

"""Statements compiled once for an engine: text, order of parameters, conversions."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg

from eishro.db.search import SearchText, fts5_expression, tsquery_expression
from eishro.db.statements import ListOf, Query, Write
from eishro.db.types import RowType

# One dialect object each for the life of the process; `qmark` is what SQLite and D1 take.
DIALECTS: Mapping[str, sa.Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": asyncpg.dialect(),  # type: ignore[no-untyped-call]
}

_Convert = Callable[[Any], Any]


class Compiled:
    """SQL text for one engine and how values enter it."""

    __slots__ = ("constants", "converts", "names", "text")

    def __init__(
        self,
        text: str,
        names: tuple[str, ...],
        converts: tuple[_Convert | None, ...],
        constants: Mapping[str, object],
    ) -> None:
        self.text = text
        self.names = names
        self.converts = converts
        self.constants = constants

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order the text wants them, as the driver wants them.

        Raises:
            KeyError: a value is missing: a fault of the caller.
        """
        if self.constants:
            values = {**self.constants, **values}
        return [
            value if convert is None or value is None else convert(value)
            for value, convert in zip(
                [values[name] for name in self.names], self.converts, strict=True
            )
        ]


class CompiledRead(Compiled):
    """A compiled SELECT; `row` turns a driver's row into what the query promises."""

    __slots__ = ("_into", "_readers")

    def __init__(
        self, base: Compiled, into: Callable[..., Any], readers: tuple[tuple[int, _Convert], ...]
    ) -> None:
        super().__init__(base.text, base.names, base.converts, base.constants)
        self._into = into
        self._readers = readers

    def row(self, row: Any) -> Any:
        """One result of the query's `into`."""
        if not self._readers:
            return self._into(*row)
        columns = list(row)
        for position, convert in self._readers:
            if columns[position] is not None:
                columns[position] = convert(columns[position])
        return self._into(*columns)


def compile_write(write: Write, engine: str) -> Compiled:
    """The write for `engine`, compiled at its first use."""
    found: Compiled | None = write.compiled.get(engine)
    if found is None:
        found = write.compiled[engine] = _compile(write.sql, engine)
    return found


def compile_read(query: Query[Any], engine: str) -> CompiledRead:
    """The query for `engine`, compiled at its first use."""
    found: CompiledRead | None = query.compiled.get(engine)
    if found is None:
        readers = tuple(
            (position, column.type.from_row)
            for position, column in enumerate(query.select.selected_columns)
            if isinstance(column.type, RowType)
        )
        base = _compile(query.select, engine)
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

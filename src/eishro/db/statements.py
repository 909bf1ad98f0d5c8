"""Reads, writes and guarded batches: the only way rows are touched.

`Query` and `Write` are module-level values in a noun's `sql.py`; they are compiled once for
each engine. A `Batch` is an ordered list of statements that is applied whole or not at all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

T = TypeVar("T")


class Query(Generic[T]):
    """A SELECT and what to make of each row: `into(*columns)`.

    `into` is usually a struct whose fields stand in the order of the columns, or `int`/`str`
    for a single column. Whose rows it reads (db/tenancy.py) is told by its value `store_id`, by
    the value that `store` names, or it is `across_stores`: it works over several stores, or
    finds out which one it is. One that every order of a busy hour asks is `together`: a server
    answers all who ask it at the same time in one statement (db/postgres_reads.py).
    """

    __slots__ = ("across_stores", "compiled", "into", "select", "store", "together")

    def __init__(
        self,
        select: sa.sql.expression.SelectBase,
        into: Callable[..., T],
        *,
        store: str | None = None,
        across_stores: bool = False,
        together: bool = False,
    ) -> None:
        if together and not across_stores:
            raise ValueError("what is asked together is of many stores")
        self.select = select
        self.into = into
        self.together = together
        self.store = store
        self.across_stores = across_stores
        self.compiled: dict[str, Any] = {}


class Write:
    """An INSERT, UPDATE or DELETE; calling it with values gives a `Statement`.

    Whose rows it changes is told as in a `Query`; `key_store` is a name for the store, too.
    """

    __slots__ = ("across_stores", "compiled", "sql", "store")

    def __init__(
        self, sql: sa.sql.dml.UpdateBase, *, store: str | None = None, across_stores: bool = False
    ) -> None:
        self.sql = sql
        self.store = store
        self.across_stores = across_stores
        self.compiled: dict[str, Any] = {}

    def __call__(self, **values: object) -> "Statement":
        return Statement(self, (values,))

    def each(self, rows: Sequence[Mapping[str, object]]) -> "Statement":
        """The same write for several rows, one round trip where the engine can."""
        return Statement(self, tuple(rows))


class Statement:
    """A write with its values, and the number of rows it must touch (None: any number)."""

    __slots__ = ("otherwise", "rows", "taken", "values", "write")

    def __init__(
        self,
        write: Write,
        values: tuple[Mapping[str, object], ...],
        rows: int | None = None,
        otherwise: Exception | None = None,
        taken: Exception | None = None,
    ) -> None:
        self.write = write
        self.values = values
        self.rows = rows
        self.otherwise = otherwise
        self.taken = taken or otherwise

    def guarded(
        self, otherwise: Exception, rows: int = 1, taken: Exception | None = None
    ) -> "Statement":
        """The same statement that must touch `rows` rows, for each of its values; if it does
        not, or a unique key is taken, the whole batch is refused with `otherwise` (with `taken`
        for the key, if given).
        """
        return Statement(self.write, self.values, rows, otherwise, taken)


class Batch:
    """Statements that are applied all or none, in order. `has_time`: nobody waits for it, so that
    a database may gather several for one commit, some milliseconds long.
    """

    __slots__ = ("has_time", "statements")

    def __init__(self, *statements: Statement, has_time: bool = False) -> None:
        self.statements: list[Statement] = list(statements)
        self.has_time = has_time

    def add(self, *statements: Statement) -> "Batch":
        """Append statements; statements without values (an empty `each`) are left out."""
        self.statements.extend(s for s in statements if s.values)
        return self

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __len__(self) -> int:
        return len(self.statements)


class _InsertWithTail(sa.sql.dml.Insert):
    """An INSERT with a clause behind it that SQLite, D1 and PostgreSQL spell alike."""

    inherit_cache = False
    tail: str
    tail_where: ColumnElement[bool] | None = None


@compiles(_InsertWithTail)
def _insert_with_tail(element: _InsertWithTail, compiler: Any, **kw: Any) -> str:
    text = f"{compiler.visit_insert(element, **kw)} {element.tail}"
    if element.tail_where is not None:
        text += f" WHERE {compiler.process(element.tail_where, **kw)}"
    return text


def insert_once(into: sa.Table) -> sa.sql.dml.Insert:
    """Insert, or touch no row where a unique key is already taken (guard it with `rows=1`)."""
    insert = _InsertWithTail(into)
    insert.tail = "ON CONFLICT DO NOTHING"
    return insert


def upsert(into: sa.Table, where: ColumnElement[bool] | None = None) -> sa.sql.dml.Insert:
    """Insert, or replace every other column of the row with the same primary key.

    Args:
        where: a condition on the row that is there; if it fails, no row is touched.
    """
    key = ", ".join(column.name for column in into.primary_key)
    changes = ", ".join(
        f"{column.name} = excluded.{column.name}" for column in into.c if not column.primary_key
    )
    insert = _InsertWithTail(into)
    insert.tail = f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    insert.tail_where = where
    return insert


def count_up(
    into: sa.Table, column: sa.Column[int], where: ColumnElement[bool]
) -> sa.sql.dml.Insert:
    """Insert, or add one to the column of the row with the same primary key.

    Args:
        where: a condition on the row that is there; if it fails, no row is touched.
    """
    key = ", ".join(each.name for each in into.primary_key)
    insert = _InsertWithTail(into)
    insert.tail = f"ON CONFLICT ({key}) DO UPDATE SET {column.name} = {into.name}.{column.name} + 1"
    insert.tail_where = where
    return insert


class in_list(ColumnElement[bool]):  # noqa: N801 - reads like the SQL it stands for
    """`column IN (the values of one parameter)`, a list of any length in one parameter.

    The parameter is a list of integers or texts: a JSON array for SQLite and D1, a native
    array for PostgreSQL.
    """

    inherit_cache = False
    __visit_name__ = "in_list"

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.parameter: sa.BindParameter[Any] = sa.bindparam(
            name, type_=ListOf(isinstance(column.type, sa.Text))
        )


class ListOf(sa.types.UserDefinedType[Any]):
    """The type of a list parameter; `db/compiled.py` knows how each engine takes it."""

    cache_ok = True

    # SQLAlchemy copies types by their constructor's arguments, so these are the attributes.
    def __init__(self, is_text: bool = False) -> None:  # noqa: FBT001, FBT002
        self.is_text = is_text

    def get_col_spec(self, **_: Any) -> str:
        return "TEXT[]" if self.is_text else "BIGINT[]"


@compiles(in_list, "sqlite")
def _in_json_list(element: in_list, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    value = compiler.process(element.parameter, **kw)
    # Only compiled fragments enter the text; the list stays one parameter.
    return f"{column} IN (SELECT value FROM json_each({value}))"  # noqa: S608


@compiles(in_list, "postgresql")
def _in_array(element: in_list, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    value = compiler.process(element.parameter, **kw)
    kind = "TEXT[]" if isinstance(element.column.type, sa.Text) else "BIGINT[]"
    # Behind a subquery the planner cannot count the list, so a plan for any list is as good as one
    # made for this list, and it stops planning the query anew each time.
    return f"{column} = ANY(ARRAY(SELECT unnest({value}::{kind})))"

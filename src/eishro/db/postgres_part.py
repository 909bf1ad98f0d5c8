"""One write as a part of a larger statement: its rows come from arrays.

`INSERT … VALUES ($1, $2)` becomes `INSERT … SELECT v.p1, v.p2 FROM (SELECT unnest($1) AS p1,
unnest($2) AS p2) AS v`; an UPDATE gets the same source as its FROM, a DELETE as its USING. What
cannot be written so (a list as parameter, a value without a type) has no `source`.
"""

import re
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList

from eishro.db.compiled import Compiled, compile_write
from eishro.db.statements import Write
from eishro.db.tenancy import is_of_stores, store_value

# Tables that triggers of a table write (migration 0002); a test compares this with the catalogue.
WRITTEN_BY_TRIGGER = {"stock": ("store_versions",)}

_PARAMETER = re.compile(r"\$(\d+)(?:::(\w+)\b(?!\[))?")  # a list has no type here
_INSERT_VALUES = re.compile(
    r"INSERT INTO \w+ \((?P<columns>[^()]*)\) (?P<body>VALUES \((?P<row>[^()]*)\))"
    r"(?P<tail> ON CONFLICT.*)?"
)
_INSERT_SELECT = re.compile(r"INSERT INTO \w+ \([^()]*\) SELECT [^()]*?(?=\s*WHERE )", re.DOTALL)
_CONFLICT = re.compile(r"ON CONFLICT \(([^()]*)\)")
_COMPILED = "postgresql part"  # beside the compiled texts of a write


class Part:
    """What a plan must know of a write."""

    __slots__ = (
        "_after",
        "_head",
        "_tail",
        "_types",
        "compiled",
        "is_insert",
        "key",
        "key_columns",
        "of_stores",
        "reads",
        "source",
        "store",
        "table",
        "written",
    )

    def __init__(self, write: Write) -> None:
        sql: Any = write.sql
        self.compiled: Compiled = compile_write(write, "postgresql")
        self.table: str = sql.table.name
        self.written = {self.table, *WRITTEN_BY_TRIGGER.get(self.table, ())}
        self.is_insert = isinstance(sql, sa.sql.dml.Insert)
        self.of_stores = is_of_stores(write)
        # The value that carries the store; None: every store.
        self.store = store_value(write, self.compiled.names) if self.of_stores else None
        self.reads = set(_tables_read(sql))
        self.key_columns: tuple[str, ...] | None = None
        self.key: Callable[[list[object]], Any] | None = None  # picks a row's key
        if not self.is_insert:
            self._find_key(sql)
        self._types: dict[int, str] = {}
        self.source = self._split()

    def text(self, before: int) -> str:
        """The write where `before` parameters of other parts stand in front of its own."""
        columns = ", ".join(
            f"unnest(${before + number}::{kind}[]) AS p{number}"
            for number, kind in sorted(self._types.items())
        )
        rows = f"(SELECT {columns})"
        tail = self._tail.replace("{rows}", rows)
        return f"{self._head} {self._after} {rows} AS v{tail}"

    def _split(self) -> bool:
        """Cut the compiled text where the source of its rows belongs."""
        text = self.compiled.text
        for number, kind in _PARAMETER.findall(text):
            if kind:
                self._types.setdefault(int(number), kind)
        if not self._types or len(self._types) != len(self.compiled.names):
            return False
        if self.is_insert:
            return self._split_insert(text)
        cut = _top_level_where(text)
        if cut is None:
            return False
        self._head, self._tail = _of_row(text[:cut]), _of_row(text[cut:])
        self._after = "FROM" if text.startswith("UPDATE") else "USING"
        return True

    def _split_insert(self, text: str) -> bool:
        self._after = "FROM"
        found = _INSERT_VALUES.fullmatch(text)
        if found is not None:
            self._head = f"{text[: found.start('body')]}SELECT {_of_row(found['row'])}"
            return self._split_tail(found["tail"] or "", found["columns"], found["row"])
        found = _INSERT_SELECT.match(text)
        if found is None or ("$" in text.partition("ON CONFLICT")[2]):
            return False
        self._head, self._tail = _of_row(found[0]), _of_row(text[found.end() :])
        return True

    def _split_tail(self, tail: str, columns: str, row: str) -> bool:
        """A condition on a conflict knows the row that is there and the one that was to be, but
        not where that came from: it looks its other parameters up by the key.
        """
        self._tail = tail
        if "$" not in tail:
            return True
        conflict = _CONFLICT.search(tail)
        values = dict(zip(columns.split(", "), row.split(", "), strict=True))
        if conflict is None:
            return False
        names = conflict[1].split(", ")
        same = " AND ".join(f"{_of_row(values[n], 'k')} = excluded.{n}" for n in names)
        self._tail = _PARAMETER.sub(
            lambda p: f"(SELECT k.p{p[1]} FROM {{rows}} AS k WHERE {same})",  # noqa: S608
            tail,
        )
        return True

    def _find_key(self, sql: Any) -> None:
        """A unique key whose columns the WHERE all compares with parameters."""
        compared = dict(_comparisons(sql.whereclause))
        for columns in _unique_keys(sql.table):
            if compared.keys() >= set(columns):
                self.key_columns = columns
                self.key = itemgetter(
                    *(self.compiled.names.index(compared[name]) for name in columns)
                )
                return


def part_of(write: Write) -> Part:
    """The write's part, made at its first use."""
    part: Part | None = write.compiled.get(_COMPILED)
    if part is None:
        part = write.compiled[_COMPILED] = Part(write)
    return part


def _of_row(text: str, row: str = "v") -> str:
    return _PARAMETER.sub(lambda found: f"{row}.p{found[1]}", text)


def _top_level_where(text: str) -> int | None:
    depth = 0
    for at, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif depth == 0 and text.startswith(" WHERE ", at):
            return at
    return None


def _tables_read(sql: Any) -> Iterator[str]:
    """Tables of subqueries; the row that is changed is not one, though subqueries refer to it."""
    is_insert = isinstance(sql, sa.sql.dml.Insert)
    root = sql.select if is_insert else sql
    for element in () if root is None else visitors.iterate(root):
        source = getattr(element, "table", element)
        if source is sql.table and not is_insert:
            continue
        source = getattr(source, "element", source)  # behind an alias
        if isinstance(source, sa.TableClause):
            yield source.name


def _unique_keys(table: sa.Table) -> Iterator[tuple[str, ...]]:
    yield tuple(column.name for column in table.primary_key)
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield tuple(column.name for column in constraint.columns)


def _comparisons(clause: Any) -> Iterator[tuple[str, str]]:
    """Columns that must equal a parameter, and its name."""
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for inner in clause.clauses:
            yield from _comparisons(inner)
    elif isinstance(clause, BinaryExpression) and clause.operator is operators.eq:
        left, right = clause.left, clause.right
        if isinstance(left, sa.Column) and isinstance(right, BindParameter):
            yield left.name, right.key

"""Every statement of the product, and how each says whose rows it touches."""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter

import eishro
from eishro.db import tenancy
from eishro.db.pages import Pages
from eishro.db.statements import Query, Write

Kind = Literal["filtered", "insert", "across stores", "platform", "untold"]
# Loaded in a Worker, by the migration tool, or only beside a shop: no statements of their own.
_ELSEWHERE = ("eishro.edge", "eishro.sandbox", "eishro.db.migrations")
_CATALOGUES = {"sqlite_master", "tables"}


class Named(NamedTuple):
    """A statement and where it stands."""

    name: str
    statement: Query[Any] | Write


@functools.cache
def statements() -> tuple[Named, ...]:
    """The statements that modules keep; those made for a list's filters are not among them."""
    found: dict[int, Named] = {}
    for module in pkgutil.walk_packages(eishro.__path__, "eishro."):
        if module.name.startswith(_ELSEWHERE) or module.name.endswith("__main__"):
            continue
        for name, value in _values(importlib.import_module(module.name)):
            if isinstance(value, Query | Write):
                found.setdefault(id(value), Named(f"{module.name}.{name}", value))
    return tuple(found.values())


def sql_of(statement: Query[Any] | Write) -> Any:
    """The SELECT, INSERT, UPDATE or DELETE itself."""
    return statement.select if isinstance(statement, Query) else statement.sql


def filters_of(statement: Query[Any] | Write) -> list[BinaryExpression[Any]]:
    """The comparisons of a store with a value of the statement."""
    return [
        element
        for element in visitors.iterate(sql_of(statement))
        if isinstance(element, BinaryExpression)
        and isinstance(element.right, BindParameter)
        and _is_store(element.left, element.right, statement)
    ]


@functools.cache
def store_values(statement: Query[Any] | Write) -> frozenset[str]:
    """Names of the values that its filters compare; of what it was when first asked about."""
    return frozenset(str(condition.right.key) for condition in filters_of(statement))


def kind_of(statement: Query[Any] | Write) -> Kind:
    """How the statement says whose rows it touches."""
    sql = sql_of(statement)
    tables = set(tenancy.tables_of(sql))
    if isinstance(statement, Write):
        tables.add(sql.table.name)
    if tables <= {*tenancy.PLATFORM, *_CATALOGUES}:
        return "platform"
    if statement.across_stores:
        return "across stores"
    if filters_of(statement):
        return "filtered"
    return "insert" if isinstance(sql, sa.Insert) else "untold"


def _is_store(column: Any, value: BindParameter[Any], statement: Query[Any] | Write) -> bool:
    if getattr(column, "name", None) == "store_id":
        return True
    is_id = getattr(column, "name", None) == "id" and column.table.name == "stores"
    return is_id and value.key == statement.store


def _values(module: Any) -> Iterator[tuple[str, object]]:
    for name, value in vars(module).items():
        yield from flat(name, value)


def flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    """What a module's name stands for: itself, or what it holds."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _of_pages(f"{name}[{key}]", each)
    elif isinstance(value, tuple | list):
        for key, each in enumerate(value):
            yield from _of_pages(f"{name}[{key}]", each)
    else:
        yield from _of_pages(name, value)


def _of_pages(name: str, value: object) -> Iterator[tuple[str, object]]:
    if not isinstance(value, Pages):
        yield name, value
        return
    for filters, both in value.statements.items():
        by = "".join(f" by {each}" for each in sorted(filters))
        for what, statement in zip(("page", "total"), both, strict=True):
            yield f"{name}.{what}{by}", statement

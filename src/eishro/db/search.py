"""Full text: the same table on every engine, and each engine's own query language.

`product_search.body` holds normalised text (`text.search_text`). On SQLite triggers keep an FTS5
index beside it, on PostgreSQL a generated `tsvector` column; the writes are the same
everywhere. User input never reaches an engine as syntax: only `text.search_terms` words do,
and they hold nothing but letters and digits.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

from eishro.text import SearchTerm


class SearchText(sa.types.UserDefinedType[Any]):
    """The type of a search parameter: a sequence of `text.SearchTerm`."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TEXT"


class matches(ColumnElement[bool]):  # noqa: N801 - reads like the SQL it stands for
    """True for rows of `product_search` whose text holds every term of the parameter."""

    inherit_cache = False

    def __init__(self, product_id: ColumnElement[Any], name: str) -> None:
        self.product_id = product_id
        self.parameter: sa.BindParameter[Any] = sa.bindparam(name, type_=SearchText())


@compiles(matches, "sqlite")
def _fts5(element: matches, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.product_id, **kw)
    value = compiler.process(element.parameter, **kw)
    # Only compiled fragments enter the text; values stay parameters.
    found = f"SELECT rowid FROM product_fts WHERE product_fts MATCH {value}"  # noqa: S608
    return f"{column} IN ({found})"


@compiles(matches, "postgresql")
def _tsvector(element: matches, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.product_id, **kw)
    value = compiler.process(element.parameter, **kw)
    return (
        f"{column} IN (SELECT product_id FROM product_search "  # noqa: S608 - as above
        f"WHERE document @@ to_tsquery('simple', {value}))"
    )


def fts5_expression(terms: Sequence[SearchTerm]) -> str:
    """An FTS5 query: all terms, each as itself or one of its alternatives."""
    return " AND ".join(
        "(" + " OR ".join(f'"{w}"' + ("*" if term.is_prefix else "") for w in _words(term)) + ")"
        for term in terms
    )


def tsquery_expression(terms: Sequence[SearchTerm]) -> str:
    """A `to_tsquery` text: all terms, each as itself or one of its alternatives."""
    return " & ".join(
        "(" + " | ".join(f"'{w}'" + (":*" if term.is_prefix else "") for w in _words(term)) + ")"
        for term in terms
    )


def _words(term: SearchTerm) -> tuple[str, ...]:
    return (term.word, *term.alternatives)

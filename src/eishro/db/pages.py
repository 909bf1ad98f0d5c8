"""Lists by pages: the statement that reads a page, and the one that counts over all of them.

Both are made of one SELECT, so that they cannot come to differ. Filters that a caller may leave out
are given by the value that they compare: `list_(db, 20, 0, store_id=1, status=None)` reads without
the filter `status`. Statements for every choice of them are made when the module is loaded.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.statements import Query

T = TypeVar("T")


class Pages(Generic[T]):
    """One list. `statements` holds (page, total) by the names of the filters that are on."""

    def __init__(
        self,
        select: sa.Select[Any],
        into: Callable[..., T],
        *,
        order_by: tuple[Any, ...],
        filters: Mapping[str, sa.ColumnElement[bool]] | None = None,
        total: sa.Select[Any] | None = None,
    ) -> None:
        """Make the statements.

        Args:
            select: columns and the conditions that always hold.
            filters: by the name of the value that each compares.
            total: counts where the rows of `select` cannot be counted as they are.
        """
        self._filters = filters or {}
        counted = total
        if counted is None:
            counted = select.with_only_columns(sa.func.count(), maintain_column_froms=True)
        self.statements: dict[frozenset[str], tuple[Query[T], Query[int]]] = {}
        for size in range(len(self._filters) + 1):
            for names in combinations(self._filters, size):
                conditions = [self._filters[name] for name in names]
                page = (
                    select.where(*conditions)
                    .order_by(*order_by)
                    .limit(sa.bindparam("limit"))
                    .offset(sa.bindparam("offset"))
                )
                self.statements[frozenset(names)] = (
                    Query(page, into),
                    Query(counted.where(*conditions), int),
                )

    async def list_(self, db: Database, limit: int, offset: int, **values: object) -> list[T]:
        """One page; a filter whose value is None is off."""
        (page, _), given = self._chosen(values)
        return await db.all(page, limit=limit, offset=offset, **given)

    async def count(self, db: Database, **values: object) -> int:
        """How many rows there are over all pages."""
        (_, total), given = self._chosen(values)
        return await db.one(total, **given) or 0

    def _chosen(
        self, values: dict[str, object]
    ) -> tuple[tuple[Query[T], Query[int]], dict[str, object]]:
        off = {name for name in self._filters if values.get(name) is None}
        given = {name: value for name, value in values.items() if name not in off}
        return self.statements[frozenset(self._filters) - off], given

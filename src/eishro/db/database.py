"""The database port: reads, and guarded batches that apply whole or not at all."""

from typing import Protocol, TypeVar

from eishro.db.statements import Batch, Query
from eishro.errors import Unavailable

T = TypeVar("T")


class DatabaseBusy(Unavailable):
    """The database does not answer in time, or cannot write now; nothing was applied."""


class DatabaseDamaged(Unavailable):
    """What stands there is no database, or no sound one; nothing was applied.

    Callers of the API learn only that the service is away; `str` says what was found.
    """

    def __init__(self, found: str) -> None:
        super().__init__()
        self.found = found

    def __str__(self) -> str:
        return f"the database cannot be used: {self.found}"


class CommitUnknown(Unavailable):
    """The connection broke while committing: the batch may have been applied.

    Callers do not repeat; whoever comes again with the same idempotency key finds out.
    """


class Database(Protocol):
    """What every engine does. Rows read are committed rows; nothing is locked by reading."""

    engine: str

    async def one(self, query: Query[T], **values: object) -> T | None:
        """The only row, or None.

        Raises:
            ValueError: more than one row: a fault of the caller.
            DatabaseBusy: the read took too long or the server is away.
        """
        ...

    async def all(self, query: Query[T], **values: object) -> list[T]:
        """All rows, in the order of the query; every query has a LIMIT or a bounded key."""
        ...

    async def commit(self, batch: Batch) -> None:
        """Apply every statement or none, durably, before returning.

        Raises:
            Stale: what a row refers to is gone.
            Exception: the `otherwise` of the first statement that touched another number of
                rows than it must; nothing was applied.
            DatabaseBusy: nothing was applied.
            CommitUnknown: it may have been applied.
        """
        ...

    async def run_script(self, script: str) -> None:
        """Apply a migration script in one transaction."""
        ...

    async def aclose(self) -> None:
        """Finish what is queued, then close."""
        ...

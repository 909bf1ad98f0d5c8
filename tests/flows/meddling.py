"""A race with a known outcome: somebody else is faster between a flow's reads and its commit."""

from collections.abc import Awaitable, Callable

from eishro.db.statements import Batch
from eishro.flows.shop import Shop
from tests.shops import changed


class _Meddled:
    """A database that does some work before its first commit."""

    def __init__(self, shop: Shop, work: Callable[[], Awaitable[object]]) -> None:
        self._db = shop.db
        self._work: Callable[[], Awaitable[object]] | None = work

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    async def commit(self, batch: Batch) -> None:
        work, self._work = self._work, None
        if work is not None:
            await work()
        await self._db.commit(batch)


def meddled(shop: Shop, work: Callable[[], Awaitable[object]]) -> Shop:
    """The shop, in which `work` is done just before the next commit."""
    return changed(shop, db=_Meddled(shop, work))

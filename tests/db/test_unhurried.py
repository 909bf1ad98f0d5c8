"""Work that has time lets others go on between its reads, and reads and writes the same."""

import asyncio

import pytest

from eishro.db.statements import Batch
from eishro.domain.stores import sql as stores
from eishro.errors import Stale
from tests.shops import World

pytestmark = pytest.mark.anyio


async def test_others_go_on_between_the_reads_of_unhurried_work(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    store = merchant.store.id
    db = world.shop.at_leisure().db
    went_on = 0
    is_over = False

    async def others() -> None:
        nonlocal went_on
        while not is_over:
            went_on += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    for _ in range(10):
        before = went_on
        assert await stores.find_version(db, store) == await stores.find_version(world.db, store)
        assert went_on > before
    is_over = True
    await waiting


async def test_unhurried_work_writes_through_the_same_guards(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    db = world.shop.at_leisure().db
    store = await stores.get_store(db, merchant.store.id)
    await db.commit(Batch(stores.save_store(store, seen=store)))
    with pytest.raises(Stale):
        await db.commit(Batch(stores.save_store(store, seen=store)))

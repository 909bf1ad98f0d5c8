"""Lists by pages: filters that are left out, and a count that counts what the pages show."""

import pytest
import sqlalchemy as sa

from eishro.db.pages import Pages
from eishro.db.statements import Batch
from eishro.domain.orders import notes
from eishro.domain.orders.notes import OrderNote, order_notes
from eishro.ids import text_id
from tests.shops import World

pytestmark = pytest.mark.anyio

_NOTES = Pages(
    sa.select(order_notes.c.text).where(order_notes.c.store_id == sa.bindparam("store_id")),
    str,
    order_by=(order_notes.c.text.desc(),),
    filters={
        "author": order_notes.c.author == sa.bindparam("author"),
        "text": order_notes.c.text == sa.bindparam("text"),
    },
)


async def test_pages_and_counts_follow_the_same_filters(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    order = (await world.order(await world.product(merchant.store.id))).order
    at = world.clock.now()
    for text, author in (("a", "user:1"), ("b", "user:1"), ("c", "user:2")):
        note = OrderNote(order.id, text_id("not", at), order.store_id, text, author, at)
        await world.db.commit(Batch(notes.insert_note(note)))
    store = {"store_id": order.store_id}
    assert await _NOTES.list_(world.db, 2, 0, **store) == ["c", "b"]
    assert await _NOTES.list_(world.db, 2, 2, **store, author=None) == ["a"]
    assert await _NOTES.count(world.db, **store) == 3
    assert await _NOTES.list_(world.db, 9, 0, **store, author="user:1") == ["b", "a"]
    assert await _NOTES.count(world.db, **store, author="user:1") == 2
    assert await _NOTES.count(world.db, **store, author="user:1", text="c") == 0
    assert await _NOTES.count(world.db, store_id=order.store_id + 1) == 0

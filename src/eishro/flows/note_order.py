"""Write a note on an order, for the store's own people."""

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.orders import notes
from eishro.domain.orders.model import Order
from eishro.domain.orders.notes import OrderNote
from eishro.flows.shop import Once, Shop
from eishro.ids import text_id


async def add_note(shop: Shop, order: Order, text: str, actor: Actor, once: Once) -> OrderNote:
    """A new note; notes are not changed afterwards.

    Raises:
        idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    note = OrderNote(
        order_id=order.id,
        id=text_id("not", at),
        store_id=order.store_id,
        text=text,
        author=actor.name,
        at=at,
    )
    await shop.db.commit(
        Batch(
            *once.claim(note),
            notes.insert_note(note),
            audit.record(actor, "order.noted", order.id, at, store_id=order.store_id, note=note.id),
        )
    )
    return note

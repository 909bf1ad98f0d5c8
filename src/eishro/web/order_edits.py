"""For the store's people: notes on an order, and changes of it before anything is shipped."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.orders import notes
from eishro.domain.orders.model import LINES_MAX, QUANTITY_MAX, Order
from eishro.domain.orders.notes import OrderNote
from eishro.flows.edit_order import NewAddress, NewQuantity, edit_address, edit_items
from eishro.flows.note_order import add_note
from eishro.web.delivery import ShippingBody
from eishro.web.orders import read
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import PageQuery, has_condition, refuse_stale
from eishro.web.wire import IntegerId, Note

SomeNote = Annotated[
    str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")
]


class NoteBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What to remember."""

    text: SomeNote


class NoteView(msgspec.Struct, frozen=True, rename="camel"):
    """A note in an answer."""

    id: str
    text: str
    author: str
    at: datetime


class NewItemBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """So many pieces of a variant; 0 takes it out."""

    variant_id: IntegerId
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]


class ItemsBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """All items that the order has from now on; what is not named is taken out."""

    items: Annotated[list[NewItemBody], Meta(min_length=1, max_length=LINES_MAX)]
    note: Note | None = None


class NewAddressBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where the order goes instead, whole."""

    shipping: ShippingBody
    note: Note | None = None


async def write_note(call: Call, body: NoteBody) -> Reply:
    """A note for the store's people."""

    def view(note: OrderNote) -> Reply:
        return Reply(_note_view(note), status=201)

    once = call.once(view)
    note = await add_note(call.shop, call.found["order"], body.text.strip(), call.actor, once)
    return once.reply(note)


async def list_notes(call: Call, query: PageQuery) -> Reply:
    """The order's notes, oldest first."""
    order: Order = call.found["order"]
    key = (call.shop.db, order.store_id, order.id)
    offset = (query.page - 1) * query.limit
    found = await notes.list_notes(*key, query.limit, offset)
    page = Page(query.page, query.limit, await notes.count_notes(*key))
    return Reply([_note_view(note) for note in found], page=page)


async def change_items(call: Call, body: ItemsBody) -> Reply:
    """Other items; amounts, stock and books follow."""
    await _refuse_stale(call)
    wanted = [NewQuantity(item.variant_id, item.quantity) for item in body.items]
    order = await edit_items(call.shop, call.params["order_id"], wanted, body.note, call.actor)
    return await _changed(call, order)


async def change_address(call: Call, body: NewAddressBody) -> Reply:
    """Another address; delivery costs what it costs there now."""
    await _refuse_stale(call)
    address = NewAddress(
        city_code=body.shipping.city.code,
        area=body.shipping.area,
        address=body.shipping.address,
        shipping_notes=body.shipping.notes,
        shipping_method=body.shipping.method,
    )
    order = await edit_address(call.shop, call.params["order_id"], address, body.note, call.actor)
    return await _changed(call, order)


async def _changed(call: Call, order: Order) -> Reply:
    call.found["order"] = order
    return await read(call)


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        refuse_stale(call, (await read(call)).data)


def _note_view(note: OrderNote) -> NoteView:
    return NoteView(note.id, note.text, note.author, note.at)

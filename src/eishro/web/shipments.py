"""Shipments: parcels of an order, their events, and what the merchant types about them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.orders.model import LINES_MAX, QUANTITY_MAX, Line, Order
from eishro.domain.shipping import cod, shipments_sql
from eishro.domain.shipping.carriers import KEY_LENGTH_MAX, carrier_key
from eishro.domain.shipping.remittance_file import TRACKING_LENGTH_MAX, tracking_number
from eishro.domain.shipping.shipments import Shipment, ShipmentEvent, Status
from eishro.errors import Invalid, Words
from eishro.flows import parcels
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.parcels import Load, Parcel
from eishro.flows.ship_order import Shipped, ship_order
from eishro.text import strip_marks
from eishro.web.routes import Call, Reply
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import IntegerId, Name, Note, WireType, dinars


class CarrierName(WireType):
    """A carrier by any name: `key` is what accounts and look-ups know it by, `name` is shown."""

    __slots__ = ("key", "name")
    expected = Words(
        "must be a carrier's name of up to 40 letters and digits, such as amyal or d-express",
        "يجب أن يكون اسم شركة شحن من 40 حرفا ورقما على الأكثر، مثل amyal أو أميال",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "minLength": 1,
        "maxLength": 40,
        "pattern": "[A-Za-z0-9]",
        "examples": ["amyal", "d-express"],
    }

    def __init__(self, key: str, name: str) -> None:
        self.key = key
        self.name = name

    @classmethod
    def parse(cls, value: object) -> "CarrierName":
        if not isinstance(value, str) or len(value) > KEY_LENGTH_MAX:
            raise ValueError(cls.expected.en)
        key = carrier_key(value)
        if not 0 < len(key) <= KEY_LENGTH_MAX:
            raise ValueError(cls.expected.en)
        name = " ".join("".join(c for c in strip_marks(value) if c.isprintable()).split())
        return cls(key, name)


class TrackingNumber(WireType):
    """A carrier's number of a parcel; kept in capitals without spaces."""

    __slots__ = ("number",)
    expected = Words(
        "must be a tracking number of up to 60 characters",
        "يجب أن يكون رقم تتبع من 60 حرفا على الأكثر",
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "minLength": 1,
        "maxLength": TRACKING_LENGTH_MAX,
        "pattern": "[A-Za-z0-9]",
        "examples": ["AMY-284510"],
    }

    def __init__(self, number: str) -> None:
        self.number = number

    @classmethod
    def parse(cls, value: object) -> "TrackingNumber":
        short = isinstance(value, str) and len(value) <= TRACKING_LENGTH_MAX
        number = tracking_number(value) if isinstance(value, str) and short else None
        if number is None:
            raise ValueError(cls.expected.en)
        return cls(number)


class PieceBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Pieces of one of the order's variants."""

    variant_id: IntegerId
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class ShipmentBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A parcel; without `lines` it takes all that is left to ship."""

    carrier: CarrierName
    service: Name | None = None
    tracking_number: TrackingNumber | None = None
    lines: Annotated[list[PieceBody], Meta(min_length=1, max_length=LINES_MAX)] | None = None
    note: Note | None = None


class ShipmentChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What the merchant types; what is left out stays."""

    status: Status | None = None
    tracking_number: TrackingNumber | None | UnsetType = UNSET
    note: Note | None = None


class PieceView(msgspec.Struct, frozen=True, rename="camel"):
    """Pieces in a parcel."""

    product_id: int
    variant_id: int
    name: str
    quantity: int


class ShipmentEventView(msgspec.Struct, frozen=True, rename="camel"):
    """Something said about a parcel: by the merchant or its carrier, in whose own word."""

    status: Status | None
    raw_status: str
    source: str
    note: str | None
    at: datetime


class ShipmentCodView(msgspec.Struct, frozen=True, rename="camel"):
    """The cash that the parcel's courier collects, and how far it is."""

    amount: Decimal
    state: cod.State


class ShipmentView(msgspec.Struct, frozen=True, rename="camel"):
    """A parcel in an answer."""

    id: str
    order_id: str
    store_id: int
    carrier: str
    carrier_name: str
    service: str | None
    tracking_number: str | None
    status: Status
    lines: list[PieceView]
    cod: ShipmentCodView
    events: list[ShipmentEventView]
    created_at: datetime
    updated_at: datetime


async def create(call: Call, body: ShipmentBody) -> Reply:
    """Send pieces of the order on their way."""
    parcel = Parcel(
        carrier=body.carrier.key,
        carrier_name=body.carrier.name,
        service=body.service,
        tracking_number=body.tracking_number.number if body.tracking_number else None,
        pieces=_pieces(body),
        note=body.note,
    )

    def view(shipped: Shipped) -> Reply:
        shown = shipment_view(shipped.load, shipped.shipment, shipped.events)
        return Reply(shown, status=201, message=Words("Shipped.", "تم إنشاء الشحنة."))

    once = call.once(view)
    order_id = call.params["order_id"]
    return once.reply(await ship_order(call.shop, order_id, parcel, call.actor, once))


def _pieces(body: ShipmentBody) -> dict[int, int] | None:
    if body.lines is None:
        return None
    pieces: dict[int, int] = {}
    for number, line in enumerate(body.lines):
        if line.variant_id in pieces:
            twice = Words("is in the list already", "موجود في القائمة بالفعل")
            raise Invalid({f"lines[{number}].variantId": twice})
        pieces[line.variant_id] = line.quantity
    return pieces


async def list_of_order(call: Call) -> Reply:
    """The order's parcels, oldest first."""
    load = await parcels.read_load(call.shop, call.found["order"])
    events = await shipments_sql.list_events(call.shop.db, [s.id for s in load.shipments])
    views = [
        shipment_view(load, shipment, [e for e in events if e.shipment_id == shipment.id])
        for shipment in load.shipments
    ]
    return Reply(views)


async def read(call: Call) -> Reply:
    """One parcel with what was said about it."""
    return Reply(await _whole(call, call.found["shipment"], call.found["order"]))


async def change(call: Call, body: ShipmentChangeBody) -> Reply:
    """Type a status, a tracking number or a note; the order follows."""
    if has_condition(call):
        refuse_stale(call, await _whole(call, call.found["shipment"], call.found["order"]))
    number = body.tracking_number
    wanted = ShipmentChange(
        status=UNSET if body.status is None else body.status,
        tracking_number=number.number if isinstance(number, TrackingNumber) else number,
        note=body.note,
    )
    shipment = await change_shipment(call.shop, call.params["shipment_id"], wanted, call.actor)
    return Reply(await _whole(call, shipment, call.found["order"]))


async def _whole(call: Call, shipment: Shipment, order: Order) -> ShipmentView:
    load = (await parcels.read_load(call.shop, order)).with_shipment(shipment)
    return shipment_view(
        load, shipment, await shipments_sql.list_events(call.shop.db, [shipment.id])
    )


def shipment_view(load: Load, shipment: Shipment, events: Sequence[ShipmentEvent]) -> ShipmentView:
    """The parcel as the API shows it."""
    lines: dict[int, Line] = {line.position: line for line in load.lines}
    pieces = [
        PieceView(
            lines[inside.position].product_id,
            lines[inside.position].variant_id,
            lines[inside.position].name,
            inside.quantity,
        )
        for inside in load.contents
        if inside.shipment_id == shipment.id
    ]
    return ShipmentView(
        id=shipment.id,
        order_id=shipment.order_id,
        store_id=shipment.store_id,
        carrier=shipment.carrier,
        carrier_name=shipment.shown_carrier,
        service=shipment.service,
        tracking_number=shipment.tracking_number,
        status=shipment.status,
        lines=pieces,
        cod=ShipmentCodView(dinars(shipment.cod_dirhams), cod.state_of(shipment, load.collections)),
        events=[
            ShipmentEventView(e.status, e.raw_status, _said_by(e), e.note, e.at) for e in events
        ],
        created_at=shipment.created_at,
        updated_at=shipment.updated_at,
    )


def _said_by(event: ShipmentEvent) -> str:
    """Buyers see events too, and staff are nobody's business but the store's."""
    return event.source if event.source.startswith("carrier:") else "merchant"

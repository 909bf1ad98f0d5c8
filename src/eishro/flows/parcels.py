"""What an order's parcels hold, and what follows for stock and books when they come and go.

Read once as a `Load`; everything else here is pure and gives statements for a flow's batch. Every
flow that uses them saves the order by its version, so two of them never work on one state: no
piece is shipped twice, nothing is cancelled while it leaves.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from eishro.db.statements import Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import COD, Line, Order, Status
from eishro.domain.shipping import cod_sql as cod
from eishro.domain.shipping import shipments as model
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.cod import Collection
from eishro.domain.shipping.shipments import Ordered, Shipment, ShipmentEvent, ShipmentLine
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Taking
from eishro.flows.shop import Shop
from eishro.ids import text_id


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A wanted shipment; `pieces` by variant, None is all that is left."""

    carrier: str = model.MANUAL
    service: str | None = None
    tracking_number: str | None = None
    pieces: dict[int, int] | None = None
    note: str | None = None


class Load(msgspec.Struct, frozen=True):
    """An order with everything that was shipped and collected of it."""

    order: Order
    lines: tuple[Line, ...]
    shipments: tuple[Shipment, ...]
    contents: tuple[ShipmentLine, ...]
    collections: tuple[Collection, ...]

    @property
    def live(self) -> list[Shipment]:
        """Parcels that were not cancelled."""
        return [s for s in self.shipments if s.status != "cancelled"]

    @property
    def is_cod(self) -> bool:
        """True where couriers collect what the order costs."""
        return self.order.payment_method == COD

    @property
    def is_unpaid(self) -> bool:
        """True while the order's money is still to come."""
        return self.order.payment_status in ("pending", "failed")

    @property
    def shipped(self) -> dict[int, int]:
        """Pieces in live parcels, by position."""
        live = {shipment.id for shipment in self.live}
        pieces: dict[int, int] = {}
        for line in self.contents:
            if line.shipment_id in live:
                pieces[line.position] = pieces.get(line.position, 0) + line.quantity
        return pieces

    @property
    def written_off(self) -> list[Shipment]:
        """Refused parcels whose part of the price was taken back; a paid order's stays."""
        return [s for s in self.live if s.status == "returned" and self._owes(s)]

    @property
    def due_dirhams(self) -> int:
        """What couriers still have to bring for the whole order."""
        collected = sum(c.expected_dirhams for c in self.collections)
        gone = sum(s.value_dirhams for s in self.written_off)
        return self.order.total_dirhams - collected - gone

    def is_collected(self, shipment: Shipment) -> bool:
        """True if the courier took this parcel's cash."""
        return any(c.shipment_id == shipment.id for c in self.collections)

    def _owes(self, shipment: Shipment) -> bool:
        return self.is_cod and shipment.cod_dirhams > 0 and not self.is_collected(shipment)

    def takings(self, shipment: Shipment) -> list[Taking]:
        """The parcel's pieces by variant, sorted by it: two flows wait instead of deadlocking."""
        variants = {line.position: line.variant_id for line in self.lines}
        pieces: dict[int, int] = {}
        for line in self.contents:
            if line.shipment_id == shipment.id:
                variant = variants[line.position]
                pieces[variant] = pieces.get(variant, 0) + line.quantity
        return [Taking(self.order.store_id, v, pieces[v]) for v in sorted(pieces)]

    def with_shipment(self, after: Shipment) -> "Load":
        """The same load with one parcel as it is afterwards."""
        changed = tuple(after if s.id == after.id else s for s in self.shipments)
        return msgspec.structs.replace(self, shipments=changed)


async def read_load(shop: Shop, order: Order) -> Load:
    """Everything shipped and collected of the order."""
    found = await shipments.list_of_order(shop.db, order.id)
    return Load(
        order,
        tuple(await orders.list_lines(shop.db, [order.id])),
        tuple(found),
        tuple(await shipments.list_lines(shop.db, [shipment.id for shipment in found])),
        tuple(await cod.list_collections(shop.db, [order.id])),
    )


async def owes_all(shop: Shop, order: Order) -> bool:
    """False once couriers have brought a part of what the order costs, or taken refused goods
    back: the whole of it is not owed any more, and nothing but cash can pay the rest.
    """
    if order.payment_method != COD:
        return True
    load = await read_load(shop, order)
    return not load.collections and load.due_dirhams == order.total_dirhams


def pack(load: Load, parcel: Parcel, at: datetime) -> tuple[Shipment, Load, bool]:
    """The new parcel, the load with it, and whether nothing is left to ship after it.

    Raises:
        NothingLeftToShip
    """
    order = load.order
    left = (
        order.subtotal_dirhams - order.discount_dirhams - sum(s.goods_dirhams for s in load.live),
        order.shipping_dirhams - sum(s.delivery_dirhams for s in load.live),
    )
    net = order.subtotal_dirhams - order.discount_dirhams
    ordered = [Ordered(x.position, x.variant_id, x.quantity, x.total_dirhams) for x in load.lines]
    packed = model.pack(ordered, load.shipped, parcel.pieces, left, net)
    value = packed.goods_dirhams + packed.delivery_dirhams
    shipment = Shipment(
        id=text_id("shp", at),
        store_id=order.store_id,
        order_id=order.id,
        carrier=parcel.carrier,
        service=parcel.service,
        tracking_number=parcel.tracking_number,
        status="created",
        goods_dirhams=packed.goods_dirhams,
        delivery_dirhams=packed.delivery_dirhams,
        cod_dirhams=value if load.is_cod and load.is_unpaid else 0,
        fee_dirhams=None,
        note=parcel.note,
        created_at=at,
        updated_at=at,
        version=1,
    )
    lines = tuple(
        ShipmentLine(shipment.id, position, order.store_id, quantity)
        for position, quantity in sorted(packed.pieces.items())
    )
    after = msgspec.structs.replace(
        load, shipments=(*load.shipments, shipment), contents=(*load.contents, *lines)
    )
    return shipment, after, packed.is_last


def leaving(load: Load, shipment: Shipment, event: ShipmentEvent, at: datetime) -> list[Statement]:
    """A new parcel leaves the shelf: its rows, and its pieces consumed."""
    lines = [line for line in load.contents if line.shipment_id == shipment.id]
    statements = [*shipments.insert_shipment(shipment, lines), shipments.insert_event(event)]
    for taking in load.takings(shipment):
        statements += stock.consume(taking, shipment.id, at)
    return statements


def refused_pieces(load: Load) -> dict[int, int]:
    """Pieces by variant that buyers never got: in parcels that came back or were lost."""
    pieces: dict[int, int] = {}
    for shipment in load.live:
        if shipment.status in ("returned", "lost"):
            for taking in load.takings(shipment):
                pieces[taking.variant_id] = pieces.get(taking.variant_id, 0) + taking.quantity
    return pieces


def pieces_out(load: Load, arrived: Mapping[int, int]) -> dict[int, int]:
    """Pieces by variant that are with couriers or buyers: shipped, and not back by any way.

    Args:
        arrived: pieces that came back in returns.
    """
    if load.order.status == "returned":
        return {}
    out: dict[int, int] = {}
    for shipment in load.live:
        for taking in load.takings(shipment):
            out[taking.variant_id] = out.get(taking.variant_id, 0) + taking.quantity
    back = refused_pieces(load)
    return {v: out[v] - back.get(v, 0) - arrived.get(v, 0) for v in out}


def follow(
    load: Load, to: Status, source: str, at: datetime, arrived: Mapping[int, int]
) -> list[Statement]:
    """What the order's new status means for its parcels: what is not shipped yet goes along in a
    parcel of its own, open ones are delivered or back.

    Args:
        arrived: pieces by variant that came back in returns already and are looked after there.
    """
    if to == "shipped":
        return _ship_rest(load, source, at)
    statements: list[Statement] = []
    if to == "delivered":
        for shipment in load.live:
            statements += _end(shipment, "delivered", source, at)
    if to == "returned":
        here = dict(arrived)
        for shipment in load.live:
            if shipment.status in ("returned", "lost"):
                continue
            statements += _end(shipment, "returned", source, at)
            for taking in _still_out(load.takings(shipment), here):
                statements += stock.restock(taking, shipment.id, at)
        statements += _restock_rest(load, here, at)
        statements += taken_back(load, at)
    return statements


def _still_out(takings: Iterable[Taking], here: dict[int, int]) -> list[Taking]:
    """The takings without the pieces that are `here` already; those are taken off it."""
    left = []
    for taking in takings:
        back = min(here.get(taking.variant_id, 0), taking.quantity)
        if back:
            here[taking.variant_id] -= back
        if taking.quantity > back:
            left.append(Taking(taking.store_id, taking.variant_id, taking.quantity - back))
    return left


def _ship_rest(load: Load, source: str, at: datetime) -> list[Statement]:
    if all(load.shipped.get(line.position, 0) >= line.quantity for line in load.lines):
        return []
    shipment, after, _ = pack(load, Parcel(), at)
    event = shipments.new_event(shipment, "created", "created", source, at)
    return leaving(after, shipment, event, at)


def _end(shipment: Shipment, to: model.Status, source: str, at: datetime) -> list[Statement]:
    """The parcel's last status, unless it has one."""
    after = shipment.hear(to, at)
    if after == shipment:
        return []
    event = shipments.new_event(shipment, to, to, source, at)
    return [shipments.save_shipment(after, seen=shipment), shipments.insert_event(event)]


def _restock_rest(load: Load, here: dict[int, int], at: datetime) -> list[Statement]:
    """Pieces of orders that were shipped before there were parcels."""
    shipped, statements = load.shipped, list[Statement]()
    for line in sorted(load.lines, key=lambda line: line.variant_id):
        rest = line.quantity - shipped.get(line.position, 0)
        if rest > 0:
            for taking in _still_out([Taking(line.store_id, line.variant_id, rest)], here):
                statements += stock.restock(taking, load.order.id, at)
    return statements


def taken_back(load: Load, at: datetime) -> list[Statement]:
    """The books of an order that came back unpaid: nobody owes for it any more. What was paid
    stays until it is refunded.
    """
    if not load.is_unpaid or load.due_dirhams <= 0:
        return []
    settled = [s for s in load.live if load.is_collected(s)] + load.written_off
    delivery = load.order.shipping_dirhams - sum(s.delivery_dirhams for s in settled)
    return [_reversed(load.order, load.due_dirhams, min(delivery, load.due_dirhams), at)]


def written_off(load: Load, shipment: Shipment, at: datetime) -> list[Statement]:
    """One refused parcel of an order that goes on: its part of the price is not owed any more."""
    if not load.is_cod or not load.is_unpaid or load.is_collected(shipment):
        return []
    value = min(shipment.value_dirhams, load.due_dirhams)
    if value <= 0:
        return []
    return [_reversed(load.order, value, min(shipment.delivery_dirhams, value), at)]


def _reversed(order: Order, value_dirhams: int, delivery_dirhams: int, at: datetime) -> Statement:
    amounts = {
        "receivable": -value_dirhams,
        "sales": value_dirhams - delivery_dirhams,
        "delivery": delivery_dirhams,
    }
    return ledger.post(order.store_id, "order.returned", at, amounts, order_id=order.id)


def is_settled(load: Load) -> bool:
    """True if cash came for all of the order that was not refused."""
    return bool(load.collections) and load.due_dirhams == 0


def positions_of(lines: Sequence[Line]) -> dict[int, int]:
    """The position of each of the order's variants."""
    return {line.variant_id: line.position for line in lines}

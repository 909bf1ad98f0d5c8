"""Cash on delivery arrives: a courier says what it collected, people decide what does not fit.

The exact amount pays the order. Any other is kept as a case and pays nothing until somebody
accepts or dismisses it. What couriers hand over later comes through `import_remittance.py`.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.commission import commission_added
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import COD, Order
from eishro.domain.shipping import cod, cod_sql
from eishro.domain.shipping.cod import AlreadyCollected, Case, Collection, NothingToCollect
from eishro.domain.shipping.shipments import MANUAL, Shipment, ShipmentNotFound
from eishro.errors import Invalid, Words
from eishro.flows import parcels
from eishro.flows.parcels import Load
from eishro.flows.pay_order import closing_attempts
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id

_EARLY = timedelta(minutes=5)  # clocks of couriers differ


class Cash(msgspec.Struct, frozen=True, kw_only=True):
    """What a courier says it took. Without a shipment it is for all that is still due."""

    amount_dirhams: int
    shipment_id: str | None = None
    courier: str | None = None
    collected_at: datetime | None = None


class Counted(msgspec.Struct, frozen=True):
    """What became of it: booked, or kept for people."""

    order: Order
    state: Literal["collected", "disputed"]
    collections: tuple[Collection, ...] = ()
    case: Case | None = None
    is_known: bool = False  # the same was said before


@again_if_stale
async def record_collection(
    shop: Shop, order_id: str, cash: Cash, actor: Actor, once: Once
) -> Counted:
    """Book the cash if it is what was due, else keep it as a case.

    Raises:
        NothingToCollect, AlreadyCollected, ShipmentNotFound
        Invalid: it was collected in the future.
    """
    order = await orders.get_order(shop.db, order_id)
    at = shop.clock.now()
    if cash.collected_at is not None and cash.collected_at > at + _EARLY:
        words = Words("must not be in the future", "يجب ألا يكون في المستقبل")
        raise Invalid({"collectedAt": words})
    load = await parcels.read_load(shop, order)
    targets, expected = _targets(load, cash)
    batch = Batch()
    if cash.amount_dirhams == expected:
        counted = _counted(load, targets, cash, at)
        told = booked(load, counted.order, counted.collections, actor, at)
        # What open attempts would take is not what is due any more.
        told += await closing_attempts(shop, order, at)
    else:
        counted = await _disputed(shop, load, targets, expected, cash, at)
        told = _told_of_case(load.order, counted, actor, at)
    batch.add(*once.claim(counted), *told)
    if len(batch):
        await shop.db.commit(batch)
    return counted


def _targets(load: Load, cash: Cash) -> tuple[list[Shipment | None], int]:
    """Which parcels the cash is for (None: the order as a whole), and how much is due for them."""
    order = load.order
    if not load.is_cod:
        raise NothingToCollect()
    if cash.shipment_id is not None:
        found = [s for s in load.shipments if s.id == cash.shipment_id]
        if not found:
            raise ShipmentNotFound()
        if load.is_collected(found[0]):
            raise AlreadyCollected()
        if not found[0].may_collect or not order.is_payable or not found[0].cod_dirhams:
            raise NothingToCollect()
        return [*found], found[0].cod_dirhams
    if load.collections and (load.due_dirhams == 0 or not load.is_unpaid):
        raise AlreadyCollected()
    if not order.is_payable or load.due_dirhams <= 0:
        raise NothingToCollect()
    pending = [s for s in load.live if s.may_collect and s.cod_dirhams and not load.is_collected(s)]
    if load.live and not pending:
        raise NothingToCollect()
    waiting = sum(s.cod_dirhams for s in pending)
    if (pending and cash.amount_dirhams != load.due_dirhams) or waiting == load.due_dirhams:
        return [*pending], waiting
    return [None], load.due_dirhams


def _counted(load: Load, targets: list[Shipment | None], cash: Cash, at: datetime) -> Counted:
    made = tuple(
        new_collection(
            load.order,
            shipment,
            carrier=cash.courier or (shipment.carrier if shipment else MANUAL),
            amounts=(cash.amount_dirhams, cash.amount_dirhams)
            if shipment is None
            else (shipment.cod_dirhams, shipment.cod_dirhams),
            collected_at=cash.collected_at or at,
            at=at,
        )
        for shipment in targets
    )
    return Counted(order_after(load, made, at), "collected", made)


def new_collection(
    order: Order,
    shipment: Shipment | None,
    *,
    carrier: str,
    amounts: tuple[int, int],
    collected_at: datetime,
    at: datetime,
) -> Collection:
    """Cash for a parcel or (None) for the order; `amounts` are what was due and what came."""
    return Collection(
        id=text_id("col", at),
        store_id=order.store_id,
        order_id=order.id,
        shipment_id=shipment.id if shipment else None,
        carrier=carrier,
        state="collected",
        expected_dirhams=amounts[0],
        amount_dirhams=amounts[1],
        fee_dirhams=0,
        short_dirhams=0,
        collected_at=collected_at,
        remitted_at=None,
        remittance_id=None,
        version=1,
    )


def order_after(load: Load, made: tuple[Collection, ...], at: datetime) -> Order:
    """The order with this cash: paid once nothing is due any more."""
    order = load.order
    after = msgspec.structs.replace(
        order,
        payment_method=COD,  # whatever its buyer has begun since it left
        due_dirhams=order.due_dirhams - sum(c.expected_dirhams for c in made),
        paid_dirhams=order.paid_dirhams + sum(c.amount_dirhams for c in made),
        updated_at=at,
    )
    return after.pay(at) if after.due_dirhams == 0 else after


def booked(
    load: Load, after: Order, made: tuple[Collection, ...], actor: Actor, at: datetime
) -> list[Statement]:
    """The collections, their entries, and the order as they leave it."""
    before, statements = load.order, list[Statement]()
    earlier = before.paid_dirhams
    for collection in made:
        amounts = cod.collected(
            collection.carrier, collection.amount_dirhams, collection.expected_dirhams
        )
        amounts |= commission_added(before.commission_bp, earlier, collection.amount_dirhams)
        earlier += collection.amount_dirhams
        statements += [
            cod_sql.insert_collection(collection),
            ledger.post(before.store_id, "cod.collected", at, amounts, order_id=before.id),
            orders.note_history(after, "cod.collected", actor.name, at, collection.carrier),
            audit.record(
                actor,
                "cod.collected",
                before.id,
                at,
                store_id=before.store_id,
                courier=collection.carrier,
                dirhams=collection.amount_dirhams,
            ),
        ]
    statements.append(orders.save_order(after, seen=before))
    if after.payment_status != before.payment_status:
        statements += [
            orders.note_history(after, "order.paid", actor.name, at),
            outbox.publish("order.paid", before.id, at, store_id=before.store_id),
        ]
    return statements


async def _disputed(
    shop: Shop,
    load: Load,
    targets: list[Shipment | None],
    expected: int,
    cash: Cash,
    at: datetime,
) -> Counted:
    shipment = targets[0] if len(targets) == 1 else None
    carriers = {s.carrier for s in targets if s}
    carrier = cash.courier or (carriers.pop() if len(carriers) == 1 else MANUAL)
    for known in await cod_sql.list_open_cases(shop.db, [load.order.id]):
        is_same = known.amount_dirhams == cash.amount_dirhams and known.carrier == carrier
        if is_same and known.stage == "collection":
            return Counted(load.order, "disputed", case=known, is_known=True)
    case = Case(
        id=text_id("cas", at),
        store_id=load.order.store_id,
        order_id=load.order.id,
        shipment_id=shipment.id if shipment else None,
        collection_id=None,
        remittance_id=None,
        carrier=carrier,
        kind=cod.kind_of(cash.amount_dirhams, expected, "collection"),
        stage="collection",
        state="open",
        expected_dirhams=expected,
        amount_dirhams=cash.amount_dirhams,
        fee_dirhams=0,
        happened_at=cash.collected_at or at,
        resolution=None,
        note=None,
        created_at=at,
        resolved_at=None,
        resolved_by=None,
        version=1,
    )
    return Counted(load.order, "disputed", case=case)


def _told_of_case(before: Order, counted: Counted, actor: Actor, at: datetime) -> list[Statement]:
    case = counted.case
    if case is None or counted.is_known:
        return []
    after = msgspec.structs.replace(before, updated_at=at)
    # The order is saved so that the same words said twice at once open one case.
    return [
        cod_sql.insert_case(case),
        orders.save_order(after, seen=before),
        orders.note_history(after, "cod.disputed", actor.name, at, case.kind),
        outbox.publish("cod.disputed", case.id, at, store_id=before.store_id),
        audit.record(
            actor,
            "cod.disputed",
            before.id,
            at,
            store_id=before.store_id,
            case=case.id,
            expected=case.expected_dirhams,
            dirhams=case.amount_dirhams,
        ),
    ]

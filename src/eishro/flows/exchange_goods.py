"""Settle an exchange of an order that was paid online: what came back pays the other order.

The money does not move: what the old order owes its buyer is taken for what the buyer owes for the
new one, in one batch that saves both orders by their versions. What is left over goes back as any
refund, what is missing stays due on the new order. Should the new order be refunded, its money goes
back through the gateway where it came from: the receipts go with it (`purse.py`).
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.commission import commission_added
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import OFFLINE_METHODS, Order
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.refund_amounts import RefundWanted
from eishro.domain.payments.refunds import Refund
from eishro.flows.pay_order import closing_attempts
from eishro.flows.purse import read_purse
from eishro.flows.refund_order import given_up, new_refunds, open_refunds, opening
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.money import decimal_from_dirhams


@again_if_stale
async def settle_exchange(
    shop: Shop, order_id: str, other_id: str, wanted: RefundWanted, actor: Actor, once: Once
) -> None:
    """Give back what the wanted pieces are worth: the other order is paid with it as far as it
    waits for money, and the rest is refunded. One that is to be paid at the door waits for none.

    Raises:
        Invalid, RefundTooLarge, TooManyRefunds, idempotency.AlreadyClaimed.
    """
    purse = await read_purse(shop, await orders.get_order(shop.db, order_id))
    other = await orders.get_order(shop.db, other_id)
    worth = purse.measure(wanted).amount_dirhams
    waits = other.is_payable and other.payment_method not in OFFLINE_METHODS
    moved = min(worth, other.due_dirhams) if waits else 0
    if moved == 0:
        await open_refunds(shop, order_id, wanted, actor, once)
        return
    at = shop.clock.now()
    exchanged = msgspec.structs.replace(wanted, amount_dirhams=moved)
    exchanges = [
        _staying(made, other, actor)
        for made in await new_refunds(shop, purse, exchanged, actor, at)
    ]
    after, told = purse, list[Statement]()
    for exchange in exchanges:
        told += _told_of_exchange(after.order, exchange, other, actor, at)
        after = after.with_refund(exchange)
    if worth > moved:
        rest = RefundWanted(reason=wanted.reason, amount_dirhams=worth - moved)
        for refund in await new_refunds(shop, after, rest, actor, at):
            told += opening(after.order, refund, actor, at)
            after = after.with_refund(refund)
    order = after.order.refund(moved, after.order.paid_dirhams, at)
    paid = other.receive(moved, at)
    saves = [orders.save_order(order, seen=purse.order), orders.save_order(paid, seen=other)]
    if other.id < order.id:
        saves.reverse()  # whoever saves both takes them in one order
    batch = Batch(*once.claim(exchanges), *saves, *told)
    batch.add(
        *_paying(other, paid, moved, actor, at),
        *await closing_attempts(shop, other, at),
    )
    await shop.db.commit(batch)


def _staying(made: Refund, other: Order, actor: Actor) -> Refund:
    """A refund that is done, as its money stays where it is and pays the other order."""
    return msgspec.structs.replace(
        made,
        status="done",
        kind="exchange",
        through="exchange",
        completed_by=actor.name,
        next_try_at=None,
        paid_order_id=other.id,
    )


def _told_of_exchange(
    order: Order, exchange: Refund, other: Order, actor: Actor, at: datetime
) -> list[Statement]:
    """On the old order: less was sold, and its money is owed until the new order takes it."""
    dirhams = exchange.amount_dirhams
    amount = str(decimal_from_dirhams(dirhams))
    owed = {"refunds_due": -dirhams, **given_up(order, exchange)}
    return [
        refunds.insert_refund(exchange),
        ledger.post(order.store_id, "refund.requested", at, owed, order_id=order.id),
        orders.note_history(order, "order.exchanged", actor.name, at, f"{amount}: {other.number}"),
        outbox.publish(
            "order.exchanged",
            order.id,
            at,
            store_id=order.store_id,
            amount=amount,
            refund=exchange.id,
        ),
        audit.record(
            actor,
            "order.exchanged",
            order.id,
            at,
            store_id=order.store_id,
            other=other.id,
            dirhams=dirhams,
        ),
    ]


def _paying(
    before: Order, after: Order, dirhams: int, actor: Actor, at: datetime
) -> list[Statement]:
    """On the new order: the money is here."""
    entries = {
        "refunds_due": dirhams,
        "receivable": -dirhams,
        **commission_added(before.commission_bp, before.paid_dirhams, dirhams),
    }
    amount = str(decimal_from_dirhams(dirhams))
    told = [
        ledger.post(before.store_id, "exchange.applied", at, entries, order_id=before.id),
        orders.note_history(after, "exchange.applied", actor.name, at, amount),
    ]
    if after.payment_status == "paid":
        told += [
            orders.note_history(after, "order.paid", actor.name, at),
            outbox.publish("order.paid", after.id, at, store_id=after.store_id),
        ]
    return told

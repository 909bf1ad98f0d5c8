"""Refund an order, or money in suspense: decide how much goes back, and write it down.

Nothing leaves here: a refund is opened as `requested` and `send_refund` brings it out, or it is
`manual` where no gateway can, and people say when they have done it. How much may go back is
guarded by the order's version: every refund of an order, and its cancelling, save the order.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.commission import commission_returned
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import StoredReceipt
from eishro.domain.payments.refund_amounts import Amounts, RefundWanted, divide
from eishro.domain.payments.refunds import (
    NotInSuspense,
    Refund,
    RefundNotFound,
    RefundTooLarge,
    Through,
)
from eishro.domain.suspense import sql as suspense
from eishro.flows.gateways import provider_of
from eishro.flows.purse import Purse, read_purse
from eishro.flows.send_refund import settling
from eishro.flows.shop import SYSTEM, NotOnce, Once, Shop, again_if_stale
from eishro.ids import text_id
from eishro.money import decimal_from_dirhams


@again_if_stale
async def open_refunds(
    shop: Shop, order_id: str, wanted: RefundWanted, actor: Actor, once: Once
) -> list[Refund]:
    """New refunds of the order, one for each receipt that the money goes back through, mostly one;
    never more than what came and has not gone back.

    Raises:
        Invalid, RefundTooLarge, TooManyRefunds, OrderNotFound, idempotency.AlreadyClaimed.
    """
    purse = await read_purse(shop, await orders.get_order(shop.db, order_id))
    at = shop.clock.now()
    opened = await new_refunds(shop, purse, wanted, actor, at)
    statements = list[Statement]()
    after = purse
    for refund in opened:
        statements += opening(after.order, refund, actor, at)
        after = after.with_refund(refund)
    order = msgspec.structs.replace(after.order, updated_at=at)
    saved = orders.save_order(order, seen=purse.order)
    await shop.db.commit(Batch(*once.claim(opened), saved, *statements))
    return opened


async def open_due_refunds(shop: Shop, order_id: str) -> list[Refund]:
    """Everything that a cancelled order still owes its buyer; none if that is nothing."""
    wanted = RefundWanted(reason="order cancelled")
    try:
        return await open_refunds(shop, order_id, wanted, SYSTEM, NotOnce())
    except RefundTooLarge:
        return []


@again_if_stale
async def open_suspense_refund(
    shop: Shop,
    payment_id: str,
    receipt_key: tuple[str, str],
    reason: str,
    actor: Actor,
    once: Once,
) -> Refund:
    """Give back money that no order waits for, all of it.

    Args:
        receipt_key: terminal and the gateway's reference of the money.

    Raises:
        NotInSuspense, SuspenseResolved, PaymentNotFound, idempotency.AlreadyClaimed.
    """
    payment = await payments.get_payment(shop.db, payment_id)
    receipt = _in_suspense(await payments.list_receipts(shop.db, payment_id), receipt_key)
    order = await orders.get_order(shop.db, payment.order_id)
    at = shop.clock.now()
    amounts = Amounts(receipt.amount_dirhams, 0, 0, ())
    opened = await new_refund(shop, order, amounts, reason, receipt, actor, at)
    refund = msgspec.structs.replace(opened, kind="suspense")
    item = await suspense.find_item_of_receipt(
        shop.db, receipt.store_id, receipt.provider, *receipt_key
    )
    batch = Batch(*once.claim(refund), refunds.leave_suspense(receipt))
    if item is not None:
        placed = item.resolve("refund", actor.name, at)
        batch.add(suspense.save_item(placed, seen=item))
    await shop.db.commit(batch.add(*opening(order, refund, actor, at)))
    return refund


@again_if_stale
async def retry_refund(shop: Shop, order_id: str, refund_id: str, actor: Actor) -> Refund:
    """Send a refund once more that the gateway has refused; a repeat changes nothing.

    Raises:
        RefundNotFound, RefundNotOpen.
    """
    before = await _of_order(shop, order_id, refund_id)
    if before.status in ("requested", "sending"):
        return before
    at = shop.clock.now()
    after = before.asked_again(at)
    await shop.db.commit(
        Batch(
            refunds.save_refund(after, seen=before),
            audit.record(actor, "refund.retried", refund_id, at, store_id=before.store_id),
        )
    )
    return after


@again_if_stale
async def complete_refund(
    shop: Shop,
    order_id: str,
    refund_id: str,
    *,
    note: str,
    reference: str | None,
    through: Through,
    actor: Actor,
) -> Refund:
    """People have given the money back: in cash, by transfer, or in the gateway's own portal.

    Saying the same again is a success that changes nothing: it needs no idempotency key.

    Raises:
        RefundNotFound, RefundNotOpen.
    """
    before = await _of_order(shop, order_id, refund_id)
    way: Through = "cash" if before.receipt_reference is None else through
    if before.status == "done" and before.completed_by is not None:
        said = before.note, before.provider_reference, before.through
        if said == (note, reference, way):
            return before
    at = shop.clock.now()
    after = before.completed(actor.name, note, reference, way, at)
    await shop.db.commit(Batch(*await settling(shop, after, before, actor, at)))
    return after


async def _of_order(shop: Shop, order_id: str, refund_id: str) -> Refund:
    refund = await refunds.get_refund(shop.db, refund_id)
    if refund.order_id != order_id:
        raise RefundNotFound()
    return refund


def _in_suspense(receipts: Sequence[StoredReceipt], key: tuple[str, str]) -> StoredReceipt:
    for receipt in receipts:
        waits = not receipt.applied and receipt.reason != refunds.REFUNDING
        if waits and (receipt.terminal, receipt.provider_reference) == key:
            return receipt
    raise NotInSuspense()


async def new_refunds(
    shop: Shop, purse: Purse, wanted: RefundWanted, actor: Actor, at: datetime
) -> list[Refund]:
    """What is wanted as refunds that nobody has sent: one for each receipt it goes back through,
    and one for people of what came by no gateway.

    Raises:
        Invalid, RefundTooLarge, TooManyRefunds.
    """
    whole = purse.measure(wanted)
    pieces = purse.split(whole.amount_dirhams)
    purse.check_room(len(pieces))
    parts = divide(whole, [part for _, part in pieces])
    return [
        await new_refund(shop, purse.order, amounts, wanted.reason, receipt, actor, at)
        for (receipt, _), amounts in zip(pieces, parts, strict=True)
    ]


async def new_refund(
    shop: Shop,
    order: Order,
    amounts: Amounts,
    reason: str,
    receipt: StoredReceipt | None,
    actor: Actor,
    at: datetime,
) -> Refund:
    """A refund that nobody has sent; a task for people where no gateway can give it back."""
    goes_out = await _goes_out(shop, receipt)
    return Refund(
        id=text_id("ref", at),
        store_id=order.store_id,
        order_id=order.id,
        payment_id=receipt.payment_id if receipt else None,
        provider=receipt.provider if receipt else None,
        terminal=receipt.terminal if receipt else None,
        receipt_reference=receipt.provider_reference if receipt else None,
        amount_dirhams=amounts.amount_dirhams,
        goods_dirhams=amounts.goods_dirhams,
        delivery_dirhams=amounts.delivery_dirhams,
        lines=msgspec.Raw(msgspec.json.encode(amounts.lines)),
        reason=reason,
        status="requested" if goes_out else "manual",
        kind="refund" if goes_out else "manual",
        through=None,
        provider_reference=None,
        failure=None,
        requested_by=actor.name,
        completed_by=None,
        note=None,
        attempts=0,
        sent_at=None,
        next_try_at=at if goes_out else None,
        created_at=at,
        updated_at=at,
        version=1,
    )


def opening(order: Order, refund: Refund, actor: Actor, at: datetime) -> list[Statement]:
    """The refund, what it means in the books, and who wanted it."""
    amount = str(decimal_from_dirhams(refund.amount_dirhams))
    statements = [
        refunds.insert_refund(refund),
        orders.note_history(
            order, "refund.requested", actor.name, at, f"{amount}: {refund.reason}"
        ),
        outbox.publish(
            f"refund.{refund.status}", refund.id, at, store_id=order.store_id, order=order.id
        ),
        audit.record(
            actor,
            "refund.requested",
            refund.id,
            at,
            store_id=order.store_id,
            order=order.id,
            dirhams=refund.amount_dirhams,
        ),
    ]
    if refund.is_of_order and order.status == "cancelled":
        return statements  # cancelling has posted all that is owed
    owed = {"refunds_due": -refund.amount_dirhams}
    if refund.kind == "suspense":
        owed["suspense"] = refund.amount_dirhams
    else:
        owed |= given_up(order, refund)
    posted = ledger.post(
        order.store_id,
        "order.overpaid" if refund.kind == "excess" else "refund.requested",
        at,
        owed,
        order_id=order.id,
        payment_id=refund.payment_id,
    )
    return [*statements, posted]


def given_up(order: Order, refund: Refund) -> dict[str, int]:
    """What the store does not earn for it: the platform's share goes back with it. A change that
    made an order cheaper has booked that itself, and left more received than is owed.
    """
    share = commission_returned(
        order.paid_dirhams,
        order.commission_bp,
        order.refunds_opened_dirhams,
        refund.amount_dirhams,
    )
    if refund.kind == "excess":
        return {"receivable": refund.amount_dirhams, **share}
    return {"sales": refund.goods_dirhams, "delivery": refund.delivery_dirhams, **share}


async def _goes_out(shop: Shop, receipt: StoredReceipt | None) -> bool:
    """True if the gateway that took the money can give it back."""
    if receipt is None:
        return False
    payment = await payments.get_payment(shop.db, receipt.payment_id)
    provider = await provider_of(shop, payment)
    return provider is not None and provider.can_refund

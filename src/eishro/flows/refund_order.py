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
from eishro.domain.orders.model import Line, Order
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import StoredReceipt
from eishro.domain.payments.refund_amounts import (
    Amounts,
    RefundableLine,
    RefundWanted,
    Standing,
    measure,
)
from eishro.domain.payments.refunds import (
    REFUNDS_MAX,
    NotInSuspense,
    Refund,
    RefundNotFound,
    RefundTooLarge,
    Through,
    TooManyRefunds,
)
from eishro.domain.suspense import sql as suspense
from eishro.flows.gateways import provider_of
from eishro.flows.send_refund import captured_dirhams, settling
from eishro.flows.shop import SYSTEM, NotOnce, Once, Shop, again_if_stale
from eishro.ids import text_id
from eishro.money import decimal_from_dirhams


@again_if_stale
async def open_refund(
    shop: Shop, order_id: str, wanted: RefundWanted, actor: Actor, once: Once
) -> Refund:
    """A new refund of the order; never more than what came and has not gone back.

    Raises:
        Invalid, RefundTooLarge, TooManyRefunds, OrderNotFound, idempotency.AlreadyClaimed.
    """
    order = await orders.get_order(shop.db, order_id)
    lines = await orders.list_lines(shop.db, [order_id])
    found = await refunds.list_refunds_of_order(shop.db, order.store_id, order_id)
    receipts = await _money_of(shop, order)
    earlier = [refund for refund in found if refund.is_of_order]
    standing = _standing(order, await captured_dirhams(shop, order, receipts), earlier)
    amounts = measure(wanted, standing, _refundable(lines, earlier))
    if len(earlier) >= REFUNDS_MAX:
        raise TooManyRefunds()
    at = shop.clock.now()
    receipt = _money_for(amounts.amount_dirhams, receipts, earlier)
    goes_out = await _goes_out(shop, receipt)
    refund = _new_refund(order, amounts, wanted.reason, receipt, actor, at, goes_out=goes_out)
    opened = order.refunds_opened_dirhams + refund.amount_dirhams
    after = msgspec.structs.replace(order, refunds_opened_dirhams=opened, updated_at=at)
    await shop.db.commit(
        Batch(*once.claim(refund), orders.save_order(after, seen=order)).add(
            *_opening(order, refund, standing.captured_dirhams, actor, at)
        )
    )
    return refund


async def open_due_refund(shop: Shop, order_id: str) -> Refund | None:
    """Everything that a cancelled order still owes its buyer; None if that is nothing."""
    wanted = RefundWanted(reason="order cancelled")
    try:
        return await open_refund(shop, order_id, wanted, SYSTEM, NotOnce())
    except RefundTooLarge:
        return None


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
    goes_out = await _goes_out(shop, receipt)
    opened = _new_refund(order, amounts, reason, receipt, actor, at, goes_out=goes_out)
    refund = msgspec.structs.replace(opened, kind="suspense")
    item = await suspense.find_item_of_receipt(
        shop.db, receipt.store_id, receipt.provider, *receipt_key
    )
    batch = Batch(*once.claim(refund), refunds.leave_suspense(receipt))
    if item is not None:
        placed = item.resolve("refund", actor.name, at)
        batch.add(suspense.save_item(placed, seen=item))
    await shop.db.commit(batch.add(*_opening(order, refund, 0, actor, at)))
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


def _standing(order: Order, captured_dirhams: int, earlier: Sequence[Refund]) -> Standing:
    goods = order.subtotal_dirhams - order.discount_dirhams
    return Standing(
        captured_dirhams=captured_dirhams,
        opened_dirhams=order.refunds_opened_dirhams,
        goods_left_dirhams=max(0, goods - sum(r.goods_dirhams for r in earlier)),
        delivery_left_dirhams=max(
            0, order.shipping_dirhams - sum(r.delivery_dirhams for r in earlier)
        ),
    )


def _refundable(lines: Sequence[Line], earlier: Sequence[Refund]) -> list[RefundableLine]:
    """The order's lines with what was paid for each: its total without its share of discounts."""
    refunded: dict[int, int] = {}
    for refund in earlier:
        for line in refund.lines_value():
            refunded[line.position] = refunded.get(line.position, 0) + line.quantity
    return [
        RefundableLine(
            position=line.position,
            variant_id=line.variant_id,
            quantity=line.quantity,
            net_dirhams=line.total_dirhams - line.discount_dirhams,
            refunded=refunded.get(line.position, 0),
        )
        for line in lines
    ]


async def _money_of(shop: Shop, order: Order) -> list[StoredReceipt]:
    """The money that paid the order: its own, or what was in suspense before."""
    own = await refunds.list_applied_receipts(shop.db, order.store_id, order.id)
    if own or not order.is_captured:
        return own
    found: list[StoredReceipt] = []
    for item in await suspense.list_applied_to(shop.db, order.store_id, order.id):
        key = (item.terminal, item.provider_reference)
        found += [
            receipt
            for receipt in await payments.list_receipts(shop.db, item.payment_id)
            if (receipt.terminal, receipt.provider_reference) == key
        ]
    return found


def _money_for(
    dirhams: int, receipts: Sequence[StoredReceipt], earlier: Sequence[Refund]
) -> StoredReceipt | None:
    """The receipt that this much can go back from; None: by no gateway."""
    for receipt in receipts:
        key = (receipt.provider, receipt.terminal, receipt.provider_reference)
        gone = sum(r.amount_dirhams for r in earlier if r.receipt_key == key)
        if receipt.amount_dirhams - gone >= dirhams:
            return receipt
    return None


def _in_suspense(receipts: Sequence[StoredReceipt], key: tuple[str, str]) -> StoredReceipt:
    for receipt in receipts:
        waits = not receipt.applied and receipt.reason != refunds.REFUNDING
        if waits and (receipt.terminal, receipt.provider_reference) == key:
            return receipt
    raise NotInSuspense()


async def _goes_out(shop: Shop, receipt: StoredReceipt | None) -> bool:
    """True if the gateway that took the money can give it back."""
    if receipt is None:
        return False
    payment = await payments.get_payment(shop.db, receipt.payment_id)
    provider = await provider_of(shop, payment)
    return provider is not None and provider.can_refund


def _new_refund(
    order: Order,
    amounts: Amounts,
    reason: str,
    receipt: StoredReceipt | None,
    actor: Actor,
    at: datetime,
    *,
    goes_out: bool,
) -> Refund:
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


def _opening(
    order: Order, refund: Refund, captured_dirhams: int, actor: Actor, at: datetime
) -> list[Statement]:
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
            reason=refund.reason,
        ),
    ]
    owed = {"refunds_due": -refund.amount_dirhams}
    if not refund.is_of_order:
        owed["suspense"] = refund.amount_dirhams
    elif order.status != "cancelled":
        owed["sales"], owed["delivery"] = refund.goods_dirhams, refund.delivery_dirhams
        owed |= commission_returned(
            captured_dirhams,
            order.commission_bp,
            order.refunds_opened_dirhams,
            refund.amount_dirhams,
        )
    else:
        return statements  # cancelling has posted all that is owed
    posted = ledger.post(
        order.store_id,
        "refund.requested",
        at,
        owed,
        order_id=order.id,
        payment_id=refund.payment_id,
    )
    return [*statements, posted]

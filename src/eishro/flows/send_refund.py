"""Send a refund out: the intent is written, the gateway is asked, its answer is written.

`sending` says that a call may have left. Whoever finds it so after its time, and whoever looks
after an `unknown` one, goes the same way: the provider asks the gateway what became of it before
anything is sent again. Only one refund of the same money is under way at a time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.orders import sql as orders
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.model import Payment, StoredReceipt
from eishro.domain.payments.port import (
    RefundAnswer,
    RefundIntent,
    RefundLater,
    RefundManual,
)
from eishro.domain.payments.refunds import UNDER_WAY, Refund
from eishro.flows.gateways import intent_of, provider_of
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.shop import SYSTEM, Shop, again_if_stale
from eishro.money import decimal_from_dirhams


async def send_refund(shop: Shop, refund_id: str) -> Refund:
    """Bring the refund a step on, if it is its time."""
    before = await _claim(shop, refund_id)
    if before is None:
        return await refunds.get_refund(shop.db, refund_id)
    answer = await _ask(shop, before)
    return await record_refund_answer(shop, refund_id, answer, before.sent_at)


@again_if_stale
async def record_refund_answer(
    shop: Shop, refund_id: str, answer: RefundAnswer, sent_before: datetime | None = None
) -> Refund:
    """Apply a gateway's answer; a repeat changes nothing, `done` never goes back.

    Args:
        sent_before: the refund's `sent_at` before the call that is answered.
    """
    before = await refunds.get_refund(shop.db, refund_id)
    at = shop.clock.now()
    after = before.answered(answer, at, sent_before)
    if after == before:
        return before
    if after.status == "done":
        batch = Batch(*await settling(shop, after, before, SYSTEM, at))
    else:
        batch = Batch(refunds.save_refund(after, seen=before))
        if after.status in ("failed", "manual"):
            batch.add(*_for_people(after, at))
    await shop.db.commit(batch)
    return after


async def check_refunds(shop: Shop, payment: Payment) -> int:
    """News says that money of the payment went back: ask about refunds that are not clear.

    Returns: how many there were.
    """
    found = await refunds.list_refunds_of_payment(shop.db, payment.store_id, payment.id)
    unclear = [r.id for r in found if r.status == "unknown"]
    for refund_id in unclear:
        await send_refund(shop, refund_id)
    return len(unclear)


@again_if_stale
async def _claim(shop: Shop, refund_id: str) -> Refund | None:
    """Write that a call may leave now; the refund as it was before, or None: not now."""
    before = await refunds.get_refund(shop.db, refund_id)
    at = shop.clock.now()
    is_due = before.next_try_at is not None and before.next_try_at <= at
    if before.status not in ("requested", *UNDER_WAY) or not (is_due or before.status == "unknown"):
        return None
    siblings = await _siblings(shop, before)
    is_busy = any(
        other.id != before.id
        and other.receipt_key == before.receipt_key
        and other.status in UNDER_WAY
        for other in siblings
    )
    after = before.waiting(at) if is_busy else before.sending(at)
    await shop.db.commit(Batch(refunds.save_refund(after, seen=before)))
    return None if is_busy else before


async def _ask(shop: Shop, refund: Refund) -> RefundAnswer:
    if refund.payment_id is None:
        return RefundManual("no gateway took this money")
    payment = await payments.get_payment(shop.db, refund.payment_id)
    provider = await provider_of(shop, payment)
    if provider is None or not provider.can_refund:
        if refund.sent_at is None:
            return RefundManual("the gateway cannot give money back")
        return RefundLater("the gateway is not configured")
    siblings = await _siblings(shop, refund)
    receipts = await payments.list_receipts(shop.db, payment.id)
    wanted = _intent(refund, payment, siblings, receipts)
    session = intent_of(shop, payment).session
    with speaking_of(payment.reference):
        answer = await provider.refund(msgspec.structs.replace(wanted, session=session))
    await keep_exchanges(shop, payment, is_refund=True)
    return answer


async def _siblings(shop: Shop, refund: Refund) -> list[Refund]:
    """All refunds of the payment whose money it gives back, of whatever order."""
    if refund.payment_id is None:
        return []
    return await refunds.list_refunds_of_payment(shop.db, refund.store_id, refund.payment_id)


def _intent(
    refund: Refund,
    payment: Payment,
    siblings: Sequence[Refund],
    receipts: Sequence[StoredReceipt],
) -> RefundIntent:
    others = [
        other
        for other in siblings
        if other.id != refund.id
        and other.receipt_key == refund.receipt_key
        and (other.status, other.through) == ("done", "gateway")
    ]
    came = [
        receipt
        for receipt in receipts
        if (receipt.provider, receipt.terminal, receipt.provider_reference) == refund.receipt_key
    ]
    return RefundIntent(
        reference=payment.reference,
        terminal=refund.terminal or "",
        receipt_reference=refund.receipt_reference or "",
        receipt_dirhams=sum(receipt.amount_dirhams for receipt in came),
        amount_dirhams=refund.amount_dirhams,
        created_at=refund.created_at,
        sent_at=refund.sent_at,
        known=tuple(other.provider_reference for other in others if other.provider_reference),
        known_dirhams=sum(other.amount_dirhams for other in others),
        **_foreign(refund, others, came),
    )


def _foreign(
    refund: Refund, others: Sequence[Refund], came: Sequence[StoredReceipt]
) -> dict[str, Any]:
    """Both amounts in the money's own currency: at the rate of the payment, rounded down, and the
    last dirham takes what is left of it.
    """
    if not came or came[0].wire_minor is None:
        return {}
    whole, minor = came[0].amount_dirhams, came[0].wire_minor
    gone = sum(other.amount_dirhams for other in others)
    until = (gone + refund.amount_dirhams) * minor // whole
    return {
        "currency": came[0].currency,
        "receipt_minor": minor,
        "amount_minor": until - gone * minor // whole,
    }


async def _way_of(shop: Shop, refund: Refund) -> str:
    """The account that the money leaves."""
    if refund.through != "gateway" or refund.payment_id is None:
        return "cash"
    return (await payments.get_payment(shop.db, refund.payment_id)).account


async def settling(
    shop: Shop, after: Refund, before: Refund, actor: Actor, at: datetime
) -> list[Statement]:
    """What it means that the money has left: the books, the order, the payment, the buyer."""
    order = await orders.get_order(shop.db, after.order_id)
    way = await _way_of(shop, after)
    amount = str(decimal_from_dirhams(after.amount_dirhams))
    statements = [
        refunds.save_refund(after, seen=before),
        ledger.post(
            after.store_id,
            "refund.done",
            at,
            {"refunds_due": after.amount_dirhams, way: -after.amount_dirhams},
            order_id=after.order_id,
            payment_id=after.payment_id,
        ),
        audit.record(
            actor,
            "refund.done",
            after.id,
            at,
            store_id=after.store_id,
            order=after.order_id,
            dirhams=after.amount_dirhams,
            through=after.through,
            reference=after.provider_reference,
        ),
    ]
    if not after.is_of_payment:
        return [
            *statements,
            outbox.publish("payment.refunded", after.payment_id or "", at, store_id=after.store_id),
            orders.note_history(order, "payment.refunded", actor.name, at, amount),
        ]
    if after.is_of_order:
        refunded = order.refund(after.amount_dirhams, order.paid_dirhams, at)
        statements.append(orders.save_order(refunded, seen=order))
    return [
        *statements,
        *await _payment_of(shop, after, at),
        orders.note_history(order, "order.refunded", actor.name, at, amount),
        outbox.publish(
            "order.refunded", order.id, at, store_id=order.store_id, amount=amount, refund=after.id
        ),
    ]


async def _payment_of(shop: Shop, refund: Refund, at: datetime) -> list[Statement]:
    """The payment as it is after the refund."""
    if refund.payment_id is None:
        return []
    payment = await payments.get_payment(shop.db, refund.payment_id)
    gone = refund.amount_dirhams + sum(
        other.amount_dirhams
        for other in await _siblings(shop, refund)
        if other.id != refund.id and other.status == "done" and other.is_of_payment and other.leaves
    )
    after = payment.given_back(gone, at, as_void=refund.kind == "void")
    return [payments.save_payment(after, seen=payment)] if after != payment else []


def _for_people(refund: Refund, at: datetime) -> list[Statement]:
    """It goes on only by somebody's hand: say so."""
    topic = f"refund.{refund.status}"
    return [
        outbox.publish(topic, refund.id, at, store_id=refund.store_id, order=refund.order_id),
        audit.record(SYSTEM, topic, refund.id, at, store_id=refund.store_id),
    ]

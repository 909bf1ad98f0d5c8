"""Settle a payment in the place of a gateway that cannot be asked: somebody has looked in the
gateway's own pages. What they say goes through `record_answer`, and the trail names them.
"""

from typing import Literal

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.orders.model import COD
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.model import (
    BY_HAND,
    SETTLED,
    Payment,
    PaymentNotFound,
)
from eishro.domain.payments.port import Failed, Paid, Receipt
from eishro.domain.payments.transfers import (
    PROVIDER,
    AsksItself,
    BankReferenceUsed,
    NothingUnclear,
    VerifyInstead,
)
from eishro.flows.gateways import provider_of
from eishro.flows.pay_order import Hand, record_answer
from eishro.flows.shop import Shop, again_if_stale

FoundOut = Literal["paid", "failed", "noted"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody found out; `noted` only says that the flag was seen."""

    outcome: FoundOut
    provider_reference: str | None
    note: str


async def settle_payment(
    shop: Shop, store_id: int, payment_id: str, found: Finding, actor: Actor
) -> Payment:
    """The payment as it was found; saying the same again is a success that changes nothing.

    Raises:
        PaymentNotFound, AsksItself, VerifyInstead
        NothingUnclear: it is not for people to say that it failed.
        BankReferenceUsed: the gateway's reference has paid something else.
    """
    payment = await transfers.find_payment_of_store(shop.db, store_id, payment_id)
    if payment is None:
        raise PaymentNotFound()
    if found.outcome == "noted":
        return await _note(shop, payment_id, found, actor)
    if payment.provider in (PROVIDER, COD):
        raise VerifyInstead()
    provider = await provider_of(shop, payment)
    if provider is not None and provider.can_query:
        raise AsksItself()
    told = audit.record(
        actor,
        f"payment.settled_{found.outcome}",
        payment.id,
        shop.clock.now(),
        store_id=store_id,
        order=payment.order_id,
        reference=found.provider_reference,
        note=found.note,
    )
    hand = Hand(actor, (told,), clears_review=True)
    if found.outcome == "failed":
        if payment.status in SETTLED or not (payment.may_be_charged or _is_failed(payment)):
            raise NothingUnclear()
        if _is_failed(payment):
            return payment
        return await record_answer(shop, payment.id, Failed(found.note), hand)
    return await _paid(shop, payment, found.provider_reference or "", hand)


async def _paid(shop: Shop, payment: Payment, reference: str, hand: Hand) -> Payment:
    owners = set(await transfers.list_owners(shop.db, payment.provider, reference))
    if owners - {payment.id}:
        raise BankReferenceUsed()
    if owners:
        return payment
    receipt = Receipt(
        provider_reference=reference,
        terminal=BY_HAND,
        amount_dirhams=payment.amount_dirhams,
        currency=payment.currency,
        wire_minor=payment.wire_minor,
    )
    return await record_answer(shop, payment.id, Paid((receipt,)), hand)


def _is_failed(payment: Payment) -> bool:
    return payment.status == "failed" and payment.review is None


@again_if_stale
async def _note(shop: Shop, payment_id: str, found: Finding, actor: Actor) -> Payment:
    before = await payments.get_payment(shop.db, payment_id)
    if before.review is None:
        return before
    at = shop.clock.now()
    after = before.looked_at(at)
    told = audit.record(
        actor,
        "payment.looked_at",
        before.id,
        at,
        store_id=before.store_id,
        reason=before.review,
        note=found.note,
    )
    await shop.db.commit(Batch(payments.save_payment(after, seen=before), told))
    return after

"""Show a transfer: a payer sends who sent the money, when, and a picture of the bank's receipt.

It proves nothing: the payment waits for the store's people, and the order with it. The picture is
kept before the batch, under a key of its own; one that no row names is deleted again.
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.model import SETTLED, Payment
from eishro.domain.payments.transfers import (
    PROOFS_MAX,
    PROVIDER,
    NotByTransfer,
    Proof,
    TooManyProofs,
    TransferSettled,
)
from eishro.errors import ShopError
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id
from eishro.pictures import Picture


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the payer says; `sent_on` is a day such as `2026-01-15`."""

    sender_name: str
    bank: str
    sent_on: str
    bank_reference: str
    image: bytes | None = None
    picture: Picture | None = None


async def show_transfer(
    shop: Shop, payment_id: str, shown: Shown, actor: Actor, once: Once
) -> Payment:
    """The payment with one more proof to look at.

    Raises:
        PaymentNotFound, NotByTransfer, TransferSettled, TooManyProofs, FilesUnavailable,
        idempotency.AlreadyClaimed.
    """
    payment = await payments.get_payment(shop.db, payment_id)
    at = shop.clock.now()
    await _check(shop, payment)
    proof_id, key = text_id("prf", at), None
    if shown.image is not None and shown.picture is not None:
        key = f"proofs/{payment.store_id}/{proof_id}.{shown.picture.ending}"
        await shop.files.put(key, shown.image, shown.picture.type)
    proof = Proof(
        id=proof_id,
        store_id=payment.store_id,
        payment_id=payment.id,
        sender_name=shown.sender_name,
        bank=shown.bank,
        sent_on=shown.sent_on,
        bank_reference=shown.bank_reference,
        file_key=key,
        file_type=shown.picture.type if key and shown.picture else None,
        created_at=at,
    )
    try:
        return await _keep(shop, proof, actor, once)
    except ShopError:
        if key is not None:
            await shop.files.delete(key)
        raise


@again_if_stale
async def _keep(shop: Shop, proof: Proof, actor: Actor, once: Once) -> Payment:
    before = await payments.get_payment(shop.db, proof.payment_id)
    earlier = await _check(shop, before)
    at = proof.created_at
    until = before.expires_at
    if until is not None and not earlier:  # later ones win no more time
        until = max(until, at + shop.rules.transfer_check)
    after = before.shown(at, until)
    batch = Batch(*once.claim(after), payments.save_payment(after, seen=before))
    order = await orders.get_order(shop.db, before.order_id)
    if _waits(order.expires_at, after.expires_at) and after.status == "processing":
        waiting = msgspec.structs.replace(order, expires_at=after.expires_at, updated_at=at)
        batch.add(orders.save_order(waiting, seen=order))
    batch.add(
        transfers.insert_proof(proof),
        outbox.publish("payment.proof_shown", before.id, at, store_id=before.store_id),
        audit.record(
            actor,
            "payment.proof_shown",
            before.id,
            at,
            store_id=before.store_id,
            proof=proof.id,
            bank=proof.bank,
            picture=proof.file_key is not None,
        ),
    )
    await shop.db.commit(batch)
    return after


async def _check(shop: Shop, payment: Payment) -> list[Proof]:
    """Proofs that are there already, if another is welcome."""
    if payment.provider != PROVIDER:
        raise NotByTransfer()
    if payment.status in SETTLED:
        raise TransferSettled()
    earlier = await transfers.list_proofs(shop.db, payment.store_id, [payment.id])
    if len(earlier) >= PROOFS_MAX:
        raise TooManyProofs()
    return earlier


def _waits(order_until: datetime | None, payment_until: datetime | None) -> bool:
    """True where the order's time is over before the payment's."""
    if order_until is None or payment_until is None:
        return False
    return order_until < payment_until

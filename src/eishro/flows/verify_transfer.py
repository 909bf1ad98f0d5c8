"""Verify or reject a transfer by hand: somebody of the store has looked at its bank account.

What they say goes through `record_answer` like any gateway's answer: the exact amount pays the
order, another is kept in suspense. A bank's reference counts once for each account, whoever brings
it; the receipt's key guards that.
"""

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.model import SETTLED, Payment, PaymentNotFound
from eishro.domain.payments.port import Failed, Paid, Receipt
from eishro.domain.payments.transfers import (
    PROVIDER,
    BankReferenceUsed,
    NotByTransfer,
    TransferSettled,
)
from eishro.domain.stores import sql as stores
from eishro.flows.beneficiary import beneficiary_of
from eishro.flows.gateways import intent_of
from eishro.flows.pay_order import Hand, record_answer
from eishro.flows.shop import Shop


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """Money on the account: how much, and how the bank knows it (`bank_reference_form`)."""

    amount_dirhams: int
    bank_reference: str
    paid_on: str | None = None
    note: str | None = None


async def verify_transfer(
    shop: Shop, store_id: int, payment_id: str, came: Came, actor: Actor
) -> Payment:
    """The payment with this money; saying the same again is a success that changes nothing.

    Raises:
        PaymentNotFound, NotByTransfer
        BankReferenceUsed: it is booked for another payment, or as another amount.
    """
    payment = await find_transfer(shop, store_id, payment_id)
    account = await account_of(shop, payment)
    if await is_booked(shop, payment, account, came):
        return payment
    at = shop.clock.now()
    details = {"paidOn": came.paid_on} if came.paid_on else {}
    receipt = Receipt(
        provider_reference=came.bank_reference,
        terminal=account,
        amount_dirhams=came.amount_dirhams,
        currency="LYD",
        details=details,
    )
    told = audit.record(
        actor,
        "payment.verified",
        payment.id,
        at,
        store_id=store_id,
        order=payment.order_id,
        dirhams=came.amount_dirhams,
        bankReference=came.bank_reference,
        note=came.note,
    )
    after = await record_answer(shop, payment.id, Paid((receipt,)), Hand(actor, (told,)))
    owner = await payments.find_receipt_owner(shop.db, PROVIDER, account, came.bank_reference)
    if owner != payment.id:  # somebody was faster, with another payment
        raise BankReferenceUsed()
    return after


async def reject_transfer(
    shop: Shop, store_id: int, payment_id: str, reason: str, actor: Actor
) -> Payment:
    """No such money came: the payer may show another transfer, or pay in another way.

    Raises:
        PaymentNotFound, NotByTransfer, TransferSettled.
    """
    payment = await find_transfer(shop, store_id, payment_id)
    if payment.status in SETTLED:
        raise TransferSettled()
    if (payment.status, payment.failure) == ("failed", reason[:200]):
        return payment
    told = audit.record(
        actor,
        "payment.rejected",
        payment.id,
        shop.clock.now(),
        store_id=store_id,
        order=payment.order_id,
        reason=reason,
    )
    return await record_answer(shop, payment.id, Failed(reason), Hand(actor, (told,)))


async def find_transfer(shop: Shop, store_id: int, payment_id: str) -> Payment:
    """The store's transfer of this id.

    Raises:
        PaymentNotFound, NotByTransfer
    """
    payment = await transfers.find_payment_of_store(shop.db, store_id, payment_id)
    if payment is None:
        raise PaymentNotFound()
    if payment.provider != PROVIDER:
        raise NotByTransfer()
    return payment


async def account_of(shop: Shop, payment: Payment) -> str:
    """The account that the payer was told; that of now where it is forgotten."""
    account = intent_of(shop, payment).session.get("account")
    if account is not None:
        return account
    store = await stores.get_store(shop.db, payment.store_id)
    now = beneficiary_of(shop, store.settings_value())
    return now.account if now is not None else ""


async def is_booked(shop: Shop, payment: Payment, account: str, came: Came) -> bool:
    """True if this very money is booked for the payment.

    Raises:
        BankReferenceUsed: it is booked for another payment, or as another amount.
    """
    reference = came.bank_reference
    owner = await payments.find_receipt_owner(shop.db, PROVIDER, account, reference)
    if owner is None:
        return False
    if owner != payment.id:
        raise BankReferenceUsed()
    receipts = await payments.list_receipts(shop.db, payment.id)
    booked = [r for r in receipts if (r.terminal, r.provider_reference) == (account, reference)]
    if not any(r.amount_dirhams == came.amount_dirhams for r in booked):
        raise BankReferenceUsed()
    return True

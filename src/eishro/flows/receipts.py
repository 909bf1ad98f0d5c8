"""Money that came, as it is kept: the receipt, and the item of what no order takes."""

from datetime import datetime

import msgspec

from eishro.domain.payments.model import Payment, StoredReceipt
from eishro.domain.payments.port import Receipt
from eishro.domain.suspense.model import SuspenseItem
from eishro.flows.shop import Shop
from eishro.ids import text_id


def stored_receipt(
    payment: Payment, receipt: Receipt, reason: str | None, at: datetime
) -> StoredReceipt:
    """The receipt as it is kept; `reason` says why it waits in suspense, None if it is applied."""
    return StoredReceipt(
        provider=payment.provider,
        terminal=receipt.terminal,
        provider_reference=receipt.provider_reference,
        store_id=payment.store_id,
        payment_id=payment.id,
        amount_dirhams=receipt.amount_dirhams,
        currency=receipt.currency,
        applied=reason is None,
        reason=reason,
        details=msgspec.Raw(msgspec.json.encode(receipt.details)),
        at=at,
        wire_minor=receipt.wire_minor,
    )


def stranded_item(
    shop: Shop, payment: Payment, receipt: Receipt, reason: str, at: datetime
) -> SuspenseItem:
    """Money that no order takes, for people to place before its deadline."""
    return SuspenseItem(
        id=text_id("sus", at),
        store_id=payment.store_id,
        payment_id=payment.id,
        order_id=payment.order_id,
        provider=payment.provider,
        terminal=receipt.terminal,
        provider_reference=receipt.provider_reference,
        amount_dirhams=receipt.amount_dirhams,
        currency=receipt.currency,
        reason=reason,
        status="open",
        assigned_to=None,
        due_at=at + shop.rules.suspense_deadline,
        opened_at=at,
        resolution=None,
        resolved_order_id=None,
        resolved_by=None,
        resolved_at=None,
        version=1,
    )

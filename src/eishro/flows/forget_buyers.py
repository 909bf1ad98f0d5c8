"""Forget the buyers of finished orders: in the orders, and in whatever was written about them.

What the books need stays, without the person: goods, amounts, city, dates, the way of paying, the
gateway's references, tracking numbers. Issued invoices and credit notes stay as they were issued.
"""

from datetime import datetime

from eishro.db import outbox
from eishro.db.statements import Statement
from eishro.domain.discounts import uses
from eishro.domain.drafts import sql as drafts
from eishro.domain.orders import notes, owners
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import exchanges, payers
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.model import Payment
from eishro.domain.payments.transfers import PROVIDER as TRANSFER
from eishro.domain.returns import sql as returns
from eishro.domain.shipping import cod_sql
from eishro.domain.shipping import shipments_sql as shipments
from eishro.flows.shop import Shop

AT_ONCE = 20  # orders in one batch
_DRAFTS_MAX = 200  # for the telephones of one batch


async def forget_buyers(shop: Shop, found: list[Order]) -> list[Statement]:
    """Statements that take the buyer out of finished orders, or `Stale`.

    Args:
        found: at most `AT_ONCE`.
    """
    if not found:
        return []
    at = shop.clock.now()
    statements: list[Statement] = []
    for order in found:
        statements.append(orders.save_order(order.without_buyer(at), seen=order))
        used = await uses.list_uses(shop.db, order.store_id, order.id)
        statements += uses.forget_customers(used)
    keys = owners.keys_of(found)
    attempts = await payments.list_payments_of_orders(shop.db, [order.id for order in found])
    return [
        *statements,
        owners.forget_history_notes(keys),
        notes.forget_notes(keys),
        *payers.forget_attempts(keys, attempts),
        exchanges.forget_exchanges_of(keys),
        refunds.forget_words(keys),
        *returns.forget_words(keys),
        *shipments.forget_words(keys),
        cod_sql.forget_words(keys),
        *await _drafts_of(shop, found, at),
        *await _proofs_of(shop, attempts, at),
    ]


async def _proofs_of(shop: Shop, attempts: list[Payment], at: datetime) -> list[Statement]:
    """What buyers showed of their transfers; pictures go once the batch is written."""
    stores: dict[int, list[str]] = {}
    for attempt in attempts:
        if attempt.provider == TRANSFER:
            stores.setdefault(attempt.store_id, []).append(attempt.id)
    proofs = [
        proof
        for store_id, ids in stores.items()
        for proof in await transfers.list_proofs(shop.db, store_id, ids)
    ]
    if not proofs:
        return []
    return [
        transfers.forget_proofs(proofs),
        *(
            outbox.publish("proof.forgotten", proof.file_key, at, store_id=proof.store_id)
            for proof in proofs
            if proof.file_key is not None
        ),
    ]


async def _drafts_of(shop: Shop, found: list[Order], at: datetime) -> list[Statement]:
    """The drafts that became these orders."""
    made = {order.id for order in found}
    phones = sorted({order.customer_phone for order in found if order.customer_phone})
    return [
        drafts.save_draft(draft.without_buyer(at), seen=draft)
        for draft in await drafts.list_drafts_of_phones(shop.db, phones, _DRAFTS_MAX)
        if draft.order_id in made
    ]

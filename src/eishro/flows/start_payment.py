"""Start paying an order through a provider: the intent is written, then the gateway is asked.

Several attempts on one order are allowed; the order's hold stays, and money that comes twice is
noticed by `pay_order`. Read and decided on: the order's payability (guarded by its version).
"""

from datetime import datetime, timedelta

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import (
    SWEEP_PAUSES,
    AmountNotCarried,
    MethodNotOffered,
    NotPayable,
    Payment,
)
from eishro.domain.payments.port import Action
from eishro.domain.stores import sql as stores
from eishro.flows import parcels
from eishro.flows.place_order import methods_of
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import readable_code, text_id

REFERENCE_LENGTH = 16  # Moamalat's filter documents 10 to 36 characters
PAYING = timedelta(minutes=15)  # a payer who has begun gets this long, at the order's end too


@again_if_stale
async def start_payment(
    shop: Shop, order_id: str, method: str, return_url: str | None, actor: Actor, once: Once
) -> Payment:
    """A new attempt with what the payer has to do.

    Raises:
        NotPayable, MethodNotOffered, AmountNotCarried, ProviderBusy, idempotency.AlreadyClaimed.
    """
    order = await orders.get_order(shop.db, order_id)
    store = await stores.get_store(shop.db, order.store_id)
    offered = {m.method: m for m in methods_of(shop, store)}
    if method not in offered:
        raise MethodNotOffered("method")
    if not order.is_payable:
        raise NotPayable()
    if not await parcels.owes_all(shop, order):
        raise NotPayable()
    provider = offered[method].provider
    if provider is None:
        raise MethodNotOffered("method")
    if not offered[method].carries(order.total_dirhams):
        raise AmountNotCarried("method")
    payment = await new_attempt(shop, order, method, provider, return_url)
    after = msgspec.structs.replace(order, payment_status="pending", payment_method=method)
    if order.expires_at is not None:
        after = msgspec.structs.replace(after, expires_at=payment.expires_at)
    await shop.db.commit(
        Batch(
            *once.claim(payment),
            orders.save_order(after, seen=order),
            payments.insert_payment(payment),
            audit.record(
                actor,
                "payment.started",
                payment.id,
                payment.created_at,
                store_id=order.store_id,
                order=order.id,
                method=method,
            ),
        )
    )
    return payment


async def new_attempt(
    shop: Shop, order: Order, method: str, provider: str, return_url: str | None = None
) -> Payment:
    """An attempt to pay, as the gateway began it; nothing is written yet.

    Raises:
        ProviderBusy
    """
    payment = _new_payment(shop, order, method, provider, return_url)
    action = await shop.providers[provider].start(payment.intent)
    return msgspec.structs.replace(payment, status="action_required", action=_raw(action))


def _new_payment(
    shop: Shop, order: Order, method: str, provider: str, return_url: str | None
) -> Payment:
    at = shop.clock.now()
    return Payment(
        id=text_id("pay", at),
        store_id=order.store_id,
        order_id=order.id,
        method=method,
        provider=provider,
        reference=readable_code(REFERENCE_LENGTH),
        amount_dirhams=order.total_dirhams,
        currency="LYD",
        status="created",
        action=None,
        failure=None,
        review=None,
        return_url=return_url,
        checks=0,
        news_checks=0,
        next_check_at=at + SWEEP_PAUSES[0],
        expires_at=_expiry(shop, order, at),
        created_at=at,
        updated_at=at,
        version=1,
    )


def _expiry(shop: Shop, order: Order, at: datetime) -> datetime:
    """When the attempt, and with it the order's hold, ends. Trying again and again must not keep
    the stock from others: never later than twice the order's own time.
    """
    if order.expires_at is None:
        return at + shop.rules.order_expiry
    latest = order.created_at + 2 * shop.rules.order_expiry
    return max(order.expires_at, min(at + PAYING, latest))


def _raw(action: Action) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(action))

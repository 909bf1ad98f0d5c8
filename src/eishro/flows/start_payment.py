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
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.model import (
    SWEEP_PAUSES,
    AmountNotCarried,
    MayBeCharged,
    MethodNotOffered,
    NotPayable,
    Payment,
)
from eishro.domain.payments.port import Action, Payer, PaymentMethod
from eishro.domain.stores import sql as stores
from eishro.flows import parcels
from eishro.flows.gateways import intent_of, present_provider, seal_session
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.place_order import find_method, methods_of
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import readable_code, text_id

REFERENCE_LENGTH = 16  # Moamalat's filter documents 10 to 36 characters
NOBODY = Payer()
PAYING = timedelta(minutes=15)  # a payer who has begun gets this long, at the order's end too


@again_if_stale
async def start_payment(
    shop: Shop,
    order_id: str,
    method: str,
    return_url: str | None,
    actor: Actor,
    once: Once,
    payer: Payer = NOBODY,
) -> Payment:
    """A new attempt with what the payer has to do.

    Raises:
        NotPayable, MethodNotOffered, AmountNotCarried, MayBeCharged, ProviderBusy,
        ProviderRefused, Invalid (what the payer gave), idempotency.AlreadyClaimed.
    """
    order = await orders.get_order(shop.db, order_id)
    store = await stores.get_store(shop.db, order.store_id)
    offered = find_method(methods_of(shop, store), method)
    if offered is None:
        raise MethodNotOffered("method")
    if not order.is_payable:
        raise NotPayable()
    if not await parcels.owes_all(shop, order):
        raise NotPayable()
    if not offered.carries(order.total_dirhams):
        raise AmountNotCarried("method")
    await _refuse_unclear(shop, order)
    payment = await new_attempt(shop, order, offered, return_url, payer)
    after = msgspec.structs.replace(order, payment_status="pending", payment_method=payment.method)
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
                method=payment.method,
            ),
        )
    )
    await keep_exchanges(shop, payment)
    return payment


async def new_attempt(
    shop: Shop,
    order: Order,
    method: PaymentMethod,
    return_url: str | None = None,
    payer: Payer = NOBODY,
) -> Payment:
    """An attempt to pay, as the gateway began it; nothing is written yet.

    Raises:
        MethodNotOffered: nothing to do online. ProviderBusy, ProviderRefused, Invalid.
    """
    found = await present_provider(shop, order.store_id, method.provider or "")
    if found is None:
        raise MethodNotOffered("method")
    provider, credentials_id = found
    payment = _new_payment(shop, order, method, return_url)
    payment = msgspec.structs.replace(payment, credentials_id=credentials_id)
    intent = msgspec.structs.replace(intent_of(shop, payment), payer=payer)
    with speaking_of(payment.reference):
        started = await provider.start(intent)
    return msgspec.structs.replace(
        payment,
        status="action_required",
        action=_raw(started.action),
        session=seal_session(shop, started.session),
    )


async def _refuse_unclear(shop: Shop, order: Order) -> None:
    """Where an earlier attempt may have been charged, another waits until that is clear."""
    for earlier in await payments.list_payments_of_order(shop.db, order.store_id, order.id):
        if earlier.may_be_charged:
            raise MayBeCharged()


def _new_payment(
    shop: Shop, order: Order, method: PaymentMethod, return_url: str | None
) -> Payment:
    at = shop.clock.now()
    rate = shop.rules.usd if method.currency == "USD" else None
    if method.currency != "LYD" and rate is None:
        raise MethodNotOffered("method")
    return Payment(
        id=text_id("pay", at),
        store_id=order.store_id,
        order_id=order.id,
        method=method.method,
        provider=method.provider or "",
        reference=readable_code(REFERENCE_LENGTH),
        amount_dirhams=order.total_dirhams,
        currency=method.currency,
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
        wire_minor=None if rate is None else rate.cents(order.total_dirhams),
        rate_micro=None if rate is None else rate.micro_dinars,
        rate_source=None if rate is None else rate.source,
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

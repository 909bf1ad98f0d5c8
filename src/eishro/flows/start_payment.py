"""Start paying an order through a provider: the intent is written, then the gateway is asked.

Several attempts on one order are allowed; the order's hold stays, and money that comes twice is
noticed by `pay_order`. Read and decided on: the order's payability (guarded by its version).
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import COD, Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.again import given_up, refuse_beside
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.model import (
    SWEEP_PAUSES,
    AmountNotCarried,
    MethodNotOffered,
    NotPayable,
    Payment,
)
from eishro.domain.payments.port import Action, Payer, PaymentMethod
from eishro.domain.payments.transfers import new_reference
from eishro.domain.shipping import cod_sql
from eishro.domain.stores import sql as stores
from eishro.flows import return_address
from eishro.flows.beneficiary import beneficiary_of
from eishro.flows.gateways import beginning, intent_of, present_provider, seal_session
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.pay_on_delivery import choose_cash
from eishro.flows.pay_order import refuse_unclear
from eishro.flows.place_order import carries, find_method, methods_of
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import readable_code, text_id

REFERENCE_LENGTH = 16  # Moamalat's filter documents 10 to 36 characters
NOBODY = Payer()
Language = Literal["ar", "en"]
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
    language: Language = "ar",
    *,
    instead_of: str | None = None,
) -> Payment:
    """A new attempt to pay what is due, with what the payer has to do; in cash on delivery, too.
    `instead_of` names the attempt that this one follows (see `pay_again`): nothing else may be open
    then, and what has failed is closed.

    Raises:
        NotPayable, MethodNotOffered, AmountNotCarried, MayBeCharged, GatewayResting, ProviderBusy,
        ProviderRefused, idempotency.AlreadyClaimed.
        Invalid: what the payer gave, or an address to come back to that is nobody's here.
        TotalDiffers, NotEditable: paid in cash.
        AttemptOpen: `instead_of` is not the last.
    """
    order = await orders.get_order(shop.db, order_id)
    store = await stores.get_store(shop.db, order.store_id)
    settings = store.settings_value()
    return_url = return_address.choose(shop, settings, return_url)
    offered = find_method(methods_of(shop, store), method)
    if offered is None:
        raise MethodNotOffered("method")
    if not order.is_payable:
        raise NotPayable()
    if await _is_collected(shop, order):
        raise NotPayable()  # a courier has brought a part of it already, and brings the rest
    if not carries(offered, settings, order.due_dirhams):
        raise AmountNotCarried("method")
    closes = await _given_up(shop, order, instead_of) if instead_of else []
    await refuse_unclear(shop, order)
    if offered.method == COD:
        failed = [payment for payment in closes if payment.is_final]  # it closes the others
        closing = _closing(failed, shop.clock.now())
        return await choose_cash(shop, order, return_url, actor, once, language, closing)
    payment = await new_attempt(shop, order, offered, return_url, payer, language)
    await shop.db.commit(
        Batch(
            *once.claim(payment),
            orders.save_order(_waiting(order, payment), seen=order),
            *_closing(closes, payment.created_at),
            payments.insert_payment(payment),
            _started(actor, payment),
        )
    )
    await keep_exchanges(shop, payment)
    return payment


def _started(actor: Actor, payment: Payment) -> Statement:
    return audit.record(
        actor,
        "payment.started",
        payment.id,
        payment.created_at,
        store_id=payment.store_id,
        order=payment.order_id,
        method=payment.method,
    )


def _waiting(order: Order, payment: Payment) -> Order:
    """The order while this attempt is open."""
    after = msgspec.structs.replace(order, payment_status="pending", payment_method=payment.method)
    if order.expires_at is None:
        return after
    return msgspec.structs.replace(after, expires_at=payment.expires_at)


async def _given_up(shop: Shop, order: Order, payment_id: str) -> list[Payment]:
    """The attempts to close. As each of them is saved, and every start saves the order, nothing
    can come in between.
    """
    attempts = await payments.list_payments_of_order(shop.db, order.store_id, order.id)
    refuse_beside(payment_id, attempts)
    return given_up(attempts)


def _closing(attempts: list[Payment], at: datetime) -> list[Statement]:
    return [payments.save_payment(one.closed("cancelled", at), seen=one) for one in attempts]


async def _is_collected(shop: Shop, order: Order) -> bool:
    """A courier has taken the cash of one of its parcels; cash for the whole order, before a
    change made it cost more, is another matter.
    """
    if order.payment_method != COD:
        return False
    found = await cod_sql.list_collections(shop.db, [order.id])
    return any(collection.shipment_id is not None for collection in found)


async def new_attempt(
    shop: Shop,
    order: Order,
    method: PaymentMethod,
    return_url: str | None = None,
    payer: Payer = NOBODY,
    language: Language = "ar",
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
    account = None
    if method.pays_into:
        store = await stores.get_store(shop.db, order.store_id)
        settings = store.settings_value()
        account = beneficiary_of(shop, settings)
        # Nobody can be asked about it; it is looked at again when its time is over.
        payment = msgspec.structs.replace(
            payment,
            reference=await _free_reference(shop, payment.provider),
            next_check_at=payment.expires_at,
            is_own_account=settings.transfer_account is not None,
        )
    intent = msgspec.structs.replace(
        intent_of(shop, payment),
        payer=_whole(payer, order),
        beneficiary=account,
        language=language,
    )
    async with beginning(shop, payment):
        with speaking_of(payment.reference):
            started = await provider.start(intent)
    return msgspec.structs.replace(
        payment,
        status="action_required",
        action=_raw(started.action),
        session=seal_session(shop, started.session),
    )


async def _free_reference(shop: Shop, provider: str) -> str:
    """A short one that no payment has; the table refuses it, should somebody be faster."""
    reference = new_reference()
    while await payments.find_by_reference(shop.db, provider, reference) is not None:
        reference = new_reference()
    return reference


def _whole(payer: Payer, order: Order) -> Payer:
    """What the payer did not say again is as the order has it."""
    return msgspec.structs.replace(
        payer,
        phone=payer.phone or order.customer_phone,
        email=payer.email or order.customer_email,
    )


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
        amount_dirhams=order.due_dirhams,
        currency=method.currency,
        status="created",
        action=None,
        failure=None,
        review=None,
        return_url=return_url,
        checks=0,
        news_checks=0,
        next_check_at=at + SWEEP_PAUSES[0],
        expires_at=_expiry(shop, order, at, is_transfer=bool(method.pays_into)),
        created_at=at,
        updated_at=at,
        version=1,
        wire_minor=None if rate is None else rate.cents(order.due_dirhams),
        rate_micro=None if rate is None else rate.micro_dinars,
        rate_source=None if rate is None else rate.source,
    )


def _expiry(shop: Shop, order: Order, at: datetime, *, is_transfer: bool) -> datetime:
    """When the attempt, and with it the order's hold, ends. Trying again and again must not keep
    the stock from others: never later than a second time of the order's own.
    """
    mine = shop.rules.transfer_expiry if is_transfer else shop.rules.order_expiry
    if order.expires_at is None:
        return at + mine
    latest = order.created_at + mine + shop.rules.order_expiry
    return max(order.expires_at, min(at + (mine if is_transfer else PAYING), latest))


def _raw(action: Action) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(action))

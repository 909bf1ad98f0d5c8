"""Pay on delivery after all: an unpaid online order becomes one that its courier collects.

The attempts before it are closed, money that comes by them later is noticed. The order waits to be
confirmed like any other of its kind. Its total stays: where cash would cost something else (a fee,
rounding) that is refused. Read and decided on: the order, its trace (guarded by its version).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import COD, NotEditable, Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import (
    AmountNotCarried,
    MethodNotOffered,
    Payment,
    TotalDiffers,
)
from eishro.domain.payments.port import Offline
from eishro.domain.shipping.rates import NotServed
from eishro.errors import Words
from eishro.flows.check_risk import check_cash
from eishro.flows.pay_order import closing_attempts
from eishro.flows.price_order import Trace, calculate
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import readable_code, text_id
from eishro.money import decimal_from_dirhams

_REFERENCE_LENGTH = 16
_INSTRUCTIONS = Words(
    "Pay {amount} LYD in cash to the courier.", "ادفع {amount} د.ل نقدا لمندوب التوصيل."
)


async def choose_cash(
    shop: Shop,
    order: Order,
    return_url: str | None,
    actor: Actor,
    once: Once,
    language: str,
    beside: Sequence[Statement] = (),
) -> Payment:
    """The attempt that stands for the cash; an order that waits for cash keeps its own. `beside` is
    written with it.

    Raises:
        NotEditable: some of it has been shipped.
        MethodNotOffered: cash is not taken there. TotalDiffers, CashNotAccepted, Stale.
    """
    order.check_editable()
    if order.total_dirhams <= 0 or order.due_dirhams != order.total_dirhams:
        raise AmountNotCarried("method")  # nothing to collect, or a part of it has come
    at = shop.clock.now()
    attempts = await payments.list_payments_of_order(shop.db, order.store_id, order.id)
    known = next((one for one in attempts if one.method == COD and not one.is_final), None)
    if known is not None and order.payment_method == COD:
        saved = orders.save_order(order, seen=order)
        await shop.db.commit(Batch(*once.claim(known), saved, *beside))
        return known
    trace = await _in_cash(shop, order)
    checked = await check_cash(shop, order)
    payment = _attempt(order, return_url, language, at)
    after = msgspec.structs.replace(
        order,
        payment_method=COD,
        payment_status="pending",
        updated_at=at,
        is_held=order.is_held or bool(checked.findings),
    )
    if order.payment_method != COD:
        waits = shop.rules.cod_confirmation if order.status == "pending" else None
        after = msgspec.structs.replace(after, expires_at=at + waits if waits else None)
    batch = Batch(*once.claim(payment), orders.save_order(after, seen=order))
    if trace is not None:
        batch.add(orders.replace_trace(after, trace))
    batch.add(
        *checked.statements(after, actor, at),
        *await closing_attempts(shop, order, at),
        *beside,
        payments.insert_payment(payment),
        orders.note_history(after, "payment.in_cash", actor.name, at),
        audit.record(
            actor,
            "payment.started",
            payment.id,
            at,
            store_id=order.store_id,
            order=order.id,
            method=COD,
        ),
    )
    await shop.db.commit(batch)
    return payment


@again_if_stale
async def settle_cash_attempts(shop: Shop, order_id: str) -> None:
    """The order's cash came: the attempt that stands for it is paid; a repeat changes nothing."""
    order = await orders.get_order(shop.db, order_id)
    if order.payment_method != COD or not order.is_captured:
        return
    at = shop.clock.now()
    batch = Batch()
    attempts = await payments.list_payments_of_order(shop.db, order.store_id, order.id)
    # The newest; collecting the cash has closed it beside the others.
    before = next((one for one in attempts if one.method == COD), None)
    is_open = before is not None and before.status in ("action_required", "cancelled")
    if before is not None and is_open and before.amount_dirhams == order.total_dirhams:
        after = msgspec.structs.replace(before, status="paid", updated_at=at)
        batch.add(payments.save_payment(after, seen=before))
    if len(batch):
        await shop.db.commit(batch)


async def _in_cash(shop: Shop, order: Order) -> Trace | None:
    """What the order's amounts are made of, as one in cash; None: it is one."""
    if order.payment_method == COD:
        return None
    kept = await orders.find_trace(shop.db, order.store_id, order.id)
    if kept is None:  # from before amounts were traced
        raise NotEditable(details={"status": order.status})
    inputs = msgspec.json.decode(kept, type=Trace).inputs
    inputs = msgspec.structs.replace(inputs, is_cod=True)
    try:
        amounts = calculate(inputs)
    except NotServed as error:
        raise MethodNotOffered("method") from error
    if amounts.total_dirhams != order.total_dirhams:
        now, then = (
            str(decimal_from_dirhams(one)) for one in (order.total_dirhams, amounts.total_dirhams)
        )
        raise TotalDiffers(now, then)
    return Trace(inputs, amounts.steps)


def _attempt(order: Order, return_url: str | None, language: str, at: datetime) -> Payment:
    amount = str(decimal_from_dirhams(order.total_dirhams))
    action = Offline(
        _INSTRUCTIONS.in_(language).format(amount=amount),
        details={"amount": amount, "currency": "LYD"},
    )
    return Payment(
        id=text_id("pay", at),
        store_id=order.store_id,
        order_id=order.id,
        method=COD,
        provider=COD,
        reference=readable_code(_REFERENCE_LENGTH),
        amount_dirhams=order.total_dirhams,
        currency="LYD",
        status="action_required",
        action=msgspec.Raw(msgspec.json.encode(action)),
        failure=None,
        review=None,
        return_url=return_url,
        checks=0,
        news_checks=0,
        next_check_at=None,
        expires_at=None,
        created_at=at,
        updated_at=at,
        version=1,
    )

"""One-time codes: charge with the one the payer typed, or have another sent.

Before a code leaves the house the payment is written as `processing`: nobody sends a second one
beside it, and after a crash it is known that this one may have been charged. It is sent once; only
a clear "wrong code", or the proof that it never left, lets the payer try again.
"""

import msgspec

from eishro.db.statements import Batch
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.model import NoCodeExpected, NotPayable, Payment
from eishro.domain.payments.port import (
    NotSent,
    Otp,
    PaymentProvider,
    ProviderBusy,
    ResendTooSoon,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, Words
from eishro.flows.gateways import intent_of, provider_of, seal_session
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.pay_order import check_payment, flagging, record_answer, refuse_unclear
from eishro.flows.shop import Shop, again_if_stale


async def submit_code(shop: Shop, payment_id: str, code: str) -> Payment:
    """The payment after the gateway's answer to this code.

    Raises:
        PaymentNotFound, NoCodeExpected, TooManyCodes.
        ProviderBusy: the code was not sent.
        MayBeCharged: a code of another attempt at the same order is on its way.
        NotPayable: the order waits for no money any more, or for another amount.
        Invalid: the code is wrong or has run out; nothing was charged.
    """
    sending, provider = await _begin(shop, payment_id)
    with speaking_of(sending.reference):
        answer = await provider.submit_otp(intent_of(shop, sending), code)
    await keep_exchanges(shop, sending)
    if isinstance(answer, WrongCode):
        await _take_back(shop, payment_id, was_sent=True)
        raise Invalid({"code": _wrong(answer)})
    if isinstance(answer, NotSent):
        await _take_back(shop, payment_id, was_sent=False)
        raise ProviderBusy()
    if isinstance(answer, Unknown):
        dark = await _leave_in_the_dark(shop, payment_id, answer)
        return await check_payment(shop, payment_id) if provider.can_query else dark
    return await record_answer(shop, payment_id, answer)


@again_if_stale
async def _begin(shop: Shop, payment_id: str) -> tuple[Payment, PaymentProvider]:
    before = await payments.get_payment(shop.db, payment_id)
    provider = await provider_of(shop, before)
    if not isinstance(_action_of(before), Otp):
        raise NoCodeExpected()
    if provider is None:
        raise ProviderBusy()
    at = shop.clock.now()
    after = before.sending_code(at)
    order = await orders.get_order(shop.db, before.order_id)
    if not order.is_payable or order.due_dirhams != before.amount_dirhams:
        raise NotPayable()
    await refuse_unclear(shop, order)
    # The order is saved so that of two attempts whose codes come at once, one is sent.
    touched = msgspec.structs.replace(order, updated_at=at)
    await shop.db.commit(
        Batch(payments.save_payment(after, seen=before), orders.save_order(touched, seen=order))
    )
    return msgspec.structs.replace(after, version=before.version + 1), provider


@again_if_stale
async def _take_back(shop: Shop, payment_id: str, *, was_sent: bool) -> None:
    before = await payments.get_payment(shop.db, payment_id)
    if before.status != "processing":
        return
    at = shop.clock.now()
    after = before.code_refused(at, was_sent=was_sent)
    order = await orders.get_order(shop.db, before.order_id)
    if order.status == "cancelled" and not after.is_final:
        after = after.closed("cancelled", at)  # while the code was on its way
    await shop.db.commit(Batch(payments.save_payment(after, seen=before)))


@again_if_stale
async def _leave_in_the_dark(shop: Shop, payment_id: str, answer: Unknown) -> Payment:
    before = await payments.get_payment(shop.db, payment_id)
    if before.status != "processing":
        return before
    at = shop.clock.now()
    after = before.in_the_dark(at)
    batch = Batch(payments.save_payment(after, seen=before))
    if before.review is None and after.review is not None:
        batch.add(*flagging(before, after.review, answer, at))
    await shop.db.commit(batch)
    return after


async def resend_code(shop: Shop, payment_id: str) -> Payment:
    """The payment with what is to be done now: another code is on its way.

    Raises:
        PaymentNotFound, NoCodeExpected, ResendTooSoon, ProviderBusy, ProviderRefused.
    """
    before = await payments.get_payment(shop.db, payment_id)
    provider = await provider_of(shop, before)
    action = _action_of(before)
    if not isinstance(action, Otp) or before.status != "action_required":
        raise NoCodeExpected()
    if provider is None:
        raise ProviderBusy()
    now = shop.clock.now()
    if action.resend_at is not None and now < action.resend_at:
        raise ResendTooSoon(max(1, round((action.resend_at - now).total_seconds())))
    with speaking_of(before.reference):
        started = await provider.resend_otp(intent_of(shop, before))
    await keep_exchanges(shop, before)
    return await _keep(shop, payment_id, started)


@again_if_stale
async def _keep(shop: Shop, payment_id: str, started: Started) -> Payment:
    before = await payments.get_payment(shop.db, payment_id)
    if before.status != "action_required":
        raise NoCodeExpected()
    after = msgspec.structs.replace(
        before,
        action=msgspec.Raw(msgspec.json.encode(started.action)),
        session=seal_session(shop, started.session) or before.session,
        updated_at=shop.clock.now(),
    )
    await shop.db.commit(Batch(payments.save_payment(after, seen=before)))
    return after


def _action_of(payment: Payment) -> object:
    if payment.action is None:
        return None
    action = msgspec.json.decode(payment.action)
    is_code = isinstance(action, dict) and action.get("kind") == "otp"
    return msgspec.convert(action, Otp) if is_code else None


def _wrong(answer: WrongCode) -> Words:
    if answer.is_expired:
        return Words("has run out; ask for another one", "انتهت صلاحيته؛ اطلب رمزا آخر")
    return Words("is not the code that was sent", "ليس الرمز الذي أُرسل")

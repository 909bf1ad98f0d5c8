"""Pay an order: news about a payment has arrived, from a page, a webhook or the clock.

News is only a reason to ask the gateway; what the gateway answers goes through `record_answer`,
whoever brought the news. Money is recorded once for each of the gateway's transactions: the
first exact one pays an order that waits for it, anything else (late, twice, another amount) is
kept in suspense, an item for each, and flagged for people.
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.commission import commission_added
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.model import (
    BY_HAND,
    SETTLED,
    MayBeCharged,
    News,
    Payment,
    Status,
    StoredReceipt,
)
from eishro.domain.payments.port import (
    Answer,
    Claim,
    Failed,
    Paid,
    PaymentProvider,
    Proof,
    Receipt,
    Unknown,
)
from eishro.domain.suspense import sql as suspense
from eishro.flows.check_risk import check_paid
from eishro.flows.gateways import intent_of, provider_of
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.receipts import stored_receipt, stranded_item
from eishro.flows.send_refund import check_refunds
from eishro.flows.shop import SYSTEM, Shop, again_if_stale


class Hand(msgspec.Struct, frozen=True):
    """Who decides in a gateway's place: what is written together with the answer, and whether the
    payment has been looked at thereby. `news` is what the gateway had told by itself: it is worked
    off by the answer, and what that does not confirm yet is asked again very soon. Where nobody
    waits for it (`has_time`), its commit may be shared with others.
    """

    actor: Actor
    beside: tuple[Statement, ...] = ()
    clears_review: bool = False
    news: News | None = None
    has_time: bool = False

    def settling(self, payment: Payment) -> list[Statement]:
        """The news as worked off, where some was brought; the payment is as it is now."""
        if self.news is None:
            return []
        return [payments.settle_news(self.news.id, f"checked:{payment.status}")]


# Why a payment is flagged whose gateway spoke of something else, or contradicted itself.
FOREIGN = "foreign_answer"
_NOBODY = Hand(SYSTEM)
_AMOUNTS = ("amount_dirhams", "currency", "wire_minor")


async def check_payment(shop: Shop, payment_id: str) -> Payment:
    """Ask the gateway about the payment and record what it answers."""
    payment = await payments.get_payment(shop.db, payment_id)
    return await record_answer(shop, payment_id, await ask_gateway(shop, payment))


async def ask_gateway(shop: Shop, payment: Payment) -> Answer:
    """What the gateway says of the payment now; not yet recorded."""
    answer = await ask_provider(shop, payment, await provider_of(shop, payment))
    await keep_exchanges(shop, payment)
    return answer


async def ask_provider(shop: Shop, payment: Payment, provider: PaymentProvider | None) -> Answer:
    """What this adapter says of the payment; its calls are not kept yet."""
    if provider is None or not provider.can_query:
        # Credentials that are missing now may be there again before it is too late to ask.
        return Unknown("nobody can be asked", is_unreachable=provider is None)
    with speaking_of(payment.reference):
        return await provider.query(intent_of(shop, payment))


@again_if_stale
async def record_answer(shop: Shop, payment_id: str, answer: Answer, by: Hand = _NOBODY) -> Payment:
    """Apply a gateway's answer; a repeat changes nothing, `paid` never goes back."""
    before = await payments.get_payment(shop.db, payment_id)
    at = shop.clock.now()
    answer, is_foreign = await _without_foreign(shop, before, answer)
    answer, fresh = _with_booked(answer, await payments.list_receipts(shop.db, before.id))
    heard = before.told(at) if by.news else before
    after = heard.answered(answer, at)
    if by.clears_review:
        after = after.looked_at(at)
    doubt = _doubt(before, answer, is_foreign=is_foreign)
    if doubt is not None and after.review is None:
        after = msgspec.structs.replace(after, review=doubt)
    is_new = before.review is None and (doubt is not None or not fresh)
    flagged = after.review if is_new else None
    order = await orders.get_order(shop.db, before.order_id)
    batch, noted = Batch(has_time=by.has_time), list[Statement]()
    paying_now = [one for one in fresh if why_stranded(order, after, one) is None]
    if paying_now and by.actor == SYSTEM:  # what people book has been looked at
        order, noted = await check_paid(shop, order, after, paying_now, at)
    for receipt in fresh:
        order, stranded = _receive(shop, batch, order, after, (receipt, by.actor), at)
        after = msgspec.structs.replace(after, review=after.review or stranded)
    if isinstance(answer, Failed) and after.status == "failed" != before.status:
        _fail(batch, order, at)
    if after.status == "paid" != before.status:
        batch.add(*await closing_attempts(shop, order, at, but=before.id))
    batch.add(*noted)
    if flagged is not None:
        batch.add(*flagging(before, flagged, answer, at))
    # A repeat writes nothing, so that many notifications of one payment do not wait for each other.
    if not batch.statements and after.says_as_much_as(before):
        if by.news is not None:
            await shop.db.commit(Batch(*by.settling(before), has_time=True))
        return before
    batch.add(payments.save_payment(after, seen=before), *by.beside, *by.settling(after))
    await shop.db.commit(batch)
    return after


def _doubt(payment: Payment, answer: Answer, *, is_foreign: bool) -> str | None:
    """Why people should look at a payment that this was said of, though no money moved by it."""
    if is_foreign:
        return "receipt_of_another_payment"
    is_at_odds = isinstance(answer, Unknown) and answer.is_foreign
    return FOREIGN if is_at_odds and payment.status not in SETTLED else None


def flagging(payment: Payment, review: str, answer: Answer, at: datetime) -> list[Statement]:
    """Tell people that a payment waits for them, and why; once, when it is marked."""
    said = answer.reason if isinstance(answer, Unknown | Failed) else None
    return [
        outbox.publish("payment.flagged", payment.id, at, store_id=payment.store_id),
        audit.record(
            SYSTEM,
            "payment.flagged",
            payment.id,
            at,
            store_id=payment.store_id,
            reason=review,
            said=said,
        ),
    ]


def _with_booked(answer: Answer, booked: list[StoredReceipt]) -> tuple[Answer, list[Receipt]]:
    """The answer with money that is booked already as it was booked, whatever is said of it now;
    and what of it is new. Who booked a transaction by hand did not know its terminal.
    """
    if not isinstance(answer, Paid):
        return answer, []
    known = {(one.terminal, one.provider_reference): one for one in booked}
    fresh: list[Receipt] = []
    receipts: list[Receipt] = []
    for receipt in answer.receipts:
        reference = receipt.provider_reference
        one = known.get((receipt.terminal, reference)) or known.get((BY_HAND, reference))
        if one is None:
            fresh.append(receipt)
            receipts.append(receipt)
        else:
            booked_as = {name: getattr(one, name) for name in _AMOUNTS}
            receipts.append(msgspec.structs.replace(receipt, **booked_as))
    return Paid(tuple(receipts)), fresh


async def _without_foreign(shop: Shop, payment: Payment, answer: Answer) -> tuple[Answer, bool]:
    """The answer without receipts that another payment has been credited with: a gateway's
    transaction pays once, whatever the gateway says; and whether there were any.
    """
    if not isinstance(answer, Paid):
        return answer, False
    own = []
    for receipt in answer.receipts:
        owner = await payments.find_receipt_owner(
            shop.db, payment.provider, receipt.terminal, receipt.provider_reference
        )
        if owner in (None, payment.id):
            own.append(receipt)
    if len(own) == len(answer.receipts):
        return answer, False
    if not own:
        return Unknown("receipt of another payment"), True
    return Paid(tuple(own)), True


async def closing_attempts(
    shop: Shop,
    order: Order,
    at: datetime,
    status: Status = "cancelled",
    *,
    but: str | None = None,
) -> list[Statement]:
    """Close the order's attempts that still wait for a payer; late money is still noticed."""
    return [
        payments.save_payment(attempt.closed(status, at), seen=attempt)
        for attempt in await payments.list_payments_of_order(shop.db, order.store_id, order.id)
        if attempt.id != but and not attempt.is_final
    ]


async def refuse_unclear(shop: Shop, order: Order) -> None:
    """Where an earlier attempt may have been charged, another waits until that is clear.

    Raises:
        MayBeCharged
    """
    for earlier in await payments.list_payments_of_order(shop.db, order.store_id, order.id):
        if earlier.may_be_charged:
            raise MayBeCharged()


def _receive(
    shop: Shop,
    batch: Batch,
    order: Order,
    payment: Payment,
    said: tuple[Receipt, Actor],
    at: datetime,
) -> tuple[Order, str | None]:
    """Book one receipt; the order as it is after it, and why the money is stranded if it is."""
    receipt, actor = said
    reason = why_stranded(order, payment, receipt)
    topic, subject = ("payment.stranded", payment.id) if reason else ("order.paid", order.id)
    batch.add(
        payments.insert_receipt(stored_receipt(payment, receipt, reason, at)),
        ledger.post(
            payment.store_id,
            "payment.received",
            at,
            {
                payment.account: receipt.amount_dirhams,
                ("suspense" if reason else "receivable"): -receipt.amount_dirhams,
                **({} if reason else _share(order, receipt.amount_dirhams)),
            },
            order_id=order.id,
            payment_id=payment.id,
        ),
        outbox.publish(topic, subject, at, store_id=payment.store_id),
        audit.record(
            actor,
            topic,
            subject,
            at,
            store_id=payment.store_id,
            payment=payment.id,
            dirhams=receipt.amount_dirhams,
            reason=reason,
        ),
    )
    if reason:
        batch.add(
            orders.note_history(order, topic, actor.name, at, reason),
            suspense.insert_item(stranded_item(shop, payment, receipt, reason, at)),
        )
        return order, reason
    batch.add(*paying(order, receipt.amount_dirhams, at, actor))
    paid = order.receive(receipt.amount_dirhams, at)
    return msgspec.structs.replace(paid, version=order.version + 1), None


def _share(order: Order, dirhams: int) -> dict[str, int]:
    """The platform's share of money that comes for the order now."""
    return commission_added(order.commission_bp, order.paid_dirhams, dirhams)


def paying(order: Order, dirhams: int, at: datetime, actor: Actor) -> list[Statement]:
    """The order paid with all that was due, whatever the money came from."""
    paid = order.receive(dirhams, at)
    return [
        orders.save_order(paid, seen=order),
        orders.note_history(paid, "order.paid", actor.name, at),
    ]


def why_stranded(order: Order, payment: Payment, receipt: Receipt) -> str | None:
    """Why the order cannot take this money, or None if it pays the order."""
    if not payment.is_exact(receipt):
        return "amount_differs"
    if order.is_payable:
        # An attempt from before the order was changed, or before a courier brought a part of it.
        return None if payment.amount_dirhams == order.due_dirhams else "amount_differs"
    return "paid_already" if order.is_captured and order.status != "cancelled" else "order_closed"


def _fail(batch: Batch, order: Order, at: datetime) -> None:
    if order.payment_status == "pending" and order.is_payable:
        failed = msgspec.structs.replace(order, payment_status="failed", updated_at=at)
        batch.add(
            orders.save_order(failed, seen=order),
            orders.note_history(failed, "payment.failed", SYSTEM.name, at),
        )


@again_if_stale
async def note_claim(shop: Shop, payment_id: str, claim: Claim) -> Payment:
    """A browser says something about its payment: remember it, so that a crash before the
    gateway has answered only delays the question.
    """
    before = await payments.get_payment(shop.db, payment_id)
    at = shop.clock.now()
    after = before.told(at) if claim.kind in ("sale", "failed") else before
    if claim.kind == "sale" and before.status in ("created", "action_required"):
        after = msgspec.structs.replace(after, status="processing")
    if after == before:
        return before
    await shop.db.commit(Batch(payments.save_payment(after, seen=before)))
    return after


async def work_off_news(shop: Shop, news: News, payment: Payment | None = None) -> Payment | None:
    """Ask the gateway about the payment that a stored notification names; None where there is no
    such payment, or where the sweep has to come back to it.

    Args:
        payment: the one that it names, where that is known, however long ago it was read.
    """
    room = shop.news_room
    if not room.take(news.id, news.provider):
        return None
    try:
        if payment is None or news.proof is None:  # asking has its turn as well, not only writing
            async with room.turn(shop.traffic):
                payment = payment or await _named(shop, news)
        if payment is None:
            return None
        provider = await provider_of(shop, payment)
        if news.kind in ("refund", "void"):  # of money that goes back: nothing comes by it
            count = await check_refunds(shop, payment)
            await shop.db.commit(Batch(payments.settle_news(news.id, f"refunds_checked:{count}")))
            return payment
        answer = await _believe(shop, payment, provider, news)
        async with room.turn(shop.traffic):
            await keep_exchanges(shop, payment)
            return await record_answer(
                shop, payment.id, answer, Hand(SYSTEM, news=news, has_time=True)
            )
    finally:
        room.let_go(news.id)


async def _named(shop: Shop, news: News) -> Payment | None:
    """The payment that it names; news of none is worked off."""
    if news.reference:
        payment = await payments.find_by_reference(shop.db, news.provider, news.reference)
        if payment is not None:
            return payment
    await shop.db.commit(Batch(payments.settle_news(news.id, "no_such_payment")))
    return None


async def _believe(
    shop: Shop, payment: Payment, provider: PaymentProvider | None, news: News
) -> Answer:
    """What signed news proves by itself counts where the gateway cannot be asked."""
    if news.proof is not None and (provider is None or not provider.can_query):
        proof: Proof = msgspec.json.decode(news.proof, type=Proof)
        return proof
    return await ask_provider(shop, payment, provider)


async def hear_return(shop: Shop, payment: Payment, claim: Claim) -> tuple[Payment, bool]:
    """A browser came back from the gateway's page with this (not `authentic="no"`): the payment as
    it is now, and whether the gateway is to be asked about it.
    """
    provider = await provider_of(shop, payment)
    can_ask = provider is not None and provider.can_query
    if claim.proof is not None and not can_ask and provider is not None:
        return await record_answer(shop, payment.id, claim.proof), False
    noted = await note_claim(shop, payment.id, claim)
    return noted, can_ask and claim.kind != "cancelled"

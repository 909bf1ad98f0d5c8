"""Ask about payments because it is time to. Nobody waits for that: they take turns."""

from eishro.db.statements import Batch
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Unknown
from eishro.flows.gateways import provider_of
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.pay_order import Hand, ask_provider, record_answer
from eishro.flows.shop import SYSTEM, Shop, again_if_stale

_AT_LEISURE = Hand(SYSTEM, has_time=True)


async def sweep_payment(shop: Shop, payment_id: str) -> Payment:
    """Ask about the payment, and close the attempt where its time is over."""
    turns = shop.sweep_turns
    async with turns.turn(shop.traffic):
        payment = await payments.get_payment(shop.db, payment_id)
        provider = await provider_of(shop, payment)
    answer = await ask_provider(shop, payment, provider)
    async with turns.turn(shop.traffic):
        await keep_exchanges(shop, payment)
        await record_answer(shop, payment_id, answer, _AT_LEISURE)
        return await expire_payment(shop, payment_id)


async def postpone_check(shop: Shop, payment_id: str) -> None:
    """Asking failed for a reason of ours: ask again at its next time, not at once."""
    await record_answer(shop, payment_id, Unknown("asking failed", is_unreachable=True))
    await expire_payment(shop, payment_id)


@again_if_stale
async def expire_payment(shop: Shop, payment_id: str) -> Payment:
    """Close an attempt whose time is over; it is still asked about, money may come late."""
    before = await payments.get_payment(shop.db, payment_id)
    at = shop.clock.now()
    if before.expires_at is None or before.expires_at > at:
        return before
    after = before.closed("expired", at) if not before.is_final else before
    if after != before:
        await shop.db.commit(Batch(payments.save_payment(after, seen=before)))
    return after

"""Keep what was said to a gateway about a payment, after it was said."""

import structlog

from eishro.db.statements import Batch
from eishro.domain.payments import exchanges
from eishro.domain.payments.exchanges import Exchange, Noted
from eishro.domain.payments.model import Payment
from eishro.errors import ShopError
from eishro.flows.shop import Shop
from eishro.ids import text_id

_LOG = structlog.get_logger("eishro.payments")


async def keep_exchanges(shop: Shop, payment: Payment, *, is_refund: bool = False) -> None:
    """Write what was noted of the payment, which must exist; never in the way of the payment.

    Only so many are kept of one payment, the first: a browser may make us ask again and again.
    What was said of a refund is always kept, since people caused it.
    """
    noted = shop.journal.take(payment.reference)
    if not noted:
        return
    try:
        if not is_refund:
            kept = await exchanges.count_exchanges_of(shop.db, payment.store_id, payment.id)
            noted = noted[: max(0, exchanges.KEPT_MAX - kept)]
        if noted:
            await shop.db.commit(Batch(exchanges.insert_exchanges(_rows(payment, noted))))
    except ShopError as error:
        _LOG.warning("exchanges_not_kept", payment=payment.id, error=repr(error)[:200])


def _rows(payment: Payment, noted: list[Noted]) -> list[Exchange]:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return [
        Exchange(
            id=text_id("gex", one.at),
            store_id=payment.store_id,
            payment_id=payment.id,
            order_id=payment.order_id,
            provider=one.provider,
            call=one.call,
            request=one.request,
            status=one.status,
            reply=one.reply,
            error=one.error,
            milliseconds=one.milliseconds,
            request_id=request_id,
            at=one.at,
        )
        for one in noted
    ]

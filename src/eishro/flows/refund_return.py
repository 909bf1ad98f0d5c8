"""What follows from goods that came back, and from money that went back: the refund of a return,
the credit note of a refund. Both are asked for by events, which may come twice; each is done once.
"""

import contextlib
from datetime import timedelta

from eishro.db import idempotency
from eishro.db.statements import Statement
from eishro.domain.invoices.model import NotInvoiced
from eishro.domain.orders import sql as orders
from eishro.domain.payments import refunds_sql as refunds
from eishro.domain.payments.refund_amounts import RefundWanted, WantedLine
from eishro.domain.payments.refunds import RefundTooLarge
from eishro.domain.returns import sql as returns
from eishro.errors import Invalid
from eishro.flows.exchange_goods import settle_exchange
from eishro.flows.issue_invoice import CreditLine, issue_credit_note
from eishro.flows.refund_order import open_refunds
from eishro.flows.return_goods import close_return
from eishro.flows.shop import SYSTEM, Shop

_KEPT = timedelta(days=365)  # longer than an event is tried again


class _OnceForReturn:
    """The refund of one return: the key is the return's id, whoever asks."""

    def __init__(self, shop: Shop, return_id: str) -> None:
        self._shop = shop
        self._return_id = return_id

    def claim(self, result: object) -> tuple[Statement, ...]:
        """Statements for the front of the batch."""
        del result
        now = self._shop.clock.now()
        return idempotency.claim(
            "return", self._return_id, "", (201, ""), sealed=False, now=now, expires_at=now + _KEPT
        )


async def refund_return(shop: Shop, return_id: str) -> None:
    """Give back what was paid for the pieces of a return that arrived, and close it; in an
    exchange it pays the other order first.

    An order that was never paid owes nothing. Where pieces were refunded by hand before, nothing is
    done: the return stays `received` until somebody closes it.
    """
    made = await returns.get_return(shop.db, return_id)
    if made.status != "received":
        return
    order = await orders.get_order(shop.db, made.order_id)
    if order.is_captured and made.refund_dirhams > 0:
        lines = (await returns.list_lines(shop.db, made.store_id, [made.id]))[made.id]
        wanted = RefundWanted(
            reason=f"return {made.id}",
            lines=tuple(WantedLine(line.quantity, variant_id=line.variant_id) for line in lines),
        )
        once, other_id = _OnceForReturn(shop, return_id), made.replacement_order_id
        try:
            if other_id is None:
                await open_refunds(shop, order.id, wanted, SYSTEM, once)
            else:
                await settle_exchange(shop, order.id, other_id, wanted, SYSTEM, once)
        except idempotency.AlreadyClaimed:
            pass  # the event came twice
        except (RefundTooLarge, Invalid):
            return  # something of it went back already: people look, and close the return
    await close_return(shop, return_id, SYSTEM)


async def credit_refund(shop: Shop, refund_id: str) -> None:
    """The credit note of a refund that has left; none where no invoice was ever due."""
    refund = await refunds.get_refund(shop.db, refund_id)
    if not refund.is_of_order:
        return
    names = {
        line.position: line.name for line in await orders.list_lines(shop.db, [refund.order_id])
    }
    credited = [
        CreditLine(names[line.position], line.quantity, line.dirhams)
        for line in refund.lines_value()
    ]
    with contextlib.suppress(NotInvoiced):
        await issue_credit_note(
            shop,
            refund.order_id,
            refund.id,
            refund.amount_dirhams,
            credited,
            reason=refund.reason,
        )

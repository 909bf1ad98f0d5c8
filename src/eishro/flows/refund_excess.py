"""Money that an order does not cost any more goes back: part of the batch that makes it cheaper.

Nothing leaves here, as in `refund_order.py`. These refunds are not counted among the order's own:
they give back no part of what it costs, and the order stays paid.
"""

from datetime import datetime

import msgspec

from eishro.db.audit import Actor
from eishro.db.statements import Statement
from eishro.domain.orders.model import Order
from eishro.domain.payments.refund_amounts import Amounts
from eishro.flows.purse import read_purse
from eishro.flows.refund_order import new_refund, opening
from eishro.flows.shop import Shop


async def excess_refunds(
    shop: Shop, order: Order, dirhams: int, reason: str, actor: Actor, at: datetime
) -> list[Statement]:
    """Refunds of so much of the order's money, one for each receipt it takes, and their entries.

    Args:
        order: as it was read; whoever commits these saves it with that much less paid.

    Raises:
        TooManyRefunds
    """
    purse = await read_purse(shop, order)
    parts = purse.split(dirhams)
    purse.check_room(len(parts))
    statements: list[Statement] = []
    for receipt, part in parts:
        amounts = Amounts(part, 0, 0, ())
        made = await new_refund(shop, order, amounts, reason, receipt, actor, at)
        statements += opening(order, msgspec.structs.replace(made, kind="excess"), actor, at)
        order = msgspec.structs.replace(order, paid_dirhams=order.paid_dirhams - part)
    return statements

"""Do orders still cost what their traces say? The newest ones are computed again."""

from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.domain.orders.sql import order_traces, orders
from eishro.flows.price_order import recompute

LOOKED_AT = 2_000  # of the newest orders; a whole shop's would take minutes


class _Kept(msgspec.Struct, frozen=True):
    order_id: str
    subtotal: int
    discount: int
    shipping: int
    total: int
    trace: msgspec.Raw


_NEWEST: Query[Any] = Query(
    sa.select(
        orders.c.id,
        orders.c.subtotal_dirhams,
        orders.c.discount_dirhams,
        orders.c.shipping_dirhams,
        orders.c.total_dirhams,
        order_traces.c.trace,
    )
    .select_from(order_traces.join(orders, orders.c.id == order_traces.c.order_id))
    .order_by(order_traces.c.order_id.desc())
    .limit(sa.bindparam("limit")),
    _Kept,
    across_stores=True,
)


async def find_wrong_amounts(db: Database) -> list[str]:
    """Ids of orders whose amounts are not what their traces give."""
    wrong = []
    for kept in await db.all(_NEWEST, limit=LOOKED_AT):
        again = recompute(kept.trace)
        if (kept.subtotal, kept.discount, kept.shipping, kept.total) != (
            again.subtotal_dirhams,
            again.discount_dirhams,
            again.shipping_dirhams,
            again.total_dirhams,
        ):
            wrong.append(kept.order_id)
    return wrong

"""What `eishro doctor` asks about held orders: does somebody get to look at each of them?"""

from typing import Any

import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.orders.sql import orders
from eishro.domain.risk.sql import order_reviews

SHOWN_MAX = 20


def _told(store_id: int, order_id: str, number: str) -> str:
    return f"{number} ({order_id}) of store {store_id}"


_IS_OPEN = sa.and_(
    order_reviews.c.order_id == orders.c.id,
    order_reviews.c.store_id == orders.c.store_id,
    order_reviews.c.state == sa.literal_column("'open'"),
)
_ORDERS = sa.select(orders.c.store_id, orders.c.id, orders.c.number)
_HELD_FOR_NOBODY = Query(
    _ORDERS.select_from(orders.outerjoin(order_reviews, _IS_OPEN))
    .where(orders.c.is_held == sa.literal_column("1"), order_reviews.c.id.is_(None))
    .order_by(orders.c.id)
    .limit(SHOWN_MAX),
    _told,
    across_stores=True,
)
_GONE_ON = Query(
    _ORDERS.select_from(orders.join(order_reviews, _IS_OPEN))
    .where(orders.c.is_held == sa.literal_column("0"))
    .order_by(orders.c.id)
    .limit(SHOWN_MAX),
    _told,
    across_stores=True,
)
LISTS: tuple[tuple[str, Query[Any]], ...] = (
    ("orders held without a review", _HELD_FOR_NOBODY),
    ("orders that went on while their review is open", _GONE_ON),
)

"""What `eishro doctor` asks about coupons and promotions: is each use counted once?"""

from typing import Any

import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.discounts.sql import promotions
from eishro.domain.discounts.uses import order_promotions

SHOWN_MAX = 20


def _told(store_id: int, promotion_id: str, code: str | None, used: int, counted: int) -> str:
    name = promotion_id if code is None else f"{code} ({promotion_id})"
    return f"{name} of store {store_id} says {used}, its orders {counted}"


# Uses that were counted with an order and not given back with it. Those of what had no limit then
# were not counted.
_OF_ORDERS = (
    sa.select(order_promotions.c.promotion_id, sa.func.count().label("used"))
    .where(
        order_promotions.c.is_counted == sa.literal_column("1"),
        order_promotions.c.is_given_back == sa.literal_column("0"),
    )
    .group_by(order_promotions.c.promotion_id)
    .subquery("uses_of_orders")
)
_COUNTED = sa.func.coalesce(_OF_ORDERS.c.used, 0)
_MISCOUNTED_USES = Query(
    sa.select(
        promotions.c.store_id, promotions.c.id, promotions.c.code, promotions.c.used, _COUNTED
    )
    .select_from(promotions.outerjoin(_OF_ORDERS, _OF_ORDERS.c.promotion_id == promotions.c.id))
    .where(promotions.c.used != _COUNTED)
    .order_by(promotions.c.id)
    .limit(SHOWN_MAX),
    _told,
    across_stores=True,
)
LISTS: tuple[tuple[str, Query[Any]], ...] = (
    ("coupons and promotions whose uses are counted wrongly", _MISCOUNTED_USES),
)

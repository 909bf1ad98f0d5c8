"""After every step: of no order more pieces are put back on the shelf than have left it."""

from collections import Counter
from typing import Any

import sqlalchemy as sa

from eishro.db.statements import Query, in_list
from eishro.domain.returns.sql import returns
from eishro.domain.shipping.shipments_sql import shipments
from eishro.domain.stock.sql import stock_movements
from tests.simulation.touched import row
from tests.simulation.universe import Universe

_SUBJECT = stock_movements.c.subject_id
_OUT_OR_BACK = sa.or_(stock_movements.c.kind == "consume", stock_movements.c.kind == "restock")


def _moves(order_id: Any, source: Any) -> Query[Any]:
    """Pieces that left or came back for what is the order's, by order, variant and kind."""
    columns = order_id, stock_movements.c.variant_id, stock_movements.c.kind
    return Query(
        sa.select(*columns, sa.func.sum(stock_movements.c.quantity))
        .select_from(source)
        .where(in_list(order_id, "ids"), _OUT_OR_BACK)
        .group_by(*columns),
        row,
        across_stores=True,
    )


_QUERIES = (
    _moves(shipments.c.order_id, shipments.join(stock_movements, _SUBJECT == shipments.c.id)),
    _moves(returns.c.order_id, returns.join(stock_movements, _SUBJECT == returns.c.id)),
    _moves(_SUBJECT, stock_movements),
)


class Goods:
    """Pieces that are with couriers and buyers."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe

    async def look(self) -> None:
        """Each touched order has got what it has, or less."""
        ids = self._universe.trail.of("ord")
        away: Counter[tuple[str, int]] = Counter()
        for query in _QUERIES if ids else ():
            for order_id, variant, kind, pieces in await self._universe.db.all(query, ids=ids):
                away[order_id, variant] += int(pieces) * (1 if kind == "consume" else -1)
        unlike = {key: pieces for key, pieces in away.items() if pieces < 0}
        assert not unlike, f"more came back than had left: {unlike}"

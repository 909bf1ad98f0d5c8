"""Placing orders: nothing is sold twice, nothing is half written."""

import asyncio

import pytest
import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.orders.model import OutOfStock
from eishro.domain.orders.sql import orders
from eishro.domain.stock import sql as stock
from tests.shops import World

pytestmark = pytest.mark.anyio

_ORDERS = Query(
    sa.select(sa.func.count()).select_from(orders),
    int,
    across_stores=True,
)


async def test_fifty_buyers_of_ten_pieces_get_exactly_ten_orders(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    product = await world.product(merchant.store.id, stock=10)
    results = await asyncio.gather(
        *(world.order(product) for _ in range(50)), return_exceptions=True
    )
    for r in results:
        if isinstance(r, BaseException) and not isinstance(r, OutOfStock):
            raise r
    placed = [r for r in results if not isinstance(r, BaseException)]
    refused = [r for r in results if isinstance(r, OutOfStock)]
    assert (len(placed), len(refused)) == (10, 40)
    assert await world.db.one(_ORDERS) == 10
    (row,) = await stock.list_stock(world.db, [product.product.id])
    assert (row.available, row.held) == (0, 10)

"""Paid orders, and what became of their money: builders of the tests of refunds."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.refund_amounts import RefundWanted
from eishro.domain.payments.refunds import Refund
from eishro.errors import ShopError
from eishro.flows.pay_order import check_payment
from eishro.flows.refund_order import open_refunds
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from tests.shops import TESTER, World

_BALANCES = Query(
    sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams))
    .group_by(ledger_entries.c.account)
    .order_by(ledger_entries.c.account),
    lambda account, dirhams: (account, int(dirhams)),
    across_stores=True,
)


class Paid(NamedTuple):
    """An order that is paid, and the payment that paid it."""

    order: Order
    payment: Payment

    @property
    def total(self) -> int:
        return self.order.total_dirhams


async def paid_order(world: World, *, quantity: int = 1, price: int = 25_500) -> Paid:
    """An order of one line, paid through the dummy gateway."""
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=100, price=price)
    placed = await world.order(state, quantity)
    return await pay(world, placed.order.id)


async def pay(world: World, order_id: str, *transactions: str) -> Paid:
    payment = await start_payment(world.shop, order_id, "moamalat", None, TESTER, NotOnce())
    world.provider.pay(payment.reference, payment.amount_dirhams, *transactions)
    payment = await check_payment(world.shop, payment.id)
    return Paid(await orders.get_order(world.db, order_id), payment)


async def refund(world: World, order_id: str, **wanted: object) -> Refund:
    """A refund opened, not sent."""
    asked = RefundWanted(**{"reason": "a test", **wanted})  # type: ignore[arg-type]
    return (await open_refunds(world.shop, order_id, asked, TESTER, NotOnce()))[0]


async def balances(world: World) -> dict[str, int]:
    """What each account of the books comes to, without those at zero."""
    return {name: dirhams for name, dirhams in await world.db.all(_BALANCES) if dirhams}


async def order_now(world: World, order_id: str) -> Order:
    return await orders.get_order(world.db, order_id)


async def payment_now(world: World, payment_id: str) -> Payment:
    return await payments.get_payment(world.db, payment_id)


async def race(*work: Awaitable[object]) -> list[object]:
    """Run at once; refusals are outcomes, anything else is a fault."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    return list(outcomes)

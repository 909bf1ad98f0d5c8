"""Random news about random payments: whatever comes, in whatever order, no dirham is lost, none
is counted twice, and an order is paid once.
"""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import Payment
from eishro.domain.payments.port import Answer, Failed, Paid, Receipt, Unknown
from eishro.errors import ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.pay_order import note_claim, record_answer
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.flows.sweep_payment import expire_payment
from eishro.jobs.schedule import expire_unpaid_orders
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

_BY_ACCOUNT = Query(
    sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams))
    .where(ledger_entries.c.reason == "payment.received")
    .group_by(ledger_entries.c.account),
    lambda account, dirhams: (account, int(dirhams)),
    across_stores=True,
)


class Gateway:
    """What really came, by payment; answers show some of it, as a slow gateway does."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.came: dict[str, list[Receipt]] = {}

    def answer(self, payment: Payment) -> Answer:
        """Some answer that a gateway may rightly give."""
        known = self.came.setdefault(payment.id, [])
        roll = self.rng.random()
        if roll < 0.25:
            return Unknown("not found")
        if roll < 0.4 and not known:
            return Failed("Insufficient funds")
        if roll < 0.75 or not known:
            known.append(self._receipt(payment, len(known)))
        shown = list(known) if self.rng.random() < 0.7 else self.rng.sample(known, 1)
        self.rng.shuffle(shown)
        return Paid(tuple(shown))

    def _receipt(self, payment: Payment, number: int) -> Receipt:
        due = payment.amount_dirhams
        amount = self.rng.choice([due, due, due, due - 1, due + 1, due // 2, 1])
        return Receipt(
            provider_reference=f"{payment.id}-{number}",
            terminal="T1",
            amount_dirhams=amount,
            currency="LYD",
        )


async def _step(world: World, rng: random.Random, order: Order, gateway: Gateway) -> None:
    """One thing that happens."""
    attempts = await payments.list_payments_of_order(world.db, order.store_id, order.id)
    roll = rng.random()
    if roll < 0.1 or not attempts:
        await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    elif roll < 0.75:
        payment = rng.choice(attempts)
        answer = gateway.answer(payment)
        # The same answer from a return page, a webhook and the clock, at one moment.
        await asyncio.gather(
            *(record_answer(world.shop, payment.id, answer) for _ in range(rng.choice([1, 1, 3])))
        )
    elif roll < 0.8:
        payment = rng.choice(attempts)
        claim = world.provider.parse_result(payment.intent, {"cancelled": rng.random() < 0.5})
        await note_claim(world.shop, payment.id, claim)
    elif roll < 0.9:
        world.clock.turn(timedelta(minutes=rng.choice([1, 20, 70])))
        await expire_unpaid_orders(world.shop)
        await expire_payment(world.shop, rng.choice(attempts).id)
    elif roll < 0.95:
        await change_status(world.shop, order.id, "confirmed", TESTER)
    else:
        await cancel_order(world.shop, order.id, TESTER, only_pending=rng.random() < 0.5)


@pytest.mark.parametrize("round_", range(6))
async def test_no_dirham_is_lost_or_counted_twice(
    world: World, rng: random.Random, round_: int
) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=10, price=rng.choice([10_000, 25_505]))
    gateway = Gateway(rng)
    placed = [(await world.order(state)).order for _ in range(3)]
    for _ in range(40):
        try:
            await _step(world, rng, rng.choice(placed), gateway)
        except ShopError:
            continue  # refused, and that is an outcome
    for order in placed:
        await _check_order(world, order)
    assert await find_faults(world.db) == []


async def _check_order(world: World, placed: Order) -> None:
    order = await orders.get_order(world.db, placed.id)
    attempts = await payments.list_payments_of_order(world.db, order.store_id, order.id)
    receipts = [r for p in attempts for r in await payments.list_receipts(world.db, p.id)]
    assert len({r.provider_reference for r in receipts}) == len(receipts)
    applied = [r for r in receipts if r.applied]
    # The order is paid by one exact receipt or by none.
    assert len(applied) == (order.payment_status == "paid")
    assert all(r.amount_dirhams == order.total_dirhams for r in applied)
    for payment in attempts:
        own = [r for r in receipts if r.payment_id == payment.id]
        # Money that did not pay its order has a reason, and people are asked to look.
        assert all((r.reason is None) is r.applied for r in own)
        assert (payment.review is not None) or all(r.applied for r in own)


@pytest.mark.parametrize("round_", range(2))
async def test_what_the_gateway_showed_is_what_the_books_hold(
    world: World, rng: random.Random, round_: int
) -> None:
    """Shown once or ten times, alone or with others, late or early: each receipt counts once."""
    merchant = await world.merchant()
    assert merchant.store is not None
    order = (await world.order(await world.product(merchant.store.id, stock=10))).order
    attempts = [
        await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
        for _ in range(3)
    ]
    gateway = Gateway(rng)
    answers = [(payment, gateway.answer(payment)) for _ in range(12) for payment in attempts]
    answers += rng.sample(answers, len(answers) // 2)
    rng.shuffle(answers)
    outcomes = await asyncio.gather(
        *(record_answer(world.shop, payment.id, answer) for payment, answer in answers[:10]),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, Payment | ShopError) for outcome in outcomes), outcomes
    for payment, answer in answers:
        await record_answer(world.shop, payment.id, answer)
    shown = {
        receipt.provider_reference: receipt.amount_dirhams
        for _, answer in answers
        if isinstance(answer, Paid)
        for receipt in answer.receipts
    }
    books = Counter(dict(await world.db.all(_BY_ACCOUNT)))
    assert books["clearing:moamalat"] == sum(shown.values())
    assert books["receivable"] + books["suspense"] == -sum(shown.values())
    assert books["receivable"] in (0, -order.total_dirhams)
    await _check_order(world, order)
    assert await find_faults(world.db) == []

"""What may happen in a shop: one function an operation, drawn by weight.

An operation does what a buyer, a merchant, a gateway or the clock does. A refusal (`ShopError`) is
an outcome like any other; a crash ends the process it happens in.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from eishro.db import idempotency
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.edit_product import ProductDraft, update_product
from eishro.flows.pay_order import check_payment, note_claim, work_off_news
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from eishro.jobs.schedule import run_once
from tests.shops import TESTER
from tests.simulation.afterwards import (
    bring_back,
    change,
    collect,
    keep_balances,
    place_stranded,
    refund,
    see_to_refunds,
    ship,
    swap,
    travel,
)
from tests.simulation.by_hand import draft, edit, place_by_hand
from tests.simulation.choice import (
    at_once,
    fitting_attempt,
    fitting_order,
    some_attempt,
    some_order,
)
from tests.simulation.offers import promote, rush
from tests.simulation.payouts import ask_for_money, decide_on_money
from tests.simulation.universe import Key, Universe

WINDOW = timedelta(days=1)  # after an attempt has begun; far longer than gateways allow

Operation = Callable[[Universe], Awaitable[None]]


async def place(universe: Universe) -> None:
    """A buyer orders, maybe by several clicks at once; all of them make one order."""
    clicks = universe.rng.choice([1, 1, 1, 3])
    command = universe.command()
    key = Key(universe.shop, f"key-{sum(universe.done.values())}-{universe.crashes}")
    outcomes = await asyncio.gather(
        *(place_order(universe.shop, command, TESTER, key) for _ in range(clicks)),
        return_exceptions=True,
    )
    made = {one.order.id for one in outcomes if not isinstance(one, BaseException)}
    assert len(made) <= 1, "one key, two orders"
    universe.live += made
    for one in outcomes:
        if isinstance(one, idempotency.AlreadyClaimed):
            assert await key.made() in made
        elif isinstance(one, BaseException) and not made:
            raise one


async def start(universe: Universe) -> None:
    """A buyer begins to pay."""
    is_change_of_mind = universe.rng.random() < 0.1  # wanted to pay on delivery
    order_id = await fitting_order(
        universe,
        lambda one: one.is_payable and (one.payment_method == "cod") == is_change_of_mind,
    )
    payment = await start_payment(universe.shop, order_id, "moamalat", None, TESTER, NotOnce())
    universe.attempts.append(payment.id)


async def pay(universe: Universe) -> None:
    """The payer acts at the gateway; the browser may tell of it, the gateway too, or nobody."""
    closed = universe.clock.now() - WINDOW
    payment = await fitting_attempt(
        universe, lambda one: one.created_at > closed and one.status != "paid"
    )
    gateway, before = universe.gateway, universe.gateway.total_taken
    gateway.pay(payment.reference, payment.amount_dirhams)
    is_over = payment.status in ("expired", "cancelled")
    gateway.done["late success"] += is_over and gateway.total_taken > before
    if universe.rng.random() < 0.4:
        claim = universe.gateway.parse_result(payment.intent, {"kind": "sale"})
        await note_claim(universe.shop, payment.id, claim)
    if universe.rng.random() < 0.6:
        await notify(universe)


async def notify(universe: Universe) -> None:
    """The gateway notifies: once or several times, of something new or long known."""
    payment = await payments.get_payment(universe.shop.db, some_attempt(universe))
    claim = universe.gateway.parse_webhook({}, payment.reference.encode())
    universe.gateway.done["reorder"] += payment.id != universe.attempts[-1]  # behind newer ones
    for _ in range(universe.rng.choice([1, 1, 2])):
        news = await store_news(universe.shop, universe.gateway.name, claim)
        if news is not None and universe.rng.random() < 0.7:  # else it is left to the sweep
            await work_off_news(universe.shop, news)


async def check(universe: Universe) -> None:
    """Several parties ask about one payment at the same moment."""
    payment_id = some_attempt(universe)
    await at_once(
        *(check_payment(universe.shop, payment_id) for _ in range(universe.rng.randint(1, 3)))
    )


async def move(universe: Universe) -> None:
    """The merchant moves an order on, or tries what is not allowed."""
    order = await orders.get_order(universe.shop.db, some_order(universe))
    ahead = {"pending": "confirmed", "confirmed": "processing", "processing": "shipped",
             "shipped": "delivered", "delivered": "returned"}  # fmt: skip
    to = ahead.get(order.status, "confirmed")
    if universe.rng.random() < 0.1:
        to = universe.rng.choice(["shipped", "returned", "delivered", "cancelled"])
    await change_status(universe.shop, order.id, to, TESTER)  # type: ignore[arg-type]


async def cancel(universe: Universe) -> None:
    """Buyer and merchant cancel, maybe both at once."""
    order_id = some_order(universe)
    wishes = universe.rng.choice([[True], [False], [True, False]])
    await at_once(
        *(cancel_order(universe.shop, order_id, TESTER, only_pending=wish) for wish in wishes)
    )


async def recount(universe: Universe) -> None:
    """The merchant counts a product anew, or prices it anew."""
    store_id = universe.rng.choice(universe.stores)
    state = universe.rng.choice(universe.products[store_id])
    if universe.rng.random() < 0.5:
        draft = ProductDraft(price_dirhams=universe.rng.choice([1, 777, 10_000, 99_999]))
    else:
        universe.recounted = True
        draft = ProductDraft(stock=universe.rng.randint(0, 150))
    await update_product(universe.shop, state.product.id, draft, TESTER, lambda _: None)


async def work(universe: Universe) -> None:
    """The background takes a turn."""
    await run_once(universe.shop)


async def wait(universe: Universe) -> None:
    """Time passes: minutes mostly, sometimes a day."""
    universe.clock.turn(timedelta(minutes=universe.rng.choice([1, 1, 5, 20, 70, 60 * 24])))
    await run_once(universe.shop)


OPERATIONS: dict[Operation, int] = {
    place: 24,
    start: 14,
    pay: 12,
    notify: 6,
    check: 8,
    move: 16,
    cancel: 4,
    recount: 3,
    work: 8,
    wait: 5,
    ship: 8,
    travel: 8,
    collect: 9,
    refund: 5,
    see_to_refunds: 6,
    place_stranded: 3,
    bring_back: 5,
    swap: 5,
    change: 3,
    keep_balances: 2,
    promote: 5,
    rush: 6,
    draft: 6,
    place_by_hand: 7,
    edit: 9,
    ask_for_money: 4,
    decide_on_money: 6,
}

"""What the store's own people do to orders by hand: drafts, and changes before shipping."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from eishro.db import idempotency
from eishro.domain.drafts.model import DraftClosed, DraftItem
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.errors import ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.draft_orders import (
    PlacedDraft,
    change_draft,
    create_draft,
    delete_draft,
    place_draft,
)
from eishro.flows.edit_order import NewAddress, NewQuantity, edit_address, edit_items
from eishro.flows.pay_order import check_payment
from eishro.flows.shop import NotOnce, Once
from eishro.flows.start_payment import start_payment
from tests.shops import TESTER
from tests.simulation.choice import Nothing, at_once, fitting_order
from tests.simulation.universe import CITIES, Key, Universe

YOUNG_DRAFTS = 10


async def draft(universe: Universe) -> None:
    """Somebody prepares an order, goes on with one, or throws one away."""
    rng, shop = universe.rng, universe.shop
    roll = rng.random()
    if roll < 0.6 or not universe.drafts:
        store_id = rng.choice(universe.stores)
        made = await create_draft(
            shop, store_id, _some_content(universe, store_id), None, TESTER, NotOnce()
        )
        universe.drafts.append((store_id, made.id))
        return
    store_id, draft_id = rng.choice(universe.drafts[-YOUNG_DRAFTS:])
    if roll < 0.65:
        await delete_draft(shop, store_id, draft_id, TESTER)
        return
    await at_once(
        *(
            change_draft(shop, store_id, draft_id, _some_content(universe, store_id), None, TESTER)
            for _ in range(rng.choice([1, 1, 2]))
        )
    )


def _some_content(universe: Universe, store_id: int) -> dict[str, Any]:
    """Members of a draft, sometimes not enough to place it."""
    rng, command = universe.rng, universe.command(store_id)
    return {
        "items": tuple(DraftItem(i.product_id, i.quantity, i.variant_id) for i in command.items),
        "customer_name": command.customer_name,
        "customer_phone": command.customer_phone if rng.random() < 0.9 else None,
        "city_code": command.city_code,
        "address": command.address,
        "payment_method": command.payment_method,
        "coupon_code": command.coupon_code,
        "manual_discount_dirhams": rng.choice([0, 0, 1, 3_333]),
        "shipping_override_dirhams": rng.choice([None, None, 0, 1_001]),
    }


async def place_by_hand(universe: Universe) -> None:
    """A draft becomes an order: by several clicks, by two people, or while somebody changes it."""
    rng, shop = universe.rng, universe.shop
    if not universe.drafts:
        raise Nothing
    young = universe.drafts[-YOUNG_DRAFTS:]
    waiting = [one for one in young if one[1] not in universe.placed]
    store_id, draft_id = rng.choice(waiting if waiting and rng.random() < 0.9 else young)
    key = Key(shop, f"key-{sum(universe.done.values())}-{universe.crashes}")
    keys: Sequence[Once] = rng.choice([[key], [key], [key] * 3, [key, NotOnce()]])
    tries = [place_draft(shop, store_id, draft_id, TESTER, one) for one in keys]
    beside: list[Awaitable[object]] = []
    if rng.random() < 0.2:
        content = _some_content(universe, store_id)
        beside.append(change_draft(shop, store_id, draft_id, content, None, TESTER))
    outcomes = await asyncio.gather(*tries, *beside, return_exceptions=True)
    made = [one for one in outcomes if isinstance(one, PlacedDraft)]
    assert len(made) <= 1, "one draft, two orders"
    for one in made:
        assert draft_id not in universe.placed, "a placed draft placed again"
        universe.placed[draft_id] = one.placed.order.id
        universe.live.append(one.placed.order.id)
        if one.payment is not None:
            universe.attempts.append(one.payment.id)
    for outcome in outcomes:
        if isinstance(outcome, DraftClosed) and outcome.details["orderId"] is not None:
            _recall(universe, draft_id, str(outcome.details["orderId"]))
        elif isinstance(outcome, idempotency.AlreadyClaimed):
            assert await key.made() == universe.placed[draft_id]
        elif isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    if not made:
        raise next(one for one in outcomes if isinstance(one, BaseException))


def _recall(universe: Universe, draft_id: str, order_id: str) -> None:
    """Who comes late is told what the draft became; news only to whom a crash cut off."""
    if draft_id not in universe.placed:
        universe.placed[draft_id] = order_id
        universe.live.append(order_id)
    assert universe.placed[draft_id] == order_id, "a draft that became another order"


async def edit(universe: Universe) -> None:
    """Other items or another address, while the buyer begins to pay, pays or cancels, or a second
    person edits too.
    """
    rng, shop = universe.rng, universe.shop
    order_id = await fitting_order(universe, _is_editable)
    order = await orders.get_order(shop.db, order_id)
    calls = [await _some_edit(universe, order)]
    beside = rng.choice(["", "", "", "edit", "begin", "pay", "cancel", "confirm"])
    if beside == "edit":
        calls.append(await _some_edit(universe, order))
    elif beside == "begin":
        calls.append(_begin(universe, order_id))
    elif beside == "pay":
        calls += await _pay(universe, order)
    elif beside == "cancel":
        calls.append(cancel_order(shop, order_id, TESTER, only_pending=True))
    elif beside == "confirm":
        calls.append(change_status(shop, order_id, "confirmed", TESTER))
    await at_once(*calls)


def _is_editable(order: Order) -> bool:
    return order.holds_stock and order.is_payable and order.fulfilment_status == "unfulfilled"


async def _some_edit(universe: Universe, order: Order) -> Awaitable[object]:
    rng, shop = universe.rng, universe.shop
    if rng.random() < 0.25:
        address = NewAddress(
            city_code=rng.choice(CITIES),
            area=None,
            address="شارع عمر المختار",
            shipping_notes=None,
            shipping_method="standard",
        )
        return edit_address(shop, order.id, address, None, TESTER)
    lines = await orders.list_lines(shop.db, [order.id])
    wanted = {line.variant_id: rng.choice([0, 1, 2, line.quantity, 5]) for line in lines}
    if rng.random() < 0.5:
        new = rng.choice(universe.products[order.store_id])
        wanted[new.variants[0].id] = rng.randint(1, 3)
    items = [NewQuantity(variant_id, quantity) for variant_id, quantity in wanted.items()]
    return edit_items(shop, order.id, items, None, TESTER)


async def _begin(universe: Universe, order_id: str) -> None:
    payment = await start_payment(universe.shop, order_id, "moamalat", None, TESTER, NotOnce())
    universe.attempts.append(payment.id)


async def _pay(universe: Universe, order: Order) -> list[Awaitable[object]]:
    """The payer pays what the attempts say, at the same moment."""
    attempts = await payments.list_payments_of_order(universe.shop.db, order.store_id, order.id)
    waiting = [one for one in attempts if one.status in ("action_required", "processing")]
    for one in waiting:
        universe.gateway.pay(one.reference, one.amount_dirhams)
    return [check_payment(universe.shop, one.id) for one in waiting]

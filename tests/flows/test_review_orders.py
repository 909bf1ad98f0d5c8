"""Held orders are decided about by people: once, with what was paid going its usual way."""

import asyncio
import itertools
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.statements import Query
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import InvalidTransition, Order, OrderHeld
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Claim, Failed, Paid, Receipt
from eishro.domain.risk import sql as risk
from eishro.domain.risk.model import Review, ReviewDecided
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.draft_orders import place_draft
from eishro.flows.erase_person import erase_customer
from eishro.flows.parcels import Parcel
from eishro.flows.pay_order import check_payment, work_off_news
from eishro.flows.place_order import place_order
from eishro.flows.product_card import ProductState
from eishro.flows.retain import retain
from eishro.flows.review_orders import approve_review, reject_review, set_risk_rules
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.flows.store_news import store_news
from eishro.jobs.work_off_events import handle_events
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio
_SUBJECTS = Query(
    sa.select(risk.risk_events.c.subject).limit(100), lambda text: text, across_stores=True
)
_CARD = "512345******{:04}"
_phones = itertools.count(1)


def _phone() -> str:
    return f"+21892{next(_phones):07}"


async def _product(world: World, **rules: int | None) -> ProductState:
    merchant = await world.merchant()
    assert merchant.store is not None
    if rules:
        await set_risk_rules(world.shop, merchant.store.id, rules, TESTER)
    return await world.product(merchant.store.id, stock=100)


async def _order(world: World, state: ProductState, phone: str, method: str = "moamalat") -> Order:
    command = msgspec.structs.replace(world.command(state, method=method), customer_phone=phone)
    return (await place_order(world.shop, command, TESTER, NotOnce())).order


async def _pay(world: World, order: Order, card: str = "", *, is_told: bool = False) -> Order:
    """Paid, as the gateway says when it is asked, by us or since it told of it."""
    payment = await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    receipt = Receipt(
        provider_reference=f"tx-{payment.reference}",
        terminal="T1",
        amount_dirhams=payment.amount_dirhams,
        currency="LYD",
        details={"card": card} if card else {},
    )
    world.provider.answers[payment.reference] = Paid((receipt,))
    if is_told:
        claim = Claim(
            authentic="yes", reference=payment.reference, dedupe_key=payment.reference, kind="sale"
        )
        news = await store_news(world.shop, "moamalat", claim)
        assert news is not None
        await work_off_news(world.shop, news)
    else:
        await check_payment(world.shop, payment.id)
    return await orders.get_order(world.db, order.id)


async def _fail(world: World, order: Order) -> None:
    payment = await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    world.provider.answers[payment.reference] = Failed("Do not honour")
    await check_payment(world.shop, payment.id)


async def _review(world: World, order: Order) -> Review:
    found, _ = await risk.list_reviews(world.db, order.store_id, "open", order.id, 20, 0)
    (review,) = found
    return review


def _codes(review: Review) -> list[str]:
    return [finding.code for finding in review.found()]


async def test_a_card_that_pays_for_many_phones_is_paid_and_held(world: World) -> None:
    state = await _product(world, card_review_above=2)
    mine, shared = _CARD.format(1), _CARD.format(2)
    phones = [_phone() for _ in range(3)]
    for _ in range(4):  # one person may buy often
        again = await _pay(world, await _order(world, state, phones[0]), mine)
        assert (again.status, again.is_held) == ("confirmed", False)
    made = [await _pay(world, await _order(world, state, phone), shared) for phone in phones]
    assert [one.is_held for one in made] == [False, False, True]
    held = made[2]
    # The money is here, the order is not sent on.
    assert (held.status, held.payment_status) == ("pending", "paid")
    review = await _review(world, held)
    (attempt,) = await payments.list_payments_of_order(world.db, held.store_id, held.id)
    assert (_codes(review), review.payment_id) == (["CARD_PHONES"], attempt.id)
    assert await check_payment(world.shop, attempt.id) == attempt  # a repeat finds nothing new
    assert await find_faults(world.db) == []
    # After a week it counts no more, and what tells too little of a card never does.
    world.clock.turn(timedelta(days=8))
    assert not (await _pay(world, await _order(world, state, _phone()), shared)).is_held
    for _ in range(4):
        vague = await _pay(world, await _order(world, state, _phone()), "************0002")
        assert not vague.is_held


async def test_what_a_gateway_tells_of_by_itself_is_looked_at_as_well(world: World) -> None:
    state = await _product(world, card_review_above=1)
    made = [
        await _pay(world, await _order(world, state, _phone()), _CARD.format(4), is_told=True)
        for _ in range(2)
    ]
    assert [one.is_held for one in made] == [False, True]
    assert await find_faults(world.db) == []


async def test_many_refused_payments_before_a_good_one_are_looked_at(world: World) -> None:
    state = await _product(world, declines_review_above=2)
    phone = _phone()
    order = await _order(world, state, phone)
    for _ in range(3):
        await _fail(world, order)
    held = await _pay(world, order)
    assert (held.payment_status, held.is_held) == ("paid", True)
    assert _codes(await _review(world, held)) == ["REFUSED_PAYMENTS"]
    assert not (await _pay(world, await _order(world, state, _phone()))).is_held


async def test_what_a_payment_brings_to_light_joins_the_review_that_waits(world: World) -> None:
    state = await _product(
        world, new_buyer_review_above_dirhams=1, card_review_above=1, declines_review_above=1
    )
    first = await _pay(world, await _order(world, state, _phone()), _CARD.format(3))
    assert first.is_held
    order = await _order(world, state, _phone())
    for _ in range(2):
        await _fail(world, order)
    held = await _pay(world, order, _CARD.format(3))
    review = await _review(world, held)
    assert _codes(review) == ["NEW_BUYER_AMOUNT", "CARD_PHONES", "REFUSED_PAYMENTS"]
    assert held.is_held


async def test_an_approved_order_that_is_paid_confirms_itself_and_others_wait_as_ever(
    world: World,
) -> None:
    state = await _product(world, new_buyer_review_above_dirhams=1, cod_review_above_dirhams=1)
    store = state.product.store_id
    paid = await _pay(world, await _order(world, state, _phone()))
    with pytest.raises(OrderHeld):
        await change_status(world.shop, paid.id, "confirmed", TESTER)
    review = await _review(world, paid)
    done = await approve_review(world.shop, store, review.id, "معروف", TESTER)
    assert (done.state, done.decided_by, done.reason) == ("approved", "test", "معروف")
    assert await approve_review(world.shop, store, review.id, None, TESTER) == done
    now = await orders.get_order(world.db, paid.id)
    assert (now.status, now.is_held) == ("confirmed", False)
    await ship_order(world.shop, now.id, Parcel(), TESTER, NotOnce())
    cash = await _order(world, state, _phone(), "cod")
    await approve_review(world.shop, store, (await _review(world, cash)).id, None, TESTER)
    now = await orders.get_order(world.db, cash.id)
    assert (now.status, now.is_held, now.expires_at) == ("pending", False, cash.expires_at)
    await change_status(world.shop, cash.id, "confirmed", TESTER)
    await handle_events(world.shop)
    assert await find_faults(world.db) == []


async def test_a_rejected_order_is_cancelled_and_its_money_becomes_due(world: World) -> None:
    state = await _product(world, new_buyer_review_above_dirhams=1)
    store = state.product.store_id
    paid = await _pay(world, await _order(world, state, _phone()))
    review = await _review(world, paid)
    done = await reject_review(world.shop, store, review.id, "بطاقة مسروقة", TESTER)
    assert (done.state, done.reason) == ("rejected", "بطاقة مسروقة")
    assert await reject_review(world.shop, store, review.id, "again", TESTER) == done
    with pytest.raises(ReviewDecided):
        await approve_review(world.shop, store, review.id, None, TESTER)
    await handle_events(world.shop)
    now = await orders.get_order(world.db, paid.id)
    assert (now.status, now.is_held) == ("cancelled", False)
    assert now.refunds_opened_dirhams == paid.total_dirhams
    # The buyer, who reads the history, is not told of whom nobody trusts.
    history = await orders.list_history(world.db, [paid.id])
    assert "order.cancelled" in [entry.event for entry in history]
    assert not any(entry.note == "بطاقة مسروقة" for entry in history)
    assert await find_faults(world.db) == []


async def test_who_decides_at_once_decides_once(world: World) -> None:
    state = await _product(world, new_buyer_review_above_dirhams=1)
    store = state.product.store_id
    for _ in range(5):
        paid = await _pay(world, await _order(world, state, _phone()))
        review = await _review(world, paid)
        outcomes = await asyncio.gather(
            *(approve_review(world.shop, store, review.id, None, TESTER) for _ in range(3)),
            *(reject_review(world.shop, store, review.id, "no", TESTER) for _ in range(3)),
            cancel_order(world.shop, paid.id, TESTER, only_pending=True),
            return_exceptions=True,
        )
        wrong = [one for one in outcomes if not isinstance(one, Review | Order | ReviewDecided)]
        # Who cancels finds the order confirmed where it was approved first.
        assert all(isinstance(one, InvalidTransition) for one in wrong), wrong
        decided = await risk.get_review(world.db, store, review.id)
        now = await orders.get_order(world.db, paid.id)
        assert now.status == {"approved": "confirmed"}.get(decided.state, "cancelled")
        assert not now.is_held
    await handle_events(world.shop)
    assert await find_faults(world.db) == []


async def test_orders_that_are_placed_by_hand_are_not_looked_at(world: World) -> None:
    state = await _product(world, cod_review_above_dirhams=1, phone_review_above=1)
    draft = await world.draft(state)
    placed = await place_draft(world.shop, draft.store_id, draft.id, TESTER, NotOnce())
    assert not placed.placed.order.is_held


async def test_limits_that_are_off_count_nobody_and_the_usual_rules_are_where_they_are_on(
    world: World,
) -> None:
    state = await _product(
        world, phone_refuse_above=1, address_review_above=1, cod_review_above_dirhams=30_000_000
    )
    rules = msgspec.structs.replace(world.shop.rules, risk_windows=False)
    off = changed(world.shop, rules=rules)
    command = world.command(state, method="cod")
    for _ in range(3):
        assert not (await place_order(off, command, TESTER, NotOnce())).order.is_held
    plain = await _product(world)
    dear = await world.product(plain.product.store_id, price=6_000_000)
    assert not (await place_order(world.shop, world.command(dear), TESTER, NotOnce())).order.is_held
    usual = msgspec.structs.replace(world.shop.rules, risk_by_default=True)
    on = changed(world.shop, rules=usual)
    assert not (await place_order(on, world.command(plain), TESTER, NotOnce())).order.is_held
    assert (await place_order(on, world.command(dear), TESTER, NotOnce())).order.is_held


async def test_a_forgotten_buyer_is_counted_no_more_and_all_counts_end(world: World) -> None:
    state = await _product(world, address_review_above=1, cod_review_above_dirhams=1)
    store, phone = state.product.store_id, _phone()
    address = "شارع الجمهورية، عمارة 12"
    command = msgspec.structs.replace(
        world.command(state, method="cod"), customer_phone=phone, address=address
    )
    order = (await place_order(world.shop, command, TESTER, NotOnce())).order
    (subject,) = await world.db.all(_SUBJECTS)
    assert len(subject) == 32
    review = await _review(world, order)
    await reject_review(world.shop, store, review.id, f"he of {phone}", TESTER)
    assert await erase_customer(world.shop, store, phone, "asked", TESTER) == 1
    assert await world.db.all(_SUBJECTS) == []
    assert (await risk.get_review(world.db, store, review.id)).reason is None
    other = msgspec.structs.replace(command, customer_phone=_phone())
    await place_order(world.shop, other, TESTER, NotOnce())
    world.clock.turn(timedelta(days=8))
    assert (await retain(world.shop, is_dry=True)).signals == 1
    assert (await retain(world.shop, is_dry=False)).signals == 1
    assert await world.db.all(_SUBJECTS) == []

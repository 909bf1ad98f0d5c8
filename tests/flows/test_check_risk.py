"""Orders are checked for risk: what is fine costs nothing, what is not is held or refused."""

import asyncio
import itertools
from datetime import timedelta
from typing import TypeVar

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.database import Database
from eishro.db.statements import Batch, Query
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order, OrderHeld
from eishro.domain.risk import sql as risk
from eishro.domain.risk.model import CashNotAccepted, OrderNotAccepted, Review
from eishro.flows.change_order import cancel_order, change_status, expire_order
from eishro.flows.move_shipment import ShipmentChange, change_shipment
from eishro.flows.parcels import Parcel
from eishro.flows.pay_on_delivery import choose_cash
from eishro.flows.place_order import place_order, place_orders
from eishro.flows.price_list import PriceList
from eishro.flows.product_card import ProductState
from eishro.flows.review_orders import set_risk_rules
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio
_EVENTS = Query(sa.select(sa.func.count()).select_from(risk.risk_events), int, across_stores=True)
_phones = itertools.count(1)
T = TypeVar("T")


def _phone() -> str:
    return f"+21891{next(_phones):07}"


async def _product(world: World, **rules: int | None) -> ProductState:
    merchant = await world.merchant()
    assert merchant.store is not None
    if rules:
        await set_risk_rules(world.shop, merchant.store.id, rules, TESTER)
    return await world.product(merchant.store.id, stock=1_000)


async def _order(world: World, state: ProductState, **members: object) -> Order:
    members = {"payment_method": "cod", **members}
    command = msgspec.structs.replace(world.command(state), **members)
    return (await place_order(world.shop, command, TESTER, NotOnce())).order


async def _reviews(world: World, order: Order) -> list[Review]:
    found, total = await risk.list_reviews(world.db, order.store_id, None, order.id, 20, 0)
    assert len(found) == total
    return found


async def _codes(world: World, order: Order) -> list[str]:
    """What was found of the order; whether it is held says the same."""
    found = [one for one in await _reviews(world, order) if one.state == "open"]
    now = await orders.get_order(world.db, order.id)
    assert now.is_held == bool(found)
    return [finding.code for review in found for finding in review.found()]


async def _refused_delivery(world: World, state: ProductState, phone: str) -> Order:
    order = await _order(world, state, customer_phone=phone)
    await change_status(world.shop, order.id, "confirmed", TESTER)
    sent = await ship_order(world.shop, order.id, Parcel(), TESTER, NotOnce())
    for status in ("returning", "returned"):
        change = ShipmentChange(status=status)
        await change_shipment(world.shop, sent.shipment.id, change, TESTER)
    return order


async def test_twenty_orders_of_one_phone_at_once_make_exactly_as_many_as_are_taken(
    world: World,
) -> None:
    state = await _product(world, phone_review_above=3, phone_refuse_above=5)
    phone = _phone()
    outcomes = await asyncio.gather(
        *(_order(world, state, customer_phone=phone) for _ in range(20)), return_exceptions=True
    )
    placed = [one for one in outcomes if isinstance(one, Order)]
    refused = [one for one in outcomes if isinstance(one, OrderNotAccepted)]
    assert (len(placed), len(refused)) == (5, 15), outcomes
    assert sum(order.is_held for order in placed) == 2
    # It tells neither what was counted nor how far.
    assert not any(sign.isdigit() for sign in str(refused[0]))
    assert refused[0].details == {}
    await _order(world, state, customer_phone=_phone())  # others are in nobody's way
    await _order(world, await _product(world, phone_refuse_above=5), customer_phone=phone)
    world.clock.turn(timedelta(hours=25))
    await _order(world, state, customer_phone=phone)
    assert await find_faults(world.db) == []


async def test_a_checkout_over_stores_that_share_a_guard_moves_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "eishro.flows.check_risk.subjects_of", lambda keys, kind, *of: [f"0000{kind}{of}"]
    )
    states = [await _product(world, phone_refuse_above=2) for _ in range(2)]
    commands = [
        msgspec.structs.replace(world.command(state, method="cod"), customer_phone=_phone())
        for state in states
    ]
    for _ in range(2):
        await place_orders(world.shop, commands, TESTER, NotOnce())
    with pytest.raises(OrderNotAccepted):
        await place_orders(world.shop, commands, TESTER, NotOnce())


async def test_an_address_is_one_however_it_is_typed_and_short_ones_are_nobody_s(
    world: World,
) -> None:
    state = await _product(world, address_review_above=2)
    typed = ["شارع الجمهورية، عمارة ١٢", "شارع  الجمهورية, عمارة 12", "شارع الجمهوريه، عمارة 12"]
    made = [
        await _order(world, state, customer_phone=_phone(), address=address) for address in typed
    ]
    assert [await _codes(world, one) for one in made] == [[], [], ["ADDRESS_ORDERS"]]
    elsewhere = {"city_code": "benghazi", "customer_phone": _phone()}
    assert await _codes(world, await _order(world, state, address=typed[0], **elsewhere)) == []
    for _ in range(3):
        order = await _order(world, state, customer_phone=_phone(), address="وسط البلد")
        assert await _codes(world, order) == []


async def test_amounts_are_looked_at_in_cash_and_of_phones_that_have_not_bought_yet(
    world: World,
) -> None:
    state = await _product(
        world, cod_review_above_dirhams=100_000, new_buyer_review_above_dirhams=50_000
    )
    phone = _phone()
    item = world.command(state).items[0]
    much = {"items": (msgspec.structs.replace(item, quantity=3),), "customer_phone": phone}
    most = {"items": (msgspec.structs.replace(item, quantity=6),), "customer_phone": phone}
    small = await _order(world, state, customer_phone=phone)
    assert await _codes(world, small) == []
    assert await _codes(world, await _order(world, state, **much)) == ["NEW_BUYER_AMOUNT"]
    both = await _order(world, state, **most)
    assert await _codes(world, both) == ["COD_AMOUNT", "NEW_BUYER_AMOUNT"]
    await change_status(world.shop, small.id, "confirmed", TESTER)
    await ship_order(world.shop, small.id, Parcel(), TESTER, NotOnce())
    await change_status(world.shop, small.id, "delivered", TESTER)
    assert await _codes(world, await _order(world, state, **much)) == []
    assert await _codes(world, await _order(world, state, **most)) == ["COD_AMOUNT"]
    online = await _order(world, state, **most, payment_method="moamalat")
    assert await _codes(world, online) == []


async def test_refused_deliveries_count_in_every_store_and_once_for_each_other_store(
    world: World,
) -> None:
    here = await _product(world, refusals_review_from=2, refusals_refuse_from=4)
    other, third = await _product(world), await _product(world)
    phone = _phone()
    for _ in range(3):  # a store that speaks ill of somebody is one voice
        await _refused_delivery(world, other, phone)
    assert await _codes(world, await _order(world, here, customer_phone=phone)) == []
    await _refused_delivery(world, third, phone)
    looked = await _order(world, here, customer_phone=phone)
    assert await _codes(world, looked) == ["REFUSED_DELIVERIES"]
    (review,) = await _reviews(world, looked)
    assert review.found()[0].facts == {"count": 2, "limit": 2, "days": 365}
    # Paid beforehand it is nobody's worry; others are not concerned.
    paid = await _order(world, here, customer_phone=phone, payment_method="moamalat")
    assert await _codes(world, paid) == []
    assert await _codes(world, await _order(world, here, customer_phone=_phone())) == []


async def test_who_refused_too_often_may_only_pay_beforehand(world: World) -> None:
    state = await _product(world)
    store, phone = state.product.store_id, _phone()
    for _ in range(2):
        await _refused_delivery(world, state, phone)
    await set_risk_rules(world.shop, store, {"refusals_refuse_from": 2}, TESTER)
    with pytest.raises(CashNotAccepted):
        await _order(world, state, customer_phone=phone)
    online = await _order(world, state, customer_phone=phone, payment_method="moamalat")
    with pytest.raises(CashNotAccepted):  # nor by choosing cash afterwards
        await choose_cash(world.shop, online, None, TESTER, NotOnce(), "ar")
    assert await orders.get_order(world.db, online.id) == online
    world.clock.turn(timedelta(days=366))
    await _order(world, state, customer_phone=phone)


async def test_cash_that_is_chosen_later_is_looked_at_like_any_other(world: World) -> None:
    state = await _product(world, cod_review_above_dirhams=20_000)
    order = await _order(world, state, payment_method="moamalat")
    assert await _codes(world, order) == []
    await choose_cash(world.shop, order, None, TESTER, NotOnce(), "ar")
    assert await _codes(world, order) == ["COD_AMOUNT"]


async def test_a_parcel_that_turns_back_and_comes_back_counts_once_and_one_that_was_taken_frees(
    world: World,
) -> None:
    state = await _product(world)
    phone = _phone()
    await _refused_delivery(world, state, phone)
    assert await world.db.one(_EVENTS) == 1
    item = msgspec.structs.replace(world.command(state).items[0], quantity=2)
    order = await _order(world, state, customer_phone=phone, items=(item,))
    await change_status(world.shop, order.id, "confirmed", TESTER)
    one_piece = Parcel(pieces={state.variants[0].id: 1})
    first = await ship_order(world.shop, order.id, one_piece, TESTER, NotOnce())
    second = await ship_order(world.shop, order.id, one_piece, TESTER, NotOnce())
    back = ShipmentChange(status="returning")
    await change_shipment(world.shop, first.shipment.id, back, TESTER)
    assert await world.db.one(_EVENTS) == 2
    taken = ShipmentChange(status="delivered")
    await change_shipment(world.shop, second.shipment.id, taken, TESTER)
    assert await world.db.one(_EVENTS) == 1


async def test_an_order_that_is_said_to_be_back_counts_too(world: World) -> None:
    state = await _product(world)
    order = await _order(world, state)
    await change_status(world.shop, order.id, "confirmed", TESTER)
    await ship_order(world.shop, order.id, Parcel(), TESTER, NotOnce())
    await change_status(world.shop, order.id, "returned", TESTER)
    assert await world.db.one(_EVENTS) == 1


async def test_a_held_order_neither_is_confirmed_nor_leaves_and_expires_as_any_other(
    world: World,
) -> None:
    state = await _product(world, cod_review_above_dirhams=1)
    order = await _order(world, state)
    with pytest.raises(OrderHeld):
        await change_status(world.shop, order.id, "confirmed", TESTER)
    world.clock.turn(timedelta(hours=49))
    expired = await expire_order(world.shop, order.id)
    assert (expired.status, expired.is_held) == ("cancelled", False)
    assert [one.state for one in await _reviews(world, order)] == ["closed"]
    again = await _order(world, state)
    await cancel_order(world.shop, again.id, TESTER, only_pending=True)
    assert [one.state for one in await _reviews(world, again)] == ["closed"]
    assert await find_faults(world.db) == []


class _Counted:
    """A database that counts what it is asked."""

    def __init__(self, db: Database) -> None:
        self.engine = db.engine
        self.reads = self.statements = 0
        self._db = db

    async def one(self, query: Query[T], **values: object) -> T | None:
        self.reads += 1
        return await self._db.one(query, **values)

    async def all(self, query: Query[T], **values: object) -> list[T]:
        self.reads += 1
        return await self._db.all(query, **values)

    async def commit(self, batch: Batch) -> None:
        self.statements += len(batch)
        await self._db.commit(batch)

    async def run_script(self, script: str) -> None:
        await self._db.run_script(script)

    async def aclose(self) -> None:
        await self._db.aclose()


async def test_an_order_costs_what_the_guide_says(world: World) -> None:
    """Priced from memory, as most are: reads and statements of an order by the rules it meets."""
    address = "شارع الجمهورية، عمارة 12"

    async def cost(
        *, usual: bool = False, method: str = "cod", **rules: int | None
    ) -> tuple[int, int]:
        state = await _product(world, **rules)
        db = _Counted(world.db)
        own = msgspec.structs.replace(world.shop.rules, risk_by_default=usual)
        shop = changed(world.shop, db=db, rules=own, prices=PriceList(db))
        command = msgspec.structs.replace(world.command(state, method=method), address=address)
        await place_order(shop, command, TESTER, NotOnce())
        db.reads = db.statements = 0
        await place_order(shop, command, TESTER, NotOnce())
        return db.reads, db.statements

    reads, statements = await cost()
    assert reads == 0
    assert await cost(usual=True) == (1, statements)
    assert await cost(usual=True, method="moamalat") == (0, statements)
    assert await cost(new_buyer_review_above_dirhams=900_000, method="moamalat") == (0, statements)
    assert await cost(refusals_review_from=9, phone_review_above=9) == (2, statements)
    assert await cost(cod_review_above_dirhams=900_000) == (0, statements)
    assert await cost(phone_refuse_above=9) == (1, statements + 1)
    assert await cost(address_review_above=9) == (1, statements + 1)
    assert await cost(phone_refuse_above=9, address_review_above=9) == (1, statements + 2)
    assert await cost(cod_review_above_dirhams=1) == (0, statements + 3)

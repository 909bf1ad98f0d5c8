"""Which ways to pay there are, and paying by another one after the first has failed."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments.health import FAILURES_MAX, PAUSE_FIRST, GatewayResting
from eishro.domain.payments.model import MayBeCharged, NotPayable, Payment
from eishro.domain.payments.port import ProviderBusy
from eishro.domain.stores import sql as stores
from eishro.domain.suspense import sql as suspense
from eishro.domain.suspense.model import SuspenseItem
from eishro.errors import Invalid
from eishro.flows.choose_method import every_method, offered_methods
from eishro.flows.edit_gateways import put_credentials
from eishro.flows.gateway_health import Breakers
from eishro.flows.pay_order import check_payment
from eishro.flows.place_order import carries, methods_of
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.flows.submit_code import submit_code
from eishro.jobs.schedule import run_once
from eishro.outward import HttpReply
from tests.adapters.payments.http_script import said
from tests.every_gateway import PAYER, SILENCE, Wire, every_gateway
from tests.flows.refunding import refund
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

BEGUN = said({"statusCode": 0, "result": {"transactionId": 77}})
PAID = said({"statusCode": 0, "result": {"transactionId": 77}})
REFUSED = said({"statusCode": 927, "result": "Not allowed"}, 400)


async def _order(world: World, method: str = "moamalat", **settings: Any) -> Order:
    merchant = await world.merchant(shipping_rate_dirhams=0, **settings)
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=1)
    return (await world.order(state, method=method)).order


async def _start(world: World, order: Order, method: str) -> Payment:
    payer = msgspec.structs.replace(PAYER, card=None)
    return await start_payment(world.shop, order.id, method, None, TESTER, NotOnce(), payer)


async def _fall_silent(world: World, wire: Wire, order: Order, method: str = "sadad") -> None:
    wire.answer = SILENCE
    for _ in range(FAILURES_MAX):
        with pytest.raises(ProviderBusy):
            await _start(world, order, method)


async def _suspense(world: World, order: Order) -> list[SuspenseItem]:
    found, _ = await suspense.list_items(world.db, order.store_id, 10, 0, waiting=True)
    return found


async def _reasons(world: World, order: Order, dirhams: int | None = None) -> dict[str, list[str]]:
    store = await stores.get_store(world.db, order.store_id)
    choices = await every_method(world.shop, store, dirhams)
    return {c.method.method: [reason.code for reason in c.reasons] for c in choices}


# A gateway that is silent.


async def test_nobody_is_sent_to_a_gateway_that_does_not_answer(world: World) -> None:
    async with every_gateway(world) as wire:
        order = await _order(world)
        await _fall_silent(world, wire, order)
        assert (await _reasons(world, order))["sadad"] == ["gateway_silent"]
        asked = len(wire.sent)
        with pytest.raises(GatewayResting):
            await _start(world, order, "sadad")
        assert len(wire.sent) == asked
        assert await payments.list_payments_of_order(world.db, order.store_id, order.id) == []
        assert (await _start(world, order, "moamalat")).status == "action_required"
        world.clock.turn(PAUSE_FIRST)
        assert (await _reasons(world, order))["sadad"] == []
        wire.answer = BEGUN
        assert (await _start(world, order, "sadad")).status == "action_required"
        assert (await _reasons(world, order))["sadad"] == []


async def test_while_one_tries_the_others_wait_and_a_wrong_phone_does_not_use_up_the_try(
    world: World,
) -> None:
    async with every_gateway(world) as wire:
        order = await _order(world)
        await _fall_silent(world, wire, order)
        world.clock.turn(PAUSE_FIRST)
        asked = len(wire.sent)
        with pytest.raises(Invalid):
            await start_payment(world.shop, order.id, "sadad", None, TESTER, NotOnce())
        outcomes = await asyncio.gather(
            *(_start(world, order, "sadad") for _ in range(8)), return_exceptions=True
        )
        assert all(isinstance(one, ProviderBusy) for one in outcomes)
        assert [type(one) for one in outcomes].count(ProviderBusy) == 1
        assert len(wire.sent) == asked + 1


async def test_what_has_begun_goes_on_while_nothing_new_may_begin(world: World) -> None:
    """A code may be sent, and the gateway asked, however silent it was."""
    async with every_gateway(world) as wire:
        order, others = await _order(world), await _order(world)
        wire.answer = BEGUN
        begun = await _start(world, order, "sadad")
        await _fall_silent(world, wire, others)
        wire.answer = PAID
        paid = await submit_code(world.shop, begun.id, "123456")
        assert paid.status == "paid"
        assert (await _reasons(world, others))["sadad"] == []  # its answer let everybody in again
        assert await find_faults(world.db) == []


async def test_money_that_moved_is_heard_of_and_given_back_while_nothing_new_may_begin(
    world: World,
) -> None:
    order, others = await _order(world), await _order(world)
    payment = await _start(world, order, "moamalat")
    health = world.shop.gateways.health
    assert isinstance(health, Breakers)
    for _ in range(FAILURES_MAX):
        await health.silent("moamalat")
    with pytest.raises(GatewayResting):
        await _start(world, others, "moamalat")
    world.provider.pay(payment.reference, payment.amount_dirhams)
    news = {"signature": "good", "reference": payment.reference, "event": "e1"}
    told = await world.client().post("/api/webhooks/payments/moamalat", json=news)
    assert told.status_code == 200
    await world.settle()
    assert (await orders.get_order(world.db, order.id)).is_captured
    await refund(world, order.id)
    await run_once(world.shop)
    assert world.provider.refunds.total == order.total_dirhams
    with pytest.raises(GatewayResting):
        await _start(world, others, "moamalat")
    assert await find_faults(world.db) == []


async def test_silence_at_one_store_s_own_account_is_that_store_s_alone(world: World) -> None:
    async with every_gateway(world) as wire:
        order, others = await _order(world), await _order(world)
        gateway = world.shop.gateways.catalog["sadad"]
        fields = gateway.simulated({}, "https://gateway.test")
        desk = world.shop.gateways
        desk.may_call = lambda *_: True  # type: ignore[method-assign]
        desk._tools = desk._tools._replace(http=wire)
        await put_credentials(world.shop, order.store_id, "sadad", "test", fields, TESTER)
        await _fall_silent(world, wire, order)
        assert (await _reasons(world, order))["sadad"] == ["gateway_silent"]
        assert (await _reasons(world, others))["sadad"] == []
        wire.answer = BEGUN
        assert (await _start(world, others, "sadad")).status == "action_required"
        # Other credentials have no past.
        await put_credentials(world.shop, order.store_id, "sadad", "test", fields, TESTER)
        assert (await _start(world, order, "sadad")).status == "action_required"


# Another method on the same order.


@pytest.mark.parametrize("answer", [SILENCE, REFUSED], ids=["silent", "refused"])
async def test_after_a_failed_start_another_method_keeps_the_hold(
    world: World, answer: HttpReply
) -> None:
    async with every_gateway(world) as wire:
        order = await _order(world)
        wire.answer = answer
        with pytest.raises((ProviderBusy, Invalid)):
            await _start(world, order, "sadad")
        after = await orders.get_order(world.db, order.id)
        assert (after.status, after.payment_status, after.expires_at) == (
            "pending", "pending", order.expires_at,
        )  # fmt: skip
        second = await _start(world, order, "moamalat")
        assert second.status == "action_required"
        assert (await orders.get_order(world.db, order.id)).holds_stock
        assert await find_faults(world.db) == []


async def test_after_a_clear_no_to_a_code_another_method_pays(world: World) -> None:
    async with every_gateway(world) as wire:
        order = await _order(world)
        wire.answer = BEGUN
        first = await _start(world, order, "sadad")
        wire.answer = REFUSED
        assert (await submit_code(world.shop, first.id, "123456")).status == "failed"
        held = await orders.get_order(world.db, order.id)
        assert (held.payment_status, held.holds_stock) == ("failed", True)
        wire.answer = said({"sessionId": "S1"})
        second = await _start(world, order, "mobicash")
        wire.answer = said({"transactionId": "MC1"})
        assert (await submit_code(world.shop, second.id, "123456")).status == "paid"
        assert (await orders.get_order(world.db, order.id)).is_captured
        assert await _suspense(world, order) == []
        assert await find_faults(world.db) == []


async def test_while_a_code_may_have_charged_no_other_method_begins(world: World) -> None:
    async with every_gateway(world) as wire:
        order = await _order(world)
        wire.answer = BEGUN
        first = await _start(world, order, "sadad")
        wire.answer = SILENCE
        assert (await submit_code(world.shop, first.id, "123456")).status == "unknown"
        asked = len(wire.sent)
        for method in ("moamalat", "sadad", "bank_transfer", "cod"):
            with pytest.raises(MayBeCharged):
                await _start(world, order, method)
        assert len(wire.sent) == asked


async def test_two_methods_begun_at_once_and_both_paid_pay_the_order_once(world: World) -> None:
    """Money that comes twice is given back: it waits in suspense with that proposal."""
    order = await _order(world)
    first, second = await asyncio.gather(*(_start(world, order, "moamalat") for _ in range(2)))
    for payment in (first, second):
        world.provider.pay(payment.reference, payment.amount_dirhams)
    await asyncio.gather(*(check_payment(world.shop, one.id) for one in (first, second)))
    assert (await orders.get_order(world.db, order.id)).paid_dirhams == order.total_dirhams
    (item,) = await _suspense(world, order)
    assert item.reason == "paid_already"
    assert item.proposal is not None
    assert item.proposal.action == "refund"
    with pytest.raises(NotPayable):
        await _start(world, order, "moamalat")
    assert await find_faults(world.db) == []


async def test_money_of_an_order_that_has_expired_is_proposed_for_refund(world: World) -> None:
    order = await _order(world)
    payment = await _start(world, order, "moamalat")
    world.clock.turn(timedelta(hours=3))
    await run_once(world.shop)
    assert (await orders.get_order(world.db, order.id)).status == "cancelled"
    world.provider.pay(payment.reference, payment.amount_dirhams)
    await check_payment(world.shop, payment.id)
    (item,) = await _suspense(world, order)
    assert item.reason == "order_closed"
    assert item.proposal is not None
    assert item.proposal.action == "refund"
    assert item.resolve("refund", "test", world.clock.now()).proposal is None
    assert await find_faults(world.db) == []


# The list and its reasons.


async def test_the_list_agrees_with_what_may_be_ordered(world: World, rng: random.Random) -> None:
    """Random shops and amounts: what is available can be carried, what is not says why."""
    async with every_gateway(world):
        everything, usd = world.shop, world.shop.rules.usd
        names = sorted({method.method for method in everything.methods})
        merchant = await world.merchant()
        assert merchant.store is not None
        stored = await stores.get_store(world.db, merchant.store.id)
        for _ in range(200):
            chosen = (
                tuple(rng.sample(names, rng.randrange(len(names)))) if rng.random() < 0.5 else ()
            )
            settings = msgspec.structs.replace(
                stored.settings_value(),
                payment_methods=chosen,
                cod_most_dirhams=rng.choice([None, 10_000]),
            )
            store = msgspec.structs.replace(
                stored, settings=msgspec.Raw(msgspec.json.encode(settings))
            )
            kept = rng.sample(
                sorted(everything.providers), rng.randrange(len(everything.providers))
            )
            shop = changed(
                everything,
                providers={name: everything.providers[name] for name in kept},
                rules=msgspec.structs.replace(
                    everything.rules,
                    usd=rng.choice([None, usd]),
                    transfer_account=rng.choice([None, everything.rules.transfer_account]),
                ),
            )
            dirhams = rng.choice([0, 1, 9, 10, 25_505, 25_500, 500_000_010, 999_999_999_999])
            offered = {m.method: m for m in methods_of(shop, store)}
            choices = await every_method(shop, store, dirhams)
            assert {c.method.method for c in choices} == set(names)
            assert len(choices) == len(names)
            for choice in choices:
                name = choice.method.method
                assert choice.is_offered == (name in offered)
                is_fit = name in offered and carries(offered[name], settings, dirhams)
                assert (not choice.reasons) == is_fit
            assert [c.method for c in await offered_methods(shop, store, None)] == [
                *offered.values()
            ]


async def test_each_absence_has_its_reason(world: World) -> None:
    async with every_gateway(world):
        chosen = ("sadad", "edfali", "mpgs", "bank_transfer")
        order = await _order(world, "sadad", payment_methods=chosen)
        left = {name: p for name, p in world.shop.providers.items() if name != "edfali"}
        world.shop = changed(
            world.shop,
            providers=left,
            rules=msgspec.structs.replace(world.shop.rules, usd=None, transfer_account=None),
        )
        found = await _reasons(world, order, 25_505)
        assert found["sadad"] == ["amount_step"]
        assert found["edfali"] == ["no_credentials", "amount_step"]
        assert found["mpgs"] == ["no_rate"]
        assert found["bank_transfer"] == ["no_account"]
        assert found["moamalat"] == ["not_chosen"]

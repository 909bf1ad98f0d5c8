"""Payments whose gateway cannot be asked: people say what became of them, once."""

import asyncio
from typing import Any

import pytest

from eishro.cli.doctor_money import find_money_adrift
from eishro.db.statements import Batch
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Paid, Receipt
from eishro.flows.pay_order import record_answer
from tests.shops import World
from tests.transferring import Counter, counter

pytestmark = pytest.mark.anyio


async def _silent(world: World) -> tuple[Counter, dict[str, Any]]:
    """A payment that may have been charged, at a gateway that cannot be asked."""
    desk = await counter(world)
    payment = await desk.start(await desk.order(method="moamalat"), "moamalat")
    world.provider.can_query = False

    before = await payments.get_payment(world.db, payment["id"])
    dark = before.sending_code(world.clock.now()).in_the_dark(world.clock.now())
    await world.db.commit(Batch(payments.save_payment(dark, seen=before)))
    return desk, payment


async def test_people_say_that_it_was_paid(world: World) -> None:
    desk, payment = await _silent(world)
    (flagged,) = await desk.get("/payments/review")
    assert (flagged["id"], flagged["review"]) == (payment["id"], "no_answer")
    said = {"outcome": "paid", "providerReference": "TX-1", "note": "seen in the portal"}
    replies = await asyncio.gather(*(desk.say(payment["id"], "settle", **said) for _ in range(4)))
    assert {reply.status_code for reply in replies} == {200}
    assert (await desk.read(payment["id"]))["status"] == "paid"
    assert (await desk.read_order(payment["orderId"]))["paymentStatus"] == "paid"
    assert await desk.get("/payments/review") == []
    lines = [line["action"] for line in await desk.get("/audit")]
    assert lines.count("payment.settled_paid") == 1
    assert await find_money_adrift(world.db) == []


async def test_late_news_of_the_same_transaction_is_no_second_money(world: World) -> None:
    desk, payment = await _silent(world)
    said = {"outcome": "paid", "providerReference": "TX-1", "note": "seen"}
    await desk.say(payment["id"], "settle", **said)
    receipt = Receipt(
        provider_reference="TX-1", terminal="T1", amount_dirhams=35_500, currency="LYD"
    )
    await record_answer(world.shop, payment["id"], Paid((receipt,)))
    assert await desk.get("/suspense") == []
    assert await find_money_adrift(world.db) == []


async def test_people_say_that_it_failed(world: World) -> None:
    desk, payment = await _silent(world)
    unclear = await desk.client.post(
        f"/api/orders/{payment['orderId']}/payments", json={"method": "cod"}, headers=desk.owner
    )
    assert unclear.json()["error"]["code"] == "PAYMENT_UNCLEAR"
    reply = await desk.say(payment["id"], "settle", outcome="failed", note="not in the portal")
    assert (reply.json()["data"]["status"], reply.json()["data"]["review"]) == ("failed", None)
    again = await desk.say(payment["id"], "settle", outcome="failed", note="not in the portal")
    assert again.status_code == 200
    await desk.start(payment["orderId"], "cod")
    # Found after all: it is taken, and kept in suspense beside the cash to come.
    late = await desk.say(
        payment["id"], "settle", outcome="paid", providerReference="TX-9", note="found after all"
    )
    assert late.json()["data"]["status"] == "paid"


async def test_a_gateway_s_reference_pays_one_payment(world: World) -> None:
    desk, first = await _silent(world)
    second = await desk.start(await desk.order(method="moamalat"), "moamalat")
    said = {"outcome": "paid", "providerReference": "TX-1", "note": "seen"}
    assert (await desk.say(first["id"], "settle", **said)).is_success
    refused = await desk.say(second["id"], "settle", **said)
    assert refused.json()["error"]["code"] == "BANK_REFERENCE_USED"


async def test_what_can_be_asked_is_not_settled_by_hand(world: World) -> None:
    desk, payment = await _silent(world)
    world.provider.can_query = True
    said = {"outcome": "paid", "providerReference": "TX-1", "note": "seen"}
    refused = await desk.say(payment["id"], "settle", **said)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "GATEWAY_DECIDES")


async def test_nobody_says_that_a_payer_s_own_attempt_failed(world: World) -> None:
    desk, _ = await _silent(world)
    fresh = await desk.start(await desk.order(method="moamalat"), "moamalat")
    refused = await desk.say(fresh["id"], "settle", outcome="failed", note="why not")
    assert refused.status_code == 409
    transfer = await desk.payment()
    refused = await desk.say(transfer["id"], "settle", outcome="failed", note="why not")
    assert refused.status_code == 409
    missing = await desk.say(fresh["id"], "settle", outcome="paid", note="why not")
    assert list(missing.json()["error"]["details"]) == ["providerReference"]

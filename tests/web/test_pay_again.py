"""Paying again from the page of an attempt that is over, which never charges twice."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import NoCodeExpected
from eishro.domain.payments.port import (
    Answer,
    Failed,
    Intent,
    Paid,
    PaymentMethod,
    Receipt,
    Unknown,
)
from eishro.flows import pay_order
from eishro.flows.pay_order import check_payment, record_answer
from eishro.flows.submit_code import submit_code
from eishro.jobs.ask_gateways import check_due_payments
from eishro.web import asking
from eishro.web.pages.pay_words import CLOSED, LABELS
from tests.flows.test_submit_code import GOOD, Wallet
from tests.shops import World, changed
from tests.transferring import Counter, counter

pytestmark = pytest.mark.anyio

LINK = LABELS["again"].en


async def begun(world: World, **order: Any) -> tuple[Counter, str, dict[str, Any]]:
    """An order whose card payment waits for its payer."""
    desk = await counter(world)
    order_id = await desk.order(**{"method": "moamalat", **order})
    return desk, order_id, await desk.start(order_id, "moamalat")


async def refused(world: World) -> tuple[Counter, str, dict[str, Any]]:
    """An order whose card was declined."""
    desk, order_id, payment = await begun(world)
    await decline(world, payment["id"])
    return desk, order_id, payment


async def decline(world: World, payment_id: str) -> None:
    found = await payments.get_payment(world.db, payment_id)
    world.provider.answers[found.reference] = Failed("declined")
    assert (await check_payment(world.shop, payment_id)).status == "failed"


async def again(
    desk: Counter, payment_id: str, key: str | None = None, **body: Any
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/pay/{payment_id}/again"
    return await desk.client.post(path, json={"method": "moamalat", **body}, headers=headers)


async def page(desk: Counter, payment_id: str, tail: str = "") -> httpx.Response:
    return await desk.client.get(f"/pay/{payment_id}{tail}", params={"lang": "en"})


def leads_to(reply: httpx.Response) -> str:
    assert reply.status_code == 303, reply.text
    return reply.headers["Location"].removeprefix("http://shop.test/pay/").partition("?")[0]


async def test_after_a_refusal_every_open_method_is_offered_and_no_customer_shown(
    world: World,
) -> None:
    desk, order_id, payment = await refused(world)
    assert LINK in (await page(desk, payment["id"])).text
    shown = await page(desk, payment["id"], "/again")
    assert shown.status_code == 200
    listed = {m["method"] for m in await desk.get("/payment-methods")}
    assert listed == {m for m in listed if f'value="{m}"' in shown.text}
    order = await orders.get_order(world.db, order_id)
    assert order.customer_phone.removeprefix("+218") not in shown.text
    assert order.customer_name not in shown.text
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["Referrer-Policy"] == "no-referrer"


async def test_another_attempt_takes_the_place_of_what_was_refused(world: World) -> None:
    desk, order_id, payment = await refused(world)
    begun = await again(desk, payment["id"])
    assert begun.status_code == 201, begun.text
    after = begun.json()["data"]
    assert (after["status"], after["amount"]) == ("action_required", payment["amount"])
    old = await payments.get_payment(world.db, payment["id"])
    new = await payments.get_payment(world.db, after["id"])
    assert (old.status, new.return_url) == ("cancelled", old.return_url)
    order = await orders.get_order(world.db, order_id)
    assert (order.payment_status, order.expires_at) == ("pending", new.expires_at)
    # Its window, left open elsewhere, is not opened again.
    assert (await desk.read(payment["id"]))["action"] is None
    world.provider.pay(new.reference, new.amount_dirhams)
    assert (await check_payment(world.shop, new.id)).status == "paid"
    assert leads_to(await page(desk, payment["id"], "/again")) == payment["id"]
    assert CLOSED.en in (await page(desk, payment["id"])).text
    assert await find_faults(world.db) == []


async def test_an_open_attempt_is_gone_on_with(world: World) -> None:
    desk, _, payment = await begun(world)
    assert leads_to(await page(desk, payment["id"], "/again")) == payment["id"]
    told = await again(desk, payment["id"])
    assert (told.status_code, told.json()["error"]["code"]) == (409, "PAYMENT_OPEN")
    await decline(world, payment["id"])
    newer = (await again(desk, payment["id"])).json()["data"]["id"]
    assert leads_to(await page(desk, payment["id"], "/again")) == newer
    told = await again(desk, payment["id"], method="cod")
    assert told.json()["error"]["details"] == {"paymentId": newer}
    assert (await desk.read(newer))["status"] == "action_required"


async def test_what_is_unclear_never_offers_another(world: World) -> None:
    desk, order_id, payment = await refused(world)
    other = await desk.start(order_id, "moamalat")  # in the shop, by the order's token
    found = await payments.get_payment(world.db, other["id"])
    news = world.provider.parse_result(found.intent, {})
    assert (await pay_order.note_claim(world.shop, found.id, news)).status == "processing"
    for one in (payment, other):
        assert leads_to(await page(desk, one["id"], "/again")) == other["id"]
        told = (await again(desk, one["id"])).json()["error"]
        assert told["code"] == "PAYMENT_UNCLEAR"
        assert told["details"] == {"paymentId": other["id"]}
    assert LINK not in (await page(desk, other["id"])).text.replace("hidden>" + LINK, "")
    receipt = Receipt(provider_reference="7", terminal="T1", amount_dirhams=1, currency="LYD")
    assert (await record_answer(world.shop, found.id, Paid((receipt,)))).status == "unknown"
    for one in (payment, other):
        assert leads_to(await page(desk, one["id"], "/again")) == other["id"]
        assert (await again(desk, one["id"])).json()["error"]["code"] == "PAYMENT_UNCLEAR"


async def test_many_at_once_begin_one(world: World) -> None:
    desk, order_id, payment = await refused(world)
    replies = await asyncio.gather(*(again(desk, payment["id"], f"tab-{n}") for n in range(6)))
    (made,) = [reply.json()["data"]["id"] for reply in replies if reply.status_code == 201]
    told = [reply.json()["error"] for reply in replies if reply.status_code == 409]
    assert len(told) == 5
    assert {one["code"] for one in told} <= {"PAYMENT_OPEN", "CONFLICT"}
    order = await orders.get_order(world.db, order_id)
    attempts = await payments.list_payments_of_order(world.db, order.store_id, order.id)
    states = {one.id: one.status for one in attempts}
    assert states == {made: "action_required", payment["id"]: "cancelled"}


async def test_a_choice_sent_twice_is_one_attempt(world: World) -> None:
    desk, _, payment = await refused(world)
    replies = await asyncio.gather(*(again(desk, payment["id"], "the-page-s") for _ in range(3)))
    replies.append(await again(desk, payment["id"], "the-page-s"))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    other = await again(desk, payment["id"], "the-page-s", method="cod")
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_money_that_came_after_the_refusal_is_found_first(world: World) -> None:
    desk, order_id, payment = await refused(world)
    found = await payments.get_payment(world.db, payment["id"])
    world.provider.pay(found.reference, found.amount_dirhams)  # another card, in the same window
    told = await again(desk, payment["id"])
    assert (told.status_code, told.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await desk.read(payment["id"]))["status"] == "paid"
    assert (await desk.read_order(order_id))["paymentStatus"] == "paid"


async def test_money_that_comes_while_another_begins_is_never_doubled(world: World) -> None:
    desk, order_id, payment = await refused(world)
    found = await payments.get_payment(world.db, payment["id"])
    exact = Receipt(
        provider_reference="9", terminal="T1", amount_dirhams=found.amount_dirhams, currency="LYD"
    )
    await asyncio.gather(
        again(desk, payment["id"]), record_answer(world.shop, found.id, Paid((exact,)))
    )
    order = await orders.get_order(world.db, order_id)
    attempts = await payments.list_payments_of_order(world.db, order.store_id, order.id)
    assert order.payment_status == "paid"
    assert {one.status for one in attempts} <= {"paid", "cancelled"}
    assert await find_faults(world.db) == []


async def test_an_expired_attempt_waits_for_its_gateway_s_word(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="cod")
    ready = {"status": "confirmed"}
    await desk.client.put(f"/api/orders/{order_id}/status", json=ready, headers=desk.owner)
    payment = await desk.start(order_id, "moamalat")
    found = await payments.get_payment(world.db, payment["id"])
    world.provider.answers[found.reference] = Unknown("down", is_unreachable=True)
    world.clock.turn(timedelta(hours=2))
    await check_due_payments(world.shop)
    assert (await desk.read(payment["id"]))["status"] == "expired"
    told = await again(desk, payment["id"])
    assert (told.status_code, told.json()["error"]["code"]) == (409, "PAYMENT_UNCLEAR")
    world.provider.answers[found.reference] = Unknown("not found")
    assert (await again(desk, payment["id"])).status_code == 201


@pytest.mark.parametrize("limit", ["ANSWER_SECONDS", "QUESTIONS_MAX"])
async def test_a_gateway_that_keeps_silent_is_not_waited_for_longer_than_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="cod")
    ready = {"status": "confirmed"}
    await desk.client.put(f"/api/orders/{order_id}/status", json=ready, headers=desk.owner)
    payment = await desk.start(order_id, "moamalat")
    world.clock.turn(timedelta(hours=2))
    await check_due_payments(world.shop)
    assert (await desk.read(payment["id"]))["status"] == "expired"
    may_answer, query, asked = asyncio.Event(), world.provider.query, list[str]()

    async def silent(intent: Intent) -> Answer:
        asked.append(intent.reference)
        await may_answer.wait()
        return await query(intent)

    monkeypatch.setattr(world.provider, "query", silent)
    # A time to wait, and how many may wait at once: both are the page's own of `web/asking.py`.
    monkeypatch.setattr(asking, limit, 0.05 if limit == "ANSWER_SECONDS" else 0)
    told = await again(desk, payment["id"])
    assert (told.status_code, told.json()["error"]["code"]) == (409, "PAYMENT_UNCLEAR")
    assert len(asked) == (limit == "ANSWER_SECONDS")
    may_answer.set()
    await world.settle()


async def test_cash_can_follow_a_refused_card(world: World) -> None:
    desk, order_id, payment = await refused(world)
    cash = await again(desk, payment["id"], method="cod")
    assert cash.status_code == 201, cash.text
    assert cash.json()["data"]["action"]["kind"] == "offline"
    assert (await desk.read(payment["id"]))["status"] == "cancelled"
    assert (await orders.get_order(world.db, order_id)).payment_method == "cod"


async def test_a_payer_who_waits_for_a_code_may_choose_another_way(world: World) -> None:
    method = PaymentMethod("wallet", "otp", "محفظة", "Wallet", "wallet", asks=("phone",))
    world.shop = changed(
        world.shop,
        providers={**world.shop.providers, "wallet": Wallet(world)},
        methods=(*world.shop.methods, method),
    )
    desk = await counter(world)
    payment = await desk.start(await desk.order(method="moamalat"), "wallet")
    shown = (await page(desk, payment["id"], "/again")).text
    assert 'data-asks="phone"' in shown
    assert LABELS["ask_phone"].en in shown
    assert (await again(desk, payment["id"])).status_code == 201
    assert (await desk.read(payment["id"]))["status"] == "cancelled"
    with pytest.raises(NoCodeExpected):
        await submit_code(world.shop, payment["id"], GOOD)


async def test_what_cannot_be_paid_any_more_says_so(world: World) -> None:
    desk, order_id, payment = await refused(world)
    cancelled = await desk.client.put(f"/api/orders/{order_id}/cancel", json={}, headers=desk.owner)
    assert cancelled.status_code == 200, cancelled.text
    shown = (await page(desk, payment["id"])).text
    assert CLOSED.en in shown
    assert LINK not in shown
    assert leads_to(await page(desk, payment["id"], "/again")) == payment["id"]
    assert (await again(desk, payment["id"])).status_code == 409


async def test_wrong_choices_name_their_fault_and_nothing_is_written(world: World) -> None:
    desk, _, payment = await refused(world)
    told = await again(desk, payment["id"], method="shells")
    assert list(told.json()["error"]["details"]) == ["method"]
    told = await again(desk, payment["id"], phone="12", birthYear=17)
    assert set(told.json()["error"]["details"]) == {"phone", "birthYear"}
    assert (await desk.read(payment["id"]))["status"] == "failed"
    assert (await again(desk, "pay_nobody")).status_code == 404
    assert (await page(desk, "pay_nobody", "/again")).status_code == 404

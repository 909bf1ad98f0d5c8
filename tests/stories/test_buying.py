"""Buying, from an empty store to a paid order, over HTTP alone; and what gateways do to that."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.clock import SystemClock
from eishro.db.opening import open_database
from eishro.db.statements import Batch, Write
from eishro.domain.orders.sql import orders
from eishro.domain.payments.sql import payments
from eishro.settings import TEST_SECRET_KEY
from tests.stories.command import wait_for
from tests.stories.people import DECLINED_CARD, Basket, Story, events_of, order_of


def hurry(story: Story, table: sa.Table, key: str, column: str) -> None:
    """Let the hour strike that the shop waits for, by moving it into the past."""
    change = Write(
        sa.update(table)
        .where(table.c.id == sa.bindparam("key"))
        .values({column: sa.bindparam("past")}),
        across_stores=True,
    )

    async def write() -> None:
        db = await open_database(story.installation.database_url)
        past = SystemClock().now() - timedelta(seconds=1)
        await db.commit(Batch(change(key=key, past=past)))
        await db.aclose()

    asyncio.run(write())


def status_becomes(story: Story, payment: dict[str, Any], status: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        now = story.payment(payment)
        return now if now["status"] == status else None

    return wait_for(reached)


def ready_to_pay(story: Story) -> tuple[Basket, dict[str, Any]]:
    basket = story.order(story.product())
    return basket, story.start_payment(basket)


def test_a_merchant_opens_a_store_and_a_buyer_finds_orders_and_pays(story: Story) -> None:
    store, merchant = story.open_store()
    product = story.add_product(store, merchant, name="عباءة مطرّزة بالفضّة", price=180.25)
    found = story.list_("/api/products/search", q="عباءه مطرزه", limit="100")
    assert product["id"] in [one["id"] for one in found]
    quote = story.post(f"/api/stores/{store['slug']}/quote", order_of(product, 2))
    basket = story.order(product, 2)
    assert basket.total == Decimal(str(quote["total"])) == Decimal("370.5")
    payment = story.start_payment(basket)
    assert payment["action"]["parameters"]["AmountTrxn"] == "370500"
    assert story.read(basket)["paymentStatus"] == "pending"
    completion = story.pay(payment)
    assert story.report(payment, completion).status_code == 200
    order = story.wait_until_paid(basket)
    assert order["status"] == "confirmed"
    assert events_of(order).count("order.paid") == 1
    assert story.payment(payment)["status"] == "paid"
    seen = story.list_(f"/api/stores/{store['id']}/orders", merchant, paymentStatus="paid")
    assert [one["id"] for one in seen] == [basket.id]
    shelf = story.get(f"/api/products/{product['id']}", merchant)
    assert shelf["variants"][0]["stock"] == 8


def test_the_notification_alone_brings_the_order_home(story: Story) -> None:
    basket, payment = ready_to_pay(story)
    story.pay(payment)
    assert story.wait_until_paid(basket)["status"] == "confirmed"


def test_the_browser_alone_brings_the_order_home(story: Story) -> None:
    story.gateway_does(notify="never")
    basket, payment = ready_to_pay(story)
    answer = story.report(payment, story.pay(payment))
    assert answer.json()["data"]["status"] == "paid"
    assert story.read(basket)["status"] == "confirmed"


def test_the_clock_alone_brings_the_order_home(story: Story) -> None:
    story.gateway_does(notify="never")
    basket, payment = ready_to_pay(story)
    story.pay(payment)
    hurry(story, payments, payment["id"], "next_check_at")
    assert story.wait_until_paid(basket)["status"] == "confirmed"


def test_a_gateway_that_does_not_find_the_payment_at_first_is_asked_again(story: Story) -> None:
    story.gateway_does(filter_not_found_times=2)
    basket, payment = ready_to_pay(story)
    story.pay(payment)
    story.wait_until_paid(basket)


def test_a_notification_that_comes_twice_counts_once(story: Story) -> None:
    story.gateway_does(notify="twice")
    basket, payment = ready_to_pay(story)
    story.report(payment, story.pay(payment))
    story.wait_until_paid(basket)
    assert events_of(story.read(basket)).count("order.paid") == 1


def test_an_amount_that_only_the_notification_lies_about_changes_nothing(story: Story) -> None:
    story.gateway_does(notification_amount="1")
    basket, payment = ready_to_pay(story)
    story.pay(payment)
    order = story.wait_until_paid(basket)
    assert Decimal(str(order["total"])) == basket.total


def test_another_amount_at_the_gateway_never_pays_the_order(story: Story) -> None:
    story.gateway_does(filter_amount="1000")
    basket, payment = ready_to_pay(story)
    answer = story.report(payment, story.pay(payment))
    assert answer.status_code == 200
    status_becomes(story, payment, "unknown")
    order = story.read(basket)
    assert (order["status"], order["paymentStatus"]) == ("pending", "pending")
    assert "payment.stranded" in events_of(order)


def test_a_forged_notification_is_refused_and_the_truth_still_arrives(story: Story) -> None:
    story.gateway_does(forge_notification=True, notify="never")
    basket, payment = ready_to_pay(story)
    parameters = payment["action"]["parameters"]
    forged = {
        "MerchantId": parameters["MID"],
        "TerminalId": parameters["TID"],
        "DateTimeLocalTrxn": "20260115103145",
        "TxnType": 1,
        "Amount": parameters["AmountTrxn"],
        "Currency": "434",
        "ActionCode": "00",
        "MerchantReference": parameters["MerchantReference"],
        "SystemReference": "1",
        "SecureHash": "F" * 64,
    }
    refused = story.client.post("/api/webhooks/payments/moamalat", json=forged)
    assert refused.status_code == 401
    assert story.read(basket)["paymentStatus"] == "pending"
    story.report(payment, story.pay(payment))
    story.wait_until_paid(basket)


def test_a_completion_that_nobody_paid_for_pays_nothing(story: Story) -> None:
    basket, payment = ready_to_pay(story)
    other_basket, other = ready_to_pay(story)
    completion = story.pay(other)
    refused = story.report(payment, completion)
    assert refused.status_code == 422
    story.wait_until_paid(other_basket)
    assert story.read(basket)["paymentStatus"] == "pending"


def test_a_declined_card_fails_the_payment_and_a_good_one_pays_the_same(story: Story) -> None:
    basket, payment = ready_to_pay(story)
    refusal = story.pay(payment, DECLINED_CARD)
    assert "error" in refusal
    answer = story.report(payment, refusal).json()["data"]
    assert answer["status"] == "failed"
    assert answer["failure"] == "Insufficient funds"
    assert answer["action"]["parameters"] == payment["action"]["parameters"]
    assert story.read(basket)["paymentStatus"] == "failed"
    story.report(payment, story.pay(payment))
    assert story.wait_until_paid(basket)["status"] == "confirmed"


def test_money_that_comes_twice_is_kept_apart(story: Story) -> None:
    story.gateway_does(charge_twice=True)
    basket, payment = ready_to_pay(story)
    story.report(payment, story.pay(payment))
    order = story.wait_until_paid(basket)
    assert events_of(order).count("order.paid") == 1
    assert events_of(order).count("payment.stranded") == 1


def test_money_after_the_order_expired_is_kept_and_revives_nothing(story: Story) -> None:
    store, merchant = story.open_store()
    product = story.add_product(store, merchant, stock=1)
    basket = story.order(product)
    payment = story.start_payment(basket)
    hurry(story, payments, payment["id"], "expires_at")
    hurry(story, orders, basket.id, "expires_at")
    wait_for(lambda: story.read(basket)["status"] == "cancelled")
    assert story.get(f"/api/products/{product['id']}", merchant)["variants"][0]["stock"] == 1
    story.pay(payment)
    status_becomes(story, payment, "paid")
    order = story.read(basket)
    assert order["status"] == "cancelled"
    assert "payment.stranded" in events_of(order)


def test_the_gateway_may_be_down_for_a_while(story: Story) -> None:
    story.gateway_does(filter_status=500, filter_body="Service Unavailable")
    basket, payment = ready_to_pay(story)
    answer = story.report(payment, story.pay(payment)).json()["data"]
    assert answer["status"] == "processing"
    story.gateway_does()
    story.wait_until_paid(basket)


def test_published_test_credentials_sign_the_request(story: Story) -> None:
    _, payment = ready_to_pay(story)
    assert payment["action"]["kind"] == "lightbox"
    assert payment["action"]["scriptUrl"] == f"{story.gateway_url}/js/lightbox.js"
    assert payment["action"]["pageUrl"] == f"{story.shop_url}/pay/{payment['id']}"
    assert TEST_SECRET_KEY not in msgspec.json.encode(payment).decode()


def test_the_doctor_finds_nothing_after_all_this(story: Story) -> None:
    examined = story.installation.run("doctor")
    assert examined.returncode == 0, examined.stdout

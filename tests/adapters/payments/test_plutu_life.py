"""Plutu's payments from the order to the books, at the simulator."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from eishro.adapters.payments import plutu
from eishro.cli.doctor import find_faults
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.gateways import Tools
from eishro.flows.change_order import expire_order
from eishro.flows.edit_gateways import put_credentials
from tests.adapters.payments.plutu_cashier import (
    CardCashier,
    CodeCashier,
    DollarCashier,
    EdfaliCashier,
    TlyncCashier,
)
from tests.contracts.payment_life import Cashier, PaymentLife, Till, open_till
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio


class TestCardLife(PaymentLife):
    @pytest.fixture
    def cashier(self) -> Cashier:
        return CardCashier()


class TestTlyncLife(PaymentLife):
    @pytest.fixture
    def cashier(self) -> Cashier:
        return TlyncCashier()


class TestCodeLife(PaymentLife):
    @pytest.fixture
    def cashier(self) -> Cashier:
        return CodeCashier()


# What dollars and Edfali do otherwise than cards and Sadad.


@pytest.fixture
async def till(world: World, request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    async with open_till(world, request.param) as opened:
        yield opened


@pytest.mark.parametrize("till", [DollarCashier()], indirect=True, ids=["mpgs"])
async def test_dollars_pay_dinars_at_the_rate_of_the_start(till: Till) -> None:
    payment = await till.start(25_500)
    await till.act(payment, "pay")
    assert (await till.order())["paymentStatus"] == "paid"
    (receipt,) = await payments.list_receipts(till.world.db, payment["id"])
    assert (receipt.amount_dirhams, receipt.currency, receipt.wire_minor) == (35_500, "USD", 732)
    assert receipt.applied
    assert await find_faults(till.world.db) == []


@pytest.mark.parametrize("till", [DollarCashier()], indirect=True, ids=["mpgs"])
@pytest.mark.parametrize("told", [{"currency": "LYD"}, {"amount": "7.31"}], ids=str)
async def test_another_currency_or_a_cent_less_waits_in_suspense(
    till: Till, told: dict[str, str]
) -> None:
    payment = await till.start()
    await till.browser.put(f"{till.simulator_url}/faults", json=told)
    await till.act(payment, "pay")
    assert (await till.order())["paymentStatus"] == "pending"
    (receipt,) = await payments.list_receipts(till.world.db, payment["id"])
    assert (receipt.applied, receipt.reason) == (False, "amount_differs")
    assert await find_faults(till.world.db) == []


@pytest.mark.parametrize("till", [DollarCashier()], indirect=True, ids=["mpgs"])
async def test_money_that_cannot_be_valued_is_not_booked(till: Till) -> None:
    payment = await till.start()
    await till.browser.put(f"{till.simulator_url}/faults", json={"currency": "EUR"})
    await till.act(payment, "pay")
    assert (await till.order())["paymentStatus"] == "pending"
    assert await payments.list_receipts(till.world.db, payment["id"]) == []


@pytest.mark.parametrize("till", [EdfaliCashier()], indirect=True, ids=["edfali"])
async def test_five_wrong_codes_end_an_attempt_and_another_pays(till: Till) -> None:
    payment = await till.start()
    assert payment["action"]["length"] == 4
    assert payment["action"]["maskedPhone"] == "092•••••55"
    code = f"/api/payments/{payment['id']}/otp"
    for _ in range(4):
        wrong = await till.browser.post(code, json={"code": "2222"})
        assert (wrong.status_code, list(wrong.json()["error"]["details"])) == (422, ["code"])
        assert (await till.payment(payment["id"]))["status"] == "action_required"
    await till.browser.post(code, json={"code": "2222"})
    assert (await till.payment(payment["id"]))["status"] == "failed"
    assert (await till.browser.post(code, json={"code": "1111"})).status_code == 409
    second = await till.again()
    await till.act(second, "pay")
    assert (await till.order())["paymentStatus"] == "paid"
    assert await find_faults(till.world.db) == []


@pytest.mark.parametrize("till", [EdfaliCashier()], indirect=True, ids=["edfali"])
async def test_a_wrong_code_then_the_right_one_of_a_resent_message_pays(till: Till) -> None:
    payment = await till.start()
    path = f"/api/payments/{payment['id']}/otp"
    assert (await till.browser.post(path, json={"code": "2222"})).status_code == 422
    early = await till.browser.post(f"{path}/resend")
    assert early.status_code == 429
    assert int(early.headers["Retry-After"]) == 60
    till.world.clock.turn(timedelta(seconds=61))
    assert (await till.browser.post(f"{path}/resend")).status_code == 200
    paid = await till.browser.post(path, json={"code": "١١١١"})
    assert paid.json()["data"]["status"] == "paid"
    assert await find_faults(till.world.db) == []


@pytest.mark.parametrize("till", [EdfaliCashier()], indirect=True, ids=["edfali"])
async def test_what_the_payer_must_give_is_asked_for_at_the_door(till: Till) -> None:
    await till.start()
    body = {"method": "plutu_sadad", "phone": "0921234567"}
    reply = await till.browser.post(f"/api/orders/{till.order_id}/payments", json=body)
    assert reply.status_code == 422
    assert set(reply.json()["error"]["details"]) == {"phone", "birthYear"}


# Hostile answers, over real sockets.


@pytest.mark.parametrize("till", [CodeCashier()], indirect=True, ids=["sadad"])
@pytest.mark.parametrize(
    "faults", [{"is_huge": True}, {"redirects": True}, {"delay_seconds": 0.5}], ids=str
)
async def test_a_confirmation_that_is_huge_slow_or_redirected_is_unclear_and_sent_once(
    till: Till, faults: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await till.start()
    monkeypatch.setattr(plutu, "CONFIRM_SECONDS", 0.2)
    await till.browser.put(f"{till.simulator_url}/faults", json=faults)
    await till.act(payment, "pay")
    await till.behave()
    assert (await till.payment(payment["id"]))["status"] == "unknown"
    assert (await till.ask_to_pay()).json()["error"]["code"] == "PAYMENT_UNCLEAR"
    rows = (await till.browser.get(f"{till.simulator_url}/transactions")).json()
    assert [row["outcome"] for row in rows] == ["paid"]  # charged once: that is why
    assert await find_faults(till.world.db) == []


@pytest.mark.parametrize("till", [CardCashier()], indirect=True, ids=["cards"])
@pytest.mark.parametrize("faults", [{"is_huge": True}, {"redirects": True}], ids=str)
async def test_a_page_that_cannot_be_opened_charges_nothing(
    till: Till, faults: dict[str, object]
) -> None:
    await till.start()
    await till.browser.put(f"{till.simulator_url}/faults", json=faults)
    assert (await till.ask_to_pay()).json()["error"]["code"] == "PROVIDER_ERROR"


# Late and reordered.


@pytest.mark.parametrize("till", [TlyncCashier()], indirect=True, ids=["tlync"])
async def test_news_after_the_order_s_end_goes_to_suspense(till: Till) -> None:
    payment = await till.start()
    await till.browser.put(f"{till.simulator_url}/faults", json={"reorder_callbacks": True})
    await till.act(payment, "pay")  # the gateway keeps its news back
    assert (await till.payment(payment["id"]))["status"] == "processing"
    till.world.clock.turn(timedelta(hours=3))
    await expire_order(till.world.shop, till.order_id)
    await till.behave()
    await till.hear()
    (receipt,) = await payments.list_receipts(till.world.db, payment["id"])
    assert (receipt.applied, receipt.reason) == (False, "order_closed")
    assert await find_faults(till.world.db) == []


@pytest.mark.parametrize("till", [TlyncCashier()], indirect=True, ids=["tlync"])
async def test_a_yes_before_a_no_that_was_overtaken_stays_a_yes(till: Till) -> None:
    first = await till.start()
    await till.browser.put(f"{till.simulator_url}/faults", json={"reorder_callbacks": True})
    await till.act(first, "decline")
    second = await till.again()
    await till.act(second, "pay")
    assert (await till.payment(second["id"]))["status"] == "paid"
    order = await orders.get_order(till.world.db, till.order_id)
    assert order.payment_status == "paid"
    assert await find_faults(till.world.db) == []


# An account of the store's own, where the platform has none.


@pytest.mark.parametrize("till", [TlyncCashier(), CardCashier()], indirect=True, ids=["t", "c"])
async def test_a_store_s_own_account_is_heard_where_the_platform_has_none(till: Till) -> None:
    await till.start()
    store_id = (await orders.get_order(till.world.db, till.order_id)).store_id
    shop = till.world.shop
    clock = till.world.clock
    shop.gateways._tools = Tools(till.http, till.stamps, clock, till.url, shop.journal)
    shop.gateways.may_call = lambda *_: True  # type: ignore[method-assign]  # the simulator, too
    await put_credentials(shop, store_id, "plutu", "test", till.fields, TESTER)
    await till._providers.pop("plutu").aclose()
    payment = await till.again()
    await till.act(payment, "pay")
    assert (await till.order())["paymentStatus"] == "paid"
    unknown = await till.browser.post("/api/webhooks/payments/plutu", json={"invoice_no": "x"})
    assert unknown.status_code == 404
    assert await find_faults(till.world.db) == []


# The hosted page.


@pytest.mark.parametrize("till", [CardCashier()], indirect=True, ids=["cards"])
async def test_who_began_on_the_hosted_page_is_led_back_there_and_others_to_the_shop(
    till: Till,
) -> None:
    body = {"method": "plutu_cards", "returnUrl": "https://shop.example/thanks"}
    await till.start()
    begun = await till.browser.post(f"/api/orders/{till.order_id}/payments", json=body)
    payment = begun.json()["data"]
    paid = await till.browser.post(payment["action"]["url"], data={"do": "cancel"})
    way_back = paid.headers["X-Simulated-Return"]
    assert payment["id"] not in way_back
    shop = await till.browser.get(way_back)
    assert (shop.status_code, shop.headers["Location"]) == (303, "https://shop.example/thanks")
    second = await till.again()
    page = await till.browser.get(f"/pay/{second['id']}")
    cookie = page.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/api/payments"} <= set(cookie.split("; "))
    paid = await till.browser.post(second["action"]["url"], data={"do": "pay"})
    hosted = await till.browser.get(paid.headers["X-Simulated-Return"])
    assert hosted.headers["Location"] == f"{till.url}/pay/{second['id']}"
    # Somebody else's cookie, or none that can be read, leads nowhere else.
    till.browser.cookies.clear()
    for other in ("eishro_payment=pay_other", "eishro_payment", 'a[b]=";;'):
        headers = {"Cookie": other}
        shown = await till.browser.get(paid.headers["X-Simulated-Return"], headers=headers)
        assert shown.status_code == 200

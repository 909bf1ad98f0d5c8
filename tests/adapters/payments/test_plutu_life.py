"""Plutu's payments from the order to the books, at the simulator."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from eishro.cli.doctor import find_faults
from eishro.domain.payments import sql as payments
from tests.adapters.payments.plutu_cashier import (
    CardCashier,
    CodeCashier,
    DollarCashier,
    EdfaliCashier,
    TlyncCashier,
)
from tests.contracts.payment_life import Cashier, PaymentLife, Till, open_till
from tests.shops import World

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

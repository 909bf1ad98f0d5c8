"""Edfali's payments from the order to the books, at the simulator."""

from typing import Any

from eishro.adapters.payments.edfali import GATEWAY
from eishro.domain.payments import sql as payments
from eishro.sandbox.edfali import OTP
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till


class EdfaliCashier(Cashier):
    gateway = GATEWAY
    method = "edfali"
    features = frozenset({"decline"})
    payer = {"phone": "0910000010"}
    faults = {
        "down": {"is_down": True},
        "charged, then silent": {"is_silent_after_charging": True},
    }
    noes = {
        "cancel": "it has no call that cancels: who types no code pays nothing",
        "reordered": "it sends no news: the answer to the code is its only word",
        "silence": "it has no call for the status",
        "wrong amount": "its answers carry no amount",
        "refund in full": "it has no call for refunds: at the bank",
        "refund in part": "it has no call for refunds: at the bank",
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        if what == "decline":
            await till.browser.put(f"{till.simulator_url}/faults", json={"confirm_word": "BAL"})
        await till.browser.post(f"/api/payments/{payment['id']}/otp", json={"code": OTP})
        if what == "decline":
            await till.behave()


class TestEdfaliLife(PaymentLife):
    at = EdfaliCashier

    async def test_five_wrong_codes_end_the_attempt_and_another_pays(self, till: Till) -> None:
        payment = await till.start()
        address = f"/api/payments/{payment['id']}/otp"
        for _ in range(5):
            reply = await till.browser.post(address, json={"code": "0000"})
            assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, {"code"})
        assert (await till.browser.post(address, json={"code": OTP})).status_code == 409
        assert (await till.payment(payment["id"]))["status"] == "failed"
        second = await till.again()
        await till.act(second, "pay")
        await self._is_paid(till, second)

    async def test_a_number_the_bank_does_not_know_is_the_phone_s_fault(self, till: Till) -> None:
        await till.start()
        body = {"method": "edfali", "phone": "0910000099"}
        reply = await till.browser.post(f"/api/orders/{till.order_id}/payments", json=body)
        assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, {"phone"})

    async def test_one_session_cannot_pay_two_orders(self, till: Till) -> None:
        reply = await till.browser.put(
            f"{till.simulator_url}/faults", json={"repeats_sessions": True}
        )
        assert reply.status_code == 200
        first = await till.start()
        await till.act(first, "pay")
        await self._is_paid(till, first)
        second = await till.start()
        await till.act(second, "pay")
        assert (await till.order())["paymentStatus"] == "pending"
        await till.look(second["id"])
        assert (await till.payment(second["id"]))["status"] == "unknown"
        kept = await payments.get_payment(till.world.db, second["id"])
        assert kept.review == "receipt_of_another_payment"

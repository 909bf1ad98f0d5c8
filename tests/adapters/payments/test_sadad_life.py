"""Sadad's payments from the order to the books, at the simulator."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from eishro.adapters.payments.sadad import GATEWAY
from eishro.sandbox.sadad import OTP, POOR_OTP
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till


class SadadCashier(Cashier):
    gateway = GATEWAY
    method = "sadad"
    features = frozenset({"query", "decline"})
    payer = {"phone": "0913632323", "birthYear": 1991}
    faults = {
        "wrong amount": {"amount": "1.00"},
        "down": {"is_down": True},
        "charged, then silent": {"pay_fails": "after", "late_success_seconds": 60.0},
    }
    noes = {
        "cancel": "it has no call that cancels: who types no code pays nothing",
        "reordered": "it sends no news: the answer to the code is its only word",
        "silence": "it sends no news that could be missing; see the lost answer",
        "refund in full": "no call for refunds is known: from the merchant's wallet",
        "refund in part": "no call for refunds is known: from the merchant's wallet",
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        await _code(till, payment, OTP if what == "pay" else POOR_OTP)


async def _code(till: Till, payment: dict[str, Any], code: str) -> httpx.Response:
    return await till.browser.post(f"/api/payments/{payment['id']}/otp", json={"code": code})


class TestSadadLife(PaymentLife):
    at = SadadCashier

    async def test_a_wrong_code_may_be_tried_again_five_times(self, till: Till) -> None:
        payment = await till.start()
        assert payment["action"]["length"] == 6
        assert payment["action"]["maskedPhone"] == "091•••••23"
        for number in range(5):
            refused = await _code(till, payment, f"00000{number}")
            assert (refused.status_code, list(refused.json()["error"]["details"])) == (
                422,
                ["code"],
            )
        assert (await till.payment(payment["id"]))["status"] == "failed"
        assert (await _code(till, payment, OTP)).status_code == 409

    async def test_after_a_wrong_code_the_right_one_pays(self, till: Till) -> None:
        payment = await till.start()
        assert (await _code(till, payment, "123456")).status_code == 422
        assert (await till.payment(payment["id"]))["status"] == "action_required"
        assert (await _code(till, payment, "١١١١١١")).status_code == 200
        await self._is_paid(till, payment)

    async def test_a_code_that_ran_out_is_followed_by_another(self, till: Till) -> None:
        payment = await till.start()
        resend = f"/api/payments/{payment['id']}/otp/resend"
        assert (await till.browser.post(resend)).status_code == 429
        till.world.clock.turn(timedelta(minutes=6))
        assert (await _code(till, payment, OTP)).status_code == 422
        again = await till.browser.post(resend)
        assert (again.status_code, again.json()["data"]["action"]["kind"]) == (200, "otp")
        assert (await _code(till, payment, OTP)).status_code == 200
        await self._is_paid(till, payment)

    async def test_flat_answers_pay_too(self, till: Till) -> None:
        faults = {"shape": "flat", "errors_as_400": True}
        await till.browser.put(f"{till.simulator_url}/faults", json=faults)
        payment = await till.start()
        assert (await _code(till, payment, "123456")).status_code == 422
        await till.act(payment, "pay")
        await self._is_paid(till, payment)

    async def test_a_code_sent_twice_at_once_pays_once(self, till: Till) -> None:
        payment = await till.start()
        replies = await asyncio.gather(*(_code(till, payment, OTP) for _ in range(4)))
        assert {reply.status_code for reply in replies} <= {200, 409}
        await self._is_paid(till, payment)

    async def test_all_that_is_wrong_with_the_payer_is_said_at_once(self, till: Till) -> None:
        await till.start()
        for body in ({}, {"phone": "0925551234", "birthYear": 2025}):
            reply = await till.browser.post(
                f"/api/orders/{till.order_id}/payments",
                json={"method": "sadad", "phone": "0925551234", **body},
            )
            assert reply.status_code == 422
            assert set(reply.json()["error"]["details"]) == {"phone", "birthYear"}

    async def test_who_has_no_account_is_told_so(self, till: Till) -> None:
        await till.start()
        reply = await till.browser.post(
            f"/api/orders/{till.order_id}/payments",
            json={"method": "sadad", "phone": "0911111111", "birthYear": 1990},
        )
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "PAYMENT_REFUSED")

    @pytest.mark.parametrize(
        "fault", [{"other_transaction": True}, {"currency": "USD"}, {"is_malformed": True}]
    )
    async def test_an_answer_of_something_else_is_unclear(
        self, till: Till, fault: dict[str, Any]
    ) -> None:
        payment = await till.start()
        await till.browser.put(f"{till.simulator_url}/faults", json=fault)
        await till.act(payment, "pay")
        assert (await till.payment(payment["id"]))["status"] == "unknown"
        assert (await till.ask_to_pay()).status_code == 409  # it could be charged twice
        await till.behave()
        await till.look(payment["id"])
        await self._is_paid(till, payment)

    async def test_the_page_shows_what_the_gateway_has(self, till: Till) -> None:
        await till.act(await till.start(), "pay")
        page = await till.browser.get(till.simulator_url, params={"lang": "en"})
        assert page.status_code == 200
        assert "0913632323" in page.text and "Paid" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]

"""Payments by Visa and Mastercard from the order to the books, at the simulator."""

from typing import Any

import httpx
import pytest

from eishro.adapters.payments.mpgs import GATEWAY
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till

FORM = {"card": "5123450000000008", "expiry": "01/39", "cvv": "100"}


class MpgsCashier(Cashier):
    gateway = GATEWAY
    method = "mpgs"
    features = frozenset({"news", "query", "decline", "cancel", "refund", "partial_refund"})
    faults = {
        "silent": {"notify": "never"},
        "twice": {"notify": "twice"},
        "reordered": {"reorder_notifications": True},
        "wrong amount": {"amount": "1.05"},
        "forged": {"forge_notification": True},
        "down": {"is_down": True},
        "charged, then silent": {"notify": "never", "late_success_seconds": 60.0},
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        forms = {
            "pay": {"do": "pay", **FORM},
            "decline": {"do": "pay", **FORM, "expiry": "05/39"},
            "cancel": {"do": "cancel"},
        }
        async with httpx.AsyncClient(trust_env=False) as browser:
            reply = await browser.post(payment["action"]["url"], data=forms[what])
        if reply.status_code == 303 and not till.is_silent:
            back = await till.browser.get(reply.headers["Location"])
            assert back.status_code < 400, back.text


class TestMpgsLife(PaymentLife):
    at = MpgsCashier

    @pytest.mark.parametrize("lie", [{"currency": "LYD"}, {"order_id": "X"}, {"contradicts": True}])
    async def test_a_gateway_that_contradicts_itself_pays_nothing(
        self, till: Till, lie: dict[str, Any]
    ) -> None:
        payment = await till.start()
        await till.browser.put(f"{till.simulator_url}/faults", json=lie)
        await till.act(payment, "pay")
        assert (await till.order())["paymentStatus"] == "pending"
        await till.behave()
        await till.look(payment["id"])
        await self._is_paid(till, payment)

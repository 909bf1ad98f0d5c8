"""T-Lync's payments from the order to the books, at the simulator."""

from typing import Any

import pytest

from eishro.adapters.payments.tlync import GATEWAY
from eishro.sandbox.tlync import GOOD_ACCOUNT, OTP, POOR_ACCOUNTS
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till


class TlyncCashier(Cashier):
    gateway = GATEWAY
    method = "tlync"
    features = frozenset({"news", "query", "decline", "cancel"})
    payer = {"phone": "0912345678"}
    faults = {
        "silent": {"notify": "never"},
        "twice": {"notify": "twice"},
        "reordered": {"reorder_notifications": True},
        "wrong amount": {"amount": "1.00"},
        "forged": {"forge_callback": True},
        "down": {"is_down": True},
        "charged, then silent": {"notify": "never", "late_success_seconds": 60.0},
    }
    noes = {
        "refund in full": "no call for refunds is known: in the gateway's portal",
        "refund in part": "no call for refunds is known: in the gateway's portal",
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        reply = await till.browser.post(
            payment["action"]["url"],
            data={
                "action": "cancel" if what == "cancel" else "pay",
                "method": "mobicash",
                "account": next(iter(POOR_ACCOUNTS)) if what == "decline" else GOOD_ACCOUNT,
                "otp": OTP,
            },
        )
        assert reply.status_code == 303, reply.text
        if not till.is_silent:
            back = await till.browser.get(reply.headers["location"])
            assert back.status_code in (200, 303), back.text


class TestTlyncLife(PaymentLife):
    at = TlyncCashier

    async def test_the_browser_may_come_back_by_a_form(self, till: Till) -> None:
        await till.browser.put(
            f"{till.simulator_url}/faults", json={"returns": "post", "notify": "never"}
        )
        payment = await till.start()
        pay = {"action": "pay", "account": GOOD_ACCOUNT, "otp": OTP}
        page = await till.browser.post(payment["action"]["url"], data=pay)
        assert (page.status_code, 'id="back"' in page.text) == (200, True)
        address = page.text.split('action="')[1].split('"')[0]
        reference = page.text.split('name="custom_ref" value="')[1].split('"')[0]
        back = {"result": "success", "custom_ref": reference}
        assert (await till.browser.post(address, data=back)).status_code in (200, 303)
        assert (await till.payment(payment["id"]))["status"] == "paid"

    async def test_flat_receipts_and_json_callbacks_pay_too(self, till: Till) -> None:
        await till.browser.put(
            f"{till.simulator_url}/faults", json={"shape": "flat", "callback_form": "json"}
        )
        payment = await till.start()
        await till.act(payment, "pay")
        assert (await till.payment(payment["id"]))["status"] == "paid"

    async def test_the_callback_alone_is_enough_to_look(self, till: Till) -> None:
        payment = await till.start()
        till.is_silent = True  # the payer closes the browser
        await till.act(payment, "pay")
        assert (await till.payment(payment["id"]))["status"] == "paid"

    @pytest.mark.parametrize(
        "fault", [{"currency": "USD"}, {"other_reference": True}, {"is_malformed": True}]
    )
    async def test_a_receipt_of_something_else_moves_nothing(
        self, till: Till, fault: dict[str, Any]
    ) -> None:
        payment = await till.start()
        await till.browser.put(f"{till.simulator_url}/faults", json=fault)
        await till.act(payment, "pay")
        assert (await till.order())["paymentStatus"] == "pending"
        await till.behave()
        await till.look(payment["id"])
        assert (await till.payment(payment["id"]))["status"] == "paid"

    async def test_the_webhook_answers_probes(self, till: Till) -> None:
        assert (await till.browser.get("/api/webhooks/payments/tlync")).status_code == 200
        assert (await till.browser.get("/api/webhooks/payments/nobody")).status_code == 404

    async def test_the_order_s_phone_is_taken_where_none_is_given(self, till: Till) -> None:
        await till.start()
        reply = await till.browser.post(
            f"/api/orders/{till.order_id}/payments", json={"method": "tadawul"}
        )
        assert (reply.status_code, reply.json()["data"]["method"]) == (201, "tlync")

    async def test_a_phone_that_is_no_libyan_mobile_is_refused(self, till: Till) -> None:
        await till.start()
        reply = await till.browser.post(
            f"/api/orders/{till.order_id}/payments",
            json={"method": "tlync", "phone": "+442083661177"},
        )
        assert reply.status_code == 422
        assert list(reply.json()["error"]["details"]) == ["phone"]

"""OnePay payments at Masarat from the order to the books, at the simulator."""

from typing import Any

import pytest

from eishro.adapters.payments.masarat import GATEWAY
from eishro.domain.payments import sql as payments
from eishro.sandbox.masarat import OTP
from eishro.sandbox.simulators import Simulated
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till, open_till
from tests.shops import World

pytestmark = pytest.mark.anyio


class MasaratCashier(Cashier):
    gateway = GATEWAY
    method = "onepay"
    features = frozenset({"decline"})
    payer = {"card": "123456789"}
    faults = {
        "down": {"is_down": True},
        "charged, then silent": {"is_silent_after_charging": True},
        "wrong amount": {"amount": "1.00"},
        "forged": {"transaction": "SOMEBODYELSE"},
    }
    noes = {
        "cancel": "it has no call that cancels: who types no code pays nothing",
        "reordered": "it sends no news: the answer to the code is its only word",
        "silence": "no call for the status is public",
        "refund in full": "only where a code for refunds was agreed (proven with one)",
        "refund in part": "only where a code for refunds was agreed (proven with one)",
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        if what == "decline":
            fault = {"decline": "Insufficient balance"}
            await till.browser.put(f"{till.simulator_url}/faults", json=fault)
        await till.browser.post(f"/api/payments/{payment['id']}/otp", json={"code": OTP})
        if what == "decline":
            await till.behave()


class TestMasaratLife(PaymentLife):
    at = MasaratCashier

    async def test_its_other_name_means_the_same_and_the_card_is_kept_sealed(
        self, till: Till
    ) -> None:
        await till.start()
        body = {"method": "1pay", "card": "123456789"}
        reply = await till.browser.post(f"/api/orders/{till.order_id}/payments", json=body)
        assert reply.status_code == 201, reply.text
        assert reply.json()["data"]["method"] == "onepay"
        assert "123456789" not in reply.text
        kept = await payments.get_payment(till.world.db, reply.json()["data"]["id"])
        assert kept.session is not None
        assert "123456789" not in str(kept)

    async def test_a_card_that_cannot_be_one_is_named(self, till: Till) -> None:
        await till.start()
        body = {"method": "onepay", "card": "12"}
        reply = await till.browser.post(f"/api/orders/{till.order_id}/payments", json=body)
        assert (reply.status_code, set(reply.json()["error"]["details"])) == (422, {"card"})


class GivingCashier(MasaratCashier):
    """Where a code for refunds was agreed."""

    features = frozenset({"decline", "refund", "partial_refund"})

    def simulate(self, till: Till) -> Simulated:
        till.fields["refund_code"] = "987654"
        return super().simulate(till)


async def test_where_a_code_was_agreed_money_goes_back_through_the_gateway(world: World) -> None:
    async with open_till(world, GivingCashier()) as till:
        life = PaymentLife()
        await life.test_a_part_of_the_money_goes_back(till)
        await life.test_money_goes_back_in_full_once(till)

"""Moamalat's payments from the order to the books, at the simulator."""

from typing import Any

from eishro.adapters.payments.moamalat import GATEWAY
from eishro.outward import NoReply
from eishro.sandbox.moamalat import Merchant, Simulator
from eishro.sandbox.moamalat_door import SimulatorDoor
from eishro.sandbox.simulators import Simulated
from tests.adapters.payments.moamalat_gateway import GOOD_CARD, POOR_CARD
from tests.contracts.payment_life import Act, Cashier, PaymentLife, Till


class _Simulated:
    """The simulator with its door, told of like the others."""

    def __init__(self, till: Till) -> None:
        fields = till.fields
        merchant = Merchant(
            fields["merchant_id"],
            fields["terminal_id"],
            fields["secret_key"],
            fields["notification_key"] or fields["secret_key"],
        )
        self._till = till
        self._simulator = Simulator(merchant, till.world.clock, self._notify)
        self.add_routes = SimulatorDoor(self._simulator).add_routes

    async def _notify(self, body: dict[str, Any]) -> None:
        try:
            await self._till.http.post_json(
                f"{self._till.url}/api/webhooks/payments/moamalat", body
            )
        except NoReply:
            return

    async def settle(self) -> None:
        await self._simulator.settle()

    async def aclose(self) -> None:
        await self._simulator.aclose()


class MoamalatCashier(Cashier):
    gateway = GATEWAY
    method = "moamalat"
    features = frozenset({"news", "query", "decline", "cancel", "refund", "partial_refund"})
    faults = {
        "silent": {"notify": "never"},
        "twice": {"notify": "twice"},
        "reordered": {"reorder_notifications": True},
        "wrong amount": {"notification_amount": "1", "filter_amount": "1"},
        "forged": {"forge_notification": True},
        "down": {"filter_status": 503},
        "charged, then silent": {"notify": "never", "late_success_seconds": 60.0},
    }

    def simulate(self, till: Till) -> Simulated:
        return _Simulated(till)

    async def close_day(self, till: Till) -> None:
        await till.browser.put(f"{till.simulator_url}/switches", json={"is_settled": True})

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        result = f"/api/payments/{payment['id']}/result"
        if what == "cancel":
            await till.browser.post(result, json={"cancelled": True})
            return
        reply = await till.browser.post(
            f"{till.simulator_url}/pay",
            json={
                "request": payment["action"]["parameters"],
                "card": GOOD_CARD if what == "pay" else POOR_CARD,
            },
        )
        told = reply.json().get("payload")
        if told is not None and not till.is_silent:
            await till.browser.post(result, json=told)


class TestMoamalatLife(PaymentLife):
    at = MoamalatCashier

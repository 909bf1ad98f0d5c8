"""How payers act where no gateway stands between: transfers, codes to scan, cash at the door."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from eishro.adapters.payments.bank_transfer import GATEWAY
from eishro.jobs.work_off_events import handle_events
from tests.contracts.payment_life import Act, Cashier, Step, Till
from tests.transferring import ACCOUNT

_NO_GATEWAY: Mapping[Step, str] = {
    "reordered": "nobody sends news",
    "silence": "there is nobody to ask: people look into the statement",
    "charged in silence": "nothing is charged by a call",
    "down": "no gateway is called",
}


class TransferCashier(Cashier):
    """The payer transfers at the simulated bank, and the store imports its statement."""

    gateway = GATEWAY
    method = "bank_transfer"
    features = frozenset({"decline"})
    faults = {"wrong amount": {"wrongAmountByDirhams": -500}}
    noes = {
        **_NO_GATEWAY,
        "cancel": "there is nothing to cancel: who transfers nothing pays nothing",
        "refund in full": "people transfer it back",
        "refund in part": "people transfer it back",
    }
    settings = {"transfer_account": ACCOUNT}
    speaks = False
    expiry = timedelta(hours=73)

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        if what == "decline":
            await self._reject(till, payment)
            return
        made = {
            "reference": payment["action"]["details"]["reference"],
            "amount": payment["action"]["details"]["amount"],
            "sender": "فاطمة علي",
        }
        assert (await till.browser.post(f"{till.simulator_url}/transfers", json=made)).is_success
        await self.repeat(till, payment)

    async def repeat(self, till: Till, payment: dict[str, Any]) -> None:
        """The same statement is imported again."""
        statement = await till.browser.get(f"{till.simulator_url}/statement.csv")
        parts = {"file": ("statement.csv", statement.content)}
        reply = await till.staff("/statements", files=parts)
        assert reply.status_code == 201, reply.text

    async def _reject(self, till: Till, payment: dict[str, Any]) -> None:
        proof = {
            "senderName": "فاطمة علي",
            "bank": "jb",
            "date": till.world.clock.now().date().isoformat(),
            "bankReference": f"FT-{payment['id'][-6:]}",
        }
        parts = {name: (None, text) for name, text in proof.items()}
        sent = await till.browser.post(f"/api/payments/{payment['id']}/proof", files=parts)
        assert sent.is_success, sent.text
        said = {"reason": "nothing came"}
        reply = await till.staff(f"/payments/{payment['id']}/reject", json=said)
        assert reply.status_code == 200, reply.text


class ScanCashier(TransferCashier):
    """The same by a code of LYPay."""

    method = "lypay_qr"


class CashCashier(Cashier):
    """A courier brings the cash; no gateway, so the bank beside it is only furniture."""

    gateway = GATEWAY
    method = "cod"
    features = frozenset()
    noes = {
        **_NO_GATEWAY,
        "decline": "cash is not declined: a parcel that is refused comes back",
        "cancel": "the order is cancelled, not its payment",
        "wrong amount": "a short amount is a case for people, of the courier's cash",
        "refund in full": "people pay it out",
        "refund in part": "people pay it out",
    }
    keeps_receipts = False
    speaks = False
    expiry = timedelta(hours=49)

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        order = f"/api/orders/{till.order_id}"
        status = (await till.order())["status"]
        if status == "pending":
            body = {"status": "confirmed"}
            await till.browser.put(f"{order}/status", json=body, headers=till.owner)
            parcel = {"carrier": "amyal", "trackingNumber": "A1"}
            sent = await till.browser.post(f"{order}/shipments", json=parcel, headers=till.owner)
            assert sent.status_code == 201, sent.text
        await self.repeat(till, payment)

    async def repeat(self, till: Till, payment: dict[str, Any]) -> None:
        """The courier says so once more."""
        path = f"/api/orders/{till.order_id}/cod/collect"
        body = {"amount": payment["amount"]}
        await till.browser.post(path, json=body, headers=till.owner)
        await handle_events(till.world.shop)

"""How payers act at the simulated Plutu account, for the suite of a payment's life."""

from collections.abc import Mapping
from typing import Any

from eishro.adapters.payments.plutu_account import GATEWAY
from eishro.outward import NoReply
from eishro.sandbox.plutu import Simulator, Switches
from eishro.sandbox.plutu_door import SimulatorDoor
from eishro.sandbox.plutu_wire import CARDS, CARDS_REFUSED, CODES, Account
from eishro.sandbox.simulators import Simulated
from tests.contracts.payment_life import Act, Cashier, Step, Till

DOWN = {"is_down": True}


class PlutuCashier(Cashier):
    """All of the account's gateways: codes are one minute's matter, so they may follow at once."""

    gateway = GATEWAY

    def simulate(self, till: Till) -> Simulated:
        async def notify(url: str, body: dict[str, Any]) -> None:
            try:
                await till.http.post_json(url, body)
            except NoReply:
                return

        fields = till.fields
        account = Account(fields["access_token"], fields["api_key"], fields["secret_key"])
        switches = Switches(resend_seconds=0)
        return SimulatorDoor(Simulator(account, till.world.clock, notify, switches=switches))


_REFUNDS: Mapping[Step, str] = {
    "refund in full": "no call for refunds is published: in Plutu's dashboard",
    "refund in part": "no call for refunds is published: in Plutu's dashboard",
}
_NO_QUERY = "no call for the status is published: people look into Plutu's dashboard"


class CardCashier(PlutuCashier):
    """The payer comes back to the shop, and presses reload there."""

    method = "plutu_cards"
    wire = "localbankcards"
    features = frozenset({"decline", "cancel"})
    faults = {
        "silent": {},
        "twice": {},
        "wrong amount": {"amount": "1.00"},
        "forged": {"hash": "forged"},
        "down": DOWN,
    }
    noes = {
        "reordered": "its only news is the payer's way back, one for each attempt",
        "silence": _NO_QUERY,
        "charged in silence": "the payer's way back is its only word; see the column before",
        **_REFUNDS,
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        form = {
            "pay": {"do": "pay", "card": CARDS[self.wire]},
            "decline": {"do": "pay", "card": CARDS_REFUSED[self.wire]},
            "cancel": {"do": "cancel"},
        }[what]
        reply = await till.browser.post(payment["action"]["url"], data=form)
        if not till.is_silent:
            for _ in range(2):
                await till.browser.get(reply.headers["X-Simulated-Return"])


class DollarCashier(CardCashier):
    method = "plutu_mpgs"
    wire = "mpgs"


class TlyncCashier(PlutuCashier):
    """T-Lync tells the shop; the payer presses the way back."""

    method = "plutu_tlync"
    payer = {"phone": "091-3632323"}
    features = frozenset({"news", "decline", "cancel"})
    faults = {
        "silent": {"callback": "never"},
        "twice": {"callback": "twice"},
        "reordered": {"reorder_callbacks": True},
        "wrong amount": {"amount": "1.00"},
        "forged": {"hash": "forged"},
        "down": DOWN,
    }
    noes = {
        "silence": _NO_QUERY,
        "charged in silence": "its callback is its only word; see the column before",
        **_REFUNDS,
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        form = {
            "pay": {"do": "pay", "wallet": "mobicash"},
            "decline": {"do": "pay", "wallet": "declined"},
            "cancel": {"do": "cancel"},
        }[what]
        reply = await till.browser.post(payment["action"]["url"], data=form)
        if not till.is_silent:
            await till.browser.get(reply.headers["X-Simulated-Return"])


class CodeCashier(PlutuCashier):
    """The payer types the code."""

    method = "plutu_sadad"
    wire = "sadadapi"
    payer = {"phone": "0913632323", "birthYear": 1991}
    features = frozenset({"decline"})
    faults = {
        "wrong amount": {"amount": "1.00"},
        "down": DOWN,
        "charged, then silent": {"confirm_fails": "after"},
    }
    noes = {
        "cancel": "it has no call that cancels: who types no code pays nothing",
        "reordered": "it sends no news: the answer to the code is its only word",
        "silence": _NO_QUERY,
        **_REFUNDS,
    }

    async def act(self, till: Till, payment: dict[str, Any], what: Act) -> None:
        if what == "decline":
            faults = {"decline": "INSUFFICIENT_BALANCE"}
            await till.browser.put(f"{till.simulator_url}/faults", json=faults)
        await till.browser.post(f"/api/payments/{payment['id']}/otp", json={"code": self.code})
        if what == "decline":
            await till.behave()

    @property
    def code(self) -> str:
        return CODES[self.wire]


class EdfaliCashier(CodeCashier):
    method = "plutu_edfali"
    wire = "edfali"
    payer = {"phone": "0925555555"}

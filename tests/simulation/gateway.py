"""A gateway with a memory of its own and every bad habit: it answers late, not at all, twice, in
another order, with another amount; payers pay after the order's time, or twice; it refuses to give
money back, or cannot, and people do it by hand.
"""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from eishro.adapters.payments.defaults import Defaults
from eishro.domain.payments.port import (
    Answer,
    Claim,
    Failed,
    GatewayReply,
    Intent,
    Lightbox,
    Paid,
    Receipt,
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundManual,
    RefundRefused,
    RefundUnknown,
    Started,
    Unknown,
)


class Transaction(msgspec.Struct):
    """Money that the gateway took; shown in answers from `visible_at` on."""

    reference: str
    number: str
    dirhams: int
    visible_at: datetime


class BadGateway(Defaults):
    """The `PaymentProvider` port. `taken` and `given` are the truth; `faults` off makes it honest
    and quick.
    """

    name = "moamalat"
    can_query = True
    can_refund = True

    def __init__(self, rng: random.Random, now: Callable[[], datetime]) -> None:
        self.taken: list[Transaction] = []
        self.given: dict[str, tuple[str, int]] = {}  # by its number: of which money, how much
        self.total_taken = 0  # dirhams that payers paid, whatever the shop knows of it
        self.total_kept = 0  # what of that has not gone back
        self.faults = True
        self._rng = rng
        self._now = now
        self._by_reference: dict[str, list[Transaction]] = {}
        self.overdrawn: list[str] = []  # transactions of which more went back than came
        self._left: dict[str, int] = {}  # of each transaction
        self._asked_for: dict[str, list[str]] = {}  # numbers given to the shop, by the money
        self._declined: set[str] = set()

    def pay(self, reference: str, dirhams: int) -> None:
        """The payer acts: pays, is declined, pays another amount, or twice."""
        roll = self._rng.random()
        if roll < 0.1:
            self._declined.add(reference)
            return
        amount = dirhams
        if self.faults and roll < 0.15:
            amount = self._rng.choice([dirhams + 1, max(1, dirhams - 1), max(1, dirhams // 2)])
        self._take(reference, amount)
        if self.faults and roll > 0.97:
            self._take(reference, dirhams)

    def _take(self, reference: str, dirhams: int) -> None:
        late = timedelta(minutes=self._rng.choice([0, 0, 0, 1, 30, 90]) if self.faults else 0)
        made = Transaction(reference, f"tx{len(self.taken)}", dirhams, self._now() + late)
        self.taken.append(made)
        self.total_taken += dirhams
        self.total_kept += dirhams
        self._left[made.number] = dirhams
        self._by_reference.setdefault(reference, []).append(made)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """Late, or without telling, but never twice for who asks first; now and then it refuses,
        or leaves it to people.
        """
        if wanted.sent_at is not None:
            for number in self._asked_for.get(wanted.receipt_reference, []):
                if self.given[number][1] == wanted.amount_dirhams and number not in wanted.known:
                    return Refunded(number)
        roll = self._rng.random() if self.faults else 1.0
        if roll < 0.1:
            return RefundLater("not now")
        if roll < 0.15:
            return RefundUnknown("time-out")
        if roll < 0.2:
            return RefundRefused("insufficient balance")
        if roll < 0.25:
            return RefundManual("this card takes no refunds")
        number = self.give(wanted.receipt_reference, wanted.amount_dirhams)
        self._asked_for.setdefault(wanted.receipt_reference, []).append(number)
        return RefundUnknown("time-out") if roll < 0.35 else Refunded(number)

    def give(self, receipt: str, dirhams: int) -> str:
        """Money leaves, asked for by the shop or by people in the gateway's own portal.

        Returns: the number under which it left.
        """
        number = f"r{len(self.given)}"
        self.given[number] = receipt, dirhams
        self.total_kept -= dirhams
        self._left[receipt] -= dirhams
        if self._left[receipt] < 0:
            self.overdrawn.append(receipt)
        return number

    async def start(self, intent: Intent) -> Started:
        parameters = {"AmountTrxn": str(intent.amount_dirhams)}
        return Started(Lightbox("http://gateway.test/x.js", parameters))

    def parse_result(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        kind = payload.get("kind")
        return Claim(
            authentic="yes" if kind == "sale" else "unsigned",
            reference=intent.reference,
            dedupe_key="",
            kind="cancelled" if kind == "cancelled" else "sale",
        )

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        del headers
        reference = raw_body.decode()
        return Claim(
            authentic="yes", reference=reference, dedupe_key=f"sale:{reference}", kind="sale"
        )

    def webhook_reply(self) -> GatewayReply:
        return GatewayReply(200, b"{}")

    async def query(self, intent: Intent) -> Answer:
        if self.faults and self._rng.random() < 0.15:
            return Unknown("time-out", is_unreachable=True)
        shown = [
            one
            for one in self._by_reference.get(intent.reference, [])
            if one.visible_at <= self._now()
        ]
        if not shown:
            if intent.reference in self._declined:
                return Failed("Insufficient funds")
            return Unknown("not found")
        if self.faults and self._rng.random() < 0.3:
            # Of what is young, some is not in every answer.
            old = self._now() - timedelta(hours=1)
            some = self._rng.sample(shown, self._rng.randint(1, len(shown)))
            shown = [one for one in shown if one in some or one.visible_at < old]
        return Paid(
            tuple(
                Receipt(
                    provider_reference=one.number,
                    terminal="T1",
                    amount_dirhams=one.dirhams,
                    currency="LYD",
                )
                for one in shown
            )
        )

    async def aclose(self) -> None:
        """Nothing runs."""

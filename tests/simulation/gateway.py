"""A gateway with a memory of its own and every bad habit: it answers late, not at all, twice, in
another order, with another amount; payers pay after the order's time, or twice.
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
    """The `PaymentProvider` port. `taken` is the truth; `faults` off makes it honest and quick."""

    name = "moamalat"
    can_query = True
    can_refund = True

    def __init__(self, rng: random.Random, now: Callable[[], datetime]) -> None:
        self.taken: list[Transaction] = []
        self.given: list[tuple[str, int, str]] = []  # of which money, how much, its number
        self.faults = True
        self._rng = rng
        self._now = now
        self._by_reference: dict[str, list[Transaction]] = {}
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
        self._by_reference.setdefault(reference, []).append(made)

    @property
    def total_taken(self) -> int:
        """Dirhams that payers paid, whatever the shop knows of it."""
        return sum(one.dirhams for one in self.taken)

    @property
    def total_kept(self) -> int:
        """What of that has not gone back."""
        return self.total_taken - sum(dirhams for _, dirhams, _ in self.given)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """Late, or without telling, but never twice for who asks first."""
        if wanted.sent_at is not None:
            for receipt, dirhams, number in self.given:
                same = (receipt, dirhams) == (wanted.receipt_reference, wanted.amount_dirhams)
                if same and number not in wanted.known:
                    return Refunded(number)
        roll = self._rng.random() if self.faults else 1.0
        if roll < 0.1:
            return RefundLater("not now")
        if roll < 0.15:
            return RefundUnknown("time-out")
        number = f"r{len(self.given)}"
        self.given.append((wanted.receipt_reference, wanted.amount_dirhams, number))
        return RefundUnknown("time-out") if roll < 0.25 else Refunded(number)

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
            return Unknown("time-out")
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

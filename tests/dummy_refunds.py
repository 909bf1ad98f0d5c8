"""Refunds of the dummy provider: what its gateway has given back, and how it errs."""

from typing import Literal

from eishro.domain.payments.port import (
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundManual,
    RefundRefused,
    RefundUnknown,
)

Mood = Literal["done", "void", "refuse", "unknown", "silent", "later", "manual"]


class DummyRefunds:
    """`mood` says what becomes of the next calls; `given` is what left, in order.

    `silent`: the money goes back, the answer never comes. `unknown`: nothing happens and nobody
    knows. A repeated call is asked about first, as the port promises.
    """

    def __init__(self) -> None:
        self.mood: Mood = "done"
        self.words = "Transaction not allowed"  # of a refusal
        self.calls: list[RefundIntent] = []
        self.given: list[tuple[str, int, str]] = []  # receipt, dirhams, reference
        self.crash: BaseException | None = None

    @property
    def total(self) -> int:
        """All that went back."""
        return sum(dirhams for _, dirhams, _ in self.given)

    def answer(self, wanted: RefundIntent) -> RefundAnswer:
        """One call."""
        self.calls.append(wanted)
        if wanted.sent_at is not None:
            for receipt, dirhams, reference in self.given:
                same = (receipt, dirhams) == (wanted.receipt_reference, wanted.amount_dirhams)
                if same and reference not in wanted.known:
                    return Refunded(reference, self.mood == "void")
        if self.mood in ("done", "void", "silent"):
            reference = f"r{len(self.given)}"
            self.given.append((wanted.receipt_reference, wanted.amount_dirhams, reference))
            if self.crash is not None:
                raise self.crash
            if self.mood == "silent":
                return RefundUnknown("timed out")
            return Refunded(reference, self.mood == "void")
        answers: dict[str, RefundAnswer] = {
            "refuse": RefundRefused(self.words),
            "unknown": RefundUnknown("timed out"),
            "later": RefundLater("not settled yet"),
            "manual": RefundManual("not by this gateway"),
        }
        return answers[self.mood]

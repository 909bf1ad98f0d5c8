"""A payment provider that says what the test wants: pays, fails, repeats and lies on request."""

from collections.abc import Mapping

import msgspec

from eishro.adapters.payments.defaults import Defaults
from eishro.domain.payments.port import (
    Answer,
    Claim,
    GatewayReply,
    Intent,
    Lightbox,
    Paid,
    Receipt,
    RefundAnswer,
    RefundIntent,
    Started,
    Unknown,
)
from tests.dummy_refunds import DummyRefunds


class DummyProvider(Defaults):
    """`answers` holds what `query` says by reference; `asked` every question in order; `refunds`
    is its way back.
    """

    name = "moamalat"
    can_query = True
    can_refund = True

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.refunds = DummyRefunds()

    def pay(self, reference: str, dirhams: int, *transactions: str, currency: str = "LYD") -> None:
        """From now on the gateway says that these transactions brought `dirhams` each."""
        self.answers[reference] = Paid(
            tuple(
                Receipt(
                    provider_reference=t,
                    terminal="T1",
                    amount_dirhams=dirhams,
                    currency=currency,
                )
                for t in transactions or (f"tx-{reference}",)
            )
        )

    async def start(self, intent: Intent) -> Started:
        parameters = {
            "MID": "M1",
            "TID": "T1",
            "AmountTrxn": str(intent.amount_dirhams),
            "SecureHash": f"{intent.reference}:{intent.amount_dirhams}",
        }
        return Started(Lightbox("http://gateway.test/lightbox.js", parameters))

    def parse_result(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        if payload.get("forged"):
            return Claim(authentic="no", reference=None, dedupe_key="", kind="other")
        if payload.get("cancelled"):
            return Claim(
                authentic="unsigned", reference=intent.reference, dedupe_key="", kind="cancelled"
            )
        return Claim(authentic="yes", reference=intent.reference, dedupe_key="", kind="sale")

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        del headers
        try:
            body = msgspec.json.decode(raw_body, type=dict[str, str])
        except msgspec.DecodeError:
            return Claim(authentic="no", reference=None, dedupe_key="", kind="other")
        return Claim(
            authentic="yes" if body.get("signature") == "good" else "no",
            reference=body.get("reference"),
            dedupe_key=body.get("event", ""),
            kind="refund" if body.get("kind") == "refund" else "sale",
            raw=dict(body),
        )

    def webhook_reply(self) -> GatewayReply:
        return GatewayReply(200, b'{"Message":"Success","Success":true}')

    async def query(self, intent: Intent) -> Answer:
        self.asked.append(intent.reference)
        return self.answers.get(intent.reference, Unknown("not found"))

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        return self.refunds.answer(wanted)

    async def aclose(self) -> None:
        """Nothing runs."""

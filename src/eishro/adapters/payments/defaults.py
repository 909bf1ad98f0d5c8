"""What adapters have in common: settings that print no secret, and what a gateway does not do, said
once: adapters take these answers unless they have their own.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

import msgspec

from eishro.domain.payments.port import (
    Answer,
    Claim,
    Connection,
    GatewayReply,
    GatewayTransaction,
    Intent,
    NotSent,
    ProviderBusy,
    RefundAnswer,
    RefundIntent,
    RefundManual,
    SaidOfTransaction,
    Started,
    Unknown,
    WrongCode,
)

FORGED = Claim(authentic="no", reference=None, dedupe_key="", kind="other")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Base of adapters' settings: whoever prints one sees the members in `SHOWN` and no secret."""

    SHOWN: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = "".join(f"{name}={value!r}, " for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown}…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Pretty printers ask for this instead."""
        return [(name, getattr(self, name)) for name in self.SHOWN]


class Defaults:
    """Base of adapters: no codes, no returns, no notifications, no query, refund, or list."""

    can_query = False
    can_refund = False
    can_list = False

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """No codes here."""
        del intent, code
        return Unknown("this gateway takes no codes")

    async def resend_otp(self, intent: Intent) -> Started:
        """No codes here."""
        del intent
        raise ProviderBusy()

    def parse_result(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        """Nothing a browser posts is news."""
        del intent, payload
        return FORGED

    def parse_return(self, intent: Intent, query: Mapping[str, str]) -> Claim:
        """Nobody comes back from a page of this gateway."""
        del intent, query
        return FORGED

    def reference_of(self, raw_body: bytes) -> str | None:
        """No notifications."""
        del raw_body
        return None

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """No notifications."""
        del headers, raw_body
        return FORGED

    def webhook_reply(self) -> GatewayReply:
        """What nobody waits for."""
        return GatewayReply(200, b"{}")

    async def query(self, intent: Intent) -> Answer:
        """It cannot be asked."""
        del intent
        return Unknown("this gateway cannot be asked")

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """People give the money back."""
        del wanted
        return RefundManual("this gateway has no refunds")

    async def status_of(self, provider_reference: str) -> SaidOfTransaction:
        """No call tells."""
        del provider_reference
        return "unknown"

    async def list_transactions(self, first: date, last: date) -> Sequence[GatewayTransaction]:
        """It lists nothing."""
        del first, last
        raise ProviderBusy()

    async def check_connection(self) -> Connection:
        """No call tells."""
        return Connection(None, "this gateway has no call that changes nothing")

    async def aclose(self) -> None:
        """Nothing runs in the background."""

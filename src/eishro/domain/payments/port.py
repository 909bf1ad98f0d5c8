"""What the shop expects of a payment provider (payments: start, claim, query, refund).

A provider builds requests, reads replies and verifies signatures on raw bytes. It stores
nothing, decides nothing and knows no order. What the outside may rightly say is a value, not
an exception: `Paid | Failed | Unknown`, and `Unknown` is the default. A `Claim` is unproven
news: it never makes a payment paid where the provider can be queried.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from eishro.errors import Unavailable, Words
from eishro.money import DIRHAMS_MAX


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter may know of a payment attempt.

    `reference` is the wire reference: made by us, unique per attempt, not the payment id.
    `amount_dirhams` is what the order owes; `created_at` is aware UTC.
    """

    reference: str
    amount_dirhams: int
    created_at: datetime
    language: Literal["ar", "en"] = "ar"


class Lightbox(msgspec.Struct, frozen=True, tag_field="kind", tag="lightbox", rename="camel"):
    """Run the gateway's script in the payer's browser with these parameters."""

    script_url: str
    parameters: dict[str, str]


class Redirect(msgspec.Struct, frozen=True, tag_field="kind", tag="redirect", rename="camel"):
    """Send the payer's browser to this absolute https address."""

    url: str


class Otp(msgspec.Struct, frozen=True, tag_field="kind", tag="otp", rename="camel"):
    """Ask the payer for the one-time code that the gateway sent."""

    length: int
    masked_phone: str


class Offline(msgspec.Struct, frozen=True, tag_field="kind", tag="offline", rename="camel"):
    """Nothing to do online; tell the payer this."""

    instructions: str


Action = Lightbox | Redirect | Otp | Offline


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the gateway says it took, once for each transaction of its own.

    `provider_reference` is the gateway's id, unique for the provider and `terminal`.
    `details` holds masked extras worth keeping (network reference, masked card, scheme).
    """

    provider_reference: str
    terminal: str
    amount_dirhams: int
    currency: str
    details: dict[str, str] = {}


class Paid(msgspec.Struct, frozen=True):
    """The gateway proves that money came: one receipt, or several if the payer paid twice."""

    receipts: tuple[Receipt, ...]


class Failed(msgspec.Struct, frozen=True):
    """An explicit no; `reason` is the gateway's text."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """Neither yes nor no: not found yet, no answer, an answer that makes no sense."""

    reason: str


Answer = Paid | Failed | Unknown


class RefundIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter may know of a refund: the money that came, and how much goes back.

    `reference` is the payment's wire reference, `receipt_reference` the gateway's own id of the
    money. `sent_at` is when a call for it may have left last (None: never). `known` are the
    gateway's ids of other refunds of the same money, which come to `known_dirhams`.
    """

    reference: str
    terminal: str
    receipt_reference: str
    receipt_dirhams: int
    amount_dirhams: int
    created_at: datetime
    sent_at: datetime | None = None
    known: tuple[str, ...] = ()
    known_dirhams: int = 0


class Refunded(msgspec.Struct, frozen=True):
    """The gateway proves that the money has left; `was_void`: the sale was taken back whole."""

    reference: str
    was_void: bool = False


class RefundRefused(msgspec.Struct, frozen=True):
    """An explicit no; `reason` is the gateway's text."""

    reason: str


class RefundUnknown(msgspec.Struct, frozen=True):
    """It may have happened. `sent` False: this time nothing but questions left."""

    reason: str
    sent: bool = True


class RefundLater(msgspec.Struct, frozen=True):
    """Certainly not done this time; worth trying again, not before `after` if it is known."""

    reason: str
    after: datetime | None = None


class RefundManual(msgspec.Struct, frozen=True):
    """The gateway cannot do it: people have to."""

    reason: str = ""


RefundAnswer = Refunded | RefundRefused | RefundUnknown | RefundLater | RefundManual


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Unproven news about a payment, from a browser or a webhook.

    `authentic` is `yes` (signature holds), `no` (it does not: drop it) or `unsigned`.
    `dedupe_key` names the event inside the provider (terminal, transaction, type), so that the
    same event is stored once. `raw` is the message as received, masked where it must be.
    """

    authentic: Literal["yes", "no", "unsigned"]
    reference: str | None
    dedupe_key: str
    kind: Literal["sale", "refund", "void", "cancelled", "failed", "other"]
    amount_dirhams: int | None = None
    raw: dict[str, object] = {}


class GatewayReply(msgspec.Struct, frozen=True):
    """The answer a gateway expects for its notification, in its own format."""

    status: int
    body: bytes
    content_type: str = "application/json"


class PaymentMethod(msgspec.Struct, frozen=True):
    """A way to pay that the platform offers. `kind` is lightbox, redirect, otp or offline;
    `provider` None is paid without a gateway. It carries `least_dirhams` to `most_dirhams`.
    """

    method: str
    kind: str
    name: str
    name_en: str
    provider: str | None
    least_dirhams: int = 0
    most_dirhams: int = DIRHAMS_MAX

    def carries(self, dirhams: int) -> bool:
        """True if this amount can be paid this way."""
        return self.least_dirhams <= dirhams <= self.most_dirhams


class Stamps(Protocol):
    """Numbers that only ever grow for each name, across processes and restarts."""

    async def next(self, name: str, at_least: int) -> int:
        """The larger of `at_least` and one more than the last number given for `name`."""
        ...


class ProviderBusy(Unavailable):
    """The gateway cannot be used now; nothing was charged."""

    code = "PROVIDER_ERROR"
    words = Words(
        "The payment service does not answer; nothing was charged. Please try again.",
        "خدمة الدفع لا تستجيب؛ لم يُخصم أي مبلغ. يرجى المحاولة مرة أخرى.",
    )


class PaymentProvider(Protocol):
    """One gateway. `name` is also its webhook path; `can_query` says whether `query` proves,
    `can_refund` whether money goes back through it.
    """

    name: str
    can_query: bool
    can_refund: bool

    async def start(self, intent: Intent) -> Action:
        """What the payer has to do; signs on the server, from the stored amount only.

        Raises:
            ProviderBusy: the gateway was needed and did not answer; nothing was charged.
        """
        ...

    def parse_result(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        """The browser's completion, cancel or error payload as a claim."""
        ...

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """A notification as a claim; verified on the raw bytes.

        `headers` have lower-case names. A body that cannot be read is `authentic="no"`.
        """
        ...

    def webhook_reply(self) -> GatewayReply:
        """What the gateway wants to hear when its notification is safely stored."""
        ...

    async def query(self, intent: Intent) -> Answer:
        """Ask the gateway what became of the attempt. Never raises for what the outside does."""
        ...

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """Give money back, once: where a call may have left before, the gateway is asked what
        became of it, and nothing is sent again before that is clear. Never raises for what the
        outside does.
        """
        ...

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        ...

"""What the shop expects of a payment provider (payments: start, claim, query, refund).

A provider builds requests, reads replies and verifies signatures on raw bytes. It stores
nothing, decides nothing and knows no order. What the outside may rightly say is a value, not
an exception: `Paid | Failed | Unknown`, and `Unknown` is the default. A `Claim` is unproven
news: it never makes a payment paid where the provider can be queried.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal, Protocol

import msgspec

from eishro.domain.payments.transfers import Beneficiary
from eishro.errors import Invalid, Limited, Unavailable, Words
from eishro.money import DIRHAMS_MAX


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """What the payer gave for this attempt; nothing of it is stored but in the sealed session.

    `phone` is E.164, `card` the digits of a wallet's card, `address` the browser's.
    """

    phone: str | None = None
    birth_year: int | None = None
    card: str | None = None
    email: str | None = None
    address: str | None = None

    def __repr__(self) -> str:
        return "Payer(…)"


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter may know of a payment attempt.

    `reference` is the wire reference: made by us, unique per attempt, not the payment id.
    `amount_dirhams` is what the order owes; `created_at` is aware UTC. Where `currency` is not
    LYD, `wire_minor` is the amount in that currency's minor units (USD: cents). `return_url` is
    where the payer's browser comes back to, `notify_url` the webhook; `session` is what the
    adapter's own `start` left for later calls. `payer` is known to `start` alone. `code_try` counts
    the one-time codes that were sent for it, one that is on its way included. `beneficiary` is the
    account to transfer to, known to `start` alone, too.
    """

    reference: str
    amount_dirhams: int
    created_at: datetime
    language: Literal["ar", "en"] = "ar"
    method: str = ""
    currency: str = "LYD"
    wire_minor: int | None = None
    return_url: str = ""
    notify_url: str = ""
    session: Mapping[str, str] = {}
    payer: Payer = Payer()
    code_try: int = 0
    beneficiary: Beneficiary | None = None


class Lightbox(msgspec.Struct, frozen=True, tag_field="kind", tag="lightbox", rename="camel"):
    """Run the gateway's script in the payer's browser with these parameters."""

    script_url: str
    parameters: dict[str, str]


class Redirect(msgspec.Struct, frozen=True, tag_field="kind", tag="redirect", rename="camel"):
    """Send the payer's browser to this absolute https address."""

    url: str


class Otp(msgspec.Struct, frozen=True, tag_field="kind", tag="otp", rename="camel"):
    """Ask the payer for the one-time code that the gateway sent.

    `expires_at` and `resend_at` are aware UTC: when the code runs out, and from when on another
    may be asked for (None: never, or at any time).
    """

    length: int
    masked_phone: str
    expires_at: datetime | None = None
    resend_at: datetime | None = None


class Offline(msgspec.Struct, frozen=True, tag_field="kind", tag="offline", rename="camel"):
    """Nothing to do online; tell the payer this.

    `details` are the facts one by one (`iban`, `beneficiary`, `bank`, `reference`, `amount`), and
    `qr` the text of a code to scan. `takes_proof`: the payer may show that the money was sent.
    """

    instructions: str
    details: dict[str, str] = {}
    qr: str | None = None
    takes_proof: bool = False


Action = Lightbox | Redirect | Otp | Offline


class Started(msgspec.Struct, frozen=True):
    """What the payer has to do, and what the adapter wants to be told again in later calls: kept
    sealed, shown to nobody.
    """

    action: Action
    session: dict[str, str] = {}


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the gateway says it took, once for each transaction of its own.

    `provider_reference` is the gateway's id, unique for the provider and `terminal`.
    `amount_dirhams` is what it is worth; where `currency` is not LYD, `wire_minor` is the amount in
    that currency's minor units. `details` holds masked extras worth keeping (network reference,
    masked card, scheme).
    """

    provider_reference: str
    terminal: str
    amount_dirhams: int
    currency: str
    wire_minor: int | None = None
    details: dict[str, str] = {}


class Paid(msgspec.Struct, frozen=True, tag_field="outcome", tag="paid"):
    """The gateway proves that money came: one receipt, or several if the payer paid twice."""

    receipts: tuple[Receipt, ...]


class Failed(msgspec.Struct, frozen=True, tag_field="outcome", tag="failed"):
    """An explicit no; `reason` is the gateway's text."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """Neither yes nor no: not found yet, no answer, an answer that makes no sense.
    `is_unreachable`: the gateway did not answer at all, or as one that is down or busy, or was not
    even asked: that was no look. It says nothing about what may have been charged. `is_foreign`: it
    named another order, merchant or currency, or was at odds with itself: people should look.
    """

    reason: str
    is_unreachable: bool = False
    is_foreign: bool = False


Answer = Paid | Failed | Unknown
Proof = Paid | Failed


class WrongCode(msgspec.Struct, frozen=True):
    """The one-time code was not taken and nothing was charged; another may be tried, or asked for
    where this one has run out (`is_expired`).
    """

    reason: str
    is_expired: bool = False


class NotSent(msgspec.Struct, frozen=True):
    """It is proven that no byte of the call left (no connection, no free one, no turn): nothing
    was charged, and the same code may be sent again.
    """

    reason: str


class RefundIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter may know of a refund: the money that came, and how much goes back.

    `reference` is the payment's wire reference, `receipt_reference` the gateway's own id of the
    money. `sent_at` is when a call for it may have left last (None: never). `known` are the
    gateway's ids of other refunds of the same money, which come to `known_dirhams`. Where the money
    came in another `currency`, `receipt_minor` and `amount_minor` are the same two amounts in its
    minor units. `session` is what the payment's `start` left.
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
    currency: str = "LYD"
    receipt_minor: int | None = None
    amount_minor: int | None = None
    session: Mapping[str, str] = {}


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
    `dedupe_key` names the event inside the provider by what a message that is sent again cannot
    change (what is signed; of the unsigned, only what it is about), so that it is kept once. `raw`
    is the message as received, masked where it must be. `proof` is what the message itself proves:
    only where the gateway signs all that matters and cannot be asked.
    """

    authentic: Literal["yes", "no", "unsigned"]
    reference: str | None
    dedupe_key: str
    kind: Literal["sale", "refund", "void", "cancelled", "failed", "other"]
    amount_dirhams: int | None = None
    raw: dict[str, object] = {}
    proof: Proof | None = None


class GatewayTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a gateway's own list, for reconciliation. `at` is aware UTC."""

    provider_reference: str
    terminal: str
    reference: str | None
    kind: Literal["sale", "refund", "void", "other"]
    status: Literal["approved", "declined", "unknown"]
    amount_dirhams: int
    currency: str
    at: datetime
    original_reference: str | None = None
    wire_minor: int | None = None


# What a gateway says of one of its transactions, without an amount: it proves no payment.
SaidOfTransaction = Literal["paid", "declined", "absent", "unknown"]


class Connection(msgspec.Struct, frozen=True):
    """What trying the credentials gave. `works` None: this gateway has no call that would tell."""

    works: bool | None
    detail: str = ""


class GatewayReply(msgspec.Struct, frozen=True):
    """The answer a gateway expects for its notification, in its own format."""

    status: int
    body: bytes
    content_type: str = "application/json"


class PaymentMethod(msgspec.Struct, frozen=True):
    """A way to pay that the platform offers. `kind` is lightbox, redirect, otp or offline;
    `provider` None is paid without a gateway. It carries `least_dirhams` to `most_dirhams` in
    steps of `step_dirhams`, and is settled in `currency`. `asks` names what the payer has to give
    to start (`phone`, `birthYear`, `card`); `aliases` are other names of it. `pays_into`: the store
    needs an account of its own for it, or one that a code to scan can name.
    """

    method: str
    kind: str
    name: str
    name_en: str
    provider: str | None
    least_dirhams: int = 0
    most_dirhams: int = DIRHAMS_MAX
    step_dirhams: int = 1
    currency: str = "LYD"
    asks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    pays_into: Literal["", "account", "scanned"] = ""

    def carries(self, dirhams: int) -> bool:
        """True if this amount can be paid this way, to the dirham."""
        fits = self.least_dirhams <= dirhams <= self.most_dirhams
        return fits and dirhams % self.step_dirhams == 0


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


class ProviderRefused(Invalid):
    """The gateway says no before anything was charged; its reason stands at `method`."""

    code = "PAYMENT_REFUSED"
    words = Words(
        "The payment service refused this payment; nothing was charged.",
        "رفضت خدمة الدفع هذه العملية؛ لم يُخصم أي مبلغ.",
    )

    def __init__(self, reason: Words) -> None:
        super().__init__({"method": reason})


class ResendTooSoon(Limited):
    """Another code may be asked for only after a while."""

    words = Words(
        "Please wait a little before asking for another code.",
        "يرجى الانتظار قليلا قبل طلب رمز آخر.",
    )


class PaymentProvider(Protocol):
    """One gateway. `name` is also its webhook path; `can_query` says whether `query` proves,
    `can_refund` whether money goes back through it, `can_list` whether it lists its transactions.
    """

    name: str
    can_query: bool
    can_refund: bool
    can_list: bool

    async def start(self, intent: Intent) -> Started:
        """What the payer has to do; signs on the server, from the stored amount only.

        Raises:
            ProviderBusy: the gateway was needed and did not answer; nothing was charged.
            ProviderRefused: the gateway said no.
            Invalid: what the payer gave does not do; the fault names `phone`, `birthYear`, `card`.
        """
        ...

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """Charge with the payer's one-time code: sent at most once by this call, `NotSent` where
        that is proven, and `Unknown` when it may have arrived without a clear answer. Never raises
        for what the outside does.
        """
        ...

    async def resend_otp(self, intent: Intent) -> Started:
        """Ask the gateway for another code.

        Raises:
            ResendTooSoon, ProviderBusy, ProviderRefused.
        """
        ...

    def parse_return(self, intent: Intent, query: Mapping[str, str]) -> Claim:
        """What the browser brings back from the gateway's page, in the order received."""
        ...

    def reference_of(self, raw_body: bytes) -> str | None:
        """The wire reference that a notification names, believed by nobody: it only says whose
        credentials `parse_webhook` is to be tried with.
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

    async def status_of(self, provider_reference: str) -> SaidOfTransaction:
        """What it says of one of its transactions, for people who look into a difference;
        `unknown` where no call tells. Never raises for what the outside does.
        """
        ...

    async def list_transactions(self, first: date, last: date) -> Sequence[GatewayTransaction]:
        """What the gateway has recorded on these days (Tripoli's), oldest first.

        Raises:
            ProviderBusy: it did not answer, or `can_list` is False.
        """
        ...

    async def check_connection(self) -> Connection:
        """Try the credentials without touching money. Never raises for what the outside does."""
        ...

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        ...

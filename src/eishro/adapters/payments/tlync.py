"""T-Lync (Tadawul Digital Solutions Provider): the payer chooses a wallet or card on its page.

Papers: published integrations and SDKs, read 2026-11 (the vendor's manual stands behind its
portal, and the sources differ in paths: both are settings). Amounts on the wire are dinars with
two decimals. Quirks:

* a `custom_ref` is taken once, even if that payment fails: each attempt has its own;
* the callback is not signed and proves nothing: only the receipt does, and it knows no "no";
* about 30 calls a minute to each endpoint: starts and questions are spaced (`pace.py`).
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import ClassVar, Literal

import structlog

from eishro.adapters.payments import tlync_reading as reading
from eishro.adapters.payments import wire
from eishro.adapters.payments.defaults import FORGED, Account, Defaults
from eishro.adapters.payments.pace import PER_MINUTE_MIN, Pace, Sleep
from eishro.adapters.payments.tlync_receipts import Receipts
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import (
    Answer,
    Claim,
    Connection,
    GatewayReply,
    Intent,
    PaymentMethod,
    ProviderBusy,
    ProviderRefused,
    Redirect,
    RefundAnswer,
    RefundIntent,
    RefundManual,
    Started,
    Unknown,
)
from eishro.errors import Invalid, Words
from eishro.outward import HttpReply, NoReply

CALL_SECONDS = 30.0
TURN_SECONDS_MAX = 15.0  # how long a payer waits for a turn to start
PROBE = "connection-check"  # a reference that no payment has

_LOG = structlog.get_logger("eishro.tlync")
_PHONE = Words(
    "must be a Libyan mobile number such as 0912345678",
    "يجب أن يكون رقم هاتف ليبي محمول مثل 0912345678",
)
_AMOUNT = Words(
    "takes whole hundredths of a dinar only", "تقبل مبالغ لا تتجاوز منزلتين بعد الفاصلة فقط"
)


class Config(Account, frozen=True, kw_only=True):
    """One store at the gateway. What prints it does not show the token.

    `email` is what is sent as the payer's: `payer` the buyer's own where it is known, an address
    for everybody, or empty for none. `id_field` names the receipt's member that is the
    transaction's id.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("base_url",)

    store_id: str
    token: str
    base_url: str
    initiate_path: str = "payment/initiate"
    receipt_path: str = "receipt/transaction"
    body_form: Literal["form", "json"] = "form"
    email: str = ""
    id_field: str = "reference"
    per_minute: int = 30
    sends_failed_url: bool = True


class Tlync(Defaults):
    """The `PaymentProvider` for one store."""

    name = "tlync"
    can_query = True

    def __init__(self, config: Config, tools: Tools, sleep: Sleep = asyncio.sleep) -> None:
        self._config = config
        self._http = tools.http
        account = hashlib.sha256(f"{config.store_id}:{config.token}".encode()).hexdigest()[:16]

        def pace(endpoint: str) -> Pace:
            name = f"tlync:{account}:{endpoint}"
            return Pace(tools.stamps, tools.clock, sleep, name, config.per_minute)

        self._starts = pace("initiate")
        self._receipts = Receipts(self._ask_receipt, pace("receipt"))

    async def start(self, intent: Intent) -> Started:
        """The payer's page. Nothing can be charged before the payer has been there."""
        form = self._start_form(intent)
        try:
            async with asyncio.timeout(TURN_SECONDS_MAX):
                may_go = await self._starts.turn()
        except TimeoutError:
            may_go = False
        if not may_go:
            _LOG.warning("tlync_too_many_starts", reference=intent.reference)
            raise ProviderBusy()
        try:
            reply = await self._post(self._config.initiate_path, form)
        except NoReply as error:
            _LOG.warning("tlync_no_answer", call="initiate", error=str(error))
            raise ProviderBusy() from error
        try:
            url = reading.read_start(reply, intent, self._config.base_url)
        except ProviderBusy:
            _LOG.warning("tlync_unclear", call="initiate", status=reply.status)
            raise
        return Started(Redirect(url))

    def parse_return(self, intent: Intent, query: Mapping[str, str]) -> Claim:
        """The browser is back: a reason to look soon, whatever it says."""
        if query.get("custom_ref", "") not in ("", intent.reference):
            return FORGED
        is_success = query.get("result", "").lower() == "success" and "failed" not in query
        return self._hint(intent.reference, is_success=is_success, raw=reading.kept(query))

    @staticmethod
    def reference_of(raw_body: bytes) -> str | None:
        """The custom_ref as it stands there."""
        fields = reading.read_callback(raw_body)
        return None if fields is None else fields["custom_ref"]

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """A callback is not signed: a hint that makes us ask for the receipt."""
        del headers  # form or JSON shows in the body
        fields = reading.read_callback(raw_body)
        if fields is None or fields.get("store_id", "") not in ("", self._config.store_id):
            return FORGED
        is_success = fields.get("result", "").lower() == "success"
        return self._hint(fields["custom_ref"], is_success=is_success, raw=reading.kept(fields))

    def webhook_reply(self) -> GatewayReply:
        """Any 200 will do."""
        return GatewayReply(200, b'{"result":"success"}')

    async def query(self, intent: Intent) -> Answer:
        """Ask for the receipt; spaced, and shared by all who ask for the same. Never raises."""
        return await self._receipts.ask(intent)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """No call for it is known."""
        del wanted
        return RefundManual("T-Lync has no call for refunds: give the money back in its portal")

    async def check_connection(self) -> Connection:
        """Ask for a receipt that nobody has."""
        probe = {"store_id": self._config.store_id, "custom_ref": PROBE}
        try:
            reply = await self._post(self._config.receipt_path, probe)
        except NoReply as error:
            return Connection(False, f"no answer: {wire.masked(str(error))}")
        if reply.status in (401, 403):
            return Connection(False, "the gateway does not accept the token")
        body = wire.read_object(reply.body)
        is_known = reply.status in (200, 404) and body is not None
        return Connection(is_known, "" if is_known else f"HTTP status {reply.status}")

    async def aclose(self) -> None:
        """Stop asking; who waits is told `Unknown`."""
        await self._receipts.aclose()

    def _start_form(self, intent: Intent) -> dict[str, str]:
        phone = wire.national_mobile(intent.payer.phone)
        if phone is None:
            raise Invalid({"phone": _PHONE})
        try:
            amount = wire.dinars_text(intent.amount_dirhams)
        except ValueError:
            raise ProviderRefused(_AMOUNT) from None
        config = self._config
        email = intent.payer.email if config.email == "payer" else config.email
        form = {
            "id": config.store_id,
            "amount": amount,
            "phone": f"0{phone}",
            "email": email or "",
            "backend_url": intent.notify_url,
            "frontend_url": intent.return_url,
            "failed_front_end_url": f"{intent.return_url}?failed=1",
            "custom_ref": intent.reference,
        }
        if not email:
            del form["email"]  # an empty one is refused
        if not config.sends_failed_url:
            del form["failed_front_end_url"]
        return form

    async def _ask_receipt(self, intent: Intent) -> Answer:
        config = self._config
        asked = {"store_id": config.store_id, "custom_ref": intent.reference}
        try:
            reply = await self._post(config.receipt_path, asked)
        except NoReply as error:
            return Unknown(f"no reply: {wire.masked(str(error))}", is_unreachable=True)
        answer = reading.read_receipt(reply, intent, config.store_id, config.id_field)
        if isinstance(answer, Unknown) and reply.status not in (200, 404):
            _LOG.warning("tlync_unclear", call="receipt", status=reply.status)
        return answer

    async def _post(self, path: str, fields: Mapping[str, str]) -> HttpReply:
        config = self._config
        headers = {"Authorization": f"Bearer {config.token}", "Accept": "application/json"}
        send = self._http.post_form if config.body_form == "form" else self._http.post_json
        return await send(
            f"{config.base_url}/{path}",
            fields,
            headers=headers,
            timeout_seconds=CALL_SECONDS,
            limit_bytes=wire.BODY_BYTES_MAX,
        )

    @staticmethod
    def _hint(reference: str, *, is_success: bool, raw: dict[str, object]) -> Claim:
        kind: Literal["sale", "failed"] = "sale" if is_success else "failed"
        return Claim(
            authentic="unsigned",
            reference=reference,
            dedupe_key=f"{reference}:{kind}",
            kind=kind,
            raw=raw,
        )


def _build(fields: Mapping[str, str], tools: Tools) -> Tlync:
    email = fields["email"].strip()
    if email not in ("", "payer") and "@" not in email:
        raise ValueError("email must be `payer`, an address, or empty")
    config = Config(
        store_id=wire.check_header(fields["store_id"], "store_id"),
        token=wire.check_header(fields["token"], "token"),
        base_url=wire.check_url(fields["base_url"], "base_url"),
        initiate_path=wire.check_path(fields["initiate_path"], "initiate_path"),
        receipt_path=wire.check_path(fields["receipt_path"], "receipt_path"),
        body_form="json" if fields["body_form"] == "json" else "form",
        email=email,
        id_field=fields["id_field"],
        per_minute=wire.check_number(fields["per_minute"], "per_minute", PER_MINUTE_MIN, 6_000),
        sends_failed_url=fields["sends_failed_url"] == "yes",
    )
    return Tlync(config, tools)


GATEWAY = Gateway(
    provider="tlync",
    prefix="TLYNC",
    fields=(
        Field(
            name="store_id",
            about="The store's id at the gateway (64 characters).",
            sandbox="sandbox-tlync-store",
            published=("sandbox-tlync-store",),
            is_required=True,
        ),
        Field(
            name="token",
            about="The store's token (40 characters).",
            sandbox="sandbox-tlync-token",
            published=("sandbox-tlync-token",),
            is_secret=True,
            is_required=True,
        ),
        Field(name="base_url", about="Address of the API, with its version."),
        Field(
            name="initiate_path",
            about="Path of the call that begins a payment.",
            default="payment/initiate",
        ),
        Field(
            name="receipt_path",
            about="Path of the call that shows a receipt.",
            default="receipt/transaction",
        ),
        Field(
            name="body_form",
            about="How calls are written.",
            default="form",
            choices=("form", "json"),
        ),
        Field(
            name="email",
            about="Sent as the payer's e-mail: `payer` the buyer's own, an address for everybody, "
            "or empty for none. Some stores require one.",
        ),
        Field(
            name="id_field",
            about="The receipt's member that is the transaction's id.",
            default="reference",
            choices=("reference", "gateway_ref"),
        ),
        Field(name="per_minute", about="Calls a minute to each endpoint.", default="30"),
        Field(
            name="sends_failed_url",
            about="Whether the address for payers who failed is sent.",
            default="yes",
            choices=("yes", "no"),
        ),
    ),
    methods=(
        PaymentMethod(
            "tlync",
            "redirect",
            "تي لينك (تداول)",
            "T-Lync (Tadawul)",
            "tlync",
            least_dirhams=10,
            step_dirhams=10,
            asks=("phone",),
            aliases=("tadawul",),
        ),
    ),
    build=_build,
    reference_of=Tlync.reference_of,
    url_fields={"base_url": "/api/v3"},
    live={"base_url": "https://api.tlync.ly/api/v3"},
    test={"base_url": "https://uat-api.tlync.ly/api/v3"},
)

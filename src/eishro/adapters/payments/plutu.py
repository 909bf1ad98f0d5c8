"""Plutu (aggregator): local cards, Visa and Mastercard, T-Lync, Sadad and Edfali.

Papers: the vendor's documentation (payments, callbacks, errors) and its PHP SDK, read 2026-11.
One address for test and live: the access token decides. Units on the wire: decimals of the
gateway's currency, two at most. Quirks:

* nothing can be asked, given back or listed afterwards. The signed return of a card payment and
  the signed POST of T-Lync are themselves the proof; they say amount and invoice number;
* the secret key is never sent: its text signs callbacks, fields in the order received;
* T-Lync's return in the browser is signed but says no amount: it is only shown;
* an invoice number is taken once for an account, failed tries included, so that each try with a
  one-time code has a number of its own;
* a confirmation without a clear answer may have charged, and is never sent again.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

import structlog

from eishro.adapters.payments import wire
from eishro.adapters.payments.defaults import FORGED, Account, Defaults
from eishro.adapters.payments.plutu_callbacks import Callbacks, named_reference
from eishro.adapters.payments.plutu_reading import (
    Refusal,
    amount_of,
    read_reply,
    text_of,
    transaction_of,
)
from eishro.adapters.payments.plutu_ways import WAYS, Way, payer_fields
from eishro.adapters.payments.plutu_words import (
    AMOUNT,
    CLOSED,
    WaitBeforeResend,
    refusal_error,
)
from eishro.clock import Clock
from eishro.domain.payments.port import (
    Answer,
    Claim,
    Connection,
    Failed,
    Intent,
    NotSent,
    Otp,
    Paid,
    ProviderBusy,
    ProviderRefused,
    Redirect,
    ResendTooSoon,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid
from eishro.money import EXPONENTS
from eishro.outward import HttpReply, NoReply, WebHttp
from eishro.phones import COUNTRY, mask_phone

CALL_SECONDS = 30.0
CONFIRM_SECONDS = 60.0  # the gateway waits for a bank, and its answer is final
REPLY_BYTES_MAX = 64_000
URL_LENGTH_MAX = 2_000

_LOG = structlog.get_logger("eishro.plutu")


class Config(Account, frozen=True, kw_only=True):
    """One account. What prints it shows none of its secrets.

    `least_dirhams` and `most_dirhams` are what the merchant's contract allows; `code_lifetime` is
    how long a one-time code is taken, `resend_pause` how long another is refused.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("base_url",)

    access_token: str
    api_key: str
    secret_key: str
    base_url: str
    least_dirhams: int | None = None
    most_dirhams: int | None = None
    code_lifetime: timedelta = timedelta(minutes=5)
    resend_pause: timedelta = timedelta(seconds=60)


class Plutu(Defaults):
    """The `PaymentProvider` for one account."""

    name = "plutu"

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._base_url = config.base_url.rstrip("/")
        self._callbacks = Callbacks(config.secret_key)

    async def start(self, intent: Intent) -> Started:
        """A code to the payer's phone, or the address of the gateway's page."""
        way = WAYS.get(intent.method)
        if way is None:
            raise ProviderRefused(CLOSED)
        payer = payer_fields(way, intent.payer, self._clock.now())
        self._check_amount(intent)
        if way.code_length:
            return await self._send_code(intent, way, payer)
        return await self._open_page(intent, way, payer)

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """Confirm once; a try has an invoice number of its own."""
        way = WAYS.get(intent.method)
        process_id = intent.session.get("process_id", "")
        if way is None or not way.code_length or not process_id:
            return Failed("the session of this payment is gone")
        if not re.fullmatch(rf"[0-9]{{{way.code_length}}}", code):
            return WrongCode(f"a code has {way.code_length} digits")
        form = {
            "process_id": process_id,
            "code": code,
            "amount": _amount(intent),
            "invoice_no": _invoice_no(intent),
        }
        try:
            reply = await self._post(way, "confirm", form, CONFIRM_SECONDS)
        except NoReply as error:
            _LOG.warning("plutu_no_answer", call=f"{way.gateway}/confirm", error=str(error))
            if not error.sent:
                return NotSent("the gateway was not reached")
            return Unknown("no answer to the confirmation", is_unreachable=True)
        return self._confirmed(intent, way, reply)

    async def resend_otp(self, intent: Intent) -> Started:
        """Verify once more: another process, another code."""
        way = WAYS.get(intent.method)
        names = ("mobile_number", "birth_year")
        payer = {name: intent.session[name] for name in names if name in intent.session}
        if way is None or not way.code_length or not payer:
            raise ProviderRefused(CLOSED)
        try:
            return await self._send_code(intent, way, payer)
        except WaitBeforeResend as error:
            seconds = max(1, round(self._config.resend_pause.total_seconds()))
            raise ResendTooSoon(seconds) from error
        except ProviderRefused:
            raise
        except Invalid as error:  # what was right a moment ago
            raise ProviderRefused(CLOSED) from error

    def parse_return(self, intent: Intent, query: Mapping[str, str]) -> Claim:
        """The payer's browser, back from the gateway's page."""
        way = WAYS.get(intent.method)
        return FORGED if way is None else self._callbacks.of_return(intent, way.gateway, query)

    def reference_of(self, raw_body: bytes) -> str | None:
        """The invoice number as it stands there."""
        return named_reference(raw_body)

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """T-Lync's POST; its signature stands in the body."""
        del headers
        return self._callbacks.of_tlync(raw_body)

    async def check_connection(self) -> Connection:
        """A request for a code that names nobody: it is refused, and how tells of the keys."""
        try:
            reply = await self._post(WAYS["plutu_edfali"], "verify", {}, CALL_SECONDS)
        except NoReply:
            return Connection(False, "the gateway does not answer")
        said = read_reply(reply)
        if not isinstance(said, Refusal):
            return Connection(None, "the gateway answers in a way that tells nothing")
        if said.code in ("UNAUTHORIZED", "AUTH_ERROR", "FORBIDDEN_IP_ADDRESS"):
            return Connection(False, said.reason)
        is_input = said.meaning in ("phone", "amount") or said.code in (
            "INVALID_INPUTS",
            "MISSING_PARAMETER",
            "DENIED_ACCESS_GATEWAY",  # the keys are right, Edfali is not in the contract
        )
        return Connection(True if is_input else None, said.reason)

    async def _send_code(self, intent: Intent, way: Way, payer: Mapping[str, str]) -> Started:
        result = await self._ask(intent, way, "verify", {**payer, "amount": _amount(intent)})
        process_id = text_of(result.get("process_id"))
        shown = result.get("amount")
        is_other = shown is not None and amount_of(shown, 3) != intent.amount_dirhams
        if not re.fullmatch(r"[0-9]{1,32}", process_id, re.ASCII) or is_other:
            _LOG.warning("plutu_unclear", call=f"{way.gateway}/verify", reference=intent.reference)
            raise ProviderBusy()
        now = self._clock.now()
        action = Otp(
            length=way.code_length,
            masked_phone=mask_phone(COUNTRY + payer["mobile_number"][1:]),
            expires_at=now + self._config.code_lifetime,
            resend_at=now + self._config.resend_pause,
        )
        return Started(action, {**payer, "process_id": process_id})

    async def _open_page(self, intent: Intent, way: Way, payer: Mapping[str, str]) -> Started:
        form = {
            **payer,
            "amount": _amount(intent),
            "invoice_no": intent.reference,
            "return_url": intent.return_url,
            "lang": intent.language,
        }
        if way.gateway == "tlync":
            form["callback_url"] = intent.notify_url
            if intent.payer.email:
                form["email"] = intent.payer.email
        if intent.payer.address and _is_public(intent.payer.address):
            form["customer_ip"] = intent.payer.address
        result = await self._ask(intent, way, "confirm", form)
        url = text_of(result.get("redirect_url"))
        if result.get("code") != "CHECKOUT_REDIRECT" or not wire.is_page(url, self._base_url):
            _LOG.warning("plutu_unclear", call=f"{way.gateway}/confirm", reference=intent.reference)
            raise ProviderBusy()
        return Started(Redirect(url))

    def _check_amount(self, intent: Intent) -> None:
        least, most = self._config.least_dirhams, self._config.most_dirhams
        is_low = least is not None and intent.amount_dirhams < least
        is_high = most is not None and intent.amount_dirhams > most
        is_unfit = intent.currency == "LYD" and intent.amount_dirhams % 10
        if is_low or is_high or is_unfit or _minor(intent) <= 0:
            raise ProviderRefused(AMOUNT)

    async def _ask(
        self, intent: Intent, way: Way, call: str, form: Mapping[str, str]
    ) -> dict[str, object]:
        """A call that charges nothing; its result.

        Raises:
            ProviderBusy, ProviderRefused, Invalid.
        """
        try:
            reply = await self._post(way, call, form, CALL_SECONDS)
        except NoReply as error:
            _LOG.warning("plutu_no_answer", call=f"{way.gateway}/{call}", error=str(error))
            raise ProviderBusy() from error
        said = read_reply(reply)
        if isinstance(said, Refusal):
            _note_refusal(intent, way, call, said)
            raise refusal_error(said)
        if said is None:
            _LOG.warning("plutu_unclear", call=f"{way.gateway}/{call}", status=reply.status)
            raise ProviderBusy()
        return said

    async def _post(
        self, way: Way, call: str, form: Mapping[str, str], seconds: float
    ) -> HttpReply:
        return await self._http.post_form(
            f"{self._base_url}/transaction/{way.gateway}/{call}",
            form,
            headers={
                "Authorization": f"Bearer {self._config.access_token}",
                "X-API-KEY": self._config.api_key,
                "Accept": "application/json",
            },
            timeout_seconds=seconds,
            limit_bytes=REPLY_BYTES_MAX,
        )

    def _confirmed(self, intent: Intent, way: Way, reply: HttpReply) -> Answer | WrongCode:
        said = read_reply(reply)
        if isinstance(said, Refusal):
            _note_refusal(intent, way, "confirm", said)
            return _no(said)
        amount = amount_of(said.get("amount"), EXPONENTS["LYD"]) if said else None
        transaction = transaction_of(said.get("transaction_id")) if said else None
        if said is None or amount is None or transaction is None:
            _LOG.warning("plutu_unclear", call=f"{way.gateway}/confirm", status=reply.status)
            return Unknown("the answer to the confirmation cannot be read")
        # It need not name these; what it names must be ours.
        invoice, currency = text_of(said.get("invoice_no")), text_of(said.get("currency"))
        if invoice not in ("", _invoice_no(intent)) or currency.upper() not in ("", "LYD", "434"):
            _LOG.warning("plutu_unclear", call=f"{way.gateway}/confirm", status=reply.status)
            return Unknown("the answer is of something else", is_foreign=True)
        details = {"gateway": way.gateway, "invoice_no": _invoice_no(intent)}
        return Paid((self._callbacks.receipt(transaction, amount, details),))


def _no(said: Refusal) -> Answer | WrongCode:
    """What a refused confirmation means: only a plain no says that nothing was charged."""
    if said.meaning == "wrong_code" or (said.code == "INVALID_INPUTS" and "code" in said.fields):
        return WrongCode(said.reason)
    if said.meaning == "expired_code":
        return WrongCode(said.reason, is_expired=True)
    if said.meaning == "doubtful":
        return Unknown(said.reason)
    return Failed(said.reason)


def _note_refusal(intent: Intent, way: Way, call: str, said: Refusal) -> None:
    """Where the account itself is refused, the operator has to do something."""
    note = _LOG.warning if said.meaning in ("merchant", "doubtful") else _LOG.info
    note(
        "plutu_refused",
        call=f"{way.gateway}/{call}",
        code=said.code,
        reference=intent.reference,
    )


def _minor(intent: Intent) -> int:
    """What the gateway asks for, in minor units of its currency."""
    return intent.amount_dirhams if intent.currency == "LYD" else intent.wire_minor or 0


def _amount(intent: Intent) -> str:
    return wire.amount_text(_minor(intent), EXPONENTS[intent.currency])


def _invoice_no(intent: Intent) -> str:
    """A number is taken once, also by a wrong code: each further try has its own."""
    tries = intent.code_try
    return intent.reference if tries <= 1 else f"{intent.reference}-{tries}"


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False

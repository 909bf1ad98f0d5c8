"""Sadad (Almadar): the payer gives phone and year of birth, and the code that Sadad sends.

Papers: published integrations, read 2026-11. JSON with a Bearer token that Almadar issues for
years. Amounts on the wire are dinars as numbers. Quirks:

* *Validate* only makes a pending transaction and sends the code; *Pay* with status code 0 is the
  payment, and nothing else;
* an `InvoiceNo` is used once: each attempt has its own;
* no paper has the status codes, the form of `Msisdn` or the answer to an enquiry: all settings.
"""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Literal

import msgspec
import structlog

from eishro.adapters.payments import sadad_reading as reading
from eishro.adapters.payments import wire
from eishro.adapters.payments.defaults import Account, Defaults
from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import (
    Answer,
    Connection,
    Failed,
    Intent,
    NotSent,
    Otp,
    Payer,
    PaymentMethod,
    ProviderBusy,
    ProviderRefused,
    RefundAnswer,
    RefundIntent,
    RefundManual,
    ResendTooSoon,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, Words
from eishro.outward import HttpReply, NoReply, WebHttp
from eishro.phones import COUNTRY, mask_phone

CALL_SECONDS = 30.0
CODE_SECONDS = 60.0
BIRTH_YEAR_MIN = 1900
PAYER_AGE_MIN = 12

_LOG = structlog.get_logger("eishro.sadad")
_FORMS: Mapping[str, str] = {"9": "", "09": "0", "218": "218", "+218": "+218"}
_PHONE = Words("must be the number of a Sadad account", "يجب أن يكون رقم حساب في خدمة سداد")
_YEAR_MISSING = Words("is needed for this method", "مطلوبة لهذه الطريقة")
_YEAR_REFUSED = Words("is not a year of birth", "ليست سنة ميلاد صحيحة")
_AMOUNT = Words(
    "takes whole hundredths of a dinar only", "تقبل مبالغ لا تتجاوز منزلتين بعد الفاصلة فقط"
)


class Config(Account, frozen=True, kw_only=True):
    """One merchant at Sadad. What prints it does not show the token.

    `prefixes` are the first two digits of the phones that Sadad serves, without zero.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("base_url",)

    token: str
    base_url: str
    validate_path: str
    pay_path: str
    resend_path: str
    enquiry_path: str
    has_enquiry: bool
    msisdn_form: str
    year_form: Literal["text", "number"]
    category: int
    prefixes: frozenset[str]
    code_length: int
    code_life: timedelta
    resend_pause: timedelta
    codes: reading.Codes


class Sadad(Defaults):
    """The `PaymentProvider` for one merchant."""

    name = "sadad"

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self.can_query = config.has_enquiry
        self._config = config
        self._http = http
        self._clock = clock
        claims = reading.claims_of(config.token)
        self._expiry = reading.expiry_of(claims)
        self._terminal = wire.id_of(claims.get("corporateServiceId")) or self.name

    async def start(self, intent: Intent) -> Started:
        """A pending transaction; its code is on the way to the payer."""
        config = self._config
        national, year = self._payer(intent.payer)
        try:
            amount = wire.dinars_text(intent.amount_dirhams)
        except ValueError:
            raise ProviderRefused(_AMOUNT) from None
        said = await self._ask(
            config.validate_path,
            {
                "Msisdn": _FORMS[config.msisdn_form] + national,
                "BirthYear": str(year) if config.year_form == "text" else year,
                "InvoiceNo": intent.reference,
                "Amount": msgspec.Raw(amount.encode()),
                "Category": config.category,
            },
        )
        transaction = reading.transaction_of(said)
        if transaction is None:
            _LOG.warning("sadad_unclear", call="validate", reference=intent.reference)
            raise ProviderBusy()
        phone = mask_phone(COUNTRY + national)
        return Started(self._code(phone), {"transaction_id": transaction, "phone": phone})

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """Charge. Sent once; what is neither a plain yes nor a plain no is unknown."""
        transaction = intent.session.get("transaction_id", "")
        if not transaction.isdigit():
            return Failed("the payment has to begin again")
        body = {"TransactionId": int(transaction), "OTP": code}
        try:
            reply = await self._post(self._config.pay_path, body, CODE_SECONDS)
        except NoReply as error:
            _LOG.warning("sadad_no_answer", call="pay", sent=error.sent)
            if not error.sent:
                return NotSent("the gateway was not reached")
            return Unknown("the gateway did not answer", is_unreachable=True)
        answer = reading.read_payment(reply, intent, self._terminal, self._config.codes)
        if isinstance(answer, Unknown) or reply.status in (401, 403):
            _LOG.warning("sadad_unclear", call="pay", status=reply.status)
        return answer

    async def resend_otp(self, intent: Intent) -> Started:
        """Another code for the same transaction."""
        transaction = intent.session.get("transaction_id", "")
        if not transaction.isdigit():
            raise ProviderBusy()
        await self._ask(self._config.resend_path, {"TransactionId": int(transaction)})
        return Started(self._code(intent.session.get("phone", "")), dict(intent.session))

    async def query(self, intent: Intent) -> Answer:
        """Ask by invoice. Never raises."""
        if not self.can_query:
            return Unknown("this gateway cannot be asked")
        try:
            body = {"InvoiceNo": intent.reference}
            reply = await self._post(self._config.enquiry_path, body, CALL_SECONDS)
        except NoReply as error:
            return Unknown(f"no reply: {wire.masked(str(error))}", is_unreachable=True)
        return reading.read_enquiry(reply, intent, self._terminal, self._config.codes)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """No call for it is known."""
        del wanted
        return RefundManual("Sadad has no call for refunds: send the money back from your wallet")

    async def check_connection(self) -> Connection:
        """Whether the token is still good; asked with an invoice of nobody."""
        if self._expiry is not None and self._expiry <= self._clock.now():
            return Connection(False, f"the token ran out on {self._expiry:%Y-%m-%d}")
        until = "" if self._expiry is None else f"the token runs out on {self._expiry:%Y-%m-%d}"
        if not self.can_query:
            return Connection(None, until)
        try:
            body = {"InvoiceNo": "connection-check"}
            reply = await self._post(self._config.enquiry_path, body, CALL_SECONDS)
        except NoReply as error:
            return Connection(False, f"no answer: {wire.masked(str(error))}")
        if reply.status in (401, 403):
            return Connection(False, "the gateway does not accept the token")
        if reading.read_reply(reply) is None:
            return Connection(False, f"HTTP status {reply.status}")
        return Connection(True, until)

    def _payer(self, payer: Payer) -> tuple[str, int]:
        """The phone's nine digits and the year of birth.

        Raises:
            Invalid: all that is missing or wrong, at once.
        """
        faults: dict[str, Words] = {}
        national = wire.national_mobile(payer.phone)
        if national is None or national[:2] not in self._config.prefixes:
            faults["phone"] = _PHONE
        year = payer.birth_year
        latest = self._clock.now().astimezone(TRIPOLI).year - PAYER_AGE_MIN
        if year is None:
            faults["birthYear"] = _YEAR_MISSING
        elif not BIRTH_YEAR_MIN <= year <= latest:
            faults["birthYear"] = _YEAR_REFUSED
        if faults or national is None or year is None:
            raise Invalid(faults)
        return national, year

    def _code(self, phone: str) -> Otp:
        now: datetime = self._clock.now()
        config = self._config
        return Otp(config.code_length, phone, now + config.code_life, now + config.resend_pause)

    async def _ask(self, path: str, body: Mapping[str, object]) -> reading.Said:
        """A call that charges nothing, answered with a yes.

        Raises:
            ProviderBusy, ProviderRefused, ResendTooSoon.
        """
        try:
            reply = await self._post(path, body, CALL_SECONDS)
        except NoReply as error:
            _LOG.warning("sadad_no_answer", call=path, error=str(error))
            raise ProviderBusy() from error
        if reply.status == 429:
            raise ResendTooSoon(max(1, int(self._config.resend_pause.total_seconds())))
        said = reading.read_reply(reply)
        if said is None or not (said.is_yes or said.is_no):
            _LOG.warning("sadad_unclear", call=path, status=reply.status)
            raise ProviderBusy()
        if said.is_no:
            reason = said.reason
            raise ProviderRefused(
                Words(f"was refused by Sadad: {reason}", f"رفضتها خدمة سداد: {reason}")
            )
        return said

    async def _post(
        self, path: str, body: Mapping[str, object], timeout_seconds: float
    ) -> HttpReply:
        config = self._config
        return await self._http.post_json(
            f"{config.base_url}/{path}",
            body,
            headers={"Authorization": f"Bearer {config.token}", "Accept": "application/json"},
            timeout_seconds=timeout_seconds,
            limit_bytes=wire.BODY_BYTES_MAX,
        )


def _build(fields: Mapping[str, str], tools: Tools) -> Sadad:
    def number(name: str, least: int, most: int) -> int:
        return wire.check_number(fields[name], name, least, most)

    def words(name: str) -> frozenset[str]:
        return frozenset(w.strip().lower() for w in fields[name].split(",")) - {""}

    def path(name: str) -> str:
        return wire.check_path(fields[name], name)

    config = Config(
        token=wire.check_header(fields["token"], "token"),
        base_url=wire.check_url(fields["base_url"], "base_url"),
        validate_path=path("validate_path"),
        pay_path=path("pay_path"),
        resend_path=path("resend_path"),
        enquiry_path=path("enquiry_path"),
        has_enquiry=fields["enquiry"] == "yes",
        msisdn_form=fields["msisdn_form"] if fields["msisdn_form"] in _FORMS else "9",
        year_form="number" if fields["year_form"] == "number" else "text",
        category=number("category", 0, 999),
        prefixes=words("phone_prefixes"),
        code_length=number("code_length", 3, 10),
        code_life=timedelta(seconds=number("code_seconds", 30, 3_600)),
        resend_pause=timedelta(seconds=number("resend_seconds", 1, 3_600)),
        codes=reading.Codes(
            wrong=words("wrong_codes"),
            expired=words("expired_codes"),
            state_field=fields["state_field"],
            paid=words("paid_words"),
            failed=words("failed_words"),
        ),
    )
    if (config.codes.wrong | config.codes.expired) & {
        "0"
    } or config.codes.paid & config.codes.failed:
        raise ValueError("wrong_codes, expired_codes, paid_words, failed_words exclude each other")
    return Sadad(config, tools.http, tools.clock)


def _sandbox_token() -> str:
    """As Almadar's look, signed by nobody; it runs out in 2100."""
    claims = b'{"corporateServiceId":"sandbox","iss":"Coretec","aud":"SADADPGW","exp":4102444800}'
    parts = (b'{"alg":"HS256","typ":"JWT"}', claims, b"sandbox")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


_SANDBOX_TOKEN = _sandbox_token()

GATEWAY = Gateway(
    provider="sadad",
    prefix="SADAD",
    fields=(
        Field(
            name="token",
            about="The token that Almadar issued (a JWT).",
            sandbox=_SANDBOX_TOKEN,
            published=(_SANDBOX_TOKEN,),
            is_secret=True,
            is_required=True,
            longest=4_000,
        ),
        Field(name="base_url", about="Address of the gateway."),
        Field(name="validate_path", about="Path of Validate.", default="api/Validate"),
        Field(name="pay_path", about="Path of Pay.", default="api/Pay"),
        Field(name="resend_path", about="Path for another code.", default="api/otp-resend"),
        Field(name="enquiry_path", about="Path of the enquiry.", default="api/enquiry"),
        Field(
            name="enquiry",
            about="Whether the enquiry is used as proof.",
            default="yes",
            choices=("yes", "no"),
        ),
        Field(
            name="msisdn_form",
            about="How phones are written: what stands before the nine digits' first.",
            default="9",
            choices=tuple(_FORMS),
        ),
        Field(
            name="year_form",
            about="How the year of birth is written.",
            default="text",
            choices=("text", "number"),
        ),
        Field(name="category", about="The merchant's category; 20 is online sales.", default="20"),
        Field(name="phone_prefixes", about="Phones that Sadad serves.", default="91,93"),
        Field(name="code_length", about="Digits of a code.", default="6"),
        Field(name="code_seconds", about="How long a code is good.", default="300"),
        Field(name="resend_seconds", about="Before another may be asked for.", default="60"),
        Field(
            name="wrong_codes",
            about="Status codes of Pay that mean a wrong code.",
            default="1,2",
        ),
        Field(name="expired_codes", about="Those that mean only: it has run out."),
        Field(
            name="state_field",
            about="The enquiry's member that is the state.",
            default="status",
        ),
        Field(
            name="paid_words",
            about="States that mean paid.",
            default="paid,completed,approved",
        ),
        Field(
            name="failed_words",
            about="States that mean that it will not be paid.",
            default="failed,declined,rejected,cancelled,canceled,expired",
        ),
    ),
    methods=(
        PaymentMethod(
            "sadad",
            "otp",
            "سداد (المدار)",
            "Sadad (Almadar)",
            "sadad",
            least_dirhams=10,
            step_dirhams=10,
            asks=("phone", "birthYear"),
        ),
    ),
    build=_build,
    url_fields={"base_url": ""},
    live={"base_url": "https://pgw.almadar.ly"},
    test={"base_url": "https://pgw-test.almadar.ly"},
)

"""MobiCash (Wahda Bank), spoken to directly: an assumption, off unless it is set up.

There is no public merchant API. By default the method `mobicash` is a choice on another gateway's
page (`DETOURS` in this folder's `__init__`). This adapter assumes two JSON calls with a Bearer
token: open a session (reference, amount, the payer's card of seven digits or phone), which sends a
one-time code, and confirm it with the code. Every path, name and length is a setting; whoever gets
papers from the bank may need no more than these.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import msgspec
import structlog

from eishro.adapters.payments import wire
from eishro.adapters.payments.defaults import Account, Defaults
from eishro.clock import Clock
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import (
    Answer,
    Failed,
    Intent,
    NotSent,
    Otp,
    Paid,
    Payer,
    PaymentMethod,
    ProviderBusy,
    ProviderRefused,
    Receipt,
    RefundAnswer,
    RefundIntent,
    RefundManual,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, Words
from eishro.outward import HttpReply, NoReply, WebHttp
from eishro.phones import COUNTRY, mask_phone

CALL_SECONDS = 30.0
CODE_SECONDS = 60.0
_NO = (400, 402, 403, 404, 422)  # statuses of an explicit no
_LOG = structlog.get_logger("eishro.mobicash")
_PHONE = Words(
    "must be a Libyan mobile number, where no card is given",
    "يجب أن يكون رقم هاتف ليبي محمول إذا لم يُذكر رقم البطاقة",
)
_AMOUNT = Words(
    "takes whole hundredths of a dinar only", "تقبل مبالغ لا تتجاوز منزلتين بعد الفاصلة فقط"
)
_NO_RESEND = Words(
    "sends no second code; please begin again", "لا ترسل رمزا آخر؛ يرجى بدء الدفع من جديد"
)
_NAMES = ("reference", "amount", "card", "phone", "description", "session", "expiry", "code")


class Config(Account, frozen=True, kw_only=True):
    """One merchant. `names` are the members' names in the gateway's messages."""

    SHOWN: ClassVar[tuple[str, ...]] = ("merchant_id",)

    token: str
    merchant_id: str
    base_url: str
    open_path: str
    confirm_path: str
    amount_form: Literal["number", "text"]
    card_length: int
    code_length: int
    code_life: timedelta
    wrong_codes: frozenset[str]
    expired_codes: frozenset[str]
    names: Mapping[str, str]


class Mobicash(Defaults):
    """The `PaymentProvider` for one merchant."""

    name = "mobicash"

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self._config = config
        self._http = http
        self._clock = clock

    async def start(self, intent: Intent) -> Started:
        """Open a session; its code is on the way to the payer."""
        names = self._config.names
        payer, shown = self._payer(intent.payer)
        try:
            amount = wire.dinars_text(intent.amount_dirhams)
        except ValueError:
            raise ProviderRefused(_AMOUNT) from None
        is_text = self._config.amount_form == "text"
        body = {
            names["reference"]: intent.reference,
            names["amount"]: amount if is_text else msgspec.Raw(amount.encode()),
            names["description"]: intent.reference,
            **payer,
        }
        try:
            reply = await self._post(self._config.open_path, body, CALL_SECONDS)
        except NoReply as error:
            _LOG.warning("mobicash_no_answer", call="open", error=str(error))
            raise ProviderBusy() from error
        fields = wire.read_object(reply.body)
        if fields is not None and (reply.status in _NO or fields.get("success") is False):
            reason = wire.said_by(fields, "message", "error") or "no reason given"
            raise ProviderRefused(
                Words(f"was refused by MobiCash: {reason}", f"رفضتها موبي كاش: {reason}")
            )
        session = wire.id_of(fields.get(names["session"])) if fields else None
        if reply.status not in (200, 201) or fields is None or session is None:
            _LOG.warning("mobicash_unclear", call="open", status=reply.status)
            raise ProviderBusy()
        until = _moment(fields.get(names["expiry"])) or self._clock.now() + self._config.code_life
        return Started(Otp(self._config.code_length, shown, until), {"session_id": session})

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """Charge. Sent once; what is neither a plain yes nor a plain no is unknown."""
        names, session = self._config.names, intent.session.get("session_id", "")
        if not session:
            return Failed("the payment has to begin again")
        body = {names["session"]: session, names["code"]: code}
        try:
            reply = await self._post(self._config.confirm_path, body, CODE_SECONDS)
        except NoReply as error:
            _LOG.warning("mobicash_no_answer", call="confirm", sent=error.sent)
            if not error.sent:
                return NotSent("the gateway was not reached")
            return Unknown("the gateway did not answer", is_unreachable=True)
        answer = self._confirmed(intent, reply)
        if isinstance(answer, Unknown):
            _LOG.warning("mobicash_unclear", call="confirm", status=reply.status)
        return answer

    async def resend_otp(self, intent: Intent) -> Started:
        """No call for it is assumed."""
        del intent
        raise ProviderRefused(_NO_RESEND)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """No call for it is assumed."""
        del wanted
        return RefundManual("MobiCash has no call for refunds: send the money back by hand")

    def _payer(self, payer: Payer) -> tuple[dict[str, str], str]:
        """Card or phone as it is sent, and as its owner may see it.

        Raises:
            Invalid: neither does.
        """
        names, length = self._config.names, self._config.card_length
        if payer.card:
            if not (payer.card.isascii() and payer.card.isdigit() and len(payer.card) == length):
                raise Invalid({"card": Words(f"has {length} digits", f"يتكون من {length} أرقام")})
            return {names["card"]: payer.card}, "•" * (length - 2) + payer.card[-2:]
        national = wire.national_mobile(payer.phone)
        if national is None:
            raise Invalid({"phone": _PHONE})
        return {names["phone"]: f"0{national}"}, mask_phone(COUNTRY + national)

    def _confirmed(self, intent: Intent, reply: HttpReply) -> Answer | WrongCode:
        fields = wire.read_object(reply.body)
        if reply.status == 401:
            return Failed("the gateway does not accept the shop's token")
        is_readable = fields is not None and reply.status in (200, 201, *_NO)
        if fields is None or not is_readable:
            reason = f"the gateway's answer cannot be read (HTTP {reply.status})"
            return Unknown(reason, is_unreachable=wire.is_down(reply.status))
        code = wire.text_of(fields.get("code")).lower()
        reason = wire.said_by(fields, "message", "error") or wire.masked(code)
        if code in self._config.wrong_codes or code in self._config.expired_codes:
            return WrongCode(reason, is_expired=code in self._config.expired_codes)
        is_no = reply.status in _NO or fields.get("success") is False
        if is_no:
            has_transaction = wire.id_of(fields.get(self._config.names["transaction"])) is not None
            if has_transaction:
                return Unknown("the answer contradicts itself", is_foreign=True)
            return Failed(reason)
        return self._paid(intent, fields)

    def _paid(self, intent: Intent, fields: Mapping[str, Any]) -> Answer:
        names = self._config.names
        transaction = wire.id_of(fields.get(names["transaction"]))
        told = wire.text_of(fields.get(names["reference"]))
        currency = wire.text_of(fields.get("currency")).upper()
        amount = fields.get(names["amount"])
        dirhams = intent.amount_dirhams if amount is None else wire.dirhams_of(amount)
        is_ours = told in ("", intent.reference) and currency in ("", "LYD", "434")
        if transaction is None or dirhams is None or not is_ours or fields.get("error"):
            reason = "the answer is of something else, or cannot be read"
            return Unknown(reason, is_foreign=not is_ours)
        receipt = Receipt(
            provider_reference=transaction,
            terminal=self._config.merchant_id,
            amount_dirhams=dirhams,
            currency="LYD",
        )
        return Paid((receipt,))

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


def _moment(value: object) -> datetime | None:
    """An ISO 8601 instant; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(wire.text_of(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _build(fields: Mapping[str, str], tools: Tools) -> Mobicash:
    def words(name: str) -> frozenset[str]:
        return frozenset(w.strip().lower() for w in fields[name].split(",")) - {""}

    config = Config(
        token=wire.check_header(fields["token"], "token"),
        merchant_id=wire.check_header(fields["merchant_id"], "merchant_id"),
        base_url=wire.check_url(fields["base_url"], "base_url"),
        open_path=wire.check_path(fields["open_path"], "open_path"),
        confirm_path=wire.check_path(fields["confirm_path"], "confirm_path"),
        amount_form="text" if fields["amount_form"] == "text" else "number",
        card_length=wire.check_number(fields["card_length"], "card_length", 4, 19),
        code_length=wire.check_number(fields["code_length"], "code_length", 3, 10),
        code_life=timedelta(
            seconds=wire.check_number(fields["code_seconds"], "code_seconds", 30, 3_600)
        ),
        wrong_codes=words("wrong_codes"),
        expired_codes=words("expired_codes"),
        names={name: fields[f"{name}_name"] for name in (*_NAMES, "transaction")},
    )
    return Mobicash(config, tools.http, tools.clock)


def _name(name: str, default: str) -> Field:
    return Field(name=f"{name}_name", about=f"Member with the {name}.", default=default)


GATEWAY = Gateway(
    provider="mobicash",
    prefix="MOBICASH",
    fields=(
        Field(
            name="merchant_id",
            about="The merchant's number at the bank.",
            sandbox="sandbox-mobicash",
            published=("sandbox-mobicash",),
            is_required=True,
        ),
        Field(
            name="token",
            about="The merchant's token.",
            sandbox="sandbox-mobicash-token",
            published=("sandbox-mobicash-token",),
            is_secret=True,
            is_required=True,
        ),
        Field(name="base_url", about="Address of the API.", is_required=True),
        Field(name="open_path", about="Path that opens a session.", default="sessions"),
        Field(
            name="confirm_path",
            about="Path that confirms a session with the code.",
            default="sessions/confirm",
        ),
        Field(
            name="amount_form",
            about="How amounts are written.",
            default="number",
            choices=("number", "text"),
        ),
        Field(name="card_length", about="Digits of the payer's card.", default="7"),
        Field(name="code_length", about="Digits of a code.", default="6"),
        Field(name="code_seconds", about="How long a code is good.", default="300"),
        Field(name="wrong_codes", about="Codes of a wrong code.", default="invalid_otp"),
        Field(name="expired_codes", about="Codes of one that ran out.", default="otp_expired"),
        _name("reference", "reference"),
        _name("amount", "amount"),
        _name("card", "card"),
        _name("phone", "phone"),
        _name("description", "description"),
        _name("session", "sessionId"),
        _name("expiry", "expiresAt"),
        _name("code", "otp"),
        _name("transaction", "transactionId"),
    ),
    methods=(
        PaymentMethod(
            "mobicash",
            "otp",
            "موبي كاش",
            "MobiCash",
            "mobicash",
            least_dirhams=10,
            step_dirhams=10,
            asks=("card",),
        ),
    ),
    build=_build,
    url_fields={"base_url": ""},
    is_off_by_default=True,
)

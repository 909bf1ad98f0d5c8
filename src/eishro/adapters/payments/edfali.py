"""Edfali (Adfali), the wallet of the Bank of Commerce and Development: a code by SMS, over SOAP.

Papers: none are public; several independent integrations agree on the two methods and their
fields, read 2026-11. Units on the wire: decimal dinars. Quirks:

* success of `DoPTrans` is a number (the session), of `OnlineConfTrans` the word OK; everything
  else is an error word in any case, or nothing at all for a number that is not registered;
* in `OnlineConfTrans` the field `Pin` is the payer's code, and PW then means that it is wrong;
* nothing can be asked afterwards, and nothing goes back through it.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal

import structlog

from eishro.adapters.payments.defaults import Account, Defaults
from eishro.adapters.payments.wire import check_number, dinars_text, is_down
from eishro.adapters.soap import read_answer, soap_call, soap_headers
from eishro.clock import Clock
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import (
    Answer,
    Failed,
    Intent,
    NotSent,
    Otp,
    Paid,
    PaymentMethod,
    ProviderBusy,
    ProviderRefused,
    Receipt,
    ResendTooSoon,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, Words
from eishro.outward import HttpReply, NoReply, WebHttp
from eishro.phones import COUNTRY, mask_phone, normalise_mobile

TIMEOUT_SECONDS = 30.0
CONFIRM_SECONDS = 60.0
REPLY_BYTES_MAX = 64_000
DIRHAMS_OF_DINAR = 1_000

_SESSION = re.compile(r"[1-9][0-9]{0,31}")
_CREDENTIALS = ("PW", "PW1", "IP")  # ours are wrong, or our address is not known there
# A clear no to the second call: nothing was taken. What is not here may have been.
_REFUSALS = ("ACC", "LIMIT", "LMT", "BAL", "NO", "AMT", "PW1", "IP", "OFF")

_NOT_REGISTERED = Words("is not registered with Edfali", "غير مسجل في خدمة ادفع لي")
_NOT_MOBILE = Words(
    "must be a Libyan mobile number registered with Edfali",
    "يجب أن يكون رقم هاتف محمول ليبي مسجلا في ادفع لي",
)
_WHOLE_DINARS = Words(
    "Edfali takes whole dinars only.", "خدمة ادفع لي تقبل مبالغ بالدينار الصحيح فقط."
)
_REASONS = {
    "ACC": Words("The Edfali account is not active.", "حساب ادفع لي غير مفعل."),
    "LIMIT": Words(
        "The amount is outside the limits of the account.", "المبلغ خارج حدود الحساب المسموح بها."
    ),
    "BAL": Words("The account's balance does not suffice.", "رصيد الحساب غير كاف."),
    "AMT": Words("Edfali does not take this amount.", "خدمة ادفع لي لا تقبل هذا المبلغ."),
    "DUP": Words(
        "The same payment is under way already; please wait a little.",
        "العملية نفسها قيد التنفيذ؛ يرجى الانتظار قليلا.",
    ),
}
_SAME = {"LMT": "LIMIT"}

_LOG = structlog.get_logger("eishro.edfali")


class Config(Account, frozen=True, kw_only=True):
    """One merchant's account. `merchant_mobile` has 9 digits, without the 0 in front.

    `amount_form` is what the bank takes: dinars with two decimals or whole ones; `payer_form` how
    it wants the payer's number: +2189XXXXXXXX or 9XXXXXXXX. Words are upper case.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("merchant_mobile",)

    merchant_mobile: str
    merchant_pin: str
    service_password: str
    base_url: str
    namespace: str = "http://tempuri.org/"
    amount_form: Literal["decimals", "whole"] = "decimals"
    payer_form: Literal["international", "national"] = "international"
    code_length: int = 4
    code_seconds: int = 300
    resend_seconds: int = 60
    wrong_code_words: tuple[str, ...] = ("PW",)
    expired_words: tuple[str, ...] = ("TIME",)


class Edfali(Defaults):
    """The `PaymentProvider` for one merchant.

    Raises:
        ValueError: a field cannot be used; the message names it, never its value.
    """

    name = "edfali"

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        # Seen now, not when the first payer waits.
        soap_call(
            config.namespace,
            "DoPTrans",
            {"merchant_pin": config.merchant_pin, "service_password": config.service_password},
        )
        self._config = config
        self._http = http
        self._clock = clock

    async def start(self, intent: Intent) -> Started:
        """The bank texts the payer a code."""
        phone = normalise_mobile(intent.payer.phone or "")
        if phone is None:
            raise Invalid({"phone": _NOT_MOBILE})
        try:
            amount_text(intent.amount_dirhams, self._config.amount_form)
        except ValueError as error:
            is_whole = self._config.amount_form == "whole"
            raise ProviderRefused(_WHOLE_DINARS if is_whole else _REASONS["AMT"]) from error
        return await self._open(intent, phone)

    async def resend_otp(self, intent: Intent) -> Started:
        """There is no call for it: a new session, which the next code belongs to."""
        phone = intent.session.get("phone")
        if phone is None:
            raise ProviderBusy()
        try:
            return await self._open(intent, phone)
        except ProviderRefused as refused:
            if refused.faults.get("method") is _REASONS["DUP"]:
                raise ResendTooSoon(self._config.resend_seconds) from refused
            raise

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """Confirm with the payer's code, once; OK alone is a yes."""
        session = intent.session.get("session")
        if session is None or intent.session.get("amount") != str(intent.amount_dirhams):
            return WrongCode("the session is gone", is_expired=True)
        if not re.fullmatch(r"[0-9]{1,20}", code):
            return WrongCode("not a code")
        method = "OnlineConfTrans"
        values = {
            "Mobile": self._config.merchant_mobile,
            "Pin": code,
            "sessionID": session,
            "PW": self._config.service_password,
        }
        try:
            reply = await self._call(method, values, CONFIRM_SECONDS)
        except NoReply as error:
            if not error.sent:
                return NotSent("the bank was not reached")
            _LOG.warning("edfali_unknown", reference=intent.reference, reason="no reply")
            return Unknown("no reply", is_unreachable=True)
        return self._outcome(intent, session, reply)

    def _outcome(self, intent: Intent, session: str, reply: HttpReply) -> Answer | WrongCode:
        word = self._word(reply, "OnlineConfTrans")
        if word is None or reply.status != 200:
            _LOG.warning("edfali_unknown", reference=intent.reference, status=reply.status)
            is_silent = is_down(reply.status) and reply.status != 500  # which faults come with
            return Unknown(
                f"HTTP status {reply.status} without an answer", is_unreachable=is_silent
            )
        if word == "OK":
            receipt = Receipt(
                provider_reference=session,
                terminal=self._config.merchant_mobile,
                amount_dirhams=intent.amount_dirhams,
                currency="LYD",
                details={"payer": mask_phone(intent.session.get("phone", ""))},
            )
            return Paid((receipt,))
        if word in self._config.wrong_code_words:
            return WrongCode(word)
        if word in self._config.expired_words:
            return WrongCode(word, is_expired=True)
        if word in _REFUSALS:
            reason = _REASONS.get(_SAME.get(word, word))
            return Failed(reason.en if reason else f"Edfali says {word}.")
        _LOG.warning("edfali_unknown", reference=intent.reference, word=word[:20])
        return Unknown(f"the bank says {word[:20]!r}")

    async def _open(self, intent: Intent, phone: str) -> Started:
        config = self._config
        values = {
            "Mobile": config.merchant_mobile,
            "Pin": config.merchant_pin,
            "Cmobile": phone if config.payer_form == "international" else phone[len(COUNTRY) :],
            "Amount": amount_text(intent.amount_dirhams, config.amount_form),
            "PW": config.service_password,
        }
        try:
            reply = await self._call("DoPTrans", values, TIMEOUT_SECONDS)
        except NoReply as error:
            raise ProviderBusy() from error
        session = self._session(reply)
        now = self._clock.now()
        return Started(
            Otp(
                length=config.code_length,
                masked_phone=mask_phone(phone),
                expires_at=now + timedelta(seconds=config.code_seconds),
                resend_at=now + timedelta(seconds=config.resend_seconds),
            ),
            {"session": session, "phone": phone, "amount": str(intent.amount_dirhams)},
        )

    def _session(self, reply: HttpReply) -> str:
        """The number of the session that was opened.

        Raises:
            Invalid: the payer's number is not known. ProviderRefused, ProviderBusy.
        """
        word = self._word(reply, "DoPTrans")
        if reply.status != 200 or word is None:
            _LOG.warning("edfali_no_session", status=reply.status)
            raise ProviderBusy()
        if _SESSION.fullmatch(word):
            return word
        if word in ("", "NO"):
            raise Invalid({"phone": _NOT_REGISTERED})
        reason = _REASONS.get(_SAME.get(word, word))
        if reason is not None:
            raise ProviderRefused(reason)
        # SYS, TIME, OFF, or our credentials: the payer cannot help it, the operator can.
        event = "edfali_credentials_refused" if word in _CREDENTIALS else "edfali_no_session"
        _LOG.warning(event, word=word[:20])
        raise ProviderBusy()

    def _word(self, reply: HttpReply, method: str) -> str | None:
        """The answer in upper case; None if there is none."""
        answer = read_answer(reply.body, self._config.namespace, method)
        if answer is None or answer.result is None:
            return None
        return answer.result.strip().upper()

    async def _call(
        self, method: str, values: Mapping[str, str], timeout_seconds: float
    ) -> HttpReply:
        return await self._http.send(
            "POST",
            self._config.base_url,
            soap_call(self._config.namespace, method, values),
            headers=soap_headers(self._config.namespace, method),
            timeout_seconds=timeout_seconds,
            limit_bytes=REPLY_BYTES_MAX,
        )


def amount_text(dirhams: int, form: Literal["decimals", "whole"]) -> str:
    """Dinars as the bank takes them: `25.50`, or `25`.

    Raises:
        ValueError: the amount cannot be said so.
    """
    if form == "decimals":
        return dinars_text(dirhams)
    if dirhams <= 0 or dirhams % DIRHAMS_OF_DINAR:
        raise ValueError("the amount cannot be carried")
    return str(dirhams // DIRHAMS_OF_DINAR)


def _build(fields: Mapping[str, str], tools: Tools) -> Edfali:
    mobile = normalise_mobile(fields["merchant_mobile"])
    if mobile is None:
        raise ValueError("EISHRO_EDFALI_MERCHANT_MOBILE must be a Libyan mobile number")
    config = Config(
        merchant_mobile=mobile.removeprefix(COUNTRY),
        merchant_pin=fields["merchant_pin"],
        service_password=fields["service_password"],
        base_url=fields["base_url"],
        namespace=fields["namespace"],
        amount_form="whole" if fields["amount_form"] == "whole" else "decimals",
        payer_form="national" if fields["payer_form"] == "national" else "international",
        code_length=_number(fields, "code_length", 3, 10),
        code_seconds=_number(fields, "code_seconds", 30, 3_600),
        resend_seconds=_number(fields, "resend_seconds", 0, 3_600),
        wrong_code_words=_words(fields["wrong_code_words"]),
        expired_words=_words(fields["expired_words"]),
    )
    return Edfali(config, tools.http, tools.clock)


def _number(fields: Mapping[str, str], name: str, least: int, most: int) -> int:
    return check_number(fields[name], f"EISHRO_EDFALI_{name.upper()}", least, most)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().upper() for word in text.split(",") if word.strip())


GATEWAY = Gateway(
    provider="edfali",
    prefix="EDFALI",
    fields=(
        Field(
            name="merchant_mobile",
            about="The merchant's mobile number at the bank.",
            sandbox="0910000001",
            is_required=True,
        ),
        Field(
            name="merchant_pin",
            about="The merchant's PIN.",
            sandbox="2580",
            is_secret=True,
            is_required=True,
        ),
        Field(
            name="service_password",
            about="Password of the service, given by the bank.",
            sandbox="simulated & <unreal>",
            is_secret=True,
            is_required=True,
        ),
        Field(
            name="base_url",
            about="Address of the service.",
            default="https://edfali.bcd.ly/api/BCDUssd/NewEdfali.asmx",
        ),
        Field(
            name="namespace", about="XML namespace of the service.", default="http://tempuri.org/"
        ),
        Field(
            name="amount_form",
            about="Dinars with two decimals, or whole ones.",
            default="decimals",
            choices=("decimals", "whole"),
            bounds_amounts=True,
        ),
        Field(
            name="payer_form",
            about="The payer's number as +2189XXXXXXXX or as 9XXXXXXXX.",
            default="international",
            choices=("international", "national"),
        ),
        Field(name="code_length", about="Digits of the code.", default="4"),
        Field(name="code_seconds", about="How long a code is good for.", default="300"),
        Field(
            name="resend_seconds", about="Seconds before another code may be sent.", default="60"
        ),
        Field(
            name="wrong_code_words",
            about="Words that mean a wrong code, with commas.",
            default="PW",
        ),
        Field(
            name="expired_words",
            about="Words that mean a code that has run out, with commas; `none`: treat as unclear.",
            default="TIME",
        ),
    ),
    methods=(
        PaymentMethod(
            "edfali",
            "otp",
            "ادفع لي",
            "Edfali",
            "edfali",
            least_dirhams=10,
            step_dirhams=10,
            asks=("phone",),
        ),
    ),
    build=_build,
    url_fields={"base_url": "/api/BCDUssd/NewEdfali.asmx"},
)

"""OnePay through Masarat, which runs several banks' wallets: sign in, open a session, a code.

Papers: none are public; one PHP SDK, read 2026-11 (`masarat_calls.py` sends, `masarat_reading.py`
reads). Units on the wire: decimal dinars as a JSON number. Quirks:

* two tokens are meant by one header: the sign-in's opens sessions, a session's completes it;
* `transactionId` is ours and taken once, so another code is another session with another id;
* a refund is a session too (operation 2), and wants a code like a sale;
* nothing can be asked afterwards.
"""

import re
from collections.abc import Mapping
from datetime import timedelta

import structlog

from eishro.adapters.payments.defaults import Defaults
from eishro.adapters.payments.masarat_calls import CONFIRM_SECONDS, REFUND, SALE, Calls, Config
from eishro.adapters.payments.masarat_reading import Meanings, Token, read_completion
from eishro.adapters.payments.wire import check_number
from eishro.clock import Clock
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import (
    Answer,
    Connection,
    Failed,
    Intent,
    NotSent,
    Otp,
    PaymentMethod,
    ProviderBusy,
    ProviderRefused,
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundManual,
    RefundRefused,
    RefundUnknown,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid, Words
from eishro.outward import NoReply, WebHttp

SESSIONS_MAX = 20  # of one payment

_AMOUNT = Words("OnePay does not take this amount.", "ون باي لا تقبل هذا المبلغ.")

_LOG = structlog.get_logger("eishro.masarat")


class Masarat(Defaults):
    """The `PaymentProvider` for one merchant."""

    name = "masarat"

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self.can_refund = bool(config.refund_code)
        self._config = config
        self._calls = Calls(config, http, clock)
        self._clock = clock

    async def start(self, intent: Intent) -> Started:
        """A session is opened, and the bank texts the payer a code."""
        card = intent.payer.card or ""
        if not (card.isascii() and card.isdigit() and len(card) in self._config.card_lengths):
            raise Invalid({"card": _card_words(self._config.card_lengths)})
        return await self._sell(intent, card, 1)

    async def resend_otp(self, intent: Intent) -> Started:
        """There is no call for it: a new session under another id."""
        card, count = intent.session.get("card"), intent.session.get("count", "")
        if card is None or not count.isdigit() or int(count) >= SESSIONS_MAX:
            raise ProviderBusy()
        return await self._sell(intent, card, int(count) + 1)

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        """Complete the session with the payer's code, once; only type 1 is a yes."""
        token = Token.of(intent.session)
        if token is None or intent.session.get("amount") != str(intent.amount_dirhams):
            return WrongCode("the session is gone", is_expired=True)
        if token.valid_to is not None and self._clock.now() >= token.valid_to:
            return WrongCode("the session has run out", is_expired=True)
        if not re.fullmatch(r"[0-9]{1,20}", code):
            return WrongCode("not a code")
        try:
            reply = await self._calls.call(
                self._config.complete_path, {"otp": code}, token, CONFIRM_SECONDS
            )
        except NoReply as error:
            if not error.sent:
                return NotSent("the gateway was not reached")
            _LOG.warning("masarat_unknown", reference=intent.reference, reason="no reply")
            return Unknown("no reply", is_unreachable=True)
        found = read_completion(
            reply,
            self._config.meanings,
            transaction=intent.session.get("transaction", ""),
            terminal=self._config.terminal,
            asked_dirhams=intent.amount_dirhams,
        )
        if isinstance(found, Unknown):
            _LOG.warning("masarat_unknown", reference=intent.reference, status=reply.status)
        return found

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """A session that gives back, where a code for it was agreed. It cannot be asked about, so
        one that may have happened is never sent again.
        """
        card = wanted.session.get("card", "")
        if not (self._config.refund_code and card) or wanted.currency != "LYD":
            return RefundManual("OnePay refunds are made by hand")
        if (answer := self._not_tried(wanted)) is not None:
            return answer
        stamp = int(self._clock.now().timestamp() * 1000)
        transaction = f"{wanted.reference}-R{stamp}"
        try:
            token = await self._calls.open(wanted.amount_dirhams, card, transaction, REFUND)
        except ProviderRefused:
            return RefundRefused("the gateway refuses")
        except ProviderBusy:
            return RefundLater("no session was opened")
        return await self._give_back(token, transaction, wanted.amount_dirhams)

    async def check_connection(self) -> Connection:
        """Signing in moves nothing."""
        self._calls.forget()
        try:
            await self._calls.sign_in()
        except ProviderBusy:
            return Connection(works=False, detail="Masarat did not sign us in")
        return Connection(works=True)

    def _not_tried(self, wanted: RefundIntent) -> RefundAnswer | None:
        if wanted.sent_at is not None:
            return RefundUnknown("nobody can be asked what became of it", sent=False)
        if wanted.terminal != self._config.terminal:
            return RefundLater("the money came to another merchant")
        if wanted.amount_dirhams > wanted.receipt_dirhams - wanted.known_dirhams:
            return RefundRefused("more than is left of the money")
        return None

    async def _give_back(self, token: Token, transaction: str, dirhams: int) -> RefundAnswer:
        code = {"otp": self._config.refund_code}
        try:
            reply = await self._calls.call(self._config.complete_path, code, token, CONFIRM_SECONDS)
        except NoReply as error:
            reason = "no reply"
            return RefundUnknown(reason) if error.sent else RefundLater(reason)
        found = read_completion(
            reply,
            self._config.meanings,
            transaction=transaction,
            terminal=self._config.terminal,
            asked_dirhams=dirhams,
        )
        if isinstance(found, Unknown):
            return RefundUnknown(found.reason)
        if isinstance(found, Failed | WrongCode):
            return RefundRefused(found.reason)
        if found.receipts[0].amount_dirhams != dirhams:
            return RefundUnknown("the gateway gave back another amount")
        return Refunded(transaction)

    async def _sell(self, intent: Intent, card: str, count: int) -> Started:
        dirhams = intent.amount_dirhams
        if dirhams <= 0 or dirhams % 10:
            raise ProviderRefused(_AMOUNT)
        transaction = intent.reference if count == 1 else f"{intent.reference}-{count}"
        token = await self._calls.open(dirhams, card, transaction, SALE)
        now = self._clock.now()
        ends = now + timedelta(seconds=self._config.code_seconds)
        return Started(
            Otp(
                length=self._config.code_length,
                masked_phone="•" * (len(card) - 2) + card[-2:],
                expires_at=ends if token.valid_to is None else min(ends, token.valid_to),
                resend_at=now + timedelta(seconds=self._config.resend_seconds),
            ),
            {
                **token.session,
                "transaction": transaction,
                "count": str(count),
                "card": card,
                "amount": str(dirhams),
            },
        )


def _card_words(lengths: tuple[int, ...]) -> Words:
    return Words(
        f"must be the wallet's card number, {' or '.join(map(str, lengths))} digits",
        f"يجب أن يكون رقم بطاقة المحفظة، وعدد أرقامه {' أو '.join(map(str, lengths))}",
    )


def _build(fields: Mapping[str, str], tools: Tools) -> Masarat:
    config = Config(
        base_url=fields["base_url"],
        user_id=_number(fields, "user_id"),
        pin=fields["pin"],
        provider_id=_number(fields, "provider_id"),
        auth_user_type=_number(fields, "auth_user_type"),
        sign_in_path=fields["sign_in_path"],
        open_path=fields["open_path"],
        complete_path=fields["complete_path"],
        card_lengths=_numbers(fields, "card_lengths"),
        code_length=_number(fields, "code_length"),
        code_seconds=_number(fields, "code_seconds"),
        resend_seconds=_number(fields, "resend_seconds"),
        refund_code=fields["refund_code"],
        meanings=Meanings(
            success_type=_number(fields, "success_type"),
            failure_types=_numbers(fields, "failure_types"),
            wrong_code=_parts(fields["wrong_code_texts"]),
            expired=_parts(fields["expired_texts"]),
            unclear=_parts(fields["unclear_texts"]),
        ),
    )
    return Masarat(config, tools.http, tools.clock)


def _number(fields: Mapping[str, str], name: str) -> int:
    return check_number(fields[name], f"EISHRO_MASARAT_{name.upper()}", 0, 999_999_999)


def _numbers(fields: Mapping[str, str], name: str) -> tuple[int, ...]:
    parts = _parts(fields[name])
    if not all(re.fullmatch(r"[0-9]{1,3}", part) for part in parts):
        raise ValueError(f"EISHRO_MASARAT_{name.upper()} must be whole numbers with commas")
    return tuple(int(part) for part in parts)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip().casefold() for part in text.split(",") if part.strip())


GATEWAY = Gateway(
    provider="masarat",
    prefix="MASARAT",
    fields=(
        Field(name="base_url", about="Address given by Masarat.", is_required=True),
        Field(name="user_id", about="The merchant's number.", sandbox="700100", is_required=True),
        Field(
            name="pin",
            about="The merchant's PIN.",
            sandbox="simulated-pin",
            is_secret=True,
            is_required=True,
        ),
        Field(name="provider_id", about="Number of the bank.", sandbox="7", is_required=True),
        Field(name="auth_user_type", about="Kind of user that signs in.", default="1"),
        Field(
            name="sign_in_path",
            about="Path of signing in.",
            default="/api/OnlinePaymentServices/Signin",
        ),
        Field(
            name="open_path",
            about="Path of opening a session.",
            default="/api/OnlinePaymentServices/OpenSession",
        ),
        Field(
            name="complete_path",
            about="Path of completing a session.",
            default="/api/OnlinePaymentServices/CompleteSession",
        ),
        Field(name="card_lengths", about="Digits of a payer's card, with commas.", default="9,10"),
        Field(name="code_length", about="Digits of the code.", default="6"),
        Field(name="code_seconds", about="How long a code is good for.", default="300"),
        Field(
            name="resend_seconds", about="Seconds before another code may be sent.", default="60"
        ),
        Field(
            name="refund_code",
            about="Code that completes a session which gives money back; empty: people do it.",
            is_secret=True,
        ),
        Field(name="success_type", about="Envelope type of a yes.", default="1"),
        Field(name="failure_types", about="Envelope types of a no, with commas.", default="3"),
        Field(
            name="wrong_code_texts",
            about="Parts of a no that mean a wrong code, with commas.",
            default="otp,رمز",
        ),
        Field(
            name="expired_texts",
            about="Parts of a no that mean a code or session that has run out, with commas.",
            default="expired,منتهي,انتهت",
        ),
        Field(
            name="unclear_texts",
            about="Parts of a no that leave open what happened, with commas.",
            default="timeout,timed out,pending,processing",
        ),
    ),
    methods=(
        PaymentMethod(
            "onepay",
            "otp",
            "ون باي",
            "OnePay",
            "masarat",
            least_dirhams=10,
            step_dirhams=10,
            asks=("card",),
            aliases=("1pay",),
        ),
    ),
    build=_build,
    url_fields={"base_url": ""},
)

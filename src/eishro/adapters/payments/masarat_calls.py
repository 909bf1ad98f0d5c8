"""Masarat's calls: signing in, opening a session, and whatever else is posted to it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
import structlog

from eishro.adapters.payments.defaults import Account
from eishro.adapters.payments.masarat_reading import Meanings, Token, read_envelope, read_token
from eishro.clock import Clock
from eishro.domain.payments.port import ProviderBusy, ProviderRefused
from eishro.errors import Words
from eishro.money import decimal_from_dirhams
from eishro.outward import HttpReply, NoReply, WebHttp

TIMEOUT_SECONDS = 30.0
CONFIRM_SECONDS = 60.0
REPLY_BYTES_MAX = 64_000
TOKEN_SLACK = timedelta(seconds=60)  # a token that is about to run out is not used any more
SALE, REFUND = 1, 2

_REFUSED = Words("The bank refused this card or amount.", "رفض المصرف هذه البطاقة أو هذا المبلغ.")

_LOG = structlog.get_logger("eishro.masarat")


class Config(Account, frozen=True, kw_only=True):
    """One merchant. Numbers are as Masarat gave them; `card_lengths` are the digits that a payer's
    identity card may have. A `refund_code` is what completes a session that gives money back;
    empty: people give it back.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("user_id", "provider_id")

    base_url: str
    user_id: int
    pin: str
    provider_id: int
    auth_user_type: int = 1
    sign_in_path: str = "/api/OnlinePaymentServices/Signin"
    open_path: str = "/api/OnlinePaymentServices/OpenSession"
    complete_path: str = "/api/OnlinePaymentServices/CompleteSession"
    card_lengths: tuple[int, ...] = (9, 10)
    code_length: int = 6
    code_seconds: int = 300
    resend_seconds: int = 60
    refund_code: str = ""
    meanings: Meanings = Meanings()

    @property
    def terminal(self) -> str:
        """The merchant at Masarat."""
        return f"{self.provider_id}-{self.user_id}"


class Calls:
    """What is sent for one merchant, and the token of its sign-in."""

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._token: Token | None = None
        self._signing = asyncio.Lock()  # many that begin at once sign in once

    def forget(self) -> None:
        """Sign in anew before the next call."""
        self._token = None

    async def open(self, dirhams: int, card: str, transaction: str, operation: int) -> Token:
        """The session's token.

        Raises:
            ProviderBusy, ProviderRefused: nothing was charged.
        """
        body = {
            # Exactly as many decimals as the wire has; a number, not text.
            "amount": msgspec.Raw(f"{decimal_from_dirhams(dirhams):.2f}".encode()),
            "identityCard": card,
            "transactionId": transaction,
            "onlineOperation": operation,
        }
        reply = await self._ask(self._config.open_path, body, await self.sign_in())
        if reply.status == 401:  # the token was ended early; refused, so the id is still good
            self._token = None
            reply = await self._ask(self._config.open_path, body, await self.sign_in())
        token = read_token(reply, self._config.meanings)
        if token is not None:
            return token
        envelope = read_envelope(reply)
        if envelope is not None and envelope.type in self._config.meanings.failure_types:
            _LOG.info("masarat_refused", trace=envelope.trace)
            raise ProviderRefused(_REFUSED)
        _LOG.warning("masarat_no_session", status=reply.status)
        raise ProviderBusy()

    async def sign_in(self) -> Token:
        """A token that opens sessions, kept until it runs out.

        Raises:
            ProviderBusy
        """
        async with self._signing:
            until = self._token.valid_to if self._token is not None else None
            if self._token is not None and until and self._clock.now() < until - TOKEN_SLACK:
                return self._token
            body = {
                "userId": self._config.user_id,
                "pin": self._config.pin,
                "providerId": self._config.provider_id,
                "authUserType": self._config.auth_user_type,
            }
            reply = await self._ask(self._config.sign_in_path, body, None)
            self._token = read_token(reply, self._config.meanings)
            if self._token is None:
                _LOG.warning("masarat_not_signed_in", status=reply.status)
                raise ProviderBusy()
            return self._token

    async def _ask(self, path: str, body: Mapping[str, Any], token: Token | None) -> HttpReply:
        """A call that charges nothing.

        Raises:
            ProviderBusy
        """
        try:
            return await self.call(path, body, token, TIMEOUT_SECONDS)
        except NoReply as error:
            raise ProviderBusy() from error

    async def call(
        self, path: str, body: Mapping[str, Any], token: Token | None, timeout_seconds: float
    ) -> HttpReply:
        return await self._http.post_json(
            self._config.base_url.rstrip("/") + path,
            body,
            headers={} if token is None else {"Authorization": f"Bearer {token.value}"},
            timeout_seconds=timeout_seconds,
            limit_bytes=REPLY_BYTES_MAX,
        )

"""Calls to Mastercard's gateway for one merchant, and refunds through them.

A refund is a transaction whose number we choose. The vendor says that the same one sent again
gives the first one's answer; here the order is read first all the same, every time.
"""

import base64
from datetime import timedelta
from typing import Any, ClassVar, Literal

import msgspec
import structlog

from eishro.adapters.payments.defaults import Account
from eishro.adapters.payments.mpgs_reading import (
    IN,
    OUT,
    REPLY_BYTES_MAX,
    VOID,
    GatewayOrder,
    Line,
    cause_of,
    minor_of,
    read_json,
    read_order,
    receipt_id,
    word_at,
)
from eishro.adapters.payments.wire import amount_text
from eishro.clock import Clock
from eishro.domain.payments.port import (
    RefundAnswer,
    Refunded,
    RefundIntent,
    RefundLater,
    RefundManual,
    RefundRefused,
    RefundUnknown,
    Unknown,
)
from eishro.money import EXPONENTS
from eishro.outward import HttpReply, NoReply, WebHttp

TIMEOUT_SECONDS = 30.0
RESEND_AFTER = timedelta(minutes=2)  # longer than any call may take

_LOG = structlog.get_logger("eishro.mpgs")


class Config(Account, frozen=True, kw_only=True):
    """One merchant. An empty `notification_secret` closes the door for notifications; `page_path`
    is where the payer pays, with `{session}` in it.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("merchant_id",)

    base_url: str
    merchant_id: str
    api_password: str
    notification_secret: str = ""
    api_version: str = "100"
    merchant_name: str = "Shop"
    page_path: str = "/checkout/pay/{session}?checkoutVersion=1.0.0"


class Calls:
    """What is sent for one merchant."""

    def __init__(self, config: Config, http: WebHttp) -> None:
        self._http = http
        self._root = (
            f"{config.base_url.rstrip('/')}/api/rest/version/{config.api_version}"
            f"/merchant/{config.merchant_id}"
        )
        pair = f"merchant.{config.merchant_id}:{config.api_password}".encode()
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode(),
            "Content-Type": "application/json",
        }
        self._merchant_id = config.merchant_id

    async def send(self, method: Literal["POST", "PUT"], path: str, body: Any) -> HttpReply:
        """POST or PUT below the merchant.

        Raises:
            NoReply
        """
        return await self._http.send(
            method,
            self._root + path,
            msgspec.json.encode(body),
            headers=self._headers,
            timeout_seconds=TIMEOUT_SECONDS,
            limit_bytes=REPLY_BYTES_MAX,
        )

    async def get(self, path: str) -> HttpReply:
        """GET below the merchant.

        Raises:
            NoReply
        """
        headers = {"Authorization": self._headers["Authorization"]}
        return await self._http.get(
            self._root + path,
            headers=headers,
            timeout_seconds=TIMEOUT_SECONDS,
            limit_bytes=REPLY_BYTES_MAX,
        )

    async def order(self, reference: str) -> GatewayOrder | Unknown:
        """The order as the gateway shows it now."""
        try:
            reply = await self.get(f"/order/{reference}")
        except NoReply as error:
            return Unknown(f"no reply: {error}"[:200], is_unreachable=True)
        found = read_order(reply, self._merchant_id, reference)
        if isinstance(found, Unknown) and found.reason != "not found":
            _LOG.warning("mpgs_no_order", reference=reference, reason=found.reason)
        return found


class Refunds:
    """Giving money back, by transactions of the order it came with."""

    def __init__(self, config: Config, calls: Calls, clock: Clock) -> None:
        self._merchant_id = config.merchant_id
        self._calls = calls
        self._clock = clock

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """What became of the refund; it is sent if the order does not show it already."""
        if wanted.currency != "USD" or not wanted.amount_minor or wanted.amount_minor < 0:
            return RefundManual("the money did not come in a currency of this gateway")
        if wanted.terminal != self._merchant_id:
            return _not_now(wanted, "the money came to another merchant")
        order = await self._calls.order(wanted.reference)
        if isinstance(order, Unknown):
            return _not_now(wanted, order.reason)
        number = number_of(wanted)
        if (answer := self._look(wanted, order, number)) is not None:
            return answer
        return await self._send(wanted, number)

    def _look(self, wanted: RefundIntent, order: GatewayOrder, number: str) -> RefundAnswer | None:
        """What the order says; None: the refund is to be sent now."""
        if (reason := order.contradiction) is not None or order.currency != wanted.currency:
            return _not_now(wanted, f"the gateway contradicts itself: {reason or order.currency}")
        for line in order.lines:
            if line.id == number:
                return _outcome(wanted, line)
        if not any(_is_receipt(wanted, line) for line in order.lines):
            return _not_now(wanted, "the gateway does not show the payment")
        if wanted.sent_at is not None and self._clock.now() < wanted.sent_at + RESEND_AFTER:
            return RefundUnknown("the gateway does not show the refund yet", sent=False)
        left = order.sum(IN) - order.sum(VOID) - order.sum(OUT)
        if (wanted.amount_minor or 0) > left:
            return RefundRefused(f"the gateway has {left} of its smallest units left")
        return None

    async def _send(self, wanted: RefundIntent, number: str) -> RefundAnswer:
        amount = {"amount": dollars(wanted.amount_minor or 0), "currency": wanted.currency}
        body = {"apiOperation": "REFUND", "transaction": amount}
        path = f"/order/{wanted.reference}/transaction/{number}"
        try:
            reply = await self._calls.send("PUT", path, body)
        except NoReply as error:
            if not error.sent:
                return _not_now(wanted, f"no connection: {error}")
            _LOG.warning("mpgs_refund_unknown", reference=wanted.reference)
            return RefundUnknown(f"no reply: {error}"[:200])
        return self._read(wanted, number, reply)

    def _read(self, wanted: RefundIntent, number: str, reply: HttpReply) -> RefundAnswer:
        if reply.status in (401, 403):
            return _not_now(wanted, "the gateway does not accept our credentials")
        body = read_json(reply)
        cause = cause_of(reply)
        if cause == "SERVER_BUSY":
            return _not_now(wanted, "the gateway is busy")
        if cause in ("INVALID_REQUEST", "REQUEST_REJECTED") and 400 <= reply.status < 500:
            return RefundRefused(f"the gateway refuses: {cause}")
        if reply.status not in (200, 201) or body is None:
            return RefundUnknown(f"HTTP status {reply.status} without an answer")
        shown = body.get("transaction")
        shown = shown if isinstance(shown, dict) else {}
        currency = word_at(shown, "currency")
        line = Line(
            id=str(shown.get("id")),
            type=word_at(shown, "type"),
            result=word_at(body, "result"),
            code=word_at(body, "response", "gatewayCode"),
            minor=minor_of(shown.get("amount"), currency) or 0,
            currency=currency,
            details={},
        )
        order = body.get("order")
        named = (body.get("merchant"), order.get("id") if isinstance(order, dict) else None)
        if line.id != number or named != (self._merchant_id, wanted.reference):
            return RefundUnknown("an answer about something else")
        return _outcome(wanted, line)


def dollars(cents: int) -> str:
    """As the gateway takes an amount: `7.32`."""
    return amount_text(cents, EXPONENTS["USD"])


def number_of(wanted: RefundIntent) -> str:
    """The refund's transaction number: the same each time it is asked for, another for another."""
    moment = wanted.created_at.strftime("%y%m%d%H%M%S%f")
    number, count = f"R{moment}", 1
    while number in wanted.known:
        count += 1
        number = f"R{moment}-{count}"
    return number


def _outcome(wanted: RefundIntent, line: Line) -> RefundAnswer:
    """What a transaction under the refund's number says."""
    is_it = line.type in OUT and (line.minor, line.currency) == (
        wanted.amount_minor,
        wanted.currency,
    )
    if line.result == "SUCCESS" and is_it:
        return Refunded(line.id)
    if line.result == "FAILURE" and line.type in OUT:
        return RefundRefused(f"the gateway refuses: {line.code}")
    return RefundUnknown(f"the gateway says {line.result or 'nothing'} of it")


def _is_receipt(wanted: RefundIntent, line: Line) -> bool:
    is_it = receipt_id(wanted.reference, line.id) == wanted.receipt_reference
    return is_it and line.type in IN and line.is_done


def _not_now(wanted: RefundIntent, reason: str) -> RefundAnswer:
    """Nothing has left this time."""
    if wanted.sent_at is None:
        return RefundLater(reason[:200])
    return RefundUnknown(reason[:200], sent=False)

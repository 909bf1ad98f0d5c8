"""Mastercard Gateway (MPGS): Visa and Mastercard in US dollars on the gateway's own page.

Papers: the vendor's Hosted Checkout, Retrieve Order, Refund and webhook pages, read 2026-11
(`mpgs_calls.py` sends and refunds, `mpgs_reading.py` reads). Units on the wire: decimal dollars.
Quirks:

* the payer comes back with `resultIndicator`; only who paid knows the `successIndicator` that we
  were given, so it is kept sealed. Both together are a reason to ask, no more;
* a notification carries a shared secret and no signature, and is not timely by the vendor's own
  words: the retrieved order alone is the proof;
* transactions are numbered within an order; the number of a refund is ours.
"""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

import msgspec
import structlog

from eishro.adapters.payments.defaults import FORGED, Defaults
from eishro.adapters.payments.mpgs_calls import Calls, Config, Refunds, dollars
from eishro.adapters.payments.mpgs_reading import (
    IN,
    OUT,
    VOID,
    answer_of,
    cause_of,
    read_json,
    word_at,
)
from eishro.adapters.payments.wire import is_same
from eishro.clock import Clock
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
    Started,
    Unknown,
)
from eishro.errors import Words
from eishro.outward import HttpReply, NoReply, WebHttp

_REFUSED = Words("The card gateway refused this payment.", "رفضت بوابة البطاقات عملية الدفع هذه.")
_REFERENCE = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_NOBODYS = "connection-check"

_LOG = structlog.get_logger("eishro.mpgs")


class Mpgs(Defaults):
    """The `PaymentProvider` for one merchant."""

    name = "mpgs"
    can_query = True
    can_refund = True

    def __init__(self, config: Config, http: WebHttp, clock: Clock) -> None:
        self._config = config
        self._calls = Calls(config, http)
        self._refunds = Refunds(config, self._calls, clock)

    async def start(self, intent: Intent) -> Started:
        """A checkout session; the payer goes to its page."""
        if intent.currency != "USD" or not intent.wire_minor or intent.wire_minor <= 0:
            raise ProviderRefused(_REFUSED)
        try:
            reply = await self._calls.send("POST", "/session", self._session_of(intent))
        except NoReply as error:
            raise ProviderBusy() from error
        session, indicator = self._read_session(reply)
        page = self._config.page_path.replace("{session}", session)
        return Started(
            Redirect(self._config.base_url.rstrip("/") + page),
            {"session": session, "success_indicator": indicator},
        )

    def parse_return(self, intent: Intent, query: Mapping[str, str]) -> Claim:
        """The right indicator says that it was paid; anything else is a reason to look."""
        shown, expected = query.get("resultIndicator"), intent.session.get("success_indicator", "")
        if shown is None:
            kind: Literal["cancelled", "failed"] = "cancelled" if "cancelled" in query else "failed"
            return self._claim(intent, "unsigned", kind)
        if expected and is_same(expected, shown):
            return self._claim(intent, "yes", "sale")
        return self._claim(intent, "unsigned", "failed")

    @staticmethod
    def reference_of(raw_body: bytes) -> str | None:
        """The order's id as it stands there."""
        body = read_json(HttpReply(200, raw_body))
        return None if body is None else _reference_in(body)

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """A transaction of our own merchant, with the shared secret in its header."""
        secret = self._config.notification_secret
        body = read_json(HttpReply(200, raw_body))
        shown = headers.get("x-notification-secret", "")
        if not secret or body is None or not is_same(secret, shown):
            return FORGED
        reference = _reference_in(body)
        if reference is None or body.get("merchant") != self._config.merchant_id:
            return FORGED
        transaction = body.get("transaction")
        transaction = transaction if isinstance(transaction, dict) else {}
        kind, result = word_at(transaction, "type"), word_at(body, "result")
        number = re.sub(r"[^A-Za-z0-9_.-]", "?", str(transaction.get("id"))[:64])
        return Claim(
            authentic="yes",
            reference=reference,
            dedupe_key=f"{self._config.merchant_id}:{reference}:{number}:{kind}:{result}",
            kind=_kind(kind, result),
            raw={
                "merchant": self._config.merchant_id,
                "order": reference,
                "transaction": number,
                "type": kind,
                "result": result,
                "gatewayCode": word_at(body, "response", "gatewayCode"),
            },
        )

    def webhook_reply(self) -> GatewayReply:
        """Any 200 will do."""
        return GatewayReply(200, b"{}")

    async def query(self, intent: Intent) -> Answer:
        """Retrieve the order."""
        order = await self._calls.order(intent.reference)
        if isinstance(order, Unknown):
            return order
        answer = answer_of(order, intent, self._config.merchant_id)
        if isinstance(answer, Unknown) and answer.is_foreign:
            _LOG.warning("mpgs_contradiction", reference=intent.reference, reason=answer.reason)
        return answer

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """A REFUND transaction of the order, in parts too, once."""
        return await self._refunds.refund(wanted)

    async def check_connection(self) -> Connection:
        """Ask about an order that is not there: who may ask is told so."""
        try:
            reply = await self._calls.get(f"/order/{_NOBODYS}")
        except NoReply:
            return Connection(works=False, detail="the gateway does not answer")
        if reply.status == 200 or (
            reply.status in (400, 404) and cause_of(reply) == "INVALID_REQUEST"
        ):
            return Connection(works=True)
        return Connection(works=False, detail=f"the gateway answers with HTTP {reply.status}")

    def _session_of(self, intent: Intent) -> dict[str, object]:
        cents = intent.wire_minor or 0
        order = {
            "id": intent.reference,
            "amount": dollars(cents),
            "currency": "USD",
            "description": intent.reference,
        }
        if self._config.notification_secret and intent.notify_url:
            order["notificationUrl"] = intent.notify_url
        return {
            "apiOperation": "INITIATE_CHECKOUT",
            "interaction": {
                "operation": "PURCHASE",
                "returnUrl": intent.return_url,
                "cancelUrl": f"{intent.return_url}?cancelled=1",
                "locale": intent.language,
                "merchant": {"name": self._config.merchant_name},
            },
            "order": order,
        }

    def _read_session(self, reply: HttpReply) -> tuple[str, str]:
        """The session's id and what only its payer will know.

        Raises:
            ProviderRefused, ProviderBusy: nothing was charged.
        """
        cause = cause_of(reply)
        if reply.status == 400 and cause in ("INVALID_REQUEST", "REQUEST_REJECTED"):
            _LOG.warning("mpgs_session_refused", cause=cause)
            raise ProviderRefused(_REFUSED)
        body = read_json(reply)
        if reply.status in (200, 201) and body is not None and _is_own(body, self._config):
            session, indicator = body.get("session"), body.get("successIndicator")
            name = session.get("id") if isinstance(session, dict) else None
            if (
                isinstance(name, str)
                and isinstance(indicator, str)
                and re.fullmatch(r"[A-Za-z0-9]{8,64}", name)
                and re.fullmatch(r"[\x21-\x7e]{8,200}", indicator)
            ):
                return quote(name), indicator
        _LOG.warning("mpgs_no_session", status=reply.status, cause=cause)
        raise ProviderBusy()

    def _claim(
        self,
        intent: Intent,
        authentic: Literal["yes", "unsigned"],
        kind: Literal["sale", "cancelled", "failed"],
    ) -> Claim:
        return Claim(
            authentic=authentic,
            reference=intent.reference,
            dedupe_key=f"{self._config.merchant_id}:{intent.reference}:return:{kind}",
            kind=kind,
        )


def _is_own(body: Mapping[str, object], config: Config) -> bool:
    return body.get("result") == "SUCCESS" and body.get("merchant") == config.merchant_id


def _reference_in(body: Mapping[str, object]) -> str | None:
    order = body.get("order")
    found = order.get("id") if isinstance(order, dict) else None
    return found if isinstance(found, str) and _REFERENCE.fullmatch(found) else None


def _kind(kind: str, result: str) -> Literal["sale", "refund", "void", "failed", "other"]:
    if kind in IN:
        return "sale" if result == "SUCCESS" else "failed"
    if kind in OUT:
        return "refund"
    return "void" if kind in VOID else "other"


def _build(fields: Mapping[str, str], tools: Tools) -> Mpgs:
    shapes = {
        "base_url": r"https?://[^\s?#@]+",
        "merchant_id": r"[A-Za-z0-9_-]{1,40}",
        "api_version": r"[0-9]{1,3}",
        "page_path": r"/[^\s#]*\{session\}[^\s#]*",
        "notification_secret": r"[\x20-\x7e]*",
    }
    for name, shape in shapes.items():
        if not re.fullmatch(shape, fields[name]):
            raise ValueError(f"EISHRO_MPGS_{name.upper()} does not look like one")
    return Mpgs(msgspec.convert(dict(fields), Config), tools.http, tools.clock)


GATEWAY = Gateway(
    provider="mpgs",
    prefix="MPGS",
    fields=(
        Field(
            name="base_url",
            about="The gateway's host as the bank gave it, `https://…`.",
            is_required=True,
        ),
        Field(
            name="merchant_id",
            about="Merchant number; a test profile's begins with TEST.",
            sandbox="TESTSIMULATED",
            is_required=True,
        ),
        Field(
            name="api_password",
            about="The merchant's API password.",
            sandbox="simulated-password",
            is_secret=True,
            is_required=True,
        ),
        Field(
            name="notification_secret",
            about="Secret of webhook notifications; empty: they are not taken.",
            sandbox="SIMULATEDNOTIFICATIONSECRET00000",
            is_secret=True,
        ),
        Field(name="api_version", about="Version of the API.", default="100"),
        Field(name="merchant_name", about="What the payer reads on the page.", default="Shop"),
        Field(
            name="page_path",
            about="Path of the page to pay on.",
            default="/checkout/pay/{session}?checkoutVersion=1.0.0",
        ),
    ),
    methods=(
        PaymentMethod(
            "mpgs",
            "redirect",
            "فيزا أو ماستركارد",
            "Visa or Mastercard",
            "mpgs",
            least_dirhams=1,
            currency="USD",
        ),
    ),
    build=_build,
    reference_of=Mpgs.reference_of,
    url_fields={"base_url": ""},
)

"""Moamalat (NUMO cards): PayForm Plus lightbox, notification, FilterTransactions, refunds.

Papers: the vendor's PayForm Plus pages (lightbox, notification, data service) and the public
SDKs for PHP and Node, read 2026-11. Units on the wire: integer dirhams as text. Quirks:

* the key is hex and signs as raw bytes; the signed string is not URL-encoded;
* the signed names are MerchantId, TerminalId, Amount and DateTimeLocalTrxn even where the message
  calls them MID, TID, AmountTrxn and TrxDateTime;
* a notification's hash covers neither the reference nor the outcome, so it proves nothing: only
  FilterTransactions does (`moamalat_queries.py` asks, `moamalat_reading.py` reads);
* the error payload misspells MerchantReference, and its hash follows no published key.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Literal

from eishro.adapters.payments.defaults import FORGED, Account, Defaults
from eishro.adapters.payments.moamalat_fields import FIELDS, METHODS
from eishro.adapters.payments.moamalat_queries import Sleep, Terminal, TerminalQueries
from eishro.adapters.payments.moamalat_reading import (
    read_notification,
    text_of,
    whole_dirhams,
    without_pan,
)
from eishro.adapters.payments.moamalat_refunds import TerminalRefunds
from eishro.adapters.payments.moamalat_status import TerminalStatus
from eishro.adapters.payments.wire import is_same
from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import (
    Answer,
    Claim,
    Connection,
    GatewayReply,
    GatewayTransaction,
    Intent,
    Lightbox,
    ProviderBusy,
    RefundAnswer,
    RefundIntent,
    SaidOfTransaction,
    Stamps,
    Started,
)
from eishro.money import LYD_NUMERIC
from eishro.outward import Http

APPROVED = "00"
_SALE = "1"
_UNDOING: Mapping[str, Literal["refund", "void"]] = {"2": "refund", "3": "void", "4": "void"}
_LISTED: Mapping[str, Literal["sale", "refund", "void"]] = {
    "sale": "sale",
    "refund": "refund",
    "void": "void",
}
_LISTED_AS: Mapping[str, Literal["approved", "declined", "unknown"]] = {
    "approved": "approved",
    "declined": "declined",
    "other": "unknown",
}
_DATES = ("DateTimeLocalTrxn", "AuthorizationDateTime", "TrxDateTime", "TxnDate")
# What a message may leave behind; tokens, name, e-mail and phone of the payer are not ours to keep.
_KEPT = (
    *_DATES,
    "MerchantId",
    "TerminalId",
    "TxnType",
    "Message",
    "Status",
    "PaidThrough",
    "SystemReference",
    "NetworkReference",
    "MerchantReference",
    "Amount",
    "Currency",
    "PayerAccount",
    "ProviderSchemeName",
    "ActionCode",
    "OriginalTxnId",
)


class Config(Account, frozen=True, kw_only=True):
    """One merchant's terminal. Keys are hex text; what prints it shows neither.

    An empty `notification_key` means the secret key. `base_url` is the REST base of the gateway,
    `stamp_digits` the form of DateTimeLocalTrxn in REST calls: 14 (seconds) or 17 (milliseconds).
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("merchant_id", "terminal_id")

    merchant_id: str
    terminal_id: str
    secret_key: str
    notification_key: str = ""
    base_url: str
    lightbox_url: str
    stamp_digits: Literal[14, 17] = 14


def secure_hash(key: bytes, fields: Mapping[str, str]) -> str:
    """The gateway's signature: `Name=Value` sorted by name and joined by `&`, not URL-encoded,
    empty values kept; HMAC-SHA256 with the raw key, upper hex.
    """
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    # Half a surrogate pair cannot be signed by anybody, but must not be a fault of ours.
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex().upper()


def is_same_hash(expected: str, shown: object) -> bool:
    """Compare in constant time, whatever the case of the hex."""
    return is_same(expected, shown.upper() if isinstance(shown, str) else None)


class Moamalat(Defaults):
    """The `PaymentProvider` for one terminal.

    Raises:
        ValueError: a key is not hex, or the stamp's form is unknown; the message names the
            setting, never its value.
    """

    name = "moamalat"
    can_query = True
    can_refund = True
    can_list = True

    def __init__(
        self,
        config: Config,
        http: Http,
        stamps: Stamps,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        if config.stamp_digits not in (14, 17):
            raise ValueError("EISHRO_MOAMALAT_STAMP_DIGITS must be 14 or 17")
        self._config = config
        self._key = _key_bytes(config.secret_key, "EISHRO_MOAMALAT_SECRET_KEY")
        self._notification_key = _key_bytes(
            config.notification_key or config.secret_key, "EISHRO_MOAMALAT_NOTIFICATION_KEY"
        )
        terminal = Terminal(
            merchant_id=config.merchant_id,
            terminal_id=config.terminal_id,
            url=config.base_url.rstrip("/") + "/FilterTransactions",
            refund_url=config.base_url.rstrip("/") + "/RefundTransaction",
            status_url=config.base_url.rstrip("/") + "/CheckTxnStatus",
            sign=lambda fields: secure_hash(self._key, fields),
            stamp_digits=config.stamp_digits,
        )
        self._clock = clock
        self._queries = TerminalQueries(terminal, http, stamps, clock, sleep)
        self._refunds = TerminalRefunds(terminal, self._queries, http, clock)
        self._status = TerminalStatus(terminal, self._queries, http)

    async def start(self, intent: Intent) -> Started:
        """The lightbox's parameters, signed; its stamp has minutes and need not be unique."""
        stamp = intent.created_at.astimezone(TRIPOLI).strftime("%Y%m%d%H%M")
        amount = str(intent.amount_dirhams)
        signature = secure_hash(
            self._key,
            {
                "Amount": amount,
                "DateTimeLocalTrxn": stamp,
                "MerchantId": self._config.merchant_id,
                "MerchantReference": intent.reference,
                "TerminalId": self._config.terminal_id,
            },
        )
        parameters = {
            "MID": self._config.merchant_id,
            "TID": self._config.terminal_id,
            "AmountTrxn": amount,
            "MerchantReference": intent.reference,
            "TrxDateTime": stamp,
            "SecureHash": signature,
        }
        return Started(Lightbox(self._config.lightbox_url, parameters))

    def parse_result(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        """The browser's payload. A completion must be signed and be of this very payment; an
        error or a cancel is unsigned and only a reason to look.
        """
        named = {text_of(payload, n) for n in ("MerchantReference", "MerchantReferenece")} - {""}
        if named - {intent.reference}:
            return FORGED
        if payload.get("cancelled") is True:
            return self._unsigned(intent, "cancelled", {})
        if "error" in payload:
            return self._unsigned(intent, "failed", {"error": text_of(payload, "error")})
        return self._completion(intent, payload)

    @staticmethod
    def reference_of(raw_body: bytes) -> str | None:
        """MerchantReference as it stands there."""
        fields = read_notification(raw_body)
        return None if fields is None else _reference(fields.get("MerchantReference", ""))

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """A notification: JSON, or form fields as a fallback, of our own terminal alone."""
        del headers  # the body itself says what it is
        fields = read_notification(raw_body)
        if fields is None:
            return FORGED
        signed = {
            name: fields.get(name, "")
            for name in ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
        }
        is_ours = (signed["MerchantId"], signed["TerminalId"]) == (
            self._config.merchant_id,
            self._config.terminal_id,
        )
        expected = secure_hash(self._notification_key, signed)
        if not is_same_hash(expected, fields.get("SecureHash")) or not is_ours:
            return FORGED
        kind = _kind(fields.get("TxnType", "").strip(), fields.get("ActionCode"))
        return Claim(
            authentic="yes",
            reference=_reference(fields.get("MerchantReference", "")),
            # What is signed names the event: who has captured a notification may change all else.
            dedupe_key=f"{self._config.terminal_id}:{expected}:{kind}",
            kind=kind,
            amount_dirhams=whole_dirhams(signed["Amount"]) if _is_lyd(signed["Currency"]) else None,
            raw=_kept(fields),
        )

    def webhook_reply(self) -> GatewayReply:
        """What the gateway expects once its notification is stored."""
        return GatewayReply(200, b'{"Message":"Success","Success":true}')

    async def query(self, intent: Intent) -> Answer:
        """Ask FilterTransactions; queued per terminal, coalesced per payment. Never raises."""
        return await self._queries.ask(intent)

    async def refund(self, wanted: RefundIntent) -> RefundAnswer:
        """A void before settlement, a refund after it, once. Never raises."""
        return await self._refunds.refund(wanted)

    async def status_of(self, provider_reference: str) -> SaidOfTransaction:
        """CheckTxnStatus by the transaction's number. Never raises."""
        return await self._status.ask(provider_reference)

    async def list_transactions(self, first: date, last: date) -> list[GatewayTransaction]:
        """FilterTransactions of these days; a row whose amount cannot be read is no transaction."""
        found = [
            GatewayTransaction(
                provider_reference=row.transaction_id,
                terminal=self._config.terminal_id,
                reference=row.reference or None,
                kind=_LISTED.get(row.kind, "other"),
                status=_LISTED_AS[row.outcome],
                amount_dirhams=row.amount_dirhams,
                currency=row.currency,
                at=row.at,
                original_reference=row.original_id or None,
            )
            for row in await self._queries.list_days(first, last)
            if row.amount_dirhams is not None and row.at is not None and row.transaction_id
        ]
        return sorted(found, key=lambda one: (one.at, one.provider_reference))

    async def check_connection(self) -> Connection:
        """Ask for today's list: a wrong key or merchant is refused."""
        today = self._clock.now().astimezone(TRIPOLI).date()
        try:
            await self._queries.list_days(today, today)
        except ProviderBusy:
            return Connection(False, "the gateway does not answer these credentials")
        return Connection(True)

    async def aclose(self) -> None:
        """Stop asking; who waits is told `Unknown`."""
        await self._queries.aclose()

    def _completion(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        """MerchantId and TerminalId are not in the payload but are signed: ours are meant."""
        shown = {
            name: text_of(payload, name)
            for name in ("Amount", "Currency", "MerchantReference", "PaidThrough", "TxnDate")
        }
        signed = {
            **shown,
            "MerchantId": self._config.merchant_id,
            "TerminalId": self._config.terminal_id,
        }
        is_signed = is_same_hash(secure_hash(self._key, signed), payload.get("SecureHash"))
        is_of_intent = (
            shown["MerchantReference"] == intent.reference
            and whole_dirhams(shown["Amount"]) == intent.amount_dirhams
            and _is_lyd(shown["Currency"])
        )
        if not is_signed or not is_of_intent:
            return FORGED
        return Claim(
            authentic="yes",
            reference=intent.reference,
            dedupe_key=f"{self._config.terminal_id}:{intent.reference}:completed",
            kind="sale",
            amount_dirhams=intent.amount_dirhams,
            raw=_kept({name: text_of(payload, name) for name in _KEPT if name in payload}),
        )

    def _unsigned(
        self, intent: Intent, kind: Literal["cancelled", "failed"], raw: Mapping[str, str]
    ) -> Claim:
        return Claim(
            authentic="unsigned",
            reference=intent.reference,
            dedupe_key=f"{self._config.terminal_id}:{intent.reference}:{kind}",
            kind=kind,
            raw={name: without_pan(text) for name, text in raw.items()},
        )


def _key_bytes(text: str, setting: str) -> bytes:
    """The key's raw bytes; decoding to text first would break binary keys."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if not key:
        # Without the cause: its traceback would lead to the key.
        raise ValueError(f"{setting} must be the gateway's key in hexadecimal digits") from None
    return key


def _kind(
    txn_type: str, action_code: str | None
) -> Literal["sale", "refund", "void", "failed", "other"]:
    if txn_type == _SALE:
        return "sale" if action_code in (APPROVED, None) else "failed"
    return _UNDOING.get(txn_type, "other")


def _is_lyd(currency: str) -> bool:
    return currency in (LYD_NUMERIC, "LYD")


def _reference(text: str) -> str | None:
    """The reference is not covered by the hash: only what can be one of ours is passed on."""
    return text if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text) else None


def _kept(fields: Mapping[str, str]) -> dict[str, object]:
    """What is worth keeping of a message, free of card numbers; a date is none."""
    kept: dict[str, object] = {}
    for name in _KEPT:
        if name in fields:
            is_date = name in _DATES and re.fullmatch(r"\d{12,14}", fields[name], re.ASCII)
            kept[name] = fields[name] if is_date else without_pan(fields[name])
    return kept


def _build(fields: Mapping[str, str], tools: Tools) -> Moamalat:
    config = Config(
        merchant_id=fields["merchant_id"],
        terminal_id=fields["terminal_id"],
        secret_key=fields["secret_key"],
        notification_key=fields["notification_key"],
        base_url=fields["base_url"],
        lightbox_url=fields["lightbox_url"],
        stamp_digits=17 if fields["stamp_digits"] == "17" else 14,
    )
    return Moamalat(config, tools.http, tools.stamps, tools.clock)


GATEWAY = Gateway(
    provider="moamalat",
    prefix="MOAMALAT",
    fields=FIELDS,
    methods=METHODS,
    build=_build,
    reference_of=Moamalat.reference_of,
    url_fields={"base_url": "/cube/paylink.svc/api/", "lightbox_url": "/js/lightbox.js"},
    live={
        "base_url": "https://npg.moamalat.net/cube/paylink.svc/api/",
        "lightbox_url": "https://npg.moamalat.net:6006/js/lightbox.js",
    },
    test={
        "base_url": "https://tnpg.moamalat.net/cube/paylink.svc/api/",
        "lightbox_url": "https://tnpg.moamalat.net:6006/js/lightbox.js",
    },
)

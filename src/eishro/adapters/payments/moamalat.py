"""Moamalat (NUMO cards): PayForm Plus lightbox, notification, FilterTransactions.

Papers: PayForm Plus pages of the vendor (lightbox, notification, data service) and the public
SDKs for PHP and Node, read 2026-11. Units on the wire: integer dirhams as text. Quirks:

* the key is hex and signs as raw bytes; the signed string is not URL-encoded;
* the signed names are MerchantId, TerminalId, Amount and DateTimeLocalTrxn even where the message
  calls them MID, TID, AmountTrxn and TrxDateTime;
* a notification's hash covers neither the reference nor the outcome, so it proves nothing: only
  FilterTransactions does (`moamalat_queries.py`);
* the error payload misspells MerchantReference, and is unsigned.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

from eishro.adapters.payments.moamalat_queries import Terminal, TerminalQueries
from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.port import (
    Action,
    Answer,
    Claim,
    GatewayReply,
    Intent,
    Lightbox,
    Stamps,
)
from eishro.outward import Http

NOTIFICATION_BYTES_MAX = 64_000
TEXT_MAX = 200  # characters of a field that is kept

_PAN = re.compile(r"\d{12,19}")
_KINDS = {"1": "sale", "2": "refund", "3": "void", "4": "void"}
# What a notification may leave behind; tokens, e-mail and phone of the payer are not ours to keep.
_KEPT = (
    "MerchantId",
    "TerminalId",
    "DateTimeLocalTrxn",
    "TxnType",
    "Message",
    "PaidThrough",
    "SystemReference",
    "NetworkReference",
    "MerchantReference",
    "Amount",
    "Currency",
    "PayerAccount",
    "ActionCode",
    "OriginalTxnId",
)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One merchant's terminal. Keys are hex; `repr` shows neither.

    `stamp_digits` is the form of DateTimeLocalTrxn in REST calls: 14 (seconds) or 17
    (milliseconds).
    """

    merchant_id: str
    terminal_id: str
    secret_key: str
    notification_key: str
    base_url: str
    lightbox_url: str
    stamp_digits: int = 14

    def __repr__(self) -> str:
        return f"Config(merchant_id={self.merchant_id!r}, terminal_id={self.terminal_id!r}, …)"


def secure_hash(key: bytes, fields: Mapping[str, str]) -> str:
    """The gateway's signature: `Name=Value` sorted by name, joined by `&`, HMAC-SHA256, upper
    hex. Empty values are kept."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    return hmac.digest(key, text.encode(), hashlib.sha256).hex().upper()


def same_hash(expected: str, shown: object) -> bool:
    """Compare in constant time, whatever the case of the hex."""
    if not isinstance(shown, str):
        return False
    return hmac.compare_digest(expected.encode(), shown.strip().upper().encode())


class Moamalat:
    """The `PaymentProvider` for one terminal."""

    name = "moamalat"
    can_query = True

    def __init__(
        self,
        config: Config,
        http: Http,
        stamps: Stamps,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._config = config
        self._key = _key_bytes(config.secret_key, "EISHRO_MOAMALAT_SECRET_KEY")
        self._notification_key = _key_bytes(
            config.notification_key or config.secret_key, "EISHRO_MOAMALAT_NOTIFICATION_KEY"
        )
        terminal = Terminal(
            merchant_id=config.merchant_id,
            terminal_id=config.terminal_id,
            url=config.base_url.rstrip("/") + "/FilterTransactions",
            sign=lambda fields: secure_hash(self._key, fields),
            stamp_digits=config.stamp_digits,
        )
        self._queries = TerminalQueries(terminal, http, stamps, clock, sleep)

    async def start(self, intent: Intent) -> Action:
        """The lightbox's parameters; its stamp has minutes and need not be unique."""
        stamp = _minutes(intent.created_at)
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
        return Lightbox(
            self._config.lightbox_url,
            {
                "MID": self._config.merchant_id,
                "TID": self._config.terminal_id,
                "AmountTrxn": amount,
                "MerchantReference": intent.reference,
                "TrxDateTime": stamp,
                "SecureHash": signature,
            },
        )

    def parse_result(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        """The browser's payload. A completion must be signed and be of this very payment; an
        error or a cancel is unsigned and only a reason to look."""
        if "SecureHash" in payload and "SystemReference" in payload:
            return self._completion(intent, payload)
        reference = _text(payload, "MerchantReference") or _text(payload, "MerchantReferenece")
        if reference and reference != intent.reference:
            return _forged()
        if payload.get("cancelled") is True:
            return _unsigned(intent, "cancelled")
        if "error" in payload:
            return _unsigned(intent, "failed")
        return _forged()

    def parse_webhook(self, headers: Mapping[str, str], raw_body: bytes) -> Claim:
        """A notification: JSON, or form fields as a fallback."""
        fields = _fields(headers, raw_body)
        if fields is None:
            return _forged()
        signed = {
            name: fields.get(name, "")
            for name in ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
        }
        ours = (
            signed["MerchantId"] == self._config.merchant_id
            and signed["TerminalId"] == self._config.terminal_id
        )
        expected = secure_hash(self._notification_key, signed)
        if not (same_hash(expected, fields.get("SecureHash")) and ours):
            return _forged()
        kind = _KINDS.get(fields.get("TxnType", ""), "other")
        if kind == "sale" and fields.get("ActionCode") not in ("00", None):
            kind = "failed"
        key = ":".join(
            fields.get(name, "")[:60] for name in ("TerminalId", "SystemReference", "TxnType")
        )
        return Claim(
            authentic="yes",
            reference=fields.get("MerchantReference", "")[:60] or None,
            dedupe_key=key,
            kind=kind,  # type: ignore[arg-type]
            amount_dirhams=_dirhams(signed["Amount"]),
            raw={name: _masked(fields[name]) for name in _KEPT if name in fields},
        )

    def webhook_reply(self) -> GatewayReply:
        """What the gateway expects once its notification is stored."""
        return GatewayReply(200, b'{"Message":"Success","Success":true}')

    async def query(self, intent: Intent) -> Answer:
        """Ask FilterTransactions; queued per terminal, coalesced per payment."""
        return await self._queries.ask(intent)

    async def aclose(self) -> None:
        """Stop asking; who waits is told `Unknown`."""
        await self._queries.aclose()

    def _completion(self, intent: Intent, payload: Mapping[str, object]) -> Claim:
        signed = {
            "Amount": _text(payload, "Amount"),
            "Currency": _text(payload, "Currency"),
            "MerchantId": self._config.merchant_id,
            "MerchantReference": _text(payload, "MerchantReference"),
            "PaidThrough": _text(payload, "PaidThrough"),
            "TerminalId": self._config.terminal_id,
            "TxnDate": _text(payload, "TxnDate"),
        }
        if not same_hash(secure_hash(self._key, signed), payload.get("SecureHash")):
            return _forged()
        amount = _dirhams(signed["Amount"])
        if signed["MerchantReference"] != intent.reference or amount != intent.amount_dirhams:
            return _forged()
        return Claim(
            authentic="yes",
            reference=intent.reference,
            dedupe_key=f"result:{_text(payload, 'SystemReference')[:60]}",
            kind="sale",
            amount_dirhams=amount,
            raw={
                name: _masked(_text(payload, name))
                for name in ("TxnDate", "SystemReference", "NetworkReference", "Amount", "Currency")
            },
        )


def _key_bytes(text: str, setting: str) -> bytes:
    """The key's raw bytes; decoding to text first would break binary keys."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if not key:
        raise ValueError(f"{setting} must be the gateway's key in hexadecimal digits")
    return key


def _minutes(at: datetime) -> str:
    return at.astimezone(TRIPOLI).strftime("%Y%m%d%H%M")


def _fields(headers: Mapping[str, str], raw_body: bytes) -> dict[str, str] | None:
    """The message's fields as bounded text, or None if it cannot be read."""
    if not raw_body or len(raw_body) > NOTIFICATION_BYTES_MAX:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            return dict(parse_qsl(raw_body.decode(), keep_blank_values=True, max_num_fields=100))
        except ValueError:
            return None
    try:
        body = msgspec.json.decode(raw_body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    return {
        name: str(value)
        for name, value in body.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload.get(name)
    if isinstance(value, str):
        return value[:TEXT_MAX]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _dirhams(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _masked(text: str) -> str:
    """No full card number survives, whichever field it came in. References of the gateway are
    12 digits: only what passes the card check (Luhn) is masked."""
    return _PAN.sub(lambda m: _mask(m.group()), text[:TEXT_MAX].replace("\x00", ""))


def _mask(digits: str) -> str:
    if len(digits) < 13 or not _is_luhn(digits):
        return digits
    return f"{digits[:6]}{'X' * (len(digits) - 10)}{digits[-4:]}"


def _is_luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _forged() -> Claim:
    return Claim(authentic="no", reference=None, dedupe_key="", kind="other")


def _unsigned(intent: Intent, kind: str) -> Claim:
    return Claim(
        authentic="unsigned",
        reference=intent.reference,
        dedupe_key=f"{kind}:{intent.reference}",
        kind=kind,  # type: ignore[arg-type]
    )

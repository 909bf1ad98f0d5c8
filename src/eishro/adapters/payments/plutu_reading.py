"""Reading what Plutu says: callback hashes, replies, error codes. Pure.

Facts: the vendor's documentation and its PHP SDK with the SDK's fixtures, read 2026-11. A hash
covers the callback's own keys in the order in which they came, written as PHP writes a query; keys
that are not the gateway's (our own in an address) are not signed. Error codes are spelled as the
vendor's plug-ins show them, the odd ones also as they should be.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote_plus

from eishro.adapters.payments import wire
from eishro.outward import HttpReply

BODY_BYTES_MAX = 64_000  # below what other gateways may send: Plutu's replies are small
TEXT_MAX = 200  # characters of a value that are kept
REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

# What each gateway signs; the docs write `paymet_method`, the wire and the hash do not.
SIGNED: Mapping[str, frozenset[str]] = {
    "localbankcards": frozenset(
        ("gateway", "approved", "canceled", "invoice_no", "amount", "transaction_id")
    ),
    "mpgs": frozenset(
        ("gateway", "approved", "canceled", "invoice_no", "amount", "currency", "transaction_id")
    ),
    "tlync": frozenset(
        ("gateway", "approved", "amount", "invoice_no", "payment_method", "transaction_id")
    ),
}
TLYNC_RETURN = frozenset(("approved", "invoice_no"))

_TRANSACTION = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

Meaning = Literal[
    "wrong_code",
    "expired_code",
    "phone",
    "birth_year",
    "phone_or_birth_year",
    "wait",
    "amount",
    "balance",
    "payer",
    "merchant",
    "busy",
    "doubtful",
]
# The first spelling is the vendor's own, odd or not; the second, where there is one, the right one.
_MEANINGS: Mapping[Meaning, tuple[str, ...]] = {
    "wrong_code": ("INVLIAD_OTP", "INVALID_OTP"),
    "expired_code": ("OTP_EXPIRED", "REFERENCE_NUMBER_DOES_NOT_EXIST"),
    "phone": ("INVALID_MOBILE_NUMBER", "EMPTY_MOBILE_NUMBER", "NOT_SUBSCRIBED"),
    "birth_year": ("EMPTY_BIRTH_YEAR", "INVALID_BIRTH_YEAR"),
    "phone_or_birth_year": ("INVALID_MOBILE_NUMBER_OR_BIRTH_YEAR",),
    "wait": ("OTP_WAIT_BEFORE_RESNED", "OTP_WAIT_BEFORE_RESEND"),
    "amount": (
        "INVALID_AMOUNT",
        "NOT_ALLOWED_AMOUNT",
        "AMOUNT_EXCEEDED_MAXIMUM",
        "INVALID_INVOICE_AMOUNT_OR_NUMBER",
    ),
    "balance": ("INSUFFICIENT_BALANCE",),
    "payer": ("CHECK_BANK_ACCOUNT", "PHONE_NUMBER_IS_LOCKED"),
    "merchant": (
        "UNAUTHORIZED",
        "FORBIDDEN_IP_ADDRESS",
        "INVALID_GATEWAY",
        "DENIED_ACCESS_GATEWAY",
        "INVALID_INPUTS",
        "MISSING_PARAMETER",
        "TEST_MODE_NOT_SUPPORTED",
        "AUTH_ERROR",
        "SECRET_KEY_DOES_NOT_EXIST",
        "INVALID_MERCHANT_SECRET_KEY",
        "CURRENCY_NOT_SUPPORTED",
        "INVALID_MERCHANT_CATEGORY",
        "UNAUTHORIZED_MERCHANT_ACCOUNT",
        "MISSING_QR_PARAMETER",
    ),
    "busy": ("TOO_MAY_REQUESTS", "TOO_MANY_REQUESTS"),
    # Something went wrong behind the gateway, or this number was charged for before.
    "doubtful": (
        "BACKEND_ERROR",
        "BACKEND_SERVER_ERROR",
        "DUPLICATED_INVOICE_NUMBER",
        "DUPLICATE_INVOICE_NUMBER",
        "ADD_PAYMENT_ERROR",
        "CONFIRMATION_ERROR",
    ),
}
MEANING_OF: Mapping[str, Meaning] = {
    code: meaning for meaning, codes in _MEANINGS.items() for code in codes
}
# Refusals of the framework in front, which name no code.
_BY_STATUS = {
    401: "UNAUTHORIZED",
    403: "DENIED_ACCESS_GATEWAY",
    422: "INVALID_INPUTS",
    429: "TOO_MANY_REQUESTS",
}


class NumberText(str):
    """A JSON number with decimals, as it was written."""

    __slots__ = ()


class Refusal(NamedTuple):
    """An explicit no of the gateway; `fields` are the inputs it names."""

    code: str
    message: str
    fields: frozenset[str]

    @property
    def meaning(self) -> Meaning:
        """What it means; a code that nobody knows is doubtful."""
        return MEANING_OF.get(self.code, "doubtful")

    @property
    def reason(self) -> str:
        """The gateway's own text, without numbers that could be somebody's."""
        return wire.masked(f"{self.code}: {self.message}" if self.message else self.code)


def php_query(fields: Sequence[tuple[str, str]]) -> str:
    """Fields as PHP's `http_build_query` writes them: a space is `+`, only `-_.` stay bare."""
    return "&".join(f"{_php(name)}={_php(value)}" for name, value in fields)


def callback_hash(key: bytes, fields: Sequence[tuple[str, str]]) -> str:
    """The gateway's signature of these fields, in this order: upper hex."""
    return hmac.digest(key, php_query(fields).encode(), hashlib.sha256).hex().upper()


def signed_query(
    key: bytes, allowed: frozenset[str], query: Mapping[str, str]
) -> dict[str, str] | None:
    """The gateway's own fields of an address, if their hash holds."""
    fields = {name: value for name, value in query.items() if name in allowed}
    expected = callback_hash(key, list(fields.items()))
    return fields if wire.is_same(expected, query.get("hashed")) else None


def signed_body(
    key: bytes, allowed: frozenset[str], body: Mapping[str, object]
) -> tuple[dict[str, str], str] | None:
    """The same for a JSON body, and how its numbers were signed: `text` as they stand there, or
    `number` as PHP writes a float (5.00 is 5). Members that are null are not signed at all.
    """
    given = {name: value for name, value in body.items() if name in allowed and value is not None}
    if any(isinstance(value, (dict, list)) for value in given.values()):
        return None
    as_text = {name: text_of(value) for name, value in given.items()}
    as_number = {
        name: _php_float(text) if isinstance(given[name], NumberText) else text
        for name, text in as_text.items()
    }
    shown = body.get("hashed")
    for form, fields in (("text", as_text), ("number", as_number)):
        if wire.is_same(callback_hash(key, list(fields.items())), shown):
            return as_text, form
    return None


def read_object(body: bytes) -> dict[str, Any] | None:
    """A JSON object, its decimals as `NumberText`; None for anything else."""
    return wire.read_object(body, NumberText) if len(body) <= BODY_BYTES_MAX else None


def read_reply(reply: HttpReply) -> dict[str, Any] | Refusal | None:
    """The `result` of a call, an explicit refusal, or None where neither can be read.

    The body decides: an `error` is a refusal with any status, and no status makes a yes of what
    has none.
    """
    body = read_object(reply.body)
    if body is None:
        return None
    error, errors, result = body.get("error"), body.get("errors"), body.get("result")
    message = text_of(body.get("message"))[:TEXT_MAX]
    if (error or errors) and result:
        return None  # it contradicts itself
    if error:
        return _refusal(error)
    if errors:
        fields = frozenset(errors) if isinstance(errors, dict) else _NONE
        return Refusal("INVALID_INPUTS", message, fields)
    if reply.status in _BY_STATUS:
        return Refusal(_BY_STATUS[reply.status], message, _NONE)
    is_good = reply.status == 200 and text_of(body.get("status", 200)) == "200"
    return result if is_good and isinstance(result, dict) else None


def text_of(value: object) -> str:
    """A simple JSON value as PHP makes text of it; anything else is empty."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, (str, int)) else ""


def amount_of(value: object, exponent: int) -> int | None:
    """An amount in minor units (`25.50` with exponent 3 is 25500); None where it is not one."""
    return wire.minor_of(text_of(value), exponent)


def transaction_of(value: object) -> str | None:
    """The gateway's number of a transaction, None where it is not one."""
    text = text_of(value)
    return text if _TRANSACTION.fullmatch(text) else None


def kept(fields: Mapping[str, str]) -> dict[str, object]:
    """A callback's fields as they may be kept; all of them are the shop's or the gateway's own."""
    return {name: value[:TEXT_MAX] for name, value in fields.items()}


_NONE: frozenset[str] = frozenset()


def _php(text: str) -> str:
    # `~` is bare in Python and encoded in PHP; what is no text at all cannot be signed by anybody.
    return quote_plus(text, errors="replace").replace("~", "%7E")


def _php_float(text: str) -> str:
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole


def _refusal(error: object) -> Refusal:
    if not isinstance(error, dict):
        return Refusal("", text_of(error)[:TEXT_MAX], _NONE)
    code = re.sub(r"[^A-Z0-9_]", "", text_of(error.get("code")).upper())[:60]
    fields = error.get("fields")
    return Refusal(
        code,
        text_of(error.get("message"))[:TEXT_MAX],
        frozenset(fields) if isinstance(fields, dict) else _NONE,
    )

"""What the Plutu simulator writes: errors, signed callbacks, test data. Pure.

Codes keep the vendor's odd spellings. The signing here is written apart from the adapter's on
purpose: a mistake on one side must not be met by the same mistake on the other.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

# From the vendor's SDK; its "Testing" page is not public. Any other number of the network is taken
# too, but the ones below.
PHONE = "0913632323"
BIRTH_YEAR = "1991"
CODES: Mapping[str, str] = {"sadadapi": "111111", "edfali": "1111"}
CARD_CODE = "111111"

# This simulator's own: what the service says of these phones and cards.
PHONES_REFUSED: Mapping[str, str] = {
    "0910000001": "NOT_SUBSCRIBED",
    "0910000002": "PHONE_NUMBER_IS_LOCKED",
    "0910000003": "CHECK_BANK_ACCOUNT",
}
PHONE_OF_THE_POOR = "0910000051"  # gets a code, and has no money
CARDS: Mapping[str, str] = {
    "localbankcards": "6394993077260781",
    "mpgs": "5123450000000008",
}
CARDS_REFUSED: Mapping[str, str] = {
    "localbankcards": "6394990000000051",
    "mpgs": "5123450000000051",
}
WALLETS = ("tadawul", "edfaly", "sadad", "mobicash", "moamalat")
PHONE_FORMS: Mapping[str, str] = {
    "sadadapi": r"09[13][0-9]{7}",
    "edfali": r"09[1-6][0-9]{7}",
    "tlync": r"0?9[0-9]{8}",
}

_STATUS = {
    "UNAUTHORIZED": 401,
    "DENIED_ACCESS_GATEWAY": 403,
    "FORBIDDEN_IP_ADDRESS": 403,
    "INVALID_GATEWAY": 404,
    "INVALID_INPUTS": 422,
    "TOO_MAY_REQUESTS": 429,
    "BACKEND_SERVER_ERROR": 500,
}


class Account(msgspec.Struct, frozen=True):
    """The account that the simulator knows; what prints it shows nothing of it."""

    access_token: str
    api_key: str
    secret_key: str

    def __repr__(self) -> str:
        return "Account(…)"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return []


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the gateway; `amount` as on the wire, `phone` masked."""

    transaction_id: int
    gateway: str
    invoice_no: str
    amount: str
    currency: str
    outcome: Literal["paid", "declined", "canceled"]
    payment_method: str = ""


def fault(code: str, fields: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """A refusal in the vendor's form, with its HTTP status."""
    status = _STATUS.get(code, 400)
    message = code.replace("_", " ").capitalize()
    error: dict[str, Any] = {"status": status, "code": code, "message": message}
    if fields:
        error["fields"] = dict(fields)
    return status, {"error": error}


def framework_fault(fields: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """A refusal of inputs as the framework in front writes it."""
    errors = {name: [text] for name, text in fields.items()}
    return 422, {"message": "The given data was invalid.", "errors": errors}


def sign(key: str, fields: Sequence[tuple[str, str]]) -> str:
    """As PHP does: `strtoupper(hash_hmac('sha256', http_build_query($fields), $key))`."""
    text = urlencode(list(fields)).replace("~", "%7E")
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def card_return(row: Transaction) -> list[tuple[str, str]]:
    """What the payer's browser brings back; cards and dollars have orders of their own."""
    said = {"paid": [("approved", "1")], "canceled": [("canceled", "1")], "declined": []}
    outcome = [("gateway", row.gateway), *said[row.outcome]]
    number = ("transaction_id", str(row.transaction_id))
    if row.gateway == "mpgs":
        money = [("amount", row.amount), ("currency", row.currency)]
        return [*outcome, *money, ("invoice_no", row.invoice_no), number]
    return [*outcome, ("invoice_no", row.invoice_no), ("amount", row.amount), number]


def tlync_return(row: Transaction) -> list[tuple[str, str]]:
    """What the browser brings back from T-Lync: no amount."""
    return [("approved", "1" if row.outcome == "paid" else "0"), ("invoice_no", row.invoice_no)]


def tlync_callback(row: Transaction) -> list[tuple[str, str]]:
    """The body of T-Lync's POST."""
    return [
        ("gateway", "tlync"),
        ("approved", "1" if row.outcome == "paid" else "0"),
        ("amount", row.amount),
        ("invoice_no", row.invoice_no),
        ("payment_method", row.payment_method),
        ("transaction_id", str(row.transaction_id)),
    ]


def with_query(url: str, fields: Sequence[tuple[str, str]]) -> str:
    """The address with these fields behind its own."""
    parts = urlsplit(url)
    own = parse_qsl(parts.query, keep_blank_values=True)
    return urlunsplit(parts._replace(query=urlencode([*own, *fields])))


def is_amount(text: str) -> bool:
    """More than nothing, two decimals at most."""
    is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text, re.ASCII)
    return bool(is_number) and text.strip("0.") != ""

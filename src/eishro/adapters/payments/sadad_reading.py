"""Reading what Sadad says. Pure.

Facts: two published integrations, read 2026-11. `statusCode` 0 is a yes, any other a no with its
reason in `message` or in a `result` that is text. What belongs to the transaction stands in
`result`, or beside it: both are read, but not both with different values. The shape of an enquiry's
answer is not public: which member is the state, and what its words mean, are settings.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from eishro.adapters.payments.wire import (
    dirhams_of,
    id_of,
    is_down,
    masked,
    read_object,
    said_by,
    text_of,
)
from eishro.domain.payments.port import Answer, Failed, Intent, Paid, Receipt, Unknown, WrongCode
from eishro.outward import HttpReply

_READABLE = (200, 201, 400, 422)  # business refusals may come with 400
# What names our invoice, in the spellings of both integrations.
_INVOICE = ("invoiceNo", "InvoiceNo")


class Codes(NamedTuple):
    """What status codes and words mean; all of it settings."""

    wrong: frozenset[str]
    expired: frozenset[str]
    state_field: str
    paid: frozenset[str]
    failed: frozenset[str]


class Said(NamedTuple):
    """A readable answer: its code, its reason, and the members of the transaction."""

    status: int
    code: str
    reason: str
    fields: Mapping[str, Any]

    @property
    def is_yes(self) -> bool:
        return self.code == "0" and self.status in (200, 201)

    @property
    def is_no(self) -> bool:
        return self.code not in ("", "0")


def read_reply(reply: HttpReply) -> Said | None:
    """The answer, None where it cannot be read in exactly one way."""
    if reply.status not in _READABLE:
        return None
    body = read_object(reply.body)
    if body is None:
        return None
    code = text_of(body.get("statusCode"))
    if not code.lstrip("-").isdigit():
        return None
    result = body.get("result")
    inner: Mapping[str, Any] = result if isinstance(result, dict) else {}
    if any(name in body and body[name] != value for name, value in inner.items()):
        return None
    reason = said_by(body, "message", "result") or f"code {code}"
    return Said(reply.status, code, reason, {**body, **inner})


def transaction_of(said: Said) -> str | None:
    """The number of the pending transaction."""
    found = id_of(said.fields.get("transactionId"))
    return found if found is not None and found.isdigit() else None


def read_payment(
    reply: HttpReply, intent: Intent, terminal: str, codes: Codes
) -> Answer | WrongCode:
    """What became of a code: only a plain yes is money, only a plain no is none."""
    if reply.status in (401, 403):
        return Failed("the gateway does not accept the shop's token")
    said = read_reply(reply)
    if said is None:
        reason = f"the gateway's answer cannot be read (HTTP {reply.status})"
        return Unknown(reason, is_unreachable=is_down(reply.status))
    if said.code in codes.wrong or said.code in codes.expired:
        return WrongCode(said.reason, is_expired=said.code in codes.expired)
    if said.is_no:
        return Failed(said.reason)
    return (
        _paid(said, intent, terminal)
        if said.is_yes
        else Unknown("the answer contradicts itself", is_foreign=True)
    )


def read_enquiry(reply: HttpReply, intent: Intent, terminal: str, codes: Codes) -> Answer:
    """What an enquiry says about the invoice."""
    said = read_reply(reply)
    if said is None:
        reason = f"the gateway's answer cannot be read (HTTP {reply.status})"
        return Unknown(reason, is_unreachable=is_down(reply.status))
    if not said.is_yes:
        return Unknown(f"the gateway does not know the invoice: {said.reason}")
    state = text_of(said.fields.get(codes.state_field)).lower()
    if state in codes.paid:
        return _paid(said, intent, terminal)
    if state in codes.failed:
        return Failed(masked(state))
    return Unknown(f"the invoice is not decided: {masked(state)}")


def _paid(said: Said, intent: Intent, terminal: str) -> Answer:
    """The pending transaction is the payment: it is known by the number of its beginning, so that
    all who tell of it tell of the same one.
    """
    ours = intent.session.get("transaction_id", "")
    told = transaction_of(said)
    invoices = {text_of(said.fields.get(name)) for name in _INVOICE} - {""}
    if not ours or told not in (None, ours) or invoices - {intent.reference}:
        return Unknown("the answer is of another transaction", is_foreign=True)
    amount = said.fields.get("amount")
    # An answer without an amount is of what was asked for: the transaction was made with it.
    dirhams = intent.amount_dirhams if amount is None else dirhams_of(amount)
    if dirhams is None:
        return Unknown("the amount cannot be read")
    currency = text_of(said.fields.get("currency")).upper()
    if currency not in ("", "LYD", "434"):
        reason = f"the answer is in another currency: {masked(currency)}"
        return Unknown(reason, is_foreign=True)
    receipt = text_of(said.fields.get("receipt")) or text_of(said.fields.get("result"))
    details = {"receipt": receipt[:64]} if id_of(receipt) else {}
    return Paid(
        (
            Receipt(
                provider_reference=ours,
                terminal=terminal,
                amount_dirhams=dirhams,
                currency="LYD",
                details=details,
            ),
        )
    )


def claims_of(token: str) -> Mapping[str, Any]:
    """What stands in a token, believed by nobody; empty for one that is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def expiry_of(claims: Mapping[str, Any]) -> datetime | None:
    """When a token runs out, if it says so."""
    expiry = claims.get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, int) or not 0 < expiry < 2**40:
        return None
    try:
        return datetime.fromtimestamp(expiry, UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""What Mastercard's gateway answers, read: orders, transactions, errors. Pure.

An order's transactions are what counts; its status, result and totals must agree with them, or
nothing is believed.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from eishro.adapters.payments.wire import is_down, read_object
from eishro.domain.payments.port import Answer, Failed, Intent, Paid, Receipt, Unknown
from eishro.domain.payments.rates import worth_of
from eishro.money import EXPONENTS
from eishro.outward import HttpReply

IN = ("PAYMENT", "CAPTURE")
OUT = ("REFUND",)
VOID = ("VOID_PAYMENT", "VOID_CAPTURE")
APPROVED = ("APPROVED", "APPROVED_AUTO", "APPROVED_PENDING_SETTLEMENT")
STANDING = ("CAPTURED", "PARTIALLY_CAPTURED", "PARTIALLY_REFUNDED")
GONE = ("REFUNDED", "EXCESSIVELY_REFUNDED", "CANCELLED")
ENDED = ("FAILED", "CANCELLED", "EXPIRED", "AUTHENTICATION_UNSUCCESSFUL")
LINES_MAX = 200
REPLY_BYTES_MAX = 1_000_000
MINOR_MAX = 10**15

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_WORD = re.compile(r"[A-Z_]{1,40}")
_MASKED = re.compile(r"[0-9]{0,8}[xX*]{3,13}[0-9]{0,4}")


class Line(NamedTuple):
    """One transaction of an order; `minor` is in minor units of `currency`."""

    id: str
    type: str
    result: str
    code: str
    minor: int
    currency: str
    details: Mapping[str, str]

    @property
    def is_done(self) -> bool:
        """True if its money has moved."""
        return self.result == "SUCCESS"


class GatewayOrder(NamedTuple):
    """An order as the gateway shows it; totals are None where it shows none."""

    status: str
    result: str
    currency: str
    captured: int | None
    refunded: int | None
    lines: Sequence[Line]

    def sum(self, types: Sequence[str]) -> int:
        """What moved in transactions of these types."""
        return sum(line.minor for line in self.lines if line.type in types and line.is_done)

    @property
    def contradiction(self) -> str | None:
        """What in it cannot be true at once."""
        money = [line for line in self.lines if line.type in (*IN, *OUT, *VOID)]
        if any(line.currency != self.currency for line in money):
            return "transactions in another currency"
        if len({line.id for line in money}) != len(money):
            return "one transaction twice"
        if any(
            line.is_done and line.type in IN and line.code not in APPROVED for line in self.lines
        ):
            return "a success that was not approved"
        came = self.sum(IN)
        if self.captured not in (None, came, came - self.sum(VOID)):
            return "another total of what came"
        if self.refunded not in (None, self.sum(OUT)):
            return "another total of what went back"
        return None


def read_json(reply: HttpReply) -> dict[str, Any] | None:
    """The body as an object with exact numbers; None if it is anything else."""
    return read_object(reply.body, Decimal, bytes_max=REPLY_BYTES_MAX)


def cause_of(reply: HttpReply) -> str:
    """The error's cause, such as INVALID_REQUEST; empty if there is none."""
    body = read_json(reply)
    return "" if body is None else word_at(body, "error", "cause")


def read_order(reply: HttpReply, merchant_id: str, reference: str) -> GatewayOrder | Unknown:
    """The order of this merchant and reference."""
    if reply.status in (400, 404) and cause_of(reply) == "INVALID_REQUEST":
        return Unknown("not found")
    body = read_json(reply)
    if reply.status != 200 or body is None:
        return Unknown(
            f"HTTP status {reply.status} without an order", is_unreachable=is_down(reply.status)
        )
    if (body.get("id"), body.get("merchant")) != (reference, merchant_id):
        return Unknown("an order of somebody else", is_foreign=True)
    currency = word_at(body, "currency")
    if currency and currency not in EXPONENTS:
        return Unknown(f"an order in {currency}", is_foreign=True)
    found = body.get("transaction")
    lines = [_line(item) for item in found[:LINES_MAX]] if isinstance(found, list) else []
    whole = [line for line in lines if line is not None]
    totals = [
        _total(body, name, currency) for name in ("totalCapturedAmount", "totalRefundedAmount")
    ]
    is_cut = isinstance(found, list) and len(found) > LINES_MAX
    if len(whole) != len(lines) or is_cut or -1 in totals or currency not in EXPONENTS:
        return Unknown("an order that cannot be read")
    return GatewayOrder(
        status=word_at(body, "status"),
        result=word_at(body, "result"),
        currency=currency,
        captured=totals[0],
        refunded=totals[1],
        lines=whole,
    )


def answer_of(order: GatewayOrder, intent: Intent, terminal: str) -> Answer:
    """What became of the attempt."""
    if (reason := order.contradiction) is not None:
        return Unknown(f"the gateway contradicts itself: {reason}", is_foreign=True)
    came = [line for line in order.lines if line.type in IN and line.is_done]
    if not came:
        return _unpaid(order)
    if order.status in GONE:
        return Unknown("the money went back")
    if order.result != "SUCCESS" or order.status not in STANDING:
        status = order.status or "no status"
        return Unknown(f"the gateway contradicts itself: money, but {status}", is_foreign=True)
    if order.currency != intent.currency or not intent.wire_minor:
        return Unknown(f"money in {order.currency}", is_foreign=True)
    return Paid(tuple(_receipt(line, intent, intent.wire_minor, terminal) for line in came))


def receipt_id(reference: str, transaction: str) -> str:
    """The gateway's id of money: transactions are numbered within an order."""
    return f"{reference}/{transaction}"


def _unpaid(order: GatewayOrder) -> Answer:
    if order.status in STANDING or (order.captured or 0) > 0:
        return Unknown("the gateway contradicts itself: paid, but no money", is_foreign=True)
    if any(line.type in IN and line.result not in ("FAILURE", "ERROR") for line in order.lines):
        return Unknown("the gateway does not know yet")
    if order.status in ENDED or (order.result == "FAILURE" and order.lines):
        code = next((line.code for line in reversed(order.lines) if line.code), "")
        return Failed(code or order.status)
    return Unknown(f"not paid yet: {order.status}")


def _receipt(line: Line, intent: Intent, asked_minor: int, terminal: str) -> Receipt:
    return Receipt(
        provider_reference=receipt_id(intent.reference, line.id),
        terminal=terminal,
        amount_dirhams=worth_of(line.minor, asked_minor, intent.amount_dirhams),
        currency=line.currency,
        wire_minor=line.minor,
        details=dict(line.details),
    )


def _line(item: object) -> Line | None:
    if not isinstance(item, dict) or not isinstance(item.get("transaction"), dict):
        return None
    transaction = item["transaction"]
    currency, number = word_at(transaction, "currency"), transaction.get("id")
    name = number if isinstance(number, str) else str(number)
    if not _ID.fullmatch(name) or isinstance(number, bool):
        return None
    kind = word_at(transaction, "type")
    minor = minor_of(transaction.get("amount"), currency)
    if minor is None and kind in (*IN, *OUT, *VOID):
        return None
    return Line(
        id=name,
        type=kind,
        result=word_at(item, "result"),
        code=word_at(item, "response", "gatewayCode"),
        minor=minor or 0,
        currency=currency,
        details=_details(item),
    )


def _details(item: Mapping[str, Any]) -> dict[str, str]:
    """What is worth keeping: the receipt's number, the masked card, its scheme."""
    card = _at(item, "sourceOfFunds", "provided", "card", "number")
    receipt = _at(item, "transaction", "receipt")
    found = {
        "receipt": receipt if isinstance(receipt, str) and _ID.fullmatch(receipt) else "",
        "card": card if isinstance(card, str) and _MASKED.fullmatch(card) else "",
        "scheme": word_at(item, "sourceOfFunds", "provided", "card", "brand"),
    }
    return {name: value for name, value in found.items() if value}


def minor_of(amount: object, currency: str) -> int | None:
    """An amount in minor units, exactly; None if it is none."""
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal | str):
        return None
    if currency not in EXPONENTS:
        return None
    try:
        value = Decimal(amount)
        if not value.is_finite() or not 0 <= value < MINOR_MAX:
            return None
        minor = value.scaleb(EXPONENTS[currency])
        return int(minor) if minor == int(minor) else None
    except ArithmeticError:
        return None


def _total(body: Mapping[str, Any], name: str, currency: str) -> int | None:
    """A total in minor units; None where there is none, -1 where it cannot be read."""
    if body.get(name) is None:
        return None
    minor = minor_of(body[name], currency)
    return -1 if minor is None else minor


def word_at(body: Mapping[str, Any], *names: str) -> str:
    """A word in capitals somewhere below; empty if there is none."""
    found = _at(body, *names)
    return found if isinstance(found, str) and _WORD.fullmatch(found) else ""


def _at(body: object, *names: str) -> object:
    for name in names:
        if not isinstance(body, dict):
            return None
        body = body.get(name)
    return body

"""What the Mastercard simulator writes: sessions, orders, transactions, errors. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

Answer = tuple[int, dict[str, Any]]
ENCODER = msgspec.json.Encoder(decimal_format="number")


class Transaction(msgspec.Struct, kw_only=True):
    """One transaction of an order; it shows from `visible_at` on."""

    id: str
    type: str
    amount: Decimal
    result: str
    code: str
    card: str
    brand: str
    at: datetime
    visible_at: datetime


class Order(msgspec.Struct, kw_only=True):
    """One order of the merchant; `hidden` questions do not find it yet, `pending` is a card whose
    holder is being asked.
    """

    id: str
    merchant: str
    amount: Decimal
    currency: str
    session: str
    indicator: str
    return_url: str
    cancel_url: str
    notify_url: str
    language: Literal["ar", "en"]
    at: datetime
    hidden: int = 0
    pending: tuple[str, str, str] | None = None
    transactions: list[Transaction] = msgspec.field(default_factory=list)

    @property
    def is_paid(self) -> bool:
        return any(row.type == "PAYMENT" and row.result == "SUCCESS" for row in self.transactions)

    @property
    def left(self) -> Decimal:
        """What can still go back."""
        return _sum(self.transactions, "PAYMENT") - _sum(self.transactions, "REFUND")

    @property
    def card(self) -> str:
        return self.transactions[0].card if self.transactions else ""

    @property
    def brand(self) -> str:
        return self.transactions[0].brand if self.transactions else ""


def masked(card: str) -> str:
    """A card number as the gateway shows it."""
    return f"{card[:6]}{'x' * max(0, len(card) - 10)}{card[-4:]}"


def error(cause: str, explanation: str) -> Answer:
    """A call that was not understood."""
    return 400, {"error": {"cause": cause, "explanation": explanation}, "result": "ERROR"}


UNAUTHORIZED: Answer = (
    401,
    {
        "error": {"cause": "INVALID_REQUEST", "explanation": "Invalid credentials."},
        "result": "ERROR",
    },
)


def session(made: Order) -> dict[str, Any]:
    """INITIATE_CHECKOUT's answer."""
    return {
        "checkoutMode": "WEBSITE",
        "merchant": made.merchant,
        "result": "SUCCESS",
        "session": {"id": made.session, "updateStatus": "SUCCESS", "version": "0001"},
        "successIndicator": made.indicator,
    }


def order(
    found: Order,
    rows: Sequence[Transaction],
    *,
    amount: Decimal | None = None,
    currency: str | None = None,
    order_id: str | None = None,
    merchant: str | None = None,
    contradicts: bool = False,
) -> dict[str, Any]:
    """RETRIEVE_ORDER's answer; what is given replaces the truth."""
    lied = msgspec.structs.replace(
        found,
        id=order_id or found.id,
        merchant=merchant or found.merchant,
        currency=currency or found.currency,
        amount=amount or found.amount,
        transactions=[
            msgspec.structs.replace(row, amount=amount)
            if amount is not None and row.type == "PAYMENT"
            else row
            for row in rows
        ],
    )
    shown = lied.transactions
    captured, refunded = _sum(shown, "PAYMENT"), _sum(shown, "REFUND")
    return {
        **_order(lied, captured, refunded),
        "result": "FAILURE" if contradicts or captured == 0 else "SUCCESS",
        "transaction": [_line(lied, row, captured, refunded) for row in shown],
    }


def transaction(found: Order, row: Transaction) -> dict[str, Any]:
    """A transaction, as an answer and as a notification."""
    captured, refunded = _sum(found.transactions, "PAYMENT"), _sum(found.transactions, "REFUND")
    return {**_line(found, row, captured, refunded), "version": "100"}


def _line(found: Order, row: Transaction, captured: Decimal, refunded: Decimal) -> dict[str, Any]:
    return {
        "merchant": found.merchant,
        "order": _order(found, captured, refunded),
        "response": {"gatewayCode": row.code},
        "result": row.result,
        "sourceOfFunds": {
            "type": "CARD",
            "provided": {"card": {"number": row.card, "brand": row.brand, "scheme": row.brand}},
        },
        "timeOfRecord": row.at.isoformat(),
        "transaction": {
            "id": row.id,
            "type": row.type,
            "amount": row.amount,
            "currency": found.currency,
            "receipt": f"{row.at:%y%j%H%M%S}{row.id[-4:]}",
            "source": "INTERNET",
        },
    }


def _order(found: Order, captured: Decimal, refunded: Decimal) -> dict[str, Any]:
    return {
        "id": found.id,
        "merchant": found.merchant,
        "amount": found.amount,
        "currency": found.currency,
        "creationTime": found.at.isoformat(),
        "status": _status(captured, refunded),
        "totalAuthorizedAmount": captured,
        "totalCapturedAmount": captured,
        "totalRefundedAmount": refunded,
    }


def _status(captured: Decimal, refunded: Decimal) -> str:
    if captured == 0:
        return "FAILED"
    if refunded == 0:
        return "CAPTURED"
    return "REFUNDED" if refunded >= captured else "PARTIALLY_REFUNDED"


def _sum(rows: Sequence[Transaction], kind: str) -> Decimal:
    done = [row.amount for row in rows if row.type == kind and row.result == "SUCCESS"]
    return sum(done, Decimal("0.00"))

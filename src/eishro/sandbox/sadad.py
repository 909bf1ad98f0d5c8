"""A Sadad gateway to try payments with: Validate, Pay, otp-resend, enquiry.

Behaves as published integrations show it; what nobody shows (codes, lifetimes, the enquiry's
answer) is this simulator's own. Everything is in memory. Pages and routes: `sadad_door.py`.
"""

import itertools
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from eishro.clock import Clock
from eishro.sandbox.gateway_door import dirhams_of

INVOICES_MAX = 10_000
TRIES_MAX = 5
CODE_LIFE = timedelta(minutes=5)
OTP = "111111"
POOR_OTP = "000051"  # this simulator's own: the right code of an account without money
GOOD_PHONE = "913632323"
BIRTH_YEAR = "1991"
UNREGISTERED = 1
EXPIRED = 2
NO_MONEY = 927

Answer = tuple[int, Any]


class SadadFaults(msgspec.Struct, forbid_unknown_fields=True):
    """What the gateway does wrong from now on; everything off by default.

    `shape` is where a transaction's members stand; `errors_as_400` sends refusals with that
    status. `pay_fails` `before` charging, or `after` it, so that nobody hears of it; then
    `late_success_seconds` is how much later an enquiry shows it. `amount` is told instead of the
    true one, `state` instead of an enquiry's. `other_transaction` tells of another number.
    """

    shape: Literal["nested", "flat"] = "nested"
    errors_as_400: bool = False
    decline: bool = False
    pay_fails: Literal["never", "before", "after"] = "never"
    late_success_seconds: float = 0.0
    amount: str | None = None
    currency: str | None = None
    state: str | None = None
    other_transaction: bool = False
    is_down: bool = False
    is_huge: bool = False
    is_malformed: bool = False
    delay_seconds: float = 0.0


class Invoice(msgspec.Struct, kw_only=True):
    """One pending or paid transaction; `visible_at` is when an enquiry shows what was paid."""

    number: str
    transaction_id: int
    amount_dirhams: int
    phone: str
    sent_at: datetime
    codes_sent: int = 1
    tries: int = 0
    state: Literal["Pending", "Paid", "Failed"] = "Pending"
    visible_at: datetime | None = None


class SadadSimulator:
    """The gateway with one merchant."""

    def __init__(self, token: str, clock: Clock) -> None:
        self.token = token
        self.faults = SadadFaults()
        self.invoices: OrderedDict[str, Invoice] = OrderedDict()
        self._clock = clock
        self._ids = itertools.count(int(clock.now().timestamp()))

    def is_known(self, token: str) -> bool:
        """Whether this is the merchant's token."""
        return secrets.compare_digest(token.encode(), self.token.encode())

    def validate(self, body: Mapping[str, Any]) -> Answer:
        """Look the customer up, send the code."""
        number, amount = body.get("InvoiceNo"), dirhams_of(body.get("Amount"))
        category = body.get("Category")
        is_whole = isinstance(body.get("Amount"), int | float)
        if not isinstance(number, str) or not number or number in self.invoices:
            return self._no(3, "Invalid or duplicate invoice number")
        if amount is None or not is_whole or not isinstance(category, int):
            return self._no(4, "Invalid amount or category")
        phone = str(body.get("Msisdn", "")).removeprefix("+218").removeprefix("218")
        phone = phone.removeprefix("0")
        if phone != GOOD_PHONE or str(body.get("BirthYear")) != BIRTH_YEAR:
            return self._no(UNREGISTERED, "Customer is not registered")
        invoice = Invoice(
            number=number,
            transaction_id=next(self._ids),
            amount_dirhams=amount,
            phone=phone,
            sent_at=self._clock.now(),
        )
        self.invoices[number] = invoice
        while len(self.invoices) > INVOICES_MAX:
            self.invoices.popitem(last=False)
        return self._yes("OTP sent", {"transactionId": invoice.transaction_id})

    def pay(self, body: Mapping[str, Any]) -> Answer:
        """Charge, if the code is right."""
        faults = self.faults
        if faults.pay_fails == "before":
            return 503, {"message": "Service unavailable"}
        invoice = self._by_transaction(body)
        if invoice is None or invoice.state != "Pending":
            return self._no(5, "Transaction not found")
        refusal = self._why_not_paid(invoice, body.get("OTP"))
        if refusal is not None:
            return self._no(*refusal)
        invoice.state = "Paid"
        invoice.visible_at = self._clock.now() + timedelta(seconds=faults.late_success_seconds)
        if faults.pay_fails == "after":
            return 504, {"message": "Gateway Time-out"}
        told = self._told(invoice)
        receipt = f"SD-{invoice.transaction_id}"
        if faults.shape == "nested":
            return self._yes("Success", {**told, "receipt": receipt})
        more = {"result": receipt, "commission": 0, "total": told["amount"]}
        return 200, {"statusCode": 0, "message": "Success", **more, **told}

    def _why_not_paid(self, invoice: Invoice, code: object) -> tuple[int, str] | None:
        invoice.tries += 1
        if invoice.tries > TRIES_MAX:
            invoice.state = "Failed"
            return 6, "Too many attempts"
        if self._clock.now() >= invoice.sent_at + CODE_LIFE:
            return EXPIRED, "OTP has expired"
        if code not in (OTP, POOR_OTP):
            return UNREGISTERED, "Invalid OTP"
        if self.faults.decline or code == POOR_OTP:
            invoice.state = "Failed"
            return NO_MONEY, "Insufficient balance"
        return None

    def resend(self, body: Mapping[str, Any]) -> Answer:
        """Another code for the same transaction."""
        invoice = self._by_transaction(body)
        if invoice is None or invoice.state != "Pending":
            return self._no(5, "Transaction not found")
        invoice.sent_at = self._clock.now()
        invoice.codes_sent += 1
        return self._yes("OTP sent", {"transactionId": invoice.transaction_id})

    def enquire(self, body: Mapping[str, Any]) -> Answer:
        """The state of an invoice."""
        invoice = self.invoices.get(str(body.get("InvoiceNo")))
        if invoice is None:
            return self._no(7, "Invoice not found")
        shown = self.faults.state or invoice.state
        if invoice.visible_at is not None and invoice.visible_at > self._clock.now():
            shown = "Pending"
        return self._yes("Success", {**self._told(invoice), "status": shown})

    def _told(self, invoice: Invoice) -> dict[str, Any]:
        faults = self.faults
        whole, rest = divmod(invoice.amount_dirhams, 1000)
        told: dict[str, Any] = {
            "transactionId": invoice.transaction_id + (1 if faults.other_transaction else 0),
            "invoiceNo": invoice.number,
            "amount": faults.amount or f"{whole}.{rest // 10:02d}",
        }
        return told if faults.currency is None else {**told, "currency": faults.currency}

    def _by_transaction(self, body: Mapping[str, Any]) -> Invoice | None:
        asked = body.get("TransactionId")
        return next((i for i in self.invoices.values() if i.transaction_id == asked), None)

    def _yes(self, message: str, result: Mapping[str, Any]) -> Answer:
        if self.faults.shape == "flat":
            return 200, {"statusCode": 0, "message": message, **result}
        return 200, {"statusCode": 0, "message": message, "result": result}

    def _no(self, code: int, reason: str) -> Answer:
        status = 400 if self.faults.errors_as_400 else 200
        if self.faults.shape == "flat":
            return status, {"statusCode": code, "message": "Error", "result": reason}
        return status, {"statusCode": code, "message": reason, "result": None}

"""What the Moamalat simulator writes: payloads of the lightbox, notifications, REST answers. Pure.

Field names, order and odd spellings are the gateway's, as its papers and the answers printed in
public SDKs show them. The signing here is written apart from the adapter's on purpose: a mistake
on one side must not be met by the same mistake on the other.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

APPROVED = "00"
Kind = Literal["Sale", "Refund", "Void Sale"]
_TXN_TYPES: Mapping[Kind, int] = {"Sale": 1, "Refund": 2, "Void Sale": 3}
_PAYER = "TEST PAYER"
_CURRENCY = "434"

UNAUTHENTICATED = {
    "Message": "Authentication failed.",
    "StackTrace": None,
    "ExceptionType": "System.InvalidOperationException",
}


class Merchant(msgspec.Struct, frozen=True):
    """A terminal the simulator knows; keys are hex, and what prints it shows neither."""

    merchant_id: str
    terminal_id: str
    secret_key: str
    notification_key: str

    def __repr__(self) -> str:
        return f"Merchant({self.merchant_id!r}, {self.terminal_id!r}, …)"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("merchant_id", self.merchant_id), ("terminal_id", self.terminal_id)]


class Transaction(msgspec.Struct, kw_only=True):
    """One row of the gateway. `at` is Tripoli's time; `refunded_dirhams` grows as money goes back.

    It shows in listings from `visible_at` on, after `hidden_questions` further questions.
    """

    merchant: Merchant
    transaction_id: str
    stan: str
    reference: str
    kind: Kind
    amount_dirhams: int
    masked_card: str
    code: str
    text: str
    at: datetime
    requested: str | None
    original_id: str
    visible_at: datetime
    hidden_questions: int = 0
    refunded_dirhams: int = 0

    @property
    def is_approved(self) -> bool:
        return self.code == APPROVED

    @property
    def network_reference(self) -> str:
        return network_reference(self.at, self.stan)


def sign(key: str, fields: Mapping[str, str]) -> str:
    """The gateway's own way to its signature: `a=1&b=2` in order of names, raw key, upper hex."""
    text = "&".join("=".join(pair) for pair in sorted(fields.items()))
    digest = hmac.new(bytes.fromhex(key), text.encode("utf-8", "replace"), hashlib.sha256)
    return digest.hexdigest().upper()


def is_signed(key: str, fields: Mapping[str, str], shown: object) -> bool:
    """Whether the hash holds; the gateway takes either case."""
    return hmac.compare_digest(
        sign(key, fields).encode(), str(shown).upper().encode("utf-8", "replace")
    )


def network_reference(at: datetime, stan: str) -> str:
    """Last digit of the year, day of the year, hour, then the six digits of the STAN."""
    return f"{at.year % 10}{at.timetuple().tm_yday:03d}{at.hour:02d}{stan}"


def masked(card: str) -> str:
    """A card number as the gateway shows it."""
    return f"{card[:6]}{'X' * max(0, len(card) - 10)}{card[-4:]}"


def completion_payload(sale: Transaction, *, is_newer: bool) -> dict[str, Any]:
    """What `completeCallback` gets; the hash covers the merchant without showing it."""
    payload: dict[str, Any] = {
        "TxnDate": sale.at.strftime("%y%m%d%H%M%S"),
        "SystemReference": sale.transaction_id,
        "NetworkReference": sale.network_reference,
        "MerchantReference": sale.reference,
        "Amount": str(sale.amount_dirhams),
        "Currency": _CURRENCY,
        "PaidThrough": "Card",
        "PayerAccount": sale.masked_card,
        "PayerName": _PAYER,
        "ProviderSchemeName": "",
    }
    names = ("Amount", "Currency", "MerchantReference", "PaidThrough", "TxnDate")
    signed = {name: payload[name] for name in names}
    signed |= {
        "MerchantId": sale.merchant.merchant_id,
        "TerminalId": sale.merchant.terminal_id,
    }
    payload["SecureHash"] = sign(sale.merchant.secret_key, signed)
    token = f"simulated-token-{sale.transaction_id}"
    if is_newer:
        return {**payload, "CardToken": token, "CustomerId": "simulated-customer"}
    return {
        **payload,
        "DisplayData": "",
        "TokenCustomerId": "simulated-customer",
        "TokenCard": token,
    }


def error_payload(
    parameters: Mapping[str, str], text: str, at: datetime, *, code: str = "5212216"
) -> dict[str, Any]:
    """What `errorCallback` gets: a misspelt reference, and a hash that follows no known key."""
    filler = hashlib.sha256(f"{parameters.get('MerchantReference')}:{text}".encode()).hexdigest()
    return {
        "error": f"CUBEEX{code}:{text}",
        "Amount": parameters.get("AmountTrxn", ""),
        "MerchantReferenece": parameters.get("MerchantReference", ""),
        "DateTimeLocalTrxn": at.strftime("%y%m%d%H%M%S"),
        "SecureHash": filler.upper(),
    }


def notification(
    row: Transaction, *, amount: str | None = None, is_forged: bool = False
) -> dict[str, Any]:
    """The webhook's body; `amount` and `is_forged` are lies on request (an amount is signed)."""
    stamp = row.at.strftime("%Y%m%d%H%M%S")
    body: dict[str, Any] = {
        "MerchantId": row.merchant.merchant_id,
        "TerminalId": row.merchant.terminal_id,
        "DateTimeLocalTrxn": stamp,
        "AuthorizationDateTime": stamp,
        "TrxDateTime": row.requested,
        "TxnType": _TXN_TYPES[row.kind],
        "Message": row.text,
        "PaidThrough": "Card",
        "SystemReference": row.transaction_id,
        "NetworkReference": row.network_reference,
        "MerchantReference": row.reference,
        "Amount": amount or str(row.amount_dirhams),
        "Tip": "0",
        "AdditionalFees": "0",
        "Currency": _CURRENCY,
        "PayerAccount": row.masked_card,
        "PayerName": _PAYER,
        "ActionCode": row.code,
        "Status": "Success" if row.is_approved else "Failed",
        "OriginalTxnId": row.original_id or "0",
    }
    nullable = (
        "SID",
        "Token",
        "Email",
        "CustomerMobile",
        "MessageCustomer",
        "MerchantCustomerId",
        "CurrencyTwo",
        "CurrencyTwoValue",
    )
    body |= dict.fromkeys(nullable)
    names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
    signature = sign(row.merchant.notification_key, {name: str(body[name]) for name in names})
    body["SecureHash"] = "F" * 64 if is_forged else signature
    return body


def filter_reply(
    found: Sequence[Transaction],
    shown: Sequence[Transaction],
    *,
    is_settled: Mapping[str, bool],
    amount: str | None,
    refund_amount: str | None = None,
    hides_reference: bool = False,
) -> dict[str, Any]:
    """FilterTransactions' answer: a page `shown` of all that was `found`, grouped by day.

    `is_settled` is by transaction id; `amount` and `refund_amount` replace the true ones, and
    `hides_reference` leaves the sale's reference out of undoings (lies on request).
    """

    def shown_row(row: Transaction) -> dict[str, Any]:
        is_sale = row.kind == "Sale"
        lie = amount if is_sale else refund_amount or amount
        shown = filter_row(row, is_settled=is_settled[row.transaction_id], amount=lie)
        return shown if is_sale or not hides_reference else {**shown, "MerchantReference": None}

    days: dict[str, list[Transaction]] = {}
    for row in shown:
        days.setdefault(row.at.strftime("%d/%m/%Y"), []).append(row)
    return {
        "Message": None if found else "Transaction not found",
        "Success": True,
        "TotalAmountAllTransaction": sum(row.amount_dirhams for row in found),
        "TotalAmountTipsTransaction": 0,
        "TotalCountAllTransaction": len(found),
        "Transactions": [
            {
                "Date": day,
                "DateTotalAmount": str(sum(row.amount_dirhams for row in rows)),
                "DateTransactions": [shown_row(row) for row in rows],
            }
            for day, rows in days.items()
        ],
    }


def filter_row(row: Transaction, *, is_settled: bool, amount: str | None) -> dict[str, Any]:
    """One transaction as FilterTransactions lists it."""
    dirhams = amount or str(row.amount_dirhams)
    is_sale = row.kind == "Sale"
    left = row.amount_dirhams - row.refunded_dirhams if is_sale and row.is_approved else 0
    return {
        "CardNo": row.masked_card,
        "SenderName": _PAYER,
        "CardType": None,
        "Amnt": dirhams,
        "AmountTrxn": f"{dirhams}.000",
        "FeeAmnt": "0.000",
        "TipAmnt": "0.000",
        "Status": "Approved" if row.is_approved else "Declined",
        "Currency": "LYD",
        "TransType": row.kind,
        "TransactionChannel": "Card",
        "IsPointTrasnaction": False,
        "STAN": row.stan,
        "RRN": row.network_reference,
        "MerchantReference": row.reference,
        "ReceiptNo": row.network_reference,
        "MobileNumber": None,
        "TransactionId": row.transaction_id,
        "ExternalTxnId": None,
        "TxnDateTime": row.at.strftime("%d/%m/%y  %H:%M"),
        "IsRefundEnabled": left > 0,
        "ResCodeDesc": row.text,
        "IsSend": False,
        "ISForceSendCVCForRefund": True,
        "HasToken": True,
        "AuthCode": row.stan if row.is_approved else None,
        "RefundButton": 0 if is_settled else 1,
        "RemainingRefundAmount": f"{left}.000",
        "TerminalId": _number(row.merchant.terminal_id),
        "IsRefund": not is_sale,
        "RefundReason": "",
        "RefundSource": "",
        "RefundUserCreator": "",
        "OriginalTxnId": row.original_id,
        "TxnIcon": 2,
        "IsMustVoidTotalAmount": not is_settled,
        "IsCardPresent": False,
        "RelatedTxnTotalAmount": None,
        "UserDefinedData": [],
        "InvoiceServiceSummary": None,
    }


def _number(text: str) -> int | str:
    """A terminal's number, which newer answers carry as one."""
    return int(text) if text.isascii() and text.isdigit() else text


def refund_reply(undo: Transaction) -> dict[str, Any]:
    """RefundTransaction's yes."""
    return {
        "Success": True,
        "Message": "Approved",
        "ActionCode": APPROVED,
        "AuthCode": undo.stan,
        "DecimalFraction": 3,
        "IsEnableRefund": False,
        "NetworkReference": undo.network_reference,
        "ReceiptNumber": undo.network_reference,
        "RefNumber": undo.transaction_id,
        "ReferenceId": None,
        "SecureHash": None,
        "SecureHashData": None,
        "StatusCode": 0,
        "SystemReference": 0,
        "SystemTxnId": 0,
        "TransactionId": None,
        "TxnDate": undo.at.strftime("%y%m%d%H%M%S"),
    }


def status_reply(row: Transaction) -> dict[str, Any]:
    """CheckTxnStatus' answer for a known transaction."""
    return {
        "Success": True,
        "Message": row.text,
        "ActionCode": row.code,
        "AuthCode": row.stan if row.is_approved else None,
        "IsPaid": row.is_approved,
        "MerchantReference": row.reference,
        "NetworkReference": row.network_reference,
        "ReceiptNumber": row.network_reference,
        "SystemReference": row.transaction_id,
    }


def no_reply(message: str) -> dict[str, Any]:
    """A business failure: HTTP 200 all the same."""
    return {"Message": message, "Success": False}

"""A Moamalat gateway to try payments with: the lightbox, the REST calls, the notification.

Behaves as the vendor's papers say (payments sheet 1.1 to 1.10), keeps everything in memory, and
errs on request (`Faults`). The pages and HTTP routes are in `moamalat_door.py`.
"""

import asyncio
import hashlib
import hmac
import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from eishro.clock import TRIPOLI, Clock

OTP = "111111"
CARDS = {
    "6394993077260781": "10/27",
    "6395003016111159": "02/26",
    "6395043835180860": "01/27",
    "6395043165725698": "01/27",
    "6395043170446256": "01/27",
}
# The vendor publishes no card that is declined; these are this simulator's own.
DECLINE_CARDS = {
    "6394990000000005": ("05", "Do not honour"),
    "6394990000000051": ("51", "Insufficient funds"),
    "6394990000000054": ("54", "Expired card"),
}
TRANSACTIONS_MAX = 10_000

Notify = Callable[[dict[str, Any]], Awaitable[None]]


class Faults(msgspec.Struct):
    """What the gateway does wrong from now on; everything off by default."""

    notify: Literal["once", "twice", "never"] = "once"
    notify_delay_seconds: float = 0.0
    forge_notification: bool = False
    notification_amount: str | None = None
    filter_amount: str | None = None
    filter_not_found_times: int = 0
    filter_status: int = 200
    filter_body: str | None = None
    filter_delay_seconds: float = 0.0
    charge_twice: bool = False
    late_success_seconds: float = 0.0


class Merchant(msgspec.Struct, frozen=True):
    """A terminal the simulator knows; keys are hex."""

    merchant_id: str
    terminal_id: str
    secret_key: str
    notification_key: str


class Refused(Exception):
    """The gateway does not accept the request; the text is its own."""


class Simulator:
    """The gateway: transactions, stamps and what it tells."""

    def __init__(
        self,
        merchant: Merchant,
        clock: Clock,
        notify: Notify,
        *,
        unique_stamps: bool = True,
        newer_payload: bool = True,
    ) -> None:
        self.merchant = merchant
        self.faults = Faults()
        self.transactions: list[dict[str, Any]] = []
        self.stamps: list[str] = []
        self.queries: list[dict[str, Any]] = []
        self.is_settled = False
        self._clock = clock
        self._notify = notify
        self._unique_stamps = unique_stamps
        self._newer_payload = newer_payload
        self._stan = itertools.count(434_990)
        self._ids = itertools.count(1_233_670)
        self._tasks: set[asyncio.Future[None]] = set()
        self._hidden: dict[str, int] = {}

    def check_request(self, parameters: Mapping[str, str]) -> None:
        """The lightbox's six values must be signed for this merchant.

        Raises:
            Refused: what the gateway would say.
        """
        merchant = self.merchant
        if (parameters.get("MID"), parameters.get("TID")) != (
            merchant.merchant_id,
            merchant.terminal_id,
        ):
            raise Refused("CUBEEX5212001:Merchant not found")
        amount = parameters.get("AmountTrxn", "")
        if not amount.isdigit() or int(amount) <= 0:
            raise Refused("CUBEEX5212013:Invalid amount")
        expected = sign(
            merchant.secret_key,
            {
                "Amount": amount,
                "DateTimeLocalTrxn": parameters.get("TrxDateTime", ""),
                "MerchantId": merchant.merchant_id,
                "MerchantReference": parameters.get("MerchantReference", ""),
                "TerminalId": merchant.terminal_id,
            },
        )
        if not hmac.compare_digest(expected, parameters.get("SecureHash", "").upper()):
            raise Refused("CUBEEX5212216:Authentication Failed")

    async def pay(
        self, parameters: Mapping[str, str], *, card: str, otp: str = OTP
    ) -> dict[str, Any]:
        """What the gateway's form does: charge the card, tell the merchant.

        Returns: the completion payload, or the error payload of a declined card.

        Raises:
            Refused: the request is not signed, or the card or OTP is not known.
        """
        self.check_request(parameters)
        if card in DECLINE_CARDS:
            code, text = DECLINE_CARDS[card]
            row = self._record(parameters, card, code, text)
            self._tell(row)
            return self._error_payload(parameters, text)
        if card not in CARDS:
            raise Refused("CUBEEX5212014:Invalid card number")
        if otp != OTP:
            raise Refused("CUBEEX5212082:Authentication Failed")
        rows = [self._record(parameters, card, "00", "Approved")]
        if self.faults.charge_twice:
            rows.append(self._record(parameters, card, "00", "Approved"))
        for row in rows:
            self._tell(row)
        return self._completion_payload(rows[0])

    def filter(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """FilterTransactions: status and JSON."""
        if not self._is_authentic(body):
            return 401, _UNAUTHENTICATED
        self.queries.append(dict(body))
        now = self._clock.now()
        rows = [row for row in self.transactions if row["visible_at"] <= now]
        reference = body.get("MerchantReference")
        if reference:
            rows = [row for row in rows if row["MerchantReference"] == reference]
            if self._hide(str(reference)):
                rows = []
        since, until = str(body.get("DateFrom") or ""), str(body.get("DateTo") or "99999999")
        rows = [row for row in rows if since <= row["day"] <= until]
        start, length = int(body.get("DisplayStart", 0)), int(body.get("DisplayLength", 10))
        return 200, self._filter_reply(rows, rows[start : start + length])

    def refund(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """RefundTransaction: a void before settlement, a refund after."""
        if not self._is_authentic(body):
            return 401, _UNAUTHENTICATED
        wanted = str(body.get("SystemReference") or "")
        receipt = str(body.get("NetworkReference") or "")
        for row in self.transactions:
            if row["kind"] == "Sale" and (
                row["TransactionId"] == wanted or (receipt and row["RRN"] == receipt)
            ):
                return self._refund_row(row, str(body.get("AmountTrxn", "")))
        return 200, {"Success": False, "Message": "CUBEEX5250615:Transaction not found"}

    def status(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """CheckTxnStatus by TxnId."""
        if not self._is_authentic(body):
            return 401, _UNAUTHENTICATED
        for row in self.transactions:
            if row["TransactionId"] == str(body.get("TxnId", "")):
                return 200, {
                    "Success": True,
                    "ActionCode": row["code"],
                    "Message": row["text"],
                    "IsPaid": row["code"] == "00",
                    "SystemReference": row["TransactionId"],
                    "NetworkReference": row["RRN"],
                }
        return 200, {"Success": False, "Message": "Transaction not found"}

    async def settle(self) -> None:
        """Wait until every notification under way is delivered."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _hide(self, reference: str) -> bool:
        shown = self._hidden.get(reference, 0)
        self._hidden[reference] = shown + 1
        return shown < self.faults.filter_not_found_times

    def _refund_row(self, row: dict[str, Any], amount: str) -> tuple[int, dict[str, Any]]:
        left = int(row["amount"]) - row["refunded"]
        if left == 0:
            return 200, {"Success": False, "Message": "CUBEEX5250616:Transaction Already Refunded"}
        if not amount.isdigit() or not 0 < int(amount) <= left:
            return 200, {"Success": False, "Message": "CUBEEX5250613:Invalid amount"}
        row["refunded"] += int(amount)
        kind = "Refund" if self.is_settled else "Void Sale"
        parameters = {"AmountTrxn": amount, "MerchantReference": row["MerchantReference"]}
        refund = self._record(parameters, row["card"], "00", "Approved", kind=kind)
        refund["OriginalTxnId"] = row["TransactionId"]
        self._tell(refund)
        return 200, {
            "Success": True,
            "Message": "Approved",
            "ActionCode": "00",
            "RefNumber": refund["TransactionId"],
            "SystemReference": 0,
            "NetworkReference": refund["RRN"],
            "ReceiptNumber": refund["RRN"],
            "DecimalFraction": 3,
        }

    def _is_authentic(self, body: Mapping[str, Any]) -> bool:
        stamp = str(body.get("DateTimeLocalTrxn", ""))
        merchant = self.merchant
        expected = sign(
            merchant.secret_key,
            {
                "DateTimeLocalTrxn": stamp,
                "MerchantId": merchant.merchant_id,
                "TerminalId": merchant.terminal_id,
            },
        )
        shown = str(body.get("SecureHash", "")).upper()
        ours = (str(body.get("MerchantId")), str(body.get("TerminalId"))) == (
            merchant.merchant_id,
            merchant.terminal_id,
        )
        if not (ours and hmac.compare_digest(expected, shown)):
            return False
        if self._unique_stamps and self.stamps and stamp <= self.stamps[-1]:
            return False
        self.stamps = [*self.stamps[-1000:], stamp]
        return True

    def _record(
        self, parameters: Mapping[str, str], card: str, code: str, text: str, kind: str = "Sale"
    ) -> dict[str, Any]:
        now = self._clock.now()
        local = now.astimezone(TRIPOLI)
        stan = f"{next(self._stan) % 1_000_000:06d}"
        row = {
            "TransactionId": str(next(self._ids)),
            "MerchantReference": parameters.get("MerchantReference", ""),
            "RRN": network_reference(local, stan),
            "STAN": stan,
            "amount": parameters["AmountTrxn"],
            "card": card,
            "masked": f"{card[:6]}XXXXXX{card[-4:]}",
            "code": code,
            "text": text,
            "kind": kind,
            "at": local,
            "day": local.strftime("%Y%m%d"),
            "requested": parameters.get("TrxDateTime"),
            "refunded": 0,
            "OriginalTxnId": "0",
            "visible_at": now + timedelta(seconds=self.faults.late_success_seconds),
        }
        self.transactions = [*self.transactions[-TRANSACTIONS_MAX:], row]
        return row

    def _completion_payload(self, row: Mapping[str, Any]) -> dict[str, Any]:
        payload = {
            "TxnDate": row["at"].strftime("%y%m%d%H%M%S"),
            "SystemReference": row["TransactionId"],
            "NetworkReference": row["RRN"],
            "MerchantReference": row["MerchantReference"],
            "Amount": row["amount"],
            "Currency": "434",
            "PaidThrough": "Card",
            "PayerAccount": row["masked"],
            "PayerName": "TEST PAYER",
            "ProviderSchemeName": "",
        }
        signed = {
            name: payload[name]
            for name in ("Amount", "Currency", "MerchantReference", "PaidThrough", "TxnDate")
        }
        signed["MerchantId"] = self.merchant.merchant_id
        signed["TerminalId"] = self.merchant.terminal_id
        payload["SecureHash"] = sign(self.merchant.secret_key, signed)
        older = {"DisplayData": None, "TokenCustomerId": "", "TokenCard": ""}
        newer = {"CardToken": "", "CustomerId": ""}
        return {**payload, **(newer if self._newer_payload else older)}

    def _error_payload(self, parameters: Mapping[str, str], text: str) -> dict[str, Any]:
        return {
            "error": f"CUBEEX5212216:{text}",
            "Amount": parameters["AmountTrxn"],
            "MerchantReferenece": parameters.get("MerchantReference", ""),
            "DateTimeLocalTrxn": self._clock.now().astimezone(TRIPOLI).strftime("%y%m%d%H%M%S"),
            "SecureHash": "0" * 64,
        }

    def _tell(self, row: Mapping[str, Any]) -> None:
        times = {"once": 1, "twice": 2, "never": 0}[self.faults.notify]
        for _ in range(times):
            task = asyncio.ensure_future(self._deliver(self.notification(row)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, notification: dict[str, Any]) -> None:
        if self.faults.notify_delay_seconds:
            await asyncio.sleep(self.faults.notify_delay_seconds)
        await self._notify(notification)

    def notification(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The webhook's body for a transaction."""
        stamp = row["at"].strftime("%Y%m%d%H%M%S")
        types = {"Sale": 1, "Refund": 2, "Void Sale": 3}
        body = {
            "MerchantId": self.merchant.merchant_id,
            "TerminalId": self.merchant.terminal_id,
            "DateTimeLocalTrxn": stamp,
            "AuthorizationDateTime": stamp,
            "TrxDateTime": row["requested"],
            "TxnType": types[row["kind"]],
            "Message": row["text"],
            "PaidThrough": "Card",
            "SystemReference": row["TransactionId"],
            "NetworkReference": row["RRN"],
            "MerchantReference": row["MerchantReference"],
            "Amount": self.faults.notification_amount or row["amount"],
            "Tip": "0",
            "AdditionalFees": "0",
            "Currency": "434",
            "PayerAccount": row["masked"],
            "PayerName": "TEST PAYER",
            "ActionCode": row["code"],
            "Status": "Success",
            "OriginalTxnId": row["OriginalTxnId"],
            "SID": None,
            "Token": None,
        }
        names = ("Amount", "Currency", "DateTimeLocalTrxn", "MerchantId", "TerminalId")
        signature = sign(self.merchant.notification_key, {name: str(body[name]) for name in names})
        body["SecureHash"] = "F" * 64 if self.faults.forge_notification else signature
        return body

    def _filter_reply(
        self, found: list[dict[str, Any]], shown: list[dict[str, Any]]
    ) -> dict[str, Any]:
        by_day: dict[str, list[dict[str, Any]]] = {}
        for row in shown:
            by_day.setdefault(row["at"].strftime("%d/%m/%Y"), []).append(self._filter_row(row))
        return {
            "Message": None if found else "Transaction not found",
            "Success": True,
            "TotalAmountAllTransaction": sum(int(row["amount"]) for row in found),
            "TotalAmountTipsTransaction": 0,
            "TotalCountAllTransaction": len(found),
            "Transactions": [
                {"Date": day, "DateTotalAmount": "0", "DateTransactions": rows}
                for day, rows in by_day.items()
            ],
        }

    def _filter_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        amount = self.faults.filter_amount or row["amount"]
        return {
            "Amnt": amount,
            "AmountTrxn": f"{amount}.000",
            "Status": "Approved" if row["code"] == "00" else "Declined",
            "ResCodeDesc": row["text"],
            "TransType": row["kind"],
            "TransactionChannel": "Card",
            "Currency": "LYD",
            "CardNo": row["masked"],
            "CardType": "NUMO",
            "SenderName": "TEST PAYER",
            "MobileNumber": None,
            "MerchantReference": row["MerchantReference"],
            "TransactionId": row["TransactionId"],
            "RRN": row["RRN"],
            "ReceiptNo": row["RRN"],
            "STAN": row["STAN"],
            "TxnDateTime": row["at"].strftime("%d/%m/%y  %H:%M"),
            "AuthCode": row["STAN"] if row["code"] == "00" else None,
            "ExternalTxnId": None,
            "OriginalTxnId": row["OriginalTxnId"],
            "IsRefundEnabled": row["kind"] == "Sale",
            "IsRefund": row["kind"] != "Sale",
            "RemainingRefundAmount": str(int(row["amount"]) - row["refunded"]),
            "IsMustVoidTotalAmount": not self.is_settled,
            "TerminalId": self.merchant.terminal_id,
        }


_UNAUTHENTICATED = {
    "Message": "Authentication failed.",
    "StackTrace": None,
    "ExceptionType": "System.InvalidOperationException",
}


def sign(key: str, fields: Mapping[str, str]) -> str:
    """The gateway's own way to its signature; written apart from the adapter on purpose."""
    text = "&".join("=".join(pair) for pair in sorted(fields.items()))
    return hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest().upper()


def network_reference(at: datetime, stan: str) -> str:
    """Last digit of the year, day of the year, hour, then the six digits of the STAN."""
    return f"{at.year % 10}{at.timetuple().tm_yday:03d}{at.hour:02d}{stan}"

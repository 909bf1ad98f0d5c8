"""A Moamalat gateway to try payments with: the lightbox, the REST calls, the notification.

Behaves as the vendor's papers say (what is not public is marked as this simulator's own), keeps
everything in memory, and errs on request (`Faults`). What it writes is in `moamalat_wire.py`, its
pages and HTTP routes are in `moamalat_door.py`.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec
import structlog

from eishro.clock import TRIPOLI, Clock
from eishro.sandbox import moamalat_wire as wire
from eishro.sandbox.moamalat_cards import CARDS, DECLINE_CARDS, OTP, refusal_of
from eishro.sandbox.moamalat_wire import APPROVED, Kind, Merchant, Transaction

__all__ = [
    "CARDS",
    "DECLINE_CARDS",
    "OTP",
    "Faults",
    "Merchant",
    "Refused",
    "Simulator",
    "Switches",
    "Transaction",
]

TRANSACTIONS_MAX = 10_000
QUESTIONS_MAX = 1_000  # remembered for tests
HELD_MAX = 100  # notifications kept back to be reordered
AMOUNT_DIGITS_MAX = 12
REFERENCE_LENGTH_MAX = 64

Notify = Callable[[dict[str, Any]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

_LOG = structlog.get_logger("eishro.sandbox")


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """What the gateway does wrong from now on; everything off by default.

    Amounts are dirhams as text and replace the true ones. `filter_…` concern FilterTransactions:
    `filter_not_found_times` hides a new transaction from so many questions, `filter_status` other
    than 200 and `filter_body` replace the answer. `late_success_seconds`: the browser is told of
    a time-out, but the money was taken and shows that much later. `decline` is an action code for
    every card.

    `refund_…` concern RefundTransaction: `refund_fails` `before` refunding (the service is down),
    or `after` it, so that nobody hears of it; `refund_is_listed_as` shows another amount,
    `refund_hides_reference` lists undoings without the sale's reference, and
    `refund_not_found_times` hides a new one from so many questions.
    """

    notify: Literal["once", "twice", "never"] = "once"
    notify_delay_seconds: float = 0.0
    reorder_notifications: bool = False
    forge_notification: bool = False
    notification_amount: str | None = None
    filter_amount: str | None = None
    filter_not_found_times: int = 0
    filter_status: int = 200
    filter_body: str | None = None
    filter_is_huge: bool = False
    filter_delay_seconds: float = 0.0
    charge_twice: bool = False
    late_success_seconds: float = 0.0
    decline: str | None = None
    refund_fails: Literal["never", "before", "after"] = "never"
    refund_delay_seconds: float = 0.0
    refund_is_listed_as: str | None = None
    refund_hides_reference: bool = False
    refund_not_found_times: int = 0


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Where the papers differ or leave a choice.

    `is_settled`: money can only be refunded; by itself that comes with the end of the day.
    """

    unique_stamps: bool = True
    newer_payload: bool = True
    is_settled: bool = False


class Refused(Exception):
    """The gateway does not accept the lightbox's request; the text is its own."""


class Simulator:
    """The gateway: terminals, transactions, stamps, and what it tells.

    Args:
        merchant: the terminal it knows; `further` for several.
        notify: delivers a notification; retries are its business.
        sleep: waits before delayed notifications.
    """

    def __init__(
        self,
        merchant: Merchant,
        clock: Clock,
        notify: Notify,
        *,
        further: Sequence[Merchant] = (),
        switches: Switches | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.merchant = merchant
        self.faults = Faults()
        self.switches = switches or Switches()
        self.transactions: deque[Transaction] = deque(maxlen=TRANSACTIONS_MAX)
        self.questions: deque[dict[str, Any]] = deque(maxlen=QUESTIONS_MAX)
        self._merchants = {(m.merchant_id, m.terminal_id): m for m in (merchant, *further)}
        self._clock = clock
        self._notify = notify
        self._sleep = sleep
        self._stamps: dict[tuple[str, str], str] = {}
        self._stan = itertools.count(434_990)
        # A gateway's numbers are never used again, also not by its next process.
        self._ids = itertools.count(int(clock.now().timestamp()) * 10)
        self._held: deque[dict[str, Any]] = deque(maxlen=HELD_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def check_request(self, parameters: Mapping[str, str]) -> Merchant:
        """The lightbox's six values must be signed by a merchant that is known.

        Raises:
            Refused: what the gateway would say.
        """
        key = (parameters.get("MID", ""), parameters.get("TID", ""))
        merchant = self._merchants.get(key)
        if merchant is None:
            raise Refused("CUBEEX5212001:Merchant not found")
        amount = parameters.get("AmountTrxn", "")
        if not _is_amount(amount):
            raise Refused("CUBEEX5212013:Invalid amount")
        if len(parameters.get("MerchantReference", "")) > REFERENCE_LENGTH_MAX:
            raise Refused("CUBEEX5212030:Invalid merchant reference")
        signed = {
            "Amount": amount,
            "DateTimeLocalTrxn": parameters.get("TrxDateTime", ""),
            "MerchantId": merchant.merchant_id,
            "MerchantReference": parameters.get("MerchantReference", ""),
            "TerminalId": merchant.terminal_id,
        }
        if not wire.is_signed(merchant.secret_key, signed, parameters.get("SecureHash")):
            raise Refused("CUBEEX5212216:Authentication Failed")
        return merchant

    async def pay(
        self,
        parameters: Mapping[str, str],
        *,
        card: str,
        otp: str = OTP,
        expiry: str | None = None,
    ) -> dict[str, Any]:
        """What the gateway's form does: charge the card, tell the merchant.

        Args:
            expiry: `MM/YY`; None is not looked at.
        Returns: the completion payload, or the error payload if the card was not charged (or
            is only charged later).
        Raises:
            Refused: the request itself is not accepted.
        """
        merchant = self.check_request(parameters)
        refusal = refusal_of(card, expiry, self.faults.decline)
        if refusal is None and otp != OTP:
            # The issuer never got to see it: nothing is recorded.
            return self._error(parameters, "Authentication Failed")
        code, text = refusal or (APPROVED, "Approved")
        times = 2 if self.faults.charge_twice and refusal is None else 1
        rows = [self._record(merchant, parameters, card, code, text) for _ in range(times)]
        for row in rows:
            self._tell(row, after_seconds=(row.visible_at - self._clock.now()).total_seconds())
        if refusal is not None:
            return self._error(parameters, text)
        if rows[0].visible_at > self._clock.now():
            return self._error(parameters, "Transaction timed out")
        return wire.completion_payload(rows[0], is_newer=self.switches.newer_payload)

    def filter(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """FilterTransactions: status and JSON; newest first unless `SortDir` is `asc`."""
        merchant, refusal = self._authenticate(body)
        if merchant is None:
            return refusal
        self.questions.append(dict(body))
        start, length = str(body.get("DisplayStart", "")), str(body.get("DisplayLength", ""))
        if not (_is_count(start) and _is_count(length) and int(length)):
            return 200, wire.no_reply("CUBEEX5250001:Invalid display range")
        found = [row for row in self.transactions if self._is_asked(row, merchant, body)]
        found = [row for row in found if not self._hide(row)]
        if str(body.get("SortDir", "desc")).lower() != "asc":
            found.reverse()
        shown = found[int(start) : int(start) + int(length)]
        return 200, wire.filter_reply(
            found,
            shown,
            is_settled={row.transaction_id: self._is_settled(row) for row in shown},
            amount=self.faults.filter_amount,
            refund_amount=self.faults.refund_is_listed_as,
            hides_reference=self.faults.refund_hides_reference,
        )

    def refund(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """RefundTransaction: a void of all of it before settlement, a refund after."""
        merchant, refusal = self._authenticate(body)
        if merchant is None:
            return refusal
        if self.faults.refund_fails == "before":
            return 503, wire.no_reply("The service is unavailable")
        sale = self._find_sale(merchant, body)
        if sale is None:
            return 200, wire.no_reply("CUBEEX5250615:Transaction not found")
        amount = str(body.get("AmountTrxn", ""))
        refused = self._why_not_refunded(sale, amount)
        if refused is not None:
            return 200, wire.no_reply(refused)
        sale.refunded_dirhams += int(amount)
        kind: Kind = "Refund" if self._is_settled(sale) else "Void Sale"
        undo = self._undo(sale, int(amount), kind)
        self._tell(undo)
        if self.faults.refund_fails == "after":
            return 504, wire.no_reply("Gateway Time-out")
        return 200, wire.refund_reply(undo)

    def _why_not_refunded(self, sale: Transaction, amount: str) -> str | None:
        left = sale.amount_dirhams - sale.refunded_dirhams
        if left == 0:
            return "CUBEEX5250616:Transaction Already Refunded"
        if not _is_amount(amount) or int(amount) > left:
            return "CUBEEX5250613:Invalid amount"
        if int(amount) != left and not self._is_settled(sale):
            return "CUBEEX5250614:Must void total amount"
        return None

    def status(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """CheckTxnStatus by TxnId."""
        merchant, refusal = self._authenticate(body)
        if merchant is None:
            return refusal
        for row in self.transactions:
            if row.merchant == merchant and row.transaction_id == str(body.get("TxnId", "")):
                return 200, wire.status_reply(row)
        return 200, wire.no_reply("Transaction not found")

    async def settle(self) -> None:
        """Wait until every notification under way is delivered."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def release(self) -> None:
        """Send the notifications that were kept back, the last one first."""
        held = list(reversed(self._held))
        self._held.clear()
        if held:
            self._start(self._deliver(held, 0.0))

    async def aclose(self) -> None:
        """Drop what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _error(self, parameters: Mapping[str, str], text: str) -> dict[str, Any]:
        return wire.error_payload(parameters, text, self._clock.now().astimezone(TRIPOLI))

    def _authenticate(
        self, body: Mapping[str, Any]
    ) -> tuple[Merchant | None, tuple[int, dict[str, Any]]]:
        """Who asks; or None and the answer for it. The stamp must be newer than the last one."""
        key = (str(body.get("MerchantId")), str(body.get("TerminalId")))
        merchant = self._merchants.get(key)
        stamp = str(body.get("DateTimeLocalTrxn", ""))
        signed = {"DateTimeLocalTrxn": stamp, "MerchantId": key[0], "TerminalId": key[1]}
        if merchant is None or not wire.is_signed(
            merchant.secret_key, signed, body.get("SecureHash")
        ):
            return None, (401, wire.UNAUTHENTICATED)
        last = self._stamps.get(key, "")
        # Forms of other lengths (epoch seconds, milliseconds) are used too, and not compared.
        if self.switches.unique_stamps and len(stamp) == len(last) and stamp <= last:
            return None, (200, wire.no_reply("CUBEEX5250002:DateTimeLocalTrxn must be unique"))
        self._stamps[key] = stamp
        return merchant, (200, {})

    def _is_asked(self, row: Transaction, merchant: Merchant, body: Mapping[str, Any]) -> bool:
        day = row.at.strftime("%Y%m%d")
        # A filter that is not given lets everything through.
        return (
            row.merchant == merchant
            and row.visible_at <= self._clock.now()
            and self._has_reference(row, body)
            and str(body.get("NetworkReference") or row.network_reference) == row.network_reference
            and str(body.get("DateFrom") or day) <= day <= str(body.get("DateTo") or day)
        )

    def _has_reference(self, row: Transaction, body: Mapping[str, Any]) -> bool:
        asked = str(body.get("MerchantReference") or "")
        shown = "" if self.faults.refund_hides_reference and row.kind != "Sale" else row.reference
        return asked in ("", shown)

    def _hide(self, row: Transaction) -> bool:
        if row.hidden_questions == 0:
            return False
        row.hidden_questions -= 1
        return True

    def _find_sale(self, merchant: Merchant, body: Mapping[str, Any]) -> Transaction | None:
        for row in self.transactions:
            named = (
                row.transaction_id == str(body.get("SystemReference", "")),
                row.network_reference == str(body.get("NetworkReference", "")),
            )
            is_sale = row.kind == "Sale" and row.is_approved and row.merchant == merchant
            if is_sale and any(named):
                return row
        return None

    def _is_settled(self, row: Transaction) -> bool:
        today = self._clock.now().astimezone(TRIPOLI).date()
        return self.switches.is_settled or row.at.date() < today

    def _record(
        self, merchant: Merchant, parameters: Mapping[str, str], card: str, code: str, text: str
    ) -> Transaction:
        late = self.faults.late_success_seconds if code == APPROVED else 0.0
        return self._keep(
            merchant=merchant,
            reference=parameters.get("MerchantReference", ""),
            kind="Sale",
            amount_dirhams=int(parameters["AmountTrxn"]),
            masked_card=wire.masked(card),
            code=code,
            text=text,
            requested=parameters.get("TrxDateTime"),
            original_id="",
            late_seconds=late,
            hidden_questions=self.faults.filter_not_found_times,
        )

    def _undo(self, sale: Transaction, amount_dirhams: int, kind: Kind) -> Transaction:
        return self._keep(
            merchant=sale.merchant,
            reference=sale.reference,
            kind=kind,
            amount_dirhams=amount_dirhams,
            masked_card=sale.masked_card,
            code=APPROVED,
            text="Approved",
            requested=None,
            original_id=sale.transaction_id,
            hidden_questions=self.faults.refund_not_found_times,
        )

    def _keep(self, *, late_seconds: float = 0.0, **facts: Any) -> Transaction:
        at = self._clock.now() + timedelta(seconds=late_seconds)
        row = Transaction(
            transaction_id=str(next(self._ids)),
            stan=f"{next(self._stan) % 1_000_000:06d}",
            at=at.astimezone(TRIPOLI),
            visible_at=at,
            **facts,
        )
        self.transactions.append(row)
        return row

    def _tell(self, row: Transaction, after_seconds: float = 0.0) -> None:
        faults = self.faults
        body = wire.notification(
            row, amount=faults.notification_amount, is_forged=faults.forge_notification
        )
        for _ in range({"once": 1, "twice": 2, "never": 0}[faults.notify]):
            if not faults.reorder_notifications:
                self._start(self._deliver([body], faults.notify_delay_seconds + after_seconds))
                continue
            self._held.append(body)
            if len(self._held) > 1:
                self.release()

    def _start(self, delivery: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, bodies: Sequence[dict[str, Any]], delay_seconds: float) -> None:
        if delay_seconds > 0:
            await self._sleep(delay_seconds)
        for body in bodies:
            try:
                await self._notify(body)
            except Exception:  # noqa: BLE001 - a merchant that is down is no fault of a gateway
                _LOG.warning("notification_not_delivered", exc_info=True)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= AMOUNT_DIGITS_MAX


def _is_amount(text: str) -> bool:
    """Whole dirhams, more than none, without separators."""
    return _is_count(text) and int(text) > 0

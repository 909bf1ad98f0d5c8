"""Asking Moamalat's FilterTransactions: one call at a time for each terminal.

Every call needs a `DateTimeLocalTrxn` later than the terminal's last one; stamps come from the
database, so they grow across processes. Callers with the same reference share one call, but
never one that was sent before they asked. Where several references wait, one call by date range
answers them all. Anything but a clear answer is `Unknown`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.port import Answer, Failed, Intent, Paid, Receipt, Stamps, Unknown
from eishro.outward import Http, NoReply

WAITING_MAX = 500  # references in the queue of a terminal; beyond it the answer is Unknown
PAGE = 100  # transactions asked for at once
PAGES_MAX = 50  # of one date range
AHEAD_SECONDS_MAX = 3  # how far stamps may run ahead of the clock before a call waits
TIMEOUT_SECONDS = 30.0

Sleep = Callable[[float], Awaitable[None]]


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask and how to sign the question."""

    merchant_id: str
    terminal_id: str
    url: str
    sign: Callable[[Mapping[str, str]], str]
    stamp_digits: int


class Transaction(msgspec.Struct, frozen=True):
    """One row of the answer, as far as it decides something."""

    reference: str
    transaction_id: str
    kind: str
    approved: bool
    reason: str
    amount_dirhams: int | None
    currency: str
    original_id: str
    details: dict[str, str]


class _Waiting(msgspec.Struct):
    intent: Intent
    answers: list["asyncio.Future[Answer]"]


class TerminalQueries:
    """The terminal's queue of questions and the task that works it off."""

    def __init__(
        self,
        terminal: Terminal,
        http: Http,
        stamps: Stamps,
        clock: Clock,
        sleep: Sleep | None = None,
    ) -> None:
        self._terminal = terminal
        self._http = http
        self._stamps = stamps
        self._clock = clock
        self._sleep: Sleep = sleep or asyncio.sleep
        self._waiting: dict[str, _Waiting] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, intent: Intent) -> Answer:
        """What became of the attempt, asked after this call began."""
        waiting = self._waiting.get(intent.reference)
        if waiting is None:
            if len(self._waiting) >= WAITING_MAX:
                return Unknown("too many questions are waiting")
            waiting = self._waiting[intent.reference] = _Waiting(intent, [])
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting.answers.append(future)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work_off())
        return await future

    async def aclose(self) -> None:
        """Stop; who waits is told `Unknown`."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._answer(list(self._waiting.values()), {})
        self._waiting.clear()

    async def _work_off(self) -> None:
        while self._waiting:
            # Taken out before the call is sent: who asks from now on waits for the next one.
            group = list(self._waiting.values())
            self._waiting.clear()
            answers: dict[str, Answer] = {}
            try:
                answers = await self._ask_gateway([one.intent for one in group])
            finally:
                self._answer(group, answers)

    def _answer(self, group: Sequence[_Waiting], answers: Mapping[str, Answer]) -> None:
        for waiting in group:
            answer = answers.get(waiting.intent.reference, Unknown("not asked"))
            for future in waiting.answers:
                if not future.done():
                    future.set_result(answer)

    async def _ask_gateway(self, intents: Sequence[Intent]) -> dict[str, Answer]:
        filters = {"MerchantReference": intents[0].reference}
        if len(intents) > 1:
            days = sorted(_day(intent.created_at) for intent in intents)
            today = _day(self._clock.now())
            filters = {"DateFrom": days[0], "DateTo": max(days[-1], today)}
        rows: list[Transaction] = []
        seen_rows = 0
        for page in range(PAGES_MAX):
            reply = await self._call(filters, start=page * PAGE)
            if isinstance(reply, Unknown):
                return {intent.reference: reply for intent in intents}
            rows += reply.transactions
            seen_rows += reply.count
            if reply.count < PAGE or seen_rows >= reply.total:
                break
        return {intent.reference: decide(intent, rows, self._terminal) for intent in intents}

    async def _call(self, filters: Mapping[str, str], start: int) -> "FilterReply | Unknown":
        stamp = await self._next_stamp()
        signed = {
            "DateTimeLocalTrxn": stamp,
            "MerchantId": self._terminal.merchant_id,
            "TerminalId": self._terminal.terminal_id,
        }
        body = {
            **signed,
            **filters,
            "DisplayLength": str(PAGE),
            "DisplayStart": str(start),
            "SecureHash": self._terminal.sign(signed),
        }
        try:
            reply = await self._http.post_json(
                self._terminal.url, body, timeout_seconds=TIMEOUT_SECONDS
            )
        except NoReply as error:
            return Unknown(f"no reply: {error}"[:200])
        if reply.status != 200:
            return Unknown(f"HTTP {reply.status}")
        return read_reply(reply.body)

    async def _next_stamp(self) -> str:
        """The next DateTimeLocalTrxn; waits where stamps would run too far ahead of time."""
        unit = 1000 if self._terminal.stamp_digits == 17 else 1
        now = self._clock.now().timestamp()
        name = f"moamalat:{self._terminal.terminal_id}:{self._terminal.stamp_digits}"
        number = await self._stamps.next(name, int(now * unit))
        ahead = number / unit - now
        if ahead > AHEAD_SECONDS_MAX:
            await self._sleep(ahead - AHEAD_SECONDS_MAX)
        seconds, milliseconds = divmod(number, unit) if unit == 1000 else (number, 0)
        text = datetime.fromtimestamp(seconds, UTC).astimezone(TRIPOLI).strftime("%Y%m%d%H%M%S")
        return f"{text}{milliseconds:03d}" if unit == 1000 else text


class FilterReply(msgspec.Struct, frozen=True):
    """A readable answer: its rows, how many rows it had, how many there are in all."""

    transactions: list[Transaction]
    count: int
    total: int


def read_reply(body: bytes) -> FilterReply | Unknown:
    """The rows of an answer, or why it cannot be used."""
    try:
        reply = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Unknown("not JSON")
    if not isinstance(reply, dict) or reply.get("Success") is not True:
        return Unknown("the gateway refuses the question")
    rows: list[Transaction] = []
    count = 0
    for day in _list(reply.get("Transactions")):
        for row in _list(day.get("DateTransactions")):
            count += 1
            transaction = _transaction(row)
            if transaction is not None:
                rows.append(transaction)
    total = reply.get("TotalCountAllTransaction")
    return FilterReply(rows, count, total if isinstance(total, int) else count)


def decide(intent: Intent, rows: Sequence[Transaction], terminal: Terminal) -> Answer:
    """Money came, an explicit no, or unknown: what the rows say about one attempt."""
    ours = [row for row in rows if row.reference == intent.reference]
    sales = {row.transaction_id: row for row in ours if row.kind == "sale" and row.approved}
    given_back: dict[str, int] = {}
    for row in rows:
        if row.kind != "sale" and row.approved and row.original_id in sales:
            amount = row.amount_dirhams or 0
            given_back[row.original_id] = given_back.get(row.original_id, 0) + amount
    receipts = tuple(
        Receipt(
            provider_reference=sale.transaction_id,
            terminal=terminal.terminal_id,
            amount_dirhams=sale.amount_dirhams,
            currency=sale.currency,
            details=sale.details,
        )
        for sale in sales.values()
        if sale.amount_dirhams is not None
        and given_back.get(sale.transaction_id, 0) < sale.amount_dirhams
    )
    if receipts:
        return Paid(receipts)
    if sales:
        return Unknown("the sale is voided, refunded or has no readable amount")
    declined = [row for row in ours if row.kind == "sale" and not row.approved]
    if declined:
        return Failed(declined[-1].reason or "declined")
    return Unknown("not found")


def _transaction(row: Mapping[str, Any]) -> Transaction | None:
    status = _text(row, "Status").lower()
    transaction_id = _text(row, "TransactionId")
    if status not in ("approved", "declined") or not transaction_id:
        return None
    return Transaction(
        reference=_text(row, "MerchantReference"),
        transaction_id=transaction_id,
        kind=_text(row, "TransType").lower(),
        approved=status == "approved",
        reason=_text(row, "ResCodeDesc"),
        amount_dirhams=_amount(row),
        currency=_text(row, "Currency"),
        original_id=_text(row, "OriginalTxnId"),
        details={
            name: value
            for name, key in (
                ("networkReference", "RRN"),
                ("card", "CardNo"),
                ("cardType", "CardType"),
                ("authCode", "AuthCode"),
            )
            if (value := _text(row, key)) and not (name == "card" and value.isdigit())
        },
    )


def _amount(row: Mapping[str, Any]) -> int | None:
    """Whole dirhams; the gateway may write `.000` behind them."""
    try:
        amount = Decimal(_text(row, "AmountTrxn"))
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount <= 0 or amount >= 10**15 or amount != int(amount):
        return None
    return int(amount)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, str):
        return value.strip()[:200].replace("\x00", "")
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _list(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _day(at: datetime) -> str:
    return at.astimezone(TRIPOLI).strftime("%Y%m%d")

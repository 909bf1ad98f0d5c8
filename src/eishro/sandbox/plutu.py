"""A Plutu account to try payments with: codes to phones, pages for payers, signed callbacks.

Behaves as the vendor's papers say (what is not public is marked as this simulator's own), keeps
everything in memory, and errs on request (`Faults`). What it writes is in `plutu_wire.py`, its
pages and HTTP routes are in `plutu_pages.py` and `plutu_door.py`.
"""

import asyncio
import itertools
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from eishro.clock import Clock
from eishro.sandbox import plutu_wire as wire
from eishro.sandbox.plutu_wire import Account, Transaction, fault, framework_fault

ROWS_MAX = 10_000
HELD_MAX = 100  # callbacks kept back to be reordered
CHECKOUTS_MAX = 5_000
GATEWAYS = ("localbankcards", "mpgs", "tlync", "sadadapi", "edfali")

Notify = Callable[[str, dict[str, Any]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]
Outcome = Literal["paid", "declined", "canceled"]
T = TypeVar("T")

_LOG = structlog.get_logger("eishro.sandbox")


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """What goes wrong from now on; everything off by default.

    `refuse` is the code that every call is refused with, `decline` the one that every payment is.
    `confirm_fails` answers a confirmation with 503 `before` charging or 504 `after` it. `amount`
    (as on the wire) and `currency` replace the true ones in what is told, signed. `hash` and the
    `callback…` faults concern what is told of a payment, `numbers` writes amounts as JSON numbers.
    `status`, `body`, `is_huge`, `redirects` and `delay_seconds` concern the answers to calls.
    """

    is_down: bool = False
    refuse: str | None = None
    decline: str | None = None
    confirm_fails: Literal["never", "before", "after"] = "never"
    amount: str | None = None
    currency: str | None = None
    hash: Literal["right", "forged", "missing"] = "right"
    numbers: bool = False
    callback: Literal["once", "twice", "never"] = "once"
    callback_delay_seconds: float = 0.0
    reorder_callbacks: bool = False
    status: int = 200
    body: str | None = None
    is_huge: bool = False
    redirects: bool = False
    delay_seconds: float = 0.0


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """Where the papers leave a choice: how long codes are taken and refused, which form wrong
    inputs are answered in, and whether callbacks to this machine are refused as the real one does.
    """

    code_seconds: int = 300
    resend_seconds: int = 60
    framework_errors: bool = False
    refuses_private_callbacks: bool = False


class Process(msgspec.Struct, kw_only=True):
    """A code that was sent."""

    gateway: str
    phone: str
    amount: str
    at: datetime
    is_used: bool = False


class Checkout(msgspec.Struct, kw_only=True):
    """A page that waits for its payer, or has been used; `row` is what became of it."""

    token: str
    gateway: str
    invoice_no: str
    amount: str
    return_url: str
    callback_url: str
    language: Literal["ar", "en"]
    row: Transaction | None = None

    @property
    def currency(self) -> str:
        return "USD" if self.gateway == "mpgs" else "LYD"


class Simulator:
    """The account: what was asked of it, and what it tells.

    Args:
        notify: delivers a callback to an address; retries are its business.
        sleep: waits before delayed callbacks.
    """

    def __init__(
        self,
        account: Account,
        clock: Clock,
        notify: Notify,
        *,
        switches: Switches | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.account = account
        self.faults = Faults()
        self.switches = switches or Switches()
        self.transactions: deque[Transaction] = deque(maxlen=ROWS_MAX)
        self.calls: deque[tuple[str, dict[str, str]]] = deque(maxlen=ROWS_MAX)
        self._clock = clock
        self._notify = notify
        self._sleep = sleep
        self._processes: dict[str, Process] = {}
        self._checkouts: dict[str, Checkout] = {}
        self._invoices: dict[str, None] = {}
        # A gateway's numbers are never used again, also not by its next process.
        self._process_ids = itertools.count(int(clock.now().timestamp() * 1000))
        self._ids = itertools.count(int(clock.now().timestamp()) * 10)
        self._held: deque[tuple[str, dict[str, Any]]] = deque(maxlen=HELD_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def call(
        self, gateway: str, name: str, keys: tuple[str, str], form: Mapping[str, str], page_url: str
    ) -> tuple[int, dict[str, Any]]:
        """One of the API's calls: HTTP status and JSON.

        Args:
            keys: bearer token and API key as sent.
            page_url: where this simulator's pages stand.
        """
        self.calls.append((f"{gateway}/{name}", dict(form)))
        is_code = gateway in wire.CODES
        is_named = name == "confirm" or (is_code and name == "verify")
        refused = _first(
            (keys != (self.account.access_token, self.account.api_key), "UNAUTHORIZED"),
            (gateway not in GATEWAYS or not is_named, "INVALID_GATEWAY"),
            (bool(self.faults.refuse), self.faults.refuse or ""),
        )
        if refused:
            return fault(refused)
        if name == "verify":
            return self._verify(gateway, form)
        faults = self._wrong_inputs(gateway, form)
        if faults:
            return self._inputs(faults)
        invoice = form["invoice_no"]
        if invoice in self._invoices:
            return fault("DUPLICATED_INVOICE_NUMBER")
        _remember(self._invoices, invoice, None, ROWS_MAX)  # failed tries use it up as well
        return self._confirm(gateway, form) if is_code else self._open(gateway, form, page_url)

    def find_checkout(self, token: str) -> Checkout | None:
        """The page of this address."""
        return self._checkouts.get(token)

    def act(self, checkout: Checkout, outcome: Outcome, wallet: str = "tadawul") -> Transaction:
        """The payer has acted, once; what became of it. T-Lync tells the shop."""
        if checkout.row is not None:
            return checkout.row
        if outcome == "paid" and self.faults.decline:
            outcome = "declined"
        row = checkout.row = self._record(
            gateway=checkout.gateway,
            invoice_no=checkout.invoice_no,
            amount=checkout.amount,
            currency=checkout.currency,
            outcome=outcome,
            payment_method=wallet if checkout.gateway == "tlync" else "",
        )
        if checkout.gateway == "tlync" and outcome != "canceled":
            self._tell(checkout.callback_url, row)
        return row

    def return_address(self, checkout: Checkout) -> str:
        """Where the payer goes back to, with what is told; without an act, the bare address."""
        if checkout.row is None:
            return checkout.return_url
        row = self._as_told(checkout.row)
        fields = wire.tlync_return(row) if row.gateway == "tlync" else wire.card_return(row)
        return wire.with_query(checkout.return_url, [*fields, *self._hashed(fields)])

    async def settle(self) -> None:
        """Wait until every callback under way is delivered."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def release(self) -> None:
        """Deliver what was kept back to be reordered, the newest first."""
        held = list(reversed(self._held))
        self._held.clear()
        if held:
            self._start(self._deliver(held, 0.0))

    async def aclose(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _verify(self, gateway: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        phone, amount = form.get("mobile_number", ""), form.get("amount", "")
        year = form.get("birth_year", "")
        is_sadad = gateway == "sadadapi"
        refused = _first(
            (not phone, "EMPTY_MOBILE_NUMBER"),
            (not re.fullmatch(wire.PHONE_FORMS[gateway], phone), "INVALID_MOBILE_NUMBER"),
            (is_sadad and not year, "EMPTY_BIRTH_YEAR"),
            (not wire.is_amount(amount), "INVALID_AMOUNT"),
            (is_sadad and year != wire.BIRTH_YEAR, "INVALID_MOBILE_NUMBER_OR_BIRTH_YEAR"),
            (phone in wire.PHONES_REFUSED, wire.PHONES_REFUSED.get(phone, "")),
            (self._is_too_soon(gateway, phone, amount), "OTP_WAIT_BEFORE_RESNED"),
        )
        if refused:
            return fault(refused)
        now = self._clock.now()
        process_id = next(self._process_ids)
        process = Process(gateway=gateway, phone=phone, amount=amount, at=now)
        _remember(self._processes, str(process_id), process, CHECKOUTS_MAX)
        result = {"process_id": process_id, "amount": float(amount)}
        return 200, {"status": 200, "result": result, "message": "OTP has been sent"}

    def _confirm(self, gateway: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        process = self._processes.get(form["process_id"])
        if process is None or process.is_used or process.gateway != gateway:
            return fault("REFERENCE_NUMBER_DOES_NOT_EXIST")
        is_over = self._clock.now() >= process.at + timedelta(seconds=self.switches.code_seconds)
        refused = _first(
            (form["amount"] != process.amount, "INVALID_INVOICE_AMOUNT_OR_NUMBER"),
            (is_over, "OTP_EXPIRED"),
            (form["code"] != wire.CODES[gateway], "INVLIAD_OTP"),
            (process.phone == wire.PHONE_OF_THE_POOR, "INSUFFICIENT_BALANCE"),
            (bool(self.faults.decline), self.faults.decline or ""),
            (self.faults.confirm_fails == "before", "BACKEND_SERVER_ERROR"),
        )
        if refused:
            return fault(refused)
        process.is_used = True
        row = self._record(
            gateway=gateway,
            invoice_no=form["invoice_no"],
            amount=form["amount"],
            currency="LYD",
            outcome="paid",
        )
        if self.faults.confirm_fails == "after":
            return 504, {"message": "Gateway Time-out"}
        result = {
            "transaction_id": row.transaction_id,
            "amount": float(self._as_told(row).amount),
        }
        return 200, {"status": 200, "result": result, "message": "Payment confirmed"}

    def _is_too_soon(self, gateway: str, phone: str, amount: str) -> bool:
        latest = self._clock.now() - timedelta(seconds=self.switches.resend_seconds)
        return any(
            (p.gateway, p.phone, p.amount) == (gateway, phone, amount) and p.at > latest
            for p in self._processes.values()
            if not p.is_used
        )

    def _open(
        self, gateway: str, form: Mapping[str, str], page_url: str
    ) -> tuple[int, dict[str, Any]]:
        checkout = Checkout(
            token=secrets.token_urlsafe(16),
            gateway=gateway,
            invoice_no=form["invoice_no"],
            amount=form["amount"],
            return_url=form["return_url"],
            callback_url=form.get("callback_url", ""),
            language="en" if form.get("lang") == "en" else "ar",
        )
        _remember(self._checkouts, checkout.token, checkout, CHECKOUTS_MAX)
        result = {"code": "CHECKOUT_REDIRECT", "redirect_url": f"{page_url}/{checkout.token}"}
        return 200, {"status": 200, "result": result}

    def _wrong_inputs(self, gateway: str, form: Mapping[str, str]) -> dict[str, str]:
        is_code = gateway in wire.CODES
        faults = {}
        if not wire.is_amount(form.get("amount", "")):
            faults["amount"] = "The amount is invalid."
        if not re.fullmatch(r"[A-Za-z0-9._-]+", form.get("invoice_no", ""), re.ASCII):
            faults["invoice_no"] = "The invoice no is invalid."
        if is_code:
            length = len(wire.CODES[gateway])
            if not re.fullmatch(rf"[0-9]{{{length}}}", form.get("code", "")):
                faults["code"] = f"The code must be {length} digits."
            if not re.fullmatch(r"[0-9]+", form.get("process_id", "")):
                faults["process_id"] = "The process id must be a number."
        elif not _is_web(form.get("return_url", "")):
            faults["return_url"] = "The return url is invalid."
        if gateway == "tlync":
            callback = form.get("callback_url", "")
            is_private = self.switches.refuses_private_callbacks and _is_private(callback)
            if not _is_web(callback) or is_private:
                faults["callback_url"] = "The callback url is invalid."
            if not re.fullmatch(wire.PHONE_FORMS["tlync"], form.get("mobile_number", "")):
                faults["mobile_number"] = "The mobile number is invalid."
        return faults

    def _inputs(self, faults: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if self.switches.framework_errors:
            return framework_fault(faults)
        return fault("INVALID_INPUTS", faults)

    def _record(self, **facts: Any) -> Transaction:
        row = Transaction(transaction_id=next(self._ids), **facts)
        self.transactions.append(row)
        return row

    def _as_told(self, row: Transaction) -> Transaction:
        return msgspec.structs.replace(
            row,
            amount=self.faults.amount or row.amount,
            currency=self.faults.currency or row.currency,
        )

    def _hashed(self, fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        if self.faults.hash == "missing":
            return []
        is_forged = self.faults.hash == "forged"
        return [("hashed", "F" * 64 if is_forged else wire.sign(self.account.secret_key, fields))]

    def _tell(self, url: str, row: Transaction) -> None:
        fields = wire.tlync_callback(self._as_told(row))
        body: dict[str, Any] = dict([*fields, *self._hashed(fields)])
        if self.faults.numbers:
            body |= {"approved": int(body["approved"]), "transaction_id": row.transaction_id}
            body["amount"] = msgspec.Raw(body["amount"].encode())
        for _ in range({"once": 1, "twice": 2, "never": 0}[self.faults.callback]):
            if not self.faults.reorder_callbacks:
                self._start(self._deliver([(url, body)], self.faults.callback_delay_seconds))
                continue
            self._held.append((url, body))
            if len(self._held) > 1:
                self.release()

    def _start(self, delivery: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, told: Sequence[tuple[str, dict[str, Any]]], delay_seconds: float
    ) -> None:
        if delay_seconds > 0:
            await self._sleep(delay_seconds)
        for url, body in told:
            try:
                await self._notify(url, body)
            except Exception:  # noqa: BLE001 - a shop that is down is no fault of a gateway
                _LOG.warning("callback_not_delivered", exc_info=True)


def _first(*checks: tuple[bool, str]) -> str | None:
    """The code of the first check that fails."""
    return next((code for is_wrong, code in checks if is_wrong), None)


def _remember(kept: dict[str, T], key: str, value: T, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii()


def _is_private(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or bool(re.match(r"(127|10|192\.168)\.", host))

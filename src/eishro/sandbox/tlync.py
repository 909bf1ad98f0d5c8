"""A T-Lync gateway to try payments with: begins payments, shows receipts, calls back unsigned.

Behaves as published integrations show it (what nobody shows is this simulator's own): a
`custom_ref` is taken once, receipts know `success`, `incomplete` and 404, and more than 30 calls
a minute to an endpoint are refused. Everything is in memory. Its pages and HTTP routes are in
`tlync_door.py`.
"""

import asyncio
import itertools
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import structlog

from eishro.clock import TRIPOLI, Clock
from eishro.outward import NoReply, WebHttp
from eishro.sandbox.gateway_door import dinars, dirhams_of

CHECKOUTS_MAX = 10_000
CALLS_A_MINUTE = 30
NOTIFY_TRIES = 5
OTP = "111111"
GOOD_ACCOUNT = "0912345678"
# This simulator's own; the vendor publishes no test accounts.
POOR_ACCOUNTS = {
    "0910000051": "Insufficient balance",
    "0910000057": "Account is not active",
    "0910000061": "Daily limit exceeded",
}
METHODS = ("tadawul", "mobicash", "edfaly", "sadad", "localbankcards")

_LOG = structlog.get_logger("eishro.sandbox")


class TlyncFaults(msgspec.Struct, forbid_unknown_fields=True):
    """What the gateway does wrong from now on; everything off by default.

    `amount` and `currency` replace the true ones in receipts and callbacks;
    `other_reference` lets receipts name another payment. `decline` refuses every account.
    `late_success_seconds`: the payer is told of a failure, but the money was taken and shows that
    much later. `forge_callback` tells of success whatever happened. `receipt_missing_times` hides
    a new receipt from so many questions. `shape` is where a receipt has its fields.
    """

    notify: Literal["once", "twice", "never"] = "once"
    notify_delay_seconds: float = 0.0
    reorder_notifications: bool = False
    forge_callback: bool = False
    callback_form: Literal["form", "json"] = "form"
    returns: Literal["get", "post"] = "get"
    shape: Literal["nested", "flat"] = "nested"
    amount: str | None = None
    currency: str | None = None
    other_reference: bool = False
    decline: bool = False
    late_success_seconds: float = 0.0
    receipt_missing_times: int = 0
    is_down: bool = False
    is_huge: bool = False
    is_malformed: bool = False
    delay_seconds: float = 0.0
    limits_calls: bool = True


class Checkout(msgspec.Struct, kw_only=True):
    """One payment. `paid_at` is when the money shows; None while it was not taken."""

    token: str
    reference: str
    amount_dirhams: int
    phone: str
    backend_url: str
    frontend_url: str
    failed_url: str
    our_ref: str
    state: Literal["open", "paid", "failed", "cancelled"] = "open"
    method: str = ""
    paid_at: datetime | None = None
    hidden_questions: int = 0


class TlyncSimulator:
    """The gateway with one store."""

    def __init__(
        self,
        store_id: str,
        token: str,
        clock: Clock,
        http: WebHttp,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.store_id = store_id
        self.token = token
        self.faults = TlyncFaults()
        self.checkouts: OrderedDict[str, Checkout] = OrderedDict()
        self.questions = 0
        self._clock = clock
        self._http = http
        self._sleep = sleep
        self._ids = itertools.count(int(clock.now().timestamp()))
        self._calls: dict[str, deque[datetime]] = {}
        self._held: list[tuple[str, dict[str, Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def initiate(self, token: str, given: Mapping[str, str], page_url: str) -> tuple[int, Any]:
        """Begin a payment: status and JSON. `page_url` is where payers' pages stand."""
        refusal = self._authenticate("initiate", token, given.get("id"))
        if refusal is not None:
            return refusal
        errors = self._faults_of(given)
        if errors:
            return 422, {"message": "The given data was invalid.", "errors": errors}
        reference = given["custom_ref"]
        checkout = Checkout(
            token=secrets.token_urlsafe(24),
            reference=reference,
            amount_dirhams=dirhams_of(given["amount"]) or 0,
            phone=given["phone"],
            backend_url=given["backend_url"],
            frontend_url=given["frontend_url"],
            failed_url=given.get("failed_front_end_url") or given["frontend_url"],
            our_ref=f"TL{next(self._ids)}",
            hidden_questions=self.faults.receipt_missing_times,
        )
        self.checkouts[reference] = checkout
        while len(self.checkouts) > CHECKOUTS_MAX:
            self.checkouts.popitem(last=False)
        url = f"{page_url}/{checkout.token}"
        return 200, {"result": "success", "custom_ref": reference, "url": url}

    def receipt(self, token: str, given: Mapping[str, str]) -> tuple[int, Any]:
        """The receipt by `custom_ref` or `transaction_ref`."""
        refusal = self._authenticate("receipt", token, given.get("store_id"))
        if refusal is not None:
            return refusal
        self.questions += 1
        checkout = self._find(given)
        if checkout is None:
            return 404, {"message": "Transaction not found"}
        if checkout.paid_at is None or checkout.paid_at > self._clock.now():
            return 200, {"result": "incomplete"}
        if checkout.hidden_questions > 0:
            checkout.hidden_questions -= 1
            return 200, {"result": "incomplete"}
        fields = self._receipt_fields(checkout, checkout.paid_at)
        if self.faults.shape == "flat":
            return 200, {"result": "success", **fields}
        return 200, {"result": "success", "data": fields}

    def by_token(self, token: str) -> Checkout | None:
        """The payment whose page this is."""
        return next((c for c in self.checkouts.values() if c.token == token), None)

    def act(self, checkout: Checkout, action: str, given: Mapping[str, str]) -> str | None:
        """The payer acts on the page.

        Returns: why the page stays as it is, or None where the payer goes back to the shop.
        """
        if checkout.state != "open":
            return None
        if action == "cancel":
            checkout.state = "cancelled"
            self._tell(checkout, is_success=self.faults.forge_callback)
            return None
        checkout.method = given.get("method", "") if given.get("method") in METHODS else METHODS[0]
        account = given.get("account", "")
        if self.faults.decline or account in POOR_ACCOUNTS:
            checkout.state = "failed"
            self._tell(checkout, is_success=self.faults.forge_callback)
            return None
        if account != GOOD_ACCOUNT:
            return "Account not found"
        if given.get("otp") != OTP:
            return "Wrong code"
        late = self.faults.late_success_seconds
        checkout.paid_at = self._clock.now() + timedelta(seconds=late)
        checkout.state = "failed" if late else "paid"
        self._tell(checkout, is_success=True, after_seconds=late)
        return None

    async def settle(self) -> None:
        """Wait until every callback under way is delivered."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def aclose(self) -> None:
        """Drop what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _authenticate(
        self, endpoint: str, token: str, store_id: str | None
    ) -> tuple[int, Any] | None:
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return 401, {"message": "Unauthenticated."}
        now = self._clock.now()
        calls = self._calls.setdefault(endpoint, deque(maxlen=CALLS_A_MINUTE))
        is_full = len(calls) == CALLS_A_MINUTE and calls[0] > now - timedelta(minutes=1)
        if self.faults.limits_calls and is_full:
            return 429, {"message": "Too Many Attempts."}
        calls.append(now)
        if store_id != self.store_id:
            return 422, {"message": "The given data was invalid.", "errors": ["Invalid store"]}
        return None

    def _faults_of(self, given: Mapping[str, str]) -> dict[str, list[str]]:
        phone = given.get("phone", "")
        is_phone = len(phone) == 10 and phone.startswith("09") and phone.isdigit()
        wrong = {
            "amount": dirhams_of(given.get("amount", "")) is None,
            "phone": not is_phone,
            "email": "email" in given and "@" not in given["email"],
            "backend_url": not given.get("backend_url", "").startswith("http"),
            "frontend_url": not given.get("frontend_url", "").startswith("http"),
            "custom_ref": not given.get("custom_ref"),
        }
        errors = {name: [f"The {name} is invalid."] for name, is_so in wrong.items() if is_so}
        if given.get("custom_ref") in self.checkouts:
            errors["custom_ref"] = ["The custom ref has already been taken."]
        return errors

    def _find(self, given: Mapping[str, str]) -> Checkout | None:
        if given.get("custom_ref"):
            return self.checkouts.get(given["custom_ref"])
        asked = given.get("transaction_ref")
        return next((c for c in self.checkouts.values() if c.our_ref == asked), None)

    def _receipt_fields(self, checkout: Checkout, at: datetime) -> dict[str, Any]:
        faults = self.faults
        amount = faults.amount or dinars(checkout.amount_dirhams)[:-1]
        return {
            "amount": amount,
            "currency": faults.currency or "LYD",
            "gateway_name": checkout.method,
            "gateway": checkout.method,
            "gateway_ref": f"GW{checkout.our_ref[2:]}",
            "date_time": at.astimezone(TRIPOLI).strftime("%Y-%m-%d %H:%M:%S"),
            "reference": checkout.our_ref,
            "custom_ref": "ANOTHER-ONE" if faults.other_reference else checkout.reference,
            "customer_phone": checkout.phone,
            "customer_email": None,
            "customer_name": "TEST PAYER",
            "shop_name": "Simulated store",
            "owner_name": "Simulated owner",
            "order_history": [],
            "notes_to_customer": None,
            "notes_to_shop": None,
        }

    def _tell(self, checkout: Checkout, *, is_success: bool, after_seconds: float = 0.0) -> None:
        faults = self.faults
        amount = faults.amount or dinars(checkout.amount_dirhams)[:-1]
        body = {
            "result": "success" if is_success else "failed",
            "amount": amount,
            "charges": "0.00",
            "net_amount": amount,
            "store_id": self.store_id,
            "our_ref": checkout.our_ref,
            "payment_method": checkout.method,
            "payment_method_en": checkout.method,
            "customer_phone": checkout.phone,
            "custom_ref": checkout.reference,
        }
        for _ in range({"once": 1, "twice": 2, "never": 0}[faults.notify]):
            self._held.append((checkout.backend_url, body))
        # Kept back until there are two, then the last one goes first.
        if not self._held or (faults.reorder_notifications and len(self._held) == 1):
            return
        for address, told in reversed(self._held):
            delay = faults.notify_delay_seconds + after_seconds
            task = asyncio.get_running_loop().create_task(self._deliver(address, told, delay))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._held.clear()

    async def _deliver(self, address: str, body: Mapping[str, str], delay: float) -> None:
        if delay > 0:
            await self._sleep(delay)
        is_form = self.faults.callback_form == "form"
        send = self._http.post_form if is_form else self._http.post_json
        for attempt in range(NOTIFY_TRIES):
            try:
                reply = await send(address, body)
            except NoReply as error:
                _LOG.warning("callback_not_delivered", error=str(error))
            else:
                if reply.status in (200, 204):
                    return
            await self._sleep(2**attempt)

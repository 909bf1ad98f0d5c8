"""A Mastercard gateway to try payments with: sessions, orders, refunds, notifications.

Behaves as the vendor's papers say; cards, expiries and security codes that decide are the vendor's
for its own test host. Everything is in memory. What it writes is in `mpgs_wire.py`, its pages and
HTTP routes are in `mpgs_door.py`.
"""

import asyncio
import base64
import hmac
import itertools
import secrets
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import structlog

from eishro.clock import Clock
from eishro.outward import NoReply, WebHttp
from eishro.sandbox import mpgs_wire as wire
from eishro.sandbox.mpgs_wire import Answer, Order, Transaction
from eishro.sandbox.stage import Trouble

SESSION_LIFE = timedelta(minutes=30)
ORDERS_MAX = 5_000
HELD_MAX = 100  # notifications kept back to be reordered
CHALLENGED = "4508750015741019"  # asks its holder (3-D Secure)
CARDS: Mapping[str, str] = {
    "5123450000000008": "MASTERCARD",
    CHALLENGED: "VISA",
    "5111111111111118": "MASTERCARD",
}
EXPIRIES: Mapping[str, str] = {
    "01/39": "APPROVED",
    "05/39": "DECLINED",
    "04/27": "EXPIRED_CARD",
    "08/28": "TIMED_OUT",
    "01/37": "ACQUIRER_SYSTEM_ERROR",
    "02/37": "UNSPECIFIED_FAILURE",
    "05/37": "UNKNOWN",
}
GOOD_CVV = "100"

_LOG = structlog.get_logger("eishro.sandbox")


class Faults(Trouble):
    """What the gateway does wrong from now on; `Trouble` concerns the calls of merchants.

    `decline` is a gateway code for every card. `amount` (text), `currency`, `order_id` and
    `merchant` are lies in retrieved orders, `contradicts` shows a captured order whose result is a
    failure, `not_found_times` hides a new order from so many questions. `late_success_seconds`: the
    browser comes back as if nothing was paid, the money shows that much later. `forge_notification`
    has a wrong secret, `without_secret` none. `refund_fails` `before` refunding, or `after` it, so
    that nobody hears of it; `refund_result` is what refunds come to.
    """

    decline: str | None = None
    notify: Literal["once", "twice", "never"] = "once"
    reorder_notifications: bool = False
    forge_notification: bool = False
    without_secret: bool = False
    amount: str | None = None
    currency: str | None = None
    order_id: str | None = None
    merchant: str | None = None
    contradicts: bool = False
    not_found_times: int = 0
    late_success_seconds: float = 0.0
    charge_twice: bool = False
    wrong_indicator: bool = False
    refund_fails: Literal["never", "before", "after"] = "never"
    refund_result: Literal["SUCCESS", "PENDING", "FAILURE"] = "SUCCESS"


class Simulator:
    """The gateway: one merchant, its orders, what it tells.

    Args:
        fields: the merchant's, as the adapter uses them.
    """

    def __init__(self, fields: Mapping[str, str], clock: Clock, http: WebHttp) -> None:
        self.faults = Faults()
        self.orders: dict[str, Order] = {}
        self.sessions: dict[str, Order] = {}
        self.fields = dict(fields)
        self._clock = clock
        self._http = http
        self._held: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._notes = itertools.count(int(clock.now().timestamp()))

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        from eishro.sandbox.mpgs_door import add_routes

        add_routes(self, app, prefix)

    async def aclose(self) -> None:
        """Drop what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until every notification under way is delivered."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def is_merchant(self, merchant: str, authorization: str) -> bool:
        """Basic authentication."""
        pair = f"merchant.{self.fields['merchant_id']}:{self.fields['api_password']}"
        expected = "Basic " + base64.b64encode(pair.encode()).decode()
        is_known = hmac.compare_digest(authorization.encode(), expected.encode())
        return is_known and merchant == self.fields["merchant_id"]

    def open(self, body: Mapping[str, Any]) -> Answer:
        """INITIATE_CHECKOUT."""
        order, interaction = _part(body, "order"), _part(body, "interaction")
        amount = _amount(order.get("amount"))
        named = str(order.get("id") or "")
        is_whole = body.get("apiOperation") == "INITIATE_CHECKOUT" and amount is not None
        if not is_whole or not named or interaction.get("operation") != "PURCHASE":
            return wire.error("INVALID_REQUEST", "Missing or invalid field")
        if order.get("currency") != "USD":
            return wire.error("INVALID_REQUEST", "Value of order.currency is not supported")
        earlier = self.orders.get(named)
        if earlier is not None and earlier.transactions:
            return wire.error("INVALID_REQUEST", "The order was paid or tried already")
        made = Order(
            id=named,
            merchant=self.fields["merchant_id"],
            amount=amount or Decimal(0),
            currency="USD",
            session=f"SESSION{secrets.randbelow(10**20):020d}",
            indicator=secrets.token_hex(8),
            return_url=str(interaction.get("returnUrl") or ""),
            cancel_url=str(interaction.get("cancelUrl") or ""),
            notify_url=str(order.get("notificationUrl") or ""),
            language="en" if interaction.get("locale") == "en" else "ar",
            at=self._clock.now(),
            hidden=self.faults.not_found_times,
        )
        self.orders[named] = made
        self.sessions[made.session] = made
        while len(self.sessions) > ORDERS_MAX:
            oldest = self.sessions.pop(next(iter(self.sessions)))
            self.orders.pop(oldest.id, None)
        return 201, wire.session(made)

    def find(self, session: str) -> Order | None:
        """The order that is paid with this session, while it may be."""
        order = self.sessions.get(session)
        if order is None or self._clock.now() > order.at + SESSION_LIFE or order.is_paid:
            return None
        return order

    def pay(self, order: Order, card: str, expiry: str, cvv: str) -> str:
        """What the gateway's form does; returns its code, `APPROVED` if the card was charged."""
        code = self.faults.decline or _code_of(card, expiry, cvv)
        is_good = code == "APPROVED"
        late = self.faults.late_success_seconds if is_good else 0.0
        for _ in range(2 if is_good and self.faults.charge_twice else 1):
            row = self._add(order, "PAYMENT", order.amount, code, late_seconds=late, card=card)
            self._tell(order, row)
        return "TIMED_OUT" if late else code

    def back(self, order: Order) -> str:
        """Where the payer's browser goes after paying."""
        is_true = order.is_paid and not self.faults.wrong_indicator
        late = any(row.visible_at > self._clock.now() for row in order.transactions)
        indicator = order.indicator if is_true and not late else secrets.token_hex(8)
        joint = "&" if "?" in order.return_url else "?"
        return f"{order.return_url}{joint}resultIndicator={indicator}&sessionVersion=0001"

    def retrieve(self, named: str) -> Answer:
        """RETRIEVE_ORDER."""
        order = self.orders.get(named)
        shown = [] if order is None else self._visible(order)
        if order is None or not shown:
            return wire.error("INVALID_REQUEST", f"Unable to find order {named}")
        if order.hidden > 0:
            order.hidden -= 1
            return wire.error("INVALID_REQUEST", f"Unable to find order {named}")
        faults = self.faults
        return 200, wire.order(
            order,
            shown,
            amount=_amount(faults.amount) if faults.amount else None,
            currency=faults.currency,
            order_id=faults.order_id,
            merchant=faults.merchant,
            contradicts=faults.contradicts,
        )

    def refund(self, named: str, number: str, body: Mapping[str, Any]) -> Answer:
        """REFUND; the same number again gives the first answer."""
        order, faults = self.orders.get(named), self.faults
        if faults.refund_fails == "before":
            return 503, {}
        wanted = _part(body, "transaction")
        amount = _amount(wanted.get("amount"))
        if order is None or body.get("apiOperation") != "REFUND" or amount is None:
            return wire.error("INVALID_REQUEST", "Missing or invalid field")
        row = next((row for row in order.transactions if row.id == number), None)
        if row is None:
            if wanted.get("currency") != order.currency or amount > order.left:
                return wire.error("INVALID_REQUEST", "Requested refund exceeds what is left")
            code = "APPROVED" if faults.refund_result == "SUCCESS" else "DECLINED"
            row = self._add(
                order, "REFUND", amount, code, number=number, result=faults.refund_result
            )
            self._tell(order, row)
        if faults.refund_fails == "after":
            return 504, {}
        return 201, wire.transaction(order, row)

    def release(self) -> None:
        """Send the notifications that were kept back, the last one first."""
        held, self._held = self._held[::-1], []
        if held:
            self._start(self._deliver(held))

    def after_setting(self) -> None:
        """What setting faults does at once."""
        if not self.faults.reorder_notifications:
            self.release()

    def _visible(self, order: Order) -> list[Transaction]:
        return [row for row in order.transactions if row.visible_at <= self._clock.now()]

    def _add(
        self,
        order: Order,
        kind: str,
        amount: Decimal,
        code: str,
        *,
        card: str = "",
        number: str | None = None,
        result: str | None = None,
        late_seconds: float = 0.0,
    ) -> Transaction:
        now = self._clock.now()
        row = Transaction(
            id=number or str(len(order.transactions) + 1),
            type=kind,
            amount=amount,
            result=result or {"APPROVED": "SUCCESS", "UNKNOWN": "UNKNOWN"}.get(code, "FAILURE"),
            code=code,
            card=wire.masked(card) if card else order.card,
            brand=CARDS.get(card, "") if card else order.brand,
            at=now,
            visible_at=now + timedelta(seconds=late_seconds),
        )
        order.transactions.append(row)
        return row

    def _tell(self, order: Order, row: Transaction) -> None:
        faults = self.faults
        if not order.notify_url:
            return
        secret = "wrong" if faults.forge_notification else self.fields["notification_secret"]
        headers = {
            "X-Notification-ID": f"{next(self._notes):032x}",
            "X-Notification-Attempt": "1",
        }
        if not faults.without_secret:
            headers["X-Notification-Secret"] = secret
        note = (order.notify_url, wire.transaction(order, row), headers)
        for _ in range({"once": 1, "twice": 2, "never": 0}[faults.notify]):
            if not faults.reorder_notifications:
                self._start(self._deliver([note]))
                continue
            self._held.append(note)
            if len(self._held) > 1:
                self.release()

    def _start(self, delivery: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, notes: list[tuple[str, dict[str, Any], dict[str, str]]]) -> None:
        for url, body, headers in notes:
            try:
                content = wire.ENCODER.encode(body)
                whole = {**headers, "Content-Type": "application/json"}
                await self._http.send("POST", url, content, headers=whole)
            except NoReply:
                _LOG.warning("notification_not_delivered", url=url)


def _code_of(card: str, expiry: str, cvv: str) -> str:
    if card not in CARDS:
        return "DECLINED_INVALID_CARD"
    if cvv != GOOD_CVV:
        return {"101": "NOT_PROCESSED", "102": "DECLINED_CSC"}.get(cvv, "DECLINED")
    return EXPIRIES.get(expiry, "DECLINED")


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _amount(value: object) -> Decimal | None:
    """More than nothing, at most two decimals."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    is_good = amount.is_finite() and 0 < amount < 10**9 and amount == round(amount, 2)
    return amount if is_good else None

"""A Masarat to try OnePay with: sign in, sessions, codes on a phone nobody has.

Behaves as the one public SDK says; messages, what a completed session answers, and how a refund is
completed are this simulator's own. Everything is in memory.
"""

import itertools
import secrets
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from eishro.clock import Clock
from eishro.errors import Words
from eishro.outward import WebHttp
from eishro.sandbox.stage import Trouble

OTP = "123456"
SESSIONS_MAX = 5_000
MESSAGES_MAX = 200
SIGNED_IN = timedelta(minutes=30)
SESSION_LIFE = timedelta(minutes=5)

# The wallets that the bank knows; all are this simulator's own.
CARDS: Mapping[str, Words] = {
    "123456789": Words("pays", "يدفع"),
    "1234567890": Words("pays (10 digits)", "يدفع (10 أرقام)"),
    "111111111": Words("refused at the start", "مرفوض عند البدء"),
    "222222222": Words("the balance is too low", "الرصيد لا يكفي"),
}
_BARRED, _POOR = "111111111", "222222222"

Answer = tuple[int, dict[str, Any]]


class Faults(Trouble):
    """What Masarat does wrong from now on; for the rest see `Trouble`.

    `decline` is the message of a completion that is refused, `decline_type` its type.
    `is_silent_after_charging` takes the money and then answers 504. `amount` (text), `currency`
    and `transaction` are lies in a completed session's answer. `forgets_sign_ins` ends the tokens
    that were given out so far, each time it is put.
    """

    decline: str | None = None
    decline_type: int = 3
    is_silent_after_charging: bool = False
    amount: str | None = None
    currency: str | None = None
    transaction: str | None = None
    forgets_sign_ins: bool = False


class Session(msgspec.Struct):
    """A sale or a refund that waits for its code."""

    token: str
    transaction: str
    card: str
    amount: Decimal
    operation: int
    at: datetime
    is_done: bool = False


class Simulator:
    """The operator: one merchant, its payers, their sessions.

    Args:
        fields: the merchant's, as the adapter uses them.
    """

    def __init__(self, fields: Mapping[str, str], clock: Clock, http: WebHttp) -> None:
        del http  # it tells nobody
        self.faults = Faults()
        self.sessions: dict[str, Session] = {}
        self.messages: deque[tuple[str, str]] = deque(maxlen=MESSAGES_MAX)
        self.sign_ins: dict[str, datetime] = {}
        self.signed_in = 0
        self._fields = dict(fields)
        self._clock = clock
        self._transactions: set[str] = set()
        self._traces = itertools.count(int(clock.now().timestamp()))

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        from eishro.sandbox.masarat_door import add_routes

        add_routes(self, app, prefix)

    async def aclose(self) -> None:
        """Nothing runs in the background."""

    @property
    def paths(self) -> tuple[str, str, str]:
        """Of signing in, opening and completing."""
        fields = self._fields
        return fields["sign_in_path"], fields["open_path"], fields["complete_path"]

    @property
    def done(self) -> list[Session]:
        """Sessions whose money has moved."""
        return [session for session in self.sessions.values() if session.is_done]

    def sign_in(self, body: Mapping[str, Any], _: str) -> Answer:
        """Signin."""
        expected = {
            "userId": int(self._fields["user_id"]),
            "pin": self._fields["pin"],
            "providerId": int(self._fields["provider_id"]),
            "authUserType": int(self._fields["auth_user_type"]),
        }
        if body != expected:
            return self._no("Invalid user or PIN")
        self.signed_in += 1
        token = "sign-in." + secrets.token_urlsafe(24)
        self.sign_ins[token] = self._clock.now() + SIGNED_IN
        while len(self.sign_ins) > SESSIONS_MAX:
            self.sign_ins.pop(next(iter(self.sign_ins)))
        return self._token(token, self.sign_ins[token])

    def open(self, body: Mapping[str, Any], bearer: str) -> Answer:
        """OpenSession."""
        until = self.sign_ins.get(bearer)
        if until is None or until < self._clock.now():
            return 401, {}
        card, transaction = str(body.get("identityCard")), str(body.get("transactionId"))
        amount = body.get("amount")
        if not isinstance(amount, int | Decimal) or amount <= 0 or amount != round(amount, 2):
            return self._no("Invalid amount")
        if transaction in self._transactions:
            return self._no("Transaction id was used before")
        if card not in CARDS or card == _BARRED or body.get("onlineOperation") not in (1, 2):
            return self._no("The card is not registered")
        session = Session(
            token="session." + secrets.token_urlsafe(24),
            transaction=transaction,
            card=card,
            amount=Decimal(amount),
            operation=int(body["onlineOperation"]),
            at=self._clock.now(),
        )
        self._keep(session)
        return self._token(session.token, session.at + SESSION_LIFE)

    def complete(self, body: Mapping[str, Any], bearer: str) -> Answer:
        """CompleteSession."""
        session = self.sessions.get(bearer)
        if session is None or session.is_done:
            return 401, {}
        if self._clock.now() > session.at + SESSION_LIFE:
            return self._no("The session has expired")
        expected = OTP if session.operation == 1 else self._fields.get("refund_code") or None
        if body.get("otp") != expected:
            return self._no("Invalid OTP")
        if self.faults.decline is not None:
            return self._no(self.faults.decline, self.faults.decline_type)
        if session.card == _POOR:
            return self._no("Insufficient balance")
        session.is_done = True
        faults = self.faults
        return self._yes(
            {
                "transactionId": faults.transaction or session.transaction,
                "amount": Decimal(faults.amount) if faults.amount else session.amount,
                "currency": faults.currency or "LYD",
            }
        )

    def forget(self) -> None:
        """What setting faults does at once."""
        if self.faults.forgets_sign_ins:
            self.sign_ins.clear()

    def _keep(self, session: Session) -> None:
        self.sessions[session.token] = session
        self._transactions.add(session.transaction)
        while len(self.sessions) > SESSIONS_MAX:
            oldest = self.sessions.pop(next(iter(self.sessions)))
            self._transactions.discard(oldest.transaction)
        if session.operation == 1:
            text = f"{OTP} · {session.amount:.2f} LYD · رمز التحقق / code"
            self.messages.append((session.card, text))

    def _token(self, token: str, until: datetime) -> Answer:
        return self._yes(
            {
                "validTo": until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "refreshToken": None,
                "systemIdentity": self._fields["user_id"],
                "creds": 2,
                "tag": -1,
                "value": token,
            }
        )

    def _yes(self, content: Mapping[str, Any]) -> Answer:
        return 200, {
            "type": 1,
            "message": "Success",
            "messages": [],
            "traceId": self._trace(),
            "content": dict(content),
        }

    def _no(self, message: str, kind: int = 3) -> Answer:
        """Some of its answers have one message, some a list."""
        one = {"message": message} if len(message) % 2 else {"messages": [message]}
        return 200, {"type": kind, **one, "traceId": self._trace(), "content": None}

    def _trace(self) -> str:
        return f"{next(self._traces):032x}"

"""An Edfali bank to try payments with: SOAP 1.1 answers, codes on a phone nobody has.

Behaves as the integrations that are public say; what they do not say (how long a session lives,
which word comes for what at the second call) is this simulator's own. Everything is in memory.
"""

import hmac
import html
import itertools
import re
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from eishro.clock import Clock
from eishro.errors import Words
from eishro.outward import WebHttp
from eishro.phones import normalise_mobile
from eishro.sandbox.stage import Trouble

OTP = "1111"
SESSIONS_MAX = 5_000
MESSAGES_MAX = 200
SESSION_LIFE = timedelta(minutes=5)

# The payers that the bank knows; all are this simulator's own.
PAYERS: Mapping[str, Words] = {
    "0910000010": Words("pays", "يدفع"),
    "0920000010": Words("BAL: balance too low", "BAL: الرصيد لا يكفي"),
    "0930000010": Words("LIMIT: outside the limits", "LIMIT: خارج الحدود المسموح بها"),
    "0940000010": Words("ACC: account not active", "ACC: الحساب غير مفعل"),
    "0950000010": Words("an empty answer: not registered", "إجابة فارغة: غير مسجل"),
    "0960000010": Words("pays, and the word is `Ok`", "يدفع، والإجابة `Ok`"),
}
_AT_START = {"0930000010": "Limit", "0940000010": "ACC", "0950000010": ""}


class Faults(Trouble):
    """What the bank does wrong from now on; for the rest see `Trouble`.

    `open_word` and `confirm_word` are what the two calls say instead of working. `soap_fault`
    answers with a fault and status 500 and does nothing. `is_silent_after_charging` takes the
    money and then answers 504. `repeats_sessions` gives one session's number to everybody.
    """

    open_word: str | None = None
    confirm_word: str | None = None
    soap_fault: bool = False
    is_silent_after_charging: bool = False
    repeats_sessions: bool = False


class Session(msgspec.Struct):
    """A payment that waits for its code; `amount` is the text that was sent."""

    number: str
    payer: str
    amount: str
    at: datetime
    tries: int = 0
    is_paid: bool = False


class Simulator:
    """The bank: one merchant, its payers, their sessions.

    Args:
        fields: the merchant's, as the adapter uses them.
    """

    def __init__(self, fields: Mapping[str, str], clock: Clock, http: WebHttp) -> None:
        del http  # it tells nobody
        self.faults = Faults()
        self.sessions: dict[str, Session] = {}
        self.messages: deque[tuple[str, str]] = deque(maxlen=MESSAGES_MAX)
        self.charged: list[Session] = []
        self._fields = dict(fields)
        self._clock = clock
        # A bank's numbers are never used again, also not by its next process.
        self._numbers = itertools.count(int(clock.now().timestamp()) * 10)

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        from eishro.sandbox.edfali_door import add_routes

        add_routes(self, app, prefix)

    async def aclose(self) -> None:
        """Nothing runs in the background."""

    def answer(self, method: str, values: Mapping[str, str]) -> str:
        """What the call says; a word on request comes instead of doing anything."""
        if method == "DoPTrans":
            word = self.faults.open_word
            return self.open(values) if word is None else word
        word = self.faults.confirm_word
        return self.confirm(values) if word is None else word

    def open(self, values: Mapping[str, str]) -> str:
        """DoPTrans: a session's number, or a word."""
        if not self._is_same(values.get("PW"), "service_password"):
            return "PW1"
        if not (self._is_merchant(values) and self._is_same(values.get("Pin"), "merchant_pin")):
            return "PW"
        payer = _payer_of(values.get("Cmobile", ""), self._fields.get("payer_form", ""))
        if payer is None or payer not in PAYERS:
            return "NO"
        amount = values.get("Amount", "")
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", amount) or not amount.strip("0."):
            return "AMT"
        if payer in _AT_START:
            return _AT_START[payer]
        return self._new_session(payer, amount).number

    def confirm(self, values: Mapping[str, str]) -> str:
        """OnlineConfTrans: OK, or a word."""
        if not (self._is_merchant(values) and self._is_same(values.get("PW"), "service_password")):
            return "PW1"
        session = self.sessions.get(values.get("sessionID", ""))
        if session is None or self._clock.now() > session.at + SESSION_LIFE:
            return "TIME"
        if session.is_paid:
            return "DUP"
        if values.get("Pin") != OTP:
            session.tries += 1
            return "pw"
        if session.payer == "0920000010":
            return "BAL"
        session.is_paid = True
        self.charged.append(session)
        return "Ok" if session.payer == "0960000010" else "OK"

    def _new_session(self, payer: str, amount: str) -> Session:
        number = "1" if self.faults.repeats_sessions else str(next(self._numbers))
        session = Session(number, payer, amount, self._clock.now())
        self.sessions[number] = session
        while len(self.sessions) > SESSIONS_MAX:
            self.sessions.pop(next(iter(self.sessions)))
        del self.charged[:-SESSIONS_MAX]
        self.messages.append((payer, f"{OTP} · {amount} LYD · رمز التحقق / code"))
        return session

    def _is_merchant(self, values: Mapping[str, str]) -> bool:
        """Nine digits, without the 0 in front."""
        shown = values.get("Mobile", "")
        own = normalise_mobile(self._fields.get("merchant_mobile", ""))
        return len(shown) == 9 and normalise_mobile(shown) == own

    def _is_same(self, shown: str | None, field: str) -> bool:
        return hmac.compare_digest((shown or "").encode(), self._fields.get(field, "").encode())


def _payer_of(shown: str, form: str) -> str | None:
    """As people dial it, from the one form that the bank takes."""
    pattern = r"(9[1-6][0-9]{7})" if form == "national" else r"\+218(9[1-6][0-9]{7})"
    found = re.fullmatch(pattern, shown)
    return "0" + found[1] if found else None


def values_of(body: bytes, method: str) -> dict[str, str] | None:
    """The values of a call; None if it is not one of `method`. Written apart from the adapter's
    reader on purpose: a mistake on one side must not be met by the same on the other.
    """
    text = body.decode("utf-8", "replace")
    found = re.search(rf"<{method} xmlns=\"http://tempuri.org/\">(.*)</{method}>", text, re.DOTALL)
    if found is None or "<!" in text:
        return None
    pairs = re.findall(r"<(\w+)>([^<]*)</\1>", found[1])
    return {name: html.unescape(value) for name, value in pairs}

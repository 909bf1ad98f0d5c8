"""A MobiCash gateway to try the assumed adapter with; nothing of it is the bank's.

Everything is in memory.
"""

import itertools
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from eishro.clock import Clock
from eishro.errors import Words
from eishro.outward import WebHttp
from eishro.sandbox.gateway_door import dinars, dirhams_of
from eishro.sandbox.otp_door import Board, add_otp_routes

SESSIONS_MAX = 10_000
SHOWN_MAX = 100
CODE_LIFE = timedelta(minutes=5)
CARD = "1234567"
PHONE = "0912345678"
OTP = "111111"
POOR_OTP = "000051"  # the right code of an account without money

Answer = tuple[int, Any]


class MobicashFaults(msgspec.Struct, forbid_unknown_fields=True):
    """What the gateway does wrong from now on; everything off by default.

    `confirm_fails` `before` charging, or `after` it, so that nobody hears of it.
    """

    decline: bool = False
    confirm_fails: Literal["never", "before", "after"] = "never"
    amount: str | None = None
    currency: str | None = None
    other_reference: bool = False
    is_down: bool = False
    is_huge: bool = False
    is_malformed: bool = False
    delay_seconds: float = 0.0


class Session(msgspec.Struct, kw_only=True):
    """One payment under way."""

    id: str
    reference: str
    amount_dirhams: int
    until: datetime
    state: Literal["open", "paid", "failed"] = "open"


class MobicashDoor:
    """The simulator as `simulators.Simulated`; made of the adapter's fields."""

    def __init__(self, fields: Mapping[str, str], clock: Clock, http: WebHttp) -> None:
        del http  # it tells nobody by itself
        self.faults = MobicashFaults()
        self.sessions: OrderedDict[str, Session] = OrderedDict()
        self._fields = fields
        self._clock = clock
        self._ids = itertools.count(int(clock.now().timestamp()))

    def is_known(self, token: str) -> bool:
        """Whether this is the merchant's token."""
        return secrets.compare_digest(token.encode(), self._fields["token"].encode())

    def open(self, body: Mapping[str, Any]) -> Answer:
        """Open a session and send the code."""
        reference, amount = body.get(self._name("reference")), body.get(self._name("amount"))
        dirhams = dirhams_of(amount)
        is_used = any(s.reference == reference for s in self.sessions.values())
        if not isinstance(reference, str) or is_used or dirhams is None:
            return 422, {"code": "INVALID", "message": "Invalid reference or amount"}
        is_payer = (body.get(self._name("card")), body.get(self._name("phone"))) in (
            (CARD, None),
            (None, PHONE),
        )
        if not is_payer:
            return 422, {"code": "NO_ACCOUNT", "message": "Account not found"}
        session = Session(
            id=secrets.token_urlsafe(12),
            reference=reference,
            amount_dirhams=dirhams,
            until=self._clock.now() + CODE_LIFE,
        )
        self.sessions[session.id] = session
        while len(self.sessions) > SESSIONS_MAX:
            self.sessions.popitem(last=False)
        return 200, {
            self._name("session"): session.id,
            self._name("expiry"): session.until.isoformat(),
        }

    def confirm(self, body: Mapping[str, Any]) -> Answer:
        """Charge, if the code is right."""
        session = self.sessions.get(str(body.get(self._name("session"))))
        if self.faults.confirm_fails == "before":
            return 503, {"message": "Service unavailable"}
        if session is None or session.state != "open":
            return 404, {"code": "NO_SESSION", "message": "Session not found"}
        refusal = self._why_not_paid(session, body.get(self._name("code")))
        if refusal is not None:
            return refusal
        session.state = "paid"
        if self.faults.confirm_fails == "after":
            return 504, {"message": "Gateway Time-out"}
        return 200, self._told(session)

    def _why_not_paid(self, session: Session, code: object) -> Answer | None:
        if self._clock.now() >= session.until:
            return 422, {"code": "OTP_EXPIRED", "message": "The code has expired"}
        if code not in (OTP, POOR_OTP):
            return 422, {"code": "INVALID_OTP", "message": "The code is wrong"}
        if self.faults.decline or code == POOR_OTP:
            session.state = "failed"
            return 402, {"code": "NO_MONEY", "message": "Insufficient balance"}
        return None

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        calls = {
            self._fields["open_path"].strip("/"): self.open,
            self._fields["confirm_path"].strip("/"): self.confirm,
        }
        add_otp_routes(app, prefix, self, calls, self._board())

    async def aclose(self) -> None:
        """Nothing runs."""

    def _told(self, session: Session) -> dict[str, Any]:
        faults = self.faults
        return {
            self._name("transaction"): f"MC{next(self._ids)}",
            self._name("reference"): "OTHER" if faults.other_reference else session.reference,
            self._name("amount"): faults.amount or dinars(session.amount_dirhams)[:-1],
            "currency": faults.currency or "LYD",
        }

    def _name(self, name: str) -> str:
        return self._fields[f"{name}_name"]

    def _board(self) -> Board:
        return Board(
            Words("MobiCash gateway (simulator)", "بوابة موبي كاش (محاكاة)"),
            [
                Words(
                    f"No money moves here. Card {CARD} or phone {PHONE}, code {OTP}; the code "
                    f"{POOR_OTP} is of an account without money.",
                    f"لا تتحرك أي أموال هنا. البطاقة {CARD} أو الهاتف {PHONE} والرمز {OTP}؛ "
                    f"والرمز {POOR_OTP} لحساب رصيده غير كاف.",
                )
            ],
            (
                Words("Reference", "المرجع"),
                Words("Amount", "المبلغ"),
                Words("State", "الحالة"),
            ),
            self._rows,
        )

    def _rows(self) -> list[tuple[str, ...]]:
        newest = list(reversed(self.sessions.values()))[:SHOWN_MAX]
        return [(s.reference, dinars(s.amount_dirhams), s.state) for s in newest]

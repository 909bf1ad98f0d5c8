"""Whether a gateway answers: a circuit breaker for each account at one. Pure, and the port.

    closed --`FAILURES_MAX` silent calls in a row--> open --its pause is over--> half open
      ^                                               ^                            |
      |                                               +-- silent again: longer ----+
      +--------------------------- any answer -------------------------------------+

A gateway that says no is there; only one that does not answer, or whose front door says that nobody
is behind it, is silent. An open breaker holds back new payments and nothing else: questions about
money, codes, refunds and notifications always pass, and what comes back of them counts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec

from eishro.domain.payments.port import ProviderBusy
from eishro.errors import Words
from eishro.outward import WebHttp

FAILURES_MAX = 5  # silent calls in a row that open it …
FAILURES_WITHIN = timedelta(minutes=10)  # … if no more time lies between the first and the last
PAUSE_FIRST = timedelta(seconds=30)
PAUSE_MAX = timedelta(minutes=10)
PROBE = timedelta(seconds=45)  # a probe of which nothing was heard makes room for the next
# A proxy's word that the gateway behind it is down, unreachable or too slow.
SILENT_STATUSES = frozenset({502, 503, 504, 521, 522, 523, 524})

State = Literal["closed", "open", "half_open"]


def account_name(provider: str, credentials_id: str | None) -> str:
    """The account at a gateway that belongs to these credentials of a store, None: the platform's.
    New credentials begin without a past.
    """
    return provider if credentials_id is None else f"{provider}:{credentials_id}"


class Rest(msgspec.Struct, frozen=True):
    """A breaker that is not closed: silent `since`, nobody is sent there before `until`."""

    since: datetime
    until: datetime
    pause_seconds: float

    def state(self, at: datetime) -> State:
        """Open, or half open: one payment may try."""
        return "open" if at < self.until else "half_open"

    def prolonged(self, at: datetime) -> "Rest":
        """The same after another silent call: one while it is open anyway changes nothing."""
        if at < self.until:
            return self
        pause = min(self.pause_seconds * 2, PAUSE_MAX.total_seconds())
        return Rest(self.since, at + timedelta(seconds=pause), pause)

    def is_forgotten(self, at: datetime) -> bool:
        """True where nobody asked for long after its pause: it counts as closed again."""
        return at >= self.until + PAUSE_MAX

    def seconds_left(self, at: datetime) -> int:
        """Until the next may try, at least one."""
        return max(1, round((self.until - at).total_seconds()))


def first_rest(at: datetime) -> Rest:
    """A breaker that opens now."""
    return Rest(at, at + PAUSE_FIRST, PAUSE_FIRST.total_seconds())


class GatewayResting(ProviderBusy):
    """The gateway has not answered lately and is not asked now; nothing was charged."""

    words = Words(
        "This payment service has not been answering for a while; nothing was charged. Please "
        "choose another method, or try again in a minute.",
        "خدمة الدفع هذه لا تستجيب منذ فترة؛ لم يُخصم أي مبلغ. يرجى اختيار طريقة أخرى أو المحاولة "
        "بعد دقيقة.",
    )

    def __init__(self, seconds_left: int) -> None:
        super().__init__(details={"retryAfterSeconds": seconds_left})


class Health(Protocol):
    """What is known about accounts at gateways, each by its `account_name`."""

    def watch(self, http: WebHttp, account: str) -> WebHttp:
        """The same calls; whether they are answered is remembered."""
        ...

    async def begin(self, account: str) -> None:
        """Called before a new payment is begun there.

        Raises:
            GatewayResting: it is held back.
        """
        ...

    async def untried(self, account: str) -> None:
        """What `begin` let through did not come about: another may try in its place."""
        ...

    async def rests(self) -> Mapping[str, Rest]:
        """The breakers that are not closed, by account."""
        ...


class Carefree:
    """Every gateway is well: for tests of adapters and for checking credentials."""

    def watch(self, http: WebHttp, account: str) -> WebHttp:
        """The calls as they are."""
        del account
        return http

    async def begin(self, account: str) -> None:
        """Always."""

    async def untried(self, account: str) -> None:
        """Nothing to give back."""

    async def rests(self) -> Mapping[str, Rest]:
        """None."""
        return {}

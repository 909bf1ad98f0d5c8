"""Breakers of gateways (`domain/payments/health.py`), kept where all processes see them.

Everything is in the key-value store: processes that share one share what they learnt, others learn
alone. It may be lost at any time, then gateways count as well. An account without trouble takes no
room there.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec
import structlog

from eishro.clock import Clock
from eishro.db.keyvalue import KeyValue, KeyValueUnavailable
from eishro.db.types import micros
from eishro.domain.payments.health import (
    FAILURES_MAX,
    FAILURES_WITHIN,
    PAUSE_MAX,
    PROBE,
    SILENT_STATUSES,
    GatewayResting,
    Rest,
    first_rest,
)
from eishro.outward import HttpReply, NoReply, WebHttp

NOTE_SECONDS_MAX = 0.5  # nobody waits longer for a note about a call
WELL = timedelta(seconds=5)  # an account that was found well is not looked up again for so long
ACCOUNTS_MAX = 10_000  # that this process knows to be well
RESTS_MAX = 500  # breakers that are not closed; those that may be tried first are lost first

_KEY = "gateway-rests"

_LOG = structlog.get_logger("eishro.gateways")
T = TypeVar("T")


class Breakers:
    """The `Health` of a shop."""

    def __init__(self, kv: KeyValue, clock: Clock) -> None:
        self._kv = kv
        self._clock = clock
        self._well: OrderedDict[str, datetime] = OrderedDict()  # until when that may be believed

    def watch(self, http: WebHttp, account: str) -> WebHttp:
        """The same calls; whether they are answered is remembered."""
        return _Watched(http, account, self)

    async def begin(self, account: str) -> None:
        """Let a new payment through, or raise `GatewayResting`; of a half-open breaker one."""
        at = self._clock.now()
        rest = (await self.rests()).get(account)
        if rest is None:
            return
        if rest.state(at) == "open":
            raise GatewayResting(rest.seconds_left(at))
        taken = await self._noting(
            lambda: self._kv.increment(_probe(account, rest), PROBE.total_seconds())
        )
        if taken is not None and taken.value > 1:
            raise GatewayResting(max(1, round(taken.seconds_left)))

    async def untried(self, account: str) -> None:
        """The probe was none."""
        rest = (await self.rests()).get(account)
        if rest is not None:
            await self._noting(lambda: self._kv.delete(_probe(account, rest)))

    async def rests(self) -> dict[str, Rest]:
        """The breakers that are not closed, by account."""
        kept = await self._noting(lambda: self._kv.get(_KEY))
        if not kept:
            return {}
        try:
            found = msgspec.json.decode(kept, type=dict[str, Rest])
        except msgspec.DecodeError:
            return {}
        at = self._clock.now()
        return {account: rest for account, rest in found.items() if not rest.is_forgotten(at)}

    async def silent(self, account: str) -> None:
        """A call was not answered."""
        self._well.pop(account, None)
        misses = await self._noting(
            lambda: self._kv.increment(_misses(account), FAILURES_WITHIN.total_seconds())
        )
        rests = await self.rests()
        at = self._clock.now()
        before = rests.get(account)
        if before is None and (misses is None or misses.value < FAILURES_MAX):
            return
        after = first_rest(at) if before is None else before.prolonged(at)
        if after != before:
            await self._keep({**rests, account: after})
            _LOG.warning("gateway_rests", account=account, pause_seconds=after.pause_seconds)

    async def answered(self, account: str) -> None:
        """A call was answered, whatever the answer."""
        at = self._clock.now()
        believed = self._well.get(account)
        if believed is not None and at < believed:
            return
        if await self._noting(lambda: self._kv.get(_misses(account))):
            await self._noting(lambda: self._kv.delete(_misses(account)))
        rests = await self.rests()
        rest = rests.pop(account, None)
        if rest is not None:
            await self._keep(rests)
            _LOG.info("gateway_answers_again", account=account, since=rest.since.isoformat())
        self._well[account] = at + WELL
        self._well.move_to_end(account)
        while len(self._well) > ACCOUNTS_MAX:
            self._well.popitem(last=False)

    async def _keep(self, rests: dict[str, Rest]) -> None:
        """All of them together, so that one read tells everything. Of two processes that write at
        once one may be lost; the next call to that gateway puts it right.
        """
        newest = sorted(rests.items(), key=lambda pair: pair[1].until)[-RESTS_MAX:]
        kept, seconds = msgspec.json.encode(dict(newest)), (PAUSE_MAX * 2).total_seconds()
        await self._noting(lambda: self._kv.set(_KEY, kept, seconds))

    async def _noting(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """What the key-value store says; None where it does not in time. A payment must neither
        fail nor wait because of it.
        """
        try:
            async with asyncio.timeout(NOTE_SECONDS_MAX):
                return await ask()
        except (KeyValueUnavailable, TimeoutError, ValueError):
            return None


class _Watched:
    def __init__(self, http: WebHttp, account: str, breakers: Breakers) -> None:
        self._http = http
        self._account = account
        self._breakers = breakers

    async def get(self, url: str, **more: Any) -> HttpReply:
        return await self._heard(self._http.get(url, **more))

    async def post_json(self, url: str, body: Mapping[str, object], **more: Any) -> HttpReply:
        return await self._heard(self._http.post_json(url, body, **more))

    async def post_form(self, url: str, form: Mapping[str, str], **more: Any) -> HttpReply:
        return await self._heard(self._http.post_form(url, form, **more))

    async def send(
        self, method: Literal["POST", "PUT"], url: str, content: bytes, **more: Any
    ) -> HttpReply:
        return await self._heard(self._http.send(method, url, content, **more))

    async def _heard(self, asking: Awaitable[HttpReply]) -> HttpReply:
        try:
            reply = await asking
        except NoReply as error:
            if error.is_silence:
                await self._breakers.silent(self._account)
            raise
        if reply.status in SILENT_STATUSES:
            await self._breakers.silent(self._account)
        else:
            await self._breakers.answered(self._account)
        return reply


def _misses(account: str) -> str:
    return f"gateway-misses:{account}"


def _probe(account: str, rest: Rest) -> str:
    """One for each time that the breaker is half open."""
    return f"gateway-probe:{account}:{micros(rest.until)}"

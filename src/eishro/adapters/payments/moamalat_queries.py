"""Asking Moamalat's FilterTransactions: one call at a time for each terminal.

Every call needs a `DateTimeLocalTrxn` later than the terminal's last one; stamps come from the
database, so they grow across processes. Callers with the same reference share one call, but
never one that was sent before they asked. Where several references wait, one listing by date
range answers them all, unless so much was sold in those days that asking one by one is shorter.
Anything but a clear answer is `Unknown`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import structlog

from eishro.adapters.payments.moamalat_reading import (
    REPLY_BYTES_MAX,
    Listing,
    Page,
    Row,
    decide,
    read_page,
)
from eishro.adapters.payments.wire import is_down
from eishro.clock import TRIPOLI, Clock
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.port import Answer, Intent, ProviderBusy, Stamps, Unknown
from eishro.outward import Http, NoReply

WAITING_MAX = 5_000  # references in the queue of a terminal; beyond it the answer is Unknown
PAGE_ROWS = 100  # transactions asked for at once, for each reference
PAGES_MAX = 50  # of one listing
LIST_ROWS = 1_000  # of a page where whole days are read; each page takes a stamp of its own
ROWS_IN_A_TURN = 200  # of a listing, looked through without a pause
DECIDED_IN_A_TURN = 20  # references, without a pause
TIMEOUT_SECONDS = 30.0
AHEAD_SECONDS_MAX = 3  # how far stamps may run ahead of the clock before a call waits
WAIT_SECONDS_MAX = 20  # for the clock; stamps further ahead mean that the clock was set back
DAY_SLACK = timedelta(minutes=10)  # the gateway's midnight is not quite ours

NOT_ASKED = Unknown("the question was not asked to its end", is_unreachable=True)

Sleep = Callable[[float], Awaitable[None]]

_LOG = structlog.get_logger("eishro.moamalat")


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask and how to sign the question."""

    merchant_id: str
    terminal_id: str
    url: str
    refund_url: str
    status_url: str
    sign: Callable[[Mapping[str, str]], str]
    stamp_digits: int


class _Waiting(msgspec.Struct):
    """One reference, and all who want to know; `is_alone` once a listing was too long for it."""

    intent: Intent
    answers: list["asyncio.Future[Answer]"]
    is_alone: bool = False


class TerminalQueries:
    """The terminal's queue of questions and the task that works it off."""

    def __init__(
        self, terminal: Terminal, http: Http, stamps: Stamps, clock: Clock, sleep: Sleep
    ) -> None:
        self._terminal = terminal
        self._http = http
        self._stamps = stamps
        self._clock = clock
        self._sleep = sleep
        self._waiting: dict[str, _Waiting] = {}
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False
        self._alone_is_next = False

    async def ask(self, intent: Intent) -> Answer:
        """What became of the attempt, asked after this call began."""
        if self._is_closed:
            return Unknown("the shop is closing", is_unreachable=True)
        if intent.reference not in self._waiting and len(self._waiting) >= WAITING_MAX:
            return Unknown("too many questions are waiting", is_unreachable=True)
        waiting = self._waiting.setdefault(intent.reference, _Waiting(intent, []))
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting.answers.append(future)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work_off())
        return await future

    @property
    def is_closed(self) -> bool:
        """True once nothing more is asked."""
        return self._is_closed

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The terminal to oneself: stamps must arrive in the order in which they are given."""
        async with self._turn:
            yield

    async def list_rows(self, filters: Mapping[str, str]) -> list[Row] | Unknown:
        """All rows that the filters let through; for who has the turn."""
        stamp = await self.stamp()
        if isinstance(stamp, Unknown):
            return stamp
        rows = await self._listing(filters, stamp, PAGES_MAX)
        return Unknown("more transactions than are read") if rows is None else rows

    async def aclose(self) -> None:
        """Stop; who waits is told `Unknown`."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        _answer(list(self._waiting.values()), Unknown("the shop is closing", is_unreachable=True))
        self._waiting.clear()

    async def _work_off(self) -> None:
        while self._waiting:
            group: list[_Waiting] = []
            answers: Mapping[str, Answer] = {}
            fallback: Answer | None = Unknown(
                "the question was not asked to its end", is_unreachable=True
            )
            try:
                async with self._turn:
                    stamp = await self.stamp()
                    # Taken before the call is sent: who asks from now on waits for the next one.
                    group = self._take()
                    if isinstance(stamp, Unknown):
                        fallback = stamp
                    elif group:
                        answers = await self._ask_gateway([one.intent for one in group], stamp)
                        fallback = None
            except Exception:  # noqa: BLE001 - whatever happened, money is not decided by it
                _LOG.exception("moamalat_question_failed", terminal=self._terminal.terminal_id)
                group = group or self._take()
            finally:
                await self._settle_in_turns(group, answers, fallback)

    def _take(self) -> list[_Waiting]:
        """Whom the next call answers: all new ones together, in turn with one left-over."""
        for reference, waiting in list(self._waiting.items()):
            if all(future.done() for future in waiting.answers):  # nobody waits any more
                del self._waiting[reference]
        group = [waiting for waiting in self._waiting.values() if not waiting.is_alone]
        alone = [waiting for waiting in self._waiting.values() if waiting.is_alone]
        if alone and (self._alone_is_next or not group):
            group = alone[:1]
        self._alone_is_next = not self._alone_is_next
        for waiting in group:
            del self._waiting[waiting.intent.reference]
        return group

    async def _settle_in_turns(
        self, group: Sequence[_Waiting], answers: Mapping[str, Answer], fallback: Answer | None
    ) -> None:
        """Answer some at a time: hundreds who go on at once would hold up everybody else."""
        left = list(group)
        try:
            while left:
                some, left = left[:DECIDED_IN_A_TURN], left[DECIDED_IN_A_TURN:]
                self._settle(some, answers, fallback)
                if left:
                    await asyncio.sleep(0)
        finally:
            self._settle(left, answers, fallback)

    def _settle(
        self, group: Sequence[_Waiting], answers: Mapping[str, Answer], fallback: Answer | None
    ) -> None:
        """Answer; without answer and fallback, wait on for a question of one's own."""
        for waiting in group:
            answer = answers.get(waiting.intent.reference, fallback)
            if answer is not None:
                _answer([waiting], answer)
                continue
            later = self._waiting.setdefault(waiting.intent.reference, waiting)
            later.is_alone = True
            if later is not waiting:
                later.answers += waiting.answers

    async def _ask_gateway(self, intents: Sequence[Intent], stamp: str) -> dict[str, Answer]:
        """An answer for each intent; none at all if the days' listing is too long for them."""
        if len(intents) == 1:
            filters, worth = {"MerchantReference": intents[0].reference}, PAGES_MAX
        else:
            filters, worth = self._days(intents), len(intents)
        # A list of many payments belongs to none of them: it is not noted.
        length = min(PAGE_ROWS * len(intents), LIST_ROWS)
        with speaking_of(intents[0].reference if len(intents) == 1 else None):
            elsewhere: set[str] = set()
            rows = await self._listing(filters, stamp, worth, length, elsewhere)
        if rows is None and len(intents) > 1:
            return {}
        if rows is None:
            rows = Unknown("more transactions than are read")
        if isinstance(rows, Unknown):
            _LOG.warning(
                "moamalat_no_answer", terminal=self._terminal.terminal_id, reason=rows.reason
            )
            if len(intents) > 1:  # what is wrong with it is wrong with none of them
                rows = msgspec.structs.replace(rows, is_foreign=False)
            return {intent.reference: rows for intent in intents}
        answers = await self._decided(intents, rows)
        for reference in elsewhere & answers.keys():
            if isinstance(answers[reference], Unknown):
                reason = "a transaction of another terminal names this payment"
                answers[reference] = Unknown(reason, is_foreign=True)
        return answers

    async def _decided(self, intents: Sequence[Intent], rows: Sequence[Row]) -> dict[str, Answer]:
        """What they say of each; others get their turn of the loop in between."""
        listing = Listing()
        for first in range(0, len(rows), ROWS_IN_A_TURN):
            listing.add(rows[first : first + ROWS_IN_A_TURN])
            await asyncio.sleep(0)
        answers: dict[str, Answer] = {}
        for number, intent in enumerate(intents, 1):
            answers[intent.reference] = decide(intent, listing, self._terminal.terminal_id)
            if number % DECIDED_IN_A_TURN == 0:
                await asyncio.sleep(0)
        return answers

    def _days(self, intents: Sequence[Intent]) -> dict[str, str]:
        """From the first attempt's day to today, in the gateway's time zone."""
        first = min(intent.created_at for intent in intents)
        last = max(self._clock.now(), *(intent.created_at for intent in intents))
        return {"DateFrom": day_text(first - DAY_SLACK), "DateTo": day_text(last + DAY_SLACK)}

    async def _listing(
        self,
        filters: Mapping[str, str],
        first_stamp: str,
        pages_worth: int,
        length: int | None = None,
        elsewhere: set[str] | None = None,
    ) -> list[Row] | Unknown | None:
        """All rows, page by page; None if it is too long for `pages_worth` or `PAGES_MAX`.

        Args:
            elsewhere: references that rows of other terminals name are added.
        """
        rows: list[Row] = []
        known: set[str] = set()
        seen = 0
        stamp: str | Unknown = first_stamp
        for _ in range(PAGES_MAX):
            if isinstance(stamp, Unknown):
                return stamp
            page = await self._call(filters, seen, stamp, length or PAGE_ROWS)
            if isinstance(page, Unknown):
                return page
            # Pages overlap while transactions arrive, but a whole page that was here before
            # means that the gateway does not turn pages.
            if page.rows and known.issuperset(row.transaction_id for row in page.rows):
                return Unknown("the gateway repeats a page")
            rows += page.rows
            if elsewhere is not None:
                elsewhere |= page.elsewhere
            known.update(row.transaction_id for row in page.rows)
            seen += page.count
            if seen >= page.total:
                return rows
            if page.count == 0:
                return Unknown("the gateway lists fewer transactions than it counts")
            if -((seen - page.total) // page.count) > pages_worth:
                break
            stamp = await self.stamp()
        return None

    async def list_days(self, first: date, last: date) -> list[Row]:
        """All rows of these days, however many.

        Raises:
            ProviderBusy: no complete list.
        """
        filters = {"DateFrom": first.strftime("%Y%m%d"), "DateTo": last.strftime("%Y%m%d")}
        rows: dict[str, Row] = {}
        seen = 0
        while True:
            async with self._turn:
                stamp = await self.stamp()
                if isinstance(stamp, Unknown):
                    raise ProviderBusy()
                with speaking_of(None):
                    page = await self._call(filters, seen, stamp, LIST_ROWS)
            if isinstance(page, Unknown):
                raise ProviderBusy()
            before = len(rows)
            rows |= {f"{row.transaction_id}:{row.kind}": row for row in page.rows}
            seen += page.count
            if seen >= page.total:
                return list(rows.values())
            if page.count == 0 or (page.rows and len(rows) == before):
                raise ProviderBusy()  # it counts more than it lists, or turns no pages

    async def _call(
        self, filters: Mapping[str, str], start: int, stamp: str, length: int
    ) -> Page | Unknown:
        signed = {
            "DateTimeLocalTrxn": stamp,
            "MerchantId": self._terminal.merchant_id,
            "TerminalId": self._terminal.terminal_id,
        }
        body = {
            **signed,
            **filters,
            "DisplayLength": str(length),
            "DisplayStart": str(start),
            "SecureHash": self._terminal.sign(signed),
        }
        try:
            reply = await self._http.post_json(
                self._terminal.url,
                body,
                timeout_seconds=TIMEOUT_SECONDS,
                limit_bytes=REPLY_BYTES_MAX,
            )
        except NoReply as error:
            return Unknown(f"no reply: {error}"[:200], is_unreachable=True)
        if reply.status != 200:
            reason = f"the gateway answers with HTTP status {reply.status}"
            return Unknown(reason, is_unreachable=is_down(reply.status))
        return await read_page(reply.body, self._terminal.terminal_id)

    async def stamp(self) -> str | Unknown:
        """The next DateTimeLocalTrxn; waits where stamps would run too far ahead of time."""
        unit = 1000 if self._terminal.stamp_digits == 17 else 1
        name = ":".join(
            (
                "moamalat",
                self._terminal.merchant_id,
                self._terminal.terminal_id,
                str(self._terminal.stamp_digits),
            )
        )
        now = self._clock.now().timestamp()
        number = await self._stamps.next(name, int(now * unit))
        wait = number / unit - now - AHEAD_SECONDS_MAX
        if wait > WAIT_SECONDS_MAX:
            _LOG.warning("moamalat_stamps_ahead", terminal=self._terminal.terminal_id, seconds=wait)
            return Unknown("the clock is behind the terminal's last stamp", is_unreachable=True)
        if wait > 0:
            await self._sleep(wait)
        return stamp_text(number, self._terminal.stamp_digits)


def stamp_text(number: int, digits: int) -> str:
    """A stamp as the gateway reads it: Tripoli's local time.

    Args:
        number: seconds since 1970 for 14 digits, milliseconds for 17.
    """
    seconds, milliseconds = divmod(number, 1000) if digits == 17 else (number, 0)
    text = datetime.fromtimestamp(seconds, UTC).astimezone(TRIPOLI).strftime("%Y%m%d%H%M%S")
    return f"{text}{milliseconds:03d}" if digits == 17 else text


def _answer(group: Sequence[_Waiting], answer: Answer) -> None:
    for waiting in group:
        for future in waiting.answers:
            if not future.done():
                future.set_result(answer)


def day_text(at: datetime) -> str:
    """A day of the gateway, for `DateFrom` and `DateTo`."""
    return at.astimezone(TRIPOLI).strftime("%Y%m%d")

"""What waits for gateways: payments to ask about, news that was left, refunds to send.

One account at a gateway never waits for another, nor a gateway for another: one that does not
answer, or takes few calls a minute, holds up what is its own. Every piece of work claims or guards
what it does, so several processes may do it.
"""

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import structlog

from eishro.domain.payments import waiting_sql as waiting
from eishro.domain.payments.waiting_sql import AccountKey
from eishro.errors import ShopError
from eishro.flows import pay_order
from eishro.flows.send_refund import send_refund
from eishro.flows.shop import Shop
from eishro.flows.sweep_payment import postpone_check, sweep_payment
from eishro.jobs.step import attempt

_LOG = structlog.get_logger("eishro.jobs")

NEWS_GRACE = timedelta(seconds=10)  # the request that stored a notification works it off itself
NEWS_AT_ONCE = 2_000  # of a gateway: one listing of Moamalat answers all who wait
NEWS_ENOUGH = 500  # of a gateway in hand: then no more is taken from the database
PAYMENTS_AT_ONCE = 50  # of an account
REFUNDS_AT_ONCE = 20  # of a gateway
ACCOUNTS_AT_ONCE = 4  # of a gateway
ACCOUNTS_A_TURN = 5  # where a turn is waited for


class Sweep(msgspec.Struct, frozen=True):
    """One kind of work, by account.

    Args:
        find: accounts that something due waits for, the longest waiting first.
        work_off: some of what is due of one account; how much it was.
    """

    name: str
    find: Callable[[Shop], Awaitable[list[AccountKey]]]
    work_off: Callable[[Shop, AccountKey], Awaitable[int]]


async def _find_payments(shop: Shop) -> list[AccountKey]:
    return await waiting.find_accounts_of_payments(shop.db, shop.clock.now())


async def _check_payments(shop: Shop, account: AccountKey) -> int:
    """Ask about payments whose time to be asked about has come."""
    now = shop.clock.now()
    due = await waiting.list_payments(shop.db, account, now, limit=PAYMENTS_AT_ONCE)
    results = await asyncio.gather(
        *(sweep_payment(shop, payment_id) for payment_id in due),
        return_exceptions=True,
    )
    for payment_id, result in zip(due, results, strict=True):
        if isinstance(result, BaseException):
            _LOG.warning("payment_check_failed", payment=payment_id, error=repr(result)[:200])
            with contextlib.suppress(ShopError):
                await postpone_check(shop, payment_id)
    return len(due)


async def _find_news(shop: Shop) -> list[AccountKey]:
    return await waiting.find_accounts_of_news(shop.db, shop.clock.now() - NEWS_GRACE)


async def _work_off_news(shop: Shop, account: AccountKey) -> int:
    """Notifications that were stored and then left, by a crash or a full room: the oldest of them
    together, so that one question to a gateway answers many.
    """
    if shop.news_room.count_of(account.provider) >= NEWS_ENOUGH:
        return 0  # the oldest are in hand: reading them again and again would hold up everybody
    before = shop.clock.now() - NEWS_GRACE
    found = await waiting.list_news(shop.db, account, before, limit=NEWS_AT_ONCE)
    results = await asyncio.gather(
        *(pay_order.work_off_news(shop, news) for news in found), return_exceptions=True
    )
    for news, result in zip(found, results, strict=True):
        if isinstance(result, ShopError):  # the others must not wait for this one
            _LOG.warning("news_failed", news=news.id, error=repr(result)[:200])
        elif isinstance(result, BaseException):
            raise result
    return len(found)


async def _find_refunds(shop: Shop) -> list[AccountKey]:
    return await waiting.find_accounts_of_refunds(shop.db, shop.clock.now())


async def _send_refunds(shop: Shop, account: AccountKey) -> int:
    """Bring refunds on: new ones, those put off, and what a crash or silence left unclear."""
    now = shop.clock.now()
    due = await waiting.list_refunds(shop.db, account, now, limit=REFUNDS_AT_ONCE)
    results = await asyncio.gather(
        *(send_refund(shop, refund_id) for refund_id in due), return_exceptions=True
    )
    for refund_id, result in zip(due, results, strict=True):
        if isinstance(result, BaseException):  # it is found again when its time to send is over
            _LOG.warning("refund_failed", refund=refund_id, error=repr(result)[:200])
    return len(due)


PAYMENTS = Sweep("check_due_payments", _find_payments, _check_payments)
NEWS = Sweep("work_off_waiting_news", _find_news, _work_off_news)
REFUNDS = Sweep("send_due_refunds", _find_refunds, _send_refunds)
SWEEPS = (NEWS, PAYMENTS, REFUNDS)


async def work_off_waiting_news(shop: Shop) -> int:
    """A turn of `NEWS`, waited for; how much there was."""
    return await _turn(shop, NEWS)


async def check_due_payments(shop: Shop) -> int:
    """A turn of `PAYMENTS`, waited for; how many there were."""
    return await _turn(shop, PAYMENTS)


async def send_due_refunds(shop: Shop) -> int:
    """A turn of `REFUNDS`, waited for; how many there were."""
    return await _turn(shop, REFUNDS)


async def _turn(shop: Shop, sweep: Sweep) -> int:
    accounts = (await sweep.find(shop))[:ACCOUNTS_A_TURN]
    works = (attempt(sweep.name, sweep.work_off(shop, account)) for account in accounts)
    return sum(await asyncio.gather(*works))


class Sweeping:
    """A sweep in a process that lives on: its turns begin what has room and wait for nothing."""

    def __init__(self, sweep: Sweep) -> None:
        self.name = sweep.name
        self._sweep = sweep
        self._under_way: dict[AccountKey, asyncio.Task[int]] = {}

    async def begin(self, shop: Shop) -> int:
        """Begin what is due of accounts of which nothing is under way; of how many."""
        begun = 0
        busy = Counter(account.provider for account in self._under_way)
        for account in await self._sweep.find(shop):
            if account in self._under_way or busy[account.provider] >= ACCOUNTS_AT_ONCE:
                continue
            busy[account.provider] += 1
            begun += 1
            work = attempt(self._sweep.name, self._sweep.work_off(shop, account))
            self._under_way[account] = task = asyncio.create_task(work)
            task.add_done_callback(functools.partial(self._done, account))
        return begun

    def _done(self, account: AccountKey, _: asyncio.Task[int]) -> None:
        self._under_way.pop(account, None)

    async def aclose(self) -> None:
        """Break off what is under way: it is found again when its time is over."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

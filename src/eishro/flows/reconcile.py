"""Compare a gateway's own list of a day with ours, mend what can be asked about, report the rest.

What the gateway took for a payment that we know is asked about at once, as if news had come; so
the books are right before anybody reads the report.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import TypeVar

import msgspec

from eishro.clock import TRIPOLI
from eishro.db.statements import Batch
from eishro.domain.payments import credentials, reconciling_sql
from eishro.domain.payments import sql as payments
from eishro.domain.payments.exchanges import speaking_of
from eishro.domain.payments.port import GatewayTransaction, Paid, PaymentProvider, ProviderBusy
from eishro.domain.payments.reconciling import (
    PROPOSALS_OF_EXTRA,
    Booked,
    Difference,
    Report,
    compare,
)
from eishro.flows.gateways import intent_of, provider_of, speak_for
from eishro.flows.note_exchanges import keep_exchanges
from eishro.flows.pay_order import check_payment
from eishro.flows.shop import Shop

# Days before and after, in which what happened around midnight may be listed or noticed.
AROUND = timedelta(days=1)
ASKED_AT_ONCE = 500
SINGLY_MAX = 20  # transactions that the gateway is asked about by their numbers
Progress = Callable[[int, int], None]
T = TypeVar("T")


def unseen(done: int, whole: int) -> None:
    """Nobody looks on."""
    del done, whole


async def reconcile_day(
    shop: Shop,
    name: str,
    provider: PaymentProvider,
    day: date,
    progress: Progress = unseen,
) -> list[Report]:
    """One report for each account at the gateway that had something on this day (Tripoli's).

    Args:
        progress: told how many of the gateway's transactions are looked at, of how many.

    Raises:
        ProviderBusy: the gateway does not answer, or lists nothing by itself.
    """
    if provider.can_list:
        listed = await provider.list_transactions(day - AROUND, day + AROUND)
    elif provider.can_query:
        listed = await _ask_each(shop, name, day, progress)
    else:
        raise ProviderBusy()
    return await reconcile_listed(shop, name, listed, day, progress)


async def own_accounts(shop: Shop, name: str) -> list[PaymentProvider]:
    """Who speaks for each account at this gateway: the platform's, then stores' own."""
    platforms = shop.providers.get(name)
    found = [] if platforms is None else [platforms]
    for own in await credentials.list_all_credentials(shop.db, name):
        with contextlib.suppress(ProviderBusy):  # sealed with a key that is gone
            found.append(speak_for(shop, own))
    return found


async def _ask_each(
    shop: Shop, name: str, day: date, progress: Progress
) -> list[GatewayTransaction]:
    """Where a gateway lists nothing, every payment of the day is asked about, some at a time."""
    since, until = _bounds(day)
    ids = await reconciling_sql.list_payment_ids(shop.db, name, since, until)
    found: list[GatewayTransaction] = []
    for first in range(0, len(ids), shop.rules.checks_at_once):
        some = ids[first : first + shop.rules.checks_at_once]
        for told in await _all_of([_asked(shop, payment_id) for payment_id in some]):
            found += told
        progress(first + len(some), len(ids))
    return found


async def _asked(shop: Shop, payment_id: str) -> list[GatewayTransaction]:
    """What the gateway says it took for this payment."""
    payment = await payments.get_payment(shop.db, payment_id)
    provider = await provider_of(shop, payment)
    if provider is None:
        return []
    with speaking_of(payment.reference):
        answer = await provider.query(intent_of(shop, payment))
    await keep_exchanges(shop, payment)
    if not isinstance(answer, Paid):
        return []
    return [
        GatewayTransaction(
            provider_reference=receipt.provider_reference,
            terminal=receipt.terminal,
            reference=payment.reference,
            kind="sale",
            status="approved",
            amount_dirhams=receipt.amount_dirhams,
            currency=receipt.currency,
            at=payment.created_at,
            wire_minor=receipt.wire_minor,
        )
        for receipt in answer.receipts
    ]


async def _all_of(asking: Sequence[Awaitable[T]]) -> list[T]:
    """Every result; where one fails, that is raised once the others are done."""
    results = await asyncio.gather(*asking, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


async def reconcile_listed(
    shop: Shop,
    name: str,
    listed: Sequence[GatewayTransaction],
    day: date,
    progress: Progress = unseen,
) -> list[Report]:
    """The same for a list that came in another way: a statement that was imported."""
    terminals = sorted({one.terminal for one in listed})
    reports = []
    done = 0
    for terminal in terminals:
        of_it = [one for one in listed if one.terminal == terminal]
        report = await _account(shop, name, terminal, of_it, day)
        done += len(of_it)
        progress(done, len(listed))
        await shop.db.commit(Batch(reconciling_sql.keep_report(report, shop.clock.now())))
        reports.append(report)
    return reports


async def _account(
    shop: Shop, name: str, terminal: str, listed: Sequence[GatewayTransaction], day: date
) -> Report:
    since, until = _bounds(day)
    of_day = [one for one in listed if since <= one.at < until]
    matched, found = await _compared(shop, name, terminal, listed, of_day, day)
    if await _mend(shop, name, found):
        matched, found = await _compared(shop, name, terminal, listed, of_day, day)
    told = await _with_what_is_said(shop, found)
    return Report(provider=name, terminal=terminal, day=day, matched=matched, differences=told)


async def _compared(
    shop: Shop,
    name: str,
    terminal: str,
    listed: Sequence[GatewayTransaction],
    of_day: Sequence[GatewayTransaction],
    day: date,
) -> tuple[int, list[Difference]]:
    ours = await reconciling_sql.list_booked(shop.db, name, terminal, *_bounds(day))
    references = sorted({one.provider_reference for one in of_day})
    known = await reconciling_sql.list_known(shop.db, name, terminal, references)
    return compare(ours, _distinct(known), of_day, listed)


async def _mend(shop: Shop, name: str, found: Sequence[Difference]) -> int:
    """Ask about every payment that the gateway took money for without our knowing; many together,
    since a gateway may answer them with one list.
    """
    references = [one.reference for one in found if one.kind == "missing" and one.reference]
    asked = 0
    for first in range(0, len(references), ASKED_AT_ONCE):
        some = references[first : first + ASKED_AT_ONCE]
        asked += sum(await _all_of([_ask_about(shop, name, one) for one in some]))
    return asked


async def _ask_about(shop: Shop, name: str, reference: str) -> bool:
    payment = await payments.find_by_reference(shop.db, name, reference)
    if payment is None:
        return False
    await check_payment(shop, payment.id)
    return True


async def _with_what_is_said(shop: Shop, found: Sequence[Difference]) -> tuple[Difference, ...]:
    """Of what we booked and the gateway does not list, it is asked about each, up to some."""
    told: list[Difference] = []
    asked = 0
    for difference in found:
        proposal = difference.proposal
        if difference.kind == "extra" and difference.payment_id and asked < SINGLY_MAX:
            asked += 1
            payment = await payments.get_payment(shop.db, difference.payment_id)
            provider = await provider_of(shop, payment)
            if provider is not None:
                said = await provider.status_of(difference.provider_reference)
                proposal = PROPOSALS_OF_EXTRA.get(said, proposal)
        told.append(msgspec.structs.replace(difference, proposal=proposal))
    return tuple(told)


def _distinct(known: Sequence[Booked]) -> list[Booked]:
    return list({(one.kind, one.provider_reference): one for one in known}.values())


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), TRIPOLI)
    return start, start + timedelta(days=1)

"""Once a day, every gateway's list of the day before is compared with the books."""

import contextlib
from datetime import timedelta

import structlog

from eishro.clock import TRIPOLI
from eishro.db import leases
from eishro.db.statements import Batch
from eishro.domain.payments.port import ProviderBusy
from eishro.errors import Stale
from eishro.flows.reconcile import own_accounts, reconcile_day
from eishro.flows.shop import Shop
from eishro.ids import text_id

_LOG = structlog.get_logger("eishro.jobs")
_LEASE = "reconcile"
_AFTER_HOUR = 3  # Tripoli's night: the day before is settled


async def reconcile_daily(shop: Shop) -> None:
    """The first of all workers that comes by does it, and holds the lease until tomorrow."""
    now = shop.clock.now()
    local = now.astimezone(TRIPOLI)
    if local.hour < _AFTER_HOUR or not shop.providers:
        return
    tomorrow = (local + timedelta(days=1)).replace(hour=_AFTER_HOUR, minute=0, second=0)
    with contextlib.suppress(Stale):
        await shop.db.commit(Batch(leases.take(_LEASE, text_id("rec", now), now, tomorrow)))
        for name in shop.gateways.catalog:
            await _one(shop, name)


async def _one(shop: Shop, name: str) -> None:
    yesterday = shop.clock.now().astimezone(TRIPOLI).date() - timedelta(days=1)
    for provider in await own_accounts(shop, name):
        if not provider.can_list and not provider.can_query:
            continue
        try:
            for report in await reconcile_day(shop, name, provider, yesterday):
                _LOG.info(
                    "reconciled",
                    provider=name,
                    terminal=report.terminal,
                    matched=report.matched,
                    differing=len(report.differences),
                )
        except ProviderBusy:
            _LOG.warning("not_reconciled", provider=name, day=yesterday.isoformat())

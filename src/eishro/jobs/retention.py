"""Once a day, and by `eishro retention`: what is older than its time goes."""

import contextlib
from datetime import timedelta

import msgspec

from eishro.db import leases
from eishro.db.statements import Batch
from eishro.domain.messages.port import KeepsLetters
from eishro.errors import Stale
from eishro.flows.retain import retain
from eishro.flows.shop import Shop
from eishro.ids import text_id

_LEASE = "retention"

EVERY = timedelta(days=1)


class Done(msgspec.Struct, frozen=True):
    """How many of each went, or would go."""

    orders: int
    news: int
    codes: int
    mails: int
    events: int
    signals: int


async def clean(shop: Shop, *, is_dry: bool) -> Done:
    """Everything that is due, files of the development outboxes too."""
    kept = await retain(shop, is_dry=is_dry)
    before = int((shop.clock.now() - shop.rules.retention_mails).timestamp())
    mails = 0
    for outbox in (shop.mail, shop.sms):
        if isinstance(outbox, KeepsLetters):
            mails += outbox.count_older(before) if is_dry else outbox.forget_older(before)
    return Done(kept.orders, kept.news, kept.codes, mails, kept.events, kept.signals)


async def clean_daily(shop: Shop) -> None:
    """The first of all workers that comes by does it, and holds the day's lease."""
    now = shop.clock.now()
    with contextlib.suppress(Stale):
        await shop.db.commit(Batch(leases.take(_LEASE, text_id("ret", now), now, now + EVERY)))
        await clean(shop, is_dry=False)

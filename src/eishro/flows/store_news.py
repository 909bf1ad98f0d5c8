"""Keep a notification before anything is done about it, once, and not without end.

What is proven of a message names it (`Claim.dedupe_key`), with the payment that it is about: who
captured a signed one and sends it again, changed where nothing is signed, makes no second row.
What a process does about what was kept is in `pay_order.work_off_news`.
"""

import hashlib

import msgspec
import structlog

from eishro.db.statements import Batch
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import News
from eishro.domain.payments.port import Claim
from eishro.flows.shop import Shop
from eishro.ids import text_id

KEPT_MAX = 20  # pieces of news about one payment; what comes beyond is answered, and not kept

_LOG = structlog.get_logger("eishro.payments")


async def store_news(shop: Shop, provider: str, claim: Claim) -> News | None:
    """Keep a notification before it is worked off: the one that is kept, which came before where
    its `outcome` is set. None where so much was kept of its payment that this is not; the sweep
    asks about a payment at its times whatever is said of it.
    """
    at = shop.clock.now()
    raw = msgspec.json.encode(claim.raw, order="sorted")
    news = News(
        id=text_id("new", at),
        provider=provider,
        dedupe_key=claim.dedupe_key,
        body_hash=hashlib.sha256((claim.reference or "").encode()).hexdigest(),
        reference=claim.reference,
        kind=claim.kind,
        raw=msgspec.Raw(raw),
        received_at=at,
        outcome=None,
        proof=None if claim.proof is None else msgspec.Raw(msgspec.json.encode(claim.proof)),
    )
    same, count = await _kept_before(shop, news)
    if same is not None:
        return same
    if count >= KEPT_MAX:
        _LOG.warning("news_not_kept", provider=provider, reference=news.reference)
        return None
    await shop.db.commit(Batch(payments.insert_news(news), has_time=True))
    return news


async def _kept_before(shop: Shop, news: News) -> tuple[News | None, int]:
    """The same news where it is kept, and how much is kept of its payment."""
    if news.reference is None:
        return await payments.find_same_news(shop.db, news), 0
    keys = await payments.list_news_keys(shop.db, news.provider, news.reference, KEPT_MAX)
    if (news.dedupe_key, news.body_hash) in keys:
        return await payments.find_same_news(shop.db, news), len(keys)
    return None, len(keys)

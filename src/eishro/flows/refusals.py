"""What a failed check of security leaves behind: one line of the audit trail, and nothing else.

Of one caller (or network, for who is nobody) only so many lines are kept: who knocks at every door
must not fill the trail. Wrong passwords have lines of their own (`sign_in.note_refusal`), bounded
by how often anybody may guess.
"""

import contextlib
import hashlib
from collections.abc import AsyncIterator

import structlog

from eishro.addresses import network_of
from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.database import DatabaseBusy
from eishro.db.keyvalue import KeyValueUnavailable
from eishro.db.statements import Batch
from eishro.flows.shop import Shop

LINES_MAX = 30  # of one caller
WINDOW_SECONDS = 3600

_LOG = structlog.get_logger("eishro.refusals")


async def note(
    shop: Shop, actor: Actor, wrong: str, subject: object, *, store_id: int | None = None
) -> None:
    """Write that `actor` was refused at `subject`, since `wrong` was: a permission, a token …

    The refusal itself stands whether or not the line can be written.
    """
    who = network_of(actor.address) if actor.name == "guest" else actor.name
    key = hashlib.sha256(who.encode()).hexdigest()[:32]
    try:
        count = await shop.kv.increment(f"refused:{key}", WINDOW_SECONDS)
        if count.value > LINES_MAX:
            return
        at = shop.clock.now()
        line = audit.record(actor, "access.refused", subject, at, store_id=store_id, wrong=wrong)
        await shop.db.commit(Batch(line))
    except (KeyValueUnavailable, DatabaseBusy):
        _LOG.warning("refusal_not_noted", wrong=wrong)


@contextlib.asynccontextmanager
async def noting(
    shop: Shop, actor: Actor, wrong: str, *refusals: type[Exception]
) -> AsyncIterator[None]:
    """Write a line if one of `refusals` is raised inside."""
    try:
        yield
    except refusals:
        await note(shop, actor, wrong, "unknown")
        raise

"""What waits for gateways, by account: payments to ask about, news nobody worked off, refunds.

The indexes hold the account beside the time, so that a long queue of one is passed over without
reading it.
"""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.statements import Query
from eishro.domain.payments.model import News
from eishro.domain.payments.refunds_sql import refunds
from eishro.domain.payments.sql import payment_news, payments

ACCOUNTS_MAX = 10_000


class AccountKey(msgspec.Struct, frozen=True):
    """An account at a gateway. `credentials_id` is empty for the platform's, and where the work
    does not tell accounts apart; both are for a refund of money that no gateway took.
    """

    provider: str
    credentials_id: str = ""


_CREDENTIALS = sa.func.coalesce(payments.c.credentials_id, "")
_IS_DUE = payments.c.next_check_at <= sa.bindparam("now")
_IS_WAITING = sa.and_(
    payment_news.c.outcome.is_(None), payment_news.c.received_at <= sa.bindparam("before")
)
_REFUNDED_BY = sa.func.coalesce(refunds.c.provider, "")
_IS_TO_SEND = refunds.c.next_try_at <= sa.bindparam("now")

_PAYMENT_ACCOUNTS = Query(
    sa.select(payments.c.provider, _CREDENTIALS)
    .where(_IS_DUE)
    .group_by(payments.c.provider, _CREDENTIALS)
    .order_by(sa.func.min(payments.c.next_check_at))
    .limit(sa.bindparam("limit")),
    AccountKey,
    across_stores=True,
)
_PAYMENTS = Query(
    sa.select(payments.c.id)
    .where(
        _IS_DUE,
        payments.c.provider == sa.bindparam("provider"),
        sa.bindparam("credentials_id") == _CREDENTIALS,
    )
    .order_by(payments.c.next_check_at)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
_NEWS_ACCOUNTS = Query(
    sa.select(payment_news.c.provider)
    .where(_IS_WAITING)
    .group_by(payment_news.c.provider)
    .order_by(sa.func.min(payment_news.c.received_at))
    .limit(sa.bindparam("limit")),
    AccountKey,
)
_NEWS = Query(
    sa.select(*columns_of(payment_news, News))
    .where(_IS_WAITING, payment_news.c.provider == sa.bindparam("provider"))
    .order_by(payment_news.c.received_at)
    .limit(sa.bindparam("limit")),
    News,
)
_REFUND_ACCOUNTS = Query(
    sa.select(_REFUNDED_BY)
    .where(_IS_TO_SEND)
    .group_by(_REFUNDED_BY)
    .order_by(sa.func.min(refunds.c.next_try_at))
    .limit(sa.bindparam("limit")),
    AccountKey,
    across_stores=True,
)
_REFUNDS = Query(
    sa.select(refunds.c.id)
    .where(_IS_TO_SEND, sa.bindparam("provider") == _REFUNDED_BY)
    .order_by(refunds.c.next_try_at)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)


async def find_accounts_of_payments(db: Database, now: datetime) -> list[AccountKey]:
    """Accounts with payments to ask about now, the longest waiting first; so are the others."""
    return await db.all(_PAYMENT_ACCOUNTS, now=now, limit=ACCOUNTS_MAX)


async def list_payments(
    db: Database, account: AccountKey, now: datetime, limit: int = 100
) -> list[str]:
    """Ids of the account's payments to ask about now, the longest waiting first."""
    return await db.all(
        _PAYMENTS,
        now=now,
        provider=account.provider,
        credentials_id=account.credentials_id,
        limit=limit,
    )


async def find_accounts_of_news(db: Database, before: datetime) -> list[AccountKey]:
    """Gateways of which notifications came up to `before` that nobody has worked off."""
    return await db.all(_NEWS_ACCOUNTS, before=before, limit=ACCOUNTS_MAX)


async def list_news(
    db: Database, account: AccountKey, before: datetime, limit: int = 100
) -> list[News]:
    """Notifications of the gateway received up to `before` that nobody has worked off."""
    return await db.all(_NEWS, before=before, provider=account.provider, limit=limit)


async def find_accounts_of_refunds(db: Database, now: datetime) -> list[AccountKey]:
    """Gateways with refunds that somebody has to look after now."""
    return await db.all(_REFUND_ACCOUNTS, now=now, limit=ACCOUNTS_MAX)


async def list_refunds(
    db: Database, account: AccountKey, now: datetime, limit: int = 100
) -> list[str]:
    """Ids of the gateway's refunds that somebody has to look after now."""
    return await db.all(_REFUNDS, now=now, provider=account.provider, limit=limit)

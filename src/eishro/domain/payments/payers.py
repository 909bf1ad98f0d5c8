"""What payments hold of the person who paid: to show it, and to forget it with the buyer."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of
from eishro.db.statements import Query, Statement, Write, in_list
from eishro.domain.payments.model import News, Payment, StoredReceipt
from eishro.domain.payments.sql import payment_news, payment_receipts, payments

_FORGET_ACTIONS = Write(
    sa.update(payments)
    .where(
        payments.c.store_id == sa.bindparam("key_store"),
        payments.c.order_id == sa.bindparam("key_order"),
    )
    .values(
        action=sa.null(),
        return_url=sa.null(),
        session=sa.null(),
        failure=sa.null(),
        version=payments.c.version + 1,
    )
)
_FORGET_DETAILS = Write(
    sa.update(payment_receipts)
    .where(
        payment_receipts.c.store_id == sa.bindparam("key_store"),
        payment_receipts.c.payment_id.in_(
            sa.select(payments.c.id).where(
                payments.c.store_id == sa.bindparam("key_store"),
                payments.c.order_id == sa.bindparam("key_order"),
            )
        ),
    )
    .values(details=sa.literal_column("'{}'"))
)
_FORGET_RAW = Write(
    sa.update(payment_news)
    .where(
        payment_news.c.reference == sa.bindparam("key_reference"),
        payment_news.c.outcome.is_not(None),
    )
    .values(raw=sa.literal_column("'{}'"), proof=sa.null())
)
_RECEIPTS_OF_ORDERS = Query(
    sa.select(*columns_of(payment_receipts, StoredReceipt))
    .where(
        payment_receipts.c.payment_id.in_(
            sa.select(payments.c.id).where(in_list(payments.c.order_id, "order_ids"))
        )
    )
    .order_by(payment_receipts.c.payment_id, payment_receipts.c.at)
    .limit(sa.bindparam("limit")),
    StoredReceipt,
    across_stores=True,
)
_NEWS_OF = Query(
    sa.select(*columns_of(payment_news, News))
    .where(in_list(payment_news.c.reference, "references"))
    .order_by(payment_news.c.id)
    .limit(sa.bindparam("limit")),
    News,
)


async def list_receipts_of_orders(db: Database, order_ids: list[str]) -> list[StoredReceipt]:
    """Money that came for these orders, by payment."""
    return await db.all(
        _RECEIPTS_OF_ORDERS, order_ids=order_ids, limit=100 * max(1, len(order_ids))
    )


async def list_news_of(db: Database, attempts: Sequence[Payment]) -> list[News]:
    """What gateways said of these attempts, whose references are random, oldest first."""
    if not attempts:
        return []
    references = [attempt.reference for attempt in attempts]
    return await db.all(_NEWS_OF, references=references, limit=100 * len(attempts))


def forget_attempts(
    keys: Sequence[Mapping[str, object]], attempts: Sequence[Payment]
) -> list[Statement]:
    """Empty what these orders' payments hold of a person: what the browser was to do (there may
    be a telephone in it), what the gateway said of the payer, and its raw notifications that are
    worked off. Their keys stay, so that the same notification again is still known.

    Args:
        keys: of `owners.keys_of`.
        attempts: of the same orders.
    """
    raw = [{"key_reference": one.reference} for one in attempts]
    return [_FORGET_ACTIONS.each(keys), _FORGET_DETAILS.each(keys), _FORGET_RAW.each(raw)]

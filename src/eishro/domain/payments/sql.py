"""Tables and statements of payments, the money received for them and the news about them."""

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list, insert_once
from eishro.db.types import Flag, Id, Int, Json, Moment, Text
from eishro.domain.payments.model import News, Payment, PaymentNotFound, StoredReceipt
from eishro.errors import Stale

payments = table(
    "payments",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("method", Text, nullable=False),
    sa.Column("provider", Text, nullable=False),
    sa.Column("reference", Text, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("currency", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("action", Json),
    sa.Column("failure", Text),
    sa.Column("review", Text),
    sa.Column("return_url", Text),
    sa.Column("checks", Int, nullable=False),
    sa.Column("news_checks", Int, nullable=False),
    sa.Column("next_check_at", Moment),
    sa.Column("expires_at", Moment),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.Column("wire_minor", Int),
    sa.Column("rate_micro", Int),
    sa.Column("rate_source", Text),
    sa.Column("session", Text),
    sa.Column("code_tries", Int, nullable=False, server_default="0"),
    sa.Column("credentials_id", Text),
    sa.Column("is_own_account", Flag, nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
    sa.UniqueConstraint("provider", "reference"),
    sa.UniqueConstraint("store_id", "id"),
    sa.CheckConstraint("amount_dirhams > 0", name="amount"),
    # All three: by `order_id` alone SQLite would rather read the whole store, newest first.
    sa.Index("ix_payments_order_id_store_id_id", "order_id", "store_id", "id"),
    sa.Index("ix_payments_store_id_provider_status_id", "store_id", "provider", "status", "id"),
    sa.Index(
        "ix_payments_review",
        "store_id",
        "id",
        sqlite_where=sa.text("review IS NOT NULL"),
        postgresql_where=sa.text("review IS NOT NULL"),
    ),
    sa.Index(
        "ix_payments_due",
        "next_check_at",
        "provider",
        "credentials_id",
        sqlite_where=sa.text("next_check_at IS NOT NULL"),
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    ),
    with_rowid=False,
)

payment_receipts = table(
    "payment_receipts",
    sa.Column("provider", Text, primary_key=True),
    sa.Column("terminal", Text, primary_key=True),
    sa.Column("provider_reference", Text, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("payment_id", Id, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("currency", Text, nullable=False),
    sa.Column("applied", Flag, nullable=False),
    sa.Column("reason", Text),
    sa.Column("details", Json, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("wire_minor", Int),
    sa.ForeignKeyConstraint(["store_id", "payment_id"], ["payments.store_id", "payments.id"]),
    sa.Index("ix_payment_receipts_payment_id", "payment_id"),
    sa.Index("ix_payment_receipts_reference", "provider", "provider_reference"),
    sa.Index("ix_payment_receipts_provider_terminal_at", "provider", "terminal", "at"),
    with_rowid=False,
)

payment_news = table(
    "payment_news",
    sa.Column("id", Id, primary_key=True),
    sa.Column("provider", Text, nullable=False),
    sa.Column("dedupe_key", Text, nullable=False),
    sa.Column("body_hash", Text, nullable=False),
    sa.Column("reference", Text),
    sa.Column("kind", Text, nullable=False),
    sa.Column("raw", Json, nullable=False),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("outcome", Text),
    sa.Column("proof", Json),
    sa.UniqueConstraint("provider", "dedupe_key", "body_hash"),
    sa.Index(
        "ix_payment_news_of_gateway_waiting",
        "received_at",
        "provider",
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    ),
    # What was said of a payment, to forget it with its payer.
    sa.Index("ix_payment_news_reference", "reference"),
    with_rowid=False,
)

_PAYMENT_COLUMNS = columns_of(payments, Payment)
_BY_ID = Query(
    sa.select(*_PAYMENT_COLUMNS).where(payments.c.id == sa.bindparam("id")),
    Payment,
    across_stores=True,
)
_BY_REFERENCE = Query(
    sa.select(*_PAYMENT_COLUMNS).where(
        payments.c.provider == sa.bindparam("provider"),
        payments.c.reference == sa.bindparam("reference"),
    ),
    Payment,
    across_stores=True,
)
_BY_ANY_REFERENCE = Query(
    sa.select(*_PAYMENT_COLUMNS).where(
        in_list(payments.c.provider, "providers"),
        payments.c.reference == sa.bindparam("reference"),
    ),
    Payment,
    across_stores=True,
)
_OF_ORDER = Query(
    sa.select(*_PAYMENT_COLUMNS)
    .where(
        payments.c.order_id == sa.bindparam("order_id"),
        payments.c.store_id == sa.bindparam("store_id"),
    )
    .order_by(payments.c.id.desc())
    .limit(sa.bindparam("limit")),
    Payment,
)
_RECEIPTS = Query(
    sa.select(*columns_of(payment_receipts, StoredReceipt))
    .where(payment_receipts.c.payment_id == sa.bindparam("payment_id"))
    .order_by(payment_receipts.c.at)
    .limit(sa.bindparam("limit")),
    StoredReceipt,
    across_stores=True,
)
_RECEIPT_OWNER = Query(
    sa.select(payment_receipts.c.payment_id).where(
        payment_receipts.c.provider == sa.bindparam("provider"),
        payment_receipts.c.terminal == sa.bindparam("terminal"),
        payment_receipts.c.provider_reference == sa.bindparam("provider_reference"),
    ),
    str,
    across_stores=True,
)
_OF_ORDERS = Query(
    sa.select(payments.c.order_id, payments.c.id)
    .where(in_list(payments.c.order_id, "order_ids"))
    .order_by(payments.c.id)
    .limit(sa.bindparam("limit")),
    lambda order_id, payment_id: (order_id, payment_id),
    across_stores=True,
)
_ALL_OF_ORDERS = Query(
    sa.select(*_PAYMENT_COLUMNS)
    .where(in_list(payments.c.order_id, "order_ids"))
    .order_by(payments.c.id)
    .limit(sa.bindparam("limit")),
    Payment,
    across_stores=True,
)
_OLD_NEWS = Query(
    sa.select(payment_news.c.id)
    .where(payment_news.c.id < sa.bindparam("end"), payment_news.c.outcome.is_not(None))
    .order_by(payment_news.c.id)
    .limit(sa.bindparam("limit")),
    str,
)
_OLD_NEWS_COUNT = Query(
    sa.select(sa.func.count())
    .select_from(payment_news)
    .where(payment_news.c.id < sa.bindparam("end"), payment_news.c.outcome.is_not(None)),
    int,
)
_FORGET_NEWS = Write(
    sa.delete(payment_news).where(
        in_list(payment_news.c.id, "ids"), payment_news.c.outcome.is_not(None)
    )
)
_NEWS_KEYS = Query(
    sa.select(payment_news.c.dedupe_key, payment_news.c.body_hash)
    .where(
        payment_news.c.reference == sa.bindparam("reference"),
        payment_news.c.provider == sa.bindparam("provider"),
    )
    .limit(sa.bindparam("limit")),
    lambda dedupe_key, body_hash: (str(dedupe_key), str(body_hash)),
)
_SAME_NEWS = Query(
    sa.select(*columns_of(payment_news, News)).where(
        payment_news.c.provider == sa.bindparam("provider"),
        payment_news.c.dedupe_key == sa.bindparam("dedupe_key"),
        payment_news.c.body_hash == sa.bindparam("body_hash"),
    ),
    News,
)
_INSERT = Write(sa.insert(payments))
_SAVE = Write(save_by_version(payments, Payment, ("store_id", "id")))
_INSERT_RECEIPT = Write(insert_once(payment_receipts))
_INSERT_NEWS = Write(insert_once(payment_news))
_HANDLE_NEWS = Write(
    sa.update(payment_news)
    .where(payment_news.c.id == sa.bindparam("key"))
    .values(outcome=sa.bindparam("outcome"))
)


async def get_payment(db: Database, payment_id: str) -> Payment:
    """The payment, or `PaymentNotFound`."""
    payment = await db.one(_BY_ID, id=payment_id)
    if payment is None:
        raise PaymentNotFound()
    return payment


async def find_by_reference(db: Database, provider: str, reference: str) -> Payment | None:
    """The attempt the gateway knows by this reference."""
    return await db.one(_BY_REFERENCE, provider=provider, reference=reference)


async def find_by_any_reference(
    db: Database, providers: list[str], reference: str
) -> Payment | None:
    """The attempt that one of these gateways knows by this reference; references are random."""
    return await db.one(_BY_ANY_REFERENCE, providers=providers, reference=reference)


async def list_payments_of_order(db: Database, store_id: int, order_id: str) -> list[Payment]:
    """The order's attempts, newest first."""
    return await db.all(_OF_ORDER, store_id=store_id, order_id=order_id, limit=50)


async def list_receipts(db: Database, payment_id: str) -> list[StoredReceipt]:
    """Money that came for the payment."""
    return await db.all(_RECEIPTS, payment_id=payment_id, limit=100)


async def find_receipt_owner(
    db: Database, provider: str, terminal: str, provider_reference: str
) -> str | None:
    """The payment that this transaction of the gateway was booked for."""
    return await db.one(
        _RECEIPT_OWNER,
        provider=provider,
        terminal=terminal,
        provider_reference=provider_reference,
    )


async def find_newest_attempts(db: Database, order_ids: list[str]) -> dict[str, str]:
    """The newest payment of each order that has one."""
    return dict(await db.all(_OF_ORDERS, order_ids=order_ids, limit=50 * max(1, len(order_ids))))


async def list_news_keys(
    db: Database, provider: str, reference: str, limit: int
) -> list[tuple[str, str]]:
    """`dedupe_key` and `body_hash` of what was kept of the attempt that the gateway knows by this
    reference.
    """
    return await db.all(_NEWS_KEYS, provider=provider, reference=reference, limit=limit)


async def find_same_news(db: Database, news: News) -> News | None:
    """The same as it was kept before."""
    return await db.one(
        _SAME_NEWS,
        provider=news.provider,
        dedupe_key=news.dedupe_key,
        body_hash=news.body_hash,
    )


async def list_payments_of_orders(db: Database, order_ids: list[str]) -> list[Payment]:
    """Every attempt to pay these orders, oldest first."""
    return await db.all(_ALL_OF_ORDERS, order_ids=order_ids, limit=50 * max(1, len(order_ids)))


async def list_old_news(db: Database, end: str, limit: int) -> list[str]:
    """Ids of notifications below the id `end` that are worked off; ids sort by time."""
    return await db.all(_OLD_NEWS, end=end, limit=limit)


async def count_old_news(db: Database, end: str) -> int:
    """How many there are."""
    return await db.one(_OLD_NEWS_COUNT, end=end) or 0


def forget_news(ids: list[str]) -> Statement:
    """Drop these notifications; those that wait to be worked off stay."""
    return _FORGET_NEWS(ids=ids)


def insert_payment(payment: Payment) -> Statement:
    """A new attempt."""
    return _INSERT(**values_of(payment))


def save_payment(payment: Payment, seen: Payment) -> Statement:
    """Replace `seen` by `payment`, or `Stale`."""
    return _SAVE(**saving(payment, seen, ("store_id", "id"))).guarded(Stale())


def insert_receipt(receipt: StoredReceipt) -> Statement:
    """Money noticed for the first time; `Stale` if it is known already."""
    return _INSERT_RECEIPT(**values_of(receipt)).guarded(Stale())


def insert_news(news: News) -> Statement:
    """A notification; the same one again touches no row."""
    return _INSERT_NEWS(**values_of(news))


def settle_news(news_id: str, outcome: str) -> Statement:
    """The notification is worked off."""
    return _HANDLE_NEWS(key=news_id, outcome=outcome)

"""The ledger's table and its postings."""

from datetime import datetime

import sqlalchemy as sa

from eishro.db.schema import table
from eishro.db.statements import Statement, Write
from eishro.db.types import Id, Int, Moment, Text
from eishro.ids import text_id

# In nearly every transaction: a list filtered by one of them finds its page at once.
FREQUENT = frozenset({"receivable", "sales", "delivery"})
# Conditions of the partial indexes; a query has them word for word, or it is not served by them.
IS_RARE = "account <> 'receivable' AND account <> 'sales' AND account <> 'delivery'"
IS_FIRST = "position = 0"
_IS_FIRST_OF_ORDER = "position = 0 AND order_id IS NOT NULL"

ledger_entries = table(
    "ledger_entries",
    # A store's entries lie together in time order: its statement needs no other index.
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), primary_key=True, autoincrement=False),
    sa.Column("transaction_id", Id, primary_key=True),
    sa.Column("position", Int, primary_key=True),
    sa.Column("account", Text, nullable=False),
    sa.Column("dirhams", Int, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("order_id", Id),
    sa.Column("payment_id", Id),
    sa.Column("at", Moment, nullable=False),
    # Placing an order writes one row of these two: the first entry of its transaction.
    sa.Index(
        "ix_ledger_entries_order",
        "store_id",
        "order_id",
        "transaction_id",
        sqlite_where=sa.text(_IS_FIRST_OF_ORDER),
        postgresql_where=sa.text(_IS_FIRST_OF_ORDER),
    ),
    sa.Index(
        "ix_ledger_entries_account",
        "store_id",
        "account",
        "transaction_id",
        sqlite_where=sa.text(IS_RARE),
        postgresql_where=sa.text(IS_RARE),
    ),
    with_rowid=False,
)

_INSERT = Write(sa.insert(ledger_entries))


def post(
    store_id: int,
    reason: str,
    at: datetime,
    amounts: dict[str, int],
    *,
    order_id: str | None = None,
    payment_id: str | None = None,
) -> Statement:
    """One transaction: dirhams by account, debits positive; zeros are left out.

    Raises:
        ValueError: the amounts do not sum to zero: a fault of the caller.
    """
    if sum(amounts.values()) != 0:
        raise ValueError(f"unbalanced transaction {reason}: {amounts}")
    transaction_id = text_id("trn", at)
    return _INSERT.each(
        [
            {
                "transaction_id": transaction_id,
                "position": position,
                "store_id": store_id,
                "account": account,
                "dirhams": dirhams,
                "reason": reason,
                "order_id": order_id,
                "payment_id": payment_id,
                "at": at,
            }
            for position, (account, dirhams) in enumerate(
                (account, dirhams) for account, dirhams in amounts.items() if dirhams
            )
        ]
    )

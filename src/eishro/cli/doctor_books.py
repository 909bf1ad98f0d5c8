"""What `eishro doctor` asks of the books: do they balance, and does everything that stands for
money elsewhere (receipts, items in suspense, payouts, kept balances) say the same?
"""

from typing import Any

import sqlalchemy as sa

from eishro.cli.doctor_money import WAS_PAID
from eishro.cli.doctor_shipping import BRINGING, SETTLING
from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.domain.ledger.reading import ledger_balances
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders.sql import orders
from eishro.domain.payouts.sql import payouts
from eishro.domain.suspense.sql import WAITING, suspense_items

SHOWN_MAX = 20  # rows of one finding
COURIER = "courier:"
_entries = ledger_entries.c


def _sum(column: Any) -> Any:
    return sa.func.coalesce(sa.func.sum(column), 0)


def _of_accounts(*accounts: str) -> Any:
    return sa.select(_entries.store_id.label("store_id"), _entries.dirhams.label("dirhams")).where(
        sa.or_(*(_entries.account == account for account in accounts))
    )


def _unlike(*parts: Any) -> Query[int]:
    """Stores in which these amounts together are not zero."""
    whole = sa.union_all(*parts).subquery()
    return Query(
        sa.select(whole.c.store_id)
        .group_by(whole.c.store_id)
        .having(sa.func.sum(whole.c.dirhams) != 0)
        .order_by(whole.c.store_id)
        .limit(SHOWN_MAX),
        int,
        across_stores=True,
    )


_UNBALANCED = Query(
    sa.select(_entries.transaction_id)
    .group_by(_entries.transaction_id)
    .having(sa.func.sum(_entries.dirhams) != 0)
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
_RECEIVABLE = (
    sa.select(_entries.order_id, sa.func.sum(_entries.dirhams).label("dirhams"))
    .where(_entries.account == "receivable")
    .group_by(_entries.order_id)
    .subquery("receivable")
)
# An order may be paid in several pieces, but never with more than it costs.
_PAID_TWICE = Query(
    sa.select(_RECEIVABLE.c.order_id).where(_RECEIVABLE.c.dirhams < 0).limit(SHOWN_MAX),
    str,
    across_stores=True,
)
_DUE_WRONG = Query(
    sa.select(orders.c.id)
    .select_from(orders.outerjoin(_RECEIVABLE, _RECEIVABLE.c.order_id == orders.c.id))
    .where(sa.func.coalesce(_RECEIVABLE.c.dirhams, 0) != orders.c.due_dirhams)
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
# What came for an order: money as it left the receivable, cash as the courier brought it.
_CAME = (
    sa.select(
        _entries.order_id,
        sa.func.sum(
            sa.case((_entries.account == "receivable", -_entries.dirhams), else_=_entries.dirhams)
        ).label("dirhams"),
    )
    .where(
        sa.or_(
            sa.and_(
                _entries.account == "receivable",
                sa.or_(*(_entries.reason == reason for reason in BRINGING)),
            ),
            sa.and_(
                _entries.reason == "cod.collected",
                sa.func.substr(_entries.account, 1, len(COURIER)) == COURIER,
            ),
        )
    )
    .group_by(_entries.order_id)
    .subquery("came")
)
_CAME_WRONG = Query(
    sa.select(orders.c.id)
    .select_from(orders.outerjoin(_CAME, _CAME.c.order_id == orders.c.id))
    .where(sa.func.coalesce(_CAME.c.dirhams, 0) != orders.c.paid_dirhams)
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
_PAID_ENTRIES = (
    sa.select(_entries.order_id, sa.func.sum(_entries.dirhams).label("dirhams"))
    .where(
        sa.or_(*(_entries.reason == reason for reason in SETTLING)),
        _entries.account == "receivable",
    )
    .group_by(_entries.order_id)
    .subquery()
)
_PAID_WITHOUT_MONEY = Query(
    sa.select(orders.c.id)
    .select_from(orders.outerjoin(_PAID_ENTRIES, _PAID_ENTRIES.c.order_id == orders.c.id))
    .where(
        WAS_PAID,
        # One that was cancelled before all of it came keeps what came (and has it refunded).
        orders.c.status != "cancelled",
        sa.func.coalesce(_PAID_ENTRIES.c.dirhams, 0) != -orders.c.total_dirhams,
    )
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
# Up to where each store's kept balances go, and the entries up to there: the same, account by
# account.
_MARKS = (
    sa.select(
        ledger_balances.c.store_id,
        sa.func.max(ledger_balances.c.through_transaction_id).label("mark"),
    )
    .group_by(ledger_balances.c.store_id)
    .subquery()
)
_KEPT_AND_COUNTED = sa.union_all(
    sa.select(
        ledger_balances.c.store_id.label("store_id"),
        ledger_balances.c.account.label("account"),
        ledger_balances.c.dirhams.label("dirhams"),
    ),
    sa.select(_entries.store_id, _entries.account, -_entries.dirhams)
    .select_from(ledger_entries.join(_MARKS, _MARKS.c.store_id == _entries.store_id))
    .where(_entries.transaction_id <= _MARKS.c.mark),
).subquery()
_KEPT_WRONG = Query(
    sa.select(_KEPT_AND_COUNTED.c.store_id, _KEPT_AND_COUNTED.c.account)
    .group_by(_KEPT_AND_COUNTED.c.store_id, _KEPT_AND_COUNTED.c.account)
    .having(sa.func.sum(_KEPT_AND_COUNTED.c.dirhams) != 0)
    .order_by(_KEPT_AND_COUNTED.c.store_id, _KEPT_AND_COUNTED.c.account)
    .limit(SHOWN_MAX),
    lambda store_id, account: f"{store_id} {account}",
    across_stores=True,
)
_SUSPENSE_UNLIKE = _unlike(
    _of_accounts("suspense"),
    sa.select(suspense_items.c.store_id, suspense_items.c.amount_dirhams).where(WAITING),
)
_PAID_OUT = sa.select(payouts.c.store_id, payouts.c.amount_dirhams).where(
    payouts.c.status == "paid"
)
_SENT = sa.select(payouts.c.store_id, -payouts.c.amount_dirhams).where(payouts.c.status == "paid")
_PAYOUTS_UNLIKE = _unlike(_of_accounts("payouts"), _PAID_OUT)
_BANK_UNLIKE = _unlike(_of_accounts("bank"), _SENT)
_FEES_UNLIKE = _unlike(_of_accounts("commission", "platform_fees"))
_ALL = Query(sa.select(_sum(_entries.dirhams)), int, across_stores=True)
_LISTS: tuple[tuple[str, Query[Any]], ...] = (
    ("ledger transactions that do not sum to zero", _UNBALANCED),
    ("orders paid twice from one receivable", _PAID_TWICE),
    ("paid orders without their money in the books", _PAID_WITHOUT_MONEY),
    ("orders of which something else is due than the books say", _DUE_WRONG),
    ("orders for which other money came than the books say", _CAME_WRONG),
    ("kept balances that differ from their entries", _KEPT_WRONG),
    ("stores whose items in suspense differ from the account", _SUSPENSE_UNLIKE),
    ("stores whose paid payouts differ from the payouts account", _PAYOUTS_UNLIKE),
    ("stores whose paid payouts differ from the bank account", _BANK_UNLIKE),
    ("stores whose commission differs from the platform's fees", _FEES_UNLIKE),
)


async def find_faults_of_books(db: Database) -> list[str]:
    """What is wrong with the books, one sentence each."""
    findings: list[str] = []
    for what, query in _LISTS:
        rows = await db.all(query)
        if rows:
            findings.append(f"{what}: {', '.join(str(row) for row in rows)}")
    if rest := await db.one(_ALL) or 0:
        findings.append(f"the whole ledger sums to {rest} dirhams, not to zero")
    return findings

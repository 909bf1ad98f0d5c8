"""What `eishro doctor` asks about money that came and went: receipts and refunds against the books.

For each provider, what it received less what went back through it is what its accounts (the
platform's and stores' own) hold; with every paid order tied to its entries, that is the net of paid
orders plus suspense.
"""

from typing import Any

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders.model import CAPTURED
from eishro.domain.orders.sql import orders
from eishro.domain.payments.refunds_sql import refunds
from eishro.domain.payments.sql import payment_receipts

SHOWN_MAX = 20
PROVIDERS_MAX = 100
_CLEARING, _OWN = "clearing:", "own:"  # at the platform's account, and at a store's own
WAS_PAID = sa.or_(*(orders.c.payment_status == status for status in sorted(CAPTURED)))


def _sum(column: Any) -> Any:
    return sa.func.coalesce(sa.func.sum(column), 0)


def _named(name: str, dirhams: int) -> tuple[str, int]:
    return name, int(dirhams)


_RECEIVED = Query(
    sa.select(payment_receipts.c.provider, _sum(payment_receipts.c.amount_dirhams))
    .group_by(payment_receipts.c.provider)
    .limit(PROVIDERS_MAX),
    _named,
    across_stores=True,
)
_GIVEN_BACK = Query(
    sa.select(refunds.c.provider, _sum(refunds.c.amount_dirhams))
    .where(refunds.c.status == "done", refunds.c.through == "gateway")
    .group_by(refunds.c.provider)
    .limit(PROVIDERS_MAX),
    _named,
    across_stores=True,
)
_CLEARED = Query(
    sa.select(ledger_entries.c.account, _sum(ledger_entries.c.dirhams))
    .where(
        sa.or_(
            sa.func.substr(ledger_entries.c.account, 1, len(_CLEARING)) == _CLEARING,
            sa.func.substr(ledger_entries.c.account, 1, len(_OWN)) == _OWN,
        )
    )
    .group_by(ledger_entries.c.account)
    .limit(PROVIDERS_MAX),
    _named,
    across_stores=True,
)
_ON_THEIR_WAY = Query(
    sa.select(_sum(refunds.c.amount_dirhams)).where(refunds.c.status != "done"),
    int,
    across_stores=True,
)
# What cancelled orders owe beyond the refunds that are opened.
_OWED = Query(
    sa.select(_sum(orders.c.paid_dirhams - orders.c.refunds_opened_dirhams)).where(
        orders.c.status == "cancelled",
        WAS_PAID,
    ),
    int,
    across_stores=True,
)


def _balance(account: str) -> Query[int]:
    return Query(
        sa.select(_sum(ledger_entries.c.dirhams)).where(ledger_entries.c.account == account),
        int,
        across_stores=True,
    )


_DUE = _balance("refunds_due")
_REFUNDED = (
    sa.select(
        refunds.c.order_id,
        _sum(refunds.c.amount_dirhams).label("opened"),
        _sum(sa.case((refunds.c.status == "done", refunds.c.amount_dirhams), else_=0)).label(
            "done"
        ),
    )
    .where(refunds.c.kind != "suspense", refunds.c.kind != "excess")
    .group_by(refunds.c.order_id)
    .subquery()
)
_MISCOUNTED_REFUNDS = Query(
    sa.select(orders.c.id)
    .select_from(orders.outerjoin(_REFUNDED, _REFUNDED.c.order_id == orders.c.id))
    .where(
        sa.or_(
            orders.c.refunds_opened_dirhams != sa.func.coalesce(_REFUNDED.c.opened, 0),
            orders.c.refunded_dirhams != sa.func.coalesce(_REFUNDED.c.done, 0),
        )
    )
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
_OVER_REFUNDED = Query(
    sa.select(refunds.c.receipt_reference)
    .select_from(
        refunds.join(
            payment_receipts,
            sa.and_(
                payment_receipts.c.provider == refunds.c.provider,
                payment_receipts.c.terminal == refunds.c.terminal,
                payment_receipts.c.provider_reference == refunds.c.receipt_reference,
            ),
        )
    )
    .where(refunds.c.kind != "exchange")
    .group_by(
        refunds.c.provider,
        refunds.c.terminal,
        refunds.c.receipt_reference,
        payment_receipts.c.amount_dirhams,
    )
    .having(sa.func.sum(refunds.c.amount_dirhams) > payment_receipts.c.amount_dirhams)
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
MONEY_LISTS: tuple[tuple[str, Query[Any]], ...] = (
    ("orders whose refunds are counted wrongly", _MISCOUNTED_REFUNDS),
    ("money of which more goes back than came", _OVER_REFUNDED),
)


async def find_money_adrift(db: Database) -> list[str]:
    """Where the books and the gateways' own transactions say different things."""
    received, back = dict(await db.all(_RECEIVED)), dict(await db.all(_GIVEN_BACK))
    cleared: dict[str, int] = {}
    for account, dirhams in await db.all(_CLEARED):
        provider = account.partition(":")[2]
        cleared[provider] = cleared.get(provider, 0) + dirhams
    findings = []
    for provider in sorted({*received, *back, *cleared}):
        kept = received.get(provider, 0) - back.get(provider, 0)
        booked = cleared.get(provider, 0)
        if kept != booked:
            findings.append(
                f"gateways received {kept} dirhams through {provider}, less what went back;"
                f" the books say {booked}"
            )
    owed = (await db.one(_ON_THEIR_WAY) or 0) + (await db.one(_OWED) or 0)
    due = -(await db.one(_DUE) or 0)
    if owed != due:
        findings.append(f"{owed} dirhams are owed back to buyers, the books say {due}")
    return findings

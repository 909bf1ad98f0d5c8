"""What reconciliation reads of the books, and the reports it keeps."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, in_list, upsert
from eishro.db.types import Int, Json, Moment, Text
from eishro.domain.payments.reconciling import Booked, Report
from eishro.domain.payments.refunds_sql import refunds
from eishro.domain.payments.sql import payment_receipts, payments
from eishro.ids import first_id

PAGE = 90  # references in one question: statements take a hundred values
REPORTS_MAX = 400

reconciliations = table(
    "reconciliations",
    sa.Column("provider", Text, primary_key=True),
    sa.Column("terminal", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("matched", Int, nullable=False),
    sa.Column("differing", Int, nullable=False),
    sa.Column("report", Json, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("ix_reconciliations_day", "day"),
    with_rowid=False,
)


class KeptReport(msgspec.Struct, frozen=True):
    """A report as it is kept."""

    provider: str
    terminal: str
    day: str
    matched: int
    differing: int
    report: msgspec.Raw
    at: datetime


def _booked(kind: str, *values: object) -> Booked:
    names = ("provider_reference", "reference", "payment_id", "order_id", "dirhams", "at")
    members = dict(zip((*names, "wire_minor"), values, strict=False))
    return Booked(kind=kind, **members)  # type: ignore[arg-type]


_SALES = (
    sa.select(
        payment_receipts.c.provider_reference,
        payments.c.reference,
        payments.c.id,
        payments.c.order_id,
        payment_receipts.c.amount_dirhams,
        payment_receipts.c.at,
        payment_receipts.c.wire_minor,
    )
    .select_from(
        payment_receipts.join(
            payments,
            sa.and_(
                payments.c.store_id == payment_receipts.c.store_id,
                payments.c.id == payment_receipts.c.payment_id,
            ),
        )
    )
    .where(
        payment_receipts.c.provider == sa.bindparam("provider"),
        payment_receipts.c.terminal == sa.bindparam("terminal"),
    )
)
_BACK = (
    sa.select(
        refunds.c.provider_reference,
        payments.c.reference,
        payments.c.id,
        refunds.c.order_id,
        refunds.c.amount_dirhams,
        refunds.c.updated_at,
    )
    .select_from(
        refunds.join(
            payments,
            sa.and_(
                payments.c.store_id == refunds.c.store_id,
                payments.c.id == refunds.c.payment_id,
            ),
        )
    )
    .where(
        refunds.c.provider == sa.bindparam("provider"),
        refunds.c.terminal == sa.bindparam("terminal"),
        refunds.c.status == "done",
        refunds.c.through == "gateway",
    )
)
_SALES_OF_DAY = Query(
    _SALES.where(
        payment_receipts.c.at >= sa.bindparam("since"),
        payment_receipts.c.at < sa.bindparam("until"),
        payment_receipts.c.provider_reference > sa.bindparam("after"),
    )
    .order_by(payment_receipts.c.provider_reference)
    .limit(sa.bindparam("limit")),
    lambda *values: _booked("sale", *values),
    across_stores=True,
)
_SALES_NAMED = Query(
    _SALES.where(in_list(payment_receipts.c.provider_reference, "references")),
    lambda *values: _booked("sale", *values),
    across_stores=True,
)
_BACK_OF_DAY = Query(
    _BACK.where(
        refunds.c.updated_at >= sa.bindparam("since"), refunds.c.updated_at < sa.bindparam("until")
    )
    .order_by(refunds.c.id)
    .limit(sa.bindparam("limit")),
    lambda *values: _booked("refund", *values),
    across_stores=True,
)
_BACK_NAMED = Query(
    _BACK.where(in_list(refunds.c.provider_reference, "references")),
    lambda *values: _booked("refund", *values),
    across_stores=True,
)
_PAYMENTS_OF_DAY = Query(
    sa.select(payments.c.id)
    .where(
        payments.c.id >= sa.bindparam("first"),
        payments.c.id < sa.bindparam("end"),
        payments.c.provider == sa.bindparam("provider"),
    )
    .order_by(payments.c.id)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
_TERMINALS = Query(
    sa.select(payment_receipts.c.terminal)
    .where(payment_receipts.c.provider == sa.bindparam("provider"))
    .distinct()
    .order_by(payment_receipts.c.terminal)
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
_KEEP = Write(upsert(reconciliations))
_REPORTS = Query(
    sa.select(*(reconciliations.c[name] for name in KeptReport.__struct_fields__))
    .order_by(reconciliations.c.day.desc(), reconciliations.c.provider)
    .limit(sa.bindparam("limit")),
    KeptReport,
)
_IS_DONE = Query(
    sa.select(sa.func.count())
    .select_from(reconciliations)
    .where(
        reconciliations.c.provider == sa.bindparam("provider"),
        reconciliations.c.terminal == sa.bindparam("terminal"),
        reconciliations.c.day == sa.bindparam("day"),
    ),
    int,
)


async def list_booked(
    db: Database, provider: str, terminal: str, since: datetime, until: datetime
) -> list[Booked]:
    """What we booked between the two instants."""
    found: list[Booked] = []
    after = ""
    values = {"provider": provider, "terminal": terminal, "since": since, "until": until}
    while page := await db.all(_SALES_OF_DAY, after=after, limit=1_000, **values):
        found += page
        after = page[-1].provider_reference
    return found + await db.all(_BACK_OF_DAY, limit=10_000, **values)


async def list_terminals(db: Database, provider: str, limit: int = 100) -> list[str]:
    """The accounts at a gateway that money has come by."""
    return await db.all(_TERMINALS, provider=provider, limit=limit)


async def list_payment_ids(
    db: Database, provider: str, since: datetime, until: datetime, limit: int = 100_000
) -> list[str]:
    """Payments begun between the two instants; ids sort by time."""
    first, end = (first_id("pay", at) for at in (since, until))
    return await db.all(_PAYMENTS_OF_DAY, provider=provider, first=first, end=end, limit=limit)


async def list_known(
    db: Database, provider: str, terminal: str, references: Sequence[str]
) -> list[Booked]:
    """What we know of these transactions of the gateway."""
    found: list[Booked] = []
    for first in range(0, len(references), PAGE):
        some = list(references[first : first + PAGE])
        for query in (_SALES_NAMED, _BACK_NAMED):
            found += await db.all(query, provider=provider, terminal=terminal, references=some)
    return found


def keep_report(report: Report, at: datetime) -> Statement:
    """The day's report; a later one takes its place."""
    return _KEEP(
        provider=report.provider,
        terminal=report.terminal,
        day=report.day.isoformat(),
        matched=report.matched,
        differing=len(report.differences),
        report=msgspec.Raw(msgspec.json.encode(report)),
        at=at,
    )


async def list_reports(db: Database, limit: int = REPORTS_MAX) -> list[KeptReport]:
    """The kept ones, newest day first."""
    return await db.all(_REPORTS, limit=limit)


async def is_reconciled(db: Database, provider: str, terminal: str, day: date) -> bool:
    """True if the day has a report."""
    done = await db.one(_IS_DONE, provider=provider, terminal=terminal, day=day.isoformat())
    return bool(done)

"""What comparing gateways' lists with the books gave, day by day."""

from datetime import date, datetime

import msgspec

from eishro.domain.payments import reconciling_sql
from eishro.domain.payments.reconciling import Report
from eishro.web.routes import Call, Reply


class ReconciledView(msgspec.Struct, frozen=True, rename="camel"):
    """One account's day; `report` lists each difference with what to do about it."""

    provider: str
    terminal: str
    day: date
    matched: int
    differing: int
    report: Report
    at: datetime


async def list_reconciled(call: Call) -> Reply:
    """The last reports, newest day first."""
    return Reply(
        [
            ReconciledView(
                provider=kept.provider,
                terminal=kept.terminal,
                day=date.fromisoformat(kept.day),
                matched=kept.matched,
                differing=kept.differing,
                report=msgspec.json.decode(kept.report, type=Report),
                at=kept.at,
            )
            for kept in await reconciling_sql.list_reports(call.shop.db)
        ]
    )

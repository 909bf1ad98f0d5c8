"""`eishro reconcile`: a gateway's own list of a day beside the books."""

import asyncio
import csv
import io
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from eishro.app import open_shop
from eishro.clock import TRIPOLI
from eishro.db import migrate
from eishro.domain.payments import reconciling_sql
from eishro.domain.payments.port import ProviderBusy
from eishro.domain.payments.reconciling import Report
from eishro.domain.payments.statement_file import read_statement
from eishro.errors import Invalid
from eishro.flows.reconcile import own_accounts, reconcile_day, reconcile_listed
from eishro.flows.shop import Shop
from eishro.settings import Settings
from eishro.sheets import SheetUnreadable, read_sheet

ROWS_MAX = 100_000
_HEADERS = (
    "kind", "transaction", "reference", "payment", "order", "ours", "theirs", "proposal",
)  # fmt: skip


async def reconcile(
    settings: Settings,
    *,
    provider: str,
    day: date | None,
    form: Literal["table", "json", "csv"],
    statement: Path | None,
    account: str | None,
) -> int:
    """Print the reports; 1 where something differs."""
    async with open_shop(settings) as shop:
        await migrate.check(shop.db)
        asked = day or shop.clock.now().astimezone(TRIPOLI).date() - timedelta(days=1)
        if statement is None:
            reports = await _ask(shop, provider, asked)
        else:
            reports = await _import(shop, provider, asked, statement, account)
    print(_printed(reports, form), end="")
    return 1 if any(report.differences for report in reports) else 0


async def _ask(shop: Shop, name: str, day: date) -> list[Report]:
    accounts = await own_accounts(shop, name)
    if not accounts:
        raise ValueError(f"{name} is no gateway that anybody has credentials for")
    reports: list[Report] = []
    for number, provider in enumerate(accounts, 1):
        try:
            reports += await reconcile_day(shop, name, provider, day, _show)
        except ProviderBusy:
            print(
                f"eishro: account {number} of {len(accounts)} at {name} does not answer, or lists"
                " nothing by itself (--statement takes a file)",
                file=sys.stderr,
            )
            raise
    return reports


async def _import(
    shop: Shop, name: str, day: date, path: Path, account: str | None
) -> list[Report]:
    content = await asyncio.to_thread(path.read_bytes)
    try:
        rows = read_sheet(content, ROWS_MAX)
        listed = read_statement(rows, account or await _only_account(shop, name))
    except SheetUnreadable as error:
        raise ValueError(f"{path}: {error}") from error
    except Invalid as error:
        for where, words in error.faults.items():
            print(f"eishro: {path}: {where} {words.en}", file=sys.stderr)
        raise
    return await reconcile_listed(shop, name, listed, day, _show)


async def _only_account(shop: Shop, name: str) -> str:
    """The account that a statement is of, where money has come by no other."""
    known = await reconciling_sql.list_terminals(shop.db, name)
    if len(known) > 1:
        raise ValueError(f"--account says whose statement it is: {', '.join(known)}")
    return known[0] if known else name


def _show(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {whole} transactions", end="", file=sys.stderr, flush=True)


def _printed(reports: Sequence[Report], form: str) -> str:
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(reports)).decode() + "\n"
    rows = [_row(report, number) for report in reports for number in range(len(report.differences))]
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("provider", "terminal", "day", *_HEADERS))
        writer.writerows(rows)
        return text.getvalue()
    lines = [
        f"{report.provider} {report.terminal} {report.day}: {report.matched} agree, "
        f"{len(report.differences)} differ"
        for report in reports
    ] or ["nothing was listed"]
    lines += [
        f"  {row[3]:15} {row[4]:20} {row[5]:18} ours {row[8]:>12} theirs {row[9]:>12}  {row[10]}"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _row(report: Report, number: int) -> tuple[str, ...]:
    one = report.differences[number]
    return (
        report.provider,
        report.terminal,
        report.day.isoformat(),
        one.kind,
        one.provider_reference,
        one.reference or "",
        one.payment_id or "",
        one.order_id or "",
        _dinars(one.ours_dirhams),
        _dinars(one.theirs_dirhams),
        one.proposal,
    )


def _dinars(dirhams: int | None) -> str:
    return "-" if dirhams is None else f"{dirhams // 1000}.{dirhams % 1000:03d}"

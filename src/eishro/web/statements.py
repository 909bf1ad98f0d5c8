"""Bank statements: imported files and what became of each row."""

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.credit_file import read_credits
from eishro.domain.payments.statements import ROWS_MAX, Outcome, Statement, StatementRow
from eishro.errors import Invalid, Words
from eishro.flows.import_statement import (
    ImportedStatement,
    StatementFile,
    import_statement,
    preview_statement,
)
from eishro.sheets import SheetUnreadable, read_sheet
from eishro.web.forms import read_form
from eishro.web.routes import Call, Page, Reply
from eishro.web.wire import dinars, optional_dinars

_ABOVE_MAX = 50  # rows above the headers and money that left, beside those that came


class StatementForm(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What comes along with the file."""

    dry_run: bool = False


class StatementQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page of imports."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class BankStatementRowView(msgspec.Struct, frozen=True, rename="camel"):
    """One row that came and what became of it; `row` counts as in the file, from 1."""

    row: int
    outcome: Outcome
    text: str
    bank_reference: str
    amount: Decimal | None
    expected: Decimal | None
    date: str | None
    reference: str | None
    payment_id: str | None


class BankStatementView(msgspec.Struct, frozen=True, rename="camel"):
    """An imported file; `counts` are rows by outcome, the amount is that of matched rows."""

    id: str
    file_name: str
    rows_total: int
    counts: msgspec.Raw
    amount: Decimal
    created_by: str
    created_at: datetime
    updated_at: datetime


class ImportedBankStatementView(BankStatementView, frozen=True, rename="camel", kw_only=True):
    """The same with its rows, those that differ first."""

    dry_run: bool
    rows: list[BankStatementRowView]


async def import_file(call: Call) -> Reply:
    """Match a bank's statement with transfers; `dryRun` only tells what would happen."""
    upload, form = read_form(call, StatementForm)
    try:
        rows = read_credits(read_sheet(upload.content, 2 * ROWS_MAX + _ABOVE_MAX))
    except SheetUnreadable as error:
        words = Words(str(error), "تعذرت قراءة الملف كجدول CSV أو XLSX")
        raise Invalid({"file": words}) from error
    if len(rows) > ROWS_MAX:
        words = Words(f"has more than {ROWS_MAX} rows", f"يحتوي على أكثر من {ROWS_MAX} صف")
        raise Invalid({"file": words})
    file = StatementFile(
        store_id=call.store,
        name="".join(c for c in upload.name if c.isprintable()),
        hash=hashlib.sha256(upload.content).hexdigest(),
        rows=tuple(rows),
    )
    if form.dry_run:
        imported = await preview_statement(call.shop, file, call.actor)
        return Reply(_imported_view(imported), status=201)
    once = call.once(lambda made: Reply(_imported_view(made), status=201))
    return once.reply(await import_statement(call.shop, file, call.actor, once))


async def list_statements(call: Call, query: StatementQuery) -> Reply:
    """The store's imports, newest first."""
    found, total = await transfers.list_statements(
        call.shop.db, call.store, query.limit, (query.page - 1) * query.limit
    )
    views = [BankStatementView(**_members(one)) for one in found]
    return Reply(views, page=Page(query.page, query.limit, total))


async def read_statement(call: Call) -> Reply:
    """One import with every row."""
    found = await transfers.get_statement(call.shop.db, call.store, call.params["statement_id"])
    return Reply(_imported_view(ImportedStatement(found, found.rows_value())))


def _imported_view(imported: ImportedStatement) -> ImportedBankStatementView:
    rows = sorted(imported.rows, key=lambda row: (row.outcome == "matched", row.number))
    return ImportedBankStatementView(
        **_members(imported.statement),
        dry_run=imported.is_dry_run,
        rows=[_row_view(row) for row in rows],
    )


def _members(statement: Statement) -> dict[str, Any]:
    return {
        "id": statement.id,
        "file_name": statement.file_name,
        "rows_total": statement.rows_total,
        "counts": statement.counts,
        "amount": dinars(statement.amount_dirhams),
        "created_by": statement.created_by,
        "created_at": statement.created_at,
        "updated_at": statement.updated_at,
    }


def _row_view(row: StatementRow) -> BankStatementRowView:
    return BankStatementRowView(
        row=row.number,
        outcome=row.outcome,
        text=row.text,
        bank_reference=row.bank_reference,
        amount=optional_dinars(row.amount_dirhams),
        expected=optional_dinars(row.expected_dirhams),
        date=row.paid_on,
        reference=row.reference,
        payment_id=row.payment_id,
    )

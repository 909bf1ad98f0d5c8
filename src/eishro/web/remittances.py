"""What couriers hand over: their files, or rows as JSON, matched with what they collected."""

import hashlib
import re
from datetime import date as day_of
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from eishro.domain.shipping import remittances_sql as remittances
from eishro.domain.shipping.cod import Outcome, Remittance, RemittanceRow
from eishro.domain.shipping.remittance_file import (
    FAULTS_SHOWN,
    FEE_TOO_HIGH,
    NO_DATE,
    FileRow,
    read_rows,
)
from eishro.errors import Invalid, Words
from eishro.flows.import_remittance import (
    Imported,
    RemittanceFile,
    import_remittance,
    preview_remittance,
)
from eishro.sheets import SheetUnreadable, read_sheet
from eishro.web.forms import read_form
from eishro.web.routes import Call, Page, Reply
from eishro.web.shipments import CarrierName, TrackingNumber
from eishro.web.wire import Dinars, ShortText, WireType, dinars, optional_dinars

ROWS_SHOWN_MAX = 1_000  # in the answer of an import; the others are read from it later
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Day(WireType):
    """A day of the calendar."""

    __slots__ = ("day",)
    expected = NO_DATE
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "format": "date",
        "examples": ["2026-01-15"],
    }

    def __init__(self, day: str) -> None:
        self.day = day

    @classmethod
    def parse(cls, value: object) -> "Day":
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise ValueError(cls.expected.en)
        return cls(day_of.fromisoformat(value).isoformat())


class RemittanceForm(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What comes along with the file."""

    carrier: CarrierName
    dry_run: bool = False


class HandedOverBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One parcel's cash; `fee` is what the courier kept of the amount."""

    tracking_number: TrackingNumber
    amount: Dinars
    fee: Dinars | None = None
    date: Day | None = None


class RemittanceBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a courier hands over. `reference` is how you call it; the same rows with the same
    reference are the same remittance. `dryRun` only tells what would happen.
    """

    carrier: CarrierName
    rows: Annotated[list[HandedOverBody], Meta(min_length=1, max_length=remittances.ROWS_MAX)]
    reference: ShortText | None = None
    dry_run: bool = False


class RemittanceQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page of imports."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class RowView(msgspec.Struct, frozen=True, rename="camel"):
    """One row of a file and what became of it; `row` counts as in the file, from 1."""

    row: int
    tracking_number: str
    amount: Decimal
    fee: Decimal
    date: str | None
    outcome: Outcome
    expected: Decimal | None
    shipment_id: str | None


class RemittanceView(msgspec.Struct, frozen=True, rename="camel"):
    """An imported file; `counts` are rows by outcome, amounts those of matched rows."""

    id: str
    carrier: str
    file_name: str
    rows_total: int
    counts: msgspec.Raw
    amount: Decimal
    fee: Decimal
    net: Decimal
    created_by: str
    created_at: datetime
    updated_at: datetime


class ImportedView(RemittanceView, frozen=True, rename="camel", kw_only=True):
    """The same with its rows, those that differ first; an import's answer is cut at 1,000."""

    dry_run: bool
    rows: list[RowView]
    rows_left_out: int


async def import_file(call: Call) -> Reply:
    """Match a courier's file with what it collected; `dryRun` only tells what would happen."""
    upload, form = read_form(call, RemittanceForm)
    try:
        rows = read_rows(read_sheet(upload.content, remittances.ROWS_MAX + 1))
    except SheetUnreadable as error:
        words = Words(str(error), "تعذرت قراءة الملف كجدول CSV أو XLSX")
        raise Invalid({"file": words}) from error
    file = RemittanceFile(
        store_id=call.store,
        carrier=form.carrier.key,
        name="".join(c for c in upload.name if c.isprintable()),
        hash=hashlib.sha256(upload.content).hexdigest(),
        rows=tuple(rows),
    )
    return await _import(call, file, is_dry_run=form.dry_run)


async def record_rows(call: Call, body: RemittanceBody) -> Reply:
    """Match rows that somebody types or a program sends, as those of a file."""
    rows = _rows(body)
    hashed = msgspec.json.encode(("rows", body.reference, rows))
    file = RemittanceFile(
        store_id=call.store,
        carrier=body.carrier.key,
        name=body.reference or "",
        hash=hashlib.sha256(hashed).hexdigest(),
        rows=rows,
    )
    return await _import(call, file, is_dry_run=body.dry_run)


async def _import(call: Call, file: RemittanceFile, *, is_dry_run: bool) -> Reply:
    if is_dry_run:
        imported = await preview_remittance(call.shop, file, call.actor)
        return Reply(_imported_view(imported), status=201)
    once = call.once(lambda made: Reply(_imported_view(made), status=201))
    return once.reply(await import_remittance(call.shop, file, call.actor, once))


def _rows(body: RemittanceBody) -> tuple[FileRow, ...]:
    """The rows as a file would have them, counted from 1.

    Raises:
        Invalid: a fee of more than its amount.
    """
    rows = tuple(
        FileRow(
            number,
            row.tracking_number.number,
            row.amount.dirhams,
            row.fee.dirhams if row.fee else 0,
            row.date.day if row.date else None,
        )
        for number, row in enumerate(body.rows, 1)
    )
    dear = [row.number - 1 for row in rows if row.fee_dirhams > row.amount_dirhams]
    if dear:
        raise Invalid({f"rows[{place}].fee": FEE_TOO_HIGH for place in dear[:FAULTS_SHOWN]})
    return rows


async def list_remittances(call: Call, query: RemittanceQuery) -> Reply:
    """The store's imports, newest first."""
    offset = (query.page - 1) * query.limit
    found = await remittances.list_remittances(call.shop.db, call.store, query.limit, offset)
    total = await remittances.count_remittances(call.shop.db, call.store)
    views = [RemittanceView(**_members(r)) for r in found]
    return Reply(views, page=Page(query.page, query.limit, total))


async def read_remittance(call: Call) -> Reply:
    """One import with every row."""
    db, remittance_id = call.shop.db, call.params["remittance_id"]
    found = await remittances.get_remittance(db, call.store, remittance_id)
    rows = await remittances.list_rows(db, call.store, remittance_id)
    return Reply(_imported_view(Imported(found, tuple(rows)), remittances.ROWS_MAX))


def _imported_view(imported: Imported, rows_max: int = ROWS_SHOWN_MAX) -> ImportedView:
    rows = sorted(imported.rows, key=lambda row: (row.outcome == "matched", row.number))
    return ImportedView(
        **_members(imported.remittance),
        dry_run=imported.is_dry_run,
        rows=[_row_view(row) for row in rows[:rows_max]],
        rows_left_out=max(0, len(rows) - rows_max),
    )


def _members(remittance: Remittance) -> dict[str, Any]:
    return {
        "id": remittance.id,
        "carrier": remittance.carrier,
        "file_name": remittance.file_name,
        "rows_total": remittance.rows_total,
        "counts": remittance.counts,
        "amount": dinars(remittance.amount_dirhams),
        "fee": dinars(remittance.fee_dirhams),
        "net": dinars(remittance.amount_dirhams - remittance.fee_dirhams),
        "created_by": remittance.created_by,
        "created_at": remittance.created_at,
        "updated_at": remittance.updated_at,
    }


def _row_view(row: RemittanceRow) -> RowView:
    return RowView(
        row.number,
        row.tracking_number,
        dinars(row.amount_dirhams),
        dinars(row.fee_dirhams),
        row.paid_on,
        row.outcome,
        optional_dinars(row.expected_dirhams),
        row.shipment_id,
    )

"""Import a bank's statement: each row that came is matched by our reference and the exact amount.

A row that fits pays its order, another amount for a known reference goes to suspense; both through
`verify_transfer`, one by one, where the bank's reference counts once. What cannot be placed is
flagged and books nothing. The same file again, also after a crash, does the rest and nothing twice.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.credit_file import CreditRow
from eishro.domain.payments.model import SETTLED, Payment
from eishro.domain.payments.port import Receipt
from eishro.domain.payments.statements import BOOKED, Outcome, Statement, StatementRow
from eishro.domain.payments.transfers import BankReferenceUsed
from eishro.flows.pay_order import why_stranded
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.flows.verify_transfer import Came, account_of, is_booked, verify_transfer
from eishro.ids import text_id

ROWS_AT_ONCE = 100  # whose references are looked up together


class StatementFile(msgspec.Struct, frozen=True, kw_only=True):
    """A bank's file as it was read; the hash is of its bytes."""

    store_id: int
    name: str
    hash: str
    rows: tuple[CreditRow, ...]


class ImportedStatement(msgspec.Struct, frozen=True):
    """The import with every row; a dry run's is kept nowhere."""

    statement: Statement
    rows: tuple[StatementRow, ...]
    is_dry_run: bool = False


class _Fits(msgspec.Struct, frozen=True):
    """A row that is to be booked for a payment."""

    row: StatementRow
    payment: Payment
    came: Came


async def preview_statement(shop: Shop, file: StatementFile, actor: Actor) -> ImportedStatement:
    """What an import would do now; nothing is changed."""
    rows: list[StatementRow] = []
    kept = await _kept(shop, file)
    seen: set[tuple[str, str]] = set()
    for part in _parts(file.rows):
        for one in await _judge(shop, file.store_id, part, kept, seen):
            rows.append(one.row if isinstance(one, _Fits) else one)
    at = shop.clock.now()
    return ImportedStatement(_new(file, rows, actor, at), tuple(rows), is_dry_run=True)


@again_if_stale
async def import_statement(
    shop: Shop, file: StatementFile, actor: Actor, once: Once
) -> ImportedStatement:
    """Book every row that fits and flag the others.

    Raises:
        idempotency.AlreadyClaimed
    """
    rows: list[StatementRow] = []
    known = await transfers.find_statement_by_hash(shop.db, file.store_id, file.hash)
    kept = await _kept(shop, file)
    seen: set[tuple[str, str]] = set()
    for part in _parts(file.rows):
        # Judged and booked row by row: what one has paid is known to the next.
        for row in part:
            (one,) = await _judge(shop, file.store_id, [row], kept, seen)
            rows.append(await _book(shop, one, actor) if isinstance(one, _Fits) else one)
    at = shop.clock.now()
    statement = _new(file, rows, actor, at)
    if known is not None:
        statement = msgspec.structs.replace(
            statement, id=known.id, created_by=known.created_by, created_at=known.created_at
        )
    imported = ImportedStatement(statement, tuple(rows))
    batch = Batch(*once.claim(imported))
    if known is None:
        batch.add(transfers.insert_statement(statement))
    else:
        batch.add(transfers.save_statement(statement, seen=known))
    batch.add(
        audit.record(
            actor,
            "payment.statement_imported",
            statement.id,
            at,
            store_id=file.store_id,
            rows=len(rows),
            dirhams=statement.amount_dirhams,
        )
    )
    await shop.db.commit(batch)
    return imported


async def _kept(shop: Shop, file: StatementFile) -> dict[int, StatementRow]:
    """What a former import of the same file has booked."""
    known = await transfers.find_statement_by_hash(shop.db, file.store_id, file.hash)
    rows = known.rows_value() if known is not None else ()
    return {row.number: row for row in rows if row.outcome in BOOKED}


def _parts(rows: Sequence[CreditRow]) -> list[Sequence[CreditRow]]:
    return [rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE)]


def _new(
    file: StatementFile, rows: Sequence[StatementRow], actor: Actor, at: datetime
) -> Statement:
    counts = Counter(row.outcome for row in rows)
    return Statement(
        id=text_id("sta", at),
        store_id=file.store_id,
        file_name=file.name,
        file_hash=file.hash,
        rows_total=len(rows),
        counts=msgspec.Raw(msgspec.json.encode(counts, order="sorted")),
        amount_dirhams=sum(r.amount_dirhams or 0 for r in rows if r.outcome == "matched"),
        rows=msgspec.Raw(msgspec.json.encode(rows)),
        created_by=actor.name,
        created_at=at,
        updated_at=at,
        version=1,
    )


async def _judge(
    shop: Shop,
    store_id: int,
    part: Sequence[CreditRow],
    kept: dict[int, StatementRow],
    seen: set[tuple[str, str]],
) -> list[StatementRow | _Fits]:
    """What becomes of each row.

    Args:
        seen: accounts and bank references of rows above; these rows' are added.
    """
    references = sorted({reference for row in part for reference in row.references})
    found = await transfers.find_by_references(shop.db, store_id, references) if references else {}
    judged: list[StatementRow | _Fits] = []
    for row in part:
        payments_named = [found[name] for name in row.references if name in found]
        plain = _plain(row, payments_named)
        if row.number in kept:
            if payments_named:
                account = await account_of(shop, payments_named[0])
                seen.add((account, row.bank_reference))
            judged.append(kept[row.number])
        elif plain.outcome != "matched" or row.amount_dirhams is None:
            judged.append(plain)
        else:
            judged.append(await _placed(shop, row.amount_dirhams, plain, payments_named[0], seen))
    return judged


def _plain(row: CreditRow, named: Sequence[Payment]) -> StatementRow:
    """The row with what can be said of it without looking further; `matched` if it may fit."""
    outcome: Outcome = "matched"
    if row.amount_dirhams is None:
        outcome = "no_amount"
    elif not row.references:
        outcome = "no_reference"
    elif not named:
        outcome = "unknown_reference"
    elif len(named) > 1:
        outcome = "several_references"
    elif not row.bank_reference:
        outcome = "no_bank_reference"
    only = named[0] if len(named) == 1 else None
    return StatementRow(
        number=row.number,
        outcome=outcome,
        text=row.text,
        bank_reference=row.bank_reference,
        amount_dirhams=row.amount_dirhams,
        expected_dirhams=only.amount_dirhams if only else None,
        paid_on=row.paid_on,
        reference=only.reference if only else None,
        payment_id=only.id if only else None,
    )


async def _placed(
    shop: Shop, dirhams: int, row: StatementRow, payment: Payment, seen: set[tuple[str, str]]
) -> StatementRow | _Fits:
    """A row that names one payment: what it does there."""

    def told(outcome: Outcome) -> StatementRow:
        return msgspec.structs.replace(row, outcome=outcome)

    account = await account_of(shop, payment)
    key = (account, row.bank_reference)
    if key in seen:
        return told("duplicate_row")
    seen.add(key)
    came = Came(amount_dirhams=dirhams, bank_reference=row.bank_reference, paid_on=row.paid_on)
    try:
        if await is_booked(shop, payment, account, came):
            return told("already_booked")
    except BankReferenceUsed:
        return told("reference_used")
    if payment.status in SETTLED and dirhams == payment.amount_dirhams:
        # Most likely somebody verified this very transfer with another of its numbers.
        return told("other_bank_reference")
    order = await orders.get_order(shop.db, payment.order_id)
    receipt = Receipt(
        provider_reference=row.bank_reference,
        terminal=account,
        amount_dirhams=dirhams,
        currency="LYD",
    )
    return _Fits(told(_named(why_stranded(order, payment, receipt))), payment, came)


def _named(reason: str | None) -> Outcome:
    if reason is None:
        return "matched"
    outcome: Outcome = msgspec.convert(reason, Outcome)
    return outcome


async def _book(shop: Shop, one: _Fits, actor: Actor) -> StatementRow:
    """Book the row; it says what truly became of the money."""
    payment = one.payment
    with contextlib.suppress(BankReferenceUsed):
        await verify_transfer(shop, payment.store_id, payment.id, one.came, actor)
        for receipt in await payments.list_receipts(shop.db, payment.id):
            if receipt.provider_reference == one.came.bank_reference:
                return msgspec.structs.replace(one.row, outcome=_named(receipt.reason))
    return msgspec.structs.replace(one.row, outcome="reference_used")

"""Import what a courier says it hands over: each row is matched by tracking number and amount.

A row that fits moves its cash from the courier to the merchant; any other is flagged and moves
nothing. The rows are worked off in batches, each guarded by the import's version, so that a file
sent twice, or again after a crash, does the rest and nothing twice. Read and decided on: the
shipments of these numbers, their collections (guarded by their versions).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.ledger import sql as ledger
from eishro.domain.shipping import cod, cod_sql
from eishro.domain.shipping import remittances_sql as remittances
from eishro.domain.shipping import shipments_sql as shipments
from eishro.domain.shipping.cod import Case, Collection, Outcome, Remittance, RemittanceRow
from eishro.domain.shipping.remittance_file import FileRow
from eishro.domain.shipping.shipments import Shipment
from eishro.flows.shop import SYSTEM, Once, Shop, again_if_stale
from eishro.ids import text_id

ROWS_AT_ONCE = 100  # in one batch


class RemittanceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A courier's file as it was read; the hash is of its bytes."""

    store_id: int
    carrier: str
    name: str
    hash: str
    rows: tuple[FileRow, ...]


class Imported(msgspec.Struct, frozen=True):
    """The import with every row of the file; a dry run's is kept nowhere."""

    remittance: Remittance
    rows: tuple[RemittanceRow, ...]
    is_dry_run: bool = False


class _Judged(msgspec.Struct, frozen=True):
    """A row with what it is about."""

    row: RemittanceRow
    collection: Collection | None = None
    late: Case | None = None


async def preview_remittance(shop: Shop, file: RemittanceFile, actor: Actor) -> Imported:
    """What an import would do now; nothing is changed."""
    at = shop.clock.now()
    known = await _find(shop, file)
    remittance = known or _new(file, actor, at)
    kept = await _kept(shop, known)
    rows: dict[int, RemittanceRow] = {}
    paid: set[str] = set()
    for part in _parts(file.rows):
        judged = await _judge(shop, remittance, file, part, kept, paid)
        rows.update((one.row.number, one.row) for one in judged)
    return Imported(_counted(remittance, rows, at), tuple(rows.values()), is_dry_run=True)


@again_if_stale
async def import_remittance(shop: Shop, file: RemittanceFile, actor: Actor, once: Once) -> Imported:
    """Book every row that fits and flag the others; the same file again changes nothing."""
    known = await _find(shop, file)
    at = shop.clock.now()
    seen, rows = known, await _kept(shop, known)
    kept, paid = dict(rows), set[str]()
    remittance = known or _new(file, actor, at)
    parts = _parts(file.rows)
    for number, part in enumerate(parts, 1):
        judged = await _judge(shop, remittance, file, part, kept, paid)
        fresh = [one for one in judged if kept.get(one.row.number) != one.row]
        rows.update((one.row.number, one.row) for one in judged)
        before, remittance = remittance, _counted(remittance, rows, at)
        whole = Imported(
            remittance, tuple(rows[row.number] for row in file.rows if row.number in rows)
        )
        batch = Batch(*(once.claim(whole) if number == len(parts) else ()))
        if fresh or seen is None:
            batch.add(*_saved(remittance, before, seen, actor, at))
            for one in fresh:
                batch.add(*_applied(remittance, one, at))
            batch.add(remittances.put_rows([one.row for one in fresh]))
            seen = remittance = msgspec.structs.replace(
                remittance, version=(seen.version + 1) if seen else 1
            )
        if len(batch):
            await shop.db.commit(batch)
    return whole


async def _find(shop: Shop, file: RemittanceFile) -> Remittance | None:
    return await remittances.find_by_hash(shop.db, file.store_id, file.carrier, file.hash)


async def _kept(shop: Shop, known: Remittance | None) -> dict[int, RemittanceRow]:
    if known is None:
        return {}
    rows = await remittances.list_rows(shop.db, known.store_id, known.id)
    return {row.number: row for row in rows}


def _parts(rows: Sequence[FileRow]) -> list[Sequence[FileRow]]:
    return [rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE)]


def _new(file: RemittanceFile, actor: Actor, at: datetime) -> Remittance:
    return Remittance(
        id=text_id("rem", at),
        store_id=file.store_id,
        carrier=file.carrier,
        file_name=file.name,
        file_hash=file.hash,
        rows_total=len(file.rows),
        counts=msgspec.Raw(b"{}"),
        amount_dirhams=0,
        fee_dirhams=0,
        created_by=actor.name,
        created_at=at,
        updated_at=at,
        version=1,
    )


def _counted(remittance: Remittance, rows: dict[int, RemittanceRow], at: datetime) -> Remittance:
    """The import with its rows by outcome, and the cash of those that fit."""
    counts = Counter(row.outcome for row in rows.values())
    fits = [row for row in rows.values() if row.outcome == "matched"]
    return msgspec.structs.replace(
        remittance,
        counts=msgspec.Raw(msgspec.json.encode(counts, order="sorted")),
        amount_dirhams=sum(row.amount_dirhams for row in fits),
        fee_dirhams=sum(row.fee_dirhams for row in fits),
        updated_at=at,
    )


async def _judge(
    shop: Shop,
    remittance: Remittance,
    file: RemittanceFile,
    part: Sequence[FileRow],
    kept: dict[int, RemittanceRow],
    paid: set[str],
) -> list[_Judged]:
    """What becomes of each row; one that was booked by this import stays booked.

    Args:
        paid: numbers and collections that rows above have named; these rows' are added.
    """
    numbers = sorted({row.tracking_number for row in part})
    found = await shipments.find_by_tracking(shop.db, file.store_id, file.carrier, numbers)
    cash: dict[str, list[Collection]] = {}
    order_ids = sorted({shipment.order_id for shipment in found.values()})
    late = {
        case.collection_id: case
        for case in await cod_sql.list_open_cases(shop.db, order_ids)
        if case.kind == "late"
    }
    for known in await cod_sql.list_collections(shop.db, order_ids):
        cash.setdefault(known.order_id, []).append(known)
    judged = []
    for row in part:
        shipment = found.get(row.tracking_number)
        collection = _cash_of(shipment, cash) if shipment else None
        outcome = _outcome(row, shipment, collection, paid)
        former = kept.get(row.number)
        if former is not None and former.outcome in ("matched", "duplicate_row"):
            paid.add(row.tracking_number)
            judged.append(_Judged(former))
            continue
        paid.add(row.tracking_number)
        if collection is not None and outcome == "matched":
            paid.add(collection.id)
        made = RemittanceRow(
            remittance_id=remittance.id,
            number=row.number,
            store_id=file.store_id,
            tracking_number=row.tracking_number,
            amount_dirhams=row.amount_dirhams,
            fee_dirhams=row.fee_dirhams,
            paid_on=row.paid_on,
            outcome=outcome,
            expected_dirhams=_expected(shipment, collection),
            shipment_id=shipment.id if shipment else None,
        )
        said = late.get(collection.id) if collection is not None else None
        judged.append(_Judged(made, collection, said))
    return judged


def _cash_of(shipment: Shipment, cash: dict[str, list[Collection]]) -> Collection | None:
    """The parcel's collection, or its order's as a whole."""
    found = {c.shipment_id: c for c in cash.get(shipment.order_id, [])}
    return found.get(shipment.id) or found.get(None)


def _expected(shipment: Shipment | None, collection: Collection | None) -> int | None:
    if collection is not None:
        return collection.amount_dirhams
    return shipment.cod_dirhams if shipment is not None else None


def _outcome(
    row: FileRow, shipment: Shipment | None, collection: Collection | None, paid: set[str]
) -> Outcome:
    if row.tracking_number in paid:
        return "duplicate_row"
    if shipment is None:
        return "unknown_tracking"
    if collection is None:
        return "not_collected" if shipment.may_collect else "order_cancelled"
    if collection.state != "collected" or collection.id in paid:
        return "already_remitted"
    if row.amount_dirhams != collection.amount_dirhams:
        return "amount_differs"
    return "matched"


def _saved(
    after: Remittance, before: Remittance, seen: Remittance | None, actor: Actor, at: datetime
) -> list[Statement]:
    """The import's own row; told to the trail with each of its batches."""
    told = audit.record(
        actor,
        "cod.remittance_imported",
        after.id,
        at,
        store_id=after.store_id,
        carrier=after.carrier,
        dirhams=after.amount_dirhams - before.amount_dirhams,
    )
    if seen is None:
        published = outbox.publish("cod.remitted", after.id, at, store_id=after.store_id)
        return [remittances.insert_remittance(after), published, told]
    return [remittances.save_remittance(after, seen=seen), told]


def _applied(remittance: Remittance, one: _Judged, at: datetime) -> list[Statement]:
    row, before = one.row, one.collection
    if before is None:
        return []
    if row.outcome == "amount_differs":
        case = _case(remittance, row, before, at)
        return [cod_sql.insert_case(case)]
    if row.outcome != "matched":
        return []
    after = msgspec.structs.replace(
        before,
        state="remitted",
        fee_dirhams=row.fee_dirhams,
        remitted_at=at,
        remittance_id=remittance.id,
    )
    entries = cod.remitted(
        before.carrier, before.amount_dirhams, row.amount_dirhams, row.fee_dirhams
    )
    return [
        *_came(one.late, at),
        cod_sql.save_collection(after, seen=before),
        ledger.post(row.store_id, "cod.remitted", at, entries, order_id=before.order_id),
    ]


def _came(late: Case | None, at: datetime) -> list[Statement]:
    """What was late has come."""
    if late is None:
        return []
    return [cod_sql.save_case(cod.closed(late, "dismiss", SYSTEM.name, None, at), seen=late)]


def _case(remittance: Remittance, row: RemittanceRow, collection: Collection, at: datetime) -> Case:
    return Case(
        id=text_id("cas", at),
        store_id=row.store_id,
        order_id=collection.order_id,
        shipment_id=row.shipment_id,
        collection_id=collection.id,
        remittance_id=remittance.id,
        carrier=collection.carrier,
        kind=cod.kind_of(row.amount_dirhams, collection.amount_dirhams, "remittance"),
        stage="remittance",
        state="open",
        expected_dirhams=collection.amount_dirhams,
        amount_dirhams=row.amount_dirhams,
        fee_dirhams=row.fee_dirhams,
        happened_at=at,
        resolution=None,
        note=None,
        created_at=at,
        resolved_at=None,
        resolved_by=None,
        version=1,
    )

"""The chain over the audit trail, one for each store: a seal covers its record and the seal
before it, so a record that is edited, removed or moved breaks every seal from there on.

Records enter with the change they describe, in any order; a background step seals them seconds
later, and the order of sealing is the order of the chain. A seal is a keyed hash (the keyring's),
so whoever can only write the database cannot make a new chain.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.audit import Record, audit_records
from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Id, Int, Moment, Text
from eishro.errors import Stale
from eishro.keyring import Keyring

PLATFORM_CHAIN = 0  # of records that belong to no store
BATCH_MAX = 50  # records sealed together; more would hold up requests
SEALS_IN_A_TURN = 10  # of the event loop: half a millisecond
PAGE = 1_000  # records looked at together when a chain is examined
_PURPOSE = "audit-seal"

audit_seals = table(
    "audit_seals",
    sa.Column("store_id", Int, primary_key=True, autoincrement=False),
    sa.Column("number", Int, primary_key=True, autoincrement=False),
    sa.Column("record_id", Id, nullable=False, unique=True),
    sa.Column("hash", Text, nullable=False),
    sa.Column("sealed_at", Moment, nullable=False),
    with_rowid=False,
)


class Seal(msgspec.Struct, frozen=True):
    """Number `number` of a store's chain; `hash` names the key it was made with."""

    store_id: int
    number: int
    record_id: str
    hash: str
    sealed_at: datetime


_RECORD_COLUMNS = columns_of(audit_records, Record)
_NEWEST = Query(
    sa.select(audit_seals.c.record_id).order_by(audit_seals.c.record_id.desc()).limit(1),
    str,
    across_stores=True,
)
_IS_UNSEALED = ~(
    sa.select(sa.literal(1, Int))
    .where(audit_seals.c.record_id == audit_records.c.id)
    .correlate(audit_records)
    .exists()
)
_WAITING = Query(
    sa.select(*_RECORD_COLUMNS)
    .where(
        audit_records.c.id > sa.bindparam("after"),
        audit_records.c.at < sa.bindparam("before"),
        _IS_UNSEALED,
    )
    .order_by(audit_records.c.id)
    .limit(sa.bindparam("limit")),
    Record,
    across_stores=True,
)
_HEAD = Query(
    sa.select(*columns_of(audit_seals, Seal))
    .where(audit_seals.c.store_id == sa.bindparam("store_id"))
    .order_by(audit_seals.c.number.desc())
    .limit(1),
    Seal,
)
_SEALED = Query(
    sa.select(
        *columns_of(audit_seals, Seal),
        *(audit_records.c[name] for name in Record.__struct_fields__),
    )
    .select_from(
        audit_seals.outerjoin(audit_records, audit_records.c.id == audit_seals.c.record_id)
    )
    .where(
        sa.or_(
            audit_seals.c.store_id > sa.bindparam("chain"),
            sa.and_(
                audit_seals.c.store_id == sa.bindparam("chain"),
                audit_seals.c.number > sa.bindparam("number"),
            ),
        )
    )
    .order_by(audit_seals.c.store_id, audit_seals.c.number)
    .limit(sa.literal(PAGE, Int)),
    lambda *row: (Seal(*row[:5]), row[5:]),
    across_stores=True,
)
_TAIL = Query(
    sa.select(sa.func.count(), sa.func.min(audit_records.c.at)).where(_IS_UNSEALED),
    lambda count, oldest: (count, oldest),
    across_stores=True,
)
_INSERT = Write(insert_once(audit_seals))


async def find_newest_sealed(db: Database) -> str:
    """The latest record id that is sealed; empty before the first."""
    return await db.one(_NEWEST) or ""


async def list_unsealed(
    db: Database, *, after: str, before: datetime, limit: int = BATCH_MAX
) -> list[Record]:
    """Records with ids above `after`, older than `before`, that no seal covers; oldest first."""
    return await db.all(_WAITING, after=after, before=before, limit=limit)


async def seal_all(
    db: Database, keyring: Keyring, records: Sequence[Record], at: datetime
) -> Statement:
    """The next seals of the records' chains; `Stale` if another sealer was faster."""
    heads: dict[int, Seal] = {}
    seals = []
    for done, record in enumerate(records, 1):
        if done % SEALS_IN_A_TURN == 0:
            await asyncio.sleep(0)
        chain = chain_of(record)
        head = heads.get(chain)
        if head is None:
            head = await db.one(_HEAD, store_id=chain)
        number = head.number + 1 if head else 1
        text = sealed_text(chain, number, head.hash if head else "", record)
        seal = Seal(chain, number, record.id, keyring.sign(_PURPOSE, text), at)
        heads[chain] = seal
        seals.append(seal)
    return _INSERT.each([values_of(seal) for seal in seals]).guarded(Stale())


async def find_breaks(db: Database, keyring: Keyring, limit: int) -> list[str]:
    """What is wrong with the chains, one sentence each, at most `limit`."""
    breaks: list[str] = []
    chain, number, previous = -1, 0, ""
    while len(breaks) < limit:
        page = await db.all(_SEALED, chain=chain, number=number)
        for seal, row in page:
            if seal.store_id != chain:
                chain, number, previous = seal.store_id, 0, ""
            where = f"audit chain of store {chain}, number {seal.number}"
            record = Record(*row) if row[0] is not None else None
            if seal.number != number + 1:
                breaks.append(f"{where}: {seal.number - number - 1} seals are missing before it")
            if record is None:
                breaks.append(f"{where}: the record {seal.record_id} was deleted")
            elif not keyring.knows_key_of(_PURPOSE, seal.hash):
                breaks.append(f"{where}: sealed with a key that EISHRO_SECRET_KEYS lacks")
            elif chain_of(record) != chain or not keyring.verify(
                _PURPOSE, sealed_text(chain, seal.number, previous, record), seal.hash
            ):
                breaks.append(f"{where}: the record {seal.record_id} was changed or moved")
            number, previous = seal.number, seal.hash
        if len(page) < PAGE:
            break
    return breaks[:limit]


async def find_tail(db: Database) -> tuple[int, datetime | None]:
    """How many records are not sealed yet, and when the oldest of them was written."""
    found = await db.one(_TAIL)
    return found or (0, None)


def chain_of(record: Record) -> int:
    """The chain a record belongs to."""
    return PLATFORM_CHAIN if record.store_id is None else record.store_id


def sealed_text(chain: int, number: int, previous: str, record: Record) -> str:
    """What a seal covers: its place, the seal before it, and every field of the record."""
    fields = msgspec.json.encode(
        [
            record.id,
            record.store_id,
            record.actor,
            record.action,
            record.subject_id,
            bytes(record.changes).decode(),
            record.request_id,
            record.address,
            record.at,
        ]
    )
    return f"{chain} {number} {previous} {hashlib.sha256(fields).hexdigest()}"

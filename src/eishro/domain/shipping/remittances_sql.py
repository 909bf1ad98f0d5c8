"""Tables and statements of couriers' remittance files."""

from collections.abc import Sequence

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.pages import Pages
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, upsert
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.shipping.cod import Remittance, RemittanceNotFound, RemittanceRow
from eishro.errors import Stale

ROWS_MAX = 5_000  # of one file

cod_remittances = table(
    "cod_remittances",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("carrier", Text, nullable=False),
    sa.Column("file_name", Text, nullable=False),
    sa.Column("file_hash", Text, nullable=False),
    sa.Column("rows_total", Int, nullable=False),
    sa.Column("counts", Json, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("fee_dirhams", Int, nullable=False),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.UniqueConstraint("store_id", "carrier", "file_hash"),
    with_rowid=False,
)

cod_remittance_rows = table(
    "cod_remittance_rows",
    sa.Column("remittance_id", Id, primary_key=True),
    sa.Column("number", Int, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("tracking_number", Text, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("fee_dirhams", Int, nullable=False),
    sa.Column("paid_on", Text),
    sa.Column("outcome", Text, nullable=False),
    sa.Column("expected_dirhams", Int),
    sa.Column("shipment_id", Id),
    sa.ForeignKeyConstraint(
        ["store_id", "remittance_id"], ["cod_remittances.store_id", "cod_remittances.id"]
    ),
    with_rowid=False,
)

_COLUMNS = columns_of(cod_remittances, Remittance)
_OURS = cod_remittances.c.store_id == sa.bindparam("store_id")
_BY_ID = Query(
    sa.select(*_COLUMNS).where(_OURS, cod_remittances.c.id == sa.bindparam("id")), Remittance
)
_BY_HASH = Query(
    sa.select(*_COLUMNS).where(
        _OURS,
        cod_remittances.c.carrier == sa.bindparam("carrier"),
        cod_remittances.c.file_hash == sa.bindparam("file_hash"),
    ),
    Remittance,
)
_OF_STORE = Pages(
    sa.select(*_COLUMNS).where(_OURS), Remittance, order_by=(cod_remittances.c.id.desc(),)
)
_ROWS = Query(
    sa.select(*columns_of(cod_remittance_rows, RemittanceRow))
    .where(
        cod_remittance_rows.c.store_id == sa.bindparam("store_id"),
        cod_remittance_rows.c.remittance_id == sa.bindparam("id"),
    )
    .order_by(cod_remittance_rows.c.number)
    .limit(ROWS_MAX),
    RemittanceRow,
)
_INSERT = Write(sa.insert(cod_remittances))
_SAVE = Write(save_by_version(cod_remittances, Remittance, ("store_id", "id")))
_PUT_ROW = Write(upsert(cod_remittance_rows))


async def get_remittance(db: Database, store_id: int, remittance_id: str) -> Remittance:
    """The import, or `RemittanceNotFound`."""
    found = await db.one(_BY_ID, store_id=store_id, id=remittance_id)
    if found is None:
        raise RemittanceNotFound()
    return found


async def find_by_hash(
    db: Database, store_id: int, carrier: str, file_hash: str
) -> Remittance | None:
    """The former import of the same file, if any."""
    return await db.one(_BY_HASH, store_id=store_id, carrier=carrier, file_hash=file_hash)


async def list_remittances(
    db: Database, store_id: int, limit: int, offset: int
) -> list[Remittance]:
    """A page of the store's imports, newest first."""
    return await _OF_STORE.list_(db, limit, offset, store_id=store_id)


async def count_remittances(db: Database, store_id: int) -> int:
    """How many there are over all pages."""
    return await _OF_STORE.count(db, store_id=store_id)


async def list_rows(db: Database, store_id: int, remittance_id: str) -> list[RemittanceRow]:
    """The rows that were worked off, in the file's order."""
    return await db.all(_ROWS, store_id=store_id, id=remittance_id)


def insert_remittance(remittance: Remittance) -> Statement:
    """A new import; `Stale` if the same file came a moment ago."""
    return _INSERT(**values_of(remittance)).guarded(Stale())


def save_remittance(remittance: Remittance, seen: Remittance) -> Statement:
    """Replace `seen`, or `Stale`."""
    return _SAVE(**saving(remittance, seen, ("store_id", "id"))).guarded(Stale())


def put_rows(rows: Sequence[RemittanceRow]) -> Statement:
    """Keep what became of these rows, in place of what was kept of them before."""
    return _PUT_ROW.each([values_of(row) for row in rows])

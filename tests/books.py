"""What the ledger says, for tests."""

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries


class _Balance(msgspec.Struct, frozen=True):
    account: str
    dirhams: int


_SUMS = sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams)).group_by(
    ledger_entries.c.account
)
_OF_ORDER = Query(
    _SUMS.where(ledger_entries.c.order_id == sa.bindparam("order_id")),
    _Balance,
    across_stores=True,
)
_OF_STORE = Query(_SUMS.where(ledger_entries.c.store_id == sa.bindparam("store_id")), _Balance)


async def balances_of_order(db: Database, order_id: str) -> dict[str, int]:
    """Dirhams by account, without those at zero."""
    found = await db.all(_OF_ORDER, order_id=order_id)
    return {b.account: int(b.dirhams) for b in found if b.dirhams}


async def balances_of_store(db: Database, store_id: int) -> dict[str, int]:
    """The same for a store."""
    found = await db.all(_OF_STORE, store_id=store_id)
    return {b.account: int(b.dirhams) for b in found if b.dirhams}

"""What `eishro doctor` asks about parcels and cash on delivery."""

from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders.sql import order_lines, orders
from eishro.domain.shipping.cod_sql import cod_collections
from eishro.domain.shipping.shipments_sql import shipment_lines, shipments

SHOWN_MAX = 20
# Money that takes from what a buyer owes, but for cash; too much of it goes back.
BRINGING = ("payment.received", "suspense.applied", "exchange.applied", "order.overpaid")
# The same with cash of a courier, and goods that came back.
SETTLING = (*BRINGING, "cod.collected", "order.returned")


class _Held(msgspec.Struct, frozen=True):
    """Cash of one store in one courier's hands."""

    store_id: int
    account: str
    dirhams: int


_SETTLED = (
    sa.select(
        ledger_entries.c.order_id,
        sa.func.sum(ledger_entries.c.dirhams).label("dirhams"),
    )
    .where(
        ledger_entries.c.account == "receivable",
        sa.or_(*(ledger_entries.c.reason == reason for reason in SETTLING)),
    )
    .group_by(ledger_entries.c.order_id)
    .subquery()
)
_SETTLED_TOO_MUCH = Query(
    sa.select(orders.c.id)
    .select_from(orders.join(_SETTLED, _SETTLED.c.order_id == orders.c.id))
    .where(-_SETTLED.c.dirhams > orders.c.total_dirhams)
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
_LEFT = (
    sa.select(
        shipments.c.order_id,
        shipment_lines.c.position,
        sa.func.sum(shipment_lines.c.quantity).label("quantity"),
    )
    .select_from(
        shipments.join(
            shipment_lines,
            sa.and_(
                shipment_lines.c.store_id == shipments.c.store_id,
                shipment_lines.c.shipment_id == shipments.c.id,
            ),
        )
    )
    .where(shipments.c.status != "cancelled")
    .group_by(shipments.c.order_id, shipment_lines.c.position)
    .subquery()
)
_SHIPPED_TOO_MUCH = Query(
    sa.select(_LEFT.c.order_id)
    .select_from(
        _LEFT.outerjoin(
            order_lines,
            sa.and_(
                order_lines.c.order_id == _LEFT.c.order_id,
                order_lines.c.position == _LEFT.c.position,
            ),
        )
    )
    .where(_LEFT.c.quantity > sa.func.coalesce(order_lines.c.quantity, 0))
    .limit(SHOWN_MAX),
    str,
    across_stores=True,
)
# Cash in couriers' hands, as the books say and as the collections say.
_COURIERS = Query(
    sa.select(
        ledger_entries.c.store_id,
        ledger_entries.c.account,
        sa.func.sum(ledger_entries.c.dirhams),
    )
    .where(sa.func.substr(ledger_entries.c.account, 1, 8) == "courier:")
    .group_by(ledger_entries.c.store_id, ledger_entries.c.account)
    .having(sa.func.sum(ledger_entries.c.dirhams) != 0),
    _Held,
    across_stores=True,
)
_COLLECTED = Query(
    sa.select(
        cod_collections.c.store_id,
        cod_collections.c.carrier,
        sa.func.sum(cod_collections.c.amount_dirhams),
    )
    .where(cod_collections.c.state == "collected")
    .group_by(cod_collections.c.store_id, cod_collections.c.carrier)
    .having(sa.func.sum(cod_collections.c.amount_dirhams) != 0),
    _Held,
    across_stores=True,
)
LISTS: tuple[tuple[str, Query[Any]], ...] = (
    ("orders of which more was settled than they cost", _SETTLED_TOO_MUCH),
    ("orders of which more was shipped than ordered", _SHIPPED_TOO_MUCH),
)


async def find_courier_faults(db: Database) -> list[str]:
    """Couriers whose cash differs between the books and what was collected."""
    books = {(h.store_id, h.account): h.dirhams for h in await db.all(_COURIERS)}
    told = {(h.store_id, f"courier:{h.account}"): h.dirhams for h in await db.all(_COLLECTED)}
    return [
        f"{account} of store {store_id} holds {told.get((store_id, account), 0)} dirhams, "
        f"the books say {books.get((store_id, account), 0)}"
        for store_id, account in sorted(books.keys() | told.keys())
        if books.get((store_id, account), 0) != told.get((store_id, account), 0)
    ][:SHOWN_MAX]

"""Whose rows a table holds, and how a statement says so: the second wall on PostgreSQL.

The first wall is that every statement filters by `store_id`. Behind it PostgreSQL shows and takes
rows only of the stores that the transaction names in the setting `eishro.stores` (migration
0004): a query names the store that its own values carry, or every store if it is declared
`across_stores`. SQLite and D1 have no such wall and ignore both.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnElement

from eishro.db.statements import Query, Write
from eishro.db.types import Int

ROLE = "eishro_app"  # what the pool's connections act as
EVERY_STORE = "*"

# Rows of the platform: no store owns them, and the role reads and writes them freely.
PLATFORM = {
    "alembic_version": "the schema's revision; the role reads it and does not write it",
    "users": "one person may buy in every store and belong to several",
    "sessions": "they are a person's, found by an unguessable id",
    "second_factors": "a person's, found by the person",
    "recovery_codes": "as their second factors",
    "identities": "a person's, found by who vouches for them",
    "addresses": "a person's book, found by the person",
    "proven_phones": "a person's, found by the number or the person",
    "phone_codes": "as the phones they prove",
    "leases": "work of the whole installation, by its name",
    "idempotency_keys": "scoped by the caller, claimed before anything else is known",
    "id_blocks": "numbers that are unique over all stores",
    "stamps": "clocks of gateway terminals, by the terminal's name",
    "buyer_guards": "a buyer's orders are counted over all stores",
    "reconciliations": "a gateway's list is of all stores that share an account there",
    "payment_news": "nobody knows whose it is until the gateway is asked",
}
# Everybody may read what a shop window shows; only the store itself may change it.
PUBLIC = frozenset(
    {
        "stores",
        "store_versions",
        "categories",
        "products",
        "product_cards",
        "product_categories",
        "product_search",
        "variants",
        "stock",
    }
)
PRIVATE = frozenset(
    {
        "memberships",
        "orders",
        "order_lines",
        "order_history",
        "order_traces",
        "payments",
        "payment_receipts",
        "gateway_credentials",
        "payment_proofs",
        "bank_statements",
        "gateway_exchanges",
        "promotions",
        "promotion_uses",
        "order_promotions",
        "refunds",
        "draft_orders",
        "order_notes",
        "ledger_entries",
        "ledger_balances",
        "payout_accounts",
        "payouts",
        "suspense_items",
        "invoices",
        "invoice_counters",
        "returns",
        "return_lines",
        "stock_movements",
        "audit_records",
        "audit_seals",
        "api_keys",
        "invitations",
        "shipping_zones",
        "outbox",
        "shipments",
        "shipment_lines",
        "shipment_events",
        "cod_collections",
        "cod_cases",
        "cod_remittances",
        "cod_remittance_rows",
    }
)

# Values that carry the store, as statements call them; others say `store=…`.
_STORE_VALUES = ("store_id", "key_store", "key_store_id")


class NoTenant(Exception):
    """A statement on rows of stores says neither which store nor that it means all."""


def gated(query: Query[Any], values: Collection[str]) -> Any:
    """The SELECT with its tenant named above everything it scans; None: it needs none.

    The condition has no column, so it is tested once, before the first row is read.

    Args:
        values: names of the values that the SELECT takes.

    Raises:
        NoTenant
    """
    if PRIVATE.isdisjoint(tables_of(query.select)):
        return None
    select = query.select
    if not isinstance(select, sa.Select):
        raise NoTenant(f"only a plain SELECT can name its tenant: {select}")
    name = store_value(query, values)
    stores: Any = sa.literal_column(f"'{EVERY_STORE}'")
    if name is not None:
        number = sa.cast(sa.bindparam(name, type_=Int), sa.Text)
        stores = sa.func.concat(sa.literal_column("'{'"), number, sa.literal_column("'}'"))
    return select.where(_set(stores))


def store_value(statement: Query[Any] | Write, values: Collection[str]) -> str | None:
    """Which of its values carries the statement's store; None: it means every store.

    Raises:
        NoTenant
    """
    if statement.across_stores:
        return None
    if statement.store is not None:
        return statement.store
    for name in _STORE_VALUES:
        if name in values:
            return name
    raise NoTenant("a statement names neither its store nor across_stores")


def is_of_stores(write: Write) -> bool:
    """Whether the write changes or reads rows that belong to stores."""
    found = {write.sql.table.name, *tables_of(write.sql)}  # type: ignore[union-attr]
    return not found.isdisjoint(PRIVATE | PUBLIC)


def named(stores: Iterable[object]) -> str:
    """The setting's text for these stores; None among them is a row of the platform."""
    return f"{{{','.join(str(int(str(s))) for s in stores if s is not None)}}}"


def tables_of(sql: Any) -> Iterator[str]:
    """Names of the tables a statement speaks of, in subqueries and behind aliases too."""
    for element in visitors.iterate(sql):
        source = getattr(element, "table", element)
        source = getattr(source, "element", source)
        if isinstance(source, sa.TableClause):
            yield source.name


def _set(stores: Any) -> ColumnElement[bool]:
    setting = sa.func.set_config(
        sa.literal_column("'eishro.stores'"), stores, sa.literal_column("true")
    )
    return sa.select(setting).scalar_subquery().is_not(None)

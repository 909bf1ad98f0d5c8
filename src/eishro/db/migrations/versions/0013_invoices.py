"""Invoices and credit notes, numbered without a gap in each store."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)
_IS_INVOICE = sa.text("kind = 'invoice'")
_IS_OF_REFUND = sa.text("refund_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("refund_id", sa.Text(), nullable=True),
        sa.Column("issued_at", types.Moment(), nullable=False),
        sa.Column("content", types.Json(), nullable=False),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoices_kind")),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (refund_id IS NOT NULL)", name=op.f("ck_invoices_refund")
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_invoices_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint(
            "store_id", "kind", "number", name=op.f("uq_invoices_store_id_kind_number")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_invoices_store_id_order_id", "invoices", ["store_id", "order_id"])
    for name, column, where in (
        ("uq_invoices_order", "order_id", _IS_INVOICE),
        ("uq_invoices_refund", "refund_id", _IS_OF_REFUND),
    ):
        op.create_index(
            name,
            "invoices",
            ["store_id", column],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "invoice_counters",
        sa.Column("store_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_invoice_counters_store_id")
        ),
        sa.PrimaryKeyConstraint("store_id", "kind", name=op.f("pk_invoice_counters")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if context.get_context().dialect.name == "postgresql":
        for table in ("invoices", "invoice_counters"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    raise NotImplementedError("numbers that were given would be lost; restore a backup")

"""Drafts of orders, the staff's notes on orders, and guards of what one buyer holds."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)
_TABLES = ("draft_orders", "order_notes")
_IS_OPEN = "status = 'pending' AND payment_status IN ('pending', 'failed')"


def upgrade() -> None:
    _drafts()
    _notes()
    op.create_table(
        "buyer_guards",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_buyer_guards")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_orders_open_by_phone",
        "orders",
        ["customer_phone"],
        sqlite_where=sa.text(_IS_OPEN),
        postgresql_where=sa.text(_IS_OPEN),
    )
    if context.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    op.drop_index("ix_orders_open_by_phone", table_name="orders")
    for table in ("buyer_guards", *reversed(_TABLES)):
        op.drop_table(table)


def _drafts() -> None:
    op.create_table(
        "draft_orders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("body", types.Json(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'placed', 'deleted')", name=op.f("ck_draft_orders_status")
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_draft_orders_store_id")),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_draft_orders_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_orders")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_draft_orders_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_draft_orders_store_id_status_id", "draft_orders", ["store_id", "status", "id"]
    )


def _notes() -> None:
    op.create_table(
        "order_notes",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_notes_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", "id", name=op.f("pk_order_notes")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

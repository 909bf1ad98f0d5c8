"""Refunds: money on its way back, and how much of an order's money that is."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def upgrade() -> None:
    for name in ("refunds_opened_dirhams", "refunded_dirhams"):
        op.add_column("orders", sa.Column(name, types.Int(), nullable=False, server_default="0"))
    op.create_table(
        "refunds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("terminal", sa.Text(), nullable=True),
        sa.Column("receipt_reference", sa.Text(), nullable=True),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("goods_dirhams", types.Int(), nullable=False),
        sa.Column("delivery_dirhams", types.Int(), nullable=False),
        sa.Column("lines", types.Json(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("through", sa.Text(), nullable=True),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("completed_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("attempts", types.Int(), nullable=False),
        sa.Column("sent_at", types.Moment(), nullable=True),
        sa.Column("next_try_at", types.Moment(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("amount_dirhams > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_refunds_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["payments.store_id", "payments.id"],
            name=op.f("fk_refunds_store_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _indexes()
    if context.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE refunds ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE refunds FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON refunds USING ({_NAMED})")


def _indexes() -> None:
    op.create_index("ix_refunds_order_id", "refunds", ["order_id"])
    op.create_index("ix_refunds_store_id_status_id", "refunds", ["store_id", "status", "id"])
    op.create_index(
        "ix_refunds_next_try_at",
        "refunds",
        ["next_try_at"],
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_index(
        "uq_refunds_under_way",
        "refunds",
        ["provider", "terminal", "receipt_reference"],
        unique=True,
        sqlite_where=sa.text("status IN ('sending', 'unknown')"),
        postgresql_where=sa.text("status IN ('sending', 'unknown')"),
    )
    op.create_index(
        "uq_refunds_suspense",
        "refunds",
        ["provider", "terminal", "receipt_reference"],
        unique=True,
        sqlite_where=sa.text("kind = 'suspense'"),
        postgresql_where=sa.text("kind = 'suspense'"),
    )


def downgrade() -> None:
    raise NotImplementedError("money on its way back would be forgotten; restore a backup")

"""Returns and exchanges."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def upgrade() -> None:
    op.create_table(
        "returns",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("replacement", types.Json(), nullable=False),
        sa.Column("replacement_order_id", sa.Text(), nullable=True),
        sa.Column("replacement_dirhams", types.Int(), nullable=True),
        sa.Column("refund_dirhams", types.Int(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("refund_dirhams >= 0", name=op.f("ck_returns_refund_dirhams")),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_returns_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returns")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_returns_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_returns_store_id_order_id", "returns", ["store_id", "order_id"])
    op.create_index("ix_returns_store_id_status_id", "returns", ["store_id", "status", "id"])
    op.create_table(
        "return_lines",
        sa.Column("return_id", sa.Text(), nullable=False),
        sa.Column("variant_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", types.Int(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_return_lines_quantity")),
        sa.ForeignKeyConstraint(
            ["store_id", "return_id"],
            ["returns.store_id", "returns.id"],
            name=op.f("fk_return_lines_store_id_return_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "variant_id"],
            ["variants.store_id", "variants.id"],
            name=op.f("fk_return_lines_store_id_variant_id"),
        ),
        sa.PrimaryKeyConstraint("return_id", "variant_id", name=op.f("pk_return_lines")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if context.get_context().dialect.name == "postgresql":
        for table in ("returns", "return_lines"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    op.drop_table("return_lines")
    op.drop_table("returns")

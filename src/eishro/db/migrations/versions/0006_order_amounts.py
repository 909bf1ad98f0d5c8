"""Orders know how their amounts came about: the lines' shares of discounts, weights, the coupon,
the platform's commission, and a trace of every step.
"""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def upgrade() -> None:
    for table, column in (
        ("orders", "weight_grams"),
        ("orders", "commission_bp"),
        ("order_lines", "discount_dirhams"),
        ("order_lines", "weight_grams"),
    ):
        op.add_column(
            table, sa.Column(column, types.Int(), nullable=False, server_default=sa.text("0"))
        )
    op.add_column("orders", sa.Column("coupon_code", sa.Text(), nullable=True))
    op.create_table(
        "order_traces",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("trace", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_traces_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_traces")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if context.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE order_traces ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE order_traces FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON order_traces USING ({_NAMED})")


def downgrade() -> None:
    op.drop_table("order_traces")
    op.drop_column("orders", "coupon_code")
    for table, column in (
        ("order_lines", "weight_grams"),
        ("order_lines", "discount_dirhams"),
        ("orders", "commission_bp"),
        ("orders", "weight_grams"),
    ):
        op.drop_column(table, column)

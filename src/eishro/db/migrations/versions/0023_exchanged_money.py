"""Which order an exchange's money pays now, and refunds by the payment whose money they are."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refunds", sa.Column("paid_order_id", sa.Text(), nullable=True))
    for column in ("payment_id", "paid_order_id"):
        named = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_refunds_{column}",
            "refunds",
            [column],
            sqlite_where=named,
            postgresql_where=named,
        )


def downgrade() -> None:
    for column in ("paid_order_id", "payment_id"):
        op.drop_index(f"ix_refunds_{column}", "refunds")
    op.drop_column("refunds", "paid_order_id")

"""What was said to gateways and what they answered, masked."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import row_security, types

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_exchanges",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("status", types.Int(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("milliseconds", types.Int(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["payments.store_id", "payments.id"],
            name=op.f("fk_gateway_exchanges_store_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_exchanges")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_gateway_exchanges_store_id_order_id",
        "gateway_exchanges",
        ["store_id", "order_id", "id"],
    )
    op.create_index(
        "ix_gateway_exchanges_store_id_payment_id",
        "gateway_exchanges",
        ["store_id", "payment_id"],
    )
    if context.get_context().dialect.name == "postgresql":
        for statement in row_security.policy_of("gateway_exchanges"):
            op.execute(statement)


def downgrade() -> None:
    op.drop_table("gateway_exchanges")

"""Risk: rules of stores, what they count, and orders that wait to be looked at."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import row_security, types

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "risk_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_risk_events_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_events")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_risk_events_subject_id", "risk_events", ["subject", "id"])
    op.create_index("ix_risk_events_store_id_order_id", "risk_events", ["store_id", "order_id"])
    op.create_table(
        "order_reviews",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("findings", types.Json(), nullable=False),
        sa.Column("opened_at", types.Moment(), nullable=False),
        sa.Column("decided_at", types.Moment(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_reviews_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["payments.store_id", "payments.id"],
            name=op.f("fk_order_reviews_store_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_reviews")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_order_reviews_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_order_reviews_store_id_state_id", "order_reviews", ["store_id", "state", "id"]
    )
    op.create_index("ix_order_reviews_store_id_order_id", "order_reviews", ["store_id", "order_id"])
    is_open = sa.text("state = 'open'")
    op.create_index(
        "uq_order_reviews_open",
        "order_reviews",
        ["store_id", "order_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.add_column("orders", sa.Column("is_held", types.Flag(), nullable=False, server_default="0"))
    op.add_column("stores", sa.Column("risk_rules", types.Json(), nullable=True))
    if context.get_context().dialect.name == "postgresql":
        for table in ("risk_events", "order_reviews"):
            for statement in row_security.policy_of(table):
                op.execute(statement)


def downgrade() -> None:
    op.drop_column("stores", "risk_rules")
    op.drop_column("orders", "is_held")
    op.drop_table("order_reviews")
    op.drop_table("risk_events")

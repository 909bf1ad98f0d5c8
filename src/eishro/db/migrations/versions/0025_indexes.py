"""Indexes where SQLite would rather read a whole store: payments of an order, orders of a card;
and refunds by what the gateway calls them, and by when they changed.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_payments_order_id_store_id_id", "payments", ["order_id", "store_id", "id"])
    op.drop_index("ix_payments_order_id", table_name="payments")
    op.create_index("ix_refunds_provider_reference", "refunds", ["provider", "provider_reference"])
    op.create_index("ix_refunds_provider_updated_at", "refunds", ["provider", "updated_at"])
    op.create_index(
        "ix_risk_events_subject_store_id_id", "risk_events", ["subject", "store_id", "id"]
    )
    op.drop_index("ix_risk_events_subject_id", table_name="risk_events")

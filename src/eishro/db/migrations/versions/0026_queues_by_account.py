"""What waits for a gateway is found by account: the indexes of both queues name it."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_payments_due",
        "payments",
        ["next_check_at", "provider", "credentials_id"],
        sqlite_where=sa.text("next_check_at IS NOT NULL"),
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )
    op.drop_index("ix_payments_next_check_at", table_name="payments")
    op.create_index(
        "ix_payment_news_of_gateway_waiting",
        "payment_news",
        ["received_at", "provider"],
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.drop_index("ix_payment_news_waiting", table_name="payment_news")

"""Payments through any gateway: what goes over the wire in another currency, the adapter's sealed
session, tries of one-time codes, and what a signed notification proves by itself.
"""

import sqlalchemy as sa
from alembic import op

from eishro.db import types

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("wire_minor", types.Int(), nullable=True))
    op.add_column("payments", sa.Column("rate_micro", types.Int(), nullable=True))
    op.add_column("payments", sa.Column("rate_source", sa.Text(), nullable=True))
    op.add_column("payments", sa.Column("session", sa.Text(), nullable=True))
    op.add_column(
        "payments", sa.Column("code_tries", types.Int(), nullable=False, server_default="0")
    )
    op.add_column("payment_receipts", sa.Column("wire_minor", types.Int(), nullable=True))
    op.add_column("payment_news", sa.Column("proof", types.Json(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("what gateways asked for would be forgotten; restore a backup")

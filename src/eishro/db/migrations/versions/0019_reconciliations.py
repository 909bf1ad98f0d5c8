"""Reports of comparing gateways' own lists with ours."""

import sqlalchemy as sa
from alembic import op

from eishro.db import types

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("matched", types.Int(), nullable=False),
        sa.Column("differing", types.Int(), nullable=False),
        sa.Column("report", types.Json(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "terminal", "day", name=op.f("pk_reconciliations")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reconciliations_day", "reconciliations", ["day"])
    op.create_index(
        "ix_payment_receipts_provider_terminal_at",
        "payment_receipts",
        ["provider", "terminal", "at"],
    )


def downgrade() -> None:
    op.drop_index("ix_payment_receipts_provider_terminal_at", "payment_receipts")
    op.drop_table("reconciliations")

"""Bank transfers: what payers show of them, imported statements, and lists for people."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def upgrade() -> None:
    op.create_table(
        "payment_proofs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("sender_name", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("sent_on", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("file_key", sa.Text(), nullable=True),
        sa.Column("file_type", sa.Text(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["payments.store_id", "payments.id"],
            name=op.f("fk_payment_proofs_store_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_proofs")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_payment_proofs_store_id_payment_id", "payment_proofs", ["store_id", "payment_id"]
    )
    op.create_table(
        "bank_statements",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_hash", sa.Text(), nullable=False),
        sa.Column("rows_total", types.Int(), nullable=False),
        sa.Column("counts", types.Json(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("rows", types.Json(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_bank_statements_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statements")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_bank_statements_store_id_id")),
        sa.UniqueConstraint(
            "store_id", "file_hash", name=op.f("uq_bank_statements_store_id_file_hash")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.add_column(
        "payments", sa.Column("is_own_account", types.Flag(), nullable=False, server_default="0")
    )
    op.create_index(
        "ix_payments_store_id_provider_status_id",
        "payments",
        ["store_id", "provider", "status", "id"],
    )
    flagged = sa.text("review IS NOT NULL")
    op.create_index(
        "ix_payments_review",
        "payments",
        ["store_id", "id"],
        sqlite_where=flagged,
        postgresql_where=flagged,
    )
    op.create_index(
        "ix_payment_receipts_reference", "payment_receipts", ["provider", "provider_reference"]
    )
    if context.get_context().dialect.name == "postgresql":
        for table in ("payment_proofs", "bank_statements"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    op.drop_index("ix_payment_receipts_reference", "payment_receipts")
    op.drop_index("ix_payments_review", "payments")
    op.drop_index("ix_payments_store_id_provider_status_id", "payments")
    op.drop_column("payments", "is_own_account")
    op.drop_table("bank_statements")
    op.drop_table("payment_proofs")

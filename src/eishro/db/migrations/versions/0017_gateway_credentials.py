"""Stores' own credentials for payment gateways, and which of them a payment was begun with."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import row_security, types

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "stores", sa.Column("own_gateways", types.Json(), nullable=False, server_default="[]")
    )
    op.add_column("payments", sa.Column("credentials_id", sa.Text(), nullable=True))
    op.create_table(
        "gateway_credentials",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("is_current", types.Flag(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("ended_at", types.Moment(), nullable=True),
        sa.CheckConstraint("mode IN ('test', 'live')", name=op.f("ck_gateway_credentials_mode")),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_gateway_credentials_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_credentials")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_gateway_credentials_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_gateway_credentials_current",
        "gateway_credentials",
        ["store_id", "provider"],
        unique=True,
        sqlite_where=sa.text("is_current = 1"),
        postgresql_where=sa.text("is_current = 1"),
    )
    if context.get_context().dialect.name == "postgresql":
        for statement in row_security.policy_of("gateway_credentials"):
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("credentials would be forgotten; restore a backup")

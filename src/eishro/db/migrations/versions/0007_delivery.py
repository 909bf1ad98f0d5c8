"""Delivery zones, and what products and variants weigh."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def upgrade() -> None:
    op.add_column("products", sa.Column("weight_grams", types.Int(), nullable=True))
    op.add_column("variants", sa.Column("weight_grams", types.Int(), nullable=True))
    op.create_table(
        "shipping_zones",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=True),
        sa.Column("places", types.Json(), nullable=False),
        sa.Column("rates", types.Json(), nullable=False),
        sa.Column("is_active", types.Flag(), nullable=False),
        sa.Column("position", types.Int(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_shipping_zones_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_zones")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_shipping_zones_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if context.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE shipping_zones ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE shipping_zones FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON shipping_zones USING ({_NAMED})")


def downgrade() -> None:
    raise NotImplementedError("delivery zones would be lost; restore a backup")

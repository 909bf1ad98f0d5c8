"""Coupons and promotions, who used them how often, and which order used which."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)
_TABLES = ("promotions", "promotion_uses", "order_promotions")


def upgrade() -> None:
    _promotions()
    _promotion_uses()
    _order_promotions()
    if context.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("code_key", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", types.Int(), nullable=False),
        sa.Column("buy_quantity", types.Int(), nullable=True),
        sa.Column("get_quantity", types.Int(), nullable=True),
        sa.Column("uses_per_order_max", types.Int(), nullable=True),
        sa.Column("starts_at", types.Moment(), nullable=True),
        sa.Column("ends_at", types.Moment(), nullable=True),
        sa.Column("minimum_dirhams", types.Int(), nullable=True),
        sa.Column("scope", types.Json(), nullable=False),
        sa.Column("usage_limit", types.Int(), nullable=True),
        sa.Column("per_customer_limit", types.Int(), nullable=True),
        sa.Column("is_active", types.Flag(), nullable=False),
        sa.Column("priority", types.Int(), nullable=False),
        sa.Column("is_stackable", types.Flag(), nullable=False),
        sa.Column("used", types.Int(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("deleted_at", types.Moment(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_promotions_used")),
        sa.CheckConstraint(
            "kind IN ('percent', 'fixed', 'free_shipping', 'buy_x_get_y')",
            name=op.f("ck_promotions_kind"),
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_promotions_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_promotions_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_promotions_code",
        "promotions",
        ["store_id", "code_key"],
        unique=True,
        sqlite_where=sa.text("code_key IS NOT NULL AND deleted_at IS NULL"),
        postgresql_where=sa.text("code_key IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_promotions_automatic",
        "promotions",
        ["store_id", "id"],
        sqlite_where=sa.text("code_key IS NULL AND deleted_at IS NULL"),
        postgresql_where=sa.text("code_key IS NULL AND deleted_at IS NULL"),
    )


def _promotion_uses() -> None:
    op.create_table(
        "promotion_uses",
        sa.Column("store_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("promotion_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("used", types.Int(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_promotion_uses_used")),
        sa.ForeignKeyConstraint(
            ["store_id", "promotion_id"],
            ["promotions.store_id", "promotions.id"],
            name=op.f("fk_promotion_uses_store_id_promotion_id"),
        ),
        sa.PrimaryKeyConstraint(
            "store_id", "promotion_id", "subject", name=op.f("pk_promotion_uses")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _order_promotions() -> None:
    op.create_table(
        "order_promotions",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("promotion_id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("dirhams", types.Int(), nullable=False),
        sa.Column("is_counted", types.Flag(), nullable=False),
        sa.Column("subjects", types.Json(), nullable=False),
        sa.Column("is_given_back", types.Flag(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_promotions_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "promotion_id"],
            ["promotions.store_id", "promotions.id"],
            name=op.f("fk_order_promotions_store_id_promotion_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", "promotion_id", name=op.f("pk_order_promotions")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_order_promotions_promotion_id",
        "order_promotions",
        ["promotion_id"],
        sqlite_where=sa.text("is_given_back = 0"),
        postgresql_where=sa.text("is_given_back = 0"),
    )

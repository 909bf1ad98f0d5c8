"""Address books, proven telephones, and indexes of orders by their buyer."""

import sqlalchemy as sa
from alembic import op

from eishro.db import types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _addresses()
    _phones()
    op.create_index(
        "ix_orders_store_id_customer_phone_id", "orders", ["store_id", "customer_phone", "id"]
    )
    guests = sa.text("customer_user_id IS NULL")
    op.create_index(
        "ix_orders_guest_phone",
        "orders",
        ["customer_phone"],
        sqlite_where=guests,
        postgresql_where=guests,
    )
    guests = sa.text("customer_user_id IS NULL AND customer_email IS NOT NULL")
    op.create_index(
        "ix_orders_guest_email",
        "orders",
        ["customer_email"],
        sqlite_where=guests,
        postgresql_where=guests,
    )


def downgrade() -> None:
    for index in ("guest_email", "guest_phone", "store_id_customer_phone_id"):
        op.drop_index(f"ix_orders_{index}", "orders")
    for table in ("phone_codes", "proven_phones", "addresses"):
        op.drop_table(table)


def _addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", types.Int(), nullable=False),
        sa.Column("slot", types.Int(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("city_code", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("landmark", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("latitude_microdegrees", types.Int(), nullable=True),
        sa.Column("longitude_microdegrees", types.Int(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("is_default", types.Flag(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("slot >= 0 AND slot < 50", name=op.f("ck_addresses_slot")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_addresses_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint("user_id", "slot", name=op.f("uq_addresses_user_id_slot")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_addresses_default",
        "addresses",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text("is_default = 1"),
        postgresql_where=sa.text("is_default = 1"),
    )


def _phones() -> None:
    op.create_table(
        "proven_phones",
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("user_id", types.Int(), nullable=False),
        sa.Column("proven_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_proven_phones_user_id")),
        sa.PrimaryKeyConstraint("phone", name=op.f("pk_proven_phones")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_proven_phones_user_id", "proven_phones", ["user_id"])
    op.create_table(
        "phone_codes",
        sa.Column("user_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("tries", types.Int(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_phone_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_phone_codes")),
        sqlite_strict=True,
    )
    op.create_index("ix_phone_codes_expires_at", "phone_codes", ["expires_at"])

"""Goods travel in parcels, and couriers bring cash: shipments with their lines and events, cash
that was collected, cases for people, and couriers' remittance files.
"""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)
_TABLES = (
    "shipments",
    "shipment_lines",
    "shipment_events",
    "cod_collections",
    "cod_cases",
    "cod_remittances",
    "cod_remittance_rows",
)


def upgrade() -> None:
    _shipments()
    _shipment_lines()
    _shipment_events()
    _cod_collections()
    _cod_cases()
    _cod_remittances()
    _cod_remittance_rows()
    if context.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    raise NotImplementedError("what was shipped and collected would be lost; restore a backup")


def _shipments() -> None:
    op.create_table(
        "shipments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("goods_dirhams", types.Int(), nullable=False),
        sa.Column("delivery_dirhams", types.Int(), nullable=False),
        sa.Column("cod_dirhams", types.Int(), nullable=False),
        sa.Column("fee_dirhams", types.Int(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_shipments_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipments")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_shipments_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_shipments_order_id", "shipments", ["order_id"])
    op.create_index(
        "uq_shipments_tracking_number",
        "shipments",
        ["store_id", "carrier", "tracking_number"],
        unique=True,
        sqlite_where=sa.text("tracking_number IS NOT NULL"),
        postgresql_where=sa.text("tracking_number IS NOT NULL"),
    )


def _shipment_lines() -> None:
    op.create_table(
        "shipment_lines",
        sa.Column("shipment_id", sa.Text(), nullable=False),
        sa.Column("position", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("quantity", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "shipment_id"],
            ["shipments.store_id", "shipments.id"],
            name=op.f("fk_shipment_lines_store_id_shipment_id"),
        ),
        sa.PrimaryKeyConstraint("shipment_id", "position", name=op.f("pk_shipment_lines")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shipment_lines_quantity")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _shipment_events() -> None:
    op.create_table(
        "shipment_events",
        sa.Column("shipment_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("raw_status", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "shipment_id"],
            ["shipments.store_id", "shipments.id"],
            name=op.f("fk_shipment_events_store_id_shipment_id"),
        ),
        sa.PrimaryKeyConstraint("shipment_id", "id", name=op.f("pk_shipment_events")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _cod_collections() -> None:
    op.create_table(
        "cod_collections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("shipment_id", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expected_dirhams", types.Int(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("fee_dirhams", types.Int(), nullable=False),
        sa.Column("short_dirhams", types.Int(), nullable=False),
        sa.Column("collected_at", types.Moment(), nullable=False),
        sa.Column("remitted_at", types.Moment(), nullable=True),
        sa.Column("remittance_id", sa.Text(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_cod_collections_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "shipment_id"],
            ["shipments.store_id", "shipments.id"],
            name=op.f("fk_cod_collections_store_id_shipment_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cod_collections")),
        sa.CheckConstraint("amount_dirhams >= 0", name=op.f("ck_cod_collections_amount")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cod_collections_order_id", "cod_collections", ["order_id"])
    op.create_index(
        "ix_cod_collections_held",
        "cod_collections",
        ["collected_at"],
        sqlite_where=sa.text("state = 'collected'"),
        postgresql_where=sa.text("state = 'collected'"),
    )
    op.create_index(
        "ix_cod_collections_store_id_state_collected_at",
        "cod_collections",
        ["store_id", "state", "collected_at"],
    )
    op.create_index(
        "uq_cod_collections_shipment_id",
        "cod_collections",
        ["shipment_id"],
        unique=True,
        sqlite_where=sa.text("shipment_id IS NOT NULL"),
        postgresql_where=sa.text("shipment_id IS NOT NULL"),
    )


def _cod_cases() -> None:
    op.create_table(
        "cod_cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("shipment_id", sa.Text(), nullable=True),
        sa.Column("collection_id", sa.Text(), nullable=True),
        sa.Column("remittance_id", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expected_dirhams", types.Int(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("fee_dirhams", types.Int(), nullable=False),
        sa.Column("happened_at", types.Moment(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("resolved_at", types.Moment(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_cod_cases_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cod_cases")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cod_cases_store_id_state_id", "cod_cases", ["store_id", "state", "id"])
    op.create_index("ix_cod_cases_order_id", "cod_cases", ["order_id"])
    op.create_index(
        "uq_cod_cases_late",
        "cod_cases",
        ["collection_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'late'"),
        postgresql_where=sa.text("kind = 'late'"),
    )


def _cod_remittances() -> None:
    op.create_table(
        "cod_remittances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_hash", sa.Text(), nullable=False),
        sa.Column("rows_total", types.Int(), nullable=False),
        sa.Column("counts", types.Json(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("fee_dirhams", types.Int(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_cod_remittances_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cod_remittances")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_cod_remittances_store_id_id")),
        sa.UniqueConstraint(
            "store_id",
            "carrier",
            "file_hash",
            name=op.f("uq_cod_remittances_store_id_carrier_file_hash"),
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _cod_remittance_rows() -> None:
    op.create_table(
        "cod_remittance_rows",
        sa.Column("remittance_id", sa.Text(), nullable=False),
        sa.Column("number", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("tracking_number", sa.Text(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("fee_dirhams", types.Int(), nullable=False),
        sa.Column("paid_on", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("expected_dirhams", types.Int(), nullable=True),
        sa.Column("shipment_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id", "remittance_id"],
            ["cod_remittances.store_id", "cod_remittances.id"],
            name=op.f("fk_cod_remittance_rows_store_id_remittance_id"),
        ),
        sa.PrimaryKeyConstraint("remittance_id", "number", name=op.f("pk_cod_remittance_rows")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

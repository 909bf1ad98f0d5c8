"""What public reads follow (a version row for each store, products rendered), and narrower rows
for orders: movements under a natural key, ledger entries in the order of their store.
"""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A variant that runs out, or comes back, changes what the public sees; a sale alone does not.
_SHOWN_SQLITE = """CREATE TRIGGER stock_shown AFTER UPDATE OF available ON stock
    WHEN (new.available = 0) IS NOT (old.available = 0) BEGIN
        UPDATE store_versions SET version = version + 1 WHERE store_id = new.store_id;
    END"""
_SHOWN_POSTGRESQL = (
    """CREATE FUNCTION stock_shown() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE store_versions SET version = version + 1 WHERE store_id = new.store_id;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER stock_shown AFTER UPDATE OF available ON stock FOR EACH ROW
    WHEN ((new.available = 0) IS DISTINCT FROM (old.available = 0))
    EXECUTE FUNCTION stock_shown()""",
)


def upgrade() -> None:
    _store_versions()
    _product_cards()
    _stock_movements()
    _ledger_entries()
    op.drop_index("ix_orders_customer_user_id_id", "orders")
    op.create_index(
        "ix_orders_customer_user_id_id",
        "orders",
        ["customer_user_id", "id"],
        unique=False,
        sqlite_where=sa.text("customer_user_id IS NOT NULL"),
        postgresql_where=sa.text("customer_user_id IS NOT NULL"),
    )
    op.create_index(
        "ix_stock_sold_out",
        "stock",
        ["product_id", "variant_id"],
        unique=False,
        sqlite_where=sa.text("available = 0"),
        postgresql_where=sa.text("available = 0"),
    )
    is_sqlite = context.get_context().dialect.name == "sqlite"
    for statement in (_SHOWN_SQLITE,) if is_sqlite else _SHOWN_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("rows were moved; restore a backup")


def _store_versions() -> None:
    op.create_table(
        "store_versions",
        sa.Column("store_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.Column("active_products", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_store_versions_store_id")
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_versions")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO store_versions (store_id, version, active_products) "
        "SELECT id, 1, (SELECT count(*) FROM products "
        "WHERE products.store_id = stores.id AND products.status = 'active') FROM stores"
    )


def _product_cards() -> None:
    op.create_table(
        "product_cards",
        sa.Column("product_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "product_id"],
            ["products.store_id", "products.id"],
            name=op.f("fk_product_cards_store_id_product_id"),
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_cards")),
        sqlite_strict=True,
    )


def _stock_movements() -> None:
    op.execute("CREATE TABLE movements_before AS SELECT * FROM stock_movements")
    op.drop_table("stock_movements")
    op.create_table(
        "stock_movements",
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("variant_id", types.Int(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("quantity", types.Int(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('receive', 'track', 'untrack', 'hold', 'release', 'consume', 'restock')",
            name=op.f("ck_stock_movements_kind"),
        ),
        sa.PrimaryKeyConstraint(
            "subject_id", "variant_id", "kind", name=op.f("pk_stock_movements")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO stock_movements (subject_id, variant_id, kind, store_id, quantity, at) "
        "SELECT coalesce(order_id, id), variant_id, kind, store_id, quantity, at "
        "FROM movements_before"
    )
    op.execute("DROP TABLE movements_before")


def _ledger_entries() -> None:
    op.execute("CREATE TABLE entries_before AS SELECT * FROM ledger_entries")
    op.drop_table("ledger_entries")
    op.create_table(
        "ledger_entries",
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("position", types.Int(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("dirhams", types.Int(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_ledger_entries_store_id")
        ),
        sa.PrimaryKeyConstraint(
            "store_id", "transaction_id", "position", name=op.f("pk_ledger_entries")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO ledger_entries (store_id, transaction_id, position, account, dirhams, "
        "reason, order_id, payment_id, at) SELECT store_id, transaction_id, position, account, "
        "dirhams, reason, order_id, payment_id, at FROM entries_before"
    )
    op.execute("DROP TABLE entries_before")

"""The first schema: stores, catalogue, stock, orders, payments, ledger and what serves them."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The full-text index beside `product_search`: each engine's own, kept by the engine itself, so
# that every write is the same everywhere.
_FTS5 = (
    """CREATE VIRTUAL TABLE product_fts USING fts5(
        body, content='product_search', content_rowid='product_id',
        tokenize='unicode61', prefix='2 3'
    )""",
    """CREATE TRIGGER product_search_insert AFTER INSERT ON product_search BEGIN
        INSERT INTO product_fts (rowid, body) VALUES (new.product_id, new.body);
    END""",
    """CREATE TRIGGER product_search_delete AFTER DELETE ON product_search BEGIN
        INSERT INTO product_fts (product_fts, rowid, body)
        VALUES ('delete', old.product_id, old.body);
    END""",
    """CREATE TRIGGER product_search_update AFTER UPDATE ON product_search BEGIN
        INSERT INTO product_fts (product_fts, rowid, body)
        VALUES ('delete', old.product_id, old.body);
        INSERT INTO product_fts (rowid, body) VALUES (new.product_id, new.body);
    END""",
)
_TSVECTOR = (
    """ALTER TABLE product_search ADD COLUMN document tsvector
    GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED""",
    "CREATE INDEX ix_product_search_document ON product_search USING gin (document)",
)


def upgrade() -> None:
    _audit_records()
    _id_blocks()
    _idempotency_keys()
    _outbox()
    _payment_news()
    _stamps()
    _stock_movements()
    _stores()
    _users()
    _categories()
    _ledger_entries()
    _memberships()
    _orders()
    _products()
    _sessions()
    _order_history()
    _payments()
    _product_categories()
    _product_search()
    _variants()
    _order_lines()
    _payment_receipts()
    _stock()
    for statement in _FTS5 if context.get_context().dialect.name == "sqlite" else _TSVECTOR:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the first schema has nothing before it; restore a backup")


def _audit_records() -> None:
    op.create_table(
        "audit_records",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("changes", types.Json(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_audit_records_store_id_at", "audit_records", ["store_id", "at"], unique=False
    )


def _id_blocks() -> None:
    op.create_table(
        "id_blocks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_id", types.Int(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_id_blocks")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", types.Int(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_sealed", types.Flag(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], unique=False
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("payload", types.Json(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("next_try_at", types.Moment(), nullable=True),
        sa.Column("tries", types.Int(), nullable=False),
        sa.Column("is_dead", types.Flag(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["next_try_at"],
        unique=False,
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )


def _payment_news() -> None:
    op.create_table(
        "payment_news",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("raw", types.Json(), nullable=False),
        sa.Column("received_at", types.Moment(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_news")),
        sa.UniqueConstraint(
            "provider",
            "dedupe_key",
            "body_hash",
            name=op.f("uq_payment_news_provider_dedupe_key_body_hash"),
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_payment_news_waiting",
        "payment_news",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )


def _stamps() -> None:
    op.create_table(
        "stamps",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last", types.Int(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stamps")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _stock_movements() -> None:
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("variant_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", types.Int(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('receive', 'track', 'untrack', 'hold', 'release', 'consume', 'restock')",
            name=op.f("ck_stock_movements_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movements")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_stock_movements_variant_id", "stock_movements", ["variant_id"], unique=False
    )


def _stores() -> None:
    op.create_table(
        "stores",
        sa.Column("id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("logo", sa.Text(), nullable=True),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("is_active", types.Flag(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stores")),
        sa.UniqueConstraint("slug", name=op.f("uq_stores_slug")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index("ix_stores_is_active_id", "stores", ["is_active", "id"], unique=False)


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("is_active", types.Flag(), nullable=False),
        sa.Column("email_verified_at", types.Moment(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'merchant', 'customer')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )


def _categories() -> None:
    op.create_table(
        "categories",
        sa.Column("id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("parent_id", types.Int(), nullable=True),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=True),
        sa.Column("position", types.Int(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "parent_id"],
            ["categories.store_id", "categories.id"],
            name=op.f("fk_categories_store_id_parent_id"),
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_categories_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_categories_store_id_id")),
        sa.UniqueConstraint("store_id", "slug", name=op.f("uq_categories_store_id_slug")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index(
        "ix_categories_store_id_parent_id", "categories", ["store_id", "parent_id"], unique=False
    )


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("position", types.Int(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("dirhams", types.Int(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_ledger_entries_store_id")
        ),
        sa.PrimaryKeyConstraint("transaction_id", "position", name=op.f("pk_ledger_entries")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ledger_entries_order_id", "ledger_entries", ["order_id"], unique=False)
    op.create_index(
        "ix_ledger_entries_store_id_account",
        "ledger_entries",
        ["store_id", "account"],
        unique=False,
    )


def _memberships() -> None:
    op.create_table(
        "memberships",
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("user_id", types.Int(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_memberships_store_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("store_id", "user_id", name=op.f("pk_memberships")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"], unique=False)
    op.create_index(
        "uq_memberships_owner_store",
        "memberships",
        ["store_id"],
        unique=True,
        sqlite_where=sa.text("role = 'owner'"),
        postgresql_where=sa.text("role = 'owner'"),
    )
    op.create_index(
        "uq_memberships_owner_user",
        "memberships",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text("role = 'owner'"),
        postgresql_where=sa.text("role = 'owner'"),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("customer_user_id", types.Int(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("payment_status", sa.Text(), nullable=False),
        sa.Column("fulfilment_status", sa.Text(), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("customer_email", sa.Text(), nullable=True),
        sa.Column("city_code", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("shipping_notes", sa.Text(), nullable=True),
        sa.Column("shipping_method", sa.Text(), nullable=False),
        sa.Column("payment_method", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("subtotal_dirhams", types.Int(), nullable=False),
        sa.Column("discount_dirhams", types.Int(), nullable=False),
        sa.Column("shipping_dirhams", types.Int(), nullable=False),
        sa.Column("total_dirhams", types.Int(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint(
            "total_dirhams = subtotal_dirhams - discount_dirhams + shipping_dirhams",
            name=op.f("ck_orders_total"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_user_id"], ["users.id"], name=op.f("fk_orders_customer_user_id")
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_orders_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_orders_store_id_id")),
        sa.UniqueConstraint("store_id", "number", name=op.f("uq_orders_store_id_number")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_orders_customer_user_id_id", "orders", ["customer_user_id", "id"], unique=False
    )
    op.create_index(
        "ix_orders_expires_at",
        "orders",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_store_id_status_id", "orders", ["store_id", "status", "id"], unique=False
    )


def _products() -> None:
    op.create_table(
        "products",
        sa.Column("id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("description_en", sa.Text(), nullable=True),
        sa.Column("price_dirhams", types.Int(), nullable=False),
        sa.Column("compare_at_dirhams", types.Int(), nullable=True),
        sa.Column("images", types.Json(), nullable=False),
        sa.Column("sizes", types.Json(), nullable=False),
        sa.Column("colors", types.Json(), nullable=False),
        sa.Column("sells", types.Flag(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'draft', 'archived')", name=op.f("ck_products_status")
        ),
        sa.CheckConstraint("price_dirhams >= 0", name=op.f("ck_products_price")),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_products_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_products_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index("ix_products_status_id", "products", ["status", "id"], unique=False)
    op.create_index(
        "ix_products_store_id_status_id", "products", ["store_id", "status", "id"], unique=False
    )
    op.create_index(
        "ix_products_store_id_status_name",
        "products",
        ["store_id", "status", "name", "id"],
        unique=False,
    )
    op.create_index(
        "ix_products_store_id_status_price",
        "products",
        ["store_id", "status", "price_dirhams", "id"],
        unique=False,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", types.Int(), nullable=False),
        sa.Column("refresh_hash", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=True),
        sa.Column("successor_sealed", sa.Text(), nullable=True),
        sa.Column("grace_until", types.Moment(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("login_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("ended_at", types.Moment(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)


def _order_history() -> None:
    op.create_table(
        "order_history",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_history_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", "id", name=op.f("pk_order_history")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("action", types.Json(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("return_url", sa.Text(), nullable=True),
        sa.Column("checks", types.Int(), nullable=False),
        sa.Column("news_checks", types.Int(), nullable=False),
        sa.Column("next_check_at", types.Moment(), nullable=True),
        sa.Column("expires_at", types.Moment(), nullable=True),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("updated_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("amount_dirhams > 0", name=op.f("ck_payments_amount")),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_payments_store_id_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("provider", "reference", name=op.f("uq_payments_provider_reference")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_payments_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_payments_next_check_at",
        "payments",
        ["next_check_at"],
        unique=False,
        sqlite_where=sa.text("next_check_at IS NOT NULL"),
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )
    op.create_index("ix_payments_order_id", "payments", ["order_id"], unique=False)


def _product_categories() -> None:
    op.create_table(
        "product_categories",
        sa.Column("product_id", types.Int(), nullable=False),
        sa.Column("category_id", types.Int(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("position", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "category_id"],
            ["categories.store_id", "categories.id"],
            name=op.f("fk_product_categories_store_id_category_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "product_id"],
            ["products.store_id", "products.id"],
            name=op.f("fk_product_categories_store_id_product_id"),
        ),
        sa.PrimaryKeyConstraint("product_id", "category_id", name=op.f("pk_product_categories")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_product_categories_category_id_product_id",
        "product_categories",
        ["category_id", "product_id"],
        unique=False,
    )


def _product_search() -> None:
    op.create_table(
        "product_search",
        sa.Column("product_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "product_id"],
            ["products.store_id", "products.id"],
            name=op.f("fk_product_search_store_id_product_id"),
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_search")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )


def _variants() -> None:
    op.create_table(
        "variants",
        sa.Column("id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("product_id", types.Int(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("options", types.Json(), nullable=False),
        sa.Column("price_dirhams", types.Int(), nullable=True),
        sa.Column("position", types.Int(), nullable=False),
        sa.Column("is_active", types.Flag(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "product_id"],
            ["products.store_id", "products.id"],
            name=op.f("fk_variants_store_id_product_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variants")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_variants_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index("ix_variants_product_id", "variants", ["product_id"], unique=False)
    op.create_index(
        "uq_variants_store_id_sku",
        "variants",
        ["store_id", "sku"],
        unique=True,
        sqlite_where=sa.text("sku IS NOT NULL AND is_active = 1"),
        postgresql_where=sa.text("sku IS NOT NULL AND is_active = 1"),
    )


def _order_lines() -> None:
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("position", types.Int(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("product_id", types.Int(), nullable=False),
        sa.Column("variant_id", types.Int(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("options", types.Json(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("unit_price_dirhams", types.Int(), nullable=False),
        sa.Column("quantity", types.Int(), nullable=False),
        sa.Column("total_dirhams", types.Int(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_lines_quantity")),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_lines_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "variant_id"],
            ["variants.store_id", "variants.id"],
            name=op.f("fk_order_lines_store_id_variant_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", "position", name=op.f("pk_order_lines")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _payment_receipts() -> None:
    op.create_table(
        "payment_receipts",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("applied", types.Flag(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["payments.store_id", "payments.id"],
            name=op.f("fk_payment_receipts_store_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "provider", "terminal", "provider_reference", name=op.f("pk_payment_receipts")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_payment_receipts_payment_id", "payment_receipts", ["payment_id"], unique=False
    )


def _stock() -> None:
    op.create_table(
        "stock",
        sa.Column("variant_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("product_id", types.Int(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("available", types.Int(), nullable=True),
        sa.Column("held", types.Int(), nullable=False),
        sa.Column("sold", types.Int(), nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_stock_available")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_stock_held")),
        sa.CheckConstraint("sold >= 0", name=op.f("ck_stock_sold")),
        sa.ForeignKeyConstraint(
            ["store_id", "variant_id"],
            ["variants.store_id", "variants.id"],
            name=op.f("fk_stock_store_id_variant_id"),
        ),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_stock")),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index("ix_stock_product_id", "stock", ["product_id"], unique=False)

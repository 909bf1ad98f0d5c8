-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0001_first_schema.py; do not edit

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE audit_records (
    id TEXT NOT NULL, 
    store_id INTEGER, 
    actor TEXT NOT NULL, 
    action TEXT NOT NULL, 
    subject_id TEXT NOT NULL, 
    changes TEXT NOT NULL, 
    request_id TEXT NOT NULL, 
    address TEXT NOT NULL, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_audit_records PRIMARY KEY (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_audit_records_store_id_at ON audit_records (store_id, at);

CREATE TABLE id_blocks (
    name TEXT NOT NULL, 
    next_id INTEGER NOT NULL, 
    CONSTRAINT pk_id_blocks PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE idempotency_keys (
    scope TEXT NOT NULL, 
    "key" TEXT NOT NULL, 
    fingerprint TEXT NOT NULL, 
    status INTEGER NOT NULL, 
    body TEXT NOT NULL, 
    is_sealed INTEGER NOT NULL, 
    expires_at INTEGER NOT NULL, 
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (scope, "key")
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);

CREATE TABLE outbox (
    id TEXT NOT NULL, 
    store_id INTEGER, 
    topic TEXT NOT NULL, 
    subject_id TEXT NOT NULL, 
    payload TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    next_try_at INTEGER, 
    tries INTEGER NOT NULL, 
    is_dead INTEGER NOT NULL, 
    last_error TEXT, 
    CONSTRAINT pk_outbox PRIMARY KEY (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_outbox_waiting ON outbox (next_try_at) WHERE next_try_at IS NOT NULL;

CREATE TABLE payment_news (
    id TEXT NOT NULL, 
    provider TEXT NOT NULL, 
    dedupe_key TEXT NOT NULL, 
    body_hash TEXT NOT NULL, 
    reference TEXT, 
    kind TEXT NOT NULL, 
    raw TEXT NOT NULL, 
    received_at INTEGER NOT NULL, 
    outcome TEXT, 
    CONSTRAINT pk_payment_news PRIMARY KEY (id), 
    CONSTRAINT uq_payment_news_provider_dedupe_key_body_hash UNIQUE (provider, dedupe_key, body_hash)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payment_news_waiting ON payment_news (received_at) WHERE outcome IS NULL;

CREATE TABLE stamps (
    name TEXT NOT NULL, 
    last INTEGER NOT NULL, 
    CONSTRAINT pk_stamps PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE stock_movements (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    variant_id INTEGER NOT NULL, 
    order_id TEXT, 
    kind TEXT NOT NULL, 
    quantity INTEGER NOT NULL, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_stock_movements PRIMARY KEY (id), 
    CONSTRAINT ck_stock_movements_kind CHECK (kind IN ('receive', 'track', 'untrack', 'hold', 'release', 'consume', 'restock'))
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_stock_movements_variant_id ON stock_movements (variant_id);

CREATE TABLE stores (
    id INTEGER NOT NULL, 
    slug TEXT NOT NULL, 
    name TEXT NOT NULL, 
    name_en TEXT, 
    description TEXT, 
    logo TEXT, 
    settings TEXT NOT NULL, 
    is_active INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_stores PRIMARY KEY (id), 
    CONSTRAINT uq_stores_slug UNIQUE (slug)
)
 STRICT;

CREATE INDEX ix_stores_is_active_id ON stores (is_active, id);

CREATE TABLE users (
    id INTEGER NOT NULL, 
    email TEXT NOT NULL, 
    password_hash TEXT NOT NULL, 
    first_name TEXT NOT NULL, 
    last_name TEXT NOT NULL, 
    phone TEXT, 
    role TEXT NOT NULL, 
    is_active INTEGER NOT NULL, 
    email_verified_at INTEGER, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_users PRIMARY KEY (id), 
    CONSTRAINT ck_users_role CHECK (role IN ('admin', 'merchant', 'customer')), 
    CONSTRAINT uq_users_email UNIQUE (email)
)
 STRICT;

CREATE TABLE categories (
    id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    parent_id INTEGER, 
    slug TEXT NOT NULL, 
    name TEXT NOT NULL, 
    name_en TEXT, 
    position INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_categories PRIMARY KEY (id), 
    CONSTRAINT fk_categories_store_id_parent_id FOREIGN KEY(store_id, parent_id) REFERENCES categories (store_id, id), 
    CONSTRAINT fk_categories_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_categories_store_id_id UNIQUE (store_id, id), 
    CONSTRAINT uq_categories_store_id_slug UNIQUE (store_id, slug)
)
 STRICT;

CREATE INDEX ix_categories_store_id_parent_id ON categories (store_id, parent_id);

CREATE TABLE ledger_entries (
    transaction_id TEXT NOT NULL, 
    position INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    account TEXT NOT NULL, 
    dirhams INTEGER NOT NULL, 
    reason TEXT NOT NULL, 
    order_id TEXT, 
    payment_id TEXT, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_ledger_entries PRIMARY KEY (transaction_id, position), 
    CONSTRAINT fk_ledger_entries_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_ledger_entries_order_id ON ledger_entries (order_id);

CREATE INDEX ix_ledger_entries_store_id_account ON ledger_entries (store_id, account);

CREATE TABLE memberships (
    store_id INTEGER NOT NULL, 
    user_id INTEGER NOT NULL, 
    role TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    CONSTRAINT pk_memberships PRIMARY KEY (store_id, user_id), 
    CONSTRAINT fk_memberships_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT fk_memberships_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_memberships_user_id ON memberships (user_id);

CREATE UNIQUE INDEX uq_memberships_owner_store ON memberships (store_id) WHERE role = 'owner';

CREATE UNIQUE INDEX uq_memberships_owner_user ON memberships (user_id) WHERE role = 'owner';

CREATE TABLE orders (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    number TEXT NOT NULL, 
    customer_user_id INTEGER, 
    status TEXT NOT NULL, 
    payment_status TEXT NOT NULL, 
    fulfilment_status TEXT NOT NULL, 
    customer_name TEXT NOT NULL, 
    customer_phone TEXT NOT NULL, 
    customer_email TEXT, 
    city_code TEXT NOT NULL, 
    area TEXT, 
    address TEXT NOT NULL, 
    shipping_notes TEXT, 
    shipping_method TEXT NOT NULL, 
    payment_method TEXT NOT NULL, 
    notes TEXT, 
    subtotal_dirhams INTEGER NOT NULL, 
    discount_dirhams INTEGER NOT NULL, 
    shipping_dirhams INTEGER NOT NULL, 
    total_dirhams INTEGER NOT NULL, 
    expires_at INTEGER, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_orders PRIMARY KEY (id), 
    CONSTRAINT ck_orders_total CHECK (total_dirhams = subtotal_dirhams - discount_dirhams + shipping_dirhams), 
    CONSTRAINT fk_orders_customer_user_id FOREIGN KEY(customer_user_id) REFERENCES users (id), 
    CONSTRAINT fk_orders_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_orders_store_id_id UNIQUE (store_id, id), 
    CONSTRAINT uq_orders_store_id_number UNIQUE (store_id, number)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_orders_customer_user_id_id ON orders (customer_user_id, id);

CREATE INDEX ix_orders_expires_at ON orders (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX ix_orders_store_id_status_id ON orders (store_id, status, id);

CREATE TABLE products (
    id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    name_en TEXT, 
    description TEXT, 
    description_en TEXT, 
    price_dirhams INTEGER NOT NULL, 
    compare_at_dirhams INTEGER, 
    images TEXT NOT NULL, 
    sizes TEXT NOT NULL, 
    colors TEXT NOT NULL, 
    sells INTEGER NOT NULL, 
    status TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_products PRIMARY KEY (id), 
    CONSTRAINT ck_products_status CHECK (status IN ('active', 'draft', 'archived')), 
    CONSTRAINT ck_products_price CHECK (price_dirhams >= 0), 
    CONSTRAINT fk_products_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_products_store_id_id UNIQUE (store_id, id)
)
 STRICT;

CREATE INDEX ix_products_status_id ON products (status, id);

CREATE INDEX ix_products_store_id_status_id ON products (store_id, status, id);

CREATE INDEX ix_products_store_id_status_name ON products (store_id, status, name, id);

CREATE INDEX ix_products_store_id_status_price ON products (store_id, status, price_dirhams, id);

CREATE TABLE sessions (
    id TEXT NOT NULL, 
    user_id INTEGER NOT NULL, 
    refresh_hash TEXT NOT NULL, 
    previous_hash TEXT, 
    successor_sealed TEXT, 
    grace_until INTEGER, 
    user_agent TEXT NOT NULL, 
    address TEXT NOT NULL, 
    login_at INTEGER NOT NULL, 
    expires_at INTEGER NOT NULL, 
    ended_at INTEGER, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_sessions PRIMARY KEY (id), 
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_sessions_user_id ON sessions (user_id);

CREATE TABLE order_history (
    order_id TEXT NOT NULL, 
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    event TEXT NOT NULL, 
    status TEXT NOT NULL, 
    actor TEXT NOT NULL, 
    note TEXT, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_order_history PRIMARY KEY (order_id, id), 
    CONSTRAINT fk_order_history_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE payments (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    method TEXT NOT NULL, 
    provider TEXT NOT NULL, 
    reference TEXT NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    currency TEXT NOT NULL, 
    status TEXT NOT NULL, 
    action TEXT, 
    failure TEXT, 
    review TEXT, 
    return_url TEXT, 
    checks INTEGER NOT NULL, 
    news_checks INTEGER NOT NULL, 
    next_check_at INTEGER, 
    expires_at INTEGER, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_payments PRIMARY KEY (id), 
    CONSTRAINT ck_payments_amount CHECK (amount_dirhams > 0), 
    CONSTRAINT fk_payments_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT uq_payments_provider_reference UNIQUE (provider, reference), 
    CONSTRAINT uq_payments_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payments_next_check_at ON payments (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE INDEX ix_payments_order_id ON payments (order_id);

CREATE TABLE product_categories (
    product_id INTEGER NOT NULL, 
    category_id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    position INTEGER NOT NULL, 
    CONSTRAINT pk_product_categories PRIMARY KEY (product_id, category_id), 
    CONSTRAINT fk_product_categories_store_id_category_id FOREIGN KEY(store_id, category_id) REFERENCES categories (store_id, id), 
    CONSTRAINT fk_product_categories_store_id_product_id FOREIGN KEY(store_id, product_id) REFERENCES products (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_product_categories_category_id_product_id ON product_categories (category_id, product_id);

CREATE TABLE product_search (
    product_id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    body TEXT NOT NULL, 
    CONSTRAINT pk_product_search PRIMARY KEY (product_id), 
    CONSTRAINT fk_product_search_store_id_product_id FOREIGN KEY(store_id, product_id) REFERENCES products (store_id, id)
)
 STRICT;

CREATE TABLE variants (
    id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    product_id INTEGER NOT NULL, 
    sku TEXT, 
    options TEXT NOT NULL, 
    price_dirhams INTEGER, 
    position INTEGER NOT NULL, 
    is_active INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_variants PRIMARY KEY (id), 
    CONSTRAINT fk_variants_store_id_product_id FOREIGN KEY(store_id, product_id) REFERENCES products (store_id, id), 
    CONSTRAINT uq_variants_store_id_id UNIQUE (store_id, id)
)
 STRICT;

CREATE INDEX ix_variants_product_id ON variants (product_id);

CREATE UNIQUE INDEX uq_variants_store_id_sku ON variants (store_id, sku) WHERE sku IS NOT NULL AND is_active = 1;

CREATE TABLE order_lines (
    order_id TEXT NOT NULL, 
    position INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    product_id INTEGER NOT NULL, 
    variant_id INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    options TEXT NOT NULL, 
    sku TEXT, 
    unit_price_dirhams INTEGER NOT NULL, 
    quantity INTEGER NOT NULL, 
    total_dirhams INTEGER NOT NULL, 
    CONSTRAINT pk_order_lines PRIMARY KEY (order_id, position), 
    CONSTRAINT ck_order_lines_quantity CHECK (quantity > 0), 
    CONSTRAINT fk_order_lines_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT fk_order_lines_store_id_variant_id FOREIGN KEY(store_id, variant_id) REFERENCES variants (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE payment_receipts (
    provider TEXT NOT NULL, 
    terminal TEXT NOT NULL, 
    provider_reference TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    payment_id TEXT NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    currency TEXT NOT NULL, 
    applied INTEGER NOT NULL, 
    reason TEXT, 
    details TEXT NOT NULL, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_payment_receipts PRIMARY KEY (provider, terminal, provider_reference), 
    CONSTRAINT fk_payment_receipts_store_id_payment_id FOREIGN KEY(store_id, payment_id) REFERENCES payments (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payment_receipts_payment_id ON payment_receipts (payment_id);

CREATE TABLE stock (
    variant_id INTEGER NOT NULL, 
    product_id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    available INTEGER, 
    held INTEGER NOT NULL, 
    sold INTEGER NOT NULL, 
    CONSTRAINT pk_stock PRIMARY KEY (variant_id), 
    CONSTRAINT ck_stock_available CHECK (available >= 0), 
    CONSTRAINT ck_stock_held CHECK (held >= 0), 
    CONSTRAINT ck_stock_sold CHECK (sold >= 0), 
    CONSTRAINT fk_stock_store_id_variant_id FOREIGN KEY(store_id, variant_id) REFERENCES variants (store_id, id)
)
 STRICT;

CREATE INDEX ix_stock_product_id ON stock (product_id);

CREATE VIRTUAL TABLE product_fts USING fts5(
        body, content='product_search', content_rowid='product_id',
        tokenize='unicode61', prefix='2 3'
    );

CREATE TRIGGER product_search_insert AFTER INSERT ON product_search BEGIN
        INSERT INTO product_fts (rowid, body) VALUES (new.product_id, new.body);
    END;

CREATE TRIGGER product_search_delete AFTER DELETE ON product_search BEGIN
        INSERT INTO product_fts (product_fts, rowid, body)
        VALUES ('delete', old.product_id, old.body);
    END;

CREATE TRIGGER product_search_update AFTER UPDATE ON product_search BEGIN
        INSERT INTO product_fts (product_fts, rowid, body)
        VALUES ('delete', old.product_id, old.body);
        INSERT INTO product_fts (rowid, body) VALUES (new.product_id, new.body);
    END;

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING version_num;

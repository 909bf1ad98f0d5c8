-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0008_discounts.py; do not edit

CREATE TABLE promotions (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    code TEXT, 
    code_key TEXT, 
    name TEXT, 
    kind TEXT NOT NULL, 
    value INTEGER NOT NULL, 
    buy_quantity INTEGER, 
    get_quantity INTEGER, 
    uses_per_order_max INTEGER, 
    starts_at INTEGER, 
    ends_at INTEGER, 
    minimum_dirhams INTEGER, 
    scope TEXT NOT NULL, 
    usage_limit INTEGER, 
    per_customer_limit INTEGER, 
    is_active INTEGER NOT NULL, 
    priority INTEGER NOT NULL, 
    is_stackable INTEGER NOT NULL, 
    used INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    deleted_at INTEGER, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_promotions PRIMARY KEY (id), 
    CONSTRAINT ck_promotions_used CHECK (used >= 0), 
    CONSTRAINT ck_promotions_kind CHECK (kind IN ('percent', 'fixed', 'free_shipping', 'buy_x_get_y')), 
    CONSTRAINT fk_promotions_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_promotions_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE UNIQUE INDEX uq_promotions_code ON promotions (store_id, code_key) WHERE code_key IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX ix_promotions_automatic ON promotions (store_id, id) WHERE code_key IS NULL AND deleted_at IS NULL;

CREATE TABLE promotion_uses (
    store_id INTEGER NOT NULL, 
    promotion_id TEXT NOT NULL, 
    subject TEXT NOT NULL, 
    used INTEGER NOT NULL, 
    CONSTRAINT pk_promotion_uses PRIMARY KEY (store_id, promotion_id, subject), 
    CONSTRAINT ck_promotion_uses_used CHECK (used >= 0), 
    CONSTRAINT fk_promotion_uses_store_id_promotion_id FOREIGN KEY(store_id, promotion_id) REFERENCES promotions (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE order_promotions (
    order_id TEXT NOT NULL, 
    promotion_id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    dirhams INTEGER NOT NULL, 
    is_counted INTEGER NOT NULL, 
    subjects TEXT NOT NULL, 
    is_given_back INTEGER NOT NULL, 
    CONSTRAINT pk_order_promotions PRIMARY KEY (order_id, promotion_id), 
    CONSTRAINT fk_order_promotions_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT fk_order_promotions_store_id_promotion_id FOREIGN KEY(store_id, promotion_id) REFERENCES promotions (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_order_promotions_promotion_id ON order_promotions (promotion_id) WHERE is_given_back = 0;

UPDATE alembic_version SET version_num='0008' WHERE alembic_version.version_num = '0007';

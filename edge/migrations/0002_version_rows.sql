-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0002_version_rows.py; do not edit

CREATE TABLE store_versions (
    store_id INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    active_products INTEGER NOT NULL, 
    CONSTRAINT pk_store_versions PRIMARY KEY (store_id), 
    CONSTRAINT fk_store_versions_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
)
 STRICT;

INSERT INTO store_versions (store_id, version, active_products) SELECT id, 1, (SELECT count(*) FROM products WHERE products.store_id = stores.id AND products.status = 'active') FROM stores;

CREATE TABLE product_cards (
    product_id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    body TEXT NOT NULL, 
    CONSTRAINT pk_product_cards PRIMARY KEY (product_id), 
    CONSTRAINT fk_product_cards_store_id_product_id FOREIGN KEY(store_id, product_id) REFERENCES products (store_id, id)
)
 STRICT;

CREATE TABLE movements_before AS SELECT * FROM stock_movements;

DROP TABLE stock_movements;

CREATE TABLE stock_movements (
    subject_id TEXT NOT NULL, 
    variant_id INTEGER NOT NULL, 
    kind TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    quantity INTEGER NOT NULL, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_stock_movements PRIMARY KEY (subject_id, variant_id, kind), 
    CONSTRAINT ck_stock_movements_kind CHECK (kind IN ('receive', 'track', 'untrack', 'hold', 'release', 'consume', 'restock'))
)
 WITHOUT ROWID,
 STRICT;

INSERT INTO stock_movements (subject_id, variant_id, kind, store_id, quantity, at) SELECT coalesce(order_id, id), variant_id, kind, store_id, quantity, at FROM movements_before;

DROP TABLE movements_before;

CREATE TABLE entries_before AS SELECT * FROM ledger_entries;

DROP TABLE ledger_entries;

CREATE TABLE ledger_entries (
    store_id INTEGER NOT NULL, 
    transaction_id TEXT NOT NULL, 
    position INTEGER NOT NULL, 
    account TEXT NOT NULL, 
    dirhams INTEGER NOT NULL, 
    reason TEXT NOT NULL, 
    order_id TEXT, 
    payment_id TEXT, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_ledger_entries PRIMARY KEY (store_id, transaction_id, position), 
    CONSTRAINT fk_ledger_entries_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
)
 WITHOUT ROWID,
 STRICT;

INSERT INTO ledger_entries (store_id, transaction_id, position, account, dirhams, reason, order_id, payment_id, at) SELECT store_id, transaction_id, position, account, dirhams, reason, order_id, payment_id, at FROM entries_before;

DROP TABLE entries_before;

DROP INDEX ix_orders_customer_user_id_id;

CREATE INDEX ix_orders_customer_user_id_id ON orders (customer_user_id, id) WHERE customer_user_id IS NOT NULL;

CREATE INDEX ix_stock_sold_out ON stock (product_id, variant_id) WHERE available = 0;

CREATE TRIGGER stock_shown AFTER UPDATE OF available ON stock
    WHEN (new.available = 0) IS NOT (old.available = 0) BEGIN
        UPDATE store_versions SET version = version + 1 WHERE store_id = new.store_id;
    END;

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

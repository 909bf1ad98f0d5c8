-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0012_returns.py; do not edit

CREATE TABLE returns (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    status TEXT NOT NULL, 
    reason TEXT, 
    decision TEXT, 
    replacement TEXT NOT NULL, 
    replacement_order_id TEXT, 
    replacement_dirhams INTEGER, 
    refund_dirhams INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_returns PRIMARY KEY (id), 
    CONSTRAINT ck_returns_refund_dirhams CHECK (refund_dirhams >= 0), 
    CONSTRAINT fk_returns_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT uq_returns_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_returns_store_id_order_id ON returns (store_id, order_id);

CREATE INDEX ix_returns_store_id_status_id ON returns (store_id, status, id);

CREATE TABLE return_lines (
    return_id TEXT NOT NULL, 
    variant_id INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    quantity INTEGER NOT NULL, 
    reason TEXT, 
    outcome TEXT, 
    amount_dirhams INTEGER NOT NULL, 
    CONSTRAINT pk_return_lines PRIMARY KEY (return_id, variant_id), 
    CONSTRAINT ck_return_lines_quantity CHECK (quantity > 0), 
    CONSTRAINT fk_return_lines_store_id_return_id FOREIGN KEY(store_id, return_id) REFERENCES returns (store_id, id), 
    CONSTRAINT fk_return_lines_store_id_variant_id FOREIGN KEY(store_id, variant_id) REFERENCES variants (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

UPDATE alembic_version SET version_num='0012' WHERE alembic_version.version_num = '0011';

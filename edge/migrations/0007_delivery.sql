-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0007_delivery.py; do not edit

ALTER TABLE products ADD COLUMN weight_grams INTEGER;

ALTER TABLE variants ADD COLUMN weight_grams INTEGER;

CREATE TABLE shipping_zones (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    name_en TEXT, 
    places TEXT NOT NULL, 
    rates TEXT NOT NULL, 
    is_active INTEGER NOT NULL, 
    position INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_shipping_zones PRIMARY KEY (id), 
    CONSTRAINT fk_shipping_zones_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_shipping_zones_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006';

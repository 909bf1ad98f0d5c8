-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0006_order_amounts.py; do not edit

ALTER TABLE orders ADD COLUMN weight_grams INTEGER DEFAULT 0 NOT NULL;

ALTER TABLE orders ADD COLUMN commission_bp INTEGER DEFAULT 0 NOT NULL;

ALTER TABLE order_lines ADD COLUMN discount_dirhams INTEGER DEFAULT 0 NOT NULL;

ALTER TABLE order_lines ADD COLUMN weight_grams INTEGER DEFAULT 0 NOT NULL;

ALTER TABLE orders ADD COLUMN coupon_code TEXT;

CREATE TABLE order_traces (
    order_id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    trace TEXT NOT NULL, 
    CONSTRAINT pk_order_traces PRIMARY KEY (order_id), 
    CONSTRAINT fk_order_traces_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005';

-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0024_risk.py; do not edit

CREATE TABLE risk_events (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    subject TEXT NOT NULL, 
    CONSTRAINT pk_risk_events PRIMARY KEY (id), 
    CONSTRAINT fk_risk_events_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_risk_events_subject_id ON risk_events (subject, id);

CREATE INDEX ix_risk_events_store_id_order_id ON risk_events (store_id, order_id);

CREATE TABLE order_reviews (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    payment_id TEXT, 
    state TEXT NOT NULL, 
    findings TEXT NOT NULL, 
    opened_at INTEGER NOT NULL, 
    decided_at INTEGER, 
    decided_by TEXT, 
    reason TEXT, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_order_reviews PRIMARY KEY (id), 
    CONSTRAINT fk_order_reviews_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT fk_order_reviews_store_id_payment_id FOREIGN KEY(store_id, payment_id) REFERENCES payments (store_id, id), 
    CONSTRAINT uq_order_reviews_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_order_reviews_store_id_state_id ON order_reviews (store_id, state, id);

CREATE INDEX ix_order_reviews_store_id_order_id ON order_reviews (store_id, order_id);

CREATE UNIQUE INDEX uq_order_reviews_open ON order_reviews (store_id, order_id) WHERE state = 'open';

ALTER TABLE orders ADD COLUMN is_held INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE stores ADD COLUMN risk_rules TEXT;

UPDATE alembic_version SET version_num='0024' WHERE alembic_version.version_num = '0023';

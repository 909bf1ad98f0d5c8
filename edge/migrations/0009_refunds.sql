-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0009_refunds.py; do not edit

ALTER TABLE orders ADD COLUMN refunds_opened_dirhams INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE orders ADD COLUMN refunded_dirhams INTEGER DEFAULT '0' NOT NULL;

CREATE TABLE refunds (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    payment_id TEXT, 
    provider TEXT, 
    terminal TEXT, 
    receipt_reference TEXT, 
    amount_dirhams INTEGER NOT NULL, 
    goods_dirhams INTEGER NOT NULL, 
    delivery_dirhams INTEGER NOT NULL, 
    lines TEXT NOT NULL, 
    reason TEXT NOT NULL, 
    status TEXT NOT NULL, 
    kind TEXT NOT NULL, 
    through TEXT, 
    provider_reference TEXT, 
    failure TEXT, 
    requested_by TEXT NOT NULL, 
    completed_by TEXT, 
    note TEXT, 
    attempts INTEGER NOT NULL, 
    sent_at INTEGER, 
    next_try_at INTEGER, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_refunds PRIMARY KEY (id), 
    CONSTRAINT ck_refunds_amount CHECK (amount_dirhams > 0), 
    CONSTRAINT fk_refunds_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT fk_refunds_store_id_payment_id FOREIGN KEY(store_id, payment_id) REFERENCES payments (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_refunds_order_id ON refunds (order_id);

CREATE INDEX ix_refunds_store_id_status_id ON refunds (store_id, status, id);

CREATE INDEX ix_refunds_next_try_at ON refunds (next_try_at) WHERE next_try_at IS NOT NULL;

CREATE UNIQUE INDEX uq_refunds_under_way ON refunds (provider, terminal, receipt_reference) WHERE status IN ('sending', 'unknown');

CREATE UNIQUE INDEX uq_refunds_suspense ON refunds (provider, terminal, receipt_reference) WHERE kind = 'suspense';

UPDATE alembic_version SET version_num='0009' WHERE alembic_version.version_num = '0008';

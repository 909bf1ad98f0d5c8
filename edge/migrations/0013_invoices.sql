-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0013_invoices.py; do not edit

CREATE TABLE invoices (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    kind TEXT NOT NULL, 
    number INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    refund_id TEXT, 
    issued_at INTEGER NOT NULL, 
    content TEXT NOT NULL, 
    CONSTRAINT pk_invoices PRIMARY KEY (id), 
    CONSTRAINT ck_invoices_kind CHECK (kind IN ('invoice', 'credit_note')), 
    CONSTRAINT ck_invoices_refund CHECK ((kind = 'credit_note') = (refund_id IS NOT NULL)), 
    CONSTRAINT fk_invoices_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT uq_invoices_store_id_kind_number UNIQUE (store_id, kind, number)
)
 STRICT;

CREATE INDEX ix_invoices_store_id_order_id ON invoices (store_id, order_id);

CREATE UNIQUE INDEX uq_invoices_order ON invoices (store_id, order_id) WHERE kind = 'invoice';

CREATE UNIQUE INDEX uq_invoices_refund ON invoices (store_id, refund_id) WHERE refund_id IS NOT NULL;

CREATE TABLE invoice_counters (
    store_id INTEGER NOT NULL, 
    kind TEXT NOT NULL, 
    last INTEGER NOT NULL, 
    CONSTRAINT pk_invoice_counters PRIMARY KEY (store_id, kind), 
    CONSTRAINT fk_invoice_counters_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
)
 WITHOUT ROWID,
 STRICT;

UPDATE alembic_version SET version_num='0013' WHERE alembic_version.version_num = '0012';

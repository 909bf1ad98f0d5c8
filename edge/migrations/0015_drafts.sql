-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0015_drafts.py; do not edit

CREATE TABLE draft_orders (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    status TEXT NOT NULL, 
    body TEXT NOT NULL, 
    note TEXT, 
    created_by TEXT NOT NULL, 
    order_id TEXT, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_draft_orders PRIMARY KEY (id), 
    CONSTRAINT ck_draft_orders_status CHECK (status IN ('open', 'placed', 'deleted')), 
    CONSTRAINT fk_draft_orders_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT fk_draft_orders_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT uq_draft_orders_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_draft_orders_store_id_status_id ON draft_orders (store_id, status, id);

CREATE TABLE order_notes (
    order_id TEXT NOT NULL, 
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    text TEXT NOT NULL, 
    author TEXT NOT NULL, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_order_notes PRIMARY KEY (order_id, id), 
    CONSTRAINT fk_order_notes_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE buyer_guards (
    subject TEXT NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_buyer_guards PRIMARY KEY (subject)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_orders_open_by_phone ON orders (customer_phone) WHERE status = 'pending' AND payment_status IN ('pending', 'failed');

UPDATE alembic_version SET version_num='0015' WHERE alembic_version.version_num = '0014';

-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0022_transfers.py; do not edit

CREATE TABLE payment_proofs (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    payment_id TEXT NOT NULL, 
    sender_name TEXT NOT NULL, 
    bank TEXT NOT NULL, 
    sent_on TEXT NOT NULL, 
    bank_reference TEXT NOT NULL, 
    file_key TEXT, 
    file_type TEXT, 
    created_at INTEGER NOT NULL, 
    CONSTRAINT pk_payment_proofs PRIMARY KEY (id), 
    CONSTRAINT fk_payment_proofs_store_id_payment_id FOREIGN KEY(store_id, payment_id) REFERENCES payments (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payment_proofs_store_id_payment_id ON payment_proofs (store_id, payment_id);

CREATE TABLE bank_statements (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    file_name TEXT NOT NULL, 
    file_hash TEXT NOT NULL, 
    rows_total INTEGER NOT NULL, 
    counts TEXT NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    rows TEXT NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_bank_statements PRIMARY KEY (id), 
    CONSTRAINT fk_bank_statements_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_bank_statements_store_id_id UNIQUE (store_id, id), 
    CONSTRAINT uq_bank_statements_store_id_file_hash UNIQUE (store_id, file_hash)
)
 WITHOUT ROWID,
 STRICT;

ALTER TABLE payments ADD COLUMN is_own_account INTEGER DEFAULT '0' NOT NULL;

CREATE INDEX ix_payments_store_id_provider_status_id ON payments (store_id, provider, status, id);

CREATE INDEX ix_payments_review ON payments (store_id, id) WHERE review IS NOT NULL;

CREATE INDEX ix_payment_receipts_reference ON payment_receipts (provider, provider_reference);

UPDATE alembic_version SET version_num='0022' WHERE alembic_version.version_num = '0021';

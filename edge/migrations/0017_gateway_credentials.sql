-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0017_gateway_credentials.py; do not edit

ALTER TABLE stores ADD COLUMN own_gateways TEXT DEFAULT '[]' NOT NULL;

ALTER TABLE payments ADD COLUMN credentials_id TEXT;

CREATE TABLE gateway_credentials (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    provider TEXT NOT NULL, 
    mode TEXT NOT NULL, 
    sealed TEXT NOT NULL, 
    is_current INTEGER NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    ended_at INTEGER, 
    CONSTRAINT pk_gateway_credentials PRIMARY KEY (id), 
    CONSTRAINT ck_gateway_credentials_mode CHECK (mode IN ('test', 'live')), 
    CONSTRAINT fk_gateway_credentials_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_gateway_credentials_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE UNIQUE INDEX uq_gateway_credentials_current ON gateway_credentials (store_id, provider) WHERE is_current = 1;

UPDATE alembic_version SET version_num='0017' WHERE alembic_version.version_num = '0016';

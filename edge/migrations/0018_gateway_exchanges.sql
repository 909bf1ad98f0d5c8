-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0018_gateway_exchanges.py; do not edit

CREATE TABLE gateway_exchanges (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    payment_id TEXT NOT NULL, 
    order_id TEXT NOT NULL, 
    provider TEXT NOT NULL, 
    call TEXT NOT NULL, 
    request TEXT NOT NULL, 
    status INTEGER, 
    reply TEXT NOT NULL, 
    error TEXT, 
    milliseconds INTEGER NOT NULL, 
    request_id TEXT, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_gateway_exchanges PRIMARY KEY (id), 
    CONSTRAINT fk_gateway_exchanges_store_id_payment_id FOREIGN KEY(store_id, payment_id) REFERENCES payments (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_gateway_exchanges_store_id_order_id ON gateway_exchanges (store_id, order_id, id);

CREATE INDEX ix_gateway_exchanges_store_id_payment_id ON gateway_exchanges (store_id, payment_id);

UPDATE alembic_version SET version_num='0018' WHERE alembic_version.version_num = '0017';

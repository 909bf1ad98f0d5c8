-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0010_shipments.py; do not edit

CREATE TABLE shipments (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    carrier TEXT NOT NULL, 
    service TEXT, 
    tracking_number TEXT, 
    status TEXT NOT NULL, 
    goods_dirhams INTEGER NOT NULL, 
    delivery_dirhams INTEGER NOT NULL, 
    cod_dirhams INTEGER NOT NULL, 
    fee_dirhams INTEGER, 
    note TEXT, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_shipments PRIMARY KEY (id), 
    CONSTRAINT fk_shipments_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT uq_shipments_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_shipments_order_id ON shipments (order_id);

CREATE UNIQUE INDEX uq_shipments_tracking_number ON shipments (store_id, carrier, tracking_number) WHERE tracking_number IS NOT NULL;

CREATE TABLE shipment_lines (
    shipment_id TEXT NOT NULL, 
    position INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    quantity INTEGER NOT NULL, 
    CONSTRAINT pk_shipment_lines PRIMARY KEY (shipment_id, position), 
    CONSTRAINT fk_shipment_lines_store_id_shipment_id FOREIGN KEY(store_id, shipment_id) REFERENCES shipments (store_id, id), 
    CONSTRAINT ck_shipment_lines_quantity CHECK (quantity > 0)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE shipment_events (
    shipment_id TEXT NOT NULL, 
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    raw_status TEXT NOT NULL, 
    status TEXT, 
    source TEXT NOT NULL, 
    note TEXT, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_shipment_events PRIMARY KEY (shipment_id, id), 
    CONSTRAINT fk_shipment_events_store_id_shipment_id FOREIGN KEY(store_id, shipment_id) REFERENCES shipments (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE cod_collections (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    shipment_id TEXT, 
    carrier TEXT NOT NULL, 
    state TEXT NOT NULL, 
    expected_dirhams INTEGER NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    fee_dirhams INTEGER NOT NULL, 
    short_dirhams INTEGER NOT NULL, 
    collected_at INTEGER NOT NULL, 
    remitted_at INTEGER, 
    remittance_id TEXT, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_cod_collections PRIMARY KEY (id), 
    CONSTRAINT fk_cod_collections_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id), 
    CONSTRAINT fk_cod_collections_store_id_shipment_id FOREIGN KEY(store_id, shipment_id) REFERENCES shipments (store_id, id), 
    CONSTRAINT ck_cod_collections_amount CHECK (amount_dirhams >= 0)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_cod_collections_order_id ON cod_collections (order_id);

CREATE INDEX ix_cod_collections_held ON cod_collections (collected_at) WHERE state = 'collected';

CREATE INDEX ix_cod_collections_store_id_state_collected_at ON cod_collections (store_id, state, collected_at);

CREATE UNIQUE INDEX uq_cod_collections_shipment_id ON cod_collections (shipment_id) WHERE shipment_id IS NOT NULL;

CREATE TABLE cod_cases (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    order_id TEXT NOT NULL, 
    shipment_id TEXT, 
    collection_id TEXT, 
    remittance_id TEXT, 
    carrier TEXT NOT NULL, 
    kind TEXT NOT NULL, 
    stage TEXT NOT NULL, 
    state TEXT NOT NULL, 
    expected_dirhams INTEGER NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    fee_dirhams INTEGER NOT NULL, 
    happened_at INTEGER NOT NULL, 
    resolution TEXT, 
    note TEXT, 
    created_at INTEGER NOT NULL, 
    resolved_at INTEGER, 
    resolved_by TEXT, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_cod_cases PRIMARY KEY (id), 
    CONSTRAINT fk_cod_cases_store_id_order_id FOREIGN KEY(store_id, order_id) REFERENCES orders (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_cod_cases_store_id_state_id ON cod_cases (store_id, state, id);

CREATE INDEX ix_cod_cases_order_id ON cod_cases (order_id);

CREATE UNIQUE INDEX uq_cod_cases_late ON cod_cases (collection_id) WHERE kind = 'late';

CREATE TABLE cod_remittances (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    carrier TEXT NOT NULL, 
    file_name TEXT NOT NULL, 
    file_hash TEXT NOT NULL, 
    rows_total INTEGER NOT NULL, 
    counts TEXT NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    fee_dirhams INTEGER NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_cod_remittances PRIMARY KEY (id), 
    CONSTRAINT fk_cod_remittances_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT uq_cod_remittances_store_id_id UNIQUE (store_id, id), 
    CONSTRAINT uq_cod_remittances_store_id_carrier_file_hash UNIQUE (store_id, carrier, file_hash)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE cod_remittance_rows (
    remittance_id TEXT NOT NULL, 
    number INTEGER NOT NULL, 
    store_id INTEGER NOT NULL, 
    tracking_number TEXT NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    fee_dirhams INTEGER NOT NULL, 
    paid_on TEXT, 
    outcome TEXT NOT NULL, 
    expected_dirhams INTEGER, 
    shipment_id TEXT, 
    CONSTRAINT pk_cod_remittance_rows PRIMARY KEY (remittance_id, number), 
    CONSTRAINT fk_cod_remittance_rows_store_id_remittance_id FOREIGN KEY(store_id, remittance_id) REFERENCES cod_remittances (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

UPDATE alembic_version SET version_num='0010' WHERE alembic_version.version_num = '0009';

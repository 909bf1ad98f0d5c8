-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0014_customers.py; do not edit

CREATE TABLE addresses (
    id TEXT NOT NULL, 
    user_id INTEGER NOT NULL, 
    slot INTEGER NOT NULL, 
    label TEXT NOT NULL, 
    name TEXT NOT NULL, 
    phone TEXT NOT NULL, 
    city_code TEXT NOT NULL, 
    area TEXT, 
    landmark TEXT, 
    address TEXT NOT NULL, 
    latitude_microdegrees INTEGER, 
    longitude_microdegrees INTEGER, 
    notes TEXT, 
    is_default INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    updated_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_addresses PRIMARY KEY (id), 
    CONSTRAINT ck_addresses_slot CHECK (slot >= 0 AND slot < 50), 
    CONSTRAINT fk_addresses_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
    CONSTRAINT uq_addresses_user_id_slot UNIQUE (user_id, slot)
)
 WITHOUT ROWID,
 STRICT;

CREATE UNIQUE INDEX uq_addresses_default ON addresses (user_id) WHERE is_default = 1;

CREATE TABLE proven_phones (
    phone TEXT NOT NULL, 
    user_id INTEGER NOT NULL, 
    proven_at INTEGER NOT NULL, 
    CONSTRAINT pk_proven_phones PRIMARY KEY (phone), 
    CONSTRAINT fk_proven_phones_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_proven_phones_user_id ON proven_phones (user_id);

CREATE TABLE phone_codes (
    user_id INTEGER NOT NULL, 
    phone TEXT NOT NULL, 
    code_hash TEXT NOT NULL, 
    tries INTEGER NOT NULL, 
    expires_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_phone_codes PRIMARY KEY (user_id), 
    CONSTRAINT fk_phone_codes_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 STRICT;

CREATE INDEX ix_phone_codes_expires_at ON phone_codes (expires_at);

CREATE INDEX ix_orders_store_id_customer_phone_id ON orders (store_id, customer_phone, id);

CREATE INDEX ix_orders_guest_phone ON orders (customer_phone) WHERE customer_user_id IS NULL;

CREATE INDEX ix_orders_guest_email ON orders (customer_email) WHERE customer_user_id IS NULL AND customer_email IS NOT NULL;

UPDATE alembic_version SET version_num='0014' WHERE alembic_version.version_num = '0013';

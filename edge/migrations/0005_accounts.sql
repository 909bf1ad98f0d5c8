-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0005_accounts.py; do not edit

ALTER TABLE sessions ADD COLUMN admin_id INTEGER;

CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);

ALTER TABLE stores ADD COLUMN standing TEXT DEFAULT 'approved' NOT NULL;

ALTER TABLE stores ADD COLUMN standing_reason TEXT;

CREATE INDEX ix_users_admin ON users (id) WHERE role = 'admin';

DROP INDEX ix_audit_records_store_id_at;

CREATE INDEX ix_audit_records_store_id_id ON audit_records (store_id, id);

DROP INDEX uq_memberships_owner_store;

CREATE TABLE second_factors (
    user_id INTEGER NOT NULL, 
    secret_sealed TEXT NOT NULL, 
    enabled_at INTEGER, 
    last_step INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_second_factors PRIMARY KEY (user_id), 
    CONSTRAINT fk_second_factors_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 STRICT;

CREATE TABLE recovery_codes (
    user_id INTEGER NOT NULL, 
    code_hash TEXT NOT NULL, 
    used_at INTEGER, 
    CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash), 
    CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE identities (
    provider TEXT NOT NULL, 
    subject TEXT NOT NULL, 
    user_id INTEGER NOT NULL, 
    email TEXT NOT NULL, 
    created_at INTEGER NOT NULL, 
    CONSTRAINT pk_identities PRIMARY KEY (provider, subject), 
    CONSTRAINT fk_identities_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_identities_user_id ON identities (user_id);

CREATE TABLE api_keys (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    name TEXT NOT NULL, 
    secret_hash TEXT NOT NULL, 
    scopes TEXT NOT NULL, 
    created_by INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    expires_at INTEGER, 
    last_used_at INTEGER, 
    revoked_at INTEGER, 
    CONSTRAINT pk_api_keys PRIMARY KEY (id), 
    CONSTRAINT fk_api_keys_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT fk_api_keys_created_by FOREIGN KEY(created_by) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_api_keys_store_id_id ON api_keys (store_id, id);

CREATE TABLE invitations (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    email TEXT NOT NULL, 
    role TEXT NOT NULL, 
    invited_by INTEGER NOT NULL, 
    created_at INTEGER NOT NULL, 
    expires_at INTEGER NOT NULL, 
    closed_at INTEGER, 
    accepted_by INTEGER, 
    CONSTRAINT pk_invitations PRIMARY KEY (id), 
    CONSTRAINT fk_invitations_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT fk_invitations_invited_by FOREIGN KEY(invited_by) REFERENCES users (id), 
    CONSTRAINT fk_invitations_accepted_by FOREIGN KEY(accepted_by) REFERENCES users (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE UNIQUE INDEX uq_invitations_open ON invitations (store_id, email) WHERE closed_at IS NULL;

CREATE TABLE audit_seals (
    store_id INTEGER NOT NULL, 
    number INTEGER NOT NULL, 
    record_id TEXT NOT NULL, 
    hash TEXT NOT NULL, 
    sealed_at INTEGER NOT NULL, 
    CONSTRAINT pk_audit_seals PRIMARY KEY (store_id, number), 
    CONSTRAINT uq_audit_seals_record_id UNIQUE (record_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE leases (
    name TEXT NOT NULL, 
    holder TEXT NOT NULL, 
    until INTEGER NOT NULL, 
    CONSTRAINT pk_leases PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT;

UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';

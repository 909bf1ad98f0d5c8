-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0019_reconciliations.py; do not edit

CREATE TABLE reconciliations (
    provider TEXT NOT NULL, 
    terminal TEXT NOT NULL, 
    day TEXT NOT NULL, 
    matched INTEGER NOT NULL, 
    differing INTEGER NOT NULL, 
    report TEXT NOT NULL, 
    at INTEGER NOT NULL, 
    CONSTRAINT pk_reconciliations PRIMARY KEY (provider, terminal, day)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_reconciliations_day ON reconciliations (day);

CREATE INDEX ix_payment_receipts_provider_terminal_at ON payment_receipts (provider, terminal, at);

UPDATE alembic_version SET version_num='0019' WHERE alembic_version.version_num = '0018';

-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0016_payment_wire.py; do not edit

ALTER TABLE payments ADD COLUMN wire_minor INTEGER;

ALTER TABLE payments ADD COLUMN rate_micro INTEGER;

ALTER TABLE payments ADD COLUMN rate_source TEXT;

ALTER TABLE payments ADD COLUMN session TEXT;

ALTER TABLE payments ADD COLUMN code_tries INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE payment_receipts ADD COLUMN wire_minor INTEGER;

ALTER TABLE payment_news ADD COLUMN proof TEXT;

UPDATE alembic_version SET version_num='0016' WHERE alembic_version.version_num = '0015';

-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0023_exchanged_money.py; do not edit

ALTER TABLE refunds ADD COLUMN paid_order_id TEXT;

CREATE INDEX ix_refunds_payment_id ON refunds (payment_id) WHERE payment_id IS NOT NULL;

CREATE INDEX ix_refunds_paid_order_id ON refunds (paid_order_id) WHERE paid_order_id IS NOT NULL;

UPDATE alembic_version SET version_num='0023' WHERE alembic_version.version_num = '0022';

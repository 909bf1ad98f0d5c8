-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0026_queues_by_account.py; do not edit

CREATE INDEX ix_payments_due ON payments (next_check_at, provider, credentials_id) WHERE next_check_at IS NOT NULL;

DROP INDEX ix_payments_next_check_at;

CREATE INDEX ix_payment_news_of_gateway_waiting ON payment_news (received_at, provider) WHERE outcome IS NULL;

DROP INDEX ix_payment_news_waiting;

UPDATE alembic_version SET version_num='0026' WHERE alembic_version.version_num = '0025';

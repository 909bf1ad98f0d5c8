-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0025_indexes.py; do not edit

CREATE INDEX ix_payments_order_id_store_id_id ON payments (order_id, store_id, id);

DROP INDEX ix_payments_order_id;

CREATE INDEX ix_refunds_provider_reference ON refunds (provider, provider_reference);

CREATE INDEX ix_refunds_provider_updated_at ON refunds (provider, updated_at);

CREATE INDEX ix_risk_events_subject_store_id_id ON risk_events (subject, store_id, id);

DROP INDEX ix_risk_events_subject_id;

UPDATE alembic_version SET version_num='0025' WHERE alembic_version.version_num = '0024';

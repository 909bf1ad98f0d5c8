-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0021_privacy.py; do not edit

ALTER TABLE draft_orders ADD COLUMN customer_phone TEXT;

UPDATE draft_orders SET customer_phone = json_extract(body, '$.customer_phone');

CREATE INDEX ix_draft_orders_customer_phone ON draft_orders (customer_phone, store_id) WHERE customer_phone IS NOT NULL;

CREATE INDEX ix_outbox_dead ON outbox (created_at) WHERE is_dead = 1;

CREATE INDEX ix_payment_news_reference ON payment_news (reference);

CREATE INDEX ix_invitations_email ON invitations (email);

CREATE INDEX ix_invitations_invited_by ON invitations (invited_by);

CREATE INDEX ix_invitations_accepted_by ON invitations (accepted_by);

CREATE INDEX ix_api_keys_created_by ON api_keys (created_by);

DELETE FROM buyer_guards;

UPDATE alembic_version SET version_num='0021' WHERE alembic_version.version_num = '0020';

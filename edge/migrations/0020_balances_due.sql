-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0020_balances_due.py; do not edit

ALTER TABLE orders ADD COLUMN due_dirhams INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE orders ADD COLUMN paid_dirhams INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE orders ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE invoices ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL;

DROP INDEX uq_invoices_order;

CREATE UNIQUE INDEX uq_invoices_order ON invoices (store_id, order_id, revision) WHERE kind = 'invoice';

ALTER TABLE shipments ADD COLUMN carrier_name TEXT;

UPDATE orders SET due_dirhams = found.dirhams FROM (
        SELECT order_id, SUM(dirhams) AS dirhams FROM ledger_entries
        WHERE account = 'receivable' AND order_id IS NOT NULL GROUP BY order_id
    ) AS found WHERE found.order_id = orders.id;

UPDATE orders SET paid_dirhams = found.dirhams FROM (
        SELECT order_id,
            SUM(CASE WHEN account = 'receivable' THEN -dirhams ELSE dirhams END) AS dirhams
        FROM ledger_entries
        WHERE order_id IS NOT NULL AND (
            account = 'receivable' AND reason IN ('payment.received', 'suspense.applied')
            OR reason = 'cod.collected' AND substr(account, 1, 8) = 'courier:'
        ) GROUP BY order_id
    ) AS found WHERE found.order_id = orders.id;

UPDATE alembic_version SET version_num='0020' WHERE alembic_version.version_num = '0019';

-- made by tools/d1_migrations.py from src/eishro/db/migrations/versions/0011_books.py; do not edit

ALTER TABLE stores ADD COLUMN commission_bp INTEGER;

CREATE INDEX ix_ledger_entries_order ON ledger_entries (store_id, order_id, transaction_id) WHERE position = 0 AND order_id IS NOT NULL;

CREATE INDEX ix_ledger_entries_account ON ledger_entries (store_id, account, transaction_id) WHERE account <> 'receivable' AND account <> 'sales' AND account <> 'delivery';

CREATE TABLE ledger_balances (
    store_id INTEGER NOT NULL, 
    account TEXT NOT NULL, 
    dirhams INTEGER NOT NULL, 
    through_transaction_id TEXT NOT NULL, 
    CONSTRAINT pk_ledger_balances PRIMARY KEY (store_id, account), 
    CONSTRAINT fk_ledger_balances_store_id FOREIGN KEY(store_id) REFERENCES stores (id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE payout_accounts (
    store_id INTEGER NOT NULL, 
    beneficiary TEXT NOT NULL, 
    bank TEXT NOT NULL, 
    iban TEXT NOT NULL, 
    changed_by INTEGER NOT NULL, 
    changed_at INTEGER NOT NULL, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_payout_accounts PRIMARY KEY (store_id), 
    CONSTRAINT fk_payout_accounts_store_id FOREIGN KEY(store_id) REFERENCES stores (id), 
    CONSTRAINT fk_payout_accounts_changed_by FOREIGN KEY(changed_by) REFERENCES users (id)
)
 STRICT;

CREATE TABLE payouts (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    status TEXT NOT NULL, 
    beneficiary TEXT NOT NULL, 
    bank TEXT NOT NULL, 
    iban TEXT NOT NULL, 
    requested_by INTEGER NOT NULL, 
    requested_at INTEGER NOT NULL, 
    not_before INTEGER NOT NULL, 
    approved_by INTEGER, 
    approved_at INTEGER, 
    paid_by INTEGER, 
    paid_at INTEGER, 
    reference TEXT, 
    closed_by INTEGER, 
    closed_at INTEGER, 
    reason TEXT, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_payouts PRIMARY KEY (id), 
    CONSTRAINT ck_payouts_amount CHECK (amount_dirhams > 0), 
    CONSTRAINT ck_payouts_two_people CHECK (approved_by <> requested_by AND paid_by <> approved_by), 
    CONSTRAINT fk_payouts_store_id FOREIGN KEY(store_id) REFERENCES payout_accounts (store_id), 
    CONSTRAINT fk_payouts_requested_by FOREIGN KEY(requested_by) REFERENCES users (id), 
    CONSTRAINT fk_payouts_approved_by FOREIGN KEY(approved_by) REFERENCES users (id), 
    CONSTRAINT fk_payouts_paid_by FOREIGN KEY(paid_by) REFERENCES users (id), 
    CONSTRAINT fk_payouts_closed_by FOREIGN KEY(closed_by) REFERENCES users (id), 
    CONSTRAINT uq_payouts_store_id_id UNIQUE (store_id, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_payouts_status_id ON payouts (status, id);

CREATE INDEX ix_payouts_store_id_status ON payouts (store_id, status);

CREATE TABLE suspense_items (
    id TEXT NOT NULL, 
    store_id INTEGER NOT NULL, 
    payment_id TEXT NOT NULL, 
    order_id TEXT NOT NULL, 
    provider TEXT NOT NULL, 
    terminal TEXT NOT NULL, 
    provider_reference TEXT NOT NULL, 
    amount_dirhams INTEGER NOT NULL, 
    currency TEXT NOT NULL, 
    reason TEXT NOT NULL, 
    status TEXT NOT NULL, 
    assigned_to INTEGER, 
    due_at INTEGER NOT NULL, 
    opened_at INTEGER NOT NULL, 
    resolution TEXT, 
    resolved_order_id TEXT, 
    resolved_by TEXT, 
    resolved_at INTEGER, 
    version INTEGER NOT NULL, 
    CONSTRAINT pk_suspense_items PRIMARY KEY (id), 
    CONSTRAINT fk_suspense_items_assigned_to FOREIGN KEY(assigned_to) REFERENCES users (id), 
    CONSTRAINT fk_suspense_items_store_id_payment_id FOREIGN KEY(store_id, payment_id) REFERENCES payments (store_id, id), 
    CONSTRAINT uq_suspense_items_store_id_id UNIQUE (store_id, id), 
    CONSTRAINT uq_suspense_items_provider_terminal_provider_reference UNIQUE (provider, terminal, provider_reference)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_suspense_items_resolved_order_id ON suspense_items (resolved_order_id) WHERE resolved_order_id IS NOT NULL;

CREATE INDEX ix_suspense_items_waiting ON suspense_items (due_at, id) WHERE status <> 'resolved';

INSERT INTO suspense_items (id, store_id, payment_id, order_id,
    provider, terminal, provider_reference, amount_dirhams, currency, reason, status, due_at,
    opened_at, version)
SELECT 'sus_' || substr(r.payment_id, 5) || '-' || CAST(row_number() OVER (
        PARTITION BY r.payment_id ORDER BY r.terminal, r.provider_reference) AS TEXT),
    r.store_id, r.payment_id, p.order_id, r.provider, r.terminal, r.provider_reference,
    r.amount_dirhams, r.currency, coalesce(r.reason, 'unknown'), 'open', r.at + 604800000000,
    r.at, 1
FROM payment_receipts AS r JOIN payments AS p ON p.store_id = r.store_id AND p.id = r.payment_id
WHERE r.applied = 0;

CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only');
    END;

CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only');
    END;

UPDATE alembic_version SET version_num='0011' WHERE alembic_version.version_num = '0010';

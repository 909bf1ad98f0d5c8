"""The books: entries that cannot be changed, kept balances, payouts, suspense with an owner and a
deadline, and a commission of a store's own.
"""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)
_RARE = "account <> 'receivable' AND account <> 'sales' AND account <> 'delivery'"
_FIRST = "position = 0 AND order_id IS NOT NULL"
_WAITING = "status <> 'resolved'"

_KEPT_SQLITE = tuple(
    f"""CREATE TRIGGER ledger_entries_no_{verb.lower()} BEFORE {verb} ON ledger_entries BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only');
    END"""
    for verb in ("UPDATE", "DELETE")
)
_KEPT_POSTGRESQL = (
    """CREATE FUNCTION eishro_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION USING ERRCODE = 'ES002', MESSAGE = 'the ledger is append-only';
    END $$""",
    """CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION eishro_append_only()""",
    "REVOKE UPDATE, DELETE, TRUNCATE ON ledger_entries FROM eishro_app",
)
# Money that was stranded before there were items: one each, a week from when it came.
_ITEMS_OF_OLD_RECEIPTS = """INSERT INTO suspense_items (id, store_id, payment_id, order_id,
    provider, terminal, provider_reference, amount_dirhams, currency, reason, status, due_at,
    opened_at, version)
SELECT 'sus_' || substr(r.payment_id, 5) || '-' || CAST(row_number() OVER (
        PARTITION BY r.payment_id ORDER BY r.terminal, r.provider_reference) AS TEXT),
    r.store_id, r.payment_id, p.order_id, r.provider, r.terminal, r.provider_reference,
    r.amount_dirhams, r.currency, coalesce(r.reason, 'unknown'), 'open', r.at + 604800000000,
    r.at, 1
FROM payment_receipts AS r JOIN payments AS p ON p.store_id = r.store_id AND p.id = r.payment_id
WHERE r.applied = 0"""


def upgrade() -> None:
    op.add_column("stores", sa.Column("commission_bp", types.Int(), nullable=True))
    op.create_index(
        "ix_ledger_entries_order",
        "ledger_entries",
        ["store_id", "order_id", "transaction_id"],
        sqlite_where=sa.text(_FIRST),
        postgresql_where=sa.text(_FIRST),
    )
    op.create_index(
        "ix_ledger_entries_account",
        "ledger_entries",
        ["store_id", "account", "transaction_id"],
        sqlite_where=sa.text(_RARE),
        postgresql_where=sa.text(_RARE),
    )
    _ledger_balances()
    _payouts()
    _suspense_items()
    is_sqlite = context.get_context().dialect.name == "sqlite"
    for statement in _KEPT_SQLITE if is_sqlite else _KEPT_POSTGRESQL:
        op.execute(statement)
    if not is_sqlite:
        for table in ("ledger_balances", "payout_accounts", "payouts", "suspense_items"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    raise NotImplementedError("payouts and suspense would be lost; restore a backup")


def _ledger_balances() -> None:
    op.create_table(
        "ledger_balances",
        sa.Column("store_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("dirhams", types.Int(), nullable=False),
        sa.Column("through_transaction_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_ledger_balances_store_id")
        ),
        sa.PrimaryKeyConstraint("store_id", "account", name=op.f("pk_ledger_balances")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _payouts() -> None:
    op.create_table(
        "payout_accounts",
        sa.Column("store_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("beneficiary", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("iban", sa.Text(), nullable=False),
        sa.Column("changed_by", types.Int(), nullable=False),
        sa.Column("changed_at", types.Moment(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_payout_accounts_store_id")
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name=op.f("fk_payout_accounts_changed_by")
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_payout_accounts")),
        sqlite_strict=True,
    )
    people = ("requested_by", "approved_by", "paid_by", "closed_by")
    op.create_table(
        "payouts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("beneficiary", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("iban", sa.Text(), nullable=False),
        sa.Column("requested_by", types.Int(), nullable=False),
        sa.Column("requested_at", types.Moment(), nullable=False),
        sa.Column("not_before", types.Moment(), nullable=False),
        sa.Column("approved_by", types.Int(), nullable=True),
        sa.Column("approved_at", types.Moment(), nullable=True),
        sa.Column("paid_by", types.Int(), nullable=True),
        sa.Column("paid_at", types.Moment(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("closed_by", types.Int(), nullable=True),
        sa.Column("closed_at", types.Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.CheckConstraint("amount_dirhams > 0", name=op.f("ck_payouts_amount")),
        sa.CheckConstraint(
            "approved_by <> requested_by AND paid_by <> approved_by",
            name=op.f("ck_payouts_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["payout_accounts.store_id"], name=op.f("fk_payouts_store_id")
        ),
        *(
            sa.ForeignKeyConstraint([who], ["users.id"], name=op.f(f"fk_payouts_{who}"))
            for who in people
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_payouts_store_id_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_payouts_status_id", "payouts", ["status", "id"])
    op.create_index("ix_payouts_store_id_status", "payouts", ["store_id", "status"])


def _suspense_items() -> None:
    receipt = ("provider", "terminal", "provider_reference")
    op.create_table(
        "suspense_items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in receipt),
        sa.Column("amount_dirhams", types.Int(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assigned_to", types.Int(), nullable=True),
        sa.Column("due_at", types.Moment(), nullable=False),
        sa.Column("opened_at", types.Moment(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("resolved_order_id", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", types.Moment(), nullable=True),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assigned_to"], ["users.id"], name=op.f("fk_suspense_items_assigned_to")
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["payments.store_id", "payments.id"],
            name=op.f("fk_suspense_items_store_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspense_items")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_suspense_items_store_id_id")),
        sa.UniqueConstraint(
            *receipt, name=op.f("uq_suspense_items_provider_terminal_provider_reference")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_suspense_items_resolved_order_id",
        "suspense_items",
        ["resolved_order_id"],
        sqlite_where=sa.text("resolved_order_id IS NOT NULL"),
        postgresql_where=sa.text("resolved_order_id IS NOT NULL"),
    )
    op.create_index(
        "ix_suspense_items_waiting",
        "suspense_items",
        ["due_at", "id"],
        sqlite_where=sa.text(_WAITING),
        postgresql_where=sa.text(_WAITING),
    )
    op.execute(_ITEMS_OF_OLD_RECEIPTS)

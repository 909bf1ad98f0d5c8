"""What is due on an order and what came for it, invoices after changes, carriers as typed."""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_IS_INVOICE = sa.text("kind = 'invoice'")
_DUE = """UPDATE orders SET due_dirhams = found.dirhams FROM (
        SELECT order_id, SUM(dirhams) AS dirhams FROM ledger_entries
        WHERE account = 'receivable' AND order_id IS NOT NULL GROUP BY order_id
    ) AS found WHERE found.order_id = orders.id"""
_PAID = """UPDATE orders SET paid_dirhams = found.dirhams FROM (
        SELECT order_id,
            SUM(CASE WHEN account = 'receivable' THEN -dirhams ELSE dirhams END) AS dirhams
        FROM ledger_entries
        WHERE order_id IS NOT NULL AND (
            account = 'receivable' AND reason IN ('payment.received', 'suspense.applied')
            OR reason = 'cod.collected' AND substr(account, 1, 8) = 'courier:'
        ) GROUP BY order_id
    ) AS found WHERE found.order_id = orders.id"""


def upgrade() -> None:
    for name in ("due_dirhams", "paid_dirhams", "revision"):
        op.add_column("orders", sa.Column(name, types.Int(), nullable=False, server_default="0"))
    op.add_column(
        "invoices", sa.Column("revision", types.Int(), nullable=False, server_default="0")
    )
    op.drop_index("uq_invoices_order", table_name="invoices")
    _one_invoice(["store_id", "order_id", "revision"])
    op.add_column("shipments", sa.Column("carrier_name", sa.Text(), nullable=True))
    if context.get_context().dialect.name == "postgresql":
        # Row-level security holds for the owner of the tables, too.
        op.execute("SELECT set_config('eishro.stores', '*', true)")
    op.execute(_DUE)
    op.execute(_PAID)


def downgrade() -> None:
    op.drop_column("shipments", "carrier_name")
    op.drop_index("uq_invoices_order", table_name="invoices")
    _one_invoice(["store_id", "order_id"])
    op.drop_column("invoices", "revision")
    for name in ("revision", "paid_dirhams", "due_dirhams"):
        op.drop_column("orders", name)


def _one_invoice(columns: list[str]) -> None:
    op.create_index(
        "uq_invoices_order",
        "invoices",
        columns,
        unique=True,
        sqlite_where=_IS_INVOICE,
        postgresql_where=_IS_INVOICE,
    )

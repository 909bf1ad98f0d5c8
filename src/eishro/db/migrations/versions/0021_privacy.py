"""What finds a person's things to show or forget them, and guards of buyers that name nobody."""

import sqlalchemy as sa
from alembic import context, op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_HAS_PHONE = sa.text("customer_phone IS NOT NULL")
_IS_DEAD = sa.text("is_dead = 1")
_PLAIN = (
    ("payment_news", "reference"),
    ("invitations", "email"),
    ("invitations", "invited_by"),
    ("invitations", "accepted_by"),
    ("api_keys", "created_by"),
)


def upgrade() -> None:
    op.add_column("draft_orders", sa.Column("customer_phone", sa.Text(), nullable=True))
    if context.get_context().dialect.name == "postgresql":
        # Until this transaction ends: the policies hold for a table's owner as well.
        op.execute("SELECT set_config('eishro.stores', '*', true)")
        op.execute("UPDATE draft_orders SET customer_phone = body::json ->> 'customer_phone'")
    else:
        op.execute(
            "UPDATE draft_orders SET customer_phone = json_extract(body, '$.customer_phone')"
        )
    op.create_index(
        "ix_draft_orders_customer_phone",
        "draft_orders",
        ["customer_phone", "store_id"],
        sqlite_where=_HAS_PHONE,
        postgresql_where=_HAS_PHONE,
    )
    op.create_index(
        "ix_outbox_dead",
        "outbox",
        ["created_at"],
        sqlite_where=_IS_DEAD,
        postgresql_where=_IS_DEAD,
    )
    for table, column in _PLAIN:
        op.create_index(f"ix_{table}_{column}", table, [column])
    # They were called by their telephones. A guard that is not there counts as a new one.
    op.execute("DELETE FROM buyer_guards")


def downgrade() -> None:
    op.execute("DELETE FROM buyer_guards")
    for table, column in reversed(_PLAIN):
        op.drop_index(f"ix_{table}_{column}", table_name=table)
    op.drop_index("ix_outbox_dead", table_name="outbox")
    op.drop_index("ix_draft_orders_customer_phone", table_name="draft_orders")
    op.drop_column("draft_orders", "customer_phone")

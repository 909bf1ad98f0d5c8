"""PostgreSQL: what a batch in one statement calls to refuse itself (db/postgres_plan.py)."""

from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The message is the number of the guard that failed; the adapter knows its error.
_REFUSE = """CREATE FUNCTION eishro_refuse(guard integer) RETURNS boolean
    LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION USING ERRCODE = 'ES001', MESSAGE = guard::text;
    END $$"""


def upgrade() -> None:
    if context.get_context().dialect.name == "postgresql":
        op.execute(_REFUSE)


def downgrade() -> None:
    if context.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION eishro_refuse(integer)")

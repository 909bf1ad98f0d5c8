"""The policy of a store's table on PostgreSQL, as a migration that makes such a table writes it:

    if context.get_context().dialect.name == "postgresql":
        for statement in row_security.policy_of("parcels"):
            op.execute(statement)

Migrations up to 0015 spell it out; they are history and stay as they are. What the setting is and
who sets it is told in `db/tenancy.py`.
"""

# In subqueries, so that the setting is read once for a statement and not for every row.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def policy_of(table: str) -> tuple[str, ...]:
    """Statements after which the table shows and takes rows of the stores that are named alone."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING ({_NAMED})",
    )

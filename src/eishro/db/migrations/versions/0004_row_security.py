"""PostgreSQL: policies that show and take rows of the stores a transaction names, and no others,
and the role that the application acts as. db/tenancy.py tells how statements name them.

The setting `eishro.stores` is a list of stores (`{1,2}`), `*` for work across stores, or empty:
it falls back to that when the transaction ends, so nothing passes to the connection's next user.
"""

from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PRIVATE = (
    "memberships",
    "orders",
    "order_lines",
    "order_history",
    "payments",
    "payment_receipts",
    "ledger_entries",
    "stock_movements",
)
# Lines may belong to no store: the platform's own.
_TRAILS = ("audit_records", "outbox")
_PUBLIC = (
    "store_versions",
    "categories",
    "products",
    "product_cards",
    "product_categories",
    "product_search",
    "variants",
    "stock",
)

_ROLE = """DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'eishro_app') THEN
        BEGIN
            CREATE ROLE eishro_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- just now, for another
        END;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eishro_app' AND (rolsuper OR rolbypassrls))
    THEN
        RAISE EXCEPTION 'the role eishro_app must be no superuser and must not bypass policies';
    END IF;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        BEGIN
            GRANT eishro_app TO CURRENT_USER;
        EXCEPTION WHEN insufficient_privilege THEN NULL;  -- somebody else has seen to it
        END;
    END IF;
    EXECUTE 'GRANT USAGE ON SCHEMA ' || quote_ident(current_schema()) || ' TO eishro_app';
    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA '
        || quote_ident(current_schema()) || ' TO eishro_app';
    EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA ' || quote_ident(current_schema())
        || ' GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO eishro_app';
    REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM eishro_app;
END $$"""

# In subqueries, so that the setting is read once for a statement and not for every row.
_ACROSS = "(SELECT current_setting('eishro.stores', true)) = '*'"
_STORES = "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[]"


def upgrade() -> None:
    if context.get_context().dialect.name != "postgresql":
        return
    op.execute(_ROLE)
    for table in _PRIVATE:
        _secure(table)
        op.execute(f"CREATE POLICY tenant ON {table} USING ({_named()})")
    for table in _TRAILS:
        _secure(table)
        op.execute(f"CREATE POLICY tenant ON {table} USING ({_named()})")
        # Written in the same batch as what a store did; read only across stores.
        op.execute(f"CREATE POLICY platform ON {table} FOR INSERT WITH CHECK (store_id IS NULL)")
    for table in _PUBLIC:
        _secure(table)
        _show(table, "store_id")
    _secure("stores")
    _show("stores", "id")


def downgrade() -> None:
    if context.get_context().dialect.name != "postgresql":
        return
    for table in (*_PRIVATE, *_TRAILS, *_PUBLIC, "stores"):
        op.execute(f"DROP POLICY tenant ON {table}")
        if table in _TRAILS:
            op.execute(f"DROP POLICY platform ON {table}")
        if table not in _PRIVATE and table not in _TRAILS:
            op.execute(f"DROP POLICY shown ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def _secure(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _show(table: str, store: str) -> None:
    op.execute(f"CREATE POLICY shown ON {table} FOR SELECT USING (true)")
    op.execute(f"CREATE POLICY tenant ON {table} USING ({_named(store)})")


def _named(store: str = "store_id") -> str:
    return f"{_ACROSS} OR {store} = ANY({_STORES})"

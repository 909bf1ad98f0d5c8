"""Accounts grow up: second factors, API keys, invitations, identities of other providers, admins
who act for somebody, the platform's standing of a store, and seals over the audit trail.
"""

import sqlalchemy as sa
from alembic import context, op

from eishro.db import types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# As in 0004.
_NAMED = (
    "(SELECT current_setting('eishro.stores', true)) = '*' OR store_id = ANY("
    "(SELECT nullif(nullif(current_setting('eishro.stores', true), ''), '*'))::bigint[])"
)


def upgrade() -> None:
    op.add_column("sessions", sa.Column("admin_id", types.Int(), nullable=True))
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.add_column(
        "stores", sa.Column("standing", sa.Text(), nullable=False, server_default="approved")
    )
    op.add_column("stores", sa.Column("standing_reason", sa.Text(), nullable=True))
    op.create_index(
        "ix_users_admin",
        "users",
        ["id"],
        sqlite_where=sa.text("role = 'admin'"),
        postgresql_where=sa.text("role = 'admin'"),
    )
    op.drop_index("ix_audit_records_store_id_at", "audit_records")
    op.create_index("ix_audit_records_store_id_id", "audit_records", ["store_id", "id"])
    op.drop_index("uq_memberships_owner_store", "memberships")
    _second_factors()
    _recovery_codes()
    _identities()
    _api_keys()
    _invitations()
    _audit_seals()
    _leases()
    if context.get_context().dialect.name == "postgresql":
        for table in ("api_keys", "invitations", "audit_seals"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({_NAMED})")


def downgrade() -> None:
    raise NotImplementedError("keys and second factors would be lost; restore a backup")


def _second_factors() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("enabled_at", types.Moment(), nullable=True),
        sa.Column("last_step", types.Int(), nullable=False),
        sa.Column("version", types.Int(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
        sqlite_strict=True,
    )


def _recovery_codes() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("used_at", types.Moment(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", types.Int(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("provider", "subject", name=op.f("pk_identities")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("created_by", types.Int(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=True),
        sa.Column("last_used_at", types.Moment(), nullable=True),
        sa.Column("revoked_at", types.Moment(), nullable=True),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_api_keys_store_id")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_api_keys_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_api_keys_store_id_id", "api_keys", ["store_id", "id"])


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", types.Int(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invited_by", types.Int(), nullable=False),
        sa.Column("created_at", types.Moment(), nullable=False),
        sa.Column("expires_at", types.Moment(), nullable=False),
        sa.Column("closed_at", types.Moment(), nullable=True),
        sa.Column("accepted_by", types.Int(), nullable=True),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_invitations_store_id")),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by")
        ),
        sa.ForeignKeyConstraint(
            ["accepted_by"], ["users.id"], name=op.f("fk_invitations_accepted_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_invitations_open",
        "invitations",
        ["store_id", "email"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _audit_seals() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("store_id", types.Int(), autoincrement=False, nullable=False),
        sa.Column("number", types.Int(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("sealed_at", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "number", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("record_id", name=op.f("uq_audit_seals_record_id")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", types.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

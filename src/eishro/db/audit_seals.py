"""The chain over the audit trail: each seal covers its record and the seal before it."""

import sqlalchemy as sa

from eishro.db.schema import table
from eishro.db.types import Id, Int, Moment, Text

PLATFORM_CHAIN = 0  # the chain of records that belong to no store

audit_seals = table(
    "audit_seals",
    sa.Column("store_id", Int, primary_key=True, autoincrement=False),
    sa.Column("number", Int, primary_key=True, autoincrement=False),
    sa.Column("record_id", Id, nullable=False, unique=True),
    sa.Column("hash", Text, nullable=False),
    sa.Column("sealed_at", Moment, nullable=False),
    with_rowid=False,
)

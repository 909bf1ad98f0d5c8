"""Leases: one worker at a time does what only one may do; a lease that nobody renews runs out."""

from datetime import datetime

import sqlalchemy as sa

from eishro.db.schema import table
from eishro.db.statements import Statement, Write, upsert
from eishro.db.types import Moment, Text
from eishro.errors import Stale

leases = table(
    "leases",
    sa.Column("name", Text, primary_key=True),
    sa.Column("holder", Text, nullable=False),
    sa.Column("until", Moment, nullable=False),
    with_rowid=False,
)

_TAKE = Write(
    upsert(
        leases,
        where=sa.or_(
            leases.c.until < sa.bindparam("now"),
            leases.c.holder == sa.literal_column("excluded.holder"),
        ),
    )
)


def take(name: str, holder: str, now: datetime, until: datetime) -> Statement:
    """Take the lease, or hold it longer; `Stale` while somebody else has it."""
    return _TAKE(name=name, holder=holder, until=until, now=now).guarded(Stale())

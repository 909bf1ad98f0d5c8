"""The audit trail: who changed what, written in the batch that changes it."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from eishro.db.schema import table
from eishro.db.statements import Statement, Write
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.ids import text_id

audit_records = table(
    "audit_records",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int),
    sa.Column("actor", Text, nullable=False),
    sa.Column("action", Text, nullable=False),
    sa.Column("subject_id", Text, nullable=False),
    sa.Column("changes", Json, nullable=False),
    sa.Column("request_id", Text, nullable=False),
    sa.Column("address", Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("ix_audit_records_store_id_at", "store_id", "at"),
    with_rowid=False,
)

_INSERT = Write(sa.insert(audit_records))


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, as the audit trail names them: `user:12`, `guest`, `system:expiry` …"""

    name: str
    request_id: str = ""
    address: str = ""


def record(
    actor: Actor,
    action: str,
    subject_id: object,
    at: datetime,
    *,
    store_id: int | None = None,
    **changes: object,
) -> Statement:
    """One line of the trail, e.g. `record(actor, "order.cancelled", order.id, at, reason=…)`."""
    return _INSERT(
        id=text_id("aud", at),
        store_id=store_id,
        actor=actor.name,
        action=action,
        subject_id=str(subject_id),
        changes=changes,
        request_id=actor.request_id,
        address=actor.address,
        at=at,
    )

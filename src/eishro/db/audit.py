"""The audit trail: who changed what, written in the batch that changes it."""

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.ids import text_id

# The trail cannot be rewritten, so what people write about others is not repeated in it.
_UNSAID = frozenset({"version", "updated_at", "password_hash", "note"})

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
    sa.Index("ix_audit_records_store_id_id", "store_id", "id"),
    with_rowid=False,
)

_INSERT = Write(sa.insert(audit_records))


class Record(msgspec.Struct, frozen=True):
    """One line of the trail; `changes` is a JSON object."""

    id: str
    store_id: int | None
    actor: str
    action: str
    subject_id: str
    changes: msgspec.Raw
    request_id: str
    address: str
    at: datetime


_PAGE = (
    sa.select(*(audit_records.c[name] for name in Record.__struct_fields__))
    .where(audit_records.c.id < sa.bindparam("before"))
    .order_by(audit_records.c.id.desc())
    .limit(sa.bindparam("limit"))
)
_OF_STORE = Query(_PAGE.where(audit_records.c.store_id == sa.bindparam("store_id")), Record)
_OF_ALL = Query(_PAGE, Record, across_stores=True)
_COUNT = sa.select(sa.func.count()).select_from(audit_records)
_COUNT_STORE = Query(_COUNT.where(audit_records.c.store_id == sa.bindparam("store_id")), int)
_COUNT_ALL = Query(_COUNT, int, across_stores=True)
_NEWEST_FIRST = "aud_~"  # above every id


async def list_records(
    db: Database, store_id: int | None, limit: int, before: str | None = None
) -> list[Record]:
    """Lines of a store (None: of everybody), newest first, from below the id `before`."""
    if store_id is None:
        return await db.all(_OF_ALL, before=before or _NEWEST_FIRST, limit=limit)
    return await db.all(_OF_STORE, before=before or _NEWEST_FIRST, limit=limit, store_id=store_id)


async def count_records(db: Database, store_id: int | None) -> int:
    """How many lines the store has (None: everybody)."""
    if store_id is None:
        return await db.one(_COUNT_ALL) or 0
    return await db.one(_COUNT_STORE, store_id=store_id) or 0


def difference(before: msgspec.Struct, after: msgspec.Struct) -> dict[str, Any]:
    """What a change did, for `record(**…)`: the fields that differ, as they were and as they are.

    Versions and times say nothing that the line does not; a password's hash is never shown, nor is
    a note.
    """
    names = [
        name
        for name in after.__struct_fields__
        if name not in _UNSAID and getattr(before, name) != getattr(after, name)
    ]
    return {
        "before": {name: getattr(before, name) for name in names},
        "after": {name: getattr(after, name) for name in names},
    }


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, as the audit trail names them: `user:12`, `guest`, `system:expiry` …"""

    name: str
    request_id: str = ""
    address: str = ""

    def named(self, name: str) -> "Actor":
        """The same request, once it is known whose it is."""
        return msgspec.structs.replace(self, name=name)


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

"""Invitations to work in a store: a role, an address, and a link that is good once.

The link's token is a signature of the invitation, so nothing secret is stored.
"""

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Statement, Write, insert_once
from eishro.db.types import Id, Int, Moment, Text
from eishro.errors import Conflict, NotFound, Words

LIFETIME = timedelta(days=7)
INVITATIONS_MAX = 50  # open ones of a store

invitations = table(
    "invitations",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("email", Text, nullable=False),
    sa.Column("role", Text, nullable=False),
    sa.Column("invited_by", Int, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("closed_at", Moment),
    sa.Column("accepted_by", Int, sa.ForeignKey("users.id")),
    sa.Index(
        "uq_invitations_open",
        "store_id",
        "email",
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    ),
    sa.Index("ix_invitations_email", "email"),
    sa.Index("ix_invitations_invited_by", "invited_by"),
    sa.Index("ix_invitations_accepted_by", "accepted_by"),
    with_rowid=False,
)


class Invitation(msgspec.Struct, frozen=True):
    """One invitation; `closed_at` is when it was accepted (`accepted_by`) or taken back."""

    id: str
    store_id: int
    email: str
    role: str
    invited_by: int
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    accepted_by: int | None


class InvitationNotFound(NotFound):
    """No such open invitation."""

    words = Words("There is no such invitation.", "لا توجد دعوة كهذه.")


class InvitedAlready(Conflict):
    """The address has an open invitation to this store."""

    words = Words("This address has been invited already.", "تمت دعوة هذا العنوان من قبل.")


_BY_ID = Query(
    sa.select(*columns_of(invitations, Invitation)).where(invitations.c.id == sa.bindparam("id")),
    Invitation,
    across_stores=True,  # the invitation tells the store
)
_OPEN_OF_STORE = Query(
    sa.select(*columns_of(invitations, Invitation))
    .where(invitations.c.store_id == sa.bindparam("store_id"), invitations.c.closed_at.is_(None))
    .order_by(invitations.c.id)
    .limit(sa.literal(INVITATIONS_MAX, Int)),
    Invitation,
)
_IS_OF_PERSON = sa.or_(
    invitations.c.email == sa.bindparam("address"),
    invitations.c.accepted_by == sa.bindparam("person"),
)
_OF_PERSON = Query(
    sa.select(*columns_of(invitations, Invitation))
    .where(_IS_OF_PERSON)
    .order_by(invitations.c.id)
    .limit(sa.literal(INVITATIONS_MAX, Int)),
    Invitation,
    across_stores=True,
)
_FORGET = Write(sa.delete(invitations).where(_IS_OF_PERSON), across_stores=True)
_INSERT = Write(insert_once(invitations))
_CLOSE = Write(
    sa.update(invitations)
    .where(
        invitations.c.id == sa.bindparam("key"),
        invitations.c.store_id == sa.bindparam("key_store"),
        invitations.c.closed_at.is_(None),
    )
    .values(closed_at=sa.bindparam("at"), accepted_by=sa.bindparam("by"))
)


async def find_invitation(db: Database, invitation_id: str) -> Invitation | None:
    """The invitation, open or not."""
    return await db.one(_BY_ID, id=invitation_id)


async def list_invitations(db: Database, store_id: int) -> list[Invitation]:
    """The store's open invitations, oldest first; some may have expired."""
    return await db.all(_OPEN_OF_STORE, store_id=store_id)


async def list_invitations_of(db: Database, user_id: int, email: str) -> list[Invitation]:
    """What a person was invited to, or accepted, in any store; the oldest ones."""
    return await db.all(_OF_PERSON, person=user_id, address=email)


def forget_invitations(user_id: int, email: str) -> Statement:
    """Drop whatever names this person's address."""
    return _FORGET(person=user_id, address=email)


def insert_invitation(invitation: Invitation) -> Statement:
    """A new invitation; refused with `InvitedAlready` while the address has an open one."""
    return _INSERT(**values_of(invitation)).guarded(InvitedAlready())


def close_invitation(invitation: Invitation, at: datetime, accepted_by: int | None) -> Statement:
    """Accept it or take it back, once; refused with `InvitationNotFound` if it is closed."""
    return _CLOSE(key=invitation.id, key_store=invitation.store_id, at=at, by=accepted_by).guarded(
        InvitationNotFound()
    )

"""The people and the API keys of a store."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.accounts import api_keys, invitations
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.api_keys import ApiKey
from eishro.domain.accounts.invitations import Invitation
from eishro.domain.accounts.model import Caller, Member, MemberNotFound
from eishro.domain.accounts.permissions import SCOPES, StoreRole
from eishro.errors import Invalid, Unauthenticated, Words
from eishro.flows import edit_api_keys, edit_staff
from eishro.flows.edit_api_keys import NewKey
from eishro.flows.edit_staff import Newcomer
from eishro.web.access import integer_in_path
from eishro.web.accounts import Password, Token
from eishro.web.routes import Call, Reply
from eishro.web.wire import Email, Instant, Name, ShortText

Scope = Annotated[str, Meta(max_length=40, pattern=r"^[a-z]+:[a-z]+$")]


class InvitationBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whom to invite, as what."""

    email: Email
    role: StoreRole


class AcceptBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The token of the mail; who has no account yet chooses a password."""

    token: Token
    password: Password | UnsetType = UNSET
    first_name: ShortText = ""
    last_name: ShortText = ""


class RoleBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The new role."""

    role: StoreRole


class ApiKeyBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A name to know the key by, what it may do, and until when (without end if not given)."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(SCOPES))]
    expires_at: Instant | None = None


class MemberView(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody who works in the store."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    role: str
    created_at: datetime


class InvitationView(msgspec.Struct, frozen=True, rename="camel"):
    """An open invitation."""

    id: str
    email: str
    role: str
    created_at: datetime
    expires_at: datetime


class StaffView(msgspec.Struct, frozen=True, rename="camel"):
    """The store's people, and who has been invited."""

    members: list[MemberView]
    invitations: list[InvitationView]


class ApiKeyView(msgspec.Struct, frozen=True, rename="camel"):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewApiKeyView(ApiKeyView, frozen=True, rename="camel", kw_only=True):
    """A new key; `key` is shown only now."""

    key: str


async def list_staff(call: Call) -> Reply:
    """The people of the store and open invitations."""
    members = await accounts.list_members(call.shop.db, call.store)
    waiting = await invitations.list_invitations(call.shop.db, call.store)
    now = call.door.clock.now()
    return Reply(
        StaffView(
            [_member_view(member) for member in members],
            [_invitation_view(one) for one in waiting if one.expires_at > now],
        )
    )


async def invite(call: Call, body: InvitationBody) -> Reply:
    """Invite somebody by mail."""

    def view(invitation: Invitation) -> Reply:
        return Reply(_invitation_view(invitation), status=201)

    once = call.once(view)
    return once.reply(
        await edit_staff.invite(
            call.shop, call.store, _caller(call), body.email.address, body.role, call.actor, once
        )
    )


async def take_back(call: Call) -> Reply:
    """Take an invitation back."""
    invitation_id = call.params["invitation_id"]
    found = await edit_staff.take_back(call.shop, call.store, invitation_id, call.actor)
    return Reply(_invitation_view(found))


async def accept(call: Call, body: AcceptBody) -> Reply:
    """Become a member with the token of the mail."""
    newcomer = None
    if body.password is not UNSET:
        newcomer = Newcomer(body.password, body.first_name, body.last_name)
    user_id = call.caller.user_id if call.caller else None
    member = await edit_staff.accept(call.shop, body.token, user_id, newcomer, call.actor)
    return Reply(_member_view(member), message=Words("Welcome.", "مرحبا بك."))


async def change_role(call: Call, body: RoleBody) -> Reply:
    """Give a member another role."""
    member = await edit_staff.change_role(
        call.shop, call.store, _caller(call), _member_id(call), body.role, call.actor
    )
    return Reply(_member_view(member))


async def remove(call: Call) -> Reply:
    """Remove a member; anybody may leave."""
    member = await edit_staff.remove(
        call.shop, call.store, _caller(call), _member_id(call), call.actor
    )
    return Reply(_member_view(member))


async def list_keys(call: Call) -> Reply:
    """The store's live keys."""
    return Reply([_key_view(key) for key in await api_keys.list_keys(call.shop.db, call.store)])


async def create_key(call: Call, body: ApiKeyBody) -> Reply:
    """A new key; its secret is shown once."""
    faults = {
        f"scopes[{at}]": Words(
            f"must be among: {', '.join(SCOPES)}", f"يجب أن يكون من: {', '.join(SCOPES)}"
        )
        for at, scope in enumerate(body.scopes)
        if scope not in SCOPES
    }
    expires_at = body.expires_at.at if body.expires_at else None
    if expires_at is not None and expires_at <= call.door.clock.now():
        faults["expiresAt"] = Words("must lie ahead", "يجب أن يكون في المستقبل")
    if faults:
        raise Invalid(faults)

    def view(made: NewKey) -> Reply:
        shown = msgspec.structs.asdict(_key_view(made.key))
        return Reply(NewApiKeyView(**shown, key=made.secret), status=201)

    once = call.once(view)
    scopes = tuple(dict.fromkeys(body.scopes))
    made = await edit_api_keys.create_key(
        call.shop, call.store, _caller(call), body.name, scopes, expires_at, call.actor, once
    )
    return once.reply(made)


async def revoke_key(call: Call) -> Reply:
    """Revoke a key, at once."""
    await edit_api_keys.revoke_key(call.shop, call.store, call.params["key_id"], call.actor)
    return Reply({})


def _caller(call: Call) -> Caller:
    if call.caller is None:
        raise Unauthenticated()
    return call.caller


def _member_id(call: Call) -> int:
    return integer_in_path(call, "user_id", MemberNotFound())


def _member_view(member: Member) -> MemberView:
    return MemberView(
        user_id=member.user_id,
        email=member.email,
        first_name=member.first_name,
        last_name=member.last_name,
        role=member.role,
        created_at=member.created_at,
    )


def _invitation_view(invitation: Invitation) -> InvitationView:
    return InvitationView(
        id=invitation.id,
        email=invitation.email,
        role=invitation.role,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )


def _key_view(key: ApiKey) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        name=key.name,
        scopes=sorted(key.permissions()),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )

"""The people of a store: invite, accept, change roles, remove.

Nobody gives away more than they have: a role is given only by those whose permissions cover it,
and looked at again when the invitation is accepted. Every change of the people moves the store's
version, so two changes at once cannot both believe that another owner stays.
"""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import invitations
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.invitations import (
    INVITATIONS_MAX,
    LIFETIME,
    Invitation,
    InvitationNotFound,
)
from eishro.domain.accounts.model import (
    AlreadyMember,
    Caller,
    LastOwner,
    Member,
    MemberNotFound,
    OwnsAnother,
    User,
)
from eishro.domain.accounts.passwords import check_password
from eishro.domain.accounts.permissions import covers
from eishro.domain.stores import sql as stores
from eishro.errors import Conflict, Forbidden, Invalid, Words
from eishro.flows import refusals
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.flows.sign_in import Registration, new_user
from eishro.ids import text_id

_PURPOSE = "invitation"


class Newcomer(msgspec.Struct, frozen=True):
    """Who accepts without an account: a password and a name for the new one."""

    password: str
    first_name: str
    last_name: str


async def invite(
    shop: Shop, store_id: int, caller: Caller, email: str, role: str, actor: Actor, once: Once
) -> Invitation:
    """Send somebody an invitation.

    Raises:
        Forbidden: the role is above the caller's own rights, or the caller is nobody's account.
        AlreadyMember, InvitedAlready, Conflict, idempotency.AlreadyClaimed.
    """
    if caller.user_id is None or not may_give(caller, store_id, role):
        raise Forbidden()
    at = shop.clock.now()
    await _close_expired(shop, store_id, email)
    if len(await invitations.list_invitations(shop.db, store_id)) >= INVITATIONS_MAX:
        raise Conflict(Words("Too many open invitations.", "عدد الدعوات المفتوحة كبير جدا."))
    user = await accounts.find_user_by_email(shop.db, email)
    if user is not None and await accounts.find_member(shop.db, store_id, user.id) is not None:
        raise AlreadyMember()
    invitation = Invitation(
        id=text_id("inv", at),
        store_id=store_id,
        email=email,
        role=role,
        invited_by=caller.user_id,
        created_at=at,
        expires_at=at + LIFETIME,
        closed_at=None,
        accepted_by=None,
    )
    await shop.db.commit(
        Batch(*once.claim(invitation)).add(
            invitations.insert_invitation(invitation),
            outbox.publish("staff.invited", invitation.id, at, store_id=store_id),
            audit.record(actor, "staff.invited", invitation.id, at, store_id=store_id, role=role),
        )
    )
    return invitation


def invitation_token(shop: Shop, invitation: Invitation) -> str:
    """What the link of the mail carries; good until the invitation is closed or runs out."""
    return f"{invitation.id}.{shop.keyring.sign(_PURPOSE, _signed_text(invitation))}"


async def find_invited(shop: Shop, token: str, actor: Actor) -> Invitation:
    """The open invitation behind a token.

    Raises:
        InvitationNotFound: not a token of ours, or used, taken back or run out.
    """
    async with refusals.noting(shop, actor, "invitation", InvitationNotFound):
        return await _find_invited(shop, token)


async def _find_invited(shop: Shop, token: str) -> Invitation:
    if not (token.isascii() and token.isprintable()):
        raise InvitationNotFound()  # not one of ours, and nothing that every database takes
    invitation_id, _, signature = token.partition(".")
    found = await invitations.find_invitation(shop.db, invitation_id)
    if (
        found is None
        or not shop.keyring.verify(_PURPOSE, _signed_text(found), signature)
        or found.closed_at is not None
        or found.expires_at <= shop.clock.now()
    ):
        raise InvitationNotFound()
    return found


@again_if_stale
async def accept(
    shop: Shop, token: str, user_id: int | None, newcomer: Newcomer | None, actor: Actor
) -> Member:
    """Become a member. Whoever holds the mail's token owns the mailbox, so the address counts as
    confirmed; an account that is signed in must have that address.

    Raises:
        InvitationNotFound, AlreadyMember, OwnsAnother.
        Forbidden: signed in as somebody else, or the inviter may not give the role any more.
        Invalid: the address has no account and no password was given, or has one and it was not
            used to sign in.
    """
    at = shop.clock.now()
    invitation = await find_invited(shop, token, actor)
    store = await stores.get_store(shop.db, invitation.store_id)
    await _check_inviter(shop, invitation)
    owner = await accounts.find_user_by_email(shop.db, invitation.email)
    batch = Batch()
    if owner is None:
        user = await _newcomer(shop, invitation, newcomer)
        user = msgspec.structs.replace(user, email_verified_at=at)
        batch.add(accounts.insert_user(user), _verified(user, at))
    elif user_id is None:
        raise Invalid({"token": Words("Sign in to accept.", "سجل الدخول لقبول الدعوة.")})
    elif owner.id != user_id:
        raise Forbidden()
    else:
        user = owner
        if user.email_verified_at is None:
            after = msgspec.structs.replace(user, email_verified_at=at, updated_at=at)
            batch.add(accounts.save_user(after, seen=user), _verified(user, at))
        if await accounts.find_member(shop.db, store.id, user.id) is not None:
            raise AlreadyMember()
    if invitation.role == "owner" and await accounts.find_own_store(shop.db, user.id) is not None:
        raise OwnsAnother()
    await shop.db.commit(
        batch.add(
            invitations.close_invitation(invitation, at, user.id),
            stores.touch(store),
            accounts.insert_membership(store.id, user.id, invitation.role, at, AlreadyMember()),
            audit.record(
                actor.named(f"user:{user.id}"),
                "staff.joined",
                user.id,
                at,
                store_id=store.id,
                role=invitation.role,
                invitation=invitation.id,
            ),
        )
    )
    return Member(
        store.id, user.id, invitation.role, at, user.email, user.first_name, user.last_name
    )


@again_if_stale
async def change_role(
    shop: Shop, store_id: int, caller: Caller, user_id: int, role: str, actor: Actor
) -> Member:
    """Give a member another role.

    Raises:
        MemberNotFound, LastOwner, OwnsAnother.
        Forbidden: the present or the new role is above the caller's own rights.
    """
    at = shop.clock.now()
    store = await stores.get_store(shop.db, store_id)
    seen = await _member(shop, store_id, user_id)
    if not (may_give(caller, store_id, seen.role) and may_give(caller, store_id, role)):
        raise Forbidden()
    if seen.role == role:
        return seen
    if seen.role == "owner":
        await _check_other_owner(shop, store_id)
    if role == "owner" and await accounts.find_own_store(shop.db, user_id) is not None:
        raise OwnsAnother()
    await shop.db.commit(
        Batch(
            stores.touch(store),
            accounts.change_membership(store_id, user_id, seen.role, role, OwnsAnother()),
            audit.record(
                actor,
                "staff.role_changed",
                user_id,
                at,
                store_id=store_id,
                before=seen.role,
                after=role,
            ),
        )
    )
    return msgspec.structs.replace(seen, role=role)


@again_if_stale
async def remove(shop: Shop, store_id: int, caller: Caller, user_id: int, actor: Actor) -> Member:
    """End a membership; at once, since every request looks it up. Anybody may leave.

    Raises:
        MemberNotFound, LastOwner.
        Forbidden: the member's role is above the caller's own rights.
    """
    at = shop.clock.now()
    store = await stores.get_store(shop.db, store_id)
    seen = await _member(shop, store_id, user_id)
    if caller.user_id != user_id and not may_give(caller, store_id, seen.role):
        raise Forbidden()
    if seen.role == "owner":
        await _check_other_owner(shop, store_id)
    await shop.db.commit(
        Batch(
            stores.touch(store),
            accounts.delete_membership(store_id, user_id, seen.role),
            audit.record(actor, "staff.removed", user_id, at, store_id=store_id, role=seen.role),
        )
    )
    return seen


@again_if_stale
async def take_back(shop: Shop, store_id: int, invitation_id: str, actor: Actor) -> Invitation:
    """Close an invitation that nobody has accepted.

    Raises:
        InvitationNotFound.
    """
    at = shop.clock.now()
    found = await invitations.find_invitation(shop.db, invitation_id)
    if found is None or found.store_id != store_id:
        raise InvitationNotFound()
    await shop.db.commit(
        Batch(
            invitations.close_invitation(found, at, None),
            audit.record(actor, "staff.invitation_closed", found.id, at, store_id=store_id),
        )
    )
    return found


def may_give(caller: Caller, store_id: int, role: str) -> bool:
    """True if the role is within the caller's own rights in the store."""
    return caller.role == "admin" or covers(caller.permissions.get(store_id, frozenset()), role)


async def _check_inviter(shop: Shop, invitation: Invitation) -> None:
    """Who invited must still be there and still have the right."""
    inviter = await accounts.get_user(shop.db, invitation.invited_by)
    member = await accounts.find_member(shop.db, invitation.store_id, inviter.id)
    rights = accounts.rights_of(inviter, member)
    if not (inviter.is_active and rights.may("staff:write", invitation.store_id)) or not may_give(
        rights, invitation.store_id, invitation.role
    ):
        raise InvitationNotFound()


async def _newcomer(shop: Shop, invitation: Invitation, newcomer: Newcomer | None) -> User:
    if newcomer is None:
        raise Invalid({"password": Words("choose a password", "اختر كلمة مرور")})
    check_password(newcomer.password, invitation.email)
    return await new_user(
        shop,
        Registration(
            email=invitation.email,
            password=newcomer.password,
            first_name=newcomer.first_name,
            last_name=newcomer.last_name,
            phone=None,
            role="merchant",
            store=None,
        ),
        shop.clock.now(),
    )


async def _check_other_owner(shop: Shop, store_id: int) -> None:
    """The store's version in the batch guards that the others are still there."""
    members = await accounts.list_members(shop.db, store_id)
    if sum(member.role == "owner" for member in members) < 2:
        raise LastOwner()


async def _member(shop: Shop, store_id: int, user_id: int) -> Member:
    member = await accounts.find_member(shop.db, store_id, user_id)
    if member is None:
        raise MemberNotFound()
    return member


async def _close_expired(shop: Shop, store_id: int, email: str) -> None:
    """An invitation that ran out makes room for a new one."""
    at = shop.clock.now()
    for found in await invitations.list_invitations(shop.db, store_id):
        if found.email == email and found.expires_at <= at:
            await shop.db.commit(Batch(invitations.close_invitation(found, at, None)))


def _signed_text(invitation: Invitation) -> str:
    return f"{invitation.id} {invitation.store_id} {invitation.email} {invitation.role}"


def _verified(user: User, at: datetime) -> Statement:
    """Who opened the invitation's link has the mailbox."""
    return outbox.publish("user.email_verified", str(user.id), at)

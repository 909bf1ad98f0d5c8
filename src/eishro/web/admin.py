"""The platform's own doors: people, stores and the audit trail."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.db import audit
from eishro.db.audit import Record
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import Role
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Standing, Store
from eishro.errors import NotFound
from eishro.flows import administer
from eishro.flows.administer import UserChange
from eishro.web.access import integer_in_path
from eishro.web.accounts import UserView, device_of, own_id, user_view
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import StoreView, store_view
from eishro.web.wire import VISIBLE, ShortText

Reason = Annotated[str, Meta(min_length=3, max_length=500, pattern=VISIBLE)]
RecordId = Annotated[str, Meta(pattern=r"^aud_[0-9a-z]{26}$")]


class UserQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which people: everybody, or who has this address."""

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    email: ShortText | None = None


class AdminStoreQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which stores."""

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    standing: Standing | None = None


class AuditQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page of the trail; `cursor` is the last answer's `nextCursor`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: RecordId | None = None


class UserChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    role: Role | None = None
    is_active: bool | None = None


class StandingBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why, as the store's people will read it."""

    reason: Reason | None = None


class ReasonBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why; the store sees it in its audit trail."""

    reason: Reason


class AdminStoreView(StoreView, frozen=True, rename="camel", kw_only=True):
    """A store with the platform's word on it."""

    standing: str
    standing_reason: str | None


class RecordView(msgspec.Struct, frozen=True, rename="camel"):
    """One line of the audit trail."""

    id: str
    store_id: int | None
    actor: str
    action: str
    subject_id: str
    changes: msgspec.Raw
    request_id: str
    address: str
    at: datetime


class ActingView(msgspec.Struct, frozen=True, rename="camel"):
    """An access token of somebody's account; `expiresIn` is seconds."""

    user: UserView
    access_token: str
    expires_in: int


async def list_users(call: Call, query: UserQuery) -> Reply:
    """People, newest first."""
    db = call.shop.db
    if query.email is not None:
        user = await accounts.find_user_by_email(db, query.email.strip().lower())
        found = [user] if user else []
        total = len(found)
    else:
        found, total = await accounts.list_users(db, query.limit, _offset(query))
    return Reply([user_view(user) for user in found], page=Page(query.page, query.limit, total))


async def change_user(call: Call, body: UserChangeBody) -> Reply:
    """Change a role, lock an account or open it."""
    change = UserChange(role=body.role, is_active=body.is_active)
    user = await administer.change_user(call.shop, _user_id(call), change, call.actor)
    return Reply(user_view(user))


async def act_as(call: Call, body: ReasonBody) -> Reply:
    """Act as somebody, for half an hour."""
    admin = await accounts.get_user(call.shop.db, own_id(call))
    acting = await administer.act_as(
        call.shop, call.door.tokens, _user_id(call), body.reason, device_of(call), admin
    )
    return Reply(ActingView(user_view(acting.user), acting.access_token, acting.expires_in_seconds))


async def list_stores(call: Call, query: AdminStoreQuery) -> Reply:
    """Stores of every standing, newest first."""
    found, total = await stores.list_all_stores(
        call.shop.db, query.standing, query.limit, _offset(query)
    )
    return Reply([_store_view(one) for one in found], page=Page(query.page, query.limit, total))


async def approve(call: Call, body: StandingBody) -> Reply:
    """Let the store sell."""
    return await _stand(call, "approved", body)


async def reject(call: Call, body: StandingBody) -> Reply:
    """Refuse the store."""
    return await _stand(call, "rejected", body)


async def suspend(call: Call, body: StandingBody) -> Reply:
    """Close the store until it is approved again; its people still see their orders."""
    return await _stand(call, "suspended", body)


async def list_audit(call: Call, query: AuditQuery) -> Reply:
    """The trail of the whole platform, newest first."""
    return await _records(call, None, query)


async def list_store_audit(call: Call, query: AuditQuery) -> Reply:
    """The trail of one store, newest first."""
    return await _records(call, call.store, query)


async def _records(call: Call, store_id: int | None, query: AuditQuery) -> Reply:
    found = await audit.list_records(call.shop.db, store_id, query.limit, query.cursor)
    total = await audit.count_records(call.shop.db, store_id)
    more = found[-1].id if len(found) == query.limit else None
    return Reply([_record_view(one) for one in found], page=Page(1, query.limit, total, more))


async def _stand(call: Call, standing: Standing, body: StandingBody) -> Reply:
    store = await administer.change_standing(
        call.shop, call.store, standing, body.reason, call.actor
    )
    return Reply(_store_view(store))


def _store_view(store: Store) -> AdminStoreView:
    shown = store_view(store, [])
    members = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return AdminStoreView(**members, standing=store.standing, standing_reason=store.standing_reason)


def _record_view(record: Record) -> RecordView:
    return RecordView(*(getattr(record, name) for name in RecordView.__struct_fields__))


def _user_id(call: Call) -> int:
    return integer_in_path(call, "user_id", NotFound())


def _offset(query: UserQuery | AdminStoreQuery) -> int:
    return (query.page - 1) * query.limit

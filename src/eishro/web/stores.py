"""Stores and their categories."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Category, CategoryNotFound, Store, StoreNotApproved
from eishro.errors import Forbidden, Words
from eishro.flows import edit_store
from eishro.flows.edit_store import CategoryChange, StoreChange
from eishro.flows.open_store import NewStore, open_store
from eishro.web.access import integer_in_path, is_admin, is_owner, may
from eishro.web.dispatch import etag_of
from eishro.web.errors import PreconditionFailed
from eishro.web.headers import matches_etag
from eishro.web.routes import Call, Page, Reply
from eishro.web.store_settings import SettingsBody, SettingsView, settings_view
from eishro.web.wire import IntegerId, LongText, Name, Slug, WebAddress, encode

Categories = Annotated[list[Name], Meta(max_length=100)]


class StoreBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A new store."""

    name: Name
    name_en: Name | None = None
    slug: Slug | None = None
    description: LongText | None = None
    logo: WebAddress | None = None
    categories: Categories = []
    settings: SettingsBody = SettingsBody()

    def value(self) -> NewStore:
        """As the flow takes it."""
        return NewStore(
            name=self.name.strip(),
            name_en=self.name_en,
            slug=self.slug,
            description=self.description,
            logo=self.logo.url if self.logo else None,
            categories=tuple(self.categories),
            settings=self.settings.value(),
        )


class StoreChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    name: Name | UnsetType = UNSET
    name_en: Name | None | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    description: LongText | None | UnsetType = UNSET
    logo: WebAddress | None | UnsetType = UNSET
    settings: SettingsBody | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class StoreView(msgspec.Struct, frozen=True, rename="camel"):
    """A store in an answer."""

    id: int
    name: str
    name_en: str | None
    slug: str
    logo: str | None
    description: str | None
    owner_id: int | None
    categories: list[str]
    settings: SettingsView
    is_active: bool
    created_at: datetime
    updated_at: datetime


class CategoryView(msgspec.Struct, frozen=True, rename="camel"):
    """A category with those below it."""

    id: int
    slug: str
    name: str
    name_en: str | None
    parent_id: int | None
    position: int
    children: list["CategoryView"]


class CategoryBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A new category."""

    name: Name
    name_en: Name | None = None
    slug: Slug | None = None
    parent_id: IntegerId | None = None
    position: Annotated[int, Meta(ge=0, le=10_000)] = 0


class CategoryChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    name: Name | UnsetType = UNSET
    name_en: Name | None | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    parent_id: IntegerId | None | UnsetType = UNSET
    position: Annotated[int, Meta(ge=0, le=10_000)] | UnsetType = UNSET


class PageQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which page of a list."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


def store_view(store: Store, categories: list[str]) -> StoreView:
    """The store as the API shows it."""
    return StoreView(
        id=store.id,
        name=store.name,
        name_en=store.name_en,
        slug=store.slug,
        logo=store.logo,
        description=store.description,
        owner_id=store.owner_id,
        categories=categories,
        settings=settings_view(store.settings_value()),
        is_active=store.is_active,
        created_at=store.created_at,
        updated_at=store.updated_at,
    )


async def _top_categories(call: Call, store_id: int) -> list[str]:
    return [
        c.name for c in await stores.list_categories(call.shop.db, store_id) if c.parent_id is None
    ]


async def list_stores(call: Call, query: PageQuery) -> Reply:
    """The directory of active stores."""
    page, total = await stores.list_active_stores(
        call.shop.db, query.limit, (query.page - 1) * query.limit
    )
    tops = await stores.list_top_categories(call.shop.db, [store.id for store in page])
    views = [store_view(store, tops.get(store.id, [])) for store in page]
    return Reply(views, page=Page(query.page, query.limit, total))


async def read_store(call: Call) -> Reply:
    """One store."""
    store = await stores.get_store(call.shop.db, call.store)
    return Reply(store_view(store, await _top_categories(call, store.id)))


async def create_store(call: Call, body: StoreBody) -> Reply:
    """A store for a merchant without one."""
    caller = call.caller
    if caller is None or caller.user_id is None:
        raise Forbidden()
    new = body.value()

    def view(store: Store) -> Reply:
        return Reply(
            store_view(store, list(dict.fromkeys(new.categories))),
            status=201,
            message=Words("The store is open.", "تم فتح المتجر."),
        )

    once = call.once(view)
    return once.reply(await open_store(call.shop, new, caller.user_id, call.actor, once))


async def update_store(call: Call, body: StoreChangeBody) -> Reply:
    """Change members of the store."""
    tops = await _top_categories(call, call.store)

    def check(seen: Store) -> None:
        refuse_stale(call, store_view(seen, tops))
        if body.is_active not in (UNSET, seen.is_active) and not may(call, "store:close"):
            raise Forbidden()
        # Where buyers send their money is for the owners alone, as payouts and gateways are.
        if (
            body.settings
            and body.settings.value().transfer_account != seen.settings_value().transfer_account
            and not is_owner(call)
        ):
            raise Forbidden()
        if body.is_active is True and seen.standing != "approved" and not is_admin(call):
            raise StoreNotApproved()

    change = StoreChange(
        name=body.name,
        name_en=body.name_en,
        slug=body.slug,
        description=body.description,
        logo=body.logo.url if body.logo else body.logo,  # type: ignore[arg-type]
        settings=body.settings.value() if body.settings else UNSET,
        is_active=body.is_active,
    )
    store = await edit_store.update_store(call.shop, call.store, change, call.actor, check)
    return Reply(store_view(store, tops))


async def delete_store(call: Call) -> Reply:
    """Close the store: it is deactivated, nothing is lost."""
    store = await edit_store.update_store(
        call.shop, call.store, StoreChange(is_active=False), call.actor, _unchecked
    )
    return Reply(store_view(store, await _top_categories(call, store.id)))


def _unchecked(_: object) -> None:
    """No `If-Match` here."""


async def list_categories(call: Call) -> Reply:
    """The store's tree of categories."""
    return Reply(category_tree(await stores.list_categories(call.shop.db, call.store)))


async def create_category(call: Call, body: CategoryBody) -> Reply:
    """A new category."""

    def view(category: Category) -> Reply:
        return Reply(category_view(category), status=201)

    once = call.once(view)
    category = await edit_store.create_category(
        call.shop,
        call.store,
        CategoryChange(
            name=body.name,
            name_en=body.name_en,
            slug=body.slug or UNSET,
            parent_id=body.parent_id,
            position=body.position,
        ),
        call.actor,
        once,
    )
    return once.reply(category)


async def update_category(call: Call, body: CategoryChangeBody) -> Reply:
    """Change members of a category."""
    if has_condition(call):
        seen = await stores.get_category(call.shop.db, call.store, _category_id(call))
        refuse_stale(call, category_view(seen))
    change = CategoryChange(**msgspec.structs.asdict(body))
    category = await edit_store.update_category(
        call.shop, call.store, _category_id(call), change, call.actor
    )
    return Reply(category_view(category))


async def delete_category(call: Call) -> Reply:
    """Remove a category; its products stay."""
    category = await edit_store.delete_category(
        call.shop, call.store, _category_id(call), call.actor
    )
    return Reply(category_view(category))


def _category_id(call: Call) -> int:
    return integer_in_path(call, "category_id", CategoryNotFound())


def category_view(category: Category, children: list[CategoryView] | None = None) -> CategoryView:
    """One category as the API shows it."""
    return CategoryView(
        id=category.id,
        slug=category.slug,
        name=category.name,
        name_en=category.name_en,
        parent_id=category.parent_id,
        position=category.position,
        children=children or [],
    )


def category_tree(categories: list[Category]) -> list[CategoryView]:
    """The top categories, each with those below it."""
    below: dict[int | None, list[Category]] = {}
    for category in categories:
        below.setdefault(category.parent_id, []).append(category)

    def branch(parent: int | None) -> list[CategoryView]:
        return [category_view(c, branch(c.id)) for c in below.get(parent, [])]

    return branch(None)


def has_condition(call: Call) -> bool:
    """True if the caller sent `If-Match`."""
    return call.request.get_header("If-Match") is not None


def refuse_stale(call: Call, view: Any) -> None:
    """`If-Match` must name what the caller would read now.

    Raises:
        PreconditionFailed: it names something else.
    """
    header = call.request.get_header("If-Match")
    if header is not None and not matches_etag(header, etag_of(encode(view))):
        raise PreconditionFailed()

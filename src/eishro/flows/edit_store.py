"""Change a store and its categories."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.catalog import sql as catalog
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import (
    CATEGORIES_MAX,
    Category,
    CategoryInUse,
    SlugTaken,
    Store,
    StoreSettings,
)
from eishro.errors import Invalid, Words
from eishro.flows.open_store import check_choices, new_category
from eishro.flows.shop import Once, Shop, again_if_stale


class StoreChange(msgspec.Struct, frozen=True, kw_only=True):
    """Members to change; unset ones stay."""

    name: str | UnsetType = UNSET
    name_en: str | None | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    description: str | None | UnsetType = UNSET
    logo: str | None | UnsetType = UNSET
    settings: StoreSettings | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class CategoryChange(msgspec.Struct, frozen=True, kw_only=True):
    """Members to change (or to begin with); unset ones stay."""

    name: str | UnsetType = UNSET
    name_en: str | None | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    parent_id: int | None | UnsetType = UNSET
    position: int | UnsetType = UNSET


@again_if_stale
async def update_store(
    shop: Shop, store_id: int, change: StoreChange, actor: Actor, check: Callable[[Store], None]
) -> Store:
    """Change the store; `check` is called with the store as read.

    Raises:
        StoreNotFound, SlugTaken, Invalid.
    """
    at = shop.clock.now()
    seen = await stores.get_store(shop.db, store_id)
    check(seen)
    changes = _set_members(change)
    if isinstance(change.settings, StoreSettings):
        check_choices(shop, change.settings)
        changes["settings"] = msgspec.Raw(msgspec.json.encode(change.settings))
    if isinstance(change.slug, str) and change.slug != seen.slug:
        other = await stores.find_store_id(shop.db, change.slug)
        if other is not None:
            raise SlugTaken()
    after = msgspec.structs.replace(seen, updated_at=at, **changes)
    await shop.db.commit(
        Batch(
            stores.save_store(after, seen=seen),
            stores.move_version(store_id),
            audit.record(
                actor,
                "store.changed",
                store_id,
                at,
                store_id=store_id,
                **audit.difference(seen, after),
            ),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


@again_if_stale
async def create_category(
    shop: Shop, store_id: int, change: CategoryChange, actor: Actor, once: Once
) -> Category:
    """A new category.

    Raises:
        SlugTaken, Invalid, idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    version = await stores.get_version(shop.db, store_id)
    existing = await stores.list_categories(shop.db, store_id)
    if len(existing) >= CATEGORIES_MAX:
        raise Invalid(
            {"name": Words("The store has too many categories.", "عدد أقسام المتجر كبير جدا.")}
        )
    _check_parent(existing, None, change.parent_id)
    category = new_category(
        await shop.ids.next("categories"),
        store_id,
        change.name or "",
        change.position or 0,
        at,
        taken={c.slug for c in existing},
        parent_id=change.parent_id or None,
        name_en=change.name_en or None,
        slug=change.slug or None,
    )
    await shop.db.commit(
        Batch(*once.claim(category)).add(
            stores.move_version_from(store_id, version),
            stores.insert_category(category),
            audit.record(actor, "category.created", category.id, at, store_id=store_id),
        )
    )
    return category


@again_if_stale
async def update_category(
    shop: Shop, store_id: int, category_id: int, change: CategoryChange, actor: Actor
) -> Category:
    """Change a category; it cannot move below itself.

    Raises:
        CategoryNotFound, SlugTaken, Invalid.
    """
    at = shop.clock.now()
    version = await stores.get_version(shop.db, store_id)
    seen = await stores.get_category(shop.db, store_id, category_id)
    existing = await stores.list_categories(shop.db, store_id)
    _check_parent(existing, category_id, change.parent_id)
    if change.slug and any(c.slug == change.slug and c.id != category_id for c in existing):
        raise SlugTaken()
    changes = _set_members(change)
    after = msgspec.structs.replace(seen, **changes)
    await shop.db.commit(
        Batch(
            # The tree was checked as a whole, so it must not have changed as a whole.
            stores.move_version_from(store_id, version),
            stores.save_category(after, seen=seen),
            catalog.drop_cards_of_shelf(store_id, category_id),
            audit.record(
                actor,
                "category.changed",
                category_id,
                at,
                store_id=store_id,
                **audit.difference(seen, after),
            ),
        ).add(*_renamed(seen, after, at))
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


def _renamed(seen: Category, after: Category, at: datetime) -> list[Statement]:
    """The words of a category are part of its products' search text."""
    if (seen.name, seen.name_en) == (after.name, after.name_en):
        return []
    return [outbox.publish("category.renamed", str(after.id), at, store_id=after.store_id)]


@again_if_stale
async def delete_category(shop: Shop, store_id: int, category_id: int, actor: Actor) -> Category:
    """Remove an empty branch; products lose the category and stay.

    Raises:
        CategoryNotFound, CategoryInUse.
    """
    at = shop.clock.now()
    version = await stores.get_version(shop.db, store_id)
    category = await stores.get_category(shop.db, store_id, category_id)
    if any(c.parent_id == category_id for c in await stores.list_categories(shop.db, store_id)):
        raise CategoryInUse()
    await shop.db.commit(
        Batch(
            stores.move_version_from(store_id, version),
            catalog.drop_cards_of_shelf(store_id, category_id),
            catalog.clear_shelf(store_id, category_id),
            stores.delete_category(store_id, category_id).guarded(CategoryInUse()),
            audit.record(actor, "category.deleted", category_id, at, store_id=store_id),
        )
    )
    return category


def _check_parent(
    existing: list[Category], category_id: int | None, parent_id: int | None | UnsetType
) -> None:
    """The parent must be a category of the store and not below the category itself."""
    if not isinstance(parent_id, int):
        return
    parents = {c.id: c.parent_id for c in existing}
    fault = Words("The store has no such category.", "لا يوجد قسم كهذا في المتجر.")
    if parent_id not in parents:
        raise Invalid({"parentId": fault})
    above: int | None = parent_id
    for _ in range(len(existing) + 1):
        if above == category_id and category_id is not None:
            raise Invalid(
                {"parentId": Words("A category cannot be below itself.", "لا يوضع القسم تحت نفسه.")}
            )
        if above is None:
            return
        above = parents.get(above)


def _set_members(change: msgspec.Struct) -> dict[str, object]:
    return {
        name: getattr(change, name)
        for name in change.__struct_fields__
        if getattr(change, name) is not UNSET
    }

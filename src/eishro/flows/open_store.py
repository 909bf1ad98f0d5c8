"""Open a store: the store, its owner's membership and its first categories in one batch."""

from datetime import datetime

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import sql as accounts
from eishro.domain.payments.transfers import NoAccount
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Category, HasStore, Store, StoreSettings
from eishro.errors import Invalid, Words
from eishro.flows.shop import Once, Shop
from eishro.ids import readable_code
from eishro.text import slugify


class NewStore(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant says about a new store; `slug` None is made from the name."""

    name: str
    name_en: str | None = None
    slug: str | None = None
    description: str | None = None
    logo: str | None = None
    categories: tuple[str, ...] = ()
    settings: StoreSettings = StoreSettings()


async def open_store(shop: Shop, new: NewStore, owner_id: int, actor: Actor, once: Once) -> Store:
    """A new store for a merchant without one.

    Raises:
        HasStore, SlugTaken, idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    store, statements = await prepare_store(shop, new, owner_id, actor, at)
    await shop.db.commit(Batch(*once.claim(store)).add(*statements))
    return store


async def prepare_store(
    shop: Shop, new: NewStore, owner_id: int, actor: Actor, at: datetime
) -> tuple[Store, list[Statement]]:
    """The store as a value and the statements that make it, for somebody's batch."""
    check_methods(shop, new.settings)
    store_id = await shop.ids.next("stores")
    store = Store(
        id=store_id,
        slug=new.slug or await _free_slug(shop, new),
        name=new.name,
        name_en=new.name_en,
        description=new.description,
        logo=new.logo,
        settings=msgspec.Raw(msgspec.json.encode(new.settings)),
        is_active=not shop.rules.store_approval,
        created_at=at,
        updated_at=at,
        version=1,
        standing="pending" if shop.rules.store_approval else "approved",
        owner_id=owner_id,
    )
    names = list(dict.fromkeys(new.categories))
    ids = await shop.ids.several("categories", len(names))
    slugs: set[str] = set()
    statements = [
        *stores.insert_store(store),
        accounts.insert_membership(store_id, owner_id, "owner", at, HasStore()),
        *(
            stores.insert_category(
                new_category(category_id, store_id, name, position, at, taken=slugs)
            )
            for position, (category_id, name) in enumerate(zip(ids, names, strict=True))
        ),
        outbox.publish("store.opened", str(store_id), at, store_id=store_id),
        audit.record(actor, "store.opened", store_id, at, store_id=store_id, slug=store.slug),
    ]
    return store, statements


def check_methods(shop: Shop, settings: StoreSettings) -> None:
    """A store chooses among the methods that the platform offers, and names a whole account.

    Raises:
        Invalid: it names others. NoAccount: an account without any number.
    """
    account = settings.transfer_account
    if account is not None and account.iban is None and account.account_number is None:
        raise NoAccount("settings.transferAccount.iban")
    known = {method.method for method in shop.methods}
    if not known.issuperset(settings.payment_methods):
        raise Invalid(
            {
                "settings.paymentMethods": Words(
                    f"must be among: {', '.join(sorted(known))}",
                    f"يجب أن تكون من: {', '.join(sorted(known))}",
                )
            }
        )


def new_category(
    category_id: int,
    store_id: int,
    name: str,
    position: int,
    at: datetime,
    *,
    taken: set[str],
    parent_id: int | None = None,
    name_en: str | None = None,
    slug: str | None = None,
) -> Category:
    """A category; its slug is made from the name where none is given, and added to `taken`."""
    if slug is None:
        base = slugify(name_en or name) or "category"
        slug = base if base not in taken else f"{base}-{category_id}"
    taken.add(slug)
    return Category(
        id=category_id,
        store_id=store_id,
        parent_id=parent_id,
        slug=slug,
        name=name,
        name_en=name_en,
        position=position,
        created_at=at,
        version=1,
    )


async def _free_slug(shop: Shop, new: NewStore) -> str:
    """The name as a slug, with a few random characters where somebody has it. An all-digit slug
    would be read as an id.
    """
    base = slugify(new.name_en or new.name) or "store"
    if base.isdigit() or await stores.find_store_id(shop.db, base) is not None:
        return f"{base}-{readable_code(5).lower()}"
    return base

"""Create, change and archive products: rows, variants, stock, shelves and search text together.

Sizes and colours given without variants make one variant for each combination. A change keeps
the variants whose options stay, retires the others and adds what is new.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.catalog import sql as catalog
from eishro.domain.catalog.model import (
    VARIANTS_MAX,
    Color,
    Product,
    Status,
    Variant,
    combinations,
)
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Stock
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import CATEGORIES_MAX, Category
from eishro.errors import Invalid, Stale, Words
from eishro.flows.open_store import new_category
from eishro.flows.product_card import ProductState, described, read_product
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.text import normalise

_Keep = msgspec.UnsetType


class VariantDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A variant as the merchant sends it; `stock` None is untracked, unset takes the
    product's. Other unset members keep what a variant with these options has.
    """

    options: dict[str, str]
    sku: str | None | _Keep = msgspec.UNSET
    price_dirhams: int | None | _Keep = msgspec.UNSET
    stock: int | None | _Keep = msgspec.UNSET
    weight_grams: int | None | _Keep = msgspec.UNSET


class ProductDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What the merchant sends of a product; unset members keep what is there (or the default).

    `categories` are ids or names; a name the store does not have becomes a category.
    """

    name: str | _Keep = msgspec.UNSET
    name_en: str | None | _Keep = msgspec.UNSET
    description: str | None | _Keep = msgspec.UNSET
    description_en: str | None | _Keep = msgspec.UNSET
    price_dirhams: int | _Keep = msgspec.UNSET
    compare_at_dirhams: int | None | _Keep = msgspec.UNSET
    images: Sequence[str] | _Keep = msgspec.UNSET
    sizes: Sequence[str] | _Keep = msgspec.UNSET
    colors: Sequence[Color] | _Keep = msgspec.UNSET
    sells: bool | _Keep = msgspec.UNSET
    status: Status | _Keep = msgspec.UNSET
    categories: Sequence[int | str] | _Keep = msgspec.UNSET
    variants: Sequence[VariantDraft] | _Keep = msgspec.UNSET
    stock: int | None | _Keep = msgspec.UNSET
    sku: str | None | _Keep = msgspec.UNSET
    weight_grams: int | None | _Keep = msgspec.UNSET


Check = Callable[[ProductState], None]

_SKU_IS_ONE_VARIANT_S = Words(
    "A SKU is one variant's: give each its own in `variants`.",
    "رمز SKU يخص خيارا واحدا: ضع لكل خيار رمزه في `variants`.",
)


@again_if_stale
async def create_product(
    shop: Shop, store_id: int, draft: ProductDraft, actor: Actor, once: Once
) -> ProductState:
    """A new product.

    Raises:
        Invalid, SkuTaken, idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    product_id = await shop.ids.next("products")
    product = Product(
        id=product_id,
        store_id=store_id,
        name="",
        name_en=None,
        description=None,
        description_en=None,
        price_dirhams=0,
        compare_at_dirhams=None,
        images=msgspec.Raw(b"[]"),
        sizes=msgspec.Raw(b"[]"),
        colors=msgspec.Raw(b"[]"),
        sells=True,
        status="active",
        created_at=at,
        updated_at=at,
        version=1,
    )
    product = _changed(product, draft, at)
    shelves, shelving = await _shelves(shop, store_id, draft, at)
    wanted = _wanted_variants(draft, product)
    new = await _new_variants(shop, product, dict(enumerate(wanted)), at=at)
    state = ProductState(
        product,
        tuple(new),
        {
            v.id: Stock(v.id, product_id, store_id, _count(d, draft), 0, 0)
            for v, d in zip(new, wanted, strict=True)
        },
        shelves,
    )
    batch = Batch(*once.claim(state))
    batch.add(catalog.insert_product(product), *shelving, *_opened(state, new, at))
    batch.add(
        *_filed(state, product.version),
        stores.move_version(store_id, products=int(product.status == "active")),
    )
    batch.add(
        audit.record(actor, "product.created", product_id, at, store_id=store_id, name=product.name)
    )
    await shop.db.commit(batch)
    return state


@again_if_stale
async def update_product(
    shop: Shop, product_id: int, draft: ProductDraft, actor: Actor, check: Check
) -> ProductState:
    """Change the members that are set, leave the others.

    Args:
        check: called with the product as read; a door's `If-Match` raises there.

    Raises:
        Invalid, SkuTaken, ProductNotFound.
    """
    at = shop.clock.now()
    seen = await read_product(shop, product_id)
    check(seen)
    product = _changed(seen.product, draft, at)
    batch = Batch()
    batch.add(catalog.save_product(product, seen=seen.product))
    shelves = seen.categories
    if draft.categories is not msgspec.UNSET:
        shelves, shelving = await _shelves(shop, product.store_id, draft, at)
        batch.add(*shelving)
    state = await _regrouped(shop, batch, seen, product, draft, at)
    state = msgspec.structs.replace(state, categories=shelves)
    batch.add(
        *_filed(state, seen.product.version + 1),
        _moved(seen.product, product),
    )
    told = _difference(seen, state)
    batch.add(
        audit.record(
            actor,
            "product.changed",
            product_id,
            at,
            store_id=product.store_id,
            before=told["before"],
            after=told["after"],
        )
    )
    await shop.db.commit(batch)
    return msgspec.structs.replace(
        state, product=msgspec.structs.replace(product, version=seen.product.version + 1)
    )


def _difference(seen: ProductState, after: ProductState) -> dict[str, dict[str, object]]:
    """What the change did, for the audit trail; lists that changed are told whole."""
    told = audit.difference(seen.product, after.product)
    for name in ("categories", "variants", "stock"):
        if getattr(seen, name) != getattr(after, name):
            told["before"][name] = getattr(seen, name)
            told["after"][name] = getattr(after, name)
    return told


@again_if_stale
async def archive_product(shop: Shop, product_id: int, actor: Actor) -> Product:
    """Take the product out of the shop for good; old orders keep it. Again is a success."""
    at = shop.clock.now()
    seen = await catalog.get_product(shop.db, product_id)
    if seen.status == "archived":
        return seen
    after = msgspec.structs.replace(seen, status="archived", updated_at=at)
    await shop.db.commit(
        Batch(
            catalog.save_product(after, seen=seen),
            _moved(seen, after),
            audit.record(actor, "product.archived", product_id, at, store_id=seen.store_id),
        )
    )
    return after


def _moved(before: Product, after: Product) -> Statement:
    """What the public sees of the store has changed."""
    change = int(after.status == "active") - int(before.status == "active")
    return stores.move_version(after.store_id, products=change)


def _changed(product: Product, draft: ProductDraft, at: datetime) -> Product:
    """The product's row with the members that are set; JSON columns encoded."""
    plain = (
        "name", "name_en", "description", "description_en", "price_dirhams",
        "compare_at_dirhams", "sells", "status", "weight_grams",
    )  # fmt: skip
    changes: dict[str, object] = {
        name: getattr(draft, name) for name in plain if getattr(draft, name) is not msgspec.UNSET
    }
    for name in ("images", "sizes", "colors"):
        value = getattr(draft, name)
        if value is not msgspec.UNSET:
            changes[name] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.structs.replace(product, updated_at=at, **changes)


async def _shelves(
    shop: Shop, store_id: int, draft: ProductDraft, at: datetime
) -> tuple[tuple[Category, ...], list[Statement]]:
    """The categories the draft names, and the statements that make missing ones.

    Raises:
        Invalid: an id the store does not have.
    """
    if not draft.categories:
        return (), []
    existing = await stores.list_categories(shop.db, store_id)
    by_id = {category.id: category for category in existing}
    by_name = {
        key: category
        for category in reversed(existing)
        for key in {normalise(category.name), normalise(category.name_en or ""), category.slug}
        if key
    }
    slugs = {category.slug for category in existing}
    chosen: list[Category] = []
    statements: list[Statement] = []
    for wish in draft.categories:
        found = by_id.get(wish) if isinstance(wish, int) else by_name.get(normalise(wish))
        if found is None and isinstance(wish, str):
            new_id = await shop.ids.next("categories")
            if len(existing) + len(statements) >= CATEGORIES_MAX:
                raise Invalid(
                    {
                        "category": Words(
                            "The store has too many categories.", "عدد أقسام المتجر كبير جدا."
                        )
                    }
                )
            found = new_category(new_id, store_id, wish, len(existing), at, taken=slugs)
            by_name[normalise(wish)] = found
            # Another product may be making the same one just now: then it is read, not made.
            statements.append(stores.insert_category(found).guarded(Stale()))
        if found is None:
            raise Invalid(
                {
                    "category": Words(
                        "The store has no such category.", "لا يوجد قسم كهذا في المتجر."
                    )
                }
            )
        if found not in chosen:
            chosen.append(found)
    return tuple(chosen), statements


def _wanted_variants(draft: ProductDraft, product: Product) -> list[VariantDraft]:
    """The variants the draft asks for: its own list, or one for each size and colour.

    Raises:
        Invalid: too many, or two with the same options.
    """
    if isinstance(draft.variants, Sequence) and draft.variants:
        wanted = list(draft.variants)
    else:
        sizes = msgspec.json.decode(product.sizes, type=list[str])
        colors = msgspec.json.decode(product.colors, type=list[Color])
        wanted = [
            VariantDraft(options=options)
            for options in combinations(sizes, [color.name for color in colors])
        ]
    if draft.sku is not msgspec.UNSET and (draft.sku is not None or len(wanted) == 1):
        if len(wanted) != 1:
            raise Invalid({"sku": _SKU_IS_ONE_VARIANT_S})
        if wanted[0].sku is msgspec.UNSET:
            wanted = [msgspec.structs.replace(wanted[0], sku=draft.sku)]
    if len(wanted) > VARIANTS_MAX:
        raise Invalid(
            {
                "variants": Words(
                    f"A product has at most {VARIANTS_MAX} variants.",
                    f"للمنتج {VARIANTS_MAX} خيار على الأكثر.",
                )
            }
        )
    _check_differ(wanted)
    return wanted


def _check_differ(wanted: Sequence[VariantDraft]) -> None:
    """No two variants have the same options or SKU."""
    faults: dict[str, Words] = {}
    options: set[tuple[tuple[str, str], ...]] = set()
    skus: set[str] = set()
    for position, variant in enumerate(wanted):
        key = _key(variant.options)
        if key in options:
            faults[f"variants[{position}].options"] = Words(
                "Another variant has the same options.", "خيار آخر له نفس المواصفات."
            )
        options.add(key)
        if isinstance(variant.sku, str):
            if variant.sku in skus:
                faults[f"variants[{position}].sku"] = Words(
                    "Another variant has the same SKU.", "خيار آخر له نفس رمز SKU."
                )
            skus.add(variant.sku)
    if faults:
        raise Invalid(faults)


async def _regrouped(
    shop: Shop,
    batch: Batch,
    seen: ProductState,
    product: Product,
    draft: ProductDraft,
    at: datetime,
) -> ProductState:
    """Add the statements that turn the seen variants and stock into the wanted ones."""
    reshapes = any(
        getattr(draft, name) is not msgspec.UNSET for name in ("variants", "sizes", "colors")
    )
    if not reshapes:
        return _recounted(batch, seen, product, draft, at)
    wanted = _wanted_variants(draft, product)
    old = {_key(msgspec.json.decode(v.options, type=dict[str, str])): v for v in seen.variants}
    kept: list[tuple[Variant, Variant]] = []
    missing: dict[int, VariantDraft] = {}
    counts = dict(seen.stock)
    counting: list[Statement] = []
    for position, variant_draft in enumerate(wanted):
        before = old.pop(_key(variant_draft.options), None)
        if before is None:
            missing[position] = variant_draft
            continue
        kept.append((before, _redrafted(before, variant_draft, position)))
        target = _count(variant_draft, draft, seen.stock[before.id].available)
        counting += stock.set_stock(seen.stock[before.id], target, at)
        counts[before.id] = msgspec.structs.replace(seen.stock[before.id], available=target)
    batch.add(catalog.retire_variants(product.store_id, sorted(v.id for v in old.values())))
    batch.add(*_saved(product.store_id, kept), *counting)
    new = await _new_variants(shop, product, missing, at=at)
    # Where the others are counted, nobody has said that there is any of the new one.
    unsaid = 0 if any(count.available is not None for count in seen.stock.values()) else None
    for variant, variant_draft in zip(new, missing.values(), strict=True):
        available = _count(variant_draft, draft, unsaid)
        counts[variant.id] = Stock(variant.id, product.id, product.store_id, available, 0, 0)
    stayed = [_as_saved(after, before) for before, after in kept]
    together = sorted([*stayed, *new], key=lambda v: v.position)
    state = ProductState(product, tuple(together), counts, seen.categories)
    batch.add(*_opened(state, new, at))
    return state


def _redrafted(before: Variant, draft: VariantDraft, position: int) -> Variant:
    """The variant with what the draft says; the rest stays."""
    changes: dict[str, object] = {
        name: getattr(draft, name)
        for name in ("sku", "price_dirhams", "weight_grams")
        if getattr(draft, name) is not msgspec.UNSET
    }
    return msgspec.structs.replace(before, position=position, **changes)


def _as_saved(after: Variant, before: Variant) -> Variant:
    """The variant as it stands after the batch."""
    return after if after == before else msgspec.structs.replace(after, version=before.version + 1)


def _saved(store_id: int, kept: Sequence[tuple[Variant, Variant]]) -> list[Statement]:
    """Statements for the variants that stay and change; SKUs may change hands among them."""
    changed = [(before, after) for before, after in kept if after != before]
    freed = sorted(before.id for before, after in changed if after.sku != before.sku)
    return [
        *([catalog.clear_skus(store_id, freed)] if freed else []),
        *(catalog.save_variant(after, seen=before) for before, after in changed),
    ]


def _recounted(
    batch: Batch, seen: ProductState, product: Product, draft: ProductDraft, at: datetime
) -> ProductState:
    """Only stock and SKU can change when the variants stay as they are."""
    counts = dict(seen.stock)
    variants = list(seen.variants)
    if draft.stock is not msgspec.UNSET:
        for variant in seen.variants:
            batch.add(*stock.set_stock(seen.stock[variant.id], draft.stock, at))
            counts[variant.id] = msgspec.structs.replace(
                seen.stock[variant.id], available=draft.stock
            )
    if isinstance(draft.sku, str) and len(variants) != 1:
        raise Invalid({"sku": _SKU_IS_ONE_VARIANT_S})
    if draft.sku is not msgspec.UNSET and len(variants) == 1:
        after = msgspec.structs.replace(variants[0], sku=draft.sku)
        batch.add(*_saved(product.store_id, [(variants[0], after)]))
        variants = [_as_saved(after, variants[0])]
    return ProductState(product, tuple(variants), counts, seen.categories)


async def _new_variants(
    shop: Shop,
    product: Product,
    drafts: Mapping[int, VariantDraft],
    *,
    at: datetime,
) -> list[Variant]:
    ids = await shop.ids.several("variants", len(drafts))
    return [
        Variant(
            id=variant_id,
            store_id=product.store_id,
            product_id=product.id,
            sku=None if draft.sku is msgspec.UNSET else draft.sku,
            options=msgspec.Raw(msgspec.json.encode(draft.options)),
            price_dirhams=None if draft.price_dirhams is msgspec.UNSET else draft.price_dirhams,
            position=position,
            is_active=True,
            created_at=at,
            version=1,
            weight_grams=None if draft.weight_grams is msgspec.UNSET else draft.weight_grams,
        )
        for variant_id, (position, draft) in zip(ids, drafts.items(), strict=True)
    ]


def _opened(state: ProductState, new: Sequence[Variant], at: datetime) -> list[Statement]:
    statements = [catalog.insert_variants(list(new))]
    for variant in new:
        available = state.stock[variant.id].available
        statements += stock.open_stock(
            state.product.store_id, state.product.id, variant.id, available, at
        )
    return statements


def _filed(state: ProductState, version: int) -> list[Statement]:
    """Shelves, search text and card, which follow from the rest; `version` is the product's
    after this batch.
    """
    product = state.product
    shelves = [category.id for category in state.categories]
    return [
        *catalog.shelve(product.store_id, product.id, shelves),
        *described(state, version),
    ]


def _count(variant: VariantDraft, draft: ProductDraft, otherwise: int | None = None) -> int | None:
    if variant.stock is not msgspec.UNSET:
        return variant.stock
    return otherwise if draft.stock is msgspec.UNSET else draft.stock


def _key(options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(options.items()))

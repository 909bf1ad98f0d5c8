"""Products and their variants: lists, search, one product, and the merchant's changes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from eishro.domain.catalog import listing
from eishro.domain.catalog.listing import Card, ProductFilter
from eishro.domain.catalog.model import (
    IMAGES_MAX,
    OPTIONS_MAX,
    QUANTITY_MAX,
    VARIANTS_MAX,
    WEIGHT_GRAMS_MAX,
    Color,
    ProductNotFound,
    Status,
)
from eishro.domain.stores import sql as stores
from eishro.domain.stores.sql import Front
from eishro.errors import Forbidden, Invalid, Unauthenticated, Words
from eishro.flows import edit_product
from eishro.flows.edit_product import ProductDraft, VariantDraft
from eishro.flows.product_card import (
    ProductState,
    card_of,
    file_cards,
    product_view,
    read_product,
    read_products,
    shown,
)
from eishro.text import normalise, search_terms
from eishro.web.access import may, product_id_in_path
from eishro.web.routes import Call, Page, Reply
from eishro.web.stores import refuse_stale
from eishro.web.wire import (
    VISIBLE,
    Dinars,
    IntegerId,
    LongText,
    Name,
    ShortText,
    WebAddress,
    in_words,
)

Label = Annotated[str, Meta(min_length=1, max_length=60, pattern=VISIBLE)]
Quantity = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Weight = Annotated[int, Meta(ge=0, le=WEIGHT_GRAMS_MAX)]
Sku = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=60,
        pattern=r"^[!-~]+( [!-~]+)*$",
        extra=in_words(
            "must be 1 to 60 Latin letters, digits and signs",
            "يجب أن يكون من 1 إلى 60 حرفا لاتينيا أو رقما أو علامة",
        ),
    ),
]
PriceText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,9}(\.[0-9]{1,3})?$",
        extra=in_words(
            "must be an amount in dinars such as 25.500", "يجب أن يكون مبلغا بالدينار مثل 25.500"
        ),
    ),
]
Cursor = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,15}$",
        extra=in_words(
            "must be the `nextCursor` of a former answer",
            "يجب أن يكون `nextCursor` من إجابة سابقة",
        ),
    ),
]


class ColorBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A colour: its name and how it looks (`#aa3322` or a CSS name)."""

    name: Label
    value: Annotated[str, Meta(max_length=30, pattern=r"^[#A-Za-z0-9(),.% ]*$")] | None = None


class VariantBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A variant: its options, and price, SKU, stock and weight where they differ."""

    options: dict[Label, Label]
    sku: Sku | None | UnsetType = UNSET
    price: Dinars | None | UnsetType = UNSET
    stock: Quantity | None | UnsetType = UNSET
    weight_grams: Weight | None | UnsetType = UNSET

    def __post_init__(self) -> None:
        if len(self.options) > 5:
            raise ValueError("a variant has at most 5 options")


CategoryWish = IntegerId | Label
Images = Annotated[list[WebAddress], Meta(max_length=IMAGES_MAX)]
Sizes = Annotated[list[Label], Meta(max_length=OPTIONS_MAX)]
Colors = Annotated[list[ColorBody], Meta(max_length=OPTIONS_MAX)]
Variants = Annotated[list[VariantBody], Meta(max_length=VARIANTS_MAX)]
ChangedVariants = Annotated[list[VariantBody], Meta(min_length=1, max_length=VARIANTS_MAX)]
Wishes = Annotated[list[CategoryWish], Meta(max_length=20)]


class ProductBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A new product. `stock` null (or left out) is untracked; `inStock` false takes it off
    sale; `category` is an id, slug or name (a new name makes a category).
    """

    name: Name
    price: Dinars
    name_en: Name | None = None
    description: LongText | None = None
    description_en: LongText | None = None
    compare_at_price: Dinars | None = None
    category: CategoryWish | None = None
    categories: Wishes | None = None
    images: Images = []
    sizes: Sizes = []
    colors: Colors = []
    in_stock: bool = True
    stock: Quantity | None = None
    sku: Sku | None = None
    weight_grams: Weight | None = None
    variants: Variants | None = None
    status: Status = "active"


class ProductChangeBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Members to change; the others stay."""

    name: Name | UnsetType = UNSET
    price: Dinars | UnsetType = UNSET
    name_en: Name | None | UnsetType = UNSET
    description: LongText | None | UnsetType = UNSET
    description_en: LongText | None | UnsetType = UNSET
    compare_at_price: Dinars | None | UnsetType = UNSET
    category: CategoryWish | None | UnsetType = UNSET
    categories: Wishes | UnsetType = UNSET
    images: Images | UnsetType = UNSET
    sizes: Sizes | UnsetType = UNSET
    colors: Colors | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET
    stock: Quantity | None | UnsetType = UNSET
    sku: Sku | None | UnsetType = UNSET
    weight_grams: Weight | None | UnsetType = UNSET
    variants: ChangedVariants | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class ProductQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Filters, order and page of a list. `cursor` (of a former answer) replaces `page` where
    the order is `-createdAt`.
    """

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Cursor | None = None
    category: Label | None = None
    min_price: PriceText | None = None
    max_price: PriceText | None = None
    in_stock: bool | None = None
    q: ShortText | None = None
    sort: Literal["-createdAt", "price", "-price", "name"] = "-createdAt"
    status: Status | None = None


async def list_store_products(call: Call, query: ProductQuery) -> Reply:
    """Products of one store."""
    wanted = await _filter(call, query, call.store)
    return await _list(call, wanted, query)


async def list_all_products(call: Call, query: ProductQuery) -> Reply:
    """Products of all active stores."""
    return await _list(call, await _filter(call, query, None), query)


async def _filter(call: Call, query: ProductQuery, store_id: int | None) -> ProductFilter:
    status: Status = query.status or "active"
    if status != "active" and (store_id is None or not may(call, "products:read")):
        raise Unauthenticated() if call.caller is None else Forbidden()
    if query.cursor is not None and query.sort != "-createdAt":
        raise Invalid({"cursor": Words("works with -createdAt only", "يعمل مع -createdAt فقط")})
    return ProductFilter(
        store_id=store_id,
        status=status,
        category_id=await _category_id(call, query.category, store_id),
        min_dirhams=dirhams_of(query.min_price),
        max_dirhams=dirhams_of(query.max_price),
        in_stock=query.in_stock,
        terms=search_terms(query.q) if query.q and query.q.strip() else None,
        after_id=int(query.cursor) if query.cursor is not None else None,
        sort=query.sort,
    )


async def _category_id(call: Call, wish: str | None, store_id: int | None) -> int | None:
    """The category meant by id, slug or name; an unknown one finds nothing."""
    if wish is None:
        return None
    if wish.isascii() and wish.isdigit():
        return int(wish[:15])
    if store_id is None:
        fault = Words(
            "must be an id: names differ by store", "يجب أن يكون رقما: الأسماء تخص كل متجر"
        )
        raise Invalid({"category": fault})
    for category in await stores.list_categories(call.shop.db, store_id):
        if wish == category.slug or normalise(wish) in (
            normalise(category.name),
            normalise(category.name_en or ""),
        ):
            return category.id
    return 0


def dirhams_of(text: str | None) -> int | None:
    """The amount of a query."""
    return None if text is None else int(Decimal(text).scaleb(3))


async def _list(call: Call, wanted: ProductFilter, query: ProductQuery) -> Reply:
    db = call.shop.db
    if wanted.terms == ():
        return Reply([], page=Page(query.page, query.limit, 0))
    offset = 0 if wanted.after_id is not None else (query.page - 1) * query.limit
    cards = await listing.list_cards(db, wanted, query.limit, offset)
    more = len(cards) == query.limit and wanted.sort == "-createdAt"
    page = Page(
        query.page,
        query.limit,
        await _total(call, wanted),
        str(cards[-1].product_id) if more else None,
    )
    if wanted.store_id is not None and may(call, "products:read"):
        states = await read_products(call.shop, [card.product_id for card in cards])
        return Reply([product_view(state, for_members=True) for state in states], page=page)
    return Reply(msgspec.Raw(b"[" + b",".join(await _bodies(call, cards)) + b"]"), page=page)


async def _total(call: Call, wanted: ProductFilter) -> int:
    """How many the filter finds; counted only where the store's own count does not say it."""
    if msgspec.structs.replace(wanted, after_id=None, sort="-createdAt") == ProductFilter(
        store_id=wanted.store_id
    ):
        if wanted.store_id is None:
            return await stores.count_active_products(call.shop.db)
        front: Front | None = call.found.get("front")
        if front is not None:
            return front.active_products
    return await listing.count_products(call.shop.db, wanted)


async def _bodies(call: Call, cards: Sequence[Card]) -> list[bytes]:
    """The cards as JSON; missing ones are rendered now and kept for the next reader."""
    missing = await read_products(call.shop, [c.product_id for c in cards if c.body is None])
    if missing:
        call.door.background(file_cards(call.shop, missing))
    rendered = {state.product.id: card_of(state) for state in missing}
    return [
        shown(c.body.encode() if c.body is not None else rendered[c.product_id], c.sold_out)
        for c in cards
        if c.body is not None or c.product_id in rendered
    ]


async def read(call: Call) -> Reply:
    """One product; drafts and archived ones only for the store's people."""
    product_id = product_id_in_path(call)
    rows = await listing.find_card(call.shop.db, product_id)
    if not rows:
        raise ProductNotFound()
    row = rows[0]
    call.store_id = row.store_id
    if may(call, "products:read"):
        state = await read_product(call.shop, product_id)
        return Reply(product_view(state, for_members=True))
    if row.status != "active" or not row.is_active:
        raise ProductNotFound()
    call.version = row.version
    sold_out = tuple(r.sold_out for r in rows if r.sold_out is not None)
    (body,) = await _bodies(call, [Card(product_id, row.body, sold_out)])
    return Reply(msgspec.Raw(body))


async def create(call: Call, body: ProductBody) -> Reply:
    """A new product."""
    draft = ProductDraft(
        name=body.name.strip(),
        name_en=body.name_en,
        description=body.description,
        description_en=body.description_en,
        price_dirhams=body.price.dirhams,
        compare_at_dirhams=body.compare_at_price.dirhams if body.compare_at_price else None,
        images=[image.url for image in body.images],
        sizes=body.sizes,
        colors=[Color(c.name, c.value) for c in body.colors],
        sells=body.in_stock,
        status=body.status,
        categories=_wishes(body.category, body.categories),
        variants=_variant_drafts(body.variants) if body.variants else UNSET,
        stock=body.stock,
        sku=body.sku,
        weight_grams=body.weight_grams,
    )

    def view(state: ProductState) -> Reply:
        return Reply(
            product_view(state, for_members=True),
            status=201,
            message=Words("The product is created.", "تم إنشاء المنتج."),
        )

    once = call.once(view)
    return once.reply(
        await edit_product.create_product(call.shop, call.store, draft, call.actor, once)
    )


async def update(call: Call, body: ProductChangeBody) -> Reply:
    """Change members of a product."""
    compare_at: int | UnsetType | None = UNSET
    if body.compare_at_price is not UNSET:
        compare_at = body.compare_at_price.dirhams if body.compare_at_price else None
    categories: Sequence[int | str] | UnsetType = UNSET
    if body.category is not UNSET or body.categories is not UNSET:
        categories = _wishes(body.category or None, body.categories or None)
    draft = ProductDraft(
        name=body.name,
        name_en=body.name_en,
        description=body.description,
        description_en=body.description_en,
        price_dirhams=body.price.dirhams if body.price else UNSET,
        compare_at_dirhams=compare_at,
        images=UNSET if body.images is UNSET else [image.url for image in body.images],
        sizes=body.sizes,
        colors=(UNSET if body.colors is UNSET else [Color(c.name, c.value) for c in body.colors]),
        sells=body.in_stock,
        status=body.status,
        categories=categories,
        variants=UNSET if body.variants is UNSET else _variant_drafts(body.variants),
        stock=body.stock,
        sku=body.sku,
        weight_grams=body.weight_grams,
    )

    def check(seen: ProductState) -> None:
        refuse_stale(call, product_view(seen, for_members=True))

    state = await edit_product.update_product(
        call.shop, product_id_in_path(call), draft, call.actor, check
    )
    return Reply(product_view(state, for_members=True))


async def delete(call: Call) -> Reply:
    """Archive the product; old orders keep it."""
    product_id = product_id_in_path(call)
    await edit_product.archive_product(call.shop, product_id, call.actor)
    state = await read_product(call.shop, product_id)
    return Reply(product_view(state, for_members=True))


def _wishes(main: int | str | None, others: Sequence[int | str] | None) -> Sequence[int | str]:
    first = [main] if main is not None else []
    return list(dict.fromkeys([*first, *(others or [])]))


def _variant_drafts(variants: Sequence[VariantBody]) -> list[VariantDraft]:
    return [
        VariantDraft(
            options=dict(v.options),
            sku=v.sku,
            price_dirhams=v.price.dirhams if isinstance(v.price, Dinars) else v.price,
            stock=v.stock,
            weight_grams=v.weight_grams,
        )
        for v in variants
    ]

"""How a product is shown: its whole state, the view in answers, and its card.

A card is the view that everybody gets, rendered when the product changes and kept beside it, so
that a read is one row. It shows every variant as if it were in stock; the few that are sold out
come with the row and are marked in it. A card that is missing is made from the state and filed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from eishro.db.statements import Batch, Statement
from eishro.domain.catalog import listing
from eishro.domain.catalog import sql as catalog
from eishro.domain.catalog.model import Product, ProductNotFound, Status, Variant
from eishro.domain.stock import sql as stock
from eishro.domain.stock.sql import Stock
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Category
from eishro.errors import Stale
from eishro.flows.shop import Shop
from eishro.money import decimal_from_dirhams
from eishro.text import search_text

_encode = msgspec.json.Encoder(decimal_format="number").encode


class ProductState(msgspec.Struct, frozen=True):
    """A product with everything that belongs to it."""

    product: Product
    variants: tuple[Variant, ...]
    stock: Mapping[int, Stock]
    categories: tuple[Category, ...]


class CategoryName(msgspec.Struct, frozen=True, rename="camel"):
    """A category as a product names it."""

    id: int
    slug: str
    name: str
    name_en: str | None


class VariantView(msgspec.Struct, frozen=True, rename="camel"):
    """A variant in an answer; `stock` is there for the store's people only."""

    id: int
    sku: str | None
    options: msgspec.Raw
    price: Decimal
    available: bool
    stock: int | None | UnsetType = UNSET
    weight_grams: int | None = None


class ProductView(msgspec.Struct, frozen=True, rename="camel"):
    """A product in an answer. `category` is the name of the main one."""

    id: int
    store_id: int
    name: str
    name_en: str | None
    description: str | None
    description_en: str | None
    price: Decimal
    compare_at_price: Decimal | None
    currency: str
    category: str | None
    categories: list[CategoryName]
    images: msgspec.Raw
    sizes: msgspec.Raw
    colors: msgspec.Raw
    in_stock: bool
    status: Status
    variants: list[VariantView]
    created_at: datetime
    updated_at: datetime
    # Cards of older releases lack it; null where nothing was ever weighed.
    weight_grams: int | None = None


_view_decoder = msgspec.json.Decoder(ProductView)


async def read_product(shop: Shop, product_id: int) -> ProductState:
    """The product in any status, or `ProductNotFound`."""
    states = await read_products(shop, [product_id])
    if not states:
        raise ProductNotFound()
    return states[0]


async def read_products(shop: Shop, product_ids: Sequence[int]) -> list[ProductState]:
    """Several products in any status, in the order of the ids; unknown ids are left out."""
    ids = list(product_ids)
    if not ids:
        return []
    found = {product.id: product for product in await catalog.list_products(shop.db, ids)}
    variants: dict[int, list[Variant]] = {}
    for variant in await listing.list_variants_of(shop.db, ids):
        variants.setdefault(variant.product_id, []).append(variant)
    counts: dict[int, dict[int, Stock]] = {}
    for row in await stock.list_stock(shop.db, ids):
        counts.setdefault(row.product_id, {})[row.variant_id] = row
    shelves: dict[int, list[Category]] = {}
    for shelf in await stores.list_shelves(shop.db, ids):
        shelves.setdefault(shelf.product_id, []).append(shelf.category)
    return [
        ProductState(
            found[i], tuple(variants.get(i, ())), counts.get(i, {}), tuple(shelves.get(i, ()))
        )
        for i in ids
        if i in found
    ]


def product_view(state: ProductState, *, for_members: bool) -> ProductView:
    """The product as the API shows it; its people see how many pieces there are."""
    product = state.product
    variants = [_variant_view(state, variant, for_members) for variant in state.variants]
    return ProductView(
        id=product.id,
        store_id=product.store_id,
        name=product.name,
        name_en=product.name_en,
        description=product.description,
        description_en=product.description_en,
        price=decimal_from_dirhams(product.price_dirhams),
        compare_at_price=(
            None
            if product.compare_at_dirhams is None
            else decimal_from_dirhams(product.compare_at_dirhams)
        ),
        currency="LYD",
        category=state.categories[0].name if state.categories else None,
        categories=[CategoryName(c.id, c.slug, c.name, c.name_en) for c in state.categories],
        images=product.images,
        sizes=product.sizes,
        colors=product.colors,
        in_stock=any(variant.available for variant in variants),
        status=product.status,
        variants=variants,
        created_at=product.created_at,
        updated_at=product.updated_at,
        weight_grams=product.weight_grams,
    )


def _variant_view(
    state: ProductState,
    variant: Variant,
    for_members: bool,  # noqa: FBT001 - passed on
) -> VariantView:
    product, count = state.product, state.stock.get(variant.id)
    available = count.available if count else 0
    price = product.price_dirhams if variant.price_dirhams is None else variant.price_dirhams
    return VariantView(
        id=variant.id,
        sku=variant.sku,
        options=variant.options,
        price=decimal_from_dirhams(price),
        available=product.sells and (available is None or available > 0),
        stock=available if for_members else UNSET,
        weight_grams=(
            product.weight_grams if variant.weight_grams is None else variant.weight_grams
        ),
    )


def card_of(state: ProductState) -> bytes:
    """The product's card: JSON of the view, every variant as if it were in stock."""
    full = {v.id: Stock(v.id, state.product.id, 0, None, 0, 0) for v in state.variants}
    return _encode(product_view(msgspec.structs.replace(state, stock=full), for_members=False))


def shown(card: bytes, sold_out: Collection[int]) -> bytes:
    """The card with these variants marked as not available."""
    if not sold_out:
        return card
    view = _view_decoder.decode(card)
    variants = [
        msgspec.structs.replace(v, available=v.available and v.id not in sold_out)
        for v in view.variants
    ]
    in_stock = any(variant.available for variant in variants)
    return _encode(msgspec.structs.replace(view, variants=variants, in_stock=in_stock))


def sold_out_of(state: ProductState) -> list[int]:
    """The variants without a piece left, as rows of the card say it."""
    return [row.variant_id for row in state.stock.values() if row.available == 0]


def file_card(state: ProductState, seen: int) -> Statement:
    """Keep the card for the product's version `seen`; touches no row if that is outdated."""
    product = state.product
    return catalog.file_card(
        product.store_id,
        product.id,
        card_of(state).decode(),
        seen,
        {category.id: category.version for category in state.categories},
    )


def described(state: ProductState, version: int) -> list[Statement]:
    """Search text and card as part of a batch; `Stale` if the product is not in this version."""
    product = state.product
    words = [
        product.name,
        product.name_en,
        *(variant.sku for variant in state.variants),
        *(name for c in state.categories for name in (c.name, c.name_en)),
        product.description,
        product.description_en,
    ]
    return [
        catalog.index_for_search(product.store_id, product.id, search_text(*words)),
        file_card(state, version).guarded(Stale()),
    ]


async def file_cards(shop: Shop, states: Iterable[ProductState]) -> None:
    """File the cards of products whose card was missing; a product that moved on is left out."""
    by_store: dict[int, Batch] = {}
    for state in states:
        batch = by_store.setdefault(state.product.store_id, Batch())
        batch.add(file_card(state, state.product.version))
    for batch in by_store.values():
        await shop.db.commit(batch)
